"""What makes the legs to targets of this site: plain ones, or ones that are timed."""

from collections.abc import Callable, Mapping

from router.balance.knees import Knees, LatencyLevel
from router.balance.ledger import Slot
from router.forward.local import LocalParts, SlotLeg
from router.forward.ports import LegHandler, Request, TargetConfig
from router.forward.timed_leg import Learning, TimedLeg
from router.model import limits
from router.net.ports import Timers

LegMaker = Callable[[Request, LegHandler, Slot, LocalParts, bool], SlotLeg]
"""A started leg to the target of the slot; the arguments as of `LocalLeg`."""


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

    So who is not timed pays nothing: ``plain`` makes those. ``use`` is told what makes legs from
    now on.
    """

    __slots__ = ("_knees", "_learning", "_left", "_plain", "_sampled", "_timers", "_use", "_usual")

    def __init__(
        self,
        learning: Learning,
        timers: Timers,
        plain: LegMaker,
        use: Callable[[LegMaker], None],
    ) -> None:
        self._plain = plain
        self._learning = learning
        self._timers = timers
        self._use = use
        self._knees = Knees()
        self._sampled = _Sampled(self._knees, learning, timers)
        self._usual = plain
        self._left = 0

    def set_targets(self, targets: Mapping[str, TargetConfig]) -> None:
        """Which there are; `Learning` knows them already."""
        self._usual = self._make_learnt if self._learning.is_on else self._plain
        self._knees.set_targets(targets)
        self._use(self._usual)

    def returned(self, target: str) -> None:
        """A check found it good again."""
        self._knees.forget(target)

    def sample(self) -> None:
        """Time the next few requests."""
        self._left = limits.KNEE_SAMPLES_AT_ONCE
        self._use(self._make_sampled)

    def levels(self, target: str) -> list[LatencyLevel]:
        """How long requests took, by how many were in flight."""
        return self._knees.levels(target, self._timers.now())

    def _make_learnt(
        self,
        request: Request,
        handler: LegHandler,
        slot: Slot,
        parts: LocalParts,
        via_local: bool,
    ) -> SlotLeg:
        leg = TimedLeg(self._learning, self._timers, request, handler, slot, parts, via_local)
        leg.start()
        return leg

    def _make_sampled(
        self,
        request: Request,
        handler: LegHandler,
        slot: Slot,
        parts: LocalParts,
        via_local: bool,
    ) -> SlotLeg:
        self._left -= 1
        if not self._left:
            self._use(self._usual)
        leg = TimedLeg(self._sampled, self._timers, request, handler, slot, parts, via_local)
        leg.start()
        return leg
