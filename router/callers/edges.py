"""Requests, failures and latencies of one caller, by service port and serving site."""

from array import array
from operator import sub

from router.model.ids import ServiceKey, SiteId
from router.model.latency import FINE_BUCKETS
from router.model.limits import CALLER_STEPS

EdgeKey = tuple[ServiceKey, SiteId]
"""A service port, and the site that served it; empty: no site did."""

_NO_COUNTS = bytes(8 * FINE_BUCKETS)
_NO_STEPS = bytes(4 * CALLER_STEPS)


class CallerTally:
    """Requests, failures, and requests by latency in fine buckets: some 800 bytes.

    `CallerOrigin.count` and `TargetCalls.count` update it in place.
    """

    __slots__ = ("counts", "failed", "requests")

    def __init__(self) -> None:
        self.requests = self.failed = 0
        self.counts = array("Q", _NO_COUNTS)


class Edge(CallerTally):
    """Counters since the router started, and by step of the last day: some 5 KiB."""

    __slots__ = ("_asked", "_base", "_broken", "_marks", "_step")

    def __init__(self, step: int) -> None:
        """``step``: the number of the current one."""
        super().__init__()
        nothing = (0, 0, array("Q", _NO_COUNTS))
        self._marks = (nothing, nothing)  # At the start of the last two minutes.
        self._asked, self._broken = array("I", _NO_STEPS), array("I", _NO_STEPS)
        self._step = step
        self._base = (0, 0)  # Requests and failures when the step began.

    def add(self, other: CallerTally) -> None:
        """Add the tally of a slice that turned out to be of the same caller."""
        self.requests += other.requests
        self.failed += other.failed
        for bucket, count in enumerate(other.counts):
            if count:
                self.counts[bucket] += count

    def turn(self) -> None:
        """A minute ends."""
        self._marks = (self._marks[1], (self.requests, self.failed, array("Q", self.counts)))

    def begin(self, step: int) -> None:
        """A step begins; steps that `Callers.look` missed get no requests."""
        at = self._step % CALLER_STEPS
        self._asked[at] = self.requests - self._base[0]
        self._broken[at] = self.failed - self._base[1]
        self._base = (self.requests, self.failed)
        for number in range(max(self._step + 1, step - CALLER_STEPS + 1), step + 1):
            self._asked[number % CALLER_STEPS] = self._broken[number % CALLER_STEPS] = 0
        self._step = step

    def lately(self) -> tuple[int, int, tuple[int, ...]]:
        """Requests, failures, and requests by latency since the start of the previous minute."""
        requests, failed, counts = self._marks[0]
        recent = tuple(map(sub, self.counts, counts))
        return self.requests - requests, self.failed - failed, recent

    def past(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Requests and failures of each step of the last day, the current one last."""
        at = self._step % CALLER_STEPS
        now = (self.requests - self._base[0], self.failed - self._base[1])
        return (
            (*self._asked[at + 1 :], *self._asked[:at], now[0]),
            (*self._broken[at + 1 :], *self._broken[:at], now[1]),
        )

    @property
    def is_idle(self) -> bool:
        """Whether the edge had no request for a day."""
        return self.requests == self._base[0] and not any(self._asked)

    def was_idle(self, steps: int) -> bool:
        """Whether the edge had no request in the last ``steps``, including the current one."""
        return not any(self.past()[0][-steps:])
