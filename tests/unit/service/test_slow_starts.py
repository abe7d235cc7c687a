"""Slow starts at admission: waiting requests are served as slots come, and none is refused."""

import pytest

from router.balance.site.fair_queue import LOCAL_LINK, WaitingPlace
from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Slot
from router.model import limits
from router.model.capacity import LendingTerms, TargetTerms
from router.model.ids import SiteId
from router.service.admission import SlotAdmission
from router.service.slow_starts import SlowStarts
from tests.unit.exchange.fakes import FakeNetwork

NEW = "new:1"
HERE, NEXT = SiteId("here"), SiteId("next")
QUEUE = 6


class Client:
    """A waiting client. It is over when its slot is given back."""

    session = 0

    def __init__(self, link: SiteId = LOCAL_LINK, *, is_sheddable: bool = False) -> None:
        self.line = WaitingPlace(link, link)
        self.is_sheddable = is_sheddable
        self.slot: Slot | None = None
        self.turned_away = ""

    def granted(self, slot: Slot) -> None:
        self.slot = slot

    def expired(self) -> None:
        self.turned_away = "expired"

    def displaced(self) -> None:
        self.turned_away = "displaced"


class Place:
    """A site whose only target of 20 slots has just become ready, and starts slowly."""

    def __init__(self) -> None:
        self.network = FakeNetwork()
        self.ledger = LocalLedger()
        self.ledger.set_targets({NEW: TargetTerms(name="n", capacity=20)})
        self.ledger.set_ready(NEW, True)
        self.admission = SlotAdmission(self.ledger, lambda: QUEUE, self.network)
        self.starts = SlowStarts(self.ledger, self.network, self.admission.serve)
        self.starts.begin(NEW)

    def come(
        self,
        count: int,
        wait_s: float = 60.0,
        link: SiteId = LOCAL_LINK,
        *,
        is_sheddable: bool = False,
    ) -> list[Client]:
        clients = [Client(link, is_sheddable=is_sheddable) for _ in range(count)]
        for one in clients:
            taken = self.admission.admit(one, self.network.now() + wait_s)
            if isinstance(taken, Slot):
                one.slot = taken
            elif taken is not None:
                one.turned_away = taken.value
        self.network.run()
        return clients

    def pass_s(self, seconds: float) -> None:
        self.network.advance(seconds)


def served(clients: list[Client]) -> int:
    return sum(one.slot is not None for one in clients)


def test_who_waits_is_served_as_slots_come() -> None:
    place = Place()
    clients = place.come(8)
    assert served(clients) == limits.SLOW_START_SLOTS
    place.pass_s(1.01)
    assert served(clients) == 2 * limits.SLOW_START_SLOTS
    place.pass_s(1.01)
    assert served(clients) == 8


def test_a_fault_of_ours_ends_no_slow_start() -> None:
    network, ledger, faults = FakeNetwork(), LocalLedger(), [LookupError("a fault of ours")]

    def grew() -> None:
        if faults:
            raise faults.pop()

    ledger.set_targets({NEW: TargetTerms(name="n", capacity=20)})
    ledger.set_ready(NEW, True)
    SlowStarts(ledger, network, grew).begin(NEW)
    with pytest.raises(LookupError):
        network.advance(60.0)
    network.advance(60.0)
    assert not ledger.sums.is_starting


def test_whose_deadline_passes_is_served_and_so_are_all() -> None:
    place = Place()
    clients = place.come(2) + place.come(1, wait_s=0.1) + place.come(5)
    place.pass_s(0.11)
    assert served(clients) == 8
    assert not any(one.turned_away for one in clients)
    assert not place.ledger.sums.is_starting


@pytest.mark.parametrize("slots", [1, 2])
def test_a_neighbor_whose_deadline_passes_gets_its_share_and_no_more(slots: int) -> None:
    place = Place()
    place.ledger.set_lending(LendingTerms(max_share=slots / 20), HERE)
    clients = place.come(1, link=NEXT) + place.come(1)
    late = place.come(2, wait_s=0.1, link=NEXT)
    place.pass_s(0.11)
    assert not place.ledger.sums.is_starting
    lending = place.ledger.lending
    assert lending is not None
    assert lending.borrowers() == {NEXT: slots}
    assert served(clients + late) == 1 + slots
    assert [one.turned_away for one in late] == [""] * (slots - 1) + ["expired"] * (3 - slots)


@pytest.mark.parametrize("share", [0.1, 0.15])
def test_a_sheddable_request_whose_deadline_passes_gets_no_more_than_its_share(
    share: float,
) -> None:
    place = Place()
    place.ledger.set_sheddable_share(share)
    place.come(2)
    late = place.come(2, wait_s=0.1, is_sheddable=True)
    place.pass_s(0.11)
    assert served(late) == round(20 * share) - 2


def test_who_finds_the_queue_full_ends_the_slow_start() -> None:
    place = Place()
    clients = place.come(2 + QUEUE)
    assert served(clients) == 2
    clients += place.come(1)
    assert served(clients) == 3 + QUEUE
    assert not any(one.turned_away for one in clients)


def test_once_it_is_over_the_queue_has_its_bound_and_deadlines_hold() -> None:
    place = Place()
    place.ledger.end_slow_starts()
    clients = place.come(20 + QUEUE, wait_s=0.5)
    late = place.come(1)
    assert (served(clients), late[0].turned_away) == (20, "full")
    place.pass_s(0.6)
    assert sum(one.turned_away == "expired" for one in clients) == QUEUE


def test_the_timer_rests_once_all_slots_are_there() -> None:
    place = Place()
    place.pass_s(10.0)
    assert not place.ledger.sums.is_starting
    assert place.ledger.capacity == 20
