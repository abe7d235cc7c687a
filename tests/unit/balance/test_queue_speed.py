"""Which requests are refused at once because they would wait in vain."""

from router.balance.site.queue_speed import QueueSpeed
from router.model import limits


def moving(per_s: float, seconds: float, begin: float = 10.0) -> QueueSpeed:
    """A line of which so many a second were served since ``begin``."""
    pace = QueueSpeed()
    pace.began(begin)
    for number in range(1, int(per_s * seconds) + 1):
        pace.served(begin + number / per_s)
    return pace


def test_who_has_as_many_before_it_as_are_surely_served_in_its_time_may_wait() -> None:
    pace = moving(per_s=100, seconds=3)
    assert not pace.is_hopeless(79, 1.0, 0.0, 13.0)  # 100 - 2 sqrt(100)
    assert pace.is_hopeless(80, 1.0, 0.0, 13.0)


def test_what_was_served_longer_ago_than_one_may_wait_counts_no_more() -> None:
    pace = moving(per_s=100, seconds=3)
    assert not pace.is_hopeless(35, 1.0, 0.0, 13.495)
    assert pace.is_hopeless(36, 1.0, 0.0, 13.505)
    assert pace.is_hopeless(0, 1.0, 0.0, 20.0)


def test_a_line_that_has_just_begun_is_judged_by_what_slots_promise() -> None:
    pace = moving(per_s=1, seconds=0)
    assert not pace.is_hopeless(9, 1.0, 10.0, 10.1)
    assert pace.is_hopeless(10, 1.0, 10.0, 10.1)


def test_what_slots_promise_is_as_much_as_one_may_wait() -> None:
    pace = moving(per_s=1, seconds=0)
    for patience_s in (0.5, 2.0):
        served = int(10 * patience_s)
        assert not pace.is_hopeless(served - 1, patience_s, 10.0, 10.1)
        assert pace.is_hopeless(served, patience_s, 10.0, 10.1)


def test_nobody_is_sent_away_by_a_promise_that_is_not_known() -> None:
    assert not moving(per_s=1, seconds=0).is_hopeless(10_000, 1.0, 0.0, 10.1)
    assert not QueueSpeed().is_hopeless(10_000, 1.0, 1.0, 10.1)


def test_a_line_that_was_empty_meanwhile_begins_anew() -> None:
    pace = moving(per_s=2, seconds=5)
    assert pace.is_hopeless(2, 1.0, 0.0, 15.0)
    pace.began(15.0)
    assert not pace.is_hopeless(2, 1.0, 0.0, 15.1)


def test_a_line_that_moves_faster_than_times_are_kept_is_judged_by_those_kept() -> None:
    per_s = 10 * limits.LINE_SERVED_MAX
    pace = moving(per_s=per_s, seconds=2)
    assert not pace.is_hopeless(int(0.95 * per_s), 1.0, 0.0, 12.0)
    assert pace.is_hopeless(int(1.02 * per_s), 1.0, 0.0, 12.0)
    burst = moving(per_s=per_s, seconds=0.1, begin=0.0)
    assert not burst.is_hopeless(int(0.9 * limits.LINE_SERVED_MAX), 1.0, 0.0, 1.0)
    assert burst.is_hopeless(limits.LINE_SERVED_MAX, 1.0, 0.0, 1.0)
