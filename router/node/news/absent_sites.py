"""Sites that offered a service in the last minutes but do not now: `why` still shows them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec

from router.admin.views.why import WhyCandidate
from router.link.sessions.link_status import LinkStatus, in_words
from router.model.ids import ServiceKey, SiteId
from router.model.limits import ABSENT_DETOUR_S, ABSENT_SITES_MAX, ABSENT_SITES_SHOWN_S
from router.model.messages.adverts import RemoteCandidate
from router.model.rights.sharing import OPEN_TO_ALL, SHORT_ID_CHARS, SharingRules
from router.routing.table import RouteTable


class FormerCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """A former candidate, and the time ``since`` it is gone (monotonic seconds). ``via``: the site
    that its path began with. ``lost_at``: since when it is out of reach; None: since ``since``, or
    it is reached."""

    site: SiteId
    name: str
    path_cost: int
    via: SiteId | None
    since: float
    lost_at: float | None = None


class AbsentSites:
    """Compares each route table with the previous one. Bounded: the oldest are forgotten first.

    A service that a site withdrew while it was reached is forgotten once the site is out of reach:
    the site did not offer it last. A site whose link goes down has another way for a moment, until
    all routers know that it is gone: its row has the cost and the link of the previous way.
    """

    __slots__ = ("_before_detour", "_gone", "_now", "_table")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._table: RouteTable | None = None
        self._gone: dict[tuple[ServiceKey, SiteId], FormerCandidate] = {}
        self._before_detour: dict[tuple[ServiceKey, SiteId], FormerCandidate] = {}
        """Sites whose way changed in the last `ABSENT_DETOUR_S`, with the previous way."""

    def table_changed(self, table: RouteTable) -> None:
        """Record which candidates are gone, and which are back."""
        before, self._table, now = self._table, table, self._now()
        self._before_detour = {
            known: one
            for known, one in self._before_detour.items()
            if now - one.since < ABSENT_DETOUR_S
        }
        if before is None:
            return
        self._note_lost(before, table, now)
        for key in before.candidates.keys() | table.candidates.keys():
            was, are = before.candidates.get(key, ()), table.candidates.get(key, ())
            if was is are:
                continue
            present = {one.site: one for one in are}
            for one in was:
                if one.site == table.site:
                    continue
                known = key, one.site
                present_now = present.get(one.site)
                if present_now is None:
                    last = self._before_detour.pop(known, None) or _absent(one, before, now)
                    self._gone.setdefault(known, msgspec.structs.replace(last, since=now))
                elif _is_detour(one, present_now) and known not in self._before_detour:
                    self._before_detour[known] = _absent(one, before, now)
            for site in present:
                self._gone.pop((key, site), None)
        while len(self._gone) > ABSENT_SITES_MAX:
            del self._gone[next(iter(self._gone))]

    def _note_lost(self, before: RouteTable, after: RouteTable, now: float) -> None:
        """Handle sites that gave up a service and are lost now: right after that, or long ago."""
        for (key, site), one in list(self._gone.items()):
            if not _is_lost(site, before, after):
                continue
            if now - one.since <= ABSENT_DETOUR_S:
                self._gone[key, site] = msgspec.structs.replace(one, lost_at=now)
            else:
                del self._gone[key, site]

    def unreached(self, key: ServiceKey) -> list[str]:
        """Names of sites that recently offered ``key`` and are out of reach, the last to go first,
        without sites that were deleted or put out. With ids where two have one name, as in
        `why`."""
        table = self._table
        if table is None:
            return []
        sites, gone = table.sites, self.of(key)
        bearers = _bearers(gone, table)
        away = [
            one
            for one in gone
            if one.site not in table.deleted | table.put_out
            and (one.site not in sites or not sites[one.site].reachable)
        ]
        away.sort(key=lambda one: -one.since)
        return [_shown_name(one, bearers, table) for one in away]

    def last_offered(self) -> dict[SiteId, tuple[frozenset[str], float]]:
        """The services that unreachable sites offered recently, when they were last reached, and
        when that was (monotonic seconds)."""
        if self._table is None:
            return {}
        sites, oldest = self._table.sites, self._now() - ABSENT_SITES_SHOWN_S
        found: dict[SiteId, tuple[frozenset[str], float]] = {}
        for (key, site), one in self._gone.items():
            if one.since >= oldest and (site not in sites or not sites[site].reachable):
                names, since = found.get(site, (frozenset[str](), 0.0))
                found[site] = names | {key.name}, max(since, one.since)
        return found

    def of(self, key: ServiceKey) -> list[FormerCandidate]:
        """Sites that recently offered ``key``, the cheapest first."""
        oldest = self._now() - ABSENT_SITES_SHOWN_S
        known = [one for (of, _), one in self._gone.items() if of == key and one.since >= oldest]
        return sorted(known, key=lambda one: (one.path_cost, one.site))


def _is_detour(before: RemoteCandidate, after: RemoteCandidate) -> bool:
    """Whether the way changed. An edge knows only its first router and the last: there a detour
    behind the neighbor is only costlier."""
    return after.paths != before.paths or after.path_cost > before.path_cost


def _absent(one: RemoteCandidate, table: RouteTable, now: float) -> FormerCandidate:
    first = one.paths[0][0] if one.paths and one.paths[0] else None
    return FormerCandidate(
        site=one.site,
        name=one.site_name,
        path_cost=one.path_cost,
        via=None if first is None else table.routers.get(first),
        since=now,
    )


def rows(
    key: ServiceKey,
    gone: Sequence[FormerCandidate],
    table: RouteTable,
    links: Sequence[LinkStatus],
    time: Callable[[float], str],
    in_flight: Mapping[SiteId, int],
    rules: SharingRules = OPEN_TO_ALL,
) -> list[WhyCandidate]:
    """Rows of `why` for sites that offered ``key``. ``time``: monotonic seconds in words.
    ``in_flight``: requests of this site's clients that are still at other sites. ``rules``: of
    this site."""
    bearers = _bearers(gone, table)
    return [
        _row(
            key,
            one,
            table,
            links,
            time,
            in_flight.get(one.site, 0),
            _shown_name(one, bearers, table),
            rules,
        )
        for one in gone
    ]


def _is_lost(site: SiteId, before: RouteTable, after: RouteTable) -> bool:
    """The site was reached, is not any more, and did not report that it was deleted."""
    was, now = before.sites.get(site), after.sites.get(site)
    is_away = now is None or not now.reachable
    return was is not None and was.reachable and is_away and site not in after.deleted


def _bearers(gone: Sequence[FormerCandidate], table: RouteTable) -> Counter[tuple[str, bool]]:
    """How many sites have each name: among deleted sites (True), and among the others."""
    named = {(route.name, site) for site, route in table.sites.items()}
    named.update((one.name, one.site) for one in gone)
    return Counter((name, site in table.deleted) for name, site in named)


def _shown_name(one: FormerCandidate, bearers: Counter[tuple[str, bool]], table: RouteTable) -> str:
    """The name, with the id if another site has the same name. A deleted site does not count
    against one that was created again."""
    others = bearers[one.name, False] - 1
    if one.site in table.deleted:
        others = bearers[one.name, False] + bearers[one.name, True] - 1
    return f"{one.name}@{one.site[:SHORT_ID_CHARS]}" if others else one.name


def _row(
    key: ServiceKey,
    one: FormerCandidate,
    table: RouteTable,
    links: Sequence[LinkStatus],
    time: Callable[[float], str],
    in_flight: int,
    name: str,
    rules: SharingRules,
) -> WhyCandidate:
    route = table.sites.get(one.site)
    if any(other.site == one.site for other in table.withheld.get(key, ())):
        verdict = "not-allowed"
        reason = f"its export rule has left this site out since {time(one.since)}"
    elif route is not None and route.reachable and table.is_withheld(one.site, key.name, rules):
        verdict = "excluded"  # It cannot offer a service that it does not know.
        reason = (
            f"exportTo of {table.party(table.site).shown} does not name it, and it has not offered "
            f"the service since {time(one.since)}"
        )
    elif route is not None and route.reachable:
        verdict = "no-target"
        since = time(one.since)
        if ports := _other_ports(key, one.site, table):
            reason = f"it offers the service at {ports}, and has not offered {key} since {since}"
        else:
            reason = f"it has not offered the service since {since}"
    elif one.site in table.deleted:
        verdict, reason = "deleted", f"gone since {time(one.since)}"
    else:
        verdict = "unreachable"
        down = next((link for link in links if link.state != "up" and _cut_off(link, one)), None)
        lost = time(one.since if one.lost_at is None else one.lost_at)
        if down is None:
            reason = f"no path has led there since {lost}"
        else:
            neighbour = table.name_of(SiteId(down.neighbour_site), down.neighbour_name)
            link = in_words(down.name, down.direction, neighbour)
            if down.state == "draining":  # ``since`` is when the link came up.
                reason = f"{link} has been draining since {lost}: nothing new goes over it"
            else:
                reason = f"{link} is down since {time(down.since)}"
        if by := table.bar_names(one.site):
            reason = f"barred by {', '.join(by)}, and {reason}"
    return WhyCandidate(
        site=name,
        path=(),
        path_cost=one.path_cost,
        targets_ready=0,
        capacity=None,
        in_flight=in_flight,
        free=None,
        age_s=None,
        verdict=verdict,
        reason=reason,
        capacity_kind=None,
    )


def _other_ports(key: ServiceKey, site: SiteId, table: RouteTable) -> str:
    """``port 8081``: where ``site`` offers another port of the service; empty: nowhere."""
    ports = sorted(
        other.port
        for other, offers in table.candidates.items()
        if other.name == key.name and other != key and any(one.site == site for one in offers)
    )
    return f"port{'s' if len(ports) > 1 else ''} {', '.join(map(str, ports))}" if ports else ""


def _cut_off(link: LinkStatus, one: FormerCandidate) -> bool:
    """Whether the site is gone because ``link`` is down. A link on the way that went down later is
    not the reason: the site may have been deleted."""
    if link.neighbour_site == one.site:
        return True
    return link.neighbour_site == one.via and link.since <= one.since + ABSENT_DETOUR_S
