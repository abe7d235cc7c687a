"""Writes decisions: path, router, and human-readable reasons."""

from collections.abc import Sequence
from typing import Literal

from router.balance.deciding.candidates import Candidate
from router.balance.deciding.decisions import Decision, OverflowReason
from router.balance.deciding.explain import decision_reason, why_it_yields
from router.balance.deciding.local_site import LocalSite
from router.balance.site.ledger import LocalLedger
from router.balance.site.spills import SpillReason, absence, spill_reason
from router.balance.sites.egresses import NO_ROUTER
from router.balance.sites.remote_site import RemoteSite
from router.balance.sites.replicas import RoutersOfSite
from router.model import limits
from router.model.ids import RouterId, SiteId
from router.model.paths import Path
from router.model.specs import PolicySpec


class DecisionWriter:
    """Writes decisions about these candidates under this policy: replaced after each change of
    either.

    It neither judges nor chooses: reasons follow from the verdicts of the candidates. ``order``:
    all of them, ``here`` this site as a whole, ``local`` this router.
    """

    __slots__ = ("_here", "_holds", "_ledger", "_local", "_order", "_policy")

    def __init__(
        self,
        order: Sequence[Candidate],
        here: Candidate,
        local: LocalSite,
        ledger: LocalLedger,
        policy: PolicySpec,
    ) -> None:
        self._order, self._here, self._local = order, here, local
        self._ledger = ledger
        self._policy = policy
        self._holds = policy.name == "failover"

    def decide(self, chosen: Candidate, session: int, *, takes: bool) -> Decision:
        """A decision for ``chosen``, by the policy. ``takes``: as in `path_to`."""
        one, router = _router_of(chosen, session)
        if one.local:
            return self.decide_local()
        return self._decide_remote(chosen, path_to(one, takes=takes), router)

    def decide_local(self) -> Decision:
        """A decision for this router, by the policy."""
        local = self._local
        router = NO_ROUTER if self._here is local else local.router
        reason = decision_reason(self._here, self._policy)
        return Decision(local.site, True, (), reason, False, "", router)

    def stay(self, chosen: Candidate, session: int, *, takes: bool) -> Decision:
        """A decision for the session's site. No overflow, however many nearer sites are full."""
        one, router = _router_of(chosen, session)
        path = path_to(one, takes=takes)
        reason = f"session stays at {chosen.name}"
        away = "" if chosen.local else self.absence() or "session"
        return Decision(chosen.site, one.local, path, reason, False, "", router, away)

    def yielded(
        self,
        decision: Decision,
        preferred: SiteId,
        excluded: frozenset[str],
        kept: frozenset[str],
    ) -> Decision:
        """``decision``, for a session that does not stay at ``preferred``."""
        one = next((one for one in self._order if one.site == preferred), None)
        reason = why_it_yields(one, tried=preferred in excluded, keeps_rest=bool(kept))
        return Decision(
            decision.site,
            decision.local,
            decision.path,
            reason,
            decision.overflow,
            decision.overflow_reason,
            decision.router,
            decision.spill_reason,
        )

    def absence(self) -> SpillReason | Literal[""]:
        """Why this site takes no request now; empty: it takes some.

        A router of this site that is reached only through other sites does not count.
        """
        here, ledger = self._here, self._ledger
        if here is not self._local and here.able and here.cost <= limits.SIBLING_COST:
            return ""
        return absence(
            ready=ledger.targets_ready,
            ejected=ledger.targets_ejected,
            is_drained=ledger.is_drained,
        )

    def why_away(self) -> SpillReason:
        """Why a request goes to another site, or waits there, by the last verdicts."""
        ledger, here = self._ledger, self._here
        return spill_reason(
            self.absence(),
            here.verdict,
            hard_full=here.hard_full,
            paced=ledger.rated and here.hard_full and not ledger.is_full,
        )

    def _decide_remote(self, chosen: Candidate, path: Path, router: RouterId) -> Decision:
        is_full = is_above = is_kept = sends_away = passes_level = False
        if not self._holds:  # `failover` leaves no site for being full.
            for one in self._order:
                if one.cost >= chosen.cost:
                    if one is self._here:
                        continue  # It is the first, whatever it costs.
                    break
                verdict = one.verdict
                if verdict is None:
                    continue
                if verdict == "full" or (verdict == "excluded" and one.hard_full):
                    is_full = True
                elif verdict == "above-mark":
                    is_above = True
                elif verdict == "sheddable-share":
                    is_kept = True
                elif verdict == "higher-level":
                    passes_level = True
                elif verdict == "sends-away":
                    sends_away = True
        overflow_reason = _overflow_reason(is_full, is_above, is_kept, passes_level, sends_away)
        reason = decision_reason(
            chosen, self._policy, passes_level=passes_level, passes_mark=is_above
        )
        return Decision(
            chosen.site,
            False,
            path,
            f"{reason}, at another of its routers or workers" if chosen.local else reason,
            overflow_reason != "",
            overflow_reason,
            router,
            "" if chosen.local else self.why_away(),
        )


def path_to(one: Candidate, *, takes: bool) -> Path:
    """The path to ``one``. ``takes``: the request uses it, and the turn moves on."""
    if isinstance(one, RemoteSite):
        return one.take_path() if takes else one.next_path()
    return ()


def _router_of(chosen: Candidate, session: int) -> tuple[Candidate, RouterId]:
    """The router of a site that takes the request, and its name if it is one of several."""
    if not isinstance(chosen, RoutersOfSite):
        return chosen, NO_ROUTER
    one = chosen.pick(session)
    return one, one.router


def _overflow_reason(
    is_full: bool, is_above: bool, is_kept: bool, passes_level: bool, sends_away: bool
) -> OverflowReason:
    """The first of the reasons for which cheaper sites are passed over."""
    if is_kept:
        return "sheddable-share"
    if is_full:
        return "full"
    if is_above:
        return "above-mark"
    if passes_level:
        return "higher-level"
    return "sends-away" if sends_away else ""
