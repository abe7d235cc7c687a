"""A quantile is shown by the bound that it is known to be below, or above."""

import pytest

from router.model.latency import FINE_BOUNDS_S, FINE_BUCKETS, quantile
from sitectl.base import output


def told(seconds: float) -> str:
    """Of requests that all took ``seconds``."""
    counts = [0] * FINE_BUCKETS
    bucket = next((n for n, end in enumerate(FINE_BOUNDS_S) if seconds <= end), FINE_BUCKETS - 1)
    counts[bucket] = 7
    return output.quantile(quantile(counts, 0.5))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "<0.1 ms"),
        (0.0001, "<0.1 ms"),
        (0.00011, "<0.12 ms"),
        (0.048, "<50 ms"),
        (0.9, "<1 s"),
        (1.1, "<1.2 s"),
        (80.0, "<85 s"),
        (90.0, ">85 s"),
        (3_600.0, ">85 s"),
    ],
)
def test_the_truth_is_below_or_above_what_is_shown(seconds: float, shown: str) -> None:
    assert told(seconds) == shown


def test_without_requests_there_is_none() -> None:
    assert output.quantile(None) == "-"
