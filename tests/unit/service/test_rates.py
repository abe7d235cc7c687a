"""A rate is over, or calm again, by time alone."""

import pytest

from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Slot
from router.model import limits
from router.model.capacity import Rate, TargetTerms
from router.model.settings import Health
from router.service.ports import TargetConfig
from router.service.rate_watch import RateWatch
from tests.unit.exchange.fakes import FakeNetwork, answer_ok
from tests.unit.service.test_ejection import KEY, Shop

RATE = Rate(per_s=10.0, resume_per_s=5.0, window_s=1.0, stay_s=1.0)


def test_a_service_wakes_its_router_between_checks_only_while_it_has_a_rate() -> None:
    health = Health(interval_s=3_600)
    shop = Shop(answer_ok, targets=1, health=health)
    network, wakes = shop.network, []
    for rate in (None, RATE, None):
        config = TargetConfig(connector="main", rate=rate, health=health)
        shop.forwarder.set_targets(KEY, {str(shop.bad): config})
        network.advance(10.0)
        wakes.append(network.next_at <= network.now() + limits.RATE_LOOK_S)
    assert wakes == [False, True, False]


def test_a_fault_of_ours_ends_no_watch_of_a_rate() -> None:
    network, ledger, told = FakeNetwork(), LocalLedger(), list[float]()

    def changed() -> None:
        told.append(network.now())
        if len(told) == 1:
            raise LookupError("a fault of ours")

    ledger.set_targets({"a:1": TargetTerms(name="a", rate=RATE)})
    ledger.set_ready("a:1", True)
    RateWatch(ledger, network, changed).look(has_targets=True)
    with pytest.raises(LookupError):
        for _ in range(200):
            ledger.ask(network.now())
            slot = ledger.try_acquire(network.now())
            if isinstance(slot, Slot):
                ledger.give_back(slot)
            network.advance(0.05)
    network.advance(60.0)
    assert len(told) == 2, "it is over, and calm again"
