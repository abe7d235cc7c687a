"""Selection for one service port: candidates and their estimates in, a decision out."""

from collections.abc import Sequence
from math import inf

from router.balance.candidates import Candidate, LocalSite, RemoteSite, Verdict, judge_alive
from router.balance.decisions import (
    CandidateReport,
    Decision,
    Explanation,
    NoChoice,
    OverflowReason,
    RemoteWait,
)
from router.balance.explain import NEAREST, ROOM_FARTHER, decision_reason, report, why_it_yields
from router.balance.ledger import Ledger
from router.balance.policies import POLICIES, check_policy, choose
from router.balance.replicas import one_of_each_site
from router.balance.rotation import next_in_turn, take_turn
from router.balance.seen import Seen, glimpse
from router.model import limits
from router.model.adverts import RateLoad, RemoteCandidate
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.specs import PolicySpec

__all__ = [
    "CandidateReport",
    "Decision",
    "Explanation",
    "NoChoice",
    "RemoteWait",
    "ServiceBalancer",
    "Verdict",
]

_NOBODY: frozenset[SiteId] = frozenset()


class ServiceBalancer:
    """Chooses a site for each request of one service port.

    ``ledger`` is the local one; the balancer reads it and takes no slot. Figures about sites that
    are no candidates (any more) are dropped: streams may outlive their candidate.
    """

    __slots__ = (
        "_bearable",
        "_choose",
        "_holds",
        "_ledger",
        "_local",
        "_local_decision",
        "_near_first",
        "_order",
        "_policy",
        "_remotes",
        "_sole",
        "_sole_bearable",
        "_waits",
        "key",
    )

    def __init__(
        self, key: ServiceKey, site: SiteId, site_name: str, ledger: Ledger, policy: PolicySpec
    ) -> None:
        self.key = key
        self._ledger = ledger
        self._local = LocalSite(site, site_name, ledger)
        self._remotes: dict[SiteId, RemoteSite] = {}
        self._order: list[Candidate] = [self._local]
        self._bearable: float = inf  # The least cost of a remote candidate.
        self._sole: RemoteSite | None = None  # The nearest, if no other is as near.
        self._sole_bearable: float = 0  # How much farther the next one is.
        self._waits: dict[SiteId, tuple[RemoteWait, RemoteWait]] = {}
        self.set_policy(policy)

    @property
    def policy(self) -> PolicySpec:
        """The one in force."""
        return self._policy

    def set_policy(self, policy: PolicySpec) -> None:
        """Use ``policy`` from the next decision on; `check_policy` must have passed it.

        All turns begin anew: what another rule owed to a site says nothing under this one.
        """
        assert check_policy(policy) is None, "policy not checked"
        self._policy = policy
        self._choose = POLICIES[policy.name]
        self._holds = policy.name == "failover"
        self._near_first = policy.name == "fill" or self._holds
        for one in self._order:
            one.turn = 0
        self._local.verdict = None
        self._set_shares()
        self._set_shortcuts()

    def set_site_name(self, name: str) -> None:
        """What this site is known by: another one, too, may claim the name that it was given."""
        self._local.name = name
        self._set_shares()

    @property
    def sites(self) -> list[SiteId]:
        """All candidates, able or not."""
        return [one.site for one in self._order]

    def set_draining(self, draining: bool) -> None:
        """While draining the local site is no candidate."""
        self._local.draining = draining

    def set_remotes(self, remotes: Sequence[RemoteCandidate]) -> None:
        """Replace the remote candidates; sites that remain keep their estimates and turns.

        Of a site with several routers one is used.
        """
        known = self._remotes
        self._remotes = {}
        for advert in one_of_each_site(remotes, self._local.site):
            site = known.get(advert.site)
            if site is None or site.router != advert.router:
                site = RemoteSite(advert)
            else:
                site.update(advert)
            self._remotes[advert.site] = site
        self._order = [self._local, *self._remotes.values()]
        self._set_shares()
        self._set_shortcuts()

    def reaches(self, site: SiteId, router: RouterId) -> bool:
        """Whether ``router`` is the one of ``site`` that is used, whose load counts."""
        remote = self._remotes.get(site)
        return remote is not None and remote.router == router

    def report_load(
        self,
        site: SiteId,
        in_flight: int,
        targets_ready: int,
        capacity: int | None,
        now: float,
        rate: RateLoad | None = None,
    ) -> None:
        """A load report of the egress: its count over all ingresses, ours included."""
        remote = self._remotes.get(site)
        if remote is not None:
            remote.report(targets_ready, capacity, rate, now)
            remote.hear_report(in_flight, now)

    def report_count(self, site: SiteId, in_flight: int, now: float) -> None:
        """The count that ACCEPTED carries."""
        remote = self._remotes.get(site)
        if remote is not None:
            remote.hear(in_flight, now)

    def opened(self, site: SiteId) -> None:
        """An OPEN of ours is on its way there."""
        remote = self._remotes.get(site)
        if remote is not None:
            remote.open()

    def ended(self, site: SiteId, in_flight: int = -1, now: float = 0.0) -> None:
        """A stream of ours there is over, once per `opened`, refused ones included.

        ``in_flight`` is the count without it that its final frame carried, -1: none.
        """
        remote = self._remotes.get(site)
        if remote is not None:
            remote.end()
            if in_flight >= 0:
                remote.hear(in_flight, now)

    def refused(self, site: SiteId, in_flight: int, now: float) -> None:
        """REFUSED busy: full until something newer is heard, at most `limits.REFUSED_FULL_S`."""
        remote = self._remotes.get(site)
        if remote is not None:
            remote.refuse(in_flight, now)

    @property
    def is_served_elsewhere(self) -> bool:
        """Whether another site within reach has a ready target, as far as is known."""
        return any(
            one.targets_ready > 0 and one.paths and not one.draining
            for one in self._remotes.values()
        )

    def freed_per_s(self, site: SiteId, service_time_s: float) -> float:
        """As `Candidate.freed_per_s`, of ``site`` as of the last decision."""
        one = self._candidate(site)
        return 0.0 if one is None else one.freed_per_s(service_time_s)

    def select(
        self,
        now: float,
        excluded: frozenset[SiteId] = _NOBODY,
        preferred: SiteId | None = None,
        refused: frozenset[SiteId] = _NOBODY,
    ) -> Decision | NoChoice:
        """Where the next request goes, ``excluded`` sites left out. Takes no slot.

        ``refused``: those of the excluded that were only full, for which `failover` waits.
        ``preferred`` is where its session is, None: it has none. There it stays, whatever that
        costs, while that site takes requests and is not hard-full; else the policy decides. The
        caller takes the local slot, or tells `opened`. O(1) while `fill` or `failover` finds local
        room or a session stays, else O(candidates).
        """
        if preferred is not None:
            return self._select_for(preferred, now, excluded, refused)
        ledger = self._ledger
        if self._near_first and not excluded and not ledger.rated:
            # The cheapest candidate has room: nobody else need be looked at. `fill`, in short.
            targets_ready = 0 if self._local.draining else ledger.targets_ready
            if targets_ready:
                capacity = ledger.capacity
                if capacity is None:
                    # No dearer candidate alive is nearer than the nearest of all.
                    has_room = ledger.load <= targets_ready * self._bearable
                else:
                    has_room = ledger.load < capacity
                if has_room:
                    return self._local_decision
            elif self._sole is not None and self._has_plain_room(self._sole, now):
                sole = self._sole
                reason = NEAREST if self._holds else ROOM_FARTHER
                return Decision(sole.site, False, sole.take_path(), reason, False, "")
        near_only = self._near_first and not self._holds
        tied = self._judge(now, excluded, refused, near_only=near_only)
        if not tied:
            return self._no_choice(refused)
        chosen = tied[0] if len(tied) == 1 else take_turn(tied)
        if isinstance(chosen, RemoteSite):
            return self._decide_remote(chosen, chosen.take_path())
        return self._decide_local()

    def seen(
        self,
        now: float,
        choice: Decision | NoChoice,
        excluded: frozenset[SiteId] = _NOBODY,
        preferred: SiteId | None = None,
        refused: frozenset[SiteId] = _NOBODY,
    ) -> Seen:
        """The figures by which `select` has just given ``choice``, for the same arguments.

        At most `limits.DECISION_CANDIDATES_MAX`. To be asked before anything else happens.
        """
        kept, further = self._order, 0
        chosen = self._candidate(choice.site) if isinstance(choice, Decision) else None
        if len(kept) > limits.DECISION_CANDIDATES_MAX:
            kept = kept[: limits.DECISION_CANDIDATES_MAX]
            if chosen is not None and chosen not in kept:
                kept[-1] = chosen
            further = len(self._order) - len(kept)
        for one in kept:
            one.refresh(now)  # `select` need not have looked at all.
        glimpses = [
            glimpse(
                one,
                choice.path if one is chosen and isinstance(choice, Decision) else one.next_path(),
            )
            for one in kept
        ]
        stays = preferred is not None and self._stays(preferred, now, excluded) is not None
        return Seen(
            self._policy,
            now,
            tuple(glimpses),
            further,
            chosen.site if chosen is not None else None,
            stays,
            excluded,
            refused,
        )

    def explain(
        self,
        now: float,
        excluded: frozenset[SiteId] = _NOBODY,
        preferred: SiteId | None = None,
        refused: frozenset[SiteId] = _NOBODY,
    ) -> Explanation:
        """What `select` would answer now, and why. Takes no slot and moves no turn."""
        tied = self._judge(now, excluded, refused)
        stays = self._stays(preferred, now, excluded) if preferred is not None else None
        decision: Decision | NoChoice
        chosen = None
        if stays is not None:
            chosen = stays
            path = stays.next_path() if isinstance(stays, RemoteSite) else ()
            decision = _stay(stays, path)
        elif not tied:
            decision = self._no_choice(refused)
        else:
            chosen = next_in_turn(tied)
            if isinstance(chosen, RemoteSite):
                decision = self._decide_remote(chosen, chosen.next_path())
            else:
                decision = self._decide_local()
            if preferred is not None:
                decision = self._yielded(decision, preferred, excluded)
        policy = self._policy
        return Explanation(
            policy=policy.name,
            decision=decision,
            candidates=tuple(
                report(one, chosen, tied, policy, now, stays=stays is not None)
                for one in self._order
            ),
        )

    def _select_for(
        self,
        preferred: SiteId,
        now: float,
        excluded: frozenset[SiteId],
        refused: frozenset[SiteId],
    ) -> Decision | NoChoice:
        """As `select`, of a session that is at ``preferred``."""
        stays = self._stays(preferred, now, excluded)
        if stays is not None:
            return _stay(stays, stays.take_path() if isinstance(stays, RemoteSite) else ())
        decision = self.select(now, excluded, None, refused)
        if isinstance(decision, NoChoice):
            return decision
        return self._yielded(decision, preferred, excluded)

    def _stays(
        self, preferred: SiteId, now: float, excluded: frozenset[SiteId]
    ) -> Candidate | None:
        """The site of a session, if it takes one more; else the session yields."""
        one = self._candidate(preferred)
        if one is None or preferred in excluded:
            return None
        one.refresh(now)
        takes = not one.draining and one.targets_ready and one.paths and not one.hard_full
        return one if takes else None

    def _yielded(
        self, decision: Decision, preferred: SiteId, excluded: frozenset[SiteId]
    ) -> Decision:
        one = self._candidate(preferred)
        reason = why_it_yields(one, tried=preferred in excluded)
        return Decision(
            decision.site,
            decision.local,
            decision.path,
            reason,
            decision.overflow,
            decision.overflow_reason,
        )

    def _candidate(self, site: SiteId) -> Candidate | None:
        return self._local if site == self._local.site else self._remotes.get(site)

    def _has_plain_room(self, one: RemoteSite, now: float) -> bool:
        """The policy would take the nearest remote site, were it the cheapest alive."""
        one.refresh(now)
        if one.draining or not one.targets_ready or not one.paths or one.hard_full:
            return False
        if one.sends_away:
            return False
        return one.is_stated or one.in_flight <= one.targets_ready * self._sole_bearable

    def _set_shares(self) -> None:
        weights = self._policy.weights if self._policy.name == "split" else {}
        for one in self._order:
            one.share = weights.get(one.name, 0)

    def _set_shortcuts(self) -> None:
        """What `select` need not work out each time."""
        self._local_decision = self._decide_local()  # The commonest: made once.
        order = list(self._remotes.values())
        self._waits = {
            one.site: (
                RemoteWait(one.site, one.paths[0], False),
                RemoteWait(one.site, one.paths[0], True),
            )
            for one in order
            if len(one.paths) == 1
        }
        costs = [one.cost for one in order[:2]] + [inf, inf]
        ties = costs[0] <= 0  # At no cost the next site is as good as this one.
        self._sole = order[0] if costs[0] < costs[1] else None
        if self._holds:  # One without a stated capacity bears everything.
            self._bearable, self._sole_bearable = -1 if ties else inf, inf
        else:
            self._bearable = -1 if ties else costs[0]
            self._sole_bearable = costs[1] - costs[0] if order else 0

    def _judge(
        self,
        now: float,
        excluded: frozenset[SiteId],
        refused: frozenset[SiteId],
        *,
        near_only: bool = False,
    ) -> list[Candidate]:
        """Judge who is alive, ask the policy; those who tie."""
        waits_for = refused if self._holds else _NOBODY
        alive = judge_alive(self._order, now, excluded, waits_for, near_only=near_only)
        if any([one.sends_away for one in alive]):
            return choose(self._choose, alive)
        return self._choose(alive)

    def _decide_local(self) -> Decision:
        local = self._local
        return Decision(local.site, True, (), decision_reason(local, self._policy), False, "")

    def _decide_remote(self, chosen: RemoteSite, path: tuple[RouterId, ...]) -> Decision:
        overflow_reason: OverflowReason = ""
        for one in self._order:
            if self._holds or one.cost >= chosen.cost:
                break  # `failover` leaves no site for being full.
            if one.verdict == "full" or (one.verdict == "excluded" and one.hard_full):
                overflow_reason = "full"
                break
            if one.verdict == "sends-away":
                overflow_reason = "sends-away"
            elif one.verdict == "soft-full":
                overflow_reason = "soft-full"
        return Decision(
            chosen.site,
            False,
            path,
            decision_reason(chosen, self._policy),
            overflow_reason != "",
            overflow_reason,
        )

    def _no_choice(self, refused: frozenset[SiteId]) -> NoChoice:
        waiting_helps = [
            one
            for one in self._order
            if one.verdict == "full"
            or (
                one.verdict == "excluded"
                and (one.site in refused if self._holds else one.hard_full)
            )
        ]
        if not waiting_helps:
            return NoChoice(reason="no-route", waitable=(), local_waitable=False)
        cheapest, waits = waiting_helps[0].cost, self._waits
        if self._policy.name == "split":
            waiting_helps.sort(key=_has_no_share)
        return NoChoice(
            reason="all-full",
            waitable=tuple(
                [
                    waits[one.site][one.cost > cheapest]
                    if one.site in waits
                    else RemoteWait(one.site, one.next_path(), one.cost > cheapest)
                    for one in waiting_helps
                    if isinstance(one, RemoteSite)
                ]
            ),
            local_waitable=self._local in waiting_helps,
        )


def _has_no_share(one: Candidate) -> bool:
    return not one.share


def _stay(one: Candidate, path: tuple[RouterId, ...]) -> Decision:
    """No overflow, however many nearer sites are full: it is where the session is."""
    return Decision(one.site, one.local, path, f"session stays at {one.name}", False, "")
