"""What a site keeps for its own clients holds against any neighbor, in virtual time."""

import random
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest

from router.model.specs import SitePolicySpec
from tests.examples import seeds
from tests.simulation.test_fill_and_spill import at_rest, count, within_capacity
from tests.simulation.test_site_shares import Sharing
from tests.simulation.world import SERVICE, SERVICE_S, Answer, SimSite, World

POLICIES = ("fill", "balanced", "spread", "split")


def lends(site: SimSite, **fields: Any) -> None:
    """What ``site`` keeps of its slots; nothing at all: it lends each of them."""
    site.policies.clear()
    if fields:
        site.policies["shop"] = SitePolicySpec(service="shop", **fields)
    site.apply()


def p99(answers: Sequence[Answer]) -> float:
    """Seconds; who was not served took for ever."""
    took = sorted(one.ended - one.began if one.status == 200 else float("inf") for one in answers)
    return took[int(len(took) * 0.99)]


def own_p99(policy: str, spec: dict[str, Any], neighbor_rate: float) -> float:
    """Of 20 requests/s of a's clients, which hold 2 of its 20 slots on average, for 8 s.

    b, with 2 slots, offers ``neighbor_rate``.
    """
    world = World(3, "a", "b")
    a, b = world.sites.values()
    a.link(b, 1)
    a.declare(policy, weights={"a": 1, "b": 1} if policy == "split" else None)
    a.serve(2, capacity=10)
    b.serve(1, capacity=2)
    lends(a, **spec)
    world.run(5)
    if neighbor_rate:
        b.poisson(neighbor_rate, 9, "neighbor")
    world.run(1)
    answers = a.poisson(20, 8, "own")
    world.run(13)
    within_capacity(world, 10)
    at_rest(world)
    return p99(answers)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_neighbor_with_ten_times_the_load_moves_own_p99_by_less_than_a_tenth(
    policy: str,
) -> None:
    spec = {"reserve_for_own": 0.4}
    alone, beside = own_p99(policy, spec, 0), own_p99(policy, spec, 200)
    assert beside < 1.1 * alone
    assert own_p99(policy, {}, 200) > 1.1 * alone, "without a reserve it does"


def test_a_share_for_one_neighbor_leaves_the_rest_to_own_clients_too() -> None:
    spec = {"max_share": 0.6}
    assert own_p99("fill", spec, 200) < 1.1 * own_p99("fill", spec, 0)


def crowd(*names: str, capacity: int | str = 10) -> World:
    """Site a with one target; the others, without any, are linked to it."""
    world = World(5, "a", *names)
    a = world["a"]
    for name in names:
        a.link(world[name], 1)
    a.declare(queue=1_000, queue_wait_s=30.0)
    a.serve(1, capacity=capacity)
    world.run(5)
    return world


def test_neighbors_hold_their_shares_at_the_most() -> None:
    world = crowd("b", "c")
    a = world["a"]
    lends(a, max_share=0.4, reserve_for_own=0.1)
    world.run(1)
    for name in ("b", "c"):
        world[name].offer(rate=200, seconds=4)
    world.run(2)
    most: dict[str, int] = {}
    for _ in range(100):
        world.run(0.01)
        figures = a.router.readings.services_snapshot()[0].lending
        assert figures is not None
        for site, slots in figures.borrowers.items():
            most[site] = max(most.get(site, 0), slots)
    assert list(most.values()) == [4, 4]
    within_capacity(world, 8)


def test_an_idle_site_lends_all_but_its_reserve_in_turn() -> None:
    world = crowd("b", "c", "d")
    a = world["a"]
    lends(a, reserve_for_own=0.1)
    world.run(1)
    answers = {name: world[name].offer(rate=200, seconds=4) for name in ("b", "c", "d")}
    world.run(3)
    assert a.router.readings.load_of(SERVICE).in_flight == 9
    world.run(30)
    within_capacity(world, 9)
    served = [sum(one.site == "a" for one in some) for some in answers.values()]
    assert max(served) - min(served) <= 0.05 * max(served)


def test_sites_behind_a_hub_share_its_part_whatever_they_call_themselves() -> None:
    world = World(6, "a", "hub", "x", "y", "z")
    a, hub = world["a"], world["hub"]
    a.link(hub, 1)
    for name in ("x", "y", "z"):
        hub.link(world[name], 1)
    a.declare()
    a.serve(1, capacity=10)
    lends(a, max_share=0.4)
    world.run(8)
    for name in ("x", "y", "z"):
        world[name].offer(rate=100, seconds=3)
    world.run(4)
    within_capacity(world, 4)
    assert sum(one.most_in_hand for one in a.targets.values()) == 4


def test_others_go_to_the_next_site_while_the_reserve_is_free() -> None:
    """Full for others: that is known there, and no request of b is refused for it."""
    world = World(7, "b", "a", "c")
    b, a, c = world.sites.values()
    b.link(a, 1)
    b.link(c, 5)
    b.declare()
    a.serve(1, capacity=10)
    c.serve(1, capacity=100)
    lends(a, reserve_for_own=0.3)
    world.run(5)
    answers = b.offer(rate=200, seconds=3)  # 20 at once: 7 to a, 13 to c.
    world.run(5)
    assert {one.status for one in answers} == {200}
    assert count(answers, a) == pytest.approx(7 / SERVICE_S * 3, rel=0.1)
    assert [one.most_in_hand for one in a.targets.values()] == [7]
    at_rest(world)


def test_a_learned_capacity_has_a_reserve_too() -> None:
    world = crowd("b", capacity="auto")
    a, b = world["a"], world["b"]
    lends(a, reserve_for_own=0.5)
    world.run(1)
    load = a.router.readings.load_of(SERVICE)
    assert load.is_learnt and load.capacity is not None and load.reserved == load.capacity / 2
    b.offer(rate=200, seconds=3)
    for _ in range(200):
        world.run(0.01)
        load = a.router.readings.load_of(SERVICE)
        assert load.capacity is not None and load.in_flight <= load.capacity - load.reserved
    answers = [a.request() for _ in range(load.reserved)]
    world.run(5)
    assert p99(answers) < 1.1 * SERVICE_S, "own clients get the rest at once"


@pytest.mark.parametrize("routers", [2, 3])
def test_several_routers_of_one_site_lend_what_one_would(routers: int) -> None:
    """10 slots: b's clients come by a link to one router, and hold 3 of them."""
    sharing = Sharing(routers)
    a1, b = sharing.routers[0], sharing.world["b"]
    for one in sharing.routers:
        lends(one, reserve_for_own=0.2, max_share=0.3)
    a1.link(b, 1)
    sharing.world.run(5)
    asked = b.offer(rate=200, seconds=3)
    most = 0
    for _ in range(250):
        sharing.world.run(0.01)
        most = max(most, sum(one.in_hand for one in sharing.targets))
    assert most == 3
    own = sharing.routers[-1].offer(rate=60, seconds=2)
    sharing.world.run(10)
    sharing.never_too_many()
    assert {one.status for one in own} == {200}
    assert p99(own) < 0.11
    assert {one.status for one in asked} <= {200, 503}


@pytest.mark.parametrize("seed", seeds(2))
def test_terms_that_change_under_load_lose_no_request_and_leave_no_slot(seed: int) -> None:
    world = World(seed, "b", "a", "c")
    b, a, c = world.sites.values()
    b.link(a, 1)
    b.link(c, 5)
    b.declare(queue=1_000, queue_wait_s=30.0)
    a.serve(2, capacity=5)
    c.serve(1, capacity=30)
    world.run(5)
    answers = [b.offer(rate=200, seconds=6), a.offer(rate=50, seconds=6)]
    rng = random.Random(seed)
    for _ in range(30):
        shares = [rng.choice((0.1, 0.3, 0.5, 0.9)) for _ in range(2)]
        both = dict(zip(("reserve_for_own", "max_share"), shares, strict=True))
        lends(a, **rng.choice(({}, both, {"max_share": shares[0]}, {"reserve_for_own": shares[1]})))
        world.run(0.2)
    lends(a, reserve_for_own=0.3, max_share=0.5)
    world.run(10)
    assert {one.status for some in answers for one in some} == {200}
    within_capacity(world, 30)
    assert all(one.most_in_hand <= 5 for one in a.targets.values())
    figures = a.router.readings.services_snapshot()[0].lending
    assert figures is not None and figures.borrowers == {}
    at_rest(world)


NAMES = ("a", "b", "c", "d", "e")


@cache  # Without a dead one, all cases share the figures.
def five(dead: str | None, **spec: Any) -> dict[str, float]:
    """Five sites of 10 slots, each linked to each, whose clients use 6 of them for 6 s.

    After 2 s the targets of one are ``dead``, and its clients ask for 20 slots. What the clients of
    each other site waited for at p99.
    """
    world = World(11, *NAMES)
    for number, name in enumerate(NAMES):
        for far in NAMES[number + 1 :]:
            world[name].link(world[far], 1)
    world["a"].declare()
    for name in NAMES:
        world[name].serve(1, capacity=10)
        lends(world[name], **spec)
    world.run(8)
    answers = {name: world[name].offer(60, 6) for name in NAMES if name != dead}
    if dead:
        world[dead].offer(60, 2)
    world.run(2)
    if dead:
        for target in world[dead].targets.values():
            target.listener.close()
            target.status = 0
        world[dead].offer(200, 4)
    world.run(12)
    within_capacity(world, 10)
    at_rest(world)
    return {name: p99(some) for name, some in answers.items()}


@pytest.mark.parametrize("dead", ["a", "e"])
def test_in_a_cascade_of_five_sites_no_live_one_exceeds_its_capacity(dead: str) -> None:
    """What the dead one leaves does not fit: it costs the dead one's clients, and no others."""
    spec = {"reserve_for_own": 0.2, "max_share": 0.2}
    calm, fallen, unlimited = five(None, **spec), five(dead, **spec), five(dead)
    assert {name: took for name, took in fallen.items() if took > 1.1 * calm[name]} == {}
    assert all(took > 1.1 * calm[name] for name, took in unlimited.items()), "it would be felt"
