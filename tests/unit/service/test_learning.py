"""The ledger gives out the slots that targets learn, and each change is reported."""

import pytest

from router.balance.site.ledger import LocalLedger
from router.model import limits
from router.model.capacity import TargetTerms
from router.service.learning import Learning
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import FakeNetwork

LEARNT, OTHER, STATED = "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"
AUTO, FIXED = TargetConfig(connector="c", auto=True), TargetConfig(connector="c", capacity=7)


class World:
    """Targets whose slots are learnt, and one whose are not."""

    def __init__(self) -> None:
        self.network, self.ledger, self.grew = FakeNetwork(), LocalLedger(), 0
        self.learning = Learning(self.ledger, self.network, lambda: 0.5, self._grew)
        self.set({LEARNT: AUTO, OTHER: AUTO, STATED: FIXED})

    def _grew(self) -> None:
        self.grew += 1

    def set(self, targets: dict[str, TargetConfig]) -> None:
        self.ledger.set_targets(
            {
                target: TargetTerms(name="c", capacity=config.capacity, auto=config.auto)
                for target, config in targets.items()
            }
        )
        for target in targets:
            self.ledger.set_ready(target, True)
        self.learning.set_targets(targets)

    def slots(self) -> dict[str, int | None]:
        """Slots by target, from the ledger; checks that they equal the learnt ones."""
        found = {one.target: one.capacity for one in self.ledger.targets(self.network.now())}
        for target, slots in found.items():
            learnt = self.learning.learnt(target)
            assert learnt is None or learnt.slots == slots
        return found

    def fail(self, target: str, how: str, count: int = 3 * limits.LEARN_SAMPLES_MIN) -> None:
        for _ in range(count):
            self.network.time += 0.1
            if how == "too busy":
                self.learning.too_busy(target, 3)
            else:
                self.learning.failed(target)


FIRST = limits.LEARN_SLOTS_FIRST


def test_slots_are_learnt_where_that_is_asked_for_and_nowhere_else() -> None:
    world = World()
    assert world.slots() == {LEARNT: FIRST, OTHER: FIRST, STATED: 7}
    assert world.learning.is_on and world.learning.learnt(STATED) is None
    world.set({STATED: FIXED})
    assert not world.learning.is_on


@pytest.mark.parametrize("how", ["too busy", "failed"])
def test_a_target_that_fails_gets_less_and_each_change_is_told(how: str) -> None:
    world = World()
    world.fail(LEARNT, how)
    slots = world.slots()
    assert (slots[LEARNT] or 0) < FIRST and slots[OTHER] == FIRST and slots[STATED] == 7
    assert world.grew > 0
    grew = world.grew
    world.fail(STATED, how)
    world.learning.answered(STATED, 0.1, 3)
    world.learning.returned(STATED)
    assert world.slots() == slots and world.grew == grew, "it is not learnt"


def test_a_target_that_answers_as_quickly_with_more_gets_more_and_each_change_is_told() -> None:
    world, changes, before = World(), 0, FIRST
    for _ in range(3_000):
        world.network.time += 0.01
        at_once = before if world.network.time % 4 < 2 else 1
        world.learning.answered(LEARNT, 0.05, at_once)
        now = world.slots()[LEARNT] or 0
        changes += now != before
        before = now
    assert before > FIRST
    assert world.grew == changes > 0


def test_what_was_learnt_stays_while_a_target_does_and_half_of_it_when_it_comes_back() -> None:
    world = World()
    world.fail(LEARNT, "failed")
    slots = world.slots()
    world.set({LEARNT: AUTO, STATED: FIXED})
    assert world.slots()[LEARNT] == slots[LEARNT]
    for _ in range(3_000):
        world.network.time += 0.01
        at_once = (world.slots()[LEARNT] or 1) if world.network.time % 4 < 2 else 1
        world.learning.answered(LEARNT, 0.05, at_once)
    much = world.slots()[LEARNT] or 0
    world.learning.returned(LEARNT)
    assert max(FIRST, much // 2) - 1 <= (world.slots()[LEARNT] or 0) <= max(FIRST, much // 2) + 1
    world.set({STATED: FIXED})
    world.set({LEARNT: AUTO})
    assert world.slots()[LEARNT] == FIRST, "it is a new one"
