"""Selection for one service port: takes candidates and their estimates, returns a decision."""

from collections.abc import Mapping, Sequence
from math import inf

import msgspec

from router.balance.deciding.candidates import Candidate
from router.balance.deciding.decision_evidence import SeenDecision
from router.balance.deciding.decisions import (
    PLAIN,
    Asked,
    Beside,
    Decision,
    Explanation,
    NoChoice,
)
from router.balance.deciding.explain import reports
from router.balance.deciding.full_site_text import REPROBE_TEXT, as_told
from router.balance.deciding.local_site import LocalSite
from router.balance.deciding.placement import Placement, place
from router.balance.deciding.policies import check_policy, choose, rule_of
from router.balance.site.ledger import LocalLedger
from router.balance.sites.decision_writer import DecisionWriter
from router.balance.sites.egresses import OWN_ROUTER, Egresses
from router.balance.sites.evidence import evidence
from router.balance.sites.nearest_site_shortcut import NEAR_FIRST, NearestSiteShortcut
from router.balance.sites.replicas import RoutersOfSite
from router.balance.sites.wait_places import WaitPlaces
from router.balance.targets.rotation import forget_turns, next_in_turn, take_turn
from router.model import limits
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import LoadReport, RemoteCandidate
from router.model.specs import PolicySpec

_NOBODY: frozenset[str] = frozenset()


class ServiceBalancer(Egresses):
    """Chooses a site for each request of one service port.

    ``ledger`` is the local one; the balancer reads it and takes no slot. It ignores figures about
    sites that are not candidates, or no longer: a stream may outlive its candidate.
    """

    __slots__ = (
        "_choose",
        "_holds",
        "_ledger",
        "_order",
        "_policy",
        "_seen",
        "_seen_for",
        "_shortcut",
        "_wait_places",
        "key",
        "writer",
    )

    _seen: SeenDecision
    """The last answer of `seen_lately`, for ``_seen_for``."""
    _shortcut: NearestSiteShortcut | None
    """None: the policy compares all sites each time."""
    writer: DecisionWriter
    """For the current candidates and policy: replaced after each change of either."""

    def __init__(
        self,
        key: ServiceKey,
        site: SiteId,
        site_name: str,
        ledger: LocalLedger,
        policy: PolicySpec,
        router: RouterId = OWN_ROUTER,
    ) -> None:
        self.key = key
        super().__init__(LocalSite(site, site_name, ledger, router))
        self._ledger = ledger
        self._order: list[Candidate] = [self._local]
        self._seen_for: tuple[Decision, Asked] | None = None  # See `seen_lately`.
        self.set_policy(policy)

    @property
    def policy(self) -> PolicySpec:
        """The policy in force."""
        return self._policy

    def set_policy(self, policy: PolicySpec) -> None:
        """Use ``policy`` from the next decision on; `check_policy` must have passed it.

        All turns restart: a turn that the old policy owed to a site means nothing under the new
        one.
        """
        assert check_policy(policy) is None, "policy not checked"
        self._policy = policy
        self._holds = policy.name == "failover"
        if policy.isolation != self._isolation:
            self._isolation = policy.isolation
            self.set_remotes(self._candidates)
        forget_turns(self._order)
        self._set_shares()
        self._set_shortcuts()

    def set_sheddable_share(self, share: float | None) -> None:
        """Set the share of a site's slots that sheddable requests get; None: no request is
        sheddable.
        """
        self.sheddable_share = share

    def set_site_name(self, name: str) -> None:
        """The name of this site. It can change: another site may claim the same name."""
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
        self._note_demand_beside()
        self._set_shares()
        self._set_shortcuts()

    def report(self, report: LoadReport, site: SiteId, now: float) -> None:
        """A load report of an egress. Whether a router has a ready target decides which one of its
        site is the nearest, and so the order of sites, and which site is the nearest for
        `PolicySpec.isolation`.
        """
        remote = self.routers.get(report.router)
        had_targets = remote is not None and remote.targets_ready > 0
        super().report(report, site, now)
        if site == self._local.site:
            self._note_demand_beside()
        if (
            remote is not None
            and (remote.targets_ready > 0) is not had_targets
            and (self._isolation == "nearest" or isinstance(self._remotes.get(site), RoutersOfSite))
        ):
            self.set_remotes(self._candidates)

    def _note_demand_beside(self) -> None:
        """The ledger judges its part of a rate by the demand at all routers of this site."""
        beside = [one for one in self.routers.values() if one.site == self._local.site]
        told = [(one.asked_per_s, one.rate.per_s) for one in beside if one.rate is not None]
        asked = [asked_per_s for asked_per_s, _ in told if asked_per_s is not None]
        is_known = len(asked) == len(beside)
        rate_per_s = sum([per_s for _, per_s in told]) if is_known else 0.0
        self._ledger.set_demand_beside(sum(asked), rate_per_s)

    def select(
        self,
        now: float,
        excluded: frozenset[str] = _NOBODY,
        asked: Asked = PLAIN,
        refused: frozenset[str] = _NOBODY,
    ) -> Decision | NoChoice:
        """Choose where the next request goes, without ``excluded`` sites and routers. Takes no
        slot.

        ``refused``: the excluded ones that were only full; `failover` waits for them. A session
        stays at its site at any cost while that site takes requests and is not hard-full; otherwise
        the policy decides. The caller takes the local slot, or calls `opened`. O(1) while `fill` or
        `failover` finds local room or a session stays, else O(candidates).
        """
        preferred = asked.preferred
        if preferred is not None:
            return self._select_for(asked, preferred, now, excluded, refused)
        ledger = self._ledger
        kept = self.kept_places(now) if asked.sheddable else _NOBODY
        shortcut = self._shortcut
        if shortcut is not None and not excluded and not kept and not ledger.rated:
            if ledger.recounts != shortcut.recounts:
                shortcut.look_here()
            if ledger.load < shortcut.local_below:
                if self._here is self._local or not asked.session:
                    return shortcut.local_decision
            elif shortcut.local_below < 0 and (sole := shortcut.sole) is not None:
                if sole.stale:
                    sole.refresh(now)
                rival_cost = shortcut.sole_rival_cost
                if (
                    sole.able
                    and not sole.hard_full
                    and not sole.spared
                    and not sole.sends_away
                    and (rival_cost == inf or sole.unrivalled_from <= rival_cost)
                ):
                    return shortcut.sole_decision or shortcut.decide_sole(sole, asked.session)
        near_only = shortcut is not None and not self._holds and self._policy.spill_at is None
        tied = self._judge(now, excluded, refused, kept, near_only=near_only)
        if not tied:
            return self._wait_places.choice(refused, kept)
        chosen = tied[0] if len(tied) == 1 else take_turn(tied)
        return self.writer.decide(chosen, asked.session, takes=True)

    def beside(
        self,
        chosen: Decision,
        now: float,
        excluded: frozenset[str],
        asked: Asked = PLAIN,
    ) -> Beside:
        """Whether another site could take the request if ``chosen`` is full on arrival.
        O(candidates).
        """
        found: Beside = "nobody"
        kept = self.kept_places(now) if asked.sheddable else _NOBODY
        remote = self._remotes.get(chosen.site)
        if remote is not None and remote.capacity is None:
            return "room"  # It is never full.
        one_cost = (self._here if remote is None else remote).cost
        for one in self._order:
            if one.site == chosen.site or (self._holds and one.cost > one_cost):
                continue  # Under `failover` it stays at a full site.
            one.refresh(now)
            if one.able and not one.has_room_without(kept):
                found = "full" if one.has_slots else found
            elif one.able and one.has_room_without(excluded | kept):
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

        At most `limits.DECISION_CANDIDATES_MAX`. Call it before anything else happens.
        """
        kept = self.kept_places(now) if asked.sheddable else _NOBODY
        share = self.sheddable_share if asked.sheddable else None
        seen = evidence(self._order, self._policy, now, choice, excluded, refused, kept, share)
        preferred = asked.preferred  # Check last: it may refresh candidates.
        if preferred is None or self._stays(preferred, now, seen.excluded, seen.kept) is None:
            return seen
        return msgspec.structs.replace(seen, stays=True)

    def seen_lately(self, now: float, choice: Decision, asked: Asked) -> SeenDecision:
        """As `seen`, for a first attempt.

        Requests that go the same way within `limits.SEEN_ALIKE_S` share the figures of the first
        one: with thousands a second, each need not have separate figures.
        """
        if self._seen_for == (choice, asked) and now - self._seen.at < limits.SEEN_ALIKE_S:
            return self._seen
        self._seen_for = choice, asked
        self._seen = seen = self.seen(now, choice, asked=asked)
        return seen

    def placement(self, now: float, placed: Mapping[SiteId, int], coming: int = 0) -> Placement:
        """Which connections of this site's clients to move; see `placement.place`."""
        if self.ejections.active:
            self._spare_failing(now, _NOBODY)
        for one in self._order:
            one.refresh(now)
        return place(self._order, self._choose, placed, now, coming, self._part(now))

    def in_flight_beside(self, now: float) -> int | None:
        """Requests in flight at the other routers of this site, as far as this router knows; None:
        there are no other routers.
        """
        if not isinstance(self._here, RoutersOfSite):
            return None
        self._here.refresh(now)
        others = [one for one in self._here.members if one is not self._local]
        return sum([one.in_flight + one.beyond for one in others])

    def _part(self, now: float) -> tuple[int, int]:
        """The index of this router among those of its site that take requests, and their number.

        The routers take turns at index 0, which gets the remainder that cannot be divided.
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
        """The answer that `select` would give now, and why. Takes no slot and moves no turn.

        ``waiting``: requests that wait for a slot here.
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
            decision = self.writer.stay(stays, session, takes=False)
        elif not tied:
            decision = self._wait_places.choice(refused, kept)
        else:
            chosen = next_in_turn(tied)
            decision = self.writer.decide(chosen, session, takes=False)
            if preferred is not None:
                decision = self.writer.yielded(decision, preferred, excluded, kept)
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
        """As `explain`, but human-readable: a site that refused and would only be asked again shows
        as full.
        """
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
            decision = msgspec.structs.replace(decision, reason=REPROBE_TEXT)
        return Explanation(plain.policy, decision, told)

    def _select_for(
        self,
        asked: Asked,
        preferred: SiteId,
        now: float,
        excluded: frozenset[str],
        refused: frozenset[str],
    ) -> Decision | NoChoice:
        """As `select`, for a session that is at ``preferred``."""
        kept = self.kept_places(now) if asked.sheddable else _NOBODY
        stays = self._stays(preferred, now, excluded, kept)
        if stays is not None:
            return self.writer.stay(stays, asked.session, takes=True)
        elsewhere = Asked(None, asked.session, asked.sheddable)
        decision = self.select(now, excluded, elsewhere, refused)
        if isinstance(decision, NoChoice):
            return decision
        return self.writer.yielded(decision, preferred, excluded, kept)

    def _stays(
        self, preferred: SiteId, now: float, excluded: frozenset[str], kept: frozenset[str]
    ) -> Candidate | None:
        """The site of a session, if it takes another request; None: the session yields."""
        one = self._candidate(preferred)
        if one is None or preferred in excluded:
            return None
        if self.ejections.active:
            self._spare_failing(now, excluded)
        one.refresh(now)
        return one if one.able and one.has_room_without(excluded | kept) else None

    def _candidate(self, site: SiteId) -> Candidate | None:
        return self._here if site == self._local.site else self._remotes.get(site)

    def _set_shares(self) -> None:
        weights = self._policy.weights if self._policy.name == "split" else {}
        for one in self._order:
            one.set_share(weights.get(one.name, 0))
        # When all sites have a weight, `split` is nothing but turns.
        has_turns = bool(weights) and all([one.share for one in self._order])
        self._choose = rule_of(
            msgspec.structs.replace(self._policy, name="spread") if has_turns else self._policy
        )

    def _set_shortcuts(self) -> None:
        """Prepare results that `select` need not compute each time."""
        self._here.verdict = None  # Set by an earlier decision; this policy gives its own verdict.
        order, here, local, ledger = self._order, self._here, self._local, self._ledger
        self.writer = writer = DecisionWriter(order, here, local, ledger, self._policy)
        self._wait_places = WaitPlaces(order, local, self._policy)
        self._shortcut = None
        if self._policy.name in NEAR_FIRST:
            remotes = list(self._remotes.values())
            self._shortcut = NearestSiteShortcut(remotes, here, local, ledger, self._policy, writer)
        self._seen_for = None

    def _judge(
        self,
        now: float,
        excluded: frozenset[str],
        refused: frozenset[str],
        kept: frozenset[str],
        *,
        near_only: bool = False,
    ) -> list[Candidate]:
        """Judge the candidates, then ask the policy; returns the candidates that tie."""
        waits_for = refused if self._holds else _NOBODY
        if self.ejections.active:
            self._spare_failing(now, excluded)
        return choose(
            self._choose, self._order, now, excluded, waits_for, kept=kept, near_only=near_only
        )
