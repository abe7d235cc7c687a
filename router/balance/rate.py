"""Rates: how many requests a second are let in, and what happens above. Pure; ``now`` is told.

A `Gate` has two states. While *calm* it lets in whatever comes, whatever its shape, until ``per_s``
x ``window_s`` have been let in within a window. Then it is *over*: they are let in at ``per_s``,
with a small reserve for those that come unevenly. It is calm again when ``stay_s`` have passed and
fewer than ``resume_per_s`` a second were asked for over a window: `RateDemand` counts what is asked
for, let in or not, so a gate cannot take its own holding back for calm.

In either state no more than ``per_s`` x ``window_s`` are let in in any window of ``window_s``.
"""

from collections import deque
from math import floor, inf

from router.model import limits
from router.model.capacity import Rate

_ROUNDING = 1e-9


class _Grain:
    """Some that came within a grain of time, ``last`` the latest of them."""

    __slots__ = ("count", "first", "last")

    def __init__(self, now: float) -> None:
        self.first = self.last = now
        self.count = 1


class SlidingCount:
    """How many came within the last ``span_s``: never fewer than did, in bounded memory.

    Those that come closer than ``span_s`` / `limits.RATE_GRAINS` count as long as the last of them;
    those farther apart are counted exactly. Amortised O(1).
    """

    __slots__ = ("_grain_s", "_grains", "_total", "span_s")

    def __init__(self, span_s: float) -> None:
        self.span_s = span_s
        self._grain_s = span_s / limits.RATE_GRAINS
        self._grains: deque[_Grain] = deque()
        self._total = 0

    def add(self, now: float) -> None:
        """One came now."""
        grains = self._grains
        self._total += 1
        if grains and now - grains[-1].first < self._grain_s:
            grains[-1].last = now
            grains[-1].count += 1
            return
        grains.append(_Grain(now))
        if len(grains) > limits.RATE_GRAINS:
            self.total(now)

    def total(self, now: float) -> int:
        """Those of the last ``span_s``."""
        grains, span_s = self._grains, self.span_s
        while grains and grains[0].last + span_s <= now:
            self._total -= grains.popleft().count
        return self._total

    def leaves_at(self, count: int) -> float:
        """When ``count`` of those now counted do so no more; infinite: there are not as many."""
        for one in self._grains:
            count -= one.count
            if count <= 0:
                return one.last + self.span_s
        return inf

    def set_span(self, span_s: float) -> None:
        """Another window; what is still remembered counts in it."""
        self.span_s = span_s
        self._grain_s = span_s / limits.RATE_GRAINS


class RateDemand:
    """What is asked for a second, over a window; counted once for all gates of that window."""

    __slots__ = ("_asked", "_began", "_handed")

    def __init__(self, window_s: float) -> None:
        self._asked = SlidingCount(window_s)
        self._handed = SlidingCount(window_s)
        self._began = inf

    def ask(self, now: float) -> None:
        """One more is asked for."""
        if self._began == inf:
            self._began = now
        self._asked.add(now)

    def counted_s(self, now: float) -> float:
        """How much of the window has been counted: less than all of it right after a rate was set.
        At least `limits.RATE_COUNTED_MIN_S`; counting begins with the first call or request."""
        self._began = min(self._began, now)
        return min(self._asked.span_s, max(limits.RATE_COUNTED_MIN_S, now - self._began))

    def hand(self, now: float) -> None:
        """The last one asked for came from another router of this site."""
        self._handed.add(now)

    def per_s(self, now: float) -> float:
        """Of the last window."""
        return self._asked.total(now) / self._asked.span_s

    def handed_per_s(self, now: float) -> float:
        """The part of it that came from other routers of this site."""
        return self._handed.total(now) / self._handed.span_s


class Gate:
    """Lets requests in at a rate. ``share``: of the ``demand``, how much is asked of this gate."""

    __slots__ = (
        "_admitted",
        "_burst",
        "_limit",
        "_over_since",
        "_saved",
        "_saved_at",
        "demand",
        "is_over",
        "rate",
        "share",
    )

    def __init__(self, rate: Rate, demand: RateDemand) -> None:
        self._admitted = SlidingCount(rate.window_s)
        self.is_over = False
        self.share = 1.0
        self._over_since = 0.0
        self._saved = 0.0  # While over: what may be let in at once.
        self._saved_at = 0.0
        self.set_rate(rate, demand)

    def set_rate(self, rate: Rate, demand: RateDemand) -> None:
        """Another rate from now on; what was let in lately counts in it."""
        self.rate = rate
        self.demand = demand
        self._admitted.set_span(rate.window_s)
        self._limit = max(1, floor(rate.per_s * rate.window_s + _ROUNDING))
        reserve = max(limits.RATE_RESERVE_MIN, self._limit * limits.RATE_RESERVE_SHARE)
        self._burst = min(float(self._limit), reserve)

    def _catch_up(self, now: float) -> None:
        """Bring the state up to ``now``."""
        if not self.is_over:
            if self._admitted.total(now) >= self._limit:
                self._go_over(now)  # The rate was lowered.
            return
        saved = self._saved + (now - self._saved_at) * self.rate.per_s
        self._saved, self._saved_at = min(saved, self._burst), now
        if now < self._over_since + self.rate.stay_s:
            return
        if self.asked_per_s(now) < self.rate.resume_per_s:
            self.is_over = self._admitted.total(now) >= self._limit

    def free(self, now: float) -> int:
        """How many would be let in now."""
        self._catch_up(now)
        left = self._limit - self._admitted.total(now)
        if self.is_over:
            left = min(left, floor(self._saved + _ROUNDING))
        return max(0, left)

    def take(self, now: float) -> None:
        """Let one in: `free` was 1 at least."""
        assert self.free(now) >= 1, "more than the rate lets in"
        self._admitted.add(now)
        if self.is_over:
            self._saved -= 1.0
        elif self._admitted.total(now) >= self._limit:
            self._go_over(now)

    def free_at(self, now: float) -> float:
        """When one can be let in next: ``now``, or later."""
        if self.free(now):
            return now
        left = self._limit - self._admitted.total(now)
        at = now if left >= 1 else self._admitted.leaves_at(1 - left)
        if self.is_over:
            at = max(at, self._saved_at + (1.0 - self._saved) / self.rate.per_s)
        return at

    def used(self, now: float) -> float:
        """Which share of the window is used up, 0 to 1."""
        return self._admitted.total(now) / self._limit

    def admitted_per_s(self, now: float) -> float:
        """Let in over the last window."""
        return self._admitted.total(now) / self.rate.window_s

    def asked_per_s(self, now: float) -> float:
        """Asked for over the last window."""
        return self.demand.per_s(now) * self.share

    def handed_per_s(self, now: float) -> float:
        """The part of it that came from other routers of this site."""
        return self.demand.handed_per_s(now) * self.share

    def _go_over(self, now: float) -> None:
        self.is_over = True
        self._over_since = self._saved_at = now
        self._saved = 0.0
