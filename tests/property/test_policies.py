"""The five policies against restatements of their rules, and the laws that all of them keep."""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import get_args

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from router.balance.deciding.decisions import Asked, Decision, NoChoice
from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Slot
from router.model.capacity import TargetTerms
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import RemoteCandidate
from router.model.specs import PolicyName, PolicySpec
from tests.examples import examples, histories
from tests.unit.balance.builders import ToldBalancer

HERE = SiteId("here")
SITES = [SiteId(name) for name in ("a", "b", "c", "d")]
NAMES: tuple[PolicyName, ...] = get_args(PolicyName)
NOBODY: frozenset[SiteId] = frozenset()
QUICK = settings(max_examples=examples(150))
ANY_CAPACITY = st.none() | st.sampled_from([2, 6, 6])
WEIGHTS = st.dictionaries(
    st.sampled_from([HERE, *SITES, SiteId("gone")]), st.integers(0, 3), min_size=1
).filter(lambda weights: any(weights.values()))


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one site. ``capacity`` is the sum over its targets."""

    site: SiteId
    cost: int
    targets: int = 1
    capacity: int | None = 6
    in_flight: int = 0
    draining: bool = False
    lost: bool = False
    has_refused: bool = False

    @property
    def is_full(self) -> bool:
        over = self.capacity is not None and self.in_flight >= self.capacity
        return self.has_refused or over

    @property
    def is_up(self) -> bool:
        return self.targets > 0 and not self.draining and not self.lost


def advert_of(fact: Fact) -> RemoteCandidate:
    return RemoteCandidate(
        site=fact.site,
        site_name=fact.site,
        router=RouterId(fact.site),
        path_cost=fact.cost,
        paths=() if fact.lost else ((RouterId(fact.site),),),
        targets_ready=fact.targets,
        capacity=fact.capacity,
        draining=fact.draining,
    )


def world(facts: Sequence[Fact], policy: PolicySpec) -> ToldBalancer:
    """Facts, the local site's first, as a router knows them."""
    here, *others = facts
    ledger = LocalLedger()
    slots = None if here.capacity is None else here.capacity // max(1, here.targets)
    targets = [f"t{n}:1" for n in range(here.targets)]
    ledger.set_targets({target: TargetTerms(name="web", capacity=slots) for target in targets})
    for target in targets:
        ledger.set_ready(target, True)
    for _ in range(here.in_flight):
        ledger.try_acquire(0.0)
    balancer = ToldBalancer(ServiceKey("web", 80), HERE, HERE, ledger, policy)
    balancer.set_remotes([advert_of(one) for one in others])
    for one in others:
        balancer.report_load(one.site, one.in_flight, one.targets, one.capacity, 0.0)
        if one.has_refused:
            balancer.refused(one.site, one.in_flight, 0.0)
    return balancer


@st.composite
def facts(draw: st.DrawFn, capacities: st.SearchStrategy[int | None] = ANY_CAPACITY) -> list[Fact]:
    targets = draw(st.integers(0, 2))
    slots = draw(capacities) if targets else None
    found = [
        Fact(
            site=HERE,
            cost=0,
            targets=targets,
            capacity=None if slots is None else slots // 2 * targets,
        )
    ]
    most = 7 if found[0].capacity is None else found[0].capacity
    in_flight = draw(st.integers(0, most)) if targets else 0
    found = [msgspec.structs.replace(found[0], in_flight=in_flight)]
    for site in draw(st.lists(st.sampled_from(SITES), unique=True)):
        found.append(
            Fact(
                site=site,
                cost=draw(st.sampled_from([1, 1, 2, 5])),
                targets=draw(st.sampled_from([0, 1, 1, 2, 3])),
                capacity=draw(capacities),
                in_flight=draw(st.just(0) | st.integers(0, 8)),
                draining=draw(st.sampled_from([False, False, False, True])),
                lost=draw(st.sampled_from([False, False, False, True])),
                has_refused=draw(st.sampled_from([False, False, False, True])),
            )
        )
    return found


def policies(*names: PolicyName) -> st.SearchStrategy[PolicySpec]:
    plain = [name for name in names if name != "split"]
    specs = st.sampled_from([PolicySpec(name) for name in plain]) if plain else st.nothing()
    splits = st.builds(PolicySpec, st.just("split"), WEIGHTS) if "split" in names else st.nothing()
    return specs | splits


EXCLUDED = st.frozensets(st.sampled_from([HERE, *SITES]), max_size=3)


# The rules again, in slow form: which sites tie for the next request.


def fill_rule(up: Sequence[Fact]) -> list[Fact]:
    def rank(one: Fact) -> tuple[Fraction, int]:
        has_free_slot = one.capacity is not None and one.in_flight < one.capacity
        above = Fraction(0) if has_free_slot else Fraction(one.in_flight, one.targets)
        return one.cost + above, one.cost

    roomy = [one for one in up if not one.is_full]
    if not roomy:
        return []
    least = min(rank(one) for one in roomy)
    return level([one for one in roomy if rank(one) == least])


def level(equals: Sequence[Fact]) -> list[Fact]:
    """Most free capacity per target, or least in flight per target where a site has no capacity."""
    if all(one.capacity is not None for one in equals):
        keys = [Fraction(one.in_flight - (one.capacity or 0), one.targets) for one in equals]
    else:
        keys = [Fraction(one.in_flight, one.targets) for one in equals]
    return [one for one, key in zip(equals, keys, strict=True) if key == min(keys)]


def balanced_rule(up: Sequence[Fact]) -> list[Fact]:
    roomy = [one for one in up if not one.is_full]
    loads = [
        one.in_flight // one.targets if one.site == HERE else one.in_flight + one.cost
        for one in roomy
    ]
    best = [one for one, carried in zip(roomy, loads, strict=True) if carried == min(loads)]
    return best[:1] if best and best[0].site == HERE else best


def failover_rule(up: Sequence[Fact], refused: Sequence[Fact]) -> list[Fact]:
    nearest = min((one.cost for one in [*up, *refused]), default=0)
    return level([one for one in up if one.cost == nearest and not one.is_full])


def rule(
    known: Sequence[Fact],
    policy: PolicySpec,
    excluded: frozenset[SiteId],
    refused: frozenset[SiteId],
) -> list[Fact]:
    up = [one for one in known if one.is_up and one.site not in excluded]
    match policy.name:
        case "fill":
            return fill_rule(up)
        case "balanced":
            return balanced_rule(up)
        case "spread":
            return [one for one in up if not one.is_full]
        case "split":
            sharing = [one for one in up if policy.weights.get(one.site, 0)]
            roomy = [one for one in sharing if not one.is_full]
            return roomy or fill_rule([one for one in up if one not in sharing])
        case "failover":
            waits = [one for one in known if one.is_up and one.site in excluded & refused]
            return failover_rule(up, waits)
        case _:
            raise AssertionError(f"{policy.name} has no rule here")


@QUICK
@given(known=facts(), policy=policies(*NAMES), excluded=EXCLUDED, refused=EXCLUDED)
def test_each_policy_chooses_among_those_that_its_rule_names(
    known: list[Fact],
    policy: PolicySpec,
    excluded: frozenset[SiteId],
    refused: frozenset[SiteId],
) -> None:
    balancer = world(known, policy)
    expected = {one.site for one in rule(known, policy, excluded, refused)}
    for _ in range(3):
        answer = balancer.select(0.0, excluded, refused=refused)
        assert (answer.site in expected) if isinstance(answer, Decision) else not expected


@QUICK
@given(
    known=facts(),
    policy=policies(*NAMES),
    excluded=EXCLUDED,
    refused=EXCLUDED,
    preferred=st.none() | st.sampled_from([HERE, *SITES]),
)
def test_explain_agrees_with_select_changes_nothing_and_has_a_reason_for_everybody(
    known: list[Fact],
    policy: PolicySpec,
    excluded: frozenset[SiteId],
    refused: frozenset[SiteId],
    preferred: SiteId | None,
) -> None:
    balancer = world(known, policy)
    for _ in range(3):
        explained = balancer.explain(0.0, excluded, Asked(preferred), refused)
        assert balancer.explain(0.0, excluded, Asked(preferred), refused) == explained
        assert balancer.select(0.0, excluded, Asked(preferred), refused) == explained.decision
        chosen = [one.site for one in explained.candidates if one.verdict == "chosen"]
        decision = explained.decision
        assert chosen == ([decision.site] if isinstance(decision, Decision) else [])
        assert all(one.reason for one in explained.candidates)
        assert len(explained.candidates) == len({fact.site for fact in [*known]})


@QUICK
@given(known=facts(), policy=policies(*NAMES), excluded=EXCLUDED, refused=EXCLUDED)
def test_nobody_is_chosen_or_waited_for_who_is_down_draining_or_out_of_reach(
    known: list[Fact],
    policy: PolicySpec,
    excluded: frozenset[SiteId],
    refused: frozenset[SiteId],
) -> None:
    by_site = {one.site: one for one in known}
    answer = world(known, policy).select(0.0, excluded, refused=refused)
    if isinstance(answer, Decision):
        chosen = by_site[answer.site]
        assert chosen.is_up and not chosen.is_full and chosen.site not in excluded
        return
    waits = [wait.site for wait in answer.waitable] + [HERE] * answer.local_waitable
    assert all(by_site[site].is_up for site in waits)
    assert (answer.reason == "all-full") == bool(waits)
    if policy.name == "failover" and waits:
        up = [one for one in known if one.is_up and one.site not in excluded - refused]
        assert {by_site[site].cost for site in waits} == {min(one.cost for one in up)}


@QUICK
@given(known=facts(), policy=policies(*NAMES))
def test_overflow_is_a_cheaper_site_left_because_it_is_full(
    known: list[Fact], policy: PolicySpec
) -> None:
    answer = world(known, policy).select(0.0)
    if isinstance(answer, NoChoice):
        return
    chosen = next(one for one in known if one.site == answer.site)
    cheaper = [one for one in known if one.is_up and one.cost < chosen.cost]
    if policy.name == "failover":
        assert not answer.overflow
    elif policy.name == "split" and policy.weights.get(chosen.site):
        sharing = [one for one in cheaper if policy.weights.get(one.site)]
        assert answer.overflow == any(one.is_full for one in sharing)
    elif policy.name != "split":
        full = any(one.is_full for one in cheaper)
        assert (answer.overflow_reason == "full") == full


@QUICK
@given(
    known=facts(st.sampled_from([2, 4, 6])),
    policy=policies(*NAMES),
    steps=histories(st.integers(0, 3), 60),
)
def test_no_policy_ever_goes_over_a_stated_capacity(
    known: list[Fact], policy: PolicySpec, steps: list[int]
) -> None:
    known = [msgspec.structs.replace(one, in_flight=0, has_refused=False) for one in known]
    capacity = {one.site: one.capacity or 0 for one in known if one.is_up}
    ledger = LocalLedger()
    here = known[0]
    ledger.set_targets({"t:1": TargetTerms(name="web", capacity=here.capacity)})
    ledger.set_ready("t:1", here.targets > 0)
    balancer = ToldBalancer(ServiceKey("web", 80), HERE, HERE, ledger, policy)
    balancer.set_remotes([advert_of(one) for one in known[1:]])
    held: list[tuple[SiteId, Slot | None]] = []
    for step in steps:
        if step == 0 and held:
            site, slot = held.pop(0)
            if slot is None:
                balancer.ended(site)
            else:
                slot.release(0.0)
            continue
        answer = balancer.select(0.0)
        if isinstance(answer, NoChoice):
            continue
        taken = ledger.try_acquire(0.0) if answer.local else None
        assert taken is None or isinstance(taken, Slot)
        if taken is None:
            balancer.opened(answer.site)
        held.append((answer.site, taken))
        in_flight = Counter(site for site, _ in held)
        assert in_flight[answer.site] <= capacity[answer.site]


@QUICK
@given(
    known=facts(),
    policy=policies("fill", "failover"),
    which=st.integers(0, 3),
    more=st.integers(1, 5),
)
def test_raising_a_site_s_cost_never_makes_it_preferred(
    known: list[Fact], policy: PolicySpec, which: int, more: int
) -> None:
    if len(known) == 1:
        return
    site = known[1 + which % (len(known) - 1)]
    dearer = msgspec.structs.replace(site, cost=site.cost + more)
    after = [dearer if one is site else one for one in known]
    answer = world(after, policy).select(0.0)
    if isinstance(answer, Decision) and answer.site == site.site:
        before = world(known, policy)
        turns = [before.select(0.0) for _ in range(len(known) * 4)]
        assert site.site in {one.site for one in turns if isinstance(one, Decision)}


@QUICK
@given(known=facts(), policy=policies("fill", "failover"))
def test_a_dearer_site_that_joins_moves_nothing(known: list[Fact], policy: PolicySpec) -> None:
    before = [world(known, policy).select(0.0)]
    if isinstance(before[0], NoChoice):
        return
    far = Fact(site=SiteId("z"), cost=99, targets=9, capacity=90)
    assert world([*known, far], policy).select(0.0) == before[0]


def idle(targets: Sequence[int], costs: Sequence[int]) -> list[Fact]:
    """Ample sites; none is here."""
    here = Fact(site=HERE, cost=0, targets=0, capacity=None)
    return [
        here,
        *(
            Fact(site=site, cost=cost, targets=count, capacity=1_000)
            for site, count, cost in zip(SITES, targets, costs, strict=False)
        ),
    ]


def shares(balancer: ToldBalancer, requests: int) -> Counter[SiteId]:
    served: Counter[SiteId] = Counter()
    for _ in range(requests):
        answer = balancer.select(0.0)
        assert isinstance(answer, Decision)
        served[answer.site] += 1
    return served


SIZES = st.lists(st.integers(1, 5), min_size=4, max_size=4)


@QUICK
@given(
    sizes=SIZES, costs=SIZES, rounds=st.integers(1, 3), name=st.sampled_from(["spread", "split"])
)
def test_spread_and_split_give_exact_shares_and_keep_proportions_when_a_site_leaves(
    sizes: list[int], costs: list[int], rounds: int, name: PolicyName
) -> None:
    weights = dict(zip(SITES, sizes, strict=True)) if name == "split" else {}
    targets = [2] * 4 if name == "split" else sizes
    policy = PolicySpec(name, {str(site): weight for site, weight in weights.items()})
    for count in (4, 3):  # With all, and with the last one gone.
        known = idle(targets[:count], costs)
        served = shares(world(known, policy), rounds * sum(sizes[:count]))
        assert [served[site] for site in SITES[:count]] == [rounds * size for size in sizes[:count]]


@QUICK
@given(
    sizes=SIZES,
    later=SIZES,
    history=histories(st.sets(st.sampled_from(SITES), max_size=3), 40),
    name=st.sampled_from(["spread", "split"]),
)
def test_whatever_happened_before_everybody_with_room_is_served_within_bounded_steps(
    sizes: list[int], later: list[int], history: list[set[SiteId]], name: PolicyName
) -> None:
    weights = {str(site): size for site, size in zip(SITES, sizes, strict=True)}
    policy = PolicySpec(name, weights if name == "split" else {})
    huge = [1_000 * size for size in sizes]
    balancer = world(idle(huge, [1, 1, 2, 3]), policy)
    for out in history:
        balancer.select(0.0, frozenset(out))
    balancer.set_remotes([advert_of(one) for one in idle(later, [1, 1, 2, 3])[1:]])
    total = sum(sizes if name == "split" else later)
    assert set(shares(balancer, 10 * total)) == set(SITES)


@QUICK
@given(
    before=policies(*NAMES),
    after=policies(*NAMES),
    sizes=SIZES,
    history=histories(st.sets(st.sampled_from(SITES), max_size=3), 20),
)
def test_a_switch_of_policy_begins_all_turns_anew(
    before: PolicySpec, after: PolicySpec, sizes: list[int], history: list[set[SiteId]]
) -> None:
    known = idle(sizes, [1, 1, 1, 2])
    switched = world(known, before)
    for out in history:
        switched.select(0.0, frozenset(out))
    switched.set_policy(after)
    fresh = world(known, after)
    for _ in range(2 * sum(sizes)):
        assert switched.select(0.0) == fresh.select(0.0)
