"""Hot and cold targets at the ledger: who is passed over, tried again, and timed."""

from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Slot
from router.model import limits
from router.model.capacity import TargetTerms

SLOW, QUICK, OTHER = "slow:1", "quick:1", "other:1"


def ledger_of(capacity: int | None = 4, *targets: str) -> LocalLedger:
    ledger = LocalLedger()
    names = targets or (SLOW, QUICK, OTHER)
    ledger.set_targets({one: TargetTerms(name="web", capacity=capacity) for one in names})
    for one in names:
        ledger.set_ready(one, True)
    return ledger


def learn(ledger: LocalLedger, now: float = 0.0, slow_s: float = 0.06) -> None:
    """Twenty answers of each target, with one in flight."""
    for number in range(20):
        for target, took_s in ((SLOW, slow_s), (QUICK, 0.02), (OTHER, 0.02)):
            ledger.answered(target, took_s, 1, now + number * 0.02)


def take(ledger: LocalLedger, count: int) -> list[Slot]:
    taken = []
    for _ in range(count):
        slot = ledger.try_acquire(0.0)
        assert isinstance(slot, Slot)
        taken.append(slot)
    return taken


def at(ledger: LocalLedger) -> dict[str, int]:
    return {one.target: one.in_flight for one in ledger.targets(0.0)}


def verdicts(ledger: LocalLedger) -> dict[str, str]:
    return {one.target: one.verdict for one in ledger.target_reports(0.0)}


def test_a_slower_target_gets_requests_only_while_the_others_have_no_room() -> None:
    ledger = ledger_of()
    learn(ledger)
    take(ledger, 8)
    assert at(ledger) == {SLOW: 0, QUICK: 4, OTHER: 4}
    take(ledger, 4)
    assert at(ledger) == {SLOW: 4, QUICK: 4, OTHER: 4}


def test_alike_targets_share_as_before_whatever_was_timed() -> None:
    timed, plain = ledger_of(), ledger_of()
    learn(timed, slow_s=0.021)
    for count in (3, 4, 2):
        taken = take(timed, count), take(plain, count)
        assert at(timed) == at(plain)
        for slots in taken:
            slots[0].release(0.0)


def test_without_configured_slots_the_soonest_fill_until_they_are_as_slow() -> None:
    ledger = ledger_of(None, SLOW, QUICK)
    for number in range(40):
        ledger.answered(SLOW, 0.06, 1, number * 0.02)
        ledger.answered(QUICK, 0.02, 1, number * 0.02)
        ledger.answered(QUICK, 0.06, 7, number * 0.02)
    take(ledger, 6)
    assert at(ledger) == {SLOW: 0, QUICK: 6}
    take(ledger, 6)
    assert at(ledger) == {SLOW: 6, QUICK: 6}


def test_one_that_comes_back_is_judged_anew() -> None:
    ledger = ledger_of()
    learn(ledger)
    ledger.set_ready(SLOW, False)
    ledger.set_ready(SLOW, True)
    take(ledger, 3)
    assert at(ledger) == {SLOW: 1, QUICK: 1, OTHER: 1}


def test_a_hot_target_has_a_trial_after_some_seconds_and_a_thousand_others() -> None:
    ledger = ledger_of()
    learn(ledger)
    now = limits.TARGET_TRIAL_S + 1.0
    for quick in (QUICK, OTHER):
        ledger.answered(quick, 0.02, 1, now)
    assert SLOW not in [slot.target for slot in take(ledger, 1)], "a second slow answer in a lull"
    for _ in range(limits.TARGET_TRIAL_REQUESTS):
        for slot in take(ledger, 1):
            slot.release(0.0)
    for quick in (QUICK, OTHER):
        ledger.answered(quick, 0.02, 1, now)
    assert verdicts(ledger)[SLOW] == "chosen"
    (tried,) = take(ledger, 1)
    assert tried.target == SLOW
    ledger.answered(QUICK, 0.02, 1, now + limits.TARGET_TRIAL_S - 1.0)
    assert verdicts(ledger)[SLOW] == "hot", "one trial at a time"


def test_where_requests_are_few_a_trial_comes_after_a_minute() -> None:
    ledger = ledger_of()
    learn(ledger)
    ledger.answered(QUICK, 0.02, 1, limits.TARGET_TRIAL_S_MAX + 1.0)
    assert take(ledger, 2)[0].target == SLOW


def test_a_target_that_was_well_again_at_its_trial_is_cold_at_once() -> None:
    ledger = ledger_of()
    learn(ledger)
    ledger.answered(SLOW, 0.02, 1, 50.0)
    take(ledger, 3)
    assert at(ledger) == {SLOW: 1, QUICK: 1, OTHER: 1}


def test_why_names_the_hot_target_and_moves_no_turn() -> None:
    ledger = ledger_of()
    learn(ledger)
    first = ledger.target_reports(0.0)
    assert first == ledger.target_reports(0.0)
    slow, quick, other = first
    assert (slow.verdict, quick.verdict, other.verdict) == ("hot", "chosen", "cold")
    assert quick.reason == "least in use, or its turn among equals"
    assert slow.expected_s is not None and round(slow.expected_s, 6) == 0.06
    assert take(ledger, 1)[0].target == QUICK
    take(ledger, 7)
    assert [one.verdict for one in ledger.target_reports(0.0)] == ["chosen", "full", "full"]


def test_about_one_request_each_twenty_milliseconds_of_a_target_is_timed() -> None:
    ledger = ledger_of(None, QUICK, OTHER)
    asked: list[float] = []
    now = 0.0
    ledger.follow_choices(lambda: asked.append(now))
    for number in range(40_000):  # 4,000 a second over both.
        now = number / 4_000
        before = len(asked)
        slot = ledger.try_acquire(now)
        assert isinstance(slot, Slot)
        slot.release(now)
        if len(asked) > before:
            ledger.answered(slot.target, 0.02, 1, now)
    a_second = len([at for at in asked if at >= 5.0]) / 5.0
    assert 50 <= a_second <= 200


def test_where_nothing_can_be_timed_hardly_any_request_is_tried() -> None:
    ledger = ledger_of(None, QUICK, OTHER)
    asked: list[int] = []
    ledger.follow_choices(lambda: asked.append(1))
    for _ in range(20_000):
        for slot in take(ledger, 1):
            slot.release(0.0)
    assert len(asked) <= 45


def test_a_single_target_is_never_timed() -> None:
    ledger = ledger_of(4, QUICK)
    asked: list[int] = []
    ledger.follow_choices(lambda: asked.append(1))
    take(ledger, 4)
    assert not asked


def test_in_turn_all_targets_serve_alike_however_slow() -> None:
    ledger = ledger_of()
    ledger.set_in_turn(True)
    learn(ledger)
    take(ledger, 6)
    assert at(ledger) == {SLOW: 2, QUICK: 2, OTHER: 2}


def fail(ledger: LocalLedger, target: str, now: float, in_flight: int = 1) -> None:
    """A timed request for which the target was too busy."""
    ledger.answered(target, None, in_flight, now)


def test_a_target_that_says_at_once_that_it_is_busy_draws_no_more_requests_than_others() -> None:
    """It has nothing in flight at any time: the least loaded, and the soonest."""
    ledger = ledger_of(None)
    for number in range(20):
        fail(ledger, SLOW, number * 0.02)
        for target in (QUICK, OTHER):
            ledger.answered(target, 0.05, 1, number * 0.02)
    take(ledger, 6)
    assert at(ledger) == {SLOW: 0, QUICK: 3, OTHER: 3}
    (report,) = [one for one in ledger.target_reports(0.0) if one.target == SLOW]
    assert (report.verdict, report.expected_s) == ("hot", None)
    assert report.reason == "it was too busy; it is used while no other one has room"


def test_a_target_that_is_busy_no_more_is_used_as_before_after_a_trial() -> None:
    ledger = ledger_of()
    for number in range(20):
        fail(ledger, SLOW, number * 0.02)
        for target in (QUICK, OTHER):
            ledger.answered(target, 0.05, 1, number * 0.02)
    later = 1.0 + limits.TARGET_TRIAL_S_MAX
    ledger.answered(QUICK, 0.05, 1, later)
    (trial,) = take(ledger, 1)
    assert trial.target == SLOW
    assert [one.reason for one in ledger.target_reports(0.0) if one.target == SLOW] != []
    ledger.answered(SLOW, 0.05, 1, later + 0.1)
    trial.release(0.0)
    take(ledger, 9)
    assert at(ledger) == {SLOW: 3, QUICK: 3, OTHER: 3}


def test_where_all_targets_are_too_busy_they_share_as_before() -> None:
    ledger = ledger_of()
    for number in range(20):
        for target in (SLOW, QUICK, OTHER):
            fail(ledger, target, number * 0.02)
    take(ledger, 6)
    assert at(ledger) == {SLOW: 2, QUICK: 2, OTHER: 2}


def test_failures_above_a_load_keep_a_target_at_that_load() -> None:
    """As one that says 429 above four at once, whatever its capacity is said to be."""
    ledger = ledger_of(None, SLOW, QUICK)
    for number in range(40):
        ledger.answered(QUICK, 0.05, 1, number * 0.02)
        ledger.answered(SLOW, 0.05, 4, number * 0.02)
        fail(ledger, SLOW, number * 0.02, in_flight=5)
    ledger.answered(SLOW, 0.05, 4, 1.0)
    take(ledger, 12)
    assert at(ledger) == {SLOW: 4, QUICK: 8}
