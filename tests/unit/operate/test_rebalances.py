"""What the operator asks and orders of connections that belong elsewhere."""

import asyncio

import pytest

from router.admin.endpoints.rebalance import RebalanceView
from router.admin.ports import CommandFailed
from router.operate.rebalances import Rebalancer, added
from tests.unit.exchange.fakes import name_of
from tests.unit.exchange.test_departures import PLAIN, World, has_ended
from tests.unit.operate.views import no_workers


def rebalancer_of(world: World) -> Rebalancer:
    forwarder = world.a.forwarder
    return Rebalancer(forwarder, lambda site: name_of(site).upper(), no_workers())


def view(connections: dict[str, int], leave: dict[str, int], come: dict[str, int]) -> RebalanceView:
    return RebalanceView(
        service="db", port=5432, connections=connections, leave=leave, come=come, running=False
    )


def test_a_plan_names_sites_and_an_order_moves() -> None:
    world = World(PLAIN, here=0)
    client = world.client()
    world.set_capacity(5)
    world.network.advance(1.0)
    one = rebalancer_of(world)
    (plan,) = asyncio.run(one.plans("db", None))
    assert plan == view({"B": 1}, {"B": 1}, {"A": 1})
    assert asyncio.run(one.plans("db", 1)) == asyncio.run(one.plans("other", None)) == []
    assert one.order({"service": "db:5432", "idle_s": "1"}) == (
        "Connections of db that are to move: 1."
    )
    assert asyncio.run(one.plans("db", None))[0].running
    world.network.advance(2.0)
    assert has_ended(client)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"service": "other"}, "no service 'other'"),
        ({"service": "db:80"}, "no service 'db:80'"),
        ({"service": "db:x"}, "no service 'db:x'"),
        ({"service": "db", "per_s": "0"}, "per_s is a number from 0.1 to 1000, not '0'"),
        ({"service": "db", "over_s": "nan"}, "over_s is a number"),
        ({"service": "db", "idle_s": "soon"}, "idle_s is a number"),
        ({"service": "db", "rate": "3"}, "rebalance has no 'rate'"),
    ],
)
def test_an_order_that_does_not_fit_moves_nothing_and_says_why(
    arguments: dict[str, str], words: str
) -> None:
    world = World(PLAIN)
    with pytest.raises(CommandFailed, match=words):
        rebalancer_of(world).order(arguments)
    assert not asyncio.run(rebalancer_of(world).plans("db", None))[0].running


def test_plans_of_workers_are_added() -> None:
    own, other = view({"A": 2, "B": 3}, {"B": 1}, {"A": 1}), view({"B": 4}, {"B": 2}, {"A": 2})
    assert added([own, other]) == view({"A": 2, "B": 7}, {"B": 3}, {"A": 3})
