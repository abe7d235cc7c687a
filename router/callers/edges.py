"""What one caller asked: requests, failures and latencies by service port and serving site."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from operator import sub

from router.model.ids import ServiceKey, SiteId
from router.model.latency import FINE_BOUNDS_S, FINE_BUCKETS
from router.model.limits import CALLER_STEPS

EdgeKey = tuple[ServiceKey, SiteId]
"""Which service port, and which site served it; empty: none did."""

_NO_COUNTS = bytes(8 * FINE_BUCKETS)
_NO_STEPS = bytes(4 * CALLER_STEPS)


class Edge:
    """Counted since the router started, and by step of the last day: some 5 KiB."""

    __slots__ = ("_asked", "_broken", "_marks", "_step", "counts", "failed", "requests")

    def __init__(self, step: int) -> None:
        """``step``: the number of the current one."""
        self.requests = self.failed = 0
        self.counts = array("Q", _NO_COUNTS)
        """Requests by latency, in fine buckets."""
        nothing = (0, 0, array("Q", _NO_COUNTS))
        self._marks = (nothing, nothing)  # At the begin of the last two minutes.
        self._asked, self._broken = array("I", _NO_STEPS), array("I", _NO_STEPS)
        self._step = step

    def observe(self, failed: bool, seconds: float) -> None:
        """A request is over."""
        self.requests += 1
        self.failed += failed
        self.counts[bisect_left(FINE_BOUNDS_S, seconds)] += 1
        at = self._step % CALLER_STEPS
        self._asked[at] += 1
        self._broken[at] += failed

    def add(self, other: "Edge") -> None:
        """What was counted of the same caller, apart until its name was known."""
        self.requests += other.requests
        self.failed += other.failed
        for bucket, count in enumerate(other.counts):
            self.counts[bucket] += count
        at = self._step % CALLER_STEPS
        self._asked[at] += other.requests
        self._broken[at] += other.failed

    def turn(self) -> None:
        """A minute ends."""
        self._marks = (self._marks[1], (self.requests, self.failed, array("Q", self.counts)))

    def begin(self, step: int) -> None:
        """A step begins; those of a time in which nobody looked have no requests."""
        for number in range(max(self._step + 1, step - CALLER_STEPS + 1), step + 1):
            self._asked[number % CALLER_STEPS] = self._broken[number % CALLER_STEPS] = 0
        self._step = step

    def lately(self) -> tuple[int, int, tuple[int, ...]]:
        """Requests, failures and requests by latency since the begin of the minute before this."""
        requests, failed, counts = self._marks[0]
        recent = tuple(map(sub, self.counts, counts))
        return self.requests - requests, self.failed - failed, recent

    def past(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Requests and failures of each step of the last day, the current one last."""
        order = range(self._step - CALLER_STEPS + 1, self._step + 1)
        at = [number % CALLER_STEPS for number in order]
        return tuple(self._asked[n] for n in at), tuple(self._broken[n] for n in at)


class Edges:
    """All edges of one caller, or of connections whose caller is not known yet."""

    __slots__ = ("_by_key", "_may_add", "_overflow", "step")

    def __init__(
        self, step: int, may_add: Callable[[], bool], overflow: "Edges | None" = None
    ) -> None:
        """``may_add``: whether there is room for one more edge; if not, ``overflow`` counts it."""
        self._by_key: dict[EdgeKey, Edge] = {}
        self._may_add, self._overflow, self.step = may_add, overflow, step

    def count(self, key: ServiceKey, site: SiteId, failed: bool, seconds: float) -> None:
        """A request of this caller is over."""
        try:
            edge = self._by_key[key, site]
        except KeyError:
            edge = self._new(key, site)
        edge.observe(failed, seconds)

    def _new(self, key: ServiceKey, site: SiteId) -> Edge:
        if self._overflow is not None and not self._may_add():
            return self._overflow.edge(key, site)
        return self.edge(key, site)

    def edge(self, key: ServiceKey, site: SiteId) -> Edge:
        """The edge of that key, made if it is new."""
        edge = self._by_key.get((key, site))
        if edge is None:
            edge = self._by_key[key, site] = Edge(self.step)
        return edge

    def add(self, others: "Edges") -> None:
        """What was counted apart is this caller's."""
        for (key, site), other in others.items():
            (self._by_key.get((key, site)) or self._new(key, site)).add(other)

    def begin(self, step: int) -> None:
        """A step begins."""
        self.step = step
        for edge in self._by_key.values():
            edge.begin(step)

    def turn(self) -> None:
        """A minute ends."""
        for edge in self._by_key.values():
            edge.turn()

    def forget_idle(self) -> None:
        """Drop edges that had no request for a day."""
        self._by_key = {key: edge for key, edge in self._by_key.items() if any(edge.past()[0])}

    def items(self) -> Iterator[tuple[EdgeKey, Edge]]:
        """All, in no order."""
        return iter(self._by_key.items())

    def __len__(self) -> int:
        return len(self._by_key)
