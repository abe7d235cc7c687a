"""Sites and routers that could serve a service port, with all their reported figures."""

from collections import defaultdict
from collections.abc import Sequence
from math import inf
from typing import TypeVar

from msgspec.structs import replace

from router.balance.deciding.candidates import Candidate
from router.balance.deciding.local_site import LocalSite
from router.balance.sites.isolation import kept_from
from router.balance.sites.remote_site import RemoteSite
from router.balance.sites.replicas import RoutersOfSite, by_site
from router.balance.sites.site_ejection import SiteEjection, SiteEjections
from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import LoadReport, RemoteCandidate
from router.model.paths import Path
from router.model.settings import Isolation

NO_ROUTER = RouterId("")

_ToldT = TypeVar("_ToldT", RemoteCandidate, LoadReport)

IN_RESERVE = "requests fail there, and no other site has room"
LEAST_BAD = "requests fail at every site with a target; this one failed least"
ONLY_NEWCOMER = "it newly offers this, and no other site takes the request"

OWN_ROUTER = RouterId("own")
"""Used for this router where its id is not given."""


class Egresses:
    """The part of a balancer that follows the route table and load; it decides nothing.

    Figures of routers that are no longer known are dropped: streams may outlive their candidate.
    """

    __slots__ = (
        "_candidates",
        "_here",
        "_isolation",
        "_local",
        "_remotes",
        "ejections",
        "routers",
        "sheddable_share",
        "under_way",
    )

    def __init__(self, local: LocalSite) -> None:
        self._local = local
        self._here: LocalSite | RoutersOfSite = local
        """This site: with its other routers if there are any."""
        self._candidates: Sequence[RemoteCandidate] = ()
        self._isolation: Isolation = "none"
        self._remotes: dict[SiteId, RemoteSite | RoutersOfSite] = {}
        """The other sites, by (cost, site)."""
        self.routers: dict[RouterId, RemoteSite] = {}
        """All other known routers, including those of this site."""
        self.under_way: defaultdict[SiteId, int] = defaultdict(int)
        """Streams of ours, by the site at which they end, known or not. Only sites with streams."""
        self.sheddable_share: float | None = None
        """As in `LocalLedger`."""
        self.ejections = SiteEjections(local.site, self._may_eject, self._ejected)

    def egress(self, site: SiteId, path: Path) -> RemoteSite:
        """The router at the end of ``path``, to which a stream of ours reports directly (hot), by
        `RemoteSite.open` and the like. Reports about an unknown router have no effect.
        """
        router = path[-1]
        known = self.routers.get(router)
        if known is None:
            known = RemoteSite(
                RemoteCandidate(
                    site=site,
                    site_name=site,
                    router=router,
                    path_cost=0,
                    paths=(path,),
                    targets_ready=0,
                    capacity=None,
                    draining=True,
                ),
                self.under_way,
                self.ejections,
            )
        return known

    def has(self, remotes: Sequence[RemoteCandidate]) -> bool:
        """Whether ``remotes`` were taken over last: doing so again would change nothing.

        Never for several routers of one site: their loads decide which of them count.
        """
        return remotes == self._candidates and len(self._remotes) == len(remotes)

    def _take_over(self, remotes: Sequence[RemoteCandidate]) -> None:
        self._candidates = remotes
        known, self.routers = self.routers, {}
        for one in (self._here, *self._remotes.values()):
            if isinstance(one, RoutersOfSite):
                one.dissolve()
        sites: list[RemoteSite | RoutersOfSite] = []
        self._here = self._local
        own = self._local.site
        for site, adverts in by_site(remotes, own).items():
            routers = [
                self._router(known.get(one.router), one if site != own else _for_us(one))
                for one in adverts
            ]
            if site == own:
                self._here = RoutersOfSite([self._local, *routers])
            elif len(routers) == 1:
                sites.append(routers[0])
            else:
                sites.append(RoutersOfSite(routers))
        sites.sort(key=lambda one: (one.cost, one.site))
        self._remotes = {one.site: one for one in sites}
        for site, why in kept_from(sites, self._isolation).items():
            for router in self.routers.values():
                if router.site == site:
                    router.bar(why)

    def _router(self, known: RemoteSite | None, advert: RemoteCandidate) -> RemoteSite:
        if known is None or known.site != advert.site:
            known = RemoteSite(advert, self.under_way, self.ejections)
        else:
            known.update(advert)
        self.routers[advert.router] = known
        return known

    def forget_gone(self, now: float) -> None:
        """Forget what is remembered of failing sites that are no candidates any more."""
        if self.ejections.active:
            self.ejections.forget_gone(self._remotes, now)

    def kept_places(self, now: float) -> frozenset[str]:
        """Places (`Decision.place`) that reserve their free slots from sheddable requests.
        O(routers).
        """
        share = self.sheddable_share
        if share is None:
            return frozenset()
        kept = {self.own_place} if self._local.keeps_rest else set()
        for one in self.routers.values():
            if one.stale:
                one.refresh(now)
            if one.keeps_rest(share, now):
                kept.add(one.place)
        return frozenset(kept)

    def has_room_at_siblings(self, now: float) -> bool:
        """Another router of this site takes one more, as far as is known."""
        here = self._here
        if not isinstance(here, RoutersOfSite):
            return False
        here.refresh(now)
        return any(one.able and not one.hard_full for one in here.members if not one.local)

    @property
    def own_place(self) -> str:
        """`Decision.place` of a decision for this router."""
        return self._local.site if self._here is self._local else self._local.router

    def reaches(self, site: SiteId, router: RouterId) -> bool:
        """Whether ``router`` is a router of ``site`` in use, whose load counts."""
        remote = self.routers.get(router)
        return remote is not None and remote.site == site

    def report(self, report: LoadReport, site: SiteId, now: float) -> None:
        """A load report of an egress: its count over all ingresses, ours included."""
        remote = self.routers.get(report.router)
        if remote is not None:
            remote.report(_for_us(report) if site == self._local.site else report, now)
            remote.hear_report(report.in_flight, now)

    @property
    def held_elsewhere(self) -> int:
        """Slots of other sites that our streams hold: at most as many as each site has."""
        held = 0
        for site, count in self.under_way.items():
            one = self._remotes.get(site)
            slots = None if one is None else one.stated_capacity
            held += count if slots is None else min(count, slots)
        return held

    @property
    def is_served_elsewhere(self) -> bool:
        """Whether another router within reach has a ready target, as far as is known."""
        return any(one.is_usable and not one.is_ejected for one in self.routers.values())

    @property
    def is_served_at_other_sites(self) -> bool:
        """As `is_served_elsewhere`, without the other routers of this site."""
        own = self._local.site
        return any(
            one.is_usable and not one.is_ejected and one.site != own
            for one in self.routers.values()
        )

    def _ejected(self, ejection: SiteEjection) -> None:
        for one in self.routers.values():
            if one.site == ejection.site:
                one.set_ejection(ejection)

    def _may_eject(self, site: SiteId, now: float) -> bool:
        """Whether ejecting ``site`` leaves at most half of the known capacity ejected.

        Another site counts as the requests that it was seen to serve at once of late, at most its
        own figure. Sites in reserve are on neither side.
        """
        local = self._local
        local.refresh(now)
        left = 0
        if local.targets_ready:
            left = local.stated_capacity or local.targets_ready
        seen: dict[SiteId, int] = {}
        says: dict[SiteId, float] = {}
        out = {site}
        for one in self.routers.values():
            if not one.is_usable or (one.is_in_reserve and one.site != site):
                continue
            # The streams of all routers of a site count as one.
            seen[one.site] = max(one.served.most(now), seen.get(one.site, 1))
            stated = inf if one.stated_capacity is None else one.stated_capacity
            says[one.site] = says.get(one.site, 0) + stated
            if one.is_ejected:
                out.add(one.site)
        known = {one: min(served, says[one]) for one, served in seen.items()}
        left_elsewhere = sum([known[one] for one in known if one not in out])
        ejected = sum([known[one] for one in known if one in out])
        return 0 < left + left_elsewhere >= ejected

    def _spare_failing(self, now: float, excluded: frozenset[str]) -> None:
        """Decide which failing sites a request may go to, without ``excluded`` ones.

        While no other site has room, those in reserve: first the one whose last failure was longest
        ago, as it may have recovered. While every site with a target is ejected, the one that is
        out for the shortest time: it failed least.
        """
        routers = self.routers.values()
        for one in routers:
            if one.spared:
                one.spare("", now)
        takes_requests = False
        for candidate in (self._here, *self._remotes.values()):
            candidate.refresh(now)
            if candidate.able:
                takes_requests = True
                if candidate.has_room_without(excluded):
                    return
        reserve = {
            one.ejection.site: one.ejection
            for one in routers
            if one.is_usable and one.ejection and one.ejection.in_reserve
        }
        for ejection in sorted(reserve.values(), key=lambda one: one.failed_at):
            self._spare(ejection, IN_RESERVE, now)
            candidate = self._remotes[ejection.site]
            if candidate.has_room_without(excluded):
                break
        if reserve:
            return
        least = min(
            [one.ejection for one in routers if one.is_usable and one.ejection],
            key=lambda one: (one.period_s, one.until),
            default=None,
        )
        if least is not None and not takes_requests:
            why = ONLY_NEWCOMER if least.is_new else LEAST_BAD
            self._spare(least, why, now)

    def _spare(self, ejection: SiteEjection, why: str, now: float) -> None:
        for one in self.routers.values():
            if one.is_usable and one.ejection is ejection:
                one.spare(why, now)
        self._remotes[ejection.site].refresh(now)

    def freed_per_s(self, place: str, service_time_s: float) -> float:
        """`Candidate.freed_per_s` of ``place``, a site or a router, as of the last decision."""
        one: Candidate | None = self.routers.get(RouterId(place))
        if place == self._local.site:
            one = self._local
        elif one is None:
            one = self._remotes.get(SiteId(place))
        return 0.0 if one is None else one.freed_per_s(service_time_s)


def _for_us(told: _ToldT) -> _ToldT:
    """For another router of this site: the reserve is for our clients, and no share applies."""
    if not told.reserved and told.most_for_one is None:
        return told
    capacity = None if told.capacity is None else told.capacity + told.reserved
    return replace(told, capacity=capacity, reserved=0, most_for_one=None)
