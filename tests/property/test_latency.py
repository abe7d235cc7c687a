"""Latency quantiles and bucket counts."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from router.model.latency import FINE_BOUNDS_S, LATENCY_BOUNDS_S, coarse, shown
from router.service.histograms import Histogram

SECONDS = st.lists(st.floats(0.0, 120.0), min_size=1, max_size=60)


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
    bounds = (0.0, *FINE_BOUNDS_S)
    for lower, upper in zip(bounds, FINE_BOUNDS_S, strict=False):
        if lower < exact <= upper or exact == lower == 0.0:
            assert lower - 1e-9 <= found <= upper + 1e-9
            return
    assert found == FINE_BOUNDS_S[-1]


@given(SECONDS, st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_a_greater_share_takes_no_less(seconds: list[float], one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert told(seconds, less) <= told(seconds, more) + 1e-9


@given(st.floats(1.01 * FINE_BOUNDS_S[0], FINE_BOUNDS_S[-1]), st.integers(1, 500))
def test_a_quantile_is_an_upper_bound_and_no_finer_than_its_bucket(
    seconds: float, count: int
) -> None:
    for share in (0.5, 0.99):
        found = told([seconds] * count, share)
        assert seconds <= found <= 1.25 * seconds
        assert found == shown(found)
    upper = next(bound for bound in FINE_BOUNDS_S if seconds <= bound)
    assert told([upper] * count, 0.99) == told([seconds] * count, 0.99)


def test_buckets_are_fine_and_have_those_that_metrics_show() -> None:
    assert all(above <= 1.25 * bound for bound, above in pairwise(FINE_BOUNDS_S))
    assert set(LATENCY_BOUNDS_S) <= set(FINE_BOUNDS_S)


@given(SECONDS)
def test_metrics_show_every_observation_below_the_bounds_that_they_had(
    seconds: list[float],
) -> None:
    histogram = Histogram()
    for one in seconds:
        histogram.observe(one)
    counts = coarse(histogram.counts)
    assert sum(counts) == len(seconds)
    for below, bound in enumerate(LATENCY_BOUNDS_S, start=1):
        assert sum(counts[:below]) == sum(one <= bound for one in seconds)
