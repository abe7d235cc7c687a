"""Learns how many requests the targets of a service port take at once."""

from collections.abc import Callable, Iterable, Mapping

from router.balance.learning.capacity_learning import Learner, LearntTarget
from router.balance.site.ledger import LocalLedger
from router.net.ports import Timers
from router.service.ports import TargetConfig


class Learning:
    """The learners of one service port's targets; passes their results to the ledger.

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
        """Some target's slots are learned."""

    def set_targets(self, targets: Mapping[str, TargetConfig]) -> None:
        """Replace the targets; those that stay keep their learners. The ledger already has them."""
        wanted = [target for target, config in targets.items() if config.auto]
        self._learners = {one: self._learners.get(one) or Learner(self._chance) for one in wanted}
        self.is_on = bool(self._learners)
        self._tell(wanted)

    def returned(self, target: str) -> None:
        """A check found the target good again."""
        learner = self._learners.get(target)
        if learner is not None:
            learner.returned(self._timers.now())
            self._tell((target,))

    def answered(self, target: str, latency_s: float, in_flight: int) -> None:
        """A good answer began ``latency_s`` after the target had the whole request."""
        learner = self._learners.get(target)
        if learner is not None and learner.answered(latency_s, in_flight, self._timers.now()):
            self._tell((target,))
            self._grew()

    def too_busy(self, target: str, in_flight: int) -> None:
        """The target answered "too busy"; ``in_flight`` does not matter."""
        self.failed(target)

    def failed(self, target: str) -> None:
        """The target gave no answer, or one that ejects."""
        learner = self._learners.get(target)
        if learner is not None and learner.failed(self._timers.now()):
            self._tell((target,))
            self._grew()

    def learnt(self, target: str) -> LearntTarget | None:
        """The learned figures of ``target``; None: its slots are not learned."""
        learner = self._learners.get(target)
        return None if learner is None else learner.learnt

    def _tell(self, targets: Iterable[str]) -> None:
        for target in targets:
            self._ledger.set_slots(target, self._learners[target].limit)
