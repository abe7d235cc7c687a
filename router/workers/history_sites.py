"""The sites named in a history: their names and costs, including sites that are gone since."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable

import msgspec

from router.admin.views.history import HistorySite
from router.history.readings import OTHERS
from router.model import limits
from router.model.ids import SiteId
from router.model.own_identity import OwnIdentity
from router.model.rights.sharing import SHORT_ID_CHARS
from router.routing.table import RouteTable


class _Gone(msgspec.Struct, frozen=True):
    """The last data on a site before it became unreachable, or its way costlier. ``since``:
    monotonic seconds."""

    path_cost: int
    since: float


class HistorySites:
    """Compares each route table with the previous one.

    A site that leaves stays in its place in the order for as long as samples name it. A site whose
    link goes down has a costlier way for a moment, until all routers know that it is gone: its
    place is that of the previous way.
    """

    __slots__ = ("_before_detour", "_gone", "_name_of", "_table")

    def __init__(self, name_of: Callable[[SiteId], str]) -> None:
        """``name_of``: the present or last name of a site."""
        self._name_of = name_of
        self._table: RouteTable | None = None
        self._gone: dict[SiteId, _Gone] = {}
        self._before_detour: dict[SiteId, _Gone] = {}
        """Sites whose way became costlier a moment ago, with the cost before."""

    def look(self, table: RouteTable, now: float) -> None:
        """Take ``table``, which the router uses now. O(sites) if it is a new one."""
        before, self._table = self._table, table
        gone = self._gone
        if before is not None and before is not table:
            self._compare(before, table, now)
        oldest = now - limits.HISTORY_S - limits.HISTORY_STEP_S
        while gone:
            first = next(iter(gone))
            if len(gone) <= limits.HISTORY_GONE_SITES_MAX and gone[first].since >= oldest:
                break
            del gone[first]

    def _compare(self, before: RouteTable, after: RouteTable, now: float) -> None:
        gone, detours = self._gone, self._before_detour
        for site, last in list(detours.items()):
            if now - last.since >= limits.ABSENT_DETOUR_S + limits.HISTORY_STEP_S:
                del detours[site]  # Looks may be a step apart.
        costs = {site: one.path_cost for site, one in after.sites.items()}
        for site, one in before.sites.items():
            cost = costs.get(site)
            if one.path_cost is None:
                continue
            if cost is None:
                known = detours.pop(site, None)
                gone.pop(site, None)  # The newest is last.
                gone[site] = _Gone(known.path_cost if known is not None else one.path_cost, now)
            elif cost > one.path_cost:
                detours.setdefault(site, _Gone(one.path_cost, now))
            elif site in detours and cost <= detours[site].path_cost:
                del detours[site]
        for site in [site for site in gone if costs.get(site) is not None]:
            del gone[site]

    def of(self, own: OwnIdentity, served: Collection[SiteId]) -> tuple[HistorySite, ...]:
        """This site, whether it served or not, and each of ``served``, by the last table."""
        local = HistorySite(name=own.name, id=own.site, local=True, path_cost=0, last_cost=0)
        others = [self._known(site) for site in served if site != own.site]
        bearers = Counter(one.name for one in (local, *others))
        return in_order(
            (local, *(_told_apart(one) if bearers[one.name] > 1 else one for one in others))
        )

    def _known(self, site: SiteId) -> HistorySite:
        route = self._table.sites.get(site) if self._table is not None else None
        path_cost = route.path_cost if route is not None else None
        gone = self._gone.get(site) if path_cost is None else None
        return HistorySite(
            name=self._name_of(site),
            id="" if site == OTHERS else site,
            local=False,
            path_cost=path_cost,
            last_cost=gone.path_cost if gone is not None else path_cost,
        )


def _told_apart(site: HistorySite) -> HistorySite:
    """Add the start of its id to the name, as of a gone site whose name another site has now."""
    return msgspec.structs.replace(site, name=f"{site.name}@{site.id[:SHORT_ID_CHARS]}")


def in_order(sites: Iterable[HistorySite]) -> tuple[HistorySite, ...]:
    """This site first, then by cost and name; a site that is gone stays in its place."""
    return tuple(sorted(sites, key=_order))


def _order(site: HistorySite) -> tuple[bool, bool, bool, int, str]:
    cost = site.last_cost if site.path_cost is None else site.path_cost
    return (not site.local, site.id == "", cost is None, cost or 0, site.name)
