"""Services that came and went: they hold themselves, and are freed all the same."""

import gc

from router.model import limits
from router.model.ids import ServiceKey
from router.model.specs import ServiceSpec
from router.service.service import Service
from tests.unit.exchange.fakes import FakeMesh, FakeNetwork, Site


def services_alive() -> int:
    return sum(isinstance(one, Service) for one in gc.get_objects())


def test_of_services_that_came_and_went_some_hundreds_wait_for_the_collector() -> None:
    network = FakeNetwork()
    forwarder = Site(network, FakeMesh(network), "here").forwarder
    before, most = services_alive(), 0
    gc.disable()
    try:
        for time in range(6):
            keys = [ServiceKey(f"shop-{time}-{number}", 80) for number in range(400)]
            for key in keys:
                forwarder.set_service(key, ServiceSpec(ports=(80,)))
            for key in keys:
                forwarder.remove_service(key)
            network.run()
            forwarder.sample_demand()
            most = max(most, services_alive() - before)
    finally:
        gc.enable()
    assert most <= limits.SERVICES_GONE_MAX
