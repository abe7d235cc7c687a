"""A ledger with rates and a site's cap, and what a balancer makes of them."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.balance.deciding.decisions import Decision, NoChoice
from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Denied, Slot
from router.balance.site_gate import Demands, of_routers
from router.model.capacity import Rate, SiteCap, Spill, TargetTerms
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import RateLoad, RemoteCandidate
from router.model.specs import PolicySpec
from tests.unit.balance.builders import ToldBalancer

WEST, EAST, NORTH = SiteId("west"), SiteId("east"), SiteId("north")


def rate(
    per_s: float = 2.0, resume: float = 1.0, window_s: float = 5.0, stay_s: float = 5.0
) -> Rate:
    return Rate(per_s=per_s, resume_per_s=resume, window_s=window_s, stay_s=stay_s)


def ledger_of(*terms: TargetTerms, cap: SiteCap | None = None) -> LocalLedger:
    ledger = LocalLedger()
    ledger.set_targets({f"t{i}:80": one for i, one in enumerate(terms)})
    for i in range(len(terms)):
        ledger.set_ready(f"t{i}:80", True)
    ledger.set_site_cap(cap)
    return ledger


def terms(capacity: int | None = None, rate: Rate | None = None) -> TargetTerms:
    return TargetTerms(name="t", capacity=capacity, rate=rate)


def ask(ledger: LocalLedger, now: float) -> Slot | Denied:
    ledger.ask(now)
    return ledger.try_acquire(now)


def admitted(ledger: LocalLedger, times: list[float]) -> int:
    """How many requests at ``times`` are admitted; each ends at once."""
    count = 0
    for now in times:
        slot = ask(ledger, now)
        if isinstance(slot, Slot):
            slot.release(now)
            count += 1
    return count


def sends_away(ledger: LocalLedger, now: float) -> bool:
    load = ledger.rate_load(now)
    return load is not None and load.state == 2


def every(gap_s: float, until: float, since: float = 0.0) -> list[float]:
    return [since + gap_s * i for i in range(int((until - since) / gap_s))]


def test_a_rate_takes_a_window_in_one_go_and_then_its_pace() -> None:
    ledger = ledger_of(terms(rate=rate()))
    assert admitted(ledger, [0.0] * 30) == 10
    assert not ledger.has_room_at(0.0)
    assert ledger.next_room_at(0.0) == 5.0
    assert admitted(ledger, every(0.1, 105.0, 5.0)) == pytest.approx(200, abs=6)


def test_a_request_that_ends_gives_back_its_slot_and_not_its_permit() -> None:
    ledger = ledger_of(terms(capacity=1, rate=rate(1.0, 1.0, 3.0)))
    first = ask(ledger, 0.0)
    assert isinstance(first, Slot)
    assert ask(ledger, 0.0) is Denied.FULL, "its only slot is taken"
    first.release(0.1)
    assert admitted(ledger, [0.2] * 9) == 2, "slots are free, and three a window are let in"


def test_targets_with_rates_are_used_in_proportion_and_without_slots() -> None:
    ledger = ledger_of(terms(rate=rate(6.0, 3.0)), terms(rate=rate(2.0, 1.0)))
    assert admitted(ledger, [0.0] * 20) == 20
    assert [one.requests_total for one in ledger.targets(0.0)] == [15, 5]
    assert ledger.rate_per_s == 8.0


def test_a_target_without_a_rate_takes_what_others_do_not() -> None:
    ledger = ledger_of(terms(rate=rate()), terms())
    assert admitted(ledger, [0.0] * 50) == 50
    assert ledger.rate_per_s is None
    assert ledger.rate_state(0.0) is None


def test_a_cap_in_slots_holds_over_all_targets() -> None:
    ledger = ledger_of(terms(4), terms(4), cap=SiteCap(slots=5))
    slots = [ask(ledger, 0.0) for _ in range(6)]
    assert slots.count(Denied.FULL) == 1
    assert (ledger.capacity, ledger.is_capped) == (5, True)
    assert ledger.is_full
    ledger.set_site_cap(SiteCap(slots=8))
    assert (ledger.capacity, ledger.is_capped) == (8, False), "its targets take no more"
    ledger.set_site_cap(None)
    assert (ledger.capacity, ledger.is_capped) == (8, False)
    assert ledger.has_room_at(0.0)
    assert not ledger.rated


def test_a_cap_in_slots_bounds_targets_that_state_none() -> None:
    ledger = ledger_of(terms(), cap=SiteCap(slots=2))
    assert [type(ask(ledger, 0.0)) for _ in range(3)] == [Slot, Slot, Denied]
    assert (ledger.capacity, ledger.is_capped) == (2, True)


def test_who_moves_to_another_target_is_let_in_by_the_site_once() -> None:
    ledger = ledger_of(terms(), terms(), cap=SiteCap(slots=1, rate=rate(1.0, 1.0, 2.0)))
    first = ask(ledger, 0.0)
    assert isinstance(first, Slot)
    second = ledger.try_acquire(0.0, frozenset({first.target}), moves=True)
    assert isinstance(second, Slot)
    first.release(0.0)
    second.release(0.0)
    assert admitted(ledger, [0.0] * 5) == 1, "two a window, of which one is spent"


def test_a_changed_rate_counts_what_was_let_in_before() -> None:
    ledger = ledger_of(terms(rate=rate()))
    assert admitted(ledger, [0.0] * 8) == 8
    ledger.set_targets({"t0:80": terms(rate=rate(4.0, 1.0))})
    assert admitted(ledger, [1.0] * 30) == 12
    ledger.set_targets({"t0:80": terms()})
    assert not ledger.rated
    assert admitted(ledger, [1.0] * 30) == 30


def test_of_the_demand_each_target_is_asked_for_as_its_rate_is() -> None:
    ledger = ledger_of(terms(rate=rate(6.0, 3.0)), terms(rate=rate(2.0, 1.0)))
    ledger.rate_state(-5.0)  # A whole window is counted.
    for _ in range(20):
        ledger.ask(0.0)
    asked = [one.rate.asked_per_s for one in ledger.targets(0.0) if one.rate is not None]
    assert asked == [3.0, 1.0]


def test_what_is_asked_for_right_after_a_rate_was_set_is_a_mean_since_then() -> None:
    ledger = ledger_of(terms(rate=rate(window_s=10.0)))
    shown = []
    for i in range(20 * 50):  # 50/s.
        now = 100.0 + i / 50
        ledger.ask(now)
        if (i + 1) % 50 == 0 or i == 9:
            state = ledger.rate_state(now)
            assert state is not None
            shown.append((round(state.asked_per_s), round(state.asked_s)))
    early, *seconds = shown
    assert early == (10, 1), "the first second is a whole one"
    assert [asked_s for _, asked_s in seconds] == [*range(1, 11), *[10] * 10]
    assert all(49 <= per_s <= 52 for per_s, _ in seconds), seconds


def test_slots_beside_rates_are_used_in_proportion() -> None:
    ledger = ledger_of(terms(2, rate(100.0)), terms(8, rate(100.0)))
    for _ in range(5):
        assert isinstance(ask(ledger, 0.0), Slot)
    assert [one.in_flight for one in ledger.targets(0.0)] == [1, 4]


def test_a_cap_in_slots_adds_nothing_to_what_targets_state() -> None:
    assert ledger_of(terms(4), terms(4), cap=SiteCap(slots=10)).capacity == 8
    assert ledger_of(terms(2), terms(), cap=SiteCap(slots=5)).capacity == 5


def test_what_is_learnt_stays_when_the_same_is_wanted_again() -> None:
    wanted = {"t0:80": TargetTerms(name="t", capacity=4, auto=True)}
    ledger = ledger_of(*wanted.values())
    ledger.set_slots("t0:80", 9)
    ledger.set_targets(wanted)
    assert ledger.capacity == 9
    ledger.set_targets({"t0:80": terms(3)})
    ledger.set_slots("t0:80", 9)
    assert ledger.capacity == 3, "what is stated is not learnt"


def test_of_a_target_and_a_site_the_lower_rate_and_the_fewer_permits_are_shown() -> None:
    cap = SiteCap(rate=rate(3.0, 1.0, window_s=1.0))
    ledger = ledger_of(terms(rate=rate()), cap=cap)
    state, load = ledger.rate_state(0.0), ledger.rate_load(0.0)
    assert state is not None
    assert (state.per_s, state.free, state.is_over) == (2.0, 3, False)
    assert load == RateLoad(2.0, 3, 0)
    assert admitted(ledger, [0.0] * 5) == 3
    state = ledger.rate_state(0.0)
    assert state is not None
    assert (state.free, state.is_over) == (0, True)


def test_a_site_is_over_when_all_its_targets_are_and_sends_away_only_by_its_own_rate() -> None:
    cap = SiteCap(rate=rate(50.0, 20.0), spill="all")
    ledger = ledger_of(terms(rate=rate()), terms(rate=rate(20.0)), cap=cap)
    states = []
    for asked in (0, 20, 200):
        admitted(ledger, [0.0] * asked)
        load, state = ledger.rate_load(0.0), ledger.rate_state(0.0)
        assert load is not None
        assert state is not None
        assert state.is_over == load.is_over
        states.append(load.state)
    assert states == [0, 0, 1]


def test_what_is_under_way_takes_no_permit_of_those_that_come() -> None:
    ledger = ledger_of(terms(12, rate(3.0, 1.0, 1.0)))
    balancer = balancer_of(ledger, remote(EAST))
    for now, under_way, free in ((0.0, 0, 3), (0.0, 3, 0), (1.0, 3, 3), (5.0, 6, 0), (9.0, 6, 3)):
        while ledger.load < under_way:
            assert isinstance(ask(ledger, now), Slot)
        west = balancer.explain(now).candidates[0]
        assert (west.in_flight, west.free, west.capacity) == (under_way, free, 12)
        if free:
            assert west.reason == (
                f"local site has room (3 more now of 3/s, {12 - under_way} of 12 free)"
            )


def test_without_a_rate_of_all_targets_none_is_told_of_the_whole() -> None:
    assert ledger_of(terms(rate=rate()), terms()).rate_load(0.0) is None


def test_it_is_calm_again_by_what_is_asked_for_though_nothing_is_let_in() -> None:
    ledger = ledger_of(terms(), cap=SiteCap(rate=rate(), spill="all"))
    admitted(ledger, every(0.25, 60.0))
    assert sends_away(ledger, 60.0)
    for now in every(0.6, 80.0, 60.0):  # 1.7 a second: below the rate, not below its resume.
        ledger.ask(now)
        assert sends_away(ledger, now)
    states = []
    for now in every(1.25, 100.0, 80.0):
        ledger.ask(now)
        states.append((sends_away(ledger, now), now))
    back = min(now for away, now in states if not away)
    assert back == pytest.approx(84.0, abs=2.5)
    assert all(away == (now < back) for away, now in states), "calm once, and for good"


# What a balancer makes of it.


def remote(
    site: SiteId, cost: int = 5, capacity: int | None = None, per_s: float | None = None
) -> RemoteCandidate:
    return RemoteCandidate(
        site=site,
        site_name=site,
        router=RouterId(site),
        path_cost=cost,
        paths=((RouterId(site),),),
        targets_ready=1,
        capacity=capacity,
        draining=False,
        rate_per_s=per_s,
    )


def balancer_of(ledger: LocalLedger, *remotes: RemoteCandidate) -> ToldBalancer:
    balancer = ToldBalancer(ServiceKey("shop", 80), WEST, "west", ledger, PolicySpec())
    balancer.set_remotes(remotes)
    return balancer


def chosen(balancer: ToldBalancer, now: float) -> str:
    told = balancer.explain(now).decision
    decision = balancer.select(now)
    assert decision == told, "why says what is done"
    return decision.site if isinstance(decision, Decision) else decision.reason


def serve(balancer: ToldBalancer, ledger: LocalLedger, now: float) -> str:
    ledger.ask(now)
    site = chosen(balancer, now)
    if site == WEST:
        slot = ledger.try_acquire(now)
        assert isinstance(slot, Slot), "what is chosen has room"
        slot.release(now)
    return site


def test_only_the_excess_spills_and_what_is_over_says_so() -> None:
    ledger = ledger_of(terms(rate=rate()))
    balancer = balancer_of(ledger, remote(EAST))
    assert [serve(balancer, ledger, 0.0) for _ in range(12)] == [WEST] * 10 + [EAST] * 2
    decision = balancer.select(0.0)
    assert isinstance(decision, Decision)
    assert (decision.overflow, decision.overflow_reason) == (True, "full")
    west = balancer.explain(0.0).candidates[0]
    assert (west.verdict, west.reason) == ("full", "its rate of 2/s is used up")
    assert west.rate == RateLoad(2.0, 0, 1)
    assert west.capacity is None
    later = [serve(balancer, ledger, now) for now in every(0.1, 105.0, 5.0)]
    assert later.count(WEST) == pytest.approx(200, abs=6)


@pytest.mark.parametrize(("spill", "least", "most"), [("excess", 190, 215), ("all", 10, 10)])
def test_over_its_cap_a_site_keeps_its_rate_or_sends_all_away(
    spill: Spill, least: int, most: int
) -> None:
    ledger = ledger_of(terms(), cap=SiteCap(rate=rate(), spill=spill))
    balancer = balancer_of(ledger, remote(EAST))
    served = [serve(balancer, ledger, now) for now in every(0.1, 105.0)]
    assert least <= served.count(WEST) <= most
    calm = [serve(balancer, ledger, now) for now in every(2.0, 160.0, 120.0)]
    assert set(calm) == {WEST}


def test_who_sends_all_away_says_so_and_serves_rather_than_nobody() -> None:
    ledger = ledger_of(terms(), cap=SiteCap(rate=rate(stay_s=60.0), spill="all"))
    balancer = balancer_of(ledger, remote(EAST, capacity=1))
    for _ in range(10):
        serve(balancer, ledger, 0.0)
    west, east = balancer.explain(9.0).candidates
    assert (west.verdict, east.verdict) == ("sends-away", "chosen")
    assert "set to spill all" in west.reason
    decision = balancer.select(9.0)
    assert isinstance(decision, Decision)
    assert decision.overflow_reason == "sends-away"
    balancer.opened(EAST)
    assert chosen(balancer, 9.0) == WEST, "east is full: within its rate it serves"
    ledger.ask(9.0)
    while isinstance(ledger.try_acquire(9.0), Slot):
        pass
    nobody = balancer.select(9.0)
    assert isinstance(nobody, NoChoice)
    assert nobody.local_waitable
    assert [one.site for one in nobody.waitable] == [EAST]


def test_what_leaves_for_the_rate_of_this_site_says_so_where_a_nearer_one_is_full() -> None:
    """East is full: the request goes to the north, and west has free slots."""
    ledger = ledger_of(terms(4), cap=SiteCap(rate=rate(stay_s=60.0), spill="all"))
    balancer = balancer_of(ledger, remote(EAST, capacity=1), remote(NORTH, cost=9))
    for _ in range(10):
        serve(balancer, ledger, 0.0)
    balancer.opened(EAST)
    decision = balancer.select(9.0)
    assert isinstance(decision, Decision)
    assert (decision.site, decision.overflow_reason) == (NORTH, "full")
    assert decision.spill_reason == "rate"


def test_of_a_remote_rate_permits_are_used_up_and_come_back_by_time() -> None:
    ledger = LocalLedger()
    balancer = balancer_of(ledger, remote(EAST, per_s=2.0), remote(NORTH, cost=9))
    balancer.report_load(EAST, 0, 1, None, 0.0, RateLoad(2.0, 3, 0))
    for _ in range(3):
        assert chosen(balancer, 0.0) == EAST
        balancer.opened(EAST)
        balancer.ended(EAST, 0, 0.0)  # Its end brings no permit back.
    assert chosen(balancer, 0.4) == NORTH
    assert chosen(balancer, 0.5) == EAST
    balancer.opened(EAST)
    assert chosen(balancer, 0.9) == NORTH
    balancer.report_load(EAST, 0, 1, None, 0.9, RateLoad(2.0, 0, 1))
    assert chosen(balancer, 1.3) == NORTH
    assert chosen(balancer, 1.4) == EAST


def test_a_refusal_takes_all_permits_and_shuts_nobody_out_for_ever() -> None:
    ledger = LocalLedger()
    balancer = balancer_of(ledger, remote(EAST, per_s=0.5), remote(NORTH, cost=9))
    balancer.report_load(EAST, 0, 1, None, 0.0, RateLoad(0.5, 7, 0))
    balancer.opened(EAST)
    balancer.refused(EAST, 0, 0.0)
    balancer.ended(EAST)
    assert chosen(balancer, 1.9) == NORTH
    assert chosen(balancer, 2.0) == EAST


def test_a_remote_site_that_sends_all_away_is_passed_over_too() -> None:
    ledger = LocalLedger()
    balancer = balancer_of(ledger, remote(EAST, per_s=2.0), remote(NORTH, cost=9, capacity=1))
    balancer.report_load(EAST, 0, 1, None, 0.0, RateLoad(2.0, 3, 2))
    assert chosen(balancer, 0.0) == NORTH
    balancer.opened(NORTH)
    assert chosen(balancer, 0.0) == EAST


@pytest.mark.parametrize(
    "policy",
    [
        PolicySpec(),
        PolicySpec(name="balanced"),
        PolicySpec(name="spread"),
        PolicySpec(name="split", weights={"west": 3, "east": 1}),
        PolicySpec(name="failover"),
    ],
)
def test_under_every_policy_who_sends_all_away_comes_last(policy: PolicySpec) -> None:
    ledger = ledger_of(terms(), cap=SiteCap(rate=rate(stay_s=60.0), spill="all"))
    balancer = balancer_of(ledger, remote(EAST))
    balancer.set_policy(policy)
    admitted(ledger, [0.0] * 11)
    assert chosen(balancer, 9.0) == EAST
    decision = balancer.select(9.0, frozenset({EAST}))
    assert isinstance(decision, Decision)
    assert decision.local


def test_permits_of_a_remote_rate_are_not_saved_up_for_ever() -> None:
    balancer = balancer_of(LocalLedger(), remote(EAST, per_s=2.0), remote(NORTH, cost=9))
    balancer.report_load(EAST, 0, 1, None, 0.0, RateLoad(2.0, 1, 0))
    taken = []
    while chosen(balancer, 100.0) == EAST:
        balancer.opened(EAST)
        taken.append(EAST)
    assert len(taken) == 2, "the most of what was told and a second's worth"


def test_a_remote_site_without_a_slot_is_full_whatever_its_rate_lets_in() -> None:
    balancer = balancer_of(LocalLedger(), remote(EAST, 5, 2, 9.0), remote(NORTH, cost=9))
    balancer.report_load(EAST, 1, 1, 2, 0.0, RateLoad(9.0, 9, 0))
    assert chosen(balancer, 0.0) == EAST
    balancer.opened(EAST)
    assert chosen(balancer, 0.0) == NORTH


def test_what_was_asked_over_a_window_that_nobody_has_is_forgotten() -> None:
    demands = Demands()
    first = demands.over(5.0)
    demands.keep([5.0, 7.0])
    assert demands.over(5.0) is first
    demands.keep([7.0])
    assert demands.over(5.0) is not first


def test_in_turn_goes_by_who_may_be_asked_however_much_of_each_rate_is_used() -> None:
    ledger = ledger_of(terms(rate=rate(8.0, 8.0, 1.0)), terms(rate=rate(2.0, 2.0, 1.0)))
    ledger.set_in_turn(True)
    served = []
    for _ in range(10):
        slot = ask(ledger, 0.0)
        assert isinstance(slot, Slot)
        served.append(slot.target)
    assert served == ["t0:80", "t1:80"] * 2 + ["t0:80"] * 6
    assert ask(ledger, 0.0) is Denied.FULL


# Of several routers of one site ---------------------------------------------------------------


def test_what_one_router_hands_to_another_is_asked_once() -> None:
    each = [ledger_of(terms(rate=rate())) for _ in range(2)]
    for one in each:
        one.rate_state(-4.0)  # A whole window is counted.
    for i in range(10):
        at = i / 10
        each[0].ask(at)
        each[1].ask(at)
        each[1].hand(at)
    states = [state for one in each if (state := one.rate_state(1.0)) is not None]
    assert [state.asked_per_s for state in states] == [2.0, 0.0]
    whole = of_routers(states)
    assert whole is not None
    assert (whole.per_s, whole.resume_per_s, whole.asked_per_s) == (4.0, 2.0, 2.0)


@given(st.floats(0.01, 1e6).map(lambda per_s: round(per_s, 6)), st.integers(1, 16))
def test_the_parts_of_a_rate_are_the_stated_rate(per_s: float, count: int) -> None:
    part = ledger_of(terms(rate=rate(per_s / count, per_s / count))).rate_state(0.0)
    assert part is not None
    whole = of_routers([part] * count)
    assert whole is not None and whole.per_s == whole.resume_per_s == per_s


@given(st.lists(st.booleans(), max_size=5))
def test_a_site_is_over_its_rate_when_all_of_its_routers_are(over: list[bool]) -> None:
    part = ledger_of(terms(rate=rate())).rate_state(0.0)
    assert part is not None
    whole = of_routers([msgspec.structs.replace(part, is_over=one) for one in over])
    if whole is None:
        assert not over
        return
    assert whole.is_over == all(over)
    assert whole.partly_over == (any(over) and not all(over))


@pytest.mark.parametrize(
    ("asked_there", "stays_over"),
    [(8.0, True), (0.5, False), (None, False)],
)
def test_a_part_of_a_rate_is_calm_by_the_demand_at_all_routers_of_its_site(
    asked_there: float | None, stays_over: bool
) -> None:
    """Of 4/s each of two routers has 2, and is calm below 1. None: an older one says nothing."""
    ledger = ledger_of(terms(), cap=SiteCap(rate=rate()))
    sibling = remote(WEST, cost=0, per_s=2.0)
    balancer = balancer_of(ledger, sibling)
    told = RateLoad(2.0, 0, 1)
    balancer.report_load(WEST, 0, 1, None, 0.0, told, sibling.router, asked_per_s=asked_there)
    for _ in range(12):
        ledger.ask(0.0)
        ledger.try_acquire(0.0)
    assert ledger.rate_load(1.0) == RateLoad(2.0, 0, 1)
    for now in every(2.0, 30.0, 1.0):  # Half of its own resume mark.
        ledger.ask(now)
    state = ledger.rate_state(30.0)
    assert state is not None
    assert state.is_over is stays_over
    balancer.set_remotes(())
    alone = ledger.rate_state(30.0)
    assert alone is not None
    assert not alone.is_over, "the other router is gone"


def test_what_another_router_of_the_site_brings_counts_as_its_own_demand() -> None:
    ledger = ledger_of(terms(), cap=SiteCap(rate=rate()))
    assert ledger.asked_per_s(0.0) == 0.0
    for brought in (True, False, True):
        ledger.ask(0.0)
        if brought:
            ledger.hand(0.0)
    assert ledger.asked_per_s(0.0) == 0.2
    ledger.set_site_cap(None)
    assert ledger.asked_per_s(0.0) is None, "there is no rate"
