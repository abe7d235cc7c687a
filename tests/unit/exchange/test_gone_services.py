"""Services that came and went: they hold themselves, and are freed all the same."""

import gc

import pytest

from router.model import limits
from router.model.ids import ServiceKey
from router.model.specs import ServiceSpec
from router.service.service import Service
from tests.unit.exchange.fakes import FakeMesh, FakeNetwork, Site, site_of
from tests.unit.exchange.test_forwarder_http import KEY as SHOP
from tests.unit.exchange.test_forwarder_http import Shop


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


def test_the_collector_is_called_for_so_many_that_are_over_and_not_for_those_that_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SERVICES_GONE_MAX", 10)
    calls: list[int] = []
    monkeypatch.setattr("router.exchange.service_ports.gc.collect", lambda: calls.append(1))
    shop = Shop(here=1, answer=None)
    shop.client()
    shop.a.remove_service(SHOP)  # Its client is waited for.
    for batch in range(1, 8):
        keys = [ServiceKey(f"shop-{batch}-{number}", 80) for number in range(3)]
        for key in keys:
            shop.a.set_service(key, ServiceSpec(ports=(80,)))
        for key in keys:
            shop.a.remove_service(key)
        shop.network.run()
        shop.a.ports.collect()
        assert len(calls) == batch // 4, "each ten of those that are over"
    assert shop.a.ports.removed() == {SHOP: {site_of("a"): 1}}
