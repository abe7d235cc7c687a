"""What is told of latencies by counts in buckets and their sum."""

from hypothesis import given
from hypothesis import strategies as st

from router.forward.counters import Histogram
from router.model.latency import LATENCY_BOUNDS_S

SECONDS = st.lists(st.floats(0.0, 12.0), min_size=1, max_size=60)


def told(seconds: list[float], share: float) -> float:
    histogram = Histogram()
    for one in seconds:
        histogram.observe(one)
    found = histogram.snapshot().quantile(share)
    assert found is not None
    return found


@given(SECONDS, st.floats(0.01, 1.0))
def test_a_quantile_lies_in_the_bucket_of_the_observation_of_its_rank(
    seconds: list[float], share: float
) -> None:
    rank = share * len(seconds)
    found = told(seconds, share)
    ranked = sorted(seconds)
    exact = ranked[max(0, min(len(ranked), -int(-rank // 1)) - 1)]
    bounds = (0.0, *LATENCY_BOUNDS_S)
    for lower, upper in zip(bounds, LATENCY_BOUNDS_S, strict=False):
        if lower < exact <= upper or exact == lower == 0.0:
            assert lower - 1e-9 <= found <= upper + 1e-9
            return
    assert found == LATENCY_BOUNDS_S[-1]


@given(SECONDS, st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_a_greater_share_takes_no_less(seconds: list[float], one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert told(seconds, less) <= told(seconds, more) + 1e-9


@given(st.floats(0.0005, 9.9), st.integers(1, 500))
def test_the_median_of_requests_that_take_the_same_is_what_they_take(
    seconds: float, count: int
) -> None:
    assert abs(told([seconds] * count, 0.5) - seconds) < 1e-6
