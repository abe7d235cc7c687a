"""Virtual time and its timers, for the networks in memory that tests of single rooms use."""

import heapq
import itertools
from collections.abc import Callable
from math import inf


class FakeTimer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class VirtualTime:
    """``time`` is now, in seconds. What a turn is, and what else is under way, subclasses say."""

    late_s = 0.0
    """After its time a timer goes off."""

    def __init__(self, time: float) -> None:
        self.time = time
        self._timers: list[tuple[float, int, FakeTimer]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self.time

    def call_at(self, when: float, callback: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    @property
    def pending_timers(self) -> int:
        return sum(1 for _, _, timer in self._timers if timer.callback is not None)

    @property
    def next_at(self) -> float:
        """When a timer, maybe a cancelled one, goes off; infinite: none."""
        return self._timers[0][0] if self._timers else inf

    def fire_first(self) -> bool:
        """The next timer goes off, at its time; False: it was cancelled."""
        when, _, timer = heapq.heappop(self._timers)
        self.time = max(self.time, when + self.late_s)
        callback, timer.callback = timer.callback, None
        if callback is not None:
            callback()
        return callback is not None
