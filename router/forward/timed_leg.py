"""Legs to targets whose slots are learnt: they time the answer, and a learner hears of it."""

from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Protocol

from router.balance.capacity_learning import Learner, LearntTarget
from router.balance.ledger import LocalLedger, Slot
from router.forward.local import LocalLeg, LocalParts
from router.forward.ports import LegFailure, LegHandler, Request, TargetConfig
from router.forward.replay import Replay
from router.net.ports import Buffer, Timers

LAST_GOOD_STATUS = 399
"""Answers above are often quicker than the work would be: they are no measure of it."""
BUSY_STATUSES = frozenset((429, 502, 503, 504))
OVERLOAD_CODES = frozenset(("connect-failed", "target-timeout", "target-reset"))


class Learning:
    """The learners of one service port's targets; it tells the ledger what they learn.

    ``grew`` is called when a limit changed: room may have appeared.
    """

    __slots__ = ("_chance", "_grew", "_learners", "_ledger", "_timers", "is_on")

    def __init__(
        self,
        ledger: LocalLedger,
        timers: Timers,
        chance: Callable[[], float],
        grew: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._timers = timers
        self._chance = chance
        self._grew = grew
        self._learners: dict[str, Learner] = {}
        self.is_on = False
        """Some target's slots are learnt."""

    def set_targets(self, targets: Mapping[str, TargetConfig]) -> None:
        """Which there are; those that stay keep what was learnt. The ledger knows them already."""
        wanted = [target for target, config in targets.items() if config.auto]
        self._learners = {one: self._learners.get(one) or Learner(self._chance) for one in wanted}
        self.is_on = bool(self._learners)
        self._tell(wanted)

    def returned(self, target: str) -> None:
        """A check found it good again."""
        learner = self._learners.get(target)
        if learner is not None:
            learner.returned(self._timers.now())
            self._tell((target,))

    def answered(self, target: str, latency_s: float, in_flight: int) -> None:
        """A good answer began so long after the target had the whole request."""
        learner = self._learners.get(target)
        if learner is not None and learner.answered(latency_s, in_flight, self._timers.now()):
            self._tell((target,))
            self._grew()

    def failed(self, target: str) -> None:
        """It gave no answer, or said that it is too busy."""
        learner = self._learners.get(target)
        if learner is not None and learner.failed(self._timers.now()):
            self._tell((target,))
            self._grew()

    def learnt(self, target: str) -> LearntTarget | None:
        """What is known of it; None: it is not learnt."""
        learner = self._learners.get(target)
        return None if learner is None else learner.learnt

    def _tell(self, targets: Iterable[str]) -> None:
        for target in targets:
            self._ledger.set_slots(target, self._learners[target].limit)


class Timing(Protocol):
    """Hears of requests that are timed."""

    def answered(self, target: str, latency_s: float, in_flight: int) -> None:
        """A good answer began so long after the target had the whole request."""

    def failed(self, target: str) -> None:
        """It gave no answer, or said that it is too busy."""


class TimedLeg(LocalLeg):
    """A `LocalLeg` that times its target: from when that has the whole request to its final head.

    Not the body, which a slow client stretches. What is answered before the request is whole (a
    stream both ways) and what becomes a tunnel (101) is no sample; both hold their slot as others.
    """

    __slots__ = ("_asked_at", "_in_flight", "_is_whole", "_learning", "_timers")

    def __init__(
        self,
        learning: Timing,
        timers: Timers,
        request: Request,
        handler: LegHandler,
        slot: Slot,
        parts: LocalParts,
        via_local: bool,
    ) -> None:
        super().__init__(request, handler, slot, parts, via_local)
        self._learning = learning
        self._timers = timers
        self._asked_at = inf
        self._in_flight = 0
        self._is_whole = self._request.body_bytes == 0

    def start(self) -> None:
        super().start()
        if self.is_opened:
            self._ask()

    def opened(self) -> None:
        self._ask()
        super().opened()

    def finish(self) -> None:
        if not self._is_whole:
            self._is_whole = True
            if self.is_opened:
                self._asked_at = self._timers.now()
        super().finish()

    def _ask(self) -> None:
        """The target has what there is of the request."""
        self._in_flight = self._slot.in_flight
        self._asked_at = self._timers.now() if self._is_whole else inf

    def whole(self, head: bytes, body_bytes: int, body: Buffer) -> None:
        self._note_head()
        super().whole(head, body_bytes, body)

    def head(self, head: bytes, body_bytes: int) -> None:
        self._note_head()
        super().head(head, body_bytes)

    def _note_head(self) -> None:
        leg = self._leg
        status = leg.status if leg is not None else 0
        if status:  # A final one; 101 and other interim ones leave it 0.
            if status <= LAST_GOOD_STATUS:
                took_s = self._timers.now() - self._asked_at
                if took_s >= 0:
                    self._learning.answered(self._slot.target, took_s, self._in_flight)
            elif status in BUSY_STATUSES:
                self._learning.failed(self._slot.target)

    def done(self, failure: LegFailure | None) -> None:
        leg = self._leg
        if (
            failure is not None
            and failure.code in OVERLOAD_CODES
            and (failure.code == "connect-failed" or (leg is not None and leg.blames_target))
        ):
            self._learning.failed(self._slot.target)
        super().done(failure)

    def _replay(self, held: Replay) -> None:
        self._asked_at = inf
        super()._replay(held)
