"""Pending calls in order of time."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf

COMPACT_ABOVE = 64  # Cancelled entries are removed once they are this many and the larger half.


class PendingCall:
    """`ports.Timer`: one call of a `TimerHeap`. Cancelling drops the callback at once."""

    __slots__ = ("_heap", "callback")

    def __init__(self, heap: "TimerHeap", callback: Callable[[], None]) -> None:
        self._heap = heap
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        if self.callback is not None:
            self.callback = None
            self._heap.entry_cancelled()


class TimerHeap:
    """Calls ordered by time, those of one time by age. O(log n) each; cancelling is O(1).

    ``next_at``: nothing is due before; maybe later, if the call due then was cancelled.
    """

    __slots__ = ("_cancelled", "_entries", "_number", "next_at")

    def __init__(self) -> None:
        # Time, number, call. Tuples: numbers differ, so no `__lt__` of ours is called.
        self._entries: list[tuple[float, int, PendingCall]] = []
        self._number = 0
        self._cancelled = 0
        self.next_at = inf

    def add(self, when: float, callback: Callable[[], None]) -> PendingCall:
        self._number += 1
        call = PendingCall(self, callback)
        heappush(self._entries, (when, self._number, call))
        if when < self.next_at:
            self.next_at = when
        return call

    def earliest(self) -> float | None:
        """When the next call is due; None: none pending."""
        entries = self._entries
        while entries and entries[0][2].callback is None:
            heappop(entries)
            self._cancelled -= 1
        self.next_at = entries[0][0] if entries else inf
        return entries[0][0] if entries else None

    def newest(self) -> int:
        """The number of the last entry added: a bound for `pop_due`."""
        return self._number

    def pop_due(self, now: float, newest: int) -> Callable[[], None] | None:
        """The next callback due at ``now``, of entries up to ``newest``; None: no more."""
        due = self.earliest()
        if due is None or due > now or self._entries[0][1] > newest:
            return None
        call = heappop(self._entries)[2]
        callback, call.callback = call.callback, None
        return callback  # `next_at` stays that call's until the next check.

    def entry_cancelled(self) -> None:
        """An entry was cancelled; remove all cancelled ones when they are most of the heap."""
        self._cancelled += 1
        if self._cancelled > COMPACT_ABOVE and self._cancelled * 2 > len(self._entries):
            self._entries = [entry for entry in self._entries if entry[2].callback is not None]
            heapify(self._entries)
            self._cancelled = 0
