"""Ways to targets whose settings change, also while requests are under way."""

from typing import get_args

import pytest
from msgspec.structs import replace

from router.http.http1.bytes_cache import BytesCache
from router.http.http1.responses import KnownResponses
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.model.settings import Timeouts
from router.model.specs import ServiceProtocol, ServiceSpec
from router.net.ports import Tls
from router.service.ports import TargetConfig
from router.service.targets.target_ways import TargetWays
from tests.unit.exchange.fakes import answer_ok
from tests.unit.exchange.fakes_http import FakeNetwork
from tests.unit.exchange.taken import RecordingTaker
from tests.unit.service.test_ejection import GET, KEY, Shop, is_silent
from tests.unit.service.test_http2_target import Server
from tests.unit.service.test_http_target import OK as HTTP_OK

OLD, NEW, ROTATED = (
    Tls(object(), b"", alpn, server_name=name)
    for alpn, name in ((("http/1.1",), ""), (("h2",), ""), (("h2",), "other"))
)


class SwitchedShop(Shop):
    """One target that has not answered a request when the service is reconfigured."""

    def __init__(self) -> None:
        super().__init__(is_silent, targets=1)
        self.configure(OLD, "http")
        self.client = self.send(GET)

    def configure(self, tls: Tls, protocol: ServiceProtocol) -> None:
        self.forwarder.set_service(KEY, ServiceSpec(ports=(8080,), protocol=protocol))
        config = TargetConfig(connector="main", tls=tls)
        self.forwarder.set_targets(KEY, {str(self.bad): config})
        self.network.advance(5.0)

    def reset(self) -> Tls | None:
        """Break the request's connection; the TLS settings of the next try."""
        self.answer = answer_ok
        next(party for party in self.bad.serving if party.got).abort()
        self.network.run()
        return self.network.dialed_tls[-1]


def test_what_is_under_way_in_a_switch_to_http2_is_tried_again_in_its_own_protocol() -> None:
    shop = SwitchedShop()
    shop.configure(NEW, "http2")
    assert shop.reset() == OLD
    assert shop.client.got.startswith(b"HTTP/1.1 200 ")


def test_former_credentials_are_not_used_once_others_have_come() -> None:
    shop = SwitchedShop()
    shop.configure(NEW, "http2")
    shop.configure(ROTATED, "http2")
    assert shop.reset() == ROTATED


def test_former_credentials_stay_while_nothing_else_changes() -> None:
    shop = SwitchedShop()
    shop.configure(NEW, "http2")
    shop.configure(NEW, "http2")
    assert shop.reset() == OLD


FIRST, SECOND = "10.0.0.1:80", "10.0.0.2:80"
PLAIN = TargetConfig(connector="main")
PROTOCOLS: tuple[ServiceProtocol, ...] = get_args(ServiceProtocol)


class HttpServer:
    """The target's end of one connection, as `Server` of HTTP/2."""

    def __init__(self, network: FakeNetwork) -> None:
        self.connection = network.connect()

    def turn(self) -> None: ...

    def answer(self, stream: int) -> None:
        self.connection.deliver(HTTP_OK)


class World:
    """Two targets of a service that the test configures."""

    def __init__(self) -> None:
        self.network = FakeNetwork()
        self.ways = TargetWays(self.network, "east", Timeouts(), KnownResponses(), BytesCache())
        self.ways.set_targets({FIRST: PLAIN, SECOND: PLAIN})

    def ask(
        self, protocol: ServiceProtocol, target: str = FIRST, *, from_client: bool = True
    ) -> RecordingTaker:
        """A request over the way that there is."""
        request = Request(
            key=ServiceKey("shop", 80),
            protocol=protocol,
            head=b"GET / HTTP/1.1\r\nHost: shop\r\n",
        )
        taker, way = RecordingTaker(), self.ways.by_protocol[protocol][target]
        leg = way.take(request, taker, from_client=from_client)
        if leg is not None:
            taker.connected(leg)
        else:
            taker.dial = way.dial(request, taker, from_client=from_client)
        return taker

    def server(self, protocol: ServiceProtocol) -> "Server | HttpServer":
        """The target's end of the oldest dial."""
        server = Server(self.network) if protocol == "http2" else HttpServer(self.network)
        server.turn()
        return server


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ("nothing", {"http", "http2"}),
        ("capacity", {"http", "http2"}),
        ("tls", set()),
        ("gone and back", set()),
        ("what heads may be", {"http", "http2", "tcp"}),
        ("time-outs", {"http2"}),
    ],
)
def test_a_way_is_made_again_where_what_it_was_made_with_has_changed(
    change: str, kept: set[str]
) -> None:
    world = World()
    ways = world.ways
    before = {
        one: (ways.by_protocol[one][FIRST], ways.by_protocol[one][SECOND]) for one in PROTOCOLS
    }
    if change == "what heads may be":
        ways.set_timeouts_and_known(Timeouts(), KnownResponses())
    elif change == "time-outs":
        ways.set_timeouts_and_known(Timeouts(response_s=9.0), KnownResponses())
    else:
        if change == "gone and back":
            ways.set_targets({SECOND: PLAIN})
        changes: dict[str, dict[str, object]] = {"capacity": {"capacity": 5}, "tls": {"tls": OLD}}
        config = replace(PLAIN, **changes.get(change, {}))
        ways.set_targets({FIRST: config, SECOND: PLAIN})
    now = {one: ways.by_protocol[one][FIRST] is before[one][0] for one in PROTOCOLS}
    assert {one for one, is_same in now.items() if is_same} == kept
    if change in ("tls", "gone and back"):
        assert ways.by_protocol["http"][SECOND] is before["http"][1], "the other one is as it was"


@pytest.mark.parametrize("protocol", ["http", "http2"])
def test_a_way_that_is_left_keeps_nothing_and_ends_what_it_has(protocol: ServiceProtocol) -> None:
    world = World()
    taker = world.ask(protocol)
    server = world.server(protocol)
    world.ways.set_targets({})
    server.answer(1)
    assert taker.last() == ("done", None)
    assert server.connection.is_finished() and world.ways.shed_idle() == 0


@pytest.mark.parametrize("from_clients", [[True, True], [False, False], [True, False, True]])
@pytest.mark.parametrize("protocol", ["http", "http2"])
def test_an_answer_for_another_site_names_this_hop_however_the_request_got_there(
    protocol: ServiceProtocol, from_clients: list[bool]
) -> None:
    world, vias = World(), list[bool]()
    server: Server | HttpServer | None = None
    via = b"Via: 1.1 east\r\n" if protocol == "http" else b"Via: 2.0 east\r\n"
    for number, from_client in enumerate(from_clients):  # The first over a new connection.
        taker = world.ask(protocol, from_client=from_client)
        server = server or world.server(protocol)
        server.turn()
        server.answer(2 * number + 1)
        (head,) = (event[1] for event in taker.events if event[0] == "head")
        assert isinstance(head, bytes)
        vias.append(via in head)
    assert vias == [not from_client for from_client in from_clients]


SERVED: list[tuple[ServiceProtocol, str, float]] = [
    ("http", FIRST, 0.5),
    ("http2", SECOND, 2.0),
    ("http", SECOND, 1.0),
]
"""Over which way a request went, and how long its target had it."""


def test_figures_of_all_ways_are_of_the_slowest_target_and_of_each_connection() -> None:
    world = World()
    ways = world.ways
    assert (ways.mean_s(), ways.shed_idle(), ways.awaited_count(FIRST)) == (0.0, 0, 0)
    world.ask("tcp")
    world.network.connect()
    assert (ways.mean_s(), ways.awaited_count(FIRST)) == (0.0, 0), "of tcp nothing is known"
    for protocol, target, took_s in SERVED:
        world.ask(protocol, target)
        server = world.server(protocol)
        world.network.time += took_s
        server.answer(1)
    assert ways.mean_s() == 2.0
    for protocol in PROTOCOLS:
        world.ask(protocol, SECOND)
    assert (ways.awaited_count(FIRST), ways.awaited_count(SECOND)) == (0, 2)
    assert ways.shed_idle() == 1, "that of the first target"
    assert ways.shed_idle() == 0
