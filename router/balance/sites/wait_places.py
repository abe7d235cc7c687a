"""Where a request may wait that no site takes now."""

from collections.abc import Sequence

from router.balance.deciding.candidates import Candidate
from router.balance.deciding.decisions import NoChoice, RemoteWait
from router.balance.deciding.local_site import LocalSite
from router.balance.sites.remote_site import RemoteSite
from router.balance.sites.replicas import RoutersOfSite
from router.model.ids import SiteId
from router.model.specs import PolicySpec

NO_ROUTE = NoChoice(reason="no-route", waitable=(), local_waitable=False)


class WaitPlaces:
    """Waiting places for these candidates under this policy: replaced after each change of either.

    ``order``: all of them, ``here`` this site as a whole, ``local`` this router.
    """

    __slots__ = (
        "_here",
        "_holds",
        "_is_split",
        "_last",
        "_last_full",
        "_local",
        "_order",
        "_remote_waits",
    )

    def __init__(
        self,
        order: Sequence[Candidate],
        here: Candidate,
        local: LocalSite,
        policy: PolicySpec,
    ) -> None:
        self._order, self._here, self._local = order, here, local
        self._holds, self._is_split = policy.name == "failover", policy.name == "split"
        # Nearly all; without overflow, and with it.
        self._remote_waits: dict[SiteId, tuple[RemoteWait, RemoteWait]] = {
            one.site: (
                RemoteWait(one.site, one.paths[0], False),
                RemoteWait(one.site, one.paths[0], True),
            )
            for one in order
            if isinstance(one, RemoteSite) and len(one.paths) == 1
        }
        self._last_full: list[Candidate] = []  # Where requests wait, if that defines the places.
        self._last = NO_ROUTE  # In a burst it is the same many times.

    def choice(self, refused: frozenset[str], kept: frozenset[str]) -> NoChoice:
        """By the current verdicts. ``refused``: places that were only full, for which `failover`
        waits; ``kept``: those that reserve their free slots from a sheddable request.
        """
        waiting_helps = [
            one
            for one in self._order
            if one.verdict == "full"
            or one.verdict == "sheddable-share"
            or (
                one.verdict == "excluded"
                and not one.barred
                and (one.is_refused(refused) if self._holds else one.hard_full)
            )
        ]
        if not waiting_helps:
            return NO_ROUTE
        if waiting_helps == self._last_full:
            return self._last
        full = waiting_helps.copy()
        cheapest = min([one.cost for one in waiting_helps])
        if self._is_split:
            waiting_helps.sort(key=_has_no_share)
        waitable: list[RemoteWait] = []
        waits = self._remote_waits
        for one in waiting_helps:
            if one.site in waits:
                waitable.append(waits[one.site][one.cost > cheapest])
            else:
                waitable += _waits_at(one, kept, overflow=one.cost > cheapest)
        choice = NoChoice(
            reason="all-full",
            waitable=tuple(waitable),
            local_waitable=self._here in waiting_helps
            and (self._here is self._local or self._waits_here(kept)),
        )
        if all([one.site in waits or one is self._local for one in full]):
            self._last_full, self._last = full, choice
        return choice

    def _waits_here(self, kept: frozenset[str]) -> bool:
        """This router, one of several of its site, has a slot to wait for."""
        local = self._local
        return local.able and (local.hard_full or local.router in kept)


def _waits_at(one: Candidate, kept: frozenset[str], *, overflow: bool) -> list[RemoteWait]:
    """Where a request may wait at the routers of a full site; none for this router."""
    if isinstance(one, RoutersOfSite):
        return [
            RemoteWait(full.site, full.next_path(), overflow, full.router)
            for full in one.full_ones(kept)
        ]
    if one.local:
        return []
    return [RemoteWait(one.site, one.next_path(), overflow)]


def _has_no_share(one: Candidate) -> bool:
    return not one.share
