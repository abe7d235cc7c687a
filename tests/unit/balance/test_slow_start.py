"""A new target gets few slots at first."""

from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Denied, Slot
from router.balance.targets.slow_start import SlowStart
from router.model import limits
from router.model.capacity import TargetTerms

NEW, OLD = "new:1", "old:1"
STEP_S = limits.SLOW_START_STEP_S


def loaded(new: int | None = 10, old: int = 4) -> LocalLedger:
    """``old`` has all that it takes when ``new`` comes."""
    ledger = LocalLedger()
    ledger.set_targets({OLD: TargetTerms(name="o", capacity=old)})
    ledger.set_ready(OLD, True)
    for _ in range(old):
        ledger.try_acquire(0.0)
    ledger.set_targets(
        {OLD: TargetTerms(name="o", capacity=old), NEW: TargetTerms(name="n", capacity=new)}
    )
    ledger.set_ready(NEW, True)
    return ledger


def take_all(ledger: LocalLedger) -> list[Slot]:
    slots = []
    while isinstance(slot := ledger.try_acquire(0.0), Slot):
        slots.append(slot)
    assert slot is Denied.FULL
    return slots


def test_it_begins_with_two_slots_and_has_twice_as_many_after_each_step_with_an_answer() -> None:
    ledger = loaded()
    assert ledger.start_slowly(NEW, 0.0)
    found = []
    for step in range(1, 5):
        slots = take_all(ledger)
        found.append(sum(one.in_flight for one in ledger.targets(0.0) if one.target == NEW))
        slots[0].release(0.0)
        ledger.grow(step * STEP_S)
    assert found == [2, 4, 8, 10]
    assert not ledger.sums.is_starting


def test_without_an_answer_it_has_twice_as_many_each_second() -> None:
    start = SlowStart(0, 0.0)
    grown = [now for now in range(40) if start.grow(0, now * STEP_S)]
    assert [now * STEP_S for now in grown[:3]] == [1.0, 2.0, 3.0]
    assert start.slots == limits.SLOW_START_SLOTS * 2**9


def test_what_it_has_for_now_counts_as_capacity_and_what_is_configured_is_shown() -> None:
    ledger = loaded()
    ledger.start_slowly(NEW, 0.0)
    assert (ledger.capacity, ledger.configured_capacity) == (6, 14)
    assert [one.capacity for one in ledger.targets(0.0)] == [4, 10]
    take_all(ledger)
    assert ledger.is_full
    (report,) = [one for one in ledger.target_reports(0.0) if one.target == NEW]
    assert report.reason == "2 of 2 in flight: new here, it gets 2 of its 10 slots for now"


def test_its_end_gives_it_all_that_is_configured() -> None:
    ledger = loaded()
    ledger.start_slowly(NEW, 0.0)
    ledger.end_slow_starts()
    assert len(take_all(ledger)) == 10
    assert not ledger.grow(9.0)


def test_one_that_goes_and_comes_back_has_all_unless_it_starts_slowly_again() -> None:
    ledger = loaded()
    ledger.start_slowly(NEW, 0.0)
    ledger.set_ready(NEW, False)
    assert not ledger.sums.is_starting
    ledger.set_ready(NEW, True)
    assert ledger.capacity == 14


def test_targets_without_a_number_or_with_a_small_one_start_with_all() -> None:
    for capacity in (None, 0, 1, limits.SLOW_START_SLOTS):
        assert not loaded(capacity).start_slowly(NEW, 0.0)
    assert not loaded().start_slowly("gone:1", 0.0)


def test_learned_slots_grow_by_their_own_rule() -> None:
    ledger = LocalLedger()
    ledger.set_targets({NEW: TargetTerms(name="n", capacity=8, auto=True)})
    ledger.set_ready(NEW, True)
    assert not ledger.start_slowly(NEW, 0.0)
