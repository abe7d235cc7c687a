"""Demand is within a fifth of what clients truly want, 5 s after it changed, in virtual time."""

import random
from collections.abc import Callable
from itertools import count

import pytest

from router.balance.learning.demand import DemandFigures
from router.model.specs import ListenerSpec, ServiceProtocol
from router.net.ports import Connection, ConnectionHandler, DialFailure, Loss
from simulator.runs.clients import Clients
from simulator.runs.measure import SimulatedRequest
from tests.simulation.world import SERVICE, SimSite, World

SLOTS = 10
SETTLED_S, SEEN_S = 5, 10
CLOSE = 0.2
Pause = Callable[[random.Random], float]


def as_told(chance: random.Random) -> float:
    """As `Retry-After` says: 1 to 5 seconds."""
    return chance.randint(1, 5)


def at_once(_chance: random.Random) -> float:
    return 0.05


def address(number: int) -> str:
    """Of client ``number``, another for each."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


class Load:
    """Clients of a site; their true demand at each moment is known."""

    def __init__(self, site: SimSite) -> None:
        self.site, self.network = site, site.network
        self.chance = random.Random(7)
        self.numbers = count()
        self.wanted = 0
        self.rate = 0.0
        self.answers: dict[int, int] = {}

    def loops(self, clients: int, pause: Pause) -> None:
        """So many clients from now on, each of which asks again when it is answered."""
        before, self.wanted = self.wanted, clients
        for number in range(before, clients):
            self._ask(number, self._client(number, keeps=True), pause)

    def _client(self, number: int, *, keeps: bool) -> Clients:
        return Clients(self.network, SERVICE.port, keeps, lambda _: None, address(number))

    def _ask(self, number: int, client: Clients, pause: Pause) -> None:
        if number >= self.wanted:
            return
        request = SimulatedRequest(next(self.numbers), "a", "shop", self.network.now())

        def done() -> None:
            self.answers[request.status] = self.answers.get(request.status, 0) + 1
            pause_s = pause(self.chance) if request.status != 200 else 0.001
            again_at = self.network.now() + pause_s
            self.network.call_at(again_at, lambda: self._ask(number, client, pause))

        client.ask(request, done)

    def arrivals(self, per_s: float) -> None:
        """So many a second from now on, about evenly, each another client, that asks once."""
        was_idle, self.rate = not self.rate, per_s
        if was_idle:
            self._arrive()

    def _arrive(self) -> None:
        if not self.rate:
            return
        number = next(self.numbers)
        request = SimulatedRequest(number, "a", "shop", self.network.now())
        self._client(number, keeps=False).ask(request)
        self.network.call_at(
            self.network.now() + self.chance.uniform(0.5, 1.5) / self.rate, self._arrive
        )


def figures(site: SimSite) -> DemandFigures:
    scale = site.router.readings.scale_of(SERVICE)
    assert scale is not None
    return scale.demand


def seen(world: World, site: SimSite) -> tuple[float, float]:
    """Means of demand and of its average, from 5 s after now on."""
    world.run(SETTLED_S)
    found = []
    for _ in range(4 * SEEN_S):
        found.append(figures(site))
        world.run(0.25)
    return (
        sum(one.demand for one in found) / len(found),
        sum(one.demand_avg for one in found) / len(found),
    )


def site_of(service_s: float, queue: int | None) -> tuple[World, SimSite, Load]:
    world, site = site_with("http", service_s, {} if queue is None else {"queue": queue})
    return world, site, Load(site)


def site_with(
    protocol: ServiceProtocol, service_s: float, fields: dict[str, float]
) -> tuple[World, SimSite]:
    world = World(3, "a")
    site = world["a"]
    site.listeners["shop"] = ListenerSpec(service="shop", listen=f"0.0.0.0:{SERVICE.port}")
    site.declare("fill", None, None, protocol, "", SERVICE, **fields)
    site.serve(1, SLOTS, service_s=service_s)
    world.run(3.0)
    return world, site


@pytest.mark.parametrize("queue", [0, None])
@pytest.mark.parametrize(
    ("service_s", "pause"),
    [(0.1, as_told), (1.0, as_told), (4.0, as_told), (0.1, at_once), (1.0, at_once)],
)
def test_clients_that_ask_again_count_once(
    service_s: float, pause: Pause, queue: int | None
) -> None:
    world, site, load = site_of(service_s, queue)
    for clients in (8, 40, 20, 8):
        load.loops(clients, pause)
        for value in seen(world, site):
            assert value == pytest.approx(clients, rel=CLOSE), clients
    if queue == 0 or service_s >= 1.0:  # Shorter requests all find a place in the default queue.
        assert load.answers.get(503, 0) > 10
    load.loops(0, pause)
    world.run(20.0)
    assert (figures(site).demand, figures(site).demand_avg) == (0, 0.0)


@pytest.mark.parametrize("queue", [0, None])
@pytest.mark.parametrize("service_s", [0.2, 0.5, 2.0])
def test_clients_that_ask_once_count_for_as_long_as_they_would_be_served(
    service_s: float, queue: int | None
) -> None:
    world, site, load = site_of(service_s, queue)
    for wanted in (8, 40, 20, 8):
        load.arrivals(wanted / service_s)
        values = seen(world, site)
        most = wanted * (1 + CLOSE)
        if figures(site).queued > wanted - SLOTS > 0:
            most += figures(site).queued  # A queue that is never empty is not told from a burst.
        assert all(wanted * (1 - CLOSE) <= value <= most for value in values), (wanted, values)
        assert figures(site).demand_per_s == pytest.approx(wanted / service_s, rel=CLOSE)
    load.arrivals(0.0)
    world.run(20.0)
    assert (figures(site).demand, figures(site).demand_per_s) == (0, 0.0)


class Callers:
    """Clients of a tcp service, each from its own address or all from one.

    Each connects, asks, takes its answer and leaves; one that is turned away connects again
    ``pause_s`` later, from the same address.
    """

    def __init__(self, site: SimSite, pause_s: float, *, is_shared: bool) -> None:
        self.network, self.pause_s, self.is_shared = site.network, pause_s, is_shared
        self.wanted = self.refused = self.served = 0

    def set(self, clients: int) -> None:
        before, self.wanted = self.wanted, clients
        for number in range(before, clients):
            self.call(number)

    def call(self, number: int) -> None:
        if number >= self.wanted:
            return
        host = "127.0.0.1" if self.is_shared else address(number)

        def connected(connection: Connection) -> ConnectionHandler:
            return _Call(self, number, connection)

        def failed(failure: DialFailure) -> None:
            raise AssertionError(f"the listener takes connections: {failure.reason}")

        self.network.dial(host, SERVICE.port, connected, failed, timeout_s=5.0)

    def over(self, number: int, *, is_served: bool) -> None:
        self.served += is_served
        self.refused += not is_served
        again_at = self.network.now() + (0.001 if is_served else self.pause_s)
        self.network.call_at(again_at, lambda: self.call(number))


class _Call:
    def __init__(self, callers: Callers, number: int, connection: Connection) -> None:
        self._callers, self._number, self._connection = callers, number, connection
        self._is_served = False
        connection.send(b"GET / HTTP/1.1\r\nHost: simulated\r\n\r\n")

    def received(self, data: memoryview) -> None:
        self._is_served = True
        self._connection.finish()

    def ended(self) -> None:
        self._connection.finish()

    def writable(self) -> None:
        pass

    def lost(self, cause: Loss | None) -> None:
        self._callers.over(self._number, is_served=self._is_served)


@pytest.mark.parametrize("queue", [0, 10])
@pytest.mark.parametrize(("service_s", "pause_s"), [(0.5, 0.1), (2.0, 0.1), (4.0, 1.0)])
def test_tcp_clients_that_connect_again_count_once(
    service_s: float, pause_s: float, queue: int
) -> None:
    world, site = site_with("tcp", service_s, {"queue": queue})
    callers = Callers(site, pause_s, is_shared=False)
    for clients in (8, 40, 20, 8):
        callers.set(clients)
        for value in seen(world, site):
            assert value == pytest.approx(clients, rel=CLOSE), clients
    assert callers.refused > 10
    callers.set(0)
    world.run(30.0)
    assert (figures(site).demand, figures(site).demand_avg) == (0, 0.0)


@pytest.mark.parametrize(("service_s", "pause_s"), [(0.5, 0.1), (2.0, 0.1), (4.0, 1.0)])
def test_tcp_clients_of_one_address_never_count_for_more_than_they_are(
    service_s: float, pause_s: float
) -> None:
    world, site = site_with("tcp", service_s, {"queue": 0})
    callers = Callers(site, pause_s, is_shared=True)
    for clients in (40, 60):
        callers.set(clients)
        for value in seen(world, site):
            assert SLOTS < value <= clients
