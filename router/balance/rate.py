"""Rates: how many requests a second are admitted, and what happens above. Pure; callers pass
``now``.

A `Gate` has two states. While *calm* it admits every request, in any pattern, until ``per_s`` x
``window_s`` have been admitted within a window. Then it is *over*: it admits ``per_s`` a second,
with a small reserve for uneven arrivals. It becomes calm again when ``stay_s`` have passed and
fewer than ``resume_per_s`` a second were asked for over a window. `RateDemand` counts all requests
asked for, admitted or not, so a gate cannot mistake the effect of its own limit for calm. Where the
routers of a site divide a rate, each judges its part by its share of what is asked of all of them:
one with few clients of its own is not calm while another one is over.

In either state no more than ``per_s`` x ``window_s`` are admitted in any window of ``window_s``.
"""

from collections import deque
from math import floor, inf

from router.model import limits
from router.model.capacity import Rate

_ROUNDING = 1e-9


class _Grain:
    """Arrivals within one grain of time; ``last`` is the time of the latest."""

    __slots__ = ("count", "first", "last")

    def __init__(self, now: float) -> None:
        self.first = self.last = now
        self.count = 1


class SlidingCount:
    """Counts arrivals within the last ``span_s``: never too few, in bounded memory.

    Arrivals closer than ``span_s`` / `limits.RATE_GRAINS` count as long as the latest of them;
    those farther apart are counted exactly. Amortized O(1).
    """

    __slots__ = ("_grain_s", "_grains", "_total", "span_s")

    def __init__(self, span_s: float) -> None:
        self.span_s = span_s
        self._grain_s = span_s / limits.RATE_GRAINS
        self._grains: deque[_Grain] = deque()
        self._total = 0

    def add(self, now: float) -> None:
        """Count one arrival now."""
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
        """Arrivals of the last ``span_s``."""
        grains, span_s = self._grains, self.span_s
        while grains and grains[0].last + span_s <= now:
            self._total -= grains.popleft().count
        return self._total

    def leaves_at(self, count: int) -> float:
        """When ``count`` of those now counted no longer count; infinite: there are not as many."""
        for one in self._grains:
            count -= one.count
            if count <= 0:
                return one.last + self.span_s
        return inf

    def set_span(self, span_s: float) -> None:
        """Change the window; arrivals that are still remembered count in the new one."""
        self.span_s = span_s
        self._grain_s = span_s / limits.RATE_GRAINS


class DemandBeside:
    """The demand at the other routers of this site. ``part``: this router's of the rate."""

    __slots__ = ("asked_per_s", "part")

    def __init__(self, asked_per_s: float, part: float) -> None:
        self.asked_per_s, self.part = asked_per_s, part


class RateDemand:
    """Requests asked for per second, over a window; counted once for all gates of that window.

    ``beside``: None: there is no other router, or what is asked of one is not known.
    """

    __slots__ = ("_asked", "_began", "_handed", "beside")

    def __init__(self, window_s: float, beside: DemandBeside | None = None) -> None:
        self.beside = beside
        self._asked = SlidingCount(window_s)
        self._handed = SlidingCount(window_s)
        self._began = inf

    def ask(self, now: float) -> None:
        """Count one more request."""
        if self._began == inf:
            self._began = now
        self._asked.add(now)

    def counted_s(self, now: float) -> float:
        """Seconds of the window that have been counted: less than the window soon after a rate was
        set.

        At least `limits.RATE_COUNTED_MIN_S`; counting begins with the first call or request.
        """
        self._began = min(self._began, now)
        return min(self._asked.span_s, max(limits.RATE_COUNTED_MIN_S, now - self._began))

    def hand(self, now: float) -> None:
        """The last request asked for came from another router of this site."""
        self._handed.add(now)

    def per_s(self, now: float) -> float:
        """Requests per second over the last window."""
        return self._asked.total(now) / self._asked.span_s

    def own_per_s(self, now: float) -> float:
        """The part of `per_s` that did not come from other routers of this site."""
        handed = self._handed.total(now)
        return max(0, self._asked.total(now) - handed) / self._asked.span_s

    def judged_per_s(self, now: float) -> float:
        """This router's part of what is asked of all routers of its site."""
        beside = self.beside
        if beside is None:
            return self.per_s(now)
        return (self.own_per_s(now) + beside.asked_per_s) * beside.part


class Gate:
    """Admits requests at a rate. ``share``: the part of ``demand`` that is asked of this gate."""

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

    _over_since: float
    """This and the next two are set while `is_over`."""
    _saved: float
    """Permits that may be taken at once."""
    _saved_at: float

    def __init__(self, rate: Rate, demand: RateDemand) -> None:
        self._admitted = SlidingCount(rate.window_s)
        self.is_over = False
        self.share = 1.0
        self.set_rate(rate, demand)

    def set_rate(self, rate: Rate, demand: RateDemand) -> None:
        """Change the rate from now on; requests admitted lately count in it."""
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
        if self.demand.judged_per_s(now) * self.share < self.rate.resume_per_s:
            self.is_over = self._admitted.total(now) >= self._limit

    def free(self, now: float) -> int:
        """How many requests would be admitted now."""
        self._catch_up(now)
        left = self._limit - self._admitted.total(now)
        if self.is_over:
            left = min(left, floor(self._saved + _ROUNDING))
        return max(0, left)

    def take(self, now: float) -> None:
        """Admit one: `free` was at least 1."""
        assert self.free(now) >= 1, "more than the rate lets in"
        self._admitted.add(now)
        if self.is_over:
            self._saved -= 1.0
        elif self._admitted.total(now) >= self._limit:
            self._go_over(now)

    def free_at(self, now: float) -> float:
        """When the next request can be admitted: ``now``, or later."""
        if self.free(now):
            return now
        left = self._limit - self._admitted.total(now)
        at = now if left >= 1 else self._admitted.leaves_at(1 - left)
        if self.is_over:
            at = max(at, self._saved_at + (1.0 - self._saved) / self.rate.per_s)
        return at

    def used(self, now: float) -> float:
        """The share of the window that is used up, 0 to 1."""
        return self._admitted.total(now) / self._limit

    def admitted_per_s(self, now: float) -> float:
        """Requests admitted per second over the last window."""
        return self._admitted.total(now) / self.rate.window_s

    def own_asked_per_s(self, now: float) -> float:
        """Requests asked for per second over the last window, without those that other routers of
        this site brought.
        """
        return self.demand.own_per_s(now) * self.share

    def _go_over(self, now: float) -> None:
        self.is_over = True
        self._over_since = self._saved_at = now
        self._saved = 0.0
