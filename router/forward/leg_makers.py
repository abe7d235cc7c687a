"""What makes the legs to targets of this site: plain ones, or ones that are timed."""

from collections.abc import Callable, Mapping
from functools import partial

from router.balance.knees import Knees, Level
from router.balance.ledger import Slot
from router.forward.local import LocalLeg, LocalParts
from router.forward.ports import LegHandler, Request, TargetConfig
from router.forward.timed_leg import Learning, TimedLeg
from router.model import limits
from router.net.ports import Timers

LegMaker = Callable[[Request, LegHandler, Slot, LocalParts, bool], LocalLeg]
"""As the constructor of `LocalLeg`."""


class _Sampled:
    """Hears of the requests that are timed for a target's knee; whoever learns hears of all."""

    __slots__ = ("_knees", "_learning", "_timers")

    def __init__(self, knees: Knees, learning: Learning, timers: Timers) -> None:
        self._knees, self._learning, self._timers = knees, learning, timers

    def answered(self, target: str, latency_s: float, in_flight: int) -> None:
        self._knees.add(target, latency_s, in_flight, self._timers.now())
        self._learning.answered(target, latency_s, in_flight)

    def failed(self, target: str) -> None:
        self._learning.failed(target)


class LegMakers:
    """Chooses when targets change, or when a sample is wanted, and not per request.

    So who is not timed pays nothing. ``use`` is told what makes legs from now on.
    """

    __slots__ = ("_knees", "_learning", "_left", "_sampled", "_timers", "_use", "_usual")

    def __init__(self, learning: Learning, timers: Timers, use: Callable[[LegMaker], None]) -> None:
        self._learning = learning
        self._timers = timers
        self._use = use
        self._knees = Knees()
        self._sampled = _Sampled(self._knees, learning, timers)
        self._usual: LegMaker = LocalLeg
        self._left = 0

    def set_targets(self, targets: Mapping[str, TargetConfig]) -> None:
        """Which there are; `Learning` knows them already."""
        learns = self._learning.is_on
        self._usual = partial(TimedLeg, self._learning, self._timers) if learns else LocalLeg
        self._knees.set_targets(targets)
        self._use(self._usual)

    def returned(self, target: str) -> None:
        """A check found it good again."""
        self._knees.forget(target)

    def sample(self) -> None:
        """Time the next few requests."""
        self._left = limits.KNEE_SAMPLES_AT_ONCE
        self._use(self._make_sampled)

    def levels(self, target: str) -> list[Level]:
        """How long requests took, by how many were in flight."""
        return self._knees.levels(target, self._timers.now())

    def _make_sampled(
        self,
        request: Request,
        handler: LegHandler,
        slot: Slot,
        parts: LocalParts,
        via_local: bool,
    ) -> LocalLeg:
        self._left -= 1
        if not self._left:
            self._use(self._usual)
        return TimedLeg(self._sampled, self._timers, request, handler, slot, parts, via_local)
