"""Virtual time."""

from collections.abc import Callable
from heapq import heappop, heappush

CALLS_AT_ONE_MOMENT_MAX = 50_000


class TimeStandsStill(Exception):
    """A caller is woken again and again at one moment: a deadline that is never met."""


class Call:
    """A pending call."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        self.action = None


class VirtualTime:
    """Seconds since the beginning, and calls in order; at one moment as they were asked for."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls = 0
        self._number = 0
        self._heap: list[tuple[float, int, Call]] = []

    def call_at(self, when: float, action: Callable[[], None]) -> Call:
        self._number += 1
        call = Call(action)
        heappush(self._heap, (max(when, self.now), self._number, call))
        return call

    def run(self, seconds: float) -> None:
        """Let that much time pass."""
        end = self.now + seconds
        moment = 0
        while self._heap and self._heap[0][0] <= end:
            when, _, call = heappop(self._heap)
            moment = moment + 1 if when == self.now else 0
            if moment > CALLS_AT_ONE_MOMENT_MAX:
                raise TimeStandsStill(f"at {when}")
            self.now = when
            if call.action is not None:
                self.calls += 1
                call.action()
        self.now = end
