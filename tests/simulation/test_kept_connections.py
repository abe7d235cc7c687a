"""Connections that are kept, pipelined and broken off: each request gets its own answer.

The storms make one request a connection and hardly ever do that.
"""

import random
from collections import Counter

import pytest

from router.model.specs import ConnectorSpec, ServiceSpec, TargetSpec
from tests.examples import seeds
from tests.simulation.kept_parties import KeptClient, MoodyTarget
from tests.simulation.storm import unrest
from tests.simulation.storm_parties import HTTP
from tests.simulation.world import World

SEEDS = 4
CLIENTS = 60
ANSWERED_MIN = 200


@pytest.mark.parametrize("seed", seeds(SEEDS))
def test_each_gets_its_own_answers_and_nothing_is_left(seed: int) -> None:
    chance = random.Random(seed)
    world = _linked(seed, chance)
    statuses: Counter[int] = Counter()
    clients: list[KeptClient] = []
    left, right = world.sites.values()
    for number in range(CLIENTS):
        site = chance.choice((left, left, right))
        clients.append(KeptClient(site.network, chance, number, statuses))
        world.run(chance.choice((0, 0.001, 0.05, 0.3)))
    world.run(30)

    assert [client.asked for client in clients if client.asked and not client.over] == []
    for client in clients:
        client.leave()
    world.run(20)
    for site in (left, right):
        assert unrest(site) == [], site.name
        assert site.router.forwarder.is_idle
    assert statuses[200] + statuses[204] >= ANSWERED_MIN, statuses


def _linked(seed: int, chance: random.Random) -> World:
    """Two sites with a target each."""
    world = World(seed, "left", "right", delay_s=0.002)
    left, right = world.sites.values()
    left.link(right, 1)
    left.services[HTTP.name] = ServiceSpec(
        protocol="http", ports=(HTTP.port,), queue=5, queue_wait_s=0.5
    )
    for site in (left, right):
        MoodyTarget(site.network, chance)
        site.connectors[HTTP.name] = ConnectorSpec(
            service=HTTP.name,
            targets=(TargetSpec("127.0.0.1", HTTP.port + 1000),),
            capacity=chance.choice((2, 5, 20)),
        )
        site.apply()
    world.run(10)
    return world
