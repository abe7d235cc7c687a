"""Plain-integer counters of one service port, read when somebody scrapes.

Counting is a dictionary update or a list increment; labels become text only in a snapshot.
"""

from bisect import bisect_left
from typing import Literal

import msgspec

LATENCY_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets of every histogram; one more bucket takes the rest."""

CodeClass = Literal["1xx", "2xx", "3xx", "4xx", "5xx", "ok", "error", "cancelled"]
"""How a request ended: for http by status, for tcp ``ok`` or ``error``; the client left."""

HTTP_CLASSES: tuple[CodeClass, ...] = ("1xx", "2xx", "3xx", "4xx", "5xx")

Verdict = Literal["chosen", "no-route", "all-full"]

_SHORTEST_S = LATENCY_BOUNDS_S[0]

SERVED_NOWHERE = ""
"""The site label of requests that no site took."""


class Histogram:
    """Counts per bucket of `LATENCY_BOUNDS_S` (not cumulative), their sum in seconds."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(LATENCY_BOUNDS_S) + 1)
        self.sum_s = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(LATENCY_BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    @property
    def total(self) -> int:
        return sum(self.counts)

    def observe_short(self, seconds: float) -> None:
        """As `observe`, faster where most are within the first bucket."""
        if seconds <= _SHORTEST_S:
            self.counts[0] += 1
        else:
            self.counts[bisect_left(LATENCY_BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    def snapshot(self) -> "HistogramSnapshot":
        return HistogramSnapshot(counts=tuple(self.counts), sum_s=self.sum_s)


class HistogramSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    counts: tuple[int, ...]
    sum_s: float


class CountersSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All counters of a service port.

    Keys are label values: (site, code class), (to, reason), (policy, verdict), phase.
    """

    requests: dict[tuple[str, str], HistogramSnapshot]
    overflow: dict[tuple[str, str], int]
    decisions: dict[tuple[str, str], int]
    queue_wait: HistogramSnapshot
    phases: dict[str, HistogramSnapshot]
    requests_total: int
    overflow_total: int


class ServiceCounters:
    """Counted once per request, at its ingress router, when it ends."""

    __slots__ = (
        "_decisions",
        "_network",
        "_overflow",
        "_queue",
        "_requests",
        "_target",
        "queue_wait",
    )

    def __init__(self) -> None:
        self._requests: dict[tuple[str, CodeClass], Histogram] = {}
        self._overflow: dict[tuple[str, str], int] = {}
        self._decisions: dict[tuple[str, str], int] = {}
        self.queue_wait = Histogram()
        self._queue = Histogram()
        self._network = Histogram()
        self._target = Histogram()

    def phases(self, queue_s: float, network_s: float, target_s: float) -> None:
        """Where the time of a request went that was dispatched; together all of it."""
        self._queue.observe_short(queue_s)
        self._network.observe_short(network_s)
        self._target.observe(target_s)

    def request(self, site_name: str, code_class: CodeClass, seconds: float) -> None:
        """A request ended that ``site_name`` served."""
        key = (site_name, code_class)
        histogram = self._requests.get(key)
        if histogram is None:
            histogram = self._requests[key] = Histogram()
        histogram.counts[bisect_left(LATENCY_BOUNDS_S, seconds)] += 1  # `observe`, in place.
        histogram.sum_s += seconds

    def overflowed(self, site_name: str, reason: str) -> None:
        """It was served at ``site_name`` since a cheaper candidate was full."""
        key = (site_name, reason)
        self._overflow[key] = self._overflow.get(key, 0) + 1

    def decided(self, policy: str, verdict: Verdict) -> None:
        """``policy`` is the one that decided: a service can change it while it runs."""
        key = (policy, verdict)
        self._decisions[key] = self._decisions.get(key, 0) + 1

    def snapshot(self) -> CountersSnapshot:
        return CountersSnapshot(
            requests={key: value.snapshot() for key, value in self._requests.items()},
            overflow=dict(self._overflow),
            decisions=dict(self._decisions),
            queue_wait=self.queue_wait.snapshot(),
            phases={
                "queue": self._queue.snapshot(),
                "network": self._network.snapshot(),
                "target": self._target.snapshot(),
            },
            requests_total=sum(value.total for value in self._requests.values()),
            overflow_total=sum(self._overflow.values()),
        )
