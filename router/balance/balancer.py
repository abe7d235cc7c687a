"""Selection for one service port: candidates and their estimates in, a decision out."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Literal

import msgspec

from router.balance.deciding.candidates import Candidate, Glimpse, Verdict
from router.balance.deciding.decision_evidence import SeenDecision, glimpse
from router.balance.deciding.decisions import (
    PLAIN,
    Asked,
    Beside,
    CandidateReport,
    Decision,
    Explanation,
    NoChoice,
    OverflowReason,
    RemoteWait,
)
from router.balance.deciding.explain import (
    NEAREST,
    ROOM_FARTHER,
    decision_reason,
    reports,
    why_it_yields,
)
from router.balance.deciding.full_site_text import ASKED_AGAIN, as_told
from router.balance.deciding.local_site import LocalSite
from router.balance.deciding.placement import Placement, place
from router.balance.deciding.policies import check_policy, choose, rule_of
from router.balance.ports import Ledger
from router.balance.site.spills import SpillReason, absence, spill_reason
from router.balance.sites.egresses import NO_ROUTER, OWN_ROUTER, Egresses
from router.balance.sites.remote_site import RemoteSite
from router.balance.sites.replicas import RoutersOfSite
from router.balance.sites.wait_places import WaitPlaces
from router.balance.targets.rotation import next_in_turn, take_turn
from router.model import limits
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import RemoteCandidate
from router.model.paths import Path
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

_NOBODY: frozenset[str] = frozenset()


class ServiceBalancer(Egresses):
    """Chooses a site for each request of one service port.

    ``ledger`` is the local one; the balancer reads it and takes no slot. Figures about sites that
    are no candidates (any more) are dropped: streams may outlive their candidate.
    """

    __slots__ = (
        "_choose",
        "_further",
        "_holds",
        "_ledger",
        "_local_below",
        "_local_decision",
        "_near_first",
        "_order",
        "_policy",
        "_recounts",
        "_rival_cost",
        "_seen",
        "_seen_for",
        "_sole",
        "_sole_absence",
        "_sole_decision",
        "_sole_decisions",
        "_sole_rival_cost",
        "_wait_places",
        "key",
    )

    _seen: SeenDecision
    """For ``_seen_for``."""

    def __init__(
        self,
        key: ServiceKey,
        site: SiteId,
        site_name: str,
        ledger: Ledger,
        policy: PolicySpec,
        router: RouterId = OWN_ROUTER,
    ) -> None:
        self.key = key
        super().__init__(LocalSite(site, site_name, ledger, router))
        self._ledger = ledger
        self._order: list[Candidate] = [self._local]
        self._further = 0  # So many candidates are not kept as evidence of a decision.
        self._local_below: float = 0  # With less in flight the local site is taken at once.
        self._recounts = -1  # The ledger's, when that was worked out.
        self._rival_cost: float = inf  # The least path cost that a request may be sent over.
        # The nearest, if no other is as near, nor has this site other routers.
        self._sole: RemoteSite | RoutersOfSite | None = None
        self._sole_rival_cost: float = inf  # As `_rival_cost`, beyond it.
        self._sole_absence: SpillReason = "no-target"  # Why this site takes none meanwhile.
        self._sole_decision: Decision | None = None  # For it, where there is but one way.
        self._sole_decisions: dict[RouterId, Decision] = {}  # By its router, likewise.
        self._seen_for: tuple[Decision, Asked] | None = None  # See `seen_lately`.
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
        self._holds = policy.name == "failover"
        self._near_first = policy.name == "fill" or self._holds
        if policy.isolation != self._isolation:
            self._isolation = policy.isolation
            self.set_remotes(self._told)
        for one in self._order:
            one.turn = 0
        self._here.verdict = None
        self._set_shares()
        self._set_shortcuts()

    def set_sheddable_share(self, share: float | None) -> None:
        """Of the slots of a site, those that sheddable requests get; None: none is sheddable."""
        self.sheddable_share = share

    def set_site_name(self, name: str) -> None:
        """What this site is known by: another one, too, may claim the name that it was given."""
        self._local.name = self._here.name = name
        self._set_shares()

    @property
    def sites(self) -> list[SiteId]:
        """All candidates, able or not."""
        return [one.site for one in self._order]

    def set_remotes(self, remotes: Sequence[RemoteCandidate]) -> None:
        """Replace the remote candidates; routers that remain keep their estimates, sites their
        turns.
        """
        before = {one.site: one for one in self._order}
        self._take_over(remotes)
        self._order = [self._here, *self._remotes.values()]
        for one in self._order:
            if one.site in before:
                one.turn = before[one.site].turn
        self._set_shares()
        self._set_shortcuts()

    def select(
        self,
        now: float,
        excluded: frozenset[str] = _NOBODY,
        asked: Asked = PLAIN,
        refused: frozenset[str] = _NOBODY,
    ) -> Decision | NoChoice:
        """Where the next request goes, ``excluded`` sites and routers left out. Takes no slot.

        ``refused``: those of the excluded that were only full, for which `failover` waits.
        Where its session is it stays, whatever that costs, while that site takes requests and is
        not hard-full; else the policy decides. The caller takes the local slot, or tells `opened`.
        O(1) while `fill` or `failover` finds local room or a session stays, else O(candidates).
        """
        preferred = asked.preferred
        if preferred is not None:
            return self._select_for(asked, preferred, now, excluded, refused)
        ledger = self._ledger
        kept = self.kept_places(now) if asked.sheddable else _NOBODY
        if self._near_first and not excluded and not kept and not ledger.rated:
            if ledger.recounts != self._recounts:
                self._set_local_below()
            if ledger.load < self._local_below:
                if self._here is self._local or not asked.session:
                    return self._local_decision
            elif self._local_below < 0 and (sole := self._sole) is not None:
                if sole.stale:
                    sole.refresh(now)
                rival_cost = self._sole_rival_cost
                if (
                    sole.able
                    and not sole.hard_full
                    and not sole.spared
                    and not sole.sends_away
                    and (rival_cost == inf or sole.unrivalled_from <= rival_cost)
                ):
                    return self._sole_decision or self._decide_sole(sole, asked.session)
        near_only = self._near_first and not self._holds and self._policy.spill_at is None
        tied = self._judge(now, excluded, refused, kept, near_only=near_only)
        if not tied:
            return self._wait_places.choice(refused, kept)
        chosen = tied[0] if len(tied) == 1 else take_turn(tied)
        return self._decide(chosen, asked.session, takes=True)

    def beside(
        self,
        chosen: Decision,
        now: float,
        excluded: frozenset[str] = _NOBODY,
        asked: Asked = PLAIN,
    ) -> Beside:
        """Who else could take the request of ``chosen``. O(candidates)."""
        found: Beside = "nobody"
        kept = self.kept_places(now) if asked.sheddable else _NOBODY
        one_cost = self._remotes[chosen.site].cost if chosen.site in self._remotes else 0
        for one in self._order:
            if self._holds and one.cost > one_cost:
                break  # Where it stays for being full.
            if one.site == chosen.site:
                continue
            one.refresh(now)
            if one.able and (one.hard_full or (kept and one.is_out(kept))):
                found = "full"
            elif one.able and not one.is_out(excluded):
                return "room"
        return found

    def seen(
        self,
        now: float,
        choice: Decision | NoChoice,
        excluded: frozenset[str] = _NOBODY,
        asked: Asked = PLAIN,
        refused: frozenset[str] = _NOBODY,
    ) -> SeenDecision:
        """The figures by which `select` has just given ``choice``, for the same arguments.

        At most `limits.DECISION_CANDIDATES_MAX`. To be asked before anything else happens.
        """
        shown, further = self._order, self._further
        site: SiteId | None = None
        path: Path = ()
        if type(choice) is Decision:  # `isinstance` is slow for their kind of class.
            site, path = choice.site, choice.path
        if further:
            shown = shown[: limits.DECISION_CANDIDATES_MAX]
            chosen = self._candidate(site) if site is not None else None
            if chosen is not None and chosen not in shown:
                shown[-1] = chosen
        kept = self.kept_places(now) if asked.sheddable else _NOBODY
        glimpses: list[Glimpse] = []
        for one in shown:
            if one.stale:
                one.refresh(now)  # `select` need not have looked at all.
            if excluded and isinstance(one, RoutersOfSite) and one.is_out(excluded):
                excluded |= {one.site}  # As the decision had it, told in sites.
                if one.is_refused(refused):
                    refused |= {one.site}
            if kept and isinstance(one, RoutersOfSite) and one.is_out(excluded | kept):
                kept |= {one.site}
            glimpses.append(glimpse(one, path if one.site == site else one.next_path()))
        preferred = asked.preferred  # Whether it stays is looked at afterwards: that may refresh.
        stays = preferred is not None and self._stays(preferred, now, excluded, kept) is not None
        return SeenDecision(
            self._policy,
            now,
            tuple(glimpses),
            further,
            site,
            stays,
            excluded,
            refused,
            kept,
            self.sheddable_share if asked.sheddable else None,
        )

    def seen_lately(self, now: float, choice: Decision, asked: Asked) -> SeenDecision:
        """As `seen`, of a first attempt. Who is sent the same way within `limits.SEEN_ALIKE_S`
        shares the figures of the first: of thousands a second nobody can look at each."""
        if self._seen_for == (choice, asked) and now - self._seen.at < limits.SEEN_ALIKE_S:
            return self._seen
        self._seen_for = choice, asked
        self._seen = seen = self.seen(now, choice, asked=asked)
        return seen

    def placement(self, now: float, placed: Mapping[SiteId, int], coming: int = 0) -> Placement:
        """What is to move of the connections of this site's clients; see `placement.place`."""
        if self.ejections.active:
            self._spare_failing(now, _NOBODY)
        for one in self._order:
            one.refresh(now)
        return place(self._order, self._choose, placed, now, coming, self._part(now))

    def _part(self, now: float) -> tuple[int, int]:
        """Which router of its site this one is, and of how many that take requests.

        They take turns in being the first, who has what cannot be divided.
        """
        if not isinstance(self._here, RoutersOfSite):
            return 0, 1
        local = self._local
        routers = sorted(one.router for one in self._here.members if one.able or one is local)
        count = len(routers)
        turn = int(now * count / limits.REBALANCE_RETURN_S)
        return (routers.index(local.router) + turn) % count, count

    def explain(
        self,
        now: float,
        excluded: frozenset[str] = _NOBODY,
        asked: Asked = PLAIN,
        refused: frozenset[str] = _NOBODY,
        waiting: int = 0,
    ) -> Explanation:
        """What `select` would answer now, and why. Takes no slot and moves no turn.

        ``waiting`` for a slot here.
        """
        self._local.waiting = waiting
        preferred, session = asked.preferred, asked.session
        kept = self.kept_places(now) if asked.sheddable else _NOBODY
        tied = self._judge(now, excluded, refused, kept)
        stays = self._stays(preferred, now, excluded, kept) if preferred is not None else None
        decision: Decision | NoChoice
        chosen = None
        if stays is not None:
            chosen = stays
            decision = self._stay(stays, session, takes=False)
        elif not tied:
            decision = self._wait_places.choice(refused, kept)
        else:
            chosen = next_in_turn(tied)
            decision = self._decide(chosen, session, takes=False)
            if preferred is not None:
                decision = self._yielded(decision, preferred, excluded, kept)
        return Explanation(
            policy=self._policy.name,
            decision=decision,
            candidates=reports(
                self._order,
                chosen,
                tied,
                self._policy,
                now,
                stays=stays is not None,
                share=self.sheddable_share if asked.sheddable else None,
            ),
        )

    def outlook(self, now: float, asked: Asked = PLAIN, waiting: int = 0) -> Explanation:
        """As `explain`, for people: a site that refused and would only be asked again is full."""
        plain = self.explain(now, asked=asked, waiting=waiting)
        again = [one for one in self._order if one.is_asked_again]
        decision: Decision | NoChoice = plain.decision
        if not again or isinstance(decision, NoChoice):
            return plain
        sites = {one.site for one in again}
        told = as_told(plain.candidates, sites)
        if not any([one.verdict == "chosen" for one in told]):
            for one in again:
                if one.verdict in (None, "higher-level", "above-mark"):
                    one.verdict = "full"
            decision = self._wait_places.choice(_NOBODY, _NOBODY)
        elif decision.site in sites:
            decision = msgspec.structs.replace(decision, reason=ASKED_AGAIN)
        return Explanation(plain.policy, decision, told)

    def _select_for(
        self,
        asked: Asked,
        preferred: SiteId,
        now: float,
        excluded: frozenset[str],
        refused: frozenset[str],
    ) -> Decision | NoChoice:
        """As `select`, of a session that is at ``preferred``."""
        kept = self.kept_places(now) if asked.sheddable else _NOBODY
        stays = self._stays(preferred, now, excluded, kept)
        if stays is not None:
            return self._stay(stays, asked.session, takes=True)
        elsewhere = Asked(None, asked.session, asked.sheddable)
        decision = self.select(now, excluded, elsewhere, refused)
        if isinstance(decision, NoChoice):
            return decision
        return self._yielded(decision, preferred, excluded, kept)

    def _stays(
        self, preferred: SiteId, now: float, excluded: frozenset[str], kept: frozenset[str]
    ) -> Candidate | None:
        """The site of a session, if it takes one more; else the session yields."""
        one = self._candidate(preferred)
        if one is None or preferred in excluded:
            return None
        if self.ejections.active:
            self._spare_failing(now, excluded)
        one.refresh(now)
        if not one.able or (excluded and one.is_out(excluded)) or one.hard_full:
            return None
        return None if kept and one.is_out(excluded | kept) else one

    def _yielded(
        self,
        decision: Decision,
        preferred: SiteId,
        excluded: frozenset[str],
        kept: frozenset[str],
    ) -> Decision:
        one = self._candidate(preferred)
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

    def _candidate(self, site: SiteId) -> Candidate | None:
        return self._here if site == self._local.site else self._remotes.get(site)

    def _decide_sole(self, sole: RemoteSite | RoutersOfSite, session: int) -> Decision:
        reason = NEAREST if self._holds else ROOM_FARTHER
        if isinstance(sole, RemoteSite):
            absent = self._sole_absence
            return Decision(
                sole.site, False, sole.take_path(), reason, False, "", NO_ROUTER, absent
            )
        one = sole.pick(session)
        known = self._sole_decisions.get(one.router)
        if known is not None:
            return known
        path = self._path_to(one, takes=True)
        return Decision(sole.site, False, path, reason, False, "", one.router, self._sole_absence)

    def _set_shares(self) -> None:
        weights = self._policy.weights if self._policy.name == "split" else {}
        for one in self._order:
            one.share = weights.get(one.name, 0)
            one.weigh()
            one.outline = one.glimpse = None
        # Where all have a weight, nothing is left of `split` but the turns.
        has_turns = bool(weights) and all([one.share for one in self._order])
        self._choose = rule_of(
            msgspec.structs.replace(self._policy, name="spread") if has_turns else self._policy
        )

    def _set_shortcuts(self) -> None:
        """What `select` need not work out each time."""
        self._here.verdict = None  # Of a decision before: it is in the words of this one.
        self._local_decision = self._decide_local()  # The commonest: made once.
        order = list(self._remotes.values())
        self._wait_places = WaitPlaces(self._order, self._here, self._local, self._policy)
        self._seen_for = None
        self._further = max(0, len(self._order) - limits.DECISION_CANDIDATES_MAX)
        costs = [one.cost for one in order[:2]] + [inf, inf]
        is_marked = self._policy.spill_at is not None  # Who takes it depends on those behind it.
        is_sole = costs[0] < costs[1] and not is_marked and self._here is self._local
        self._sole = order[0] if is_sole else None
        # `failover` sends nothing farther for being full.
        self._rival_cost, self._sole_rival_cost = (inf, inf) if self._holds else costs[:2]
        self._recounts = -1
        self._set_sole_decisions()

    def _set_sole_decisions(self) -> None:
        """For the nearest site while this one takes nothing."""
        self._sole_decision = None
        self._sole_decisions = {}
        if isinstance(self._sole, RoutersOfSite):
            site, reason = self._sole.site, NEAREST if self._holds else ROOM_FARTHER
            absent = self._sole_absence
            self._sole_decisions = {
                one.router: Decision(
                    site, False, one.next_path(), reason, False, "", one.router, absent
                )
                for one in self._sole.members
                if len(one.paths) == 1
            }
        if isinstance(self._sole, RemoteSite) and len(self._sole.paths) == 1:
            self._sole_decision = self._decide_sole(self._sole, 0)

    def _set_local_below(self) -> None:
        """Below how much in flight here the policy takes this site, wherever else there is room.

        Negative: this site is no candidate. Several routers without a configured capacity yield as
        the one site that they are, by the load of all.
        """
        local = self._local
        self._recounts = self._ledger.recounts
        local.refresh(0.0)
        if not local.able:
            self._local_below = -1
            absent = self._absence()
            if absent and absent != self._sole_absence:
                self._sole_absence = absent
                self._set_sole_decisions()
        elif self._here is local or local.capacity is not None or self._rival_cost == inf:
            self._local_below = local.unrivalled_below(self._rival_cost)
            share = self._policy.spill_at
            if share is not None and self._rival_cost != inf:
                self._local_below = min(self._local_below, local.mark(share))
        else:
            self._local_below = 0

    def _judge(
        self,
        now: float,
        excluded: frozenset[str],
        refused: frozenset[str],
        kept: frozenset[str],
        *,
        near_only: bool = False,
    ) -> list[Candidate]:
        """Judge who is alive, ask the policy; those who tie."""
        waits_for = refused if self._holds else _NOBODY
        if self.ejections.active:
            self._spare_failing(now, excluded)
        return choose(
            self._choose, self._order, now, excluded, waits_for, kept=kept, near_only=near_only
        )

    def _path_to(self, one: Candidate, *, takes: bool) -> tuple[RouterId, ...]:
        """``takes``: it is the request's, and the next one has the next turn."""
        if isinstance(one, RemoteSite):
            return one.take_path() if takes else one.next_path()
        return ()

    def _stay(self, chosen: Candidate, session: int, *, takes: bool) -> Decision:
        """No overflow, however many nearer sites are full: it is where the session is."""
        one, router = self._router_of(chosen, session)
        path = self._path_to(one, takes=takes)
        reason = f"session stays at {chosen.name}"
        away = "" if chosen.local else self._absence() or "session"
        return Decision(chosen.site, one.local, path, reason, False, "", router, away)

    def _absence(self) -> SpillReason | Literal[""]:
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

    def why_away(self, overflow_reason: str) -> SpillReason:
        """Why a request goes to another site, or waits there, by what was judged last.

        ``overflow_reason``: a cheaper site was passed over for it.
        """
        ledger, here = self._ledger, self._here
        return spill_reason(
            self._absence(),
            overflow_reason,
            paced=ledger.rated and here.hard_full and not ledger.is_full,
            excluded=here.verdict == "excluded",
        )

    def _router_of(self, chosen: Candidate, session: int) -> tuple[Candidate, RouterId]:
        """Which of a site's routers takes the request, and its name if it is one of several."""
        if not isinstance(chosen, RoutersOfSite):
            return chosen, NO_ROUTER
        one = chosen.pick(session)
        return one, one.router

    def _decide(self, chosen: Candidate, session: int, *, takes: bool) -> Decision:
        one, router = self._router_of(chosen, session)
        if one.local:
            return self._decide_local()
        return self._decide_remote(chosen, self._path_to(one, takes=takes), router)

    def _decide_local(self) -> Decision:
        local = self._local
        router = NO_ROUTER if self._here is local else local.router
        reason = decision_reason(self._here, self._policy)
        return Decision(local.site, True, (), reason, False, "", router)

    def _decide_remote(
        self, chosen: Candidate, path: tuple[RouterId, ...], router: RouterId
    ) -> Decision:
        is_full = is_above = is_kept = sends_away = passes_level = False
        if not self._holds:  # `failover` leaves no site for being full.
            for one in self._order:
                if one.cost >= chosen.cost:
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
            f"{reason}, at another of its routers" if chosen.local else reason,
            overflow_reason != "",
            overflow_reason,
            router,
            "" if chosen.local else self.why_away(overflow_reason),
        )


def _overflow_reason(
    is_full: bool, is_above: bool, is_kept: bool, passes_level: bool, sends_away: bool
) -> OverflowReason:
    """The first of those for which cheaper sites are passed over."""
    if is_kept:
        return "sheddable-share"
    if is_full:
        return "full"
    if is_above:
        return "above-mark"
    if passes_level:
        return "higher-level"
    return "sends-away" if sends_away else ""
