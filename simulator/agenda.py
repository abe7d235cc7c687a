"""What a model without sockets is about to do, in virtual time."""

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf


class Agenda:
    """Base of a model: actions by their moment; of one moment those that were planned first."""

    def __init__(self) -> None:
        self._now = 0.0
        self._planned = 0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []

    @property
    def now(self) -> float:
        """Seconds of the scenario."""
        return self._now

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Let ``action`` happen."""
        self._planned += 1
        heappush(self._heap, (when, self._planned, action))

    def run_until(self, when: float) -> None:
        """Let everything up to ``when`` happen; of ``inf`` the last action is now."""
        while self._heap and self._heap[0][0] <= when:
            self._now, _, action = heappop(self._heap)
            action()
        if when != inf:
            self._now = max(self._now, when)
