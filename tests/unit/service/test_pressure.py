"""A router that is short of memory starts no new requests, and finishes those under way."""

from router.model.ids import ServiceKey
from router.model.specs import ServiceSpec
from router.net.ports import Address
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import FakeTarget, answer_ok
from tests.unit.exchange.test_forwarder_http import GET, Shop

LINE = ServiceKey("line", 9000)


def test_clients_get_503_at_once_and_what_is_under_way_is_served() -> None:
    shop = Shop(here=10, answer=None)
    first = shop.client()
    shop.a.memory.refuse_new(True)
    second = shop.client()
    assert shop.status(second) == 503
    assert b"Spillway-Error: overloaded" in second.got
    assert b"Retry-After:" in second.got
    assert (shop.a.memory.refused_total, shop.requests()) == (1, [1, 0, 0])
    (target,) = shop.targets["a"].serving
    answer_ok(target)
    shop.network.run()
    assert shop.status(first) == 200
    assert shop.in_flight() == [0, 0, 0]


def test_a_calm_router_takes_requests_again() -> None:
    shop = Shop(here=10)
    shop.a.memory.refuse_new(True)
    assert shop.status(shop.client()) == 503
    shop.a.memory.refuse_new(False)
    assert shop.status(shop.client()) == 200


def test_streams_of_other_sites_are_refused_as_busy_and_go_elsewhere() -> None:
    shop = Shop()
    egress = shop.sites["b"].forwarder
    egress.memory.refuse_new(True)
    assert shop.status(shop.client(GET)) == 200
    assert (egress.memory.refused_total, shop.requests()) == (1, [0, 0, 1])
    assert shop.in_flight() == [0, 0, 0]


def test_connections_to_tcp_services_wait_in_the_backlog() -> None:
    shop = Shop()
    target = FakeTarget(shop.network, "10.0.0.9", 80, None)
    shop.a.set_service(LINE, ServiceSpec(ports=(9000,), protocol="tcp"))
    shop.a.set_targets(LINE, {str(target): TargetConfig(connector="main", capacity=1)})
    doors = {ServiceKey("shop", 8080): ("127.0.0.1", 8080), LINE: ("127.0.0.1", 9000)}
    shop.a.set_listeners(doors)
    shop.network.run()

    def paused() -> list[bool]:
        return [shop.network.is_paused(Address(*door)) for door in doors.values()]

    shop.a.memory.refuse_new(True)
    assert paused() == [False, True]
    shop.a.memory.refuse_new(False)
    assert paused() == [False, False]
