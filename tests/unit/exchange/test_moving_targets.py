"""Targets given by name, on the simulated network: spread, and followed when they move."""

import random
from collections import Counter

import pytest

from router.exchange.forwarder import Forwarder
from router.model import limits
from router.model.ids import ServiceKey
from router.model.settings import Health
from router.model.specs import ServiceSpec
from router.net.ports import Connection, ConnectionHandler, DialFailure, Loss
from router.net.simulated.internet import SimulatedInternet
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import FakeMesh, FakeNetwork, site_of

pytestmark = pytest.mark.usefixtures("lateness")

KEY = ServiceKey("shop", 8080)
NAME = "backend.internal"
GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"


class Server:
    """Answers every request with the last part of its address; keeps connections open."""

    def __init__(self, internet: SimulatedInternet, ip: str) -> None:
        self.open = 0
        self._name = ip[-1].encode()
        internet.host(ip).listen("0.0.0.0", 80, lambda connection: _Served(self, connection))

    def answer(self, connection: Connection) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + self._name)


class _Served:
    def __init__(self, server: Server, connection: Connection) -> None:
        self._server, self._connection = server, connection
        self._request = b""
        server.open += 1

    def received(self, data: memoryview) -> None:
        self._request += data  # It comes in pieces.
        if self._request.endswith(b"\r\n\r\n"):
            self._request = b""
            self._server.answer(self._connection)

    def ended(self) -> None:
        self._connection.finish()

    def writable(self) -> None: ...

    def lost(self, cause: Loss | None) -> None:
        self._server.open -= 1


class Client:
    """A connection kept alive over which one request after another goes."""

    def __init__(self, shop: "Shop") -> None:
        self._shop = shop
        self._connection: Connection | None = None
        self._answers = bytearray()
        shop.router.dial("127.0.0.1", 8080, self._connected, _refused, timeout_s=1.0)
        shop.wait(0.1)

    def _connected(self, connection: Connection) -> ConnectionHandler:
        self._connection = connection
        return self

    def ask(self) -> str:
        """Who answers one request."""
        assert self._connection is not None
        self._answers.clear()
        self._connection.send(GET)
        self._shop.wait(0.1)
        assert self._answers.startswith(b"HTTP/1.1 200"), bytes(self._answers)
        return chr(self._answers[-1])

    def received(self, data: memoryview) -> None:
        self._answers += data

    def ended(self) -> None: ...
    def writable(self) -> None: ...
    def lost(self, cause: Loss | None) -> None: ...


def _refused(failure: DialFailure) -> None:
    raise AssertionError(failure)


class Shop:
    """A router with one target, a name."""

    def __init__(self, *ips: str, interval_s: float = 1.0) -> None:
        self.internet = SimulatedInternet(1)
        self.router = self.internet.host("10.0.0.1")
        self.servers = {ip: Server(self.internet, ip) for ip in ips}
        self.internet.set_name(NAME, *ips)
        self.forwarder = Forwarder(
            self.router,
            FakeMesh(FakeNetwork()),
            site=site_of("a"),
            site_name="a",
            rng=random.Random(1),
            branch_to=lambda link, site: site,
        )
        self.forwarder.set_service(KEY, ServiceSpec(ports=(8080,), protocol="http"))
        health = Health(interval_s=interval_s)
        target = TargetConfig(connector="main", health=health)
        self.forwarder.set_targets(KEY, {f"{NAME}:80": target})
        self.forwarder.set_listeners({KEY: ("127.0.0.1", 8080)})
        self.wait(0.5)

    def wait(self, seconds: float) -> None:
        self.internet.run_until(self.internet.now + seconds)


def test_a_kept_connection_is_left_when_its_address_is_gone_from_the_name() -> None:
    shop = Shop("10.0.0.2", "10.0.0.3", interval_s=3_600)
    shop.internet.set_name(NAME, "10.0.0.2")
    client = Client(shop)
    assert {client.ask() for _ in range(20)} == {"2"}
    shop.internet.set_name(NAME, "10.0.0.3")
    assert {client.ask() for _ in range(20)} == {"3"}
    assert shop.servers["10.0.0.2"].open == 0


def test_a_name_of_no_address_any_more_breaks_no_kept_connection() -> None:
    shop = Shop("10.0.0.2", interval_s=3_600)
    client = Client(shop)
    assert client.ask() == "2"
    shop.internet.set_name(NAME)
    assert {client.ask() for _ in range(20)} == {"2"}


@pytest.mark.parametrize("count", [2, 3, 5])
def test_new_connections_are_spread_over_the_addresses(count: int) -> None:
    ips = [f"10.0.0.{number}" for number in range(2, 2 + count)]
    shop = Shop(*ips, interval_s=3_600)
    client = Client(shop)
    answers: Counter[str] = Counter()
    for _ in range(4 * count):
        answers[client.ask()] += 1
        shop.wait(limits.POOL_IDLE_S + 1)  # A kept connection ends, the next request dials.
    assert answers == {ip[-1]: 4 for ip in ips}
