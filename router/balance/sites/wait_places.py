"""Where a request may wait that no site takes now."""

from collections.abc import Sequence

from router.balance.deciding.candidates import Candidate
from router.balance.deciding.decisions import NoChoice, RemoteWait
from router.balance.deciding.local_site import LocalSite
from router.balance.sites.remote_site import RemoteSite
from router.balance.sites.replicas import RoutersOfSite
from router.model.ids import RouterId, SiteId
from router.model.specs import PolicySpec

_SOLE = RouterId("")  # The only router of its site needs no name.
NO_ROUTE = NoChoice(reason="no-route", waitable=(), local_waitable=False)


class WaitPlaces:
    """Waiting places for these candidates under this policy: replaced after each change of either.

    ``order``: all of them, ``local``: this router.
    """

    __slots__ = (
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
        local: LocalSite,
        policy: PolicySpec,
    ) -> None:
        self._order, self._local = order, local
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
        # Where requests wait, and whether it has slots, if that defines the places.
        self._last_full: list[tuple[Candidate, bool]] = []
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
        full = [(one, one.has_slots) for one in waiting_helps]
        if full == self._last_full:
            return self._last
        cheapest = min([one.cost for one in waiting_helps])
        if self._is_split:
            waiting_helps.sort(key=_has_no_share)
        waits = [
            (router, one.cost > cheapest)
            for one in waiting_helps
            for router in _full_routers(one, kept)
        ]
        # A share of no slots may grow: a request waits there if there is no other place.
        waits = [wait for wait in waits if wait[0].has_slots] or waits
        choice = NoChoice(
            reason="all-full",
            waitable=tuple([self._wait_at(*wait) for wait in waits if not wait[0].local]),
            local_waitable=any([router.local for router, _ in waits]),
        )
        if all([one.site in self._remote_waits or one is self._local for one, _ in full]):
            self._last_full, self._last = full, choice
        return choice

    def _wait_at(self, one: LocalSite | RemoteSite, overflow: bool) -> RemoteWait:
        """A wait at another router."""
        if one.site in self._remote_waits:
            return self._remote_waits[one.site][overflow]
        router = one.router if isinstance(one, RemoteSite) and one.whole is not None else _SOLE
        return RemoteWait(one.site, one.next_path(), overflow, router)


def _full_routers(one: Candidate, kept: frozenset[str]) -> Sequence[LocalSite | RemoteSite]:
    """The routers of a full site where a request may wait."""
    if isinstance(one, RoutersOfSite):
        return one.full_ones(kept)
    assert isinstance(one, LocalSite | RemoteSite), "a site is one router or several"
    return (one,)


def _has_no_share(one: Candidate) -> bool:
    return not one.share
