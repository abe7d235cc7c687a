"""The sites that a history names: their ids and costs, also of those that are gone since."""

from collections.abc import Iterable

import msgspec

from router.admin.history_views import HistorySite
from router.history.readings import OTHERS
from router.link.ports import LinkIdentity
from router.model import limits
from router.model.ids import SiteId
from router.routing.table import RouteTable


class _Gone(msgspec.Struct, frozen=True):
    """What was known of a site when it was last reachable. ``since``: monotonic seconds."""

    site: SiteId
    path_cost: int
    since: float


class HistorySites:
    """Compares each route table that it is shown with the one before.

    A site that leaves keeps its id and its place in the order for as long as samples name it.
    """

    __slots__ = ("_gone", "_table")

    def __init__(self) -> None:
        self._table: RouteTable | None = None
        self._gone: dict[str, _Gone] = {}

    def look(self, table: RouteTable, now: float) -> None:
        """The router goes by ``table`` now. O(sites) where that is another one."""
        before, self._table = self._table, table
        gone = self._gone
        if before is not None and before is not table:
            there = {one.name for one in table.sites.values() if one.path_cost is not None}
            for one in before.sites.values():
                if one.path_cost is not None and one.name not in there:
                    gone.pop(one.name, None)  # The newest is last.
                    gone[one.name] = _Gone(one.site, one.path_cost, now)
            for name in gone.keys() & there:
                del gone[name]
        oldest = now - limits.HISTORY_S - limits.HISTORY_STEP_S
        while gone:
            first = next(iter(gone))
            if len(gone) <= limits.HISTORY_GONE_SITES_MAX and gone[first].since >= oldest:
                break
            del gone[first]

    def of(self, own: LinkIdentity, names: set[str]) -> tuple[HistorySite, ...]:
        """This site, whether it served or not, and each of ``names``, by the last table."""
        local = HistorySite(name=own.name, id=own.site, local=True, path_cost=0, last_cost=0)
        known = {
            one.name: self._known(one.name, one.site, one.path_cost)
            for one in (self._table.sites.values() if self._table is not None else ())
            if one.name in names and one.site != own.site
        }
        others = (known.get(name) or self._known(name, "", None) for name in names - {own.name})
        return in_order((local, *others))

    def _known(self, name: str, site: str, path_cost: int | None) -> HistorySite:
        gone = self._gone.get(name) if path_cost is None else None
        return HistorySite(
            name=name,
            id=site or (gone.site if gone is not None else ""),
            local=False,
            path_cost=path_cost,
            last_cost=gone.path_cost if gone is not None else path_cost,
        )


def in_order(sites: Iterable[HistorySite]) -> tuple[HistorySite, ...]:
    """This site first, then by cost and name; a site that is gone stays where it was."""
    return tuple(sorted(sites, key=_order))


def _order(site: HistorySite) -> tuple[bool, bool, bool, int, str]:
    cost = site.last_cost if site.path_cost is None else site.path_cost
    return (not site.local, site.name == OTHERS, cost is None, cost or 0, site.name)
