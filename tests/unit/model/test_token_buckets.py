"""Buckets by key: what one uses up is not lacking to another."""

from router.model.limits import EVENT_BUDGETS_MAX
from router.model.token_bucket import TokenBuckets

LOUD, QUIET = "loud", "quiet"


def test_a_key_has_a_burst_then_a_pace_and_takes_nothing_from_others() -> None:
    budgets = TokenBuckets(burst=3, per_s=0.5, kept_max=2)
    assert [budgets.take(LOUD, 0.0) for _ in range(5)] == [True, True, True, False, False]
    assert budgets.take(QUIET, 0.0)
    assert not budgets.take(LOUD, 1.0)
    assert budgets.take(LOUD, 2.0)
    assert not budgets.take(LOUD, 2.0)


def test_of_very_many_keys_the_one_that_was_silent_longest_is_forgotten() -> None:
    budgets = TokenBuckets(burst=1, per_s=0.001, kept_max=EVENT_BUDGETS_MAX)
    assert budgets.take(QUIET, 0.0) and budgets.take(LOUD, 0.0)
    for number in range(EVENT_BUDGETS_MAX - 1):
        assert budgets.take(str(number), 0.0)
        assert not budgets.take(LOUD, 0.0)
    assert budgets.take(QUIET, 0.0), "it has a new one"
