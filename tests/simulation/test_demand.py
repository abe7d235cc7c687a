"""Demand is within a fifth of what clients truly want, 5 s after it changed, in virtual time."""

import random
from collections.abc import Callable
from itertools import count

import pytest

from router.balance.demand import DemandFigures
from simulator.clients import Clients
from simulator.measure import SimulatedRequest
from tests.simulation.world import SERVICE, SimSite, World

SLOTS = 10
SETTLED_S, SEEN_S = 5, 10
CLOSE = 0.2
Pause = Callable[[random.Random], float]


def as_told(chance: random.Random) -> float:
    """As `Retry-After` says: 1 to 5 seconds."""
    return chance.randint(1, 5)


def at_once(_chance: random.Random) -> float:
    return 0.02


class Load:
    """Clients of a site; what they truly want at once is known."""

    def __init__(self, site: SimSite) -> None:
        self.site, self.network = site, site.network
        self.chance = random.Random(7)
        self.numbers = count()
        self.wanted = 0
        self.rate = 0.0
        self.answers: dict[int, int] = {}

    def loops(self, clients: int, pause: Pause, *, keeps: bool) -> None:
        """So many clients from now on, each of which asks again when it is answered."""
        before, self.wanted = self.wanted, clients
        for number in range(before, clients):
            self._ask(number, Clients(self.network, SERVICE.port, keeps, lambda _: None), pause)

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
        """So many a second from now on, about evenly, each a client that asks once."""
        was_idle, self.rate = not self.rate, per_s
        if was_idle:
            self._arrive()

    def _arrive(self) -> None:
        if not self.rate:
            return
        clients = Clients(self.network, SERVICE.port, False, lambda _: None)
        clients.ask(SimulatedRequest(next(self.numbers), "a", "shop", self.network.now()))
        self.network.call_at(
            self.network.now() + self.chance.uniform(0.5, 1.5) / self.rate, self._arrive
        )


def figures(site: SimSite) -> DemandFigures:
    scale = site.router.forwarder.scale_of(SERVICE)
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
    world = World(3, "a")
    site = world["a"]
    fields: dict[str, float] = {} if queue is None else {"queue": queue}
    site.declare("fill", None, None, **fields)
    site.serve(1, SLOTS, service_s=service_s)
    world.run(3.0)
    return world, site, Load(site)


@pytest.mark.parametrize("queue", [0, None])
@pytest.mark.parametrize(
    ("service_s", "pause"),
    [(0.1, as_told), (1.0, as_told), (4.0, as_told), (0.1, at_once), (1.0, at_once)],
)
def test_clients_that_ask_again_count_once(
    service_s: float, pause: Pause, queue: int | None
) -> None:
    world, site, load = site_of(service_s, queue)
    for clients in (8, 40, 20, 8, 30):
        load.loops(clients, pause, keeps=True)
        for value in seen(world, site):
            assert value == pytest.approx(clients, rel=CLOSE), clients
    if queue == 0 or service_s >= 1.0:  # Shorter requests all find a place in the default queue.
        assert load.answers.get(503, 0) > 10
    load.loops(0, pause, keeps=True)
    world.run(20.0)
    assert (figures(site).demand, figures(site).demand_avg) == (0, 0.0)


@pytest.mark.parametrize("queue", [0, None])
@pytest.mark.parametrize("service_s", [0.1, 0.5, 2.0])
def test_clients_that_ask_once_count_for_as_long_as_they_would_be_served(
    service_s: float, queue: int | None
) -> None:
    world, site, load = site_of(service_s, queue)
    for wanted in (8, 40, 20, 8, 30):
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
