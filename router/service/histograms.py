"""Latencies of requests, counted in fine buckets."""

from array import array
from bisect import bisect_left
from collections.abc import MutableSequence, Sequence
from functools import partial
from operator import add
from typing import Final

import msgspec

from router.model.latency import FINE_BOUNDS_S, FINE_BUCKETS, NO_COUNTS, quantile

_ZEROS: Final = bytes(8 * FINE_BUCKETS)


bucket_of: Final = partial(bisect_left, FINE_BOUNDS_S)
"""The bucket of `FINE_BOUNDS_S` for a number of seconds."""


class Histogram:
    """Counts per bucket of `FINE_BOUNDS_S` (not cumulative), their sum in seconds: 720 bytes."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts: MutableSequence[int] = array("Q", _ZEROS)
        self.sum_s = 0.0

    def observe(self, seconds: float) -> None:
        self.observe_all((seconds,))

    def observe_all(self, times_s: Sequence[float]) -> None:
        counts = self.counts
        if not any(times_s):
            counts[0] += len(times_s)
            return
        for bucket in map(bucket_of, times_s):
            counts[bucket] += 1
        self.sum_s += sum(times_s)

    @property
    def total(self) -> int:
        return sum(self.counts)

    def snapshot(self) -> "HistogramSnapshot":
        return HistogramSnapshot(counts=tuple(self.counts), sum_s=self.sum_s)


class HistogramSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    counts: tuple[int, ...]
    sum_s: float

    def quantile(self, share: float) -> float | None:
        """As `latency.quantile`."""
        return quantile(self.counts, share)


NONE_SEEN: Final = HistogramSnapshot(counts=NO_COUNTS, sum_s=0.0)


def sum_of(parts: Sequence[HistogramSnapshot]) -> HistogramSnapshot:
    """The sum of ``parts``, at least one."""
    if len(parts) == 1:
        return parts[0]
    counts = NO_COUNTS
    for part in parts:
        counts = tuple(map(add, counts, part.counts))
    return HistogramSnapshot(counts=counts, sum_s=sum(part.sum_s for part in parts))
