"""The wall clock of this host: the times of monotonic moments, and whether it was set.

Other parts ask here whether it was set.
"""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from math import inf

from router.model.ticks import next_tick
from router.net.ports import Timer, Timers
from router.node.time_text import iso

STEADY_S = 0.5
"""Clocks may be slewed by this much before displayed times change."""
JUMP_S = 2.0
"""A clock that is ahead by more within a look was set, or the host slept; less is slewed."""
LOOK_S = 1.0
JUMPS_MAX = 64
"""Of older ones the moments before are shown later than they were."""


class WallClock:
    """The wall-clock time of a monotonic moment, as far as it was looked at then.

    A moment keeps the time that the clock showed, also when the host sleeps later, or its clock is
    set ahead: the monotonic one stands still meanwhile. If the clock is set back, the moments
    before move with it, so that times never run backwards.
    """

    __slots__ = ("_ahead_s", "_jumps", "_looked_at", "_now", "_set_s", "_timer", "_wall")

    def __init__(self, now: Callable[[], float], wall: Callable[[], float]) -> None:
        """``wall``: Unix seconds."""
        self._now = now
        self._wall = wall
        self._ahead_s = inf
        self._looked_at = inf
        self._jumps: deque[tuple[float, float]] = deque(maxlen=JUMPS_MAX)
        """The last look before each jump, and by how much the clock was ahead after it."""
        self._set_s = 0.0
        self._timer: Timer | None = None

    def watch(self, timers: Timers) -> None:
        """Look each second until `close`."""
        self.look()
        again = next_tick(timers.now(), LOOK_S)
        self._timer = timers.call_at(again, lambda: self.watch(timers))

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def look(self) -> None:
        """Notice whether the clock was set, or the host slept, since the last look."""
        now = self._now()
        ahead_s = self._wall() - now
        step_s = ahead_s - self._ahead_s
        if self._ahead_s == inf:
            self._ahead_s = ahead_s
        elif abs(step_s) > STEADY_S:
            self._ahead_s = ahead_s
            if abs(step_s) > JUMP_S:
                self._set_s += step_s
            if step_s > JUMP_S:
                self._jumps.append((self._looked_at, step_s))
            elif step_s < -JUMP_S:
                self._take_back(-step_s)
        self._looked_at = now

    def set_s(self) -> float:
        """Seconds by which the clock was set since the first look, all jumps together; ahead is
        positive. A host that slept looks the same: its monotonic clock slept too.
        """
        self.look()
        return self._set_s

    def _take_back(self, by_s: float) -> None:
        """A clock that was set ahead by mistake is set right: the jump never was."""
        while self._jumps and by_s > 0.0:
            at, step_s = self._jumps.pop()
            if step_s > by_s:
                self._jumps.append((at, step_s - by_s))
            by_s -= step_s

    def utc(self, moment: float, timespec: str = "seconds") -> str:
        """ISO 8601."""
        self.look()
        ahead_s = self._ahead_s
        if self._jumps:
            ahead_s -= sum(step_s for at, step_s in self._jumps if moment <= at)
        return iso(datetime.fromtimestamp(moment + ahead_s, UTC), timespec)
