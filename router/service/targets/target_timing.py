"""How long targets of this site take to answer: which requests are timed, and where the
times go.
"""

from collections.abc import Callable, Mapping
from math import inf
from typing import Protocol

from router.balance.learning.knees import Knees, LatencyLevel
from router.balance.site.slots import Slot
from router.model import limits
from router.model.requests import Request
from router.net.ports import Network
from router.service.learning import Learning
from router.service.ports import LegCode, TargetConfig

LAST_GOOD_STATUS = 399
"""Answers above are often quicker than the work would be: they do not measure it."""
TOO_MANY_REQUESTS = 429
EJECTING_STATUSES = frozenset((502, 503, 504))
Compare = Callable[[str, float | None, int, float], None]
"""Target, latency in seconds (None: it was too busy), in flight there with it, and when."""
OVERLOAD_CODES: frozenset[LegCode] = frozenset(("connect-failed", "target-timeout", "target-reset"))


class TimingSink(Protocol):
    """Gets the results of timed requests."""

    def answered(self, target: str, latency_s: float, in_flight: int) -> None:
        """A good answer began ``latency_s`` after the target had the whole request."""

    def failed(self, target: str) -> None:
        """The target gave no answer, or one that ejects."""

    def too_busy(self, target: str, in_flight: int) -> None:
        """The target answered "too busy", which does not eject it."""


class TargetTiming:
    """Times one attempt: from when its target has the whole request to the final head.

    Not the body, which a slow client stretches. A time in which this process stood still is no
    sample: it is not the target's. An answer that comes before the request is whole (a
    stream both ways) and one that becomes a tunnel (101) are no samples. Whether an answer of
    HTTP/2 is good may be in its trailers (a gRPC status): its sample waits for its end.
    """

    __slots__ = (
        "_asked_at",
        "_in_flight",
        "_is_held",
        "_is_whole",
        "_may_have_trailers",
        "_network",
        "_sink",
        "_slot",
        "_took_s",
    )

    def __init__(self, sink: TimingSink, network: Network, slot: Slot, request: Request) -> None:
        self._sink = sink
        self._network = network
        self._slot = slot
        self._is_whole = request.body_bytes == 0
        self._is_held = False
        self._asked_at = inf
        self._in_flight = 0
        self._may_have_trailers = request.protocol == "http2"
        self._took_s = -inf  # Until the head; the status is not final yet.

    def held(self) -> None:
        """The target has all of the request that has arrived so far."""
        self._is_held = True
        self._in_flight = self._slot.in_flight
        if self._is_whole:
            self._asked_at = self._network.now()

    def complete(self) -> None:
        """The request is whole."""
        if not self._is_whole:
            self._is_whole = True
            if self._is_held:
                self._asked_at = self._network.now()

    def answered(self, status: int) -> None:
        """A head came; ``status`` 0: it was not a final one."""
        if not status:
            return
        if status <= LAST_GOOD_STATUS:
            took_s = -inf
            if self._asked_at >= self._network.woke_late_at:
                took_s = self._network.now() - self._asked_at
            if self._may_have_trailers:
                self._took_s = took_s
            elif took_s >= 0:
                self._sink.answered(self._slot.target, took_s, self._in_flight)
        else:
            self._note_error(status)

    def ended(self, status: int) -> None:
        """The answer is over, or its client left; ``status`` is the one after its trailers."""
        took_s, self._took_s = self._took_s, -inf
        if took_s == -inf:
            return
        if status > LAST_GOOD_STATUS:
            self._note_error(status)
        elif took_s >= 0:
            self._sink.answered(self._slot.target, took_s, self._in_flight)

    def _note_error(self, status: int) -> None:
        if status == TOO_MANY_REQUESTS:
            self._sink.too_busy(self._slot.target, self._in_flight)
        elif status in EJECTING_STATUSES:
            self._sink.failed(self._slot.target)

    def failed(self, code: LegCode, *, blames: bool) -> None:
        """The attempt failed; ``blames``: by the target's fault."""
        if code == "connect-failed" or (blames and code in OVERLOAD_CODES):
            self._sink.failed(self._slot.target)


class _Sink:
    """Passes timed requests on for the choice of targets, some also for a target's knee; all go to
    `Learning`.
    """

    __slots__ = ("_compare", "_knees", "_learning", "_now")

    def __init__(
        self,
        learning: Learning,
        now: Callable[[], float],
        compare: Compare,
        knees: Knees | None = None,
    ) -> None:
        self._knees, self._learning, self._now = knees, learning, now
        self._compare = compare

    def answered(self, target: str, latency_s: float, in_flight: int) -> None:
        now = self._now()
        if self._knees is not None:
            self._knees.add(target, latency_s, in_flight, now)
        self._compare(target, latency_s, in_flight, now)
        self._learning.answered(target, latency_s, in_flight)

    def failed(self, target: str) -> None:
        self._learning.failed(target)

    def too_busy(self, target: str, in_flight: int) -> None:
        self._compare(target, None, in_flight, self._now())
        self._learning.too_busy(target, in_flight)


class Timings:
    """Which of a service port's requests are timed: those of learned targets, a few samples, and
    those for the choice of targets (`time_next`).

    Where ``wanted`` is None, the next request is not timed, which nearly always costs one check.
    """

    __slots__ = (
        "_compared",
        "_is_due",
        "_knees",
        "_learning",
        "_left",
        "_network",
        "_samples",
        "wanted",
    )

    def __init__(self, learning: Learning, network: Network, compare: Compare) -> None:
        self._learning = learning
        self._network = network
        self._knees = Knees()
        self._samples = _Sink(learning, network.now, compare, self._knees)
        self._compared = _Sink(learning, network.now, compare)
        self._left = 0
        self._is_due = False
        self.wanted: TimingSink | None = None
        """Gets the next request, which must `begin` or `take` it."""

    def set_targets(self, targets: Mapping[str, TargetConfig]) -> None:
        """Replace the targets; `Learning` already has them."""
        self._knees.set_targets(targets)
        self._decide()

    def returned(self, target: str) -> None:
        """A check found the target good again."""
        self._knees.forget(target)

    def sample(self) -> None:
        """Time the next few requests."""
        self._left = limits.KNEE_SAMPLES_AT_ONCE
        self._decide()

    def time_next(self) -> None:
        """Time the next one, for the choice of targets."""
        self._is_due = True
        if self._left == 0:
            self.wanted = self._compared

    def begin(self, slot: Slot, request: Request) -> TargetTiming:
        """Time the attempt that is about to begin."""
        return TargetTiming(self.take(), self._network, slot, request)

    def take(self) -> TimingSink:
        """The sink of the request that is about to begin."""
        sink = self.wanted
        assert sink is not None, "it is timed"
        if self._left or self._is_due:
            self._left = max(0, self._left - 1)
            self._is_due = False
            self._decide()
        return sink

    def latencies(self, target: str) -> list[list[LatencyLevel]]:
        """How long requests took, by how many were in flight: slices of time, oldest first."""
        return self._knees.slices(target, self._network.now())

    def _decide(self) -> None:
        if self._left:
            self.wanted = self._samples
        elif self._is_due:
            self.wanted = self._compared
        else:
            self.wanted = self._learning if self._learning.is_on else None
