"""Which streams are reset when a site is put out or rights are withdrawn, and no others."""

from collections.abc import Callable, Set
from itertools import product
from typing import Any, cast

import pytest

from router.exchange.forwarder import Forwarder
from router.link.ports import OpenRequest, ResetCode
from router.model.capacity import LendingTerms
from router.model.ids import ServiceKey, SiteId
from router.model.specs import ServiceProtocol, ServiceSpec
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import (
    FakeMesh,
    FakeNetwork,
    FakeTarget,
    Ignored,
    Party,
    Site,
    candidate,
    router_of,
    site_of,
)
from tests.unit.exchange.test_departures import Log

SERVICES = {"shop": ServiceKey("shop", 80), "cart": ServiceKey("cart", 81)}
POST = b"POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: s\r\n"
Names = Set[tuple[str, str]]
"""Of services and sites."""


class Lost(Ignored):
    """Who opened a stream: notes how it was lost."""

    def __init__(self, losses: dict[tuple[str, str], str | None], at: tuple[str, str]) -> None:
        self._losses, self._at = losses, at

    def lost(self, cause: ResetCode | None) -> None:
        self._losses[self._at] = cause


class World:
    """At ``a``: of each service a client that is served by each site, and a stream of each other
    site, that of ``c`` waiting for a slot."""

    def __init__(self, protocol: ServiceProtocol = "http", *, is_watched: bool = False) -> None:
        self.network = FakeNetwork()
        self.mesh = FakeMesh(self.network)
        self.sites = {name: Site(self.network, self.mesh, name) for name in "abc"}
        self.a = self.sites["a"].forwarder
        self.clients: dict[tuple[str, str], Party] = {}
        self.lost: dict[tuple[str, str], str | None] = {}
        self.targets: dict[tuple[str, str], FakeTarget] = {}
        for (service, key), (number, site) in product(SERVICES.items(), enumerate("abc")):
            target = FakeTarget(self.network, f"10.0.{number}.1", key.port)
            self.targets[service, site] = target
            forwarder = self.sites[site].forwarder
            forwarder.set_service(key, ServiceSpec(ports=(key.port,), protocol=protocol))
        if is_watched:
            self.a.observing.set(Log(), None)
        where = {key: ("127.0.0.1", key.port) for key in SERVICES.values()}
        self.a.set_listeners(where)
        self.network.run()
        for service, site in product(SERVICES, "bca"):
            self._serve(service, site)
        for service, site in product(SERVICES, "bc"):
            self._bring(service, site)

    def _serve(self, service: str, site: str) -> None:
        """A client's request, at ``site``."""
        key = SERVICES[service]
        config = {str(self.targets[service, site]): TargetConfig(connector="t", capacity=2)}
        self.sites[site].forwarder.set_targets(key, config)
        self.network.run()
        self.a.ports.set_remotes(key, [candidate(site, capacity=2)] if site != "a" else [])
        client = self.sites["a"].connect("127.0.0.1", key.port)
        client.send(POST)
        self.network.run()
        self.clients[service, site] = client

    def _bring(self, service: str, ingress: str) -> None:
        key = SERVICES[service]
        request = OpenRequest(
            (router_of("a"),), key.name, key.port, "http", site_of(ingress), 60_000, 0, 0, GET
        )
        handler = cast(Any, Lost(self.lost, (service, ingress)))
        assert self.mesh.open_stream(request, handler, ends=True) is not None
        self.network.run()

    def over(self) -> tuple[Names, Names]:
        """Clients and streams that were cut off; none of them ended by itself."""
        self.network.run()
        failed = {at for at, client in self.clients.items() if client.got}
        assert all(b"Spillway-Error: link-lost" in self.clients[at].got for at in failed)
        assert set(self.lost.values()) <= {"internal"}
        return failed, set(self.lost)

    def in_flight(self) -> dict[str, int]:
        return {name: self.sites["a"].in_flight(key) for name, key in SERVICES.items()}


Act = Callable[[Forwarder], None]


def put_out(*sites: str) -> Act:
    return lambda a: a.put_out({site_of(site) for site in sites})


def withdraw(offers: Names = frozenset(), calls: Names = frozenset()) -> Act:
    """By service and site."""
    ours, theirs = ({(service, site_of(site)) for service, site in one} for one in (offers, calls))
    return lambda a: a.withdraw(ours, theirs)


@pytest.mark.parametrize("is_watched", [False, True])
@pytest.mark.parametrize(
    ("act", "clients", "streams"),
    [
        (put_out(), set(), set()),
        (put_out("b"), {("shop", "b"), ("cart", "b")}, {("shop", "b"), ("cart", "b")}),
        (put_out("c"), {("shop", "c"), ("cart", "c")}, {("shop", "c"), ("cart", "c")}),
        (put_out("b", "c"), set(product(SERVICES, "bc")), set(product(SERVICES, "bc"))),
        (put_out("d"), set(), set()),
        (withdraw(), set(), set()),
        (withdraw({("shop", "b")}), {("shop", "b")}, set()),
        (withdraw({("cart", "c"), ("shop", "d")}), {("cart", "c")}, set()),
        (withdraw(calls={("shop", "b")}), set(), {("shop", "b")}),
        (withdraw(calls={("cart", "c"), ("other", "b")}), set(), {("cart", "c")}),
        (withdraw({("shop", "c")}, {("cart", "b")}), {("shop", "c")}, {("cart", "b")}),
    ],
)
def test_what_is_under_way_of_those_sites_alone_is_reset(
    act: Act, clients: Names, streams: Names, is_watched: bool
) -> None:
    world = World(is_watched=is_watched)
    assert world.over() == (set(), set())
    assert world.in_flight() == {"shop": 2, "cart": 2}
    act(world.a)
    assert world.over() == (clients, streams)
    left = {service: set(product([service], "bc")) - streams for service in SERVICES}
    held = {service: 1 + bool(left[service]) for service in SERVICES}
    assert world.in_flight() == held, "who waited has the slot"


@pytest.mark.parametrize("is_watched", [False, True])
@pytest.mark.parametrize("protocol", ["http", "tcp"])
def test_requests_that_another_site_has_in_full_are_owed_an_answer_until_it_begins(
    protocol: ServiceProtocol, is_watched: bool
) -> None:
    world = World(protocol, is_watched=is_watched)
    owed = set(product(SERVICES, "bc")) if protocol == "http" else set()
    by_name = {(SERVICES[service], site_of(site)): 1 for service, site in owed}
    assert world.a.awaited_elsewhere() == by_name
    (party,) = [one for one in world.targets["cart", "b"].serving if one.got]
    party.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    world.network.run()
    by_name.pop((SERVICES["cart"], site_of("b")), None)
    assert world.a.awaited_elsewhere() == by_name


def test_what_is_lent_from_now_on_counts_those_who_hold_a_slot_already() -> None:
    world = World()

    def borrowers() -> list[dict[SiteId, int]]:
        figures = [one.lending for one in world.a.readings.services_snapshot()]
        return [{} if one is None else one.borrowers for one in figures]

    world.a.set_lending(SERVICES["shop"], LendingTerms(max_share=0.5))
    assert borrowers() == [{}, {site_of("b"): 1}]
    world.a.put_out({site_of("b")})
    world.network.run()
    assert borrowers() == [{}, {site_of("c"): 1}], "who waited has the slot"
    world.a.set_lending(SERVICES["shop"], None)
    world.a.set_lending(ServiceKey("other", 1), LendingTerms(max_share=0.5))
    assert borrowers() == [{}, {}]


def test_what_clients_have_under_way_is_a_flow_each() -> None:
    world = World()
    flows = list(world.a.flows())
    at = sorted((one.request.key.name, str(one.record.site)) for one in flows)
    assert at == sorted((service, site_of(site)) for service, site in world.clients)
    assert [len(list(world.a.flows(most))) for most in (0, 2, 99)] == [0, 2, 6]
