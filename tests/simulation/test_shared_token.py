"""Forty honest sites that one token let in, gateways among them: they fare as with one each."""

import random
from collections import Counter

import pytest

from router.routing import adjacent
from router.routing.core import RoutingCore
from tests.simulation.world import SERVICE, Answer, SimSite, World

SITES, EDGES = 40, 28
CHANGES = 2
KNOWN_S, STEP_S = 20.0, 0.05
RATE = 10.0


def all_know_all(world: World) -> bool:
    """Every site knows each site that has targets."""
    serving = {site.identity.site for site in world.sites.values() if site.connectors}
    return all(known_by(site) == serving for site in world.sites.values())


def known_by(site: SimSite) -> set[str]:
    found = site.router.readings.explain(SERVICE, site.network.now())
    return {one.site for one in found.candidates} if found is not None else set()


def life_of_a_fleet(token: str) -> tuple[list[float], list[Answer], SimSite]:
    """How long it took each time until all knew all; the answers of two of its sites."""
    names = [f"site-{number}" for number in range(SITES)]
    world = World(1, "hub", *names, edges=frozenset(names[:EDGES]), delay_s=0.005)
    chance = random.Random(1)
    hub, *fleet = world.sites.values()
    hub.credentials.token = token
    hub.declare()
    hub.serve(1, 100)
    took: list[float] = []

    def settle() -> None:
        began = world.internet.now
        while not all_know_all(world):
            world.run(STEP_S)
            assert world.internet.now < began + KNOWN_S
        took.append(world.internet.now - began)

    for site in fleet:
        site.serve(1, 2)
        site.link(hub, 1)
    settle()
    answers = [site.poisson(RATE, 2.0 * CHANGES, site.name) for site in (fleet[0], fleet[-1])]
    for _ in range(CHANGES):
        for site in chance.sample(fleet[1:-1], 5):
            site.kill()
            site.start()
        settle()
        world.run(1.0)
    hub.kill()
    world.run(0.5)
    hub.start()
    hub.credentials.token = token
    settle()
    return took, [one for each in answers for one in each], hub


def test_honest_sites_of_one_token_fare_as_with_a_token_each() -> None:
    alone, shared = life_of_a_fleet(""), life_of_a_fleet("fleet")
    assert shared[0] == alone[0]
    statuses = [Counter(one.status for one in answers) for _, answers, _ in (alone, shared)]
    assert statuses[0] == statuses[1] and statuses[0][200] > RATE * CHANGES, statuses
    for _, _, hub in (alone, shared):
        assert isinstance(hub.router.routing, RoutingCore)
        assert not hub.router.routing.lsas_over_budget


SLOTS, SERVICE_S, QUEUE = 4, 0.1, 40
CROWD, CROWD_PER_S, CROWD_S = 12, 20.0, 10.0
OWN_PER_S = 12.0


def beside_a_crowd(token: str) -> tuple[Counter[int], list[int]]:
    """A hub whose slots serve 40 requests a second, for which the sites of a crowd ask six times as
    often. How its own clients fared, and how many answers each site of the crowd got."""
    names = [f"site-{number}" for number in range(CROWD)]
    world = World(1, "hub", *names, delay_s=0.005)
    hub, *crowd = world.sites.values()
    hub.credentials.token = token
    hub.declare(queue=QUEUE)
    hub.serve(1, SLOTS, SERVICE_S)
    for site in crowd:
        site.link(hub, 1)
    world.run_while(lambda: not all(map(known_by, crowd)), KNOWN_S)
    asked = [site.poisson(CROWD_PER_S, CROWD_S, site.name) for site in crowd]
    own = hub.poisson(OWN_PER_S, CROWD_S, "hub")
    world.run(CROWD_S + 2.0)
    served = [sum(one.status == 200 for one in answers) for answers in asked]
    return Counter(one.status for one in own), served


def test_sites_of_one_token_wait_for_slots_as_one_neighbor_and_share_its_turns() -> None:
    (alone, of_each), (shared, of_fleet) = beside_a_crowd(""), beside_a_crowd("fleet")
    assert alone[503] > alone[200], alone
    assert set(shared) == {200} and shared[200] > 0.8 * OWN_PER_S * CROWD_S, shared
    left = SLOTS / SERVICE_S * CROWD_S - shared[200]
    assert 0.8 * left < sum(of_fleet) < 1.3 * left, of_fleet
    for each in (of_each, of_fleet):
        assert min(each) > sum(each) / len(each) / 2, each


def test_sites_of_one_token_leave_room_for_other_neighbors_and_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(adjacent, "ADJACENCIES_MAX", 4)
    names = [f"site-{number}" for number in range(4)]
    world = World(1, "hub", "other", *names, delay_s=0.005)
    hub, other, *fleet = world.sites.values()
    hub.credentials.token = "fleet"
    for site in fleet:
        site.link(hub, 1)
    world.run(5.0)
    other.declare()
    other.serve(1, 100)
    hub.credentials.token = ""
    other.link(hub, 1)
    world.run(5.0)
    answers = hub.poisson(10.0, 2.0, "hub")
    world.run(3.0)
    assert {one.status for one in answers} == {200}
    (problem,) = hub.router.problems(str)
    assert problem.code == "SW0694"
    assert problem.message.startswith("The link with site-"), problem
    assert problem.hint.endswith("Token fleet let in 3 of them: sitectl link access")
