"""Load reports of many sites: the real exchange of each, joined in virtual time."""

import pytest

from router.model import limits
from tests.bench.control_loads import CAPACITY, KEY, World
from tests.bench.control_shapes import SHAPES, Links


def settled(links: Links) -> World:
    world = World(links)
    world.clock.run_until(world.clock.time + 3.0)
    return world


def states(world: World, origin: int) -> dict[int, bool | None]:
    """By site, whether it takes ``origin`` for full; None: unknown."""
    router = world.routers[origin]
    return {
        site.number: world.states.get((site.number, router))
        for site in world.sites
        if site.number != origin and origin in world.hops[site.number]
    }


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_a_flip_reaches_ten_sites_within_50_ms(shape: str) -> None:
    world = settled(SHAPES[shape](10))
    for in_flight, is_full in ((CAPACITY, True), (CAPACITY - 1, False)):
        world.sites[3].in_flight = in_flight
        world.sites[3].exchange.changed(KEY)
        world.clock.run_until(world.clock.time + 0.05)
        assert set(states(world, 3).values()) == {is_full}
        world.clock.run_until(world.clock.time + 0.1)


def test_no_link_carries_more_than_its_budget_however_much_changes_and_the_last_word_is_heard() -> (
    None
):
    world = settled(SHAPES["grid"](100))
    world.churn()
    world.clock.run_until(world.clock.time + 1.5)
    most = limits.LOAD_LINK_BYTES_PER_S + limits.LOAD_LINK_BURST_BYTES
    assert 0.7 * most < world.most_in_a_second <= most  # Some links have nothing left.
    for site in world.sites:
        site.is_changing = False
    world.clock.run_until(world.clock.time + 3.0)
    for site in world.sites:
        is_full = site.in_flight >= CAPACITY
        assert set(states(world, site.number).values()) == {is_full}


def test_who_comes_later_hears_of_all_that_is_known() -> None:
    world = settled(SHAPES["ring"](6))
    world.sites[0].in_flight = 7
    world.sites[0].exchange.changed(KEY)
    world.clock.run_until(world.clock.time + 1.0)
    newcomer, near = world.sites[3], world.sites[2]
    newcomer.exchange.close()
    newcomer.start()
    world.held.clear()
    newcomer.exchange.neighbour_up(near.router, near.router)
    near.exchange.neighbour_down(newcomer.router)
    near.exchange.neighbour_up(newcomer.router, newcomer.router)
    world.clock.run_until(world.clock.time + limits.LOAD_SETTLE_INTERVAL_S + 0.1)
    assert world.held[newcomer.number, world.routers[0]].in_flight == 7
