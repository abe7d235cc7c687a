"""Whole routers count every request that another site serves, with the reason of this site."""

import pytest

from router.model.port_reading import SERVED_NOWHERE
from router.service.counters import CountersSnapshot
from simulator.runs.virtual import SimIdentity
from tests.simulation.test_fill_and_spill import all_answered
from tests.simulation.world import SimSite, World


def pair(seed: int, capacity: int | None = 50, policy: str = "fill") -> World:
    """Sites a and b, two targets at each."""
    world = World(seed, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=5)
    a.declare(policy)
    for site in (a, b):
        site.serve(2, capacity=capacity)
    world.run(5)
    return world


def counted(site: SimSite) -> CountersSnapshot:
    """The counters of the one service, whose sums are what the requests say."""
    own = site.router.identity.site
    (snapshot,) = site.router.readings.services_snapshot()
    counters = snapshot.counters
    away = sum(
        sum(histogram.counts)
        for (served_at, _), histogram in counters.requests.items()
        if served_at not in (SERVED_NOWHERE, own)
    )
    assert counters.spilled_total == away
    assert own not in {to for to, _ in counters.spilled}
    for name, reasons in {"overflow": counters.overflow, "spilled": counters.spilled}.items():
        assert all(count > 0 for count in reasons.values()), name
    return counters


def spilled(site: SimSite) -> dict[tuple[str, str], int]:
    """What other sites served, by their names and why."""
    return counted(site).named(site.router.site_name).spilled


def load(world: World, site: SimSite, rate: float = 20, seconds: float = 3) -> None:
    answers = site.offer(rate, seconds)
    world.run(seconds + 10)
    all_answered(answers)


@pytest.mark.parametrize("policy", ["fill", "failover", "balanced"])
def test_dead_local_targets_spill_everything_and_say_why(policy: str) -> None:
    world = pair(1, policy=policy)
    a = world["a"]
    load(world, a, rate=2)
    assert not counted(a).spilled
    for target in a.targets.values():
        target.listener.close()
    world.run(10)
    before = counted(a).requests_total
    load(world, a)
    after = counted(a)
    assert after.overflow_total == 0
    assert spilled(a) == {("b", "no-target"): after.requests_total - before}
    (snapshot,) = a.router.readings.services_snapshot()
    assert (snapshot.local_targets.state, snapshot.local_targets.total) == ("down", 2)


def test_a_full_site_spills_its_overflow() -> None:
    world = pair(2, capacity=1)
    load(world, world["a"], rate=30)
    counters = counted(world["a"])
    assert counters.overflow_total > 0
    assert set(spilled(world["a"])) == {("b", "full")}
    assert counters.spilled_total == counters.overflow_total


def test_targets_that_fail_requests_are_ejected_and_their_requests_say_so() -> None:
    world = pair(3)
    a = world["a"]
    for target in a.targets.values():
        target.status = 503
    a.offer(rate=50, seconds=5)
    world.run(6)
    (snapshot,) = a.router.readings.services_snapshot()
    assert (snapshot.local_targets.state, snapshot.local_targets.ejected) == ("down", 2)
    assert spilled(a)["b", "ejected"] > 100
    for target in a.targets.values():
        target.status = 200
    world.run(60)
    (snapshot,) = a.router.readings.services_snapshot()
    assert (snapshot.local_targets.state, snapshot.local_targets.ejected) == ("all", 0)


def test_ejected_targets_that_die_are_no_longer_ejected() -> None:
    world = pair(4)
    a = world["a"]
    for target in a.targets.values():
        target.status = 503
    a.offer(rate=50, seconds=5)
    world.run(6)
    for target in a.targets.values():
        target.listener.close()
    world.run(60)
    (snapshot,) = a.router.readings.services_snapshot()
    assert (snapshot.local_targets.state, snapshot.local_targets.ejected) == ("down", 0)
    load(world, a)
    assert spilled(a)["b", "no-target"] > 0


@pytest.mark.parametrize(("capacity", "apart_s"), [(3, 0.0), (10, 0.3), (None, 1.0)])
def test_no_spill_is_laid_to_the_policy_while_targets_die_beside_a_frozen_worker(
    capacity: int | None, apart_s: float
) -> None:
    world = World(1, "a", "b", "a2")
    a, b, a2 = world.sites.values()
    for worker, number in ((a, 1), (a2, 9)):
        worker.kill()
        worker.identity = SimIdentity("a", f"{number:016x}")
        worker.start()
        worker.link(b, cost=1)
        worker.declared_at_s = {"shop": 0.0}
        worker.declare("fill")
        worker.serve(2, capacity)
    a.siblings, a2.siblings = [a2], [a]
    a.apply()
    a2.apply()
    b.serve(2, 50)
    world.run(8)
    answers = a.offer(40, 8)
    world.run(1)
    world.internet.freeze(a2.ip)
    world.run(apart_s)
    for target in a.targets.values():
        target.listener.close()
    world.run(10)
    assert {answer.status for answer in answers} == {200}
    reasons = {reason for _, reason in spilled(a)}
    assert "no-target" in reasons and reasons <= {"no-target", "full", "higher-level", "failover"}
