"""A rate is over, or calm again, by time alone."""

from router.model import limits
from router.model.capacity import Rate
from router.model.settings import Health
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import answer_ok
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
