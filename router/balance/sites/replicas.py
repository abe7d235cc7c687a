"""Several routers of one site: one candidate for the policies, and the choice among the routers.

Each router owns the slots of its own ledger and alone admits to them. For the policies they are one
site, with the sum of their figures. The router for a request at the chosen site is:

- this one, if it is this site and there is room: that costs no hop;
- else the nearest router with room, among equals the one with most free slots;
- for a session, where the routers have separate targets: the session's router by rendezvous hashing
  among those with room. Where they share their targets any of them finds the session's target by
  the same rule, so the nearest is as good.

A router that refused is left out and the others are asked before any costlier site.
"""

import zlib
from collections.abc import Iterable, Sequence
from math import inf

from router.balance.deciding.candidates import SENDS_AWAY, Candidate, Outline
from router.balance.deciding.local_site import LocalSite
from router.balance.sites.remote_site import RemoteSite
from router.balance.targets.sessions import score, seed_of
from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import RateLoad, RemoteCandidate

_SUMMED = Outline((), None, False, 0)  # Of a router whose figures, but its load, are in the sums.


class RoutersOfSite(Candidate):
    """A site by several of its routers, this one among them if it is ours.

    The sums are stored. While only loads change, as requests come and go, only loads are added up.
    """

    __slots__ = (
        "_distances",
        "_left",
        "_some_left_out",
        "_some_send_away",
        "members",
    )

    def __init__(self, members: Sequence[LocalSite | RemoteSite]) -> None:
        first = members[0]
        super().__init__(first.site, first.name, first.local)
        self.members = members
        self._distances = {one.router: _distance(one) for one in members}
        self._left: list[LocalSite | RemoteSite] = []  # Able, and not left out of this decision.
        self._some_left_out = True  # Of this decision: the sums are not of all.
        self._some_send_away = False
        self.paths = tuple(path for one in members for path in one.paths)
        for one in members:
            if isinstance(one, RemoteSite):
                one.belong_to(self)
        self.refresh(0.0)

    def dissolve(self) -> None:
        """Detach its routers: they will be grouped in another way."""
        for one in self.members:
            one.forget_figures()
            if isinstance(one, RemoteSite):
                one.belong_to(None)

    def refresh(self, now: float) -> None:
        """Update the sums over those that take requests."""
        # Of a barred site all routers are shown, though none is able.
        is_other, stale = self._some_left_out or self.barred != "", False
        in_flight, running, hard_full, has_slot_here = 0, 0, True, False
        told_at, all_told = inf, True
        for one in self.members:
            if one.stale:
                one.refresh(now)
                if one.stale:  # Always stale, or for some time.
                    stale = True
            if one.outline is None:  # Also of one that was refreshed by itself.
                is_other = True
            running += one.in_flight + one.beyond
            if one.able:
                in_flight += one.in_flight
                if not one.hard_full:
                    hard_full = False
                if one.local:
                    has_slot_here = one.has_stated_room
                    continue
                heard_at = one.heard_at
                if heard_at is None:
                    all_told = False
                elif heard_at < told_at:
                    told_at = heard_at
        self.stale = stale
        if is_other:
            self._sum_anew()
            return
        # The same as `_sum` computes for loads.
        oldest = told_at if all_told and told_at < inf else None
        hard_full = hard_full and self.able
        beyond = running - in_flight
        is_other = beyond != self.beyond or has_slot_here is not self.has_slot_here
        if (
            in_flight != self.in_flight
            or hard_full is not self.hard_full
            or oldest != self.heard_at
            or is_other
        ):
            self._hold(beyond, has_slot_here)
            self.in_flight, self.hard_full, self.heard_at = in_flight, hard_full, oldest
            self.glimpse = None

    def _drained(self) -> bool | None:
        """While a router of another site takes requests, that site is not drained."""
        counting = [one.is_drained for one in self.members if one.local or self.draining]
        return True if any(counting) else None if None in counting else False

    def _sum_anew(self) -> None:
        """More than loads changed."""
        self.outline = self.glimpse = None
        taking = [one for one in self.members if one.targets_ready and not one.draining]
        self.cost = min([one.cost for one in taking or self.members])
        self.draining = all([one.draining for one in self.members])
        self.is_drained = self._drained()
        barred = [one.barred for one in self.members]
        self.barred = barred[0] if all(barred) else ""
        self._left = sorted([one for one in self.members if one.able], key=_distance)
        self._some_left_out = False
        self.able = bool(self._left)
        ejected = [one for one in self.members if one.ejected]  # All, or none but those here.
        self.ejected = "" if self.able or not ejected else ejected[0].ejected
        self.ejected_until = ejected[0].ejected_until if ejected else None
        self.starts_small = bool(ejected) and ejected[0].starts_small
        self.spared = next((one.spared for one in self.members if one.spared), "")
        self._sum()
        for one in self.members:
            one.outline = _SUMMED

    def _hold(self, beyond: int, has_slot_here: bool) -> None:
        """Store the figures besides its load, if they changed."""
        if beyond != self.beyond or has_slot_here is not self.has_slot_here:
            self.outline = None
            self.beyond, self.has_slot_here = beyond, has_slot_here
            self._sum_most()

    def _sum_most(self) -> None:
        each = [one.most_running for one in self.members]
        stated = [most for most in each if most is not None]
        self.most_running = sum(stated) if len(stated) == len(each) else None

    def most_of_all(self, most: int) -> int:
        """The slots that clients of this site may hold at all of them, those left out too; ``most``
        if one of them names no share."""
        usable = [one for one in self.members if isinstance(one, RemoteSite) and one.is_usable]
        shares = [one.most_for_one for one in usable if one.most_for_one is not None]
        return sum(shares) if shares and len(shares) == len(usable) else most

    def is_out(self, excluded: frozenset[str]) -> bool:
        """All are left out; else the figures are those of the remaining ones."""
        if self.site in excluded:
            return True
        left = [one for one in self._left if one.router not in excluded]
        if len(left) == len(self._left) and left:
            return False
        self._some_left_out = self.stale = True
        self.outline = self.glimpse = None
        if not left:
            # Where one of them is only full, waiting helps.
            self.hard_full = any([one.hard_full for one in self._left])
            return True
        self._left = left
        self._sum()
        return False

    def is_refused(self, refused: frozenset[str]) -> bool:
        """One of them was only full."""
        return self.site in refused or any([one.router in refused for one in self.members])

    def _sum(self) -> None:
        left = self._left or self._shown
        ready = [one.targets_ready for one in left]
        shared = any([one.shares_targets for one in self.members])
        self.targets_ready = (max if shared else sum)(ready or [0])
        self.weigh()
        stated = [one.capacity for one in left if one.capacity is not None]
        self.capacity = sum(stated) if stated else None
        self.all_stated = bool(stated) and len(stated) == len(left)
        self.reserved = sum([one.reserved for one in left])
        shares = [one.most_for_one for one in left if one.most_for_one is not None]
        self.most_for_one = sum(shares) if shares and len(shares) == len(left) else None
        lefts = [one.share_left for one in left if one.share_left is not None]
        self.share_left = min(lefts) if self.most_for_one is not None and lefts else None
        self.in_flight = sum([one.in_flight for one in left])
        running = sum([one.in_flight + one.beyond for one in self.members])
        self.beyond = running - self.in_flight  # Also where nothing new is taken.
        self._sum_most()
        self.hard_full = bool(left) and all([one.hard_full for one in left])
        self.has_slot_here = any([one.local and one.has_stated_room for one in left])
        self.refuses = bool(left) and all([one.refuses for one in left])
        self.sends_away = bool(left) and all([one.sends_away for one in left])
        self._some_send_away = any([one.sends_away for one in left])
        told = [one.heard_at for one in left if not one.local]
        heard = [at for at in told if at is not None]  # The oldest report counts.
        self.heard_at = min(heard) if heard and len(heard) == len(told) else None
        rates = [one.rate for one in left if one.rate is not None]
        self.rate = None
        if rates and len(rates) == len(left):
            able = [one for one in self.members if one.able] or left
            self.rate = RateLoad(
                sum([one.rate.per_s for one in able if one.rate is not None]),
                sum([rate.permits for rate in rates]),
                SENDS_AWAY if self.sends_away else min([rate.state for rate in rates]),
            )

    @property
    def _shown(self) -> Sequence[LocalSite | RemoteSite]:
        """Routers that would take requests if they were not barred or ejected."""
        if self.barred:
            return self.members
        return [one for one in self.members if one.ejected and not one.draining]

    def waiting_there(self) -> int:
        """The sum over all of them."""
        return sum([one.waiting for one in self.members])

    @property
    def stated_capacity(self) -> int | None:
        """The sum of their slots, including those left out."""
        able = [one for one in self.members if one.able]
        each = [one.stated_capacity for one in able or self._shown]
        stated = [one for one in each if one is not None]
        return sum(stated) if stated else None

    @property
    def has_slots(self) -> bool:
        """Some router has."""
        return any([one.has_slots for one in self.members if one.able])

    @property
    def free(self) -> int | None:
        """The sum over those whose slots are `capacity`, if each has a configured one."""
        if not self.all_stated:
            return super().free
        free = sum([one.free or 0 for one in self._left or self._shown])
        return free if self.share_left is None else min(free, self.share_left)

    def free_within(self, share: float | None) -> int | None:
        """The sum over those that are not left out."""
        free = self.free
        if share is None or free is None:
            return free
        return min(free, sum([one.free_within(share) or 0 for one in self._left]))

    @property
    def is_learnt(self) -> bool:
        """Some of its slots are learned."""
        return any([one.is_learnt for one in self._left])

    @property
    def known_beyond(self) -> int:
        """Without the placeholders of all of them."""
        return self.beyond - sum([one.beyond - one.known_beyond for one in self.members])

    @property
    def is_asked_again(self) -> bool:
        """All of them with apparent room are."""
        with_room = [one for one in self._left if not one.hard_full]
        return bool(with_room) and all([one.is_asked_again for one in with_room])

    def freed_per_s(self, service_time_s: float) -> float:
        """The sum over them; 0.0 where one is not known."""
        each = [one.freed_per_s(service_time_s) for one in self._left]
        return sum(each) if all(each) else 0.0

    def full_ones(self, kept: frozenset[str] = frozenset()) -> Sequence[LocalSite | RemoteSite]:
        """The routers where a request may wait, even after a refusal there: they are full, or
        ``kept`` from it.
        """
        return [one for one in self.members if one.able and (one.hard_full or one.router in kept)]

    def pick(self, session: int = 0) -> LocalSite | RemoteSite:
        """The router for the next request, as of the last judgment; for a site that is able."""
        if session and not any([one.shares_targets for one in self.members]):
            return max(self._roomy(), key=lambda one: _session_key(one, session))
        best: LocalSite | RemoteSite | None = None
        if not self._some_send_away:
            distances = self._distances
            for one in self._left:  # The nearest first: most often it has room and no equals.
                if one.hard_full:
                    continue
                if best is None:
                    best, distance = one, distances[one.router]
                elif distances[one.router] != distance:
                    break
                elif _excess(one) < _excess(best):
                    best = one
        return best or min(self._roomy(), key=_nearness)

    def _roomy(self) -> Sequence[LocalSite | RemoteSite]:
        left = self._left
        return [one for one in left if not one.hard_full] or left or self.members

    def next_path(self) -> tuple[RouterId, ...]:
        """The path to the router for the next request."""
        return self.pick().next_path()


def by_site(remotes: Iterable[RemoteCandidate], own: SiteId) -> dict[SiteId, list[RemoteCandidate]]:
    """The routers of each site; each asking site has another order among those of equal rank."""
    found: dict[SiteId, list[RemoteCandidate]] = {}
    for one in remotes:
        found.setdefault(one.site, []).append(one)
    for several in found.values():
        several.sort(key=lambda one: zlib.crc32(f"{own} {one.router}".encode()))
    return found


def _distance(one: LocalSite | RemoteSite) -> tuple[bool, int, int]:
    paths = one.paths
    return (not one.local, one.cost, len(paths[0]) if paths else 0)


def _nearness(one: LocalSite | RemoteSite) -> tuple[bool, bool, int, int, int]:
    not_here, cost, hops = _distance(one)
    return (not_here, one.sends_away, cost, hops, _excess(one))


def _excess(one: LocalSite | RemoteSite) -> int:
    """Requests above capacity; below 0: free slots."""
    return one.in_flight - (one.capacity or 0)


def _session_key(one: LocalSite | RemoteSite, session: int) -> float:
    return score(session, seed_of(one.router), max(1, one.targets_ready))
