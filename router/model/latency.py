"""Buckets of every latency histogram, and the quantiles computed from them."""

from collections.abc import Sequence
from itertools import pairwise

LATENCY_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets that `/metrics` shows; one more bucket takes the rest."""

_OF_A_DECADE = ("1", "1.2", "1.4", "1.7", "2.1", "2.5", "3", "3.6", "4.3", "5", "6", "7", "8.5")
"""Each is at most 1.25 times the one before; they include all bounds of `/metrics`."""

FINE_BOUNDS_S = (*(float(f"{m}e{e}") for e in range(-4, 2) for m in _OF_A_DECADE), 100.0)
"""Upper bounds of the buckets that count requests: 0.1 ms to 100 s, and one for the rest."""

FINE_BUCKETS = len(FINE_BOUNDS_S) + 1

NO_COUNTS = (0,) * FINE_BUCKETS

_EDGES = (0, *(FINE_BOUNDS_S.index(bound) + 1 for bound in LATENCY_BOUNDS_S), FINE_BUCKETS)


FIRST_S, LAST_S = FINE_BOUNDS_S[0], FINE_BOUNDS_S[-2]
"""A quantile of 0 means at most the first value; one above the second value took longer than that,
perhaps hours."""


def shown(seconds: float) -> float:
    """``seconds`` with two digits, the precision of a bucket."""
    return float(f"{seconds:.2g}")


_TOLD_S = (0.0, *FINE_BOUNDS_S[1:], FINE_BOUNDS_S[-1])
"""The shown latency of each bucket: its upper bound; 0 for the first bucket."""


def coarse(counts: Sequence[int]) -> tuple[int, ...]:
    """Fine-bucket counts added up to the buckets of `/metrics`."""
    return tuple([sum(counts[begin:end]) for begin, end in pairwise(_EDGES)])


def quantile(counts: Sequence[int], share: float) -> float | None:
    """Seconds that ``share`` of the observations did not exceed: the end of a bucket.

    So the result is up to a quarter above the exact value. ``counts`` in fine buckets; None without
    observations. Values up to the first bound count as 0, values above the last bound as that
    bound.
    """
    total = sum(counts)
    if not total:
        return None
    rank, seen = share * total, 0
    for count, told_s in zip(counts, _TOLD_S, strict=True):
        seen += count
        if count and seen >= rank:
            return told_s
    return _TOLD_S[-1]
