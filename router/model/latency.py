"""Buckets of every latency histogram, and what can be told from counts in them."""

from collections.abc import Sequence

LATENCY_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets of every histogram; one more bucket takes the rest."""


def quantile(counts: Sequence[int], share: float, sum_s: float) -> float | None:
    """Seconds that about ``share`` of the observations did not exceed.

    ``counts`` per bucket, ``sum_s`` of all observations: where most of what is not known lies in
    the bucket that is asked about, the sum tells where in it they are. None without observations.
    What lies beyond the last bound counts as that bound.
    """
    total = sum(counts)
    if not total:
        return None
    rank, below, lower = share * total, 0, 0.0
    for bound, count in zip(LATENCY_BOUNDS_S, counts, strict=False):
        if count and below + count >= rank:
            low, high = _spread(counts, sum_s, lower, bound)
            return low + (high - low) * max(0.0, rank - below) / count
        below += count
        lower = bound
    return lower


def _spread(counts: Sequence[int], sum_s: float, lower: float, upper: float) -> tuple[float, float]:
    """Between which bounds the observations of one bucket lie evenly, as far as the sum tells."""
    if counts[-1]:
        return lower, upper  # Who knows what those add to the sum.
    own, rest_s, doubt_s, at = 0, sum_s, 0.0, 0.0
    for bound, count in zip(LATENCY_BOUNDS_S, counts, strict=False):
        if bound == upper:
            own = count
        else:
            rest_s -= count * (at + bound) / 2
            doubt_s += count * (bound - at)
        at = bound
    if doubt_s > own * (upper - lower):
        return lower, upper
    mean = min(max(rest_s / own, lower), upper)
    reach = min(mean - lower, upper - mean)
    return mean - reach, mean + reach
