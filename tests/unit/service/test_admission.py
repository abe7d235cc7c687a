"""Requests that wait for targets with a rate are admitted as time passes; no others are woken."""

import pytest

from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Denied, Slot
from router.model.capacity import Rate, TargetTerms
from router.service.admission import SlotAdmission
from tests.unit.exchange.fakes import FakeNetwork
from tests.unit.service.test_slow_starts import Client, served

TARGET = "10.0.0.1:80"
RATE = Rate(per_s=10.0, resume_per_s=5.0, window_s=1.0, stay_s=1.0)


class Place:
    """A site with one target; 50 may wait."""

    def __init__(self, rate: Rate | None = RATE, capacity: int | None = None) -> None:
        self.network = FakeNetwork()
        self.ledger = LocalLedger()
        self.ledger.set_targets({TARGET: TargetTerms(name="t", capacity=capacity, rate=rate)})
        self.ledger.set_ready(TARGET, True)
        self.admission = SlotAdmission(self.ledger, lambda: 50, self.network)

    def come(self, count: int, wait_s: float = 60.0) -> list[Client]:
        clients = [Client() for _ in range(count)]
        for one in clients:
            self.ledger.ask(self.network.now())
            taken = self.admission.admit(one, self.network.now() + wait_s)
            if isinstance(taken, Slot):
                one.slot = taken
            elif taken is not None:
                one.turned_away = taken.value
        return clients


def test_who_waits_for_a_permit_is_let_in_when_it_comes_back_though_no_slot_does() -> None:
    place = Place()
    clients = place.come(60)
    at_first = served(clients)
    assert at_first == 10
    for second in range(1, 6):
        place.network.advance(1.0)
        assert abs(served(clients) - (10 + 10 * second)) <= 1
    assert served(clients) == 60 and place.admission.waiting == 0


def test_whose_deadline_comes_before_its_permit_is_told_so() -> None:
    place = Place()
    place.come(10)
    (hurried,) = place.come(1, wait_s=0.05)
    place.network.advance(0.06)
    assert (hurried.turned_away, hurried.slot) == ("expired", None)


@pytest.mark.parametrize("waits", [False, True])
def test_without_a_target_or_leave_to_wait_the_answer_comes_at_once(waits: bool) -> None:
    place = Place(rate=None, capacity=1)
    until = place.network.now() + 1.0 if waits else None
    assert isinstance(place.admission.admit(Client(), until), Slot)
    assert place.admission.admit(Client(), until) is (None if waits else Denied.FULL)
    place.ledger.set_ready(TARGET, False)
    assert place.admission.admit(Client(), until) is Denied.NO_TARGET


def test_deadlines_are_kept_whichever_came_first() -> None:
    place = Place(rate=None, capacity=1)
    place.come(1)
    late, soon, middle = (place.come(1, wait_s)[0] for wait_s in (3.0, 1.0, 2.0))
    gone = []
    for _ in range(3):
        place.network.advance(1.0)
        gone.append([one.turned_away for one in (soon, middle, late)].count("expired"))
    assert gone == [1, 2, 3]
    assert place.admission.waiting == 0 and place.network.pending_timers == 0
