"""Whole routers with a target that gets slower beyond a knee, and ``capacity: auto``."""

from functools import cache
from random import Random
from statistics import fmean

import pytest

from tests.simulation.leavers import Leaver
from tests.simulation.world import SERVICE, SimSite, World

KNEE = 10
SERVICE_S = 0.02


def two_sites(world: World) -> tuple[SimSite, SimSite]:
    a, b = world.sites.values()
    a.link(b, 5)
    a.declare()
    a.serve(1, capacity="auto", service_s=SERVICE_S)
    b.serve(1, capacity=100, service_s=SERVICE_S)
    for target in a.targets.values():
        target.knee = KNEE
    world.run(3)
    return a, b


def test_overflow_begins_before_latency_doubles_and_returns() -> None:
    world = World(1, "a", "b")
    a, b = two_sites(world)
    calm = a.offer(rate=150, seconds=6)
    world.run(7)
    burst = a.offer(rate=1000, seconds=8)
    world.run(9)
    after = a.offer(rate=150, seconds=4)
    world.run(6)
    assert all(answer.status == 200 for answer in [*calm, *burst, *after])
    assert sum(answer.site == "a" for answer in after) >= 0.98 * len(after)
    away = sum(answer.site == b.name for answer in burst)
    assert 0.3 * len(burst) <= away <= 0.7 * len(burst)
    target = next(iter(a.targets.values()))
    assert target.most_in_hand < 2 * KNEE
    (info,) = a.router.readings.targets.of(SERVICE)
    assert info.learnt is not None and info.learnt.baseline_s is not None
    assert KNEE * 0.8 <= info.learnt.slots <= KNEE * 1.6
    assert info.capacity == info.learnt.slots


def test_the_other_site_hears_of_what_is_learnt() -> None:
    world = World(2, "a", "b")
    a, b = two_sites(world)
    a.offer(rate=1000, seconds=8)
    world.run(12)
    load = a.router.readings.load_of(SERVICE)
    explanation = b.router.readings.explain(SERVICE, b.network.now())
    assert explanation is not None
    told = {one.site_name: one for one in explanation.candidates}
    assert told["a"].capacity == load.capacity
    assert told["a"].is_learnt and not told["b"].is_learnt


@cache  # Without any that leave it is asked for twice.
def learnt_slots(abandoned: float, *, works_on: bool = False) -> float:
    """The mean over the second half of a burst, of which clients leave ``abandoned`` (a share)
    long before the answer. ``works_on``: the target does not notice."""
    world = World(3, "a", "b")
    a, _ = two_sites(world)
    for target in a.targets.values():
        target.works_on = works_on
    chance, begin = Random(3), a.network.now()

    def come() -> None:
        client = Leaver(a)
        if chance.random() < abandoned:
            stays_s = SERVICE_S * chance.uniform(0.2, 0.9)
            a.network.call_at(a.network.now() + stays_s, client.leave_unless_over)

    for number in range(5_000):
        a.network.call_at(begin + number / 1000, come)
    found: list[int] = []
    for _ in range(10):
        world.run(0.5)
        (info,) = a.router.readings.targets.of(SERVICE)
        assert info.learnt is not None
        found.append(info.learnt.slots)
    return fmean(found[5:])


@pytest.mark.parametrize("works_on", [False, True], ids=["noticed", "worked on"])
def test_requests_that_are_abandoned_teach_nothing(works_on: bool) -> None:
    assert learnt_slots(0.3, works_on=works_on) == pytest.approx(learnt_slots(0.0), rel=0.2)
