"""Clients that finish before their answer, in virtual time: no slot is held for them."""

from collections.abc import Callable
from random import Random

import pytest

from router.model import limits
from router.model.specs import ServiceSpec
from tests.examples import seeds
from tests.simulation.leavers import REQUEST, Leaver
from tests.simulation.world import SERVICE, World

PROMISE_S = 0.1
"""Of slot and target, once the client's end is here; and the way over the link."""
SLOTS, QUEUE_WAIT_S, SERVICE_S = 2, 5.0, 30.0
POST = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 1000000\r\n\r\n" + bytes(200_000)


def network(seed: int, *, here: int, there: int, service_s: float = SERVICE_S) -> World:
    """Clients come in at ``a``; so many slots at ``a`` and ``b``, each on one target."""
    world = World(seed, "a", "b")
    a, b = world.sites.values()
    a.link(b, 5)
    a.declare(queue=100, queue_wait_s=QUEUE_WAIT_S)
    for site, slots in ((a, here), (b, there)):
        if slots:
            site.serve(1, capacity=slots, service_s=service_s)
    world.run(3)
    return world


def in_flight(world: World) -> int:
    """Slots taken at either site."""
    return sum(site.router.readings.load_of(SERVICE).in_flight for site in world.sites.values())


def in_hand(world: World) -> int:
    """Requests that targets work on."""
    return sum(one.in_hand for site in world.sites.values() for one in site.targets.values())


def outcomes(world: World) -> list[str]:
    past = world.sites["a"].router.readings.past_of(SERVICE, 32, "all")
    return [record.outcome for record in past]


@pytest.mark.parametrize("sent", [REQUEST, 3 * REQUEST], ids=["one", "pipelined"])
@pytest.mark.parametrize(("here", "there", "way_s"), [(SLOTS, 0, 0.0), (0, SLOTS, 0.02)])
def test_slot_and_target_are_free_a_tenth_of_a_second_after_the_end(
    here: int, there: int, way_s: float, sent: bytes
) -> None:
    world = network(1, here=here, there=there)
    world.internet.set_delay("10.0.0.1", "10.0.0.2", way_s)
    a = world.sites["a"]
    clients = [Leaver(a, sent) for _ in range(SLOTS)]
    world.run(1)
    assert (in_flight(world), in_hand(world)) == (SLOTS, SLOTS)
    for client in clients:
        client.leave()
    world.run(PROMISE_S + way_s)
    assert (in_flight(world), in_hand(world)) == (0, 0)
    assert outcomes(world) == ["client-gone"] * SLOTS
    assert all(client.is_over and not client.got for client in clients)
    assert world.sites["b" if there else "a"].router.readings.load_of(SERVICE).targets_ready == 1


@pytest.mark.parametrize("sent", [REQUEST, POST], ids=["GET", "POST"])
@pytest.mark.parametrize(("here", "there"), [(SLOTS, 0), (0, SLOTS), (SLOTS, SLOTS)])
def test_who_waits_leaves_the_queue_and_never_takes_a_slot(
    here: int, there: int, sent: bytes
) -> None:
    world = network(2, here=here, there=there)
    a = world.sites["a"]
    holders = [Leaver(a) for _ in range(here + there)]
    world.run(0.5)
    assert in_hand(world) == len(holders)
    late = Leaver(a, sent)
    world.run(0.5)
    late.leave()
    world.run(PROMISE_S + 0.02)
    assert late.is_over and not late.got
    assert outcomes(world)[0] == "client-gone"
    assert in_flight(world) == len(holders)
    for holder in holders:
        holder.leave()
    world.run(QUEUE_WAIT_S)
    assert sum(len(target.seen) for target in a.targets.values()) == here
    assert in_flight(world) == in_hand(world) == 0


def test_nothing_is_left_before_its_end_where_early_ends_are_served() -> None:
    world = network(3, here=SLOTS, there=SLOTS, service_s=0.5)
    a = world.sites["a"]
    declared = a.services["shop"]
    a.services["shop"] = ServiceSpec(
        protocol="http", ports=declared.ports, queue=100, half_close="serve"
    )
    a.apply()
    world.run(1)
    clients = [Leaver(a, 2 * REQUEST) for _ in range(3 * SLOTS)]
    world.run(0.1)
    for client in clients:
        client.leave()
    world.run(5)
    assert all(client.got.count(b"200 Whatever") == 2 for client in clients)
    assert set(outcomes(world)) == {"ok"}


@pytest.mark.parametrize("seed", seeds(4))
def test_no_slot_is_ever_held_for_a_client_that_left(seed: int) -> None:
    """Whatever state it left in: waiting here or there, in flight, in the answer, between two.

    Who left in the middle of a request may have left its target with a part: that holds its slot a
    little longer (docs/design/queues.md).
    """
    chance = Random(seed)
    world = network(seed, here=3, there=3, service_s=0.3)
    a = world.sites["a"]
    clients: list[Leaver] = []
    left_at: dict[Leaver, float] = {}

    def come() -> None:
        client = Leaver(a, chance.choice((REQUEST, REQUEST, 3 * REQUEST, POST)))
        clients.append(client)
        if chance.random() < 0.6:
            stay_s = chance.choice((0.001, 0.05, 0.3, 0.31, 0.6, 2.0)) * (0.9 + chance.random() / 5)
            a.network.call_at(a.network.now() + stay_s, goes(client))

    def goes(client: Leaver) -> Callable[[], None]:
        def leave() -> None:
            client.leave_unless_over()
            left_at[client] = a.network.now()

        return leave

    def held_s(client: Leaver) -> float:
        return PROMISE_S + 0.02 + (limits.ABANDONED_S_MAX if client.sent is POST else 0.0)

    begin = a.network.now()
    for number in range(150):
        a.network.call_at(begin + number * 0.02, come)
    for _ in range(120):
        world.run(0.05)
        gone = {one for one, at in left_at.items() if a.network.now() - at > held_s(one)}
        present = sum(
            not one.is_over or (one.sent is POST and one in left_at)
            for one in clients
            if one not in gone
        )
        assert in_flight(world) <= present
    for client in clients:
        client.leave_unless_over()
    world.run(2 * PROMISE_S)
    assert in_hand(world) == 0
    world.run(limits.ABANDONED_S_MAX)
    assert in_flight(world) == 0
