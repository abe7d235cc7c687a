"""Three sites restarted by order or killed, one after another, at any moment, seed by seed."""

import random

import pytest

from router.model.limits import LSA_MAX_AGE_S, LSA_REFRESH_S
from tests.examples import seeds
from tests.simulation.world import SERVICE, SimSite, World

RESTARTS = 12
KNOWN_S = 12.0
"""Refreshes of load reports and the longest pause before a path is computed, twice over."""

SEEDS = (*seeds(8), 220, 228, 294, 402)
"""The last four: a report of a former life arrived when its site was known to have restarted."""


def ready_by(site: SimSite) -> dict[str, int]:
    """Ready targets of each site, as ``site`` knows them."""
    found = site.router.readings.explain(SERVICE, site.network.now())
    return {} if found is None else {one.site: one.targets_ready for one in found.candidates}


def all_know_all(world: World) -> bool:
    """Every site knows one ready target at each."""
    whole = {site.identity.site: 1 for site in world.sites.values()}
    return all(ready_by(site) == whole for site in world.sites.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_who_is_restarted_is_soon_known_everywhere_as_it_is(seed: int) -> None:
    chance = random.Random(seed)
    world = World(seed, "one", "two", "three", delay_s=chance.choice([0.0001, 0.001, 0.01]))
    one, two, three = sites = list(world.sites.values())
    one.declare()
    for site in sites:
        site.serve(1, 10, 0.02)
    two.link(one, 1)
    three.link(one, 1)
    three.link(two, 1)
    world.run_while(lambda: not all_know_all(world), KNOWN_S)
    for number in range(RESTARTS):
        site = chance.choice([one, two, two, three, three])
        if chance.random() < 0.7:
            for other in sites:
                if other is not site:
                    other.poisson(40, 2.0, f"{seed} {number} {other.name}")
        world.run(chance.choice([0, 0, chance.uniform(0, 0.3), chance.uniform(0, 1.5)]))
        end(site, chance)
        world.run(chance.uniform(0.0, 0.15))
        site.start()
        world.run_while(lambda: not all_know_all(world), KNOWN_S)


def test_a_dead_site_is_listed_no_longer_because_its_neighbors_restart() -> None:
    world = World(1, "one", "two", "three")
    one, two, three = world.sites.values()
    two.link(one, 1)
    three.link(two, 1)
    world.run(1.0)
    three.kill()
    world.run(LSA_MAX_AGE_S - LSA_REFRESH_S)
    for site in (two, one):
        site.kill()
        world.run(1.0)
        site.start()
        world.run(5.0)

    def listed(site: SimSite) -> bool:
        return three.identity.site in site.router.routing.table.sites

    assert listed(one)
    assert listed(two)
    world.run(LSA_REFRESH_S)
    assert not listed(one)
    assert not listed(two)


def end(site: SimSite, chance: random.Random) -> None:
    """By order as a rule."""
    if chance.random() < 0.8:
        stopped: list[bool] = []
        site.stop(lambda: stopped.append(True), stop_s=chance.choice([0.005, 0.01, 0.2]))
        site.world.run_while(lambda: not stopped, KNOWN_S)
    else:
        site.kill()


@pytest.mark.parametrize("seed", (3, 10))
def test_streams_of_another_router_of_this_site_warn_of_nobody_while_one_restarts(
    seed: int,
) -> None:
    chance = random.Random(seed)
    world = World(seed, "a", "b", "a2", delay_s=0.001)
    a, b, a2 = world.sites.values()
    a2.join(a)
    a2.siblings = []
    a2.start()
    for router in (a, a2):
        router.link(b, 1)
        router.serve(1, 2, 0.05)
    a.declare(queue=100)
    world.run(8)
    for number in range(12):
        site = chance.choice([a, a2, b])
        for other in (a, a2, b):
            if other is not site:
                other.poisson(80, 2.0, f"{seed} {number} {other.ip}")
        world.run(chance.uniform(0, 0.5))
        end(site, chance)
        world.run(chance.uniform(0, 0.3))
        site.start()
        world.run(6)
    told = [line.split()[1] for line in world.journal if "link-refused-stream" in line]
    assert set(told) == {"info"}
