"""Durations of recent requests, from counts of all that ended since the start. Pure."""

from collections.abc import Sequence
from operator import sub

from router.model.latency import NO_COUNTS, quantile
from router.model.limits import USUAL_REQUESTS_MIN


class RecentTimes:
    """Covers the requests since the second last `look`; a call with few new ones does not count.

    So slow requests of an hour ago are forgotten, and those that ended before everything hung are
    not.
    """

    __slots__ = ("_before", "_last")

    def __init__(self) -> None:
        self._before: Sequence[int] = NO_COUNTS
        self._last: Sequence[int] = NO_COUNTS

    def look(self, counts: Sequence[int]) -> None:
        """Call from time to time. ``counts``: of all requests, in buckets of `latency`."""
        if sum(counts) - sum(self._last) >= USUAL_REQUESTS_MIN:
            self._before, self._last = self._last, tuple(counts)

    def quantile(self, counts: Sequence[int], share: float) -> float | None:
        """Seconds that ``share`` of them took at most; None: none has ended. ``counts``: now."""
        return quantile(list(map(sub, counts, self._before)), share)
