from collections import Counter

import pytest

from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Denied, Slot
from router.model.capacity import Rate, SiteCap, TargetTerms
from tests.unit.balance.builders import ledger_of, take


def test_new_targets_admit_nothing_until_they_are_ready() -> None:
    ledger = LocalLedger()
    ledger.set_targets({"a:1": TargetTerms(name="web", capacity=2)})
    assert ledger.try_acquire(0.0) is Denied.NO_TARGET
    assert not ledger.is_full
    ledger.set_ready("a:1", True)
    assert take(ledger).target == "a:1"


def test_a_full_ledger_says_so_until_a_slot_comes_back() -> None:
    ledger = ledger_of(1)
    slot = take(ledger)
    assert ledger.try_acquire(0.0) is Denied.FULL
    slot.release(1.0)
    take(ledger).release(2.0)
    assert ledger.in_flight == 0


@pytest.mark.parametrize("cap", [None, SiteCap(slots=9)])
def test_each_slot_that_is_taken_or_given_back_is_news_until_it_was_told(
    cap: SiteCap | None,
) -> None:
    ledger, told = ledger_of(2, 2), list[int]()
    ledger.set_site_cap(cap)
    ledger.news.follow(lambda: told.append(ledger.in_flight))
    slots = [take(ledger), take(ledger)]
    assert told == [1], "once, until somebody listens"
    ledger.news.listen()
    slots.append(take(ledger))
    ledger.news.listen()
    slots.pop().release(1.0)
    slots.pop().release(1.0)
    assert told == [1, 3, 2]


def test_a_busy_target_is_named_with_the_number_of_requests_that_it_has_completed() -> None:
    ledger = ledger_of(1, 2)

    def completed(least: int = 9) -> dict[str, int]:
        return {address: count for address, count, _ in ledger.busy_targets(least)}

    assert completed() == {}
    take(ledger).release(1.0)
    slots = [take(ledger) for _ in range(3)]
    assert completed().keys() == {"t0:80", "t1:80"}
    assert sum(completed().values()) == 1
    slots[0].held_of.give_up(by_client=True)
    assert sum(completed().values()) == 0
    slots[0].release(2.0)
    assert ledger.in_flight == 2
    assert len(completed()) == 1


def test_a_target_with_several_requests_is_busy_also_with_free_slots_or_without_a_capacity() -> (
    None
):
    for capacity in (3, None):
        ledger = ledger_of(capacity)
        take(ledger), take(ledger)
        assert list(ledger.busy_targets(3)) == []
        assert list(ledger.busy_targets(2)) == [("t0:80", 0, False)]


def test_a_slot_released_twice_is_a_bug() -> None:
    slot = take(ledger_of(1))
    slot.release(0.0)
    with pytest.raises(AssertionError, match="twice"):
        slot.release(0.0)


def test_slots_go_to_the_least_loaded_relative_to_capacity() -> None:
    ledger = ledger_of(9, 3)
    assert Counter(take(ledger).target for _ in range(8)) == {"t0:80": 6, "t1:80": 2}


def test_idle_targets_take_turns_by_capacity() -> None:
    ledger = ledger_of(2, 1)
    served: Counter[str] = Counter()
    for _ in range(30):
        slot = take(ledger)
        served[slot.target] += 1
        slot.release(0.0)
    assert served == {"t0:80": 20, "t1:80": 10}


def test_in_turn_each_gets_the_same_though_one_is_always_found_idle_alone() -> None:
    ledger = ledger_of(None, None)
    ledger.set_in_turn(True)
    long = take(ledger)
    served = Counter([long.target])
    for _ in range(99):
        slot = take(ledger)
        served[slot.target] += 1
        slot.release(0.0)
    assert served == {"t0:80": 50, "t1:80": 50}


def test_in_turn_does_not_look_at_load_or_capacity() -> None:
    ledger = ledger_of(9, 3)
    ledger.set_in_turn(True)
    held = [take(ledger).target for _ in range(6)]
    assert held == ["t0:80", "t1:80"] * 3
    assert [take(ledger).target for _ in range(6)] == ["t0:80"] * 6, "the other one is full"
    assert ledger.try_acquire(0.0) is Denied.FULL


def test_in_turn_no_longer_when_another_policy_follows() -> None:
    ledger = ledger_of(9, 3)
    ledger.set_in_turn(True)
    ledger.set_in_turn(False)
    assert Counter(take(ledger).target for _ in range(8)) == {"t0:80": 6, "t1:80": 2}


def test_beside_a_target_without_a_limit_the_least_in_flight_counts() -> None:
    ledger = ledger_of(2, None)
    assert Counter(take(ledger).target for _ in range(7)) == {"t0:80": 2, "t1:80": 5}
    assert not ledger.is_full


def test_one_target_without_a_limit_makes_a_site_that_states_no_capacity() -> None:
    ledger = ledger_of(3, None)
    for _ in range(20):
        take(ledger)
    assert not ledger.is_full
    assert (ledger.capacity, ledger.configured_capacity) == (None, None)


def test_without_the_target_that_has_no_limit_the_others_are_the_capacity() -> None:
    ledger = ledger_of(3, None)
    ledger.set_ready("t1:80", False)
    assert (ledger.capacity, ledger.configured_capacity) == (3, 3)


def test_a_target_with_a_rate_alone_leaves_the_slots_of_the_others_as_the_capacity() -> None:
    ledger = LocalLedger()
    rated = TargetTerms(name="rated", rate=Rate(per_s=5, resume_per_s=3, window_s=10, stay_s=10))
    ledger.set_targets({"a:1": TargetTerms(name="slots", capacity=3), "b:1": rated})
    for target in ("a:1", "b:1"):
        ledger.set_ready(target, True)
    assert ledger.capacity == 3


def test_targets_without_limits_are_never_full_and_state_no_capacity() -> None:
    ledger = ledger_of(None, None)
    assert Counter(take(ledger).target for _ in range(100)) == {"t0:80": 50, "t1:80": 50}
    assert ledger.capacity is None


def test_excluded_targets_are_passed_over() -> None:
    ledger = ledger_of(1, 1)
    assert take(ledger, frozenset({"t0:80"})).target == "t1:80"
    assert ledger.try_acquire(0.0, frozenset({"t0:80"})) is Denied.FULL
    assert ledger.try_acquire(0.0, frozenset({"t0:80", "t1:80"})) is Denied.NO_TARGET


def test_a_removed_target_finishes_what_it_has_and_vanishes() -> None:
    ledger = ledger_of(2)
    slot = take(ledger)
    ledger.set_targets({})
    assert ledger.try_acquire(0.0) is Denied.NO_TARGET
    assert [(one.ready, one.in_flight) for one in ledger.targets(0.0)] == [(False, 1)]
    assert (ledger.in_flight, ledger.load) == (1, 0)
    slot.release(0.0)
    assert ledger.targets(0.0) == []
    assert ledger.in_flight == 0


def test_a_target_that_returns_while_busy_keeps_its_count() -> None:
    ledger = ledger_of(2)
    take(ledger)
    ledger.set_targets({})
    ledger.set_targets({"t0:80": TargetTerms(name="web", capacity=2)})
    assert ledger.try_acquire(0.0) is Denied.NO_TARGET
    ledger.set_ready("t0:80", True)
    take(ledger)
    assert ledger.is_full


def test_a_late_health_result_of_a_removed_target_is_dropped() -> None:
    ledger = ledger_of(2)
    take(ledger)
    ledger.set_targets({})
    ledger.set_ready("t0:80", True)
    ledger.set_ready("never:1", True)
    assert ledger.targets_ready == 0


def test_a_limit_lowered_under_load_admits_only_below_it_again() -> None:
    ledger = ledger_of(3)
    slots = [take(ledger) for _ in range(3)]
    ledger.set_targets({"t0:80": TargetTerms(name="web", capacity=1)})
    slots.pop().release(0.0)
    slots.pop().release(0.0)
    assert ledger.try_acquire(0.0) is Denied.FULL
    slots.pop().release(0.0)
    take(ledger)
    assert ledger.is_full


def test_capacity_minus_load_is_free_whatever_lingers_above_a_lowered_limit() -> None:
    ledger = ledger_of(5, 5)
    for _ in range(10):
        take(ledger)
    ledger.set_targets(
        {"t0:80": TargetTerms(name="web", capacity=2), "t1:80": TargetTerms(name="web", capacity=6)}
    )
    assert (ledger.capacity, ledger.load, ledger.in_flight) == (8, 7, 10)
    assert take(ledger).target == "t1:80"


def test_ends_above_a_lowered_limit_free_nothing_yet() -> None:
    ledger = ledger_of(3)
    slots = [take(ledger) for _ in range(3)]
    ledger.set_targets({"t0:80": TargetTerms(name="web", capacity=1)})
    loads = []
    for slot in slots:
        slot.release(0.0)
        loads.append(ledger.load)
    assert loads == [1, 1, 0]


def test_a_target_that_goes_down_takes_its_count_out_of_the_load() -> None:
    ledger = ledger_of(2, 2)
    slots = [take(ledger) for _ in range(4)]
    ledger.set_ready("t0:80", False)
    assert (ledger.capacity, ledger.load, ledger.in_flight) == (2, 2, 4)
    for slot in slots:
        slot.release(0.0)
    assert (ledger.load, ledger.in_flight) == (0, 0)


def test_targets_tell_what_they_served() -> None:
    ledger = ledger_of(4)
    take(ledger).release(0.0)
    take(ledger)
    state = ledger.targets(0.0)[0]
    assert (state.name, state.requests_total, state.in_flight) == ("web", 2, 1)


def test_learnt_slots_keep_the_sums_right_and_outlast_a_reload() -> None:
    terms = {
        "a:1": TargetTerms(name="a", auto=True),
        "b:1": TargetTerms(name="b", capacity=3),
    }
    ledger = LocalLedger()
    ledger.set_targets(terms)
    ledger.set_slots("a:1", 2)
    ledger.set_slots("b:1", 9)  # Its capacity is configured, so it learns nothing.
    for target in terms:
        ledger.set_ready(target, True)
    assert ledger.capacity == 5 and ledger.sums.learns
    held = [ledger.try_acquire(0.0) for _ in range(5)]
    assert (ledger.is_full, ledger.load) == (True, 5)
    ledger.set_slots("a:1", 1)
    assert (ledger.is_full, ledger.load) == (True, 4)
    ledger.set_slots("a:1", 4)
    assert (ledger.is_full, ledger.capacity) == (False, 7)
    ledger.set_targets(terms)
    assert ledger.capacity == 7
    for slot in held:
        assert isinstance(slot, Slot)
        slot.release(0.0)
    assert ledger.load == 0


def test_all_that_runs_is_in_flight_above_a_lowered_capacity_too() -> None:
    ledger = ledger_of(12)
    slots = [take(ledger) for _ in range(12)]
    ledger.set_targets({"t0:80": TargetTerms(name="web", capacity=3)})
    assert (ledger.in_flight, ledger.load, ledger.beyond) == (12, 3, 9)
    for left in range(11, -1, -1):
        before = ledger.recounts, ledger.beyond
        slots.pop().release(0.0)
        assert (ledger.in_flight, ledger.load, ledger.beyond) == (
            left,
            min(left, 3),
            max(left - 3, 0),
        )
        assert ledger.beyond == before[1] or ledger.recounts != before[0]


def test_what_runs_at_targets_that_are_down_or_removed_is_in_flight_and_takes_no_slot() -> None:
    ledger = ledger_of(2, 2)
    slots = [take(ledger) for _ in range(4)]
    ledger.set_ready("t0:80", False)
    ledger.set_targets({"t0:80": TargetTerms(name="web", capacity=2)})
    assert (ledger.in_flight, ledger.load, ledger.beyond) == (4, 0, 4)
    for slot in slots:
        recounts = ledger.recounts
        slot.release(0.0)
        assert ledger.recounts != recounts
    assert (ledger.in_flight, ledger.beyond) == (0, 0)


def test_what_runs_above_a_lowered_cap_of_the_site_is_in_flight_and_takes_no_slot() -> None:
    ledger = ledger_of(3, 3)
    slots = [take(ledger) for _ in range(6)]
    ledger.set_site_cap(SiteCap(slots=2))
    assert (ledger.in_flight, ledger.load, ledger.beyond, ledger.capacity) == (6, 2, 4, 2)
    for left in range(5, -1, -1):
        if left > 0:
            assert ledger.try_acquire(0.0) is Denied.FULL
        before = ledger.recounts, ledger.beyond
        slots.pop().release(0.0)
        assert (ledger.in_flight, ledger.load) == (left, min(left, 2))
        assert ledger.beyond == before[1] or ledger.recounts != before[0]
    assert take(ledger).in_flight == 1


def test_a_request_that_moves_above_the_cap_of_the_site_takes_no_slot_of_it() -> None:
    ledger = ledger_of(3)
    ledger.set_site_cap(SiteCap(slots=1))
    first = take(ledger)
    moved = ledger.try_acquire(0.0, moves=True)
    assert isinstance(moved, Slot)
    assert (ledger.in_flight, ledger.load, ledger.beyond) == (2, 1, 1)
    first.release(0.0)
    assert (ledger.in_flight, ledger.load, ledger.beyond) == (1, 1, 0)
    moved.release(0.0)
    assert (ledger.in_flight, ledger.load) == (0, 0)


def test_a_target_that_was_removed_while_it_started_slowly_has_all_its_slots_when_it_is_back() -> (
    None
):
    ledger = ledger_of(4)
    slot = take(ledger)
    ledger.start_slowly(slot.target, 0.0)
    ledger.set_targets({})
    ledger.set_targets({slot.target: TargetTerms(name="web", capacity=4)})
    ledger.set_ready(slot.target, True)
    assert (ledger.capacity, ledger.sums.is_starting) == (4, False)
