"""The planned actions of a model without sockets, in virtual time."""

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf


class EventQueue:
    """Base of a model: actions by time; actions of the same time in the order of planning."""

    def __init__(self) -> None:
        self._now = 0.0
        self._planned = 0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []

    @property
    def now(self) -> float:
        """Seconds of the scenario."""
        return self._now

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Plan ``action`` for ``when``."""
        self._planned += 1
        heappush(self._heap, (when, self._planned, action))

    def run_until(self, when: float) -> None:
        """Run all actions up to ``when``; with ``inf``, time stops at the last action."""
        while self._heap and self._heap[0][0] <= when:
            self._now, _, action = heappop(self._heap)
            action()
        if when != inf:
            self._now = max(self._now, when)
