"""Whatever is asked when: never more than the burst and what time brought."""

from hypothesis import given
from hypothesis import strategies as st

from router.model.token_bucket import TokenBucket
from tests.examples import histories

PAUSES_S = histories(st.floats(0.0, 3.0), 60)


@given(st.integers(1, 20), st.floats(0.1, 50.0), PAUSES_S)
def test_no_more_is_taken_than_the_burst_and_the_rate_allow(
    burst: int, per_s: float, pauses_s: list[float]
) -> None:
    bucket, now, taken = TokenBucket(burst, per_s, 0.0), 0.0, 0
    for pause_s in pauses_s:
        now += pause_s
        taken += bucket.take(now)
        assert taken <= burst + now * per_s + 1e-6


@given(st.integers(1, 20), st.floats(0.1, 50.0), PAUSES_S)
def test_whoever_waits_until_it_is_ready_gets_one(
    burst: int, per_s: float, pauses_s: list[float]
) -> None:
    """A deadline that came too soon would be set again at once, for ever."""
    bucket, now = TokenBucket(burst, per_s, 0.0), 0.0
    for pause_s in pauses_s:
        now += pause_s
        if not bucket.take(now):
            now = bucket.ready_at()
            assert bucket.take(now)


@given(st.integers(1, 20), histories(st.integers(0, 30), 30))
def test_what_is_earned_fills_it_up_to_the_burst(burst: int, earned: list[int]) -> None:
    bucket, left = TokenBucket(burst, 1.0, 0.0), burst
    for count in earned:
        assert bucket.take(0.0) is (left > 0)
        left = max(0, left - 1)
        bucket.earn(count)
        left = min(burst, left + count)
    assert bucket.is_full(0.0) is (left == burst)


@given(st.integers(1, 20), st.integers(0, 60))
def test_a_debt_is_at_most_a_burst(burst: int, times: int) -> None:
    bucket = TokenBucket(burst, 1.0, 0.0)
    for _ in range(times):
        bucket.overdraw(0.0)
    assert bucket.take(burst + 1.0)
