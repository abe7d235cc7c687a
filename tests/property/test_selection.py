"""Selection against a slow restatement of its rules."""

from fractions import Fraction
from typing import Any, get_args

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from router.balance.deciding.candidates import SENDS_AWAY
from router.balance.deciding.decision_evidence import DecisionReplay
from router.balance.deciding.decisions import Asked, CandidateReport, Decision, NoChoice
from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Slot
from router.model.capacity import Rate, SiteCap, TargetTerms
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import RateLoad, RemoteCandidate
from router.model.specs import PolicyName, PolicySpec
from tests.examples import examples, histories
from tests.unit.balance.builders import ToldBalancer

HERE = SiteId("00")
SITES = [SiteId(name) for name in ("a", "b", "c", "d", "e")]
RATE = Rate(per_s=2.0, resume_per_s=1.0, window_s=1.0, stay_s=1.0)
CAP, ALL_AWAY = SiteCap(rate=RATE), SiteCap(rate=RATE, spill="all")
NAMES: tuple[PolicyName, ...] = get_args(PolicyName)
RATES = st.none() | st.builds(
    RateLoad, st.sampled_from([0.5, 30.0]), st.integers(0, 3), st.integers(0, SENDS_AWAY)
)
MARKS = (None, 0.01, 0.5, 0.8, 0.99)
LOADS = st.just(0) | st.integers(0, 8)  # Idle often: then sites tie.
ADVERTS = [
    RemoteCandidate(
        site=site,
        site_name=site,
        router=RouterId(site),
        path_cost=number,
        paths=((RouterId(site),),),
        targets_ready=1,
        capacity=6,
        draining=False,
    )
    for number, site in enumerate(SITES, 1)
]
QUICK = settings(max_examples=examples(300))


@st.composite
def remotes(draw: st.DrawFn) -> list[RemoteCandidate]:
    return [
        RemoteCandidate(
            site=site,
            site_name=site,
            router=RouterId(site),
            path_cost=draw(st.sampled_from([1, 1, 2, 4])),
            paths=((RouterId(site),), (RouterId("x"), RouterId(site))),
            targets_ready=draw(st.integers(0, 3)),
            capacity=draw(st.none() | st.sampled_from([0, 2, 6, 6])),
            draining=draw(st.sampled_from([False, False, False, True])),
        )
        for site in draw(st.lists(st.sampled_from(SITES), unique=True))
    ]


@st.composite
def balancers(
    draw: st.DrawFn, policy: PolicyName = "fill", *, rated: bool = False, marked: bool = False
) -> ToldBalancer:
    """Any local capacity and load, any remote candidates, loads and refusals.

    ``rated``: some sites have rates, too, and send all away. ``marked``: there may be a mark.
    """
    splits = policy == "split"
    ledger = LocalLedger()
    if rated:
        ledger.set_site_cap(draw(st.sampled_from([None, None, CAP, ALL_AWAY])))
    capacity = draw(st.none() | st.integers(0, 3))
    targets = [f"t{n}:1" for n in range(draw(st.integers(0, 2)))]
    ledger.set_targets({target: TargetTerms(name="web", capacity=capacity) for target in targets})
    for target in targets:
        ledger.set_ready(target, True)
    for _ in range(draw(st.integers(0, 7))):
        ledger.try_acquire(0.0)
    names = st.sampled_from(["here", *SITES])
    weights = draw(st.dictionaries(names, st.integers(1, 3), min_size=1)) if splits else {}
    spec = PolicySpec(policy, weights=weights)
    if marked and policy != "failover":
        spec = replace(spec, spill_at=draw(st.sampled_from(MARKS)))
    balancer = ToldBalancer(ServiceKey("web", 80), HERE, "here", ledger, spec)
    adverts = draw(remotes())
    balancer.set_remotes(adverts)
    for advert in adverts:
        rate = draw(RATES) if rated else None
        balancer.report_load(
            advert.site, draw(LOADS), advert.targets_ready, advert.capacity, 0.0, rate
        )
        if draw(st.integers(0, 4)) == 0:
            balancer.refused(advert.site, draw(st.integers(0, 8)), 0.0)
    return balancer


EXCLUDED = st.frozensets(st.sampled_from([HERE, *SITES]), max_size=3)


def alive(reports: tuple[CandidateReport, ...]) -> list[CandidateReport]:
    gone = ("draining", "no-target", "excluded", "unreachable")
    return [one for one in reports if one.verdict not in gone]


@QUICK
@given(
    balancer=balancers(marked=True) | balancers(policy="balanced", marked=True),
    excluded=EXCLUDED,
    again=st.integers(1, 4),
)
def test_explain_agrees_with_select_and_changes_nothing(
    balancer: ToldBalancer, excluded: frozenset[SiteId], again: int
) -> None:
    for _ in range(again):
        explained = balancer.explain(0.05, excluded)
        assert balancer.explain(0.05, excluded) == explained
        assert balancer.select(0.05, excluded) == explained.decision


@QUICK
@given(
    balancer=st.sampled_from(NAMES).flatmap(
        lambda name: balancers(policy=name, rated=True, marked=True)
    ),
    excluded=EXCLUDED,
    refused=EXCLUDED,
    preferred=st.none() | st.sampled_from([HERE, *SITES]),
)
def test_a_kept_decision_is_explained_later_as_it_was_then(
    balancer: ToldBalancer,
    excluded: frozenset[SiteId],
    refused: frozenset[SiteId],
    preferred: SiteId | None,
) -> None:
    refused &= excluded
    then = balancer.explain(0.05, excluded, Asked(preferred), refused)
    balancer.explain(0.05, frozenset([HERE, *SITES]))  # Leaves other verdicts behind.
    choice = balancer.select(0.05, excluded, Asked(preferred), refused)
    assert choice == then.decision
    kept = balancer.seen(0.05, choice, excluded, Asked(preferred), refused)
    for site in SITES:  # What happens afterwards changes nothing of it.
        balancer.report_load(site, 9, 1, 2, 0.06)
    balancer.set_policy(PolicySpec("fill" if kept.policy.name == "spread" else "spread"))
    balancer.select(0.07)
    replay = DecisionReplay(kept)
    if not kept.stays:
        assert (kept.chosen in replay.tied) == isinstance(choice, Decision)
    chosen_path = [one.path for one in then.candidates if one.verdict == "chosen"]
    assert [one.path for one in replay.reports() if one.verdict == "chosen"] == chosen_path
    # The turn of paths may have moved on where a session or a tie had looked.
    now = [replace(one, path=()) for one in replay.reports()]
    # How many wait is not kept.
    assert now == [replace(one, path=(), waiting=None) for one in then.candidates]


@QUICK
@given(balancer=balancers() | balancers(policy="balanced"), excluded=EXCLUDED)
def test_the_chosen_is_alive_has_room_and_is_not_excluded(
    balancer: ToldBalancer, excluded: frozenset[SiteId]
) -> None:
    explained = balancer.explain(0.05, excluded)
    chosen = [one for one in explained.candidates if one.verdict == "chosen"]
    decision = explained.decision
    if isinstance(decision, NoChoice):
        assert chosen == []
        assert all(one.verdict == "full" for one in alive(explained.candidates))
        return
    assert [one.site for one in chosen] == [decision.site]
    assert decision.site not in excluded
    assert chosen[0].targets_ready > 0
    assert chosen[0].free is None or chosen[0].free > 0


@QUICK
@given(balancer=balancers(), excluded=EXCLUDED)
def test_fill_takes_the_lowest_level_by_its_rule(
    balancer: ToldBalancer, excluded: frozenset[SiteId]
) -> None:
    explained = balancer.explain(0.05, excluded)
    roomy = [one for one in alive(explained.candidates) if one.verdict != "full"]

    def level_of(one: CandidateReport) -> Fraction:
        above = Fraction(one.in_flight, one.targets_ready) if not one.free else 0
        return one.path_cost + Fraction(above)

    decision = explained.decision
    if not roomy:
        assert isinstance(decision, NoChoice)
        return
    assert isinstance(decision, Decision)
    least = min((level_of(one), one.path_cost) for one in roomy)
    best = [one for one in roomy if (level_of(one), one.path_cost) == least]
    assert decision.site in {one.site for one in best}
    chosen = next(one for one in best if one.site == decision.site)
    if all(one.free is not None for one in best):
        most = max(Fraction(one.free or 0, one.targets_ready) for one in best)
        assert Fraction(chosen.free or 0, chosen.targets_ready) == most
    else:
        fewest = min(Fraction(one.in_flight, one.targets_ready) for one in best)
        assert Fraction(chosen.in_flight, chosen.targets_ready) == fewest


@QUICK
@given(
    balancer=st.sampled_from(NAMES).flatmap(lambda name: balancers(policy=name, marked=True)),
    excluded=EXCLUDED,
)
def test_no_site_is_used_above_its_mark_while_another_is_below_its_own(
    balancer: ToldBalancer, excluded: frozenset[SiteId]
) -> None:
    policy = balancer.policy
    percent = round((policy.spill_at or 0) * 100)
    explained = balancer.explain(0.05, excluded)
    roomy = [one for one in alive(explained.candidates) if one.verdict != "full"]
    if policy.spill_at is None:
        return
    assert isinstance(explained.decision, Decision) == bool(roomy)
    if not isinstance(explained.decision, Decision):
        return

    def is_below(one: CandidateReport) -> bool:
        slots = one.capacity
        return slots is None or one.in_flight < max(1, slots * percent // 100)

    chosen = next(one for one in roomy if one.site == explained.decision.site)
    takers = [one for one in roomy if is_below(one)]
    assert is_below(chosen) or not takers
    for one in roomy:
        if one.verdict == "above-mark":
            assert not is_below(one)
    if explained.decision.overflow_reason == "above-mark":
        assert any(not is_below(one) and one.path_cost < chosen.path_cost for one in roomy)
    # Among those below, the policy decides as if there were no others.
    if is_below(chosen):
        above = frozenset(one.site for one in roomy if not is_below(one))
        unmarked = replace(policy, spill_at=None)
        balancer.set_policy(unmarked)
        alone = balancer.explain(0.05, excluded | above)
        balancer.set_policy(policy)
        marked = balancer.explain(0.05, excluded)
        assert isinstance(alone.decision, Decision) and isinstance(marked.decision, Decision)
        assert alone.decision.site == marked.decision.site


@QUICK
@given(balancer=balancers(), excluded=EXCLUDED)
def test_the_level_shown_is_the_one_compared_and_the_verdict_follows_from_it(
    balancer: ToldBalancer, excluded: frozenset[SiteId]
) -> None:
    candidates = alive(balancer.explain(0.05, excluded).candidates)
    chosen = next((one for one in candidates if one.verdict == "chosen"), None)
    for one in candidates:
        assert (one.level is None) == (one.verdict == "full")
        if chosen is None or one.level is None or chosen.level is None:
            continue
        assert (one.level, one.path_cost) >= (chosen.level, chosen.path_cost)
        if one.verdict == "higher-level":
            assert one.level > chosen.level
            assert one.path_cost <= chosen.level
        elif one.verdict == "dearer":
            assert one.path_cost > chosen.path_cost


@QUICK
@given(balancer=balancers(), excluded=EXCLUDED)
def test_overflow_is_said_exactly_when_a_cheaper_one_was_full(
    balancer: ToldBalancer, excluded: frozenset[SiteId]
) -> None:
    explained = balancer.explain(0.05, excluded)
    decision = explained.decision
    if isinstance(decision, NoChoice):
        return
    chosen = next(one for one in explained.candidates if one.site == decision.site)
    passed_over = {
        one.verdict
        for one in explained.candidates
        if one.path_cost < chosen.path_cost and one.verdict in ("full", "higher-level")
    }
    assert not passed_over or decision.overflow
    if not excluded:
        assert decision.overflow == bool(passed_over)


@QUICK
@given(
    slots=st.integers(1, 4),
    steps=histories(st.booleans(), 60),
    adverts=remotes(),
)
def test_requests_spill_only_while_local_is_full(
    slots: int, steps: list[bool], adverts: list[RemoteCandidate]
) -> None:
    ledger = LocalLedger()
    ledger.set_targets({"t:1": TargetTerms(name="web", capacity=slots)})
    ledger.set_ready("t:1", True)
    balancer = ToldBalancer(ServiceKey("web", 80), HERE, "here", ledger, PolicySpec())
    balancer.set_remotes(adverts)
    held: list[Slot] = []
    for arrives in steps:
        if not arrives:
            if held:
                held.pop().release(0.0)
            continue
        decision = balancer.select(0.0)
        assert (isinstance(decision, Decision) and decision.local) == (len(held) < slots)
        if isinstance(decision, Decision) and decision.local:
            slot = ledger.try_acquire(0.0)
            assert isinstance(slot, Slot)
            held.append(slot)
        elif isinstance(decision, Decision):
            balancer.opened(decision.site)


@QUICK
@given(weights=st.lists(st.integers(1, 5), min_size=1, max_size=4), rounds=st.integers(1, 5))
def test_idle_equal_sites_get_exactly_their_targets_shares(weights: list[int], rounds: int) -> None:
    balancer = ToldBalancer(ServiceKey("web", 80), HERE, "here", LocalLedger(), PolicySpec())
    balancer.set_remotes(
        [
            RemoteCandidate(
                site=site,
                site_name=site,
                router=RouterId(site),
                path_cost=1,
                paths=((RouterId(site),),),
                targets_ready=weight,
                capacity=10 * weight,
                draining=False,
            )
            for site, weight in zip(SITES, weights, strict=False)
        ]
    )
    served = dict.fromkeys(SITES[: len(weights)], 0)
    for _ in range(rounds * sum(weights)):
        decision = balancer.select(0.0)
        assert isinstance(decision, Decision)
        served[decision.site] += 1
    assert list(served.values()) == [rounds * weight for weight in weights]


EVENTS = st.one_of(
    st.tuples(st.just("report_load"), st.sampled_from(SITES), LOADS, st.integers(0, 3)),
    st.tuples(st.just("report_rate"), st.sampled_from(SITES), st.integers(0, 3), st.integers(0, 2)),
    st.tuples(st.just("report_count"), st.sampled_from(SITES), LOADS, st.just(0)),
    st.tuples(st.just("opened"), st.sampled_from(SITES), st.just(0), st.just(0)),
    st.tuples(st.just("ended"), st.sampled_from(SITES), st.integers(-1, 8), st.just(0)),
    st.tuples(st.just("refused"), st.sampled_from(SITES), LOADS, st.just(0)),
    st.tuples(st.just("set_remotes"), remotes(), st.just(0), st.just(0)),
    st.tuples(st.just("acquire"), st.just(0), st.just(0), st.just(0)),
)


def happen(balancer: ToldBalancer, ledger: LocalLedger, event: tuple[Any, ...], now: float) -> None:
    match event:
        case "report_load", site, load, targets:
            balancer.report_load(site, load, targets, 2 * targets, now)
        case "report_rate", site, permits, state:
            balancer.report_load(site, 1, 1, None, now, RateLoad(2.0, permits, state))
        case "ended", site, in_flight, _:
            balancer.ended(site, in_flight, now)
        case "opened", site, _, _:
            balancer.opened(site)
        case ("report_count" | "refused") as name, site, load, _:
            getattr(balancer, name)(site, load, now)
        case "acquire", *_:
            ledger.try_acquire(now)
        case str(name), value, *_:
            getattr(balancer, name)(value)


_WITHOUT_CAPACITY = [
    msgspec.structs.replace(one, targets_ready=0, capacity=None) for one in ADVERTS
]


@QUICK
@example(  # Free slots once were None or 0, depending on an `explain` before the refusal.
    policy="fill",
    events=[
        ("report_rate", "a", 0, 0),
        ("set_remotes", _WITHOUT_CAPACITY, 0, 0),
        ("refused", "a", 0, 0),
    ],
    looks=set(),
    excluded=frozenset(),
)
@given(
    policy=st.sampled_from(["fill", "balanced", "spread", "split", "failover"]),
    events=st.lists(EVENTS, min_size=1, max_size=12),
    looks=st.sets(st.integers(0, 11)),
    excluded=EXCLUDED,
)
def test_what_is_known_of_a_site_does_not_depend_on_when_it_was_looked_at(
    policy: PolicyName, events: list[tuple[Any, ...]], looks: set[int], excluded: frozenset[SiteId]
) -> None:
    """One is asked after every event of an instant, the other after a few: every event that
    changes a cached figure must update it."""
    found = []
    for asked_at in (set(range(len(events))), looks):
        ledger = LocalLedger()
        ledger.set_targets({"t:1": TargetTerms(name="web", capacity=3)})
        ledger.set_ready("t:1", True)
        weights = {"here": 1, "a": 2, "b": 1} if policy == "split" else {}
        spec = PolicySpec(policy, weights)
        balancer = ToldBalancer(ServiceKey("web", 80), HERE, "here", ledger, spec)
        balancer.set_remotes(ADVERTS)
        for number, event in enumerate(events):
            happen(balancer, ledger, event, 0.0)
            if number in asked_at:
                balancer.explain(0.0)
        found.append(balancer.explain(0.0, excluded))
    assert found[0] == found[1]
