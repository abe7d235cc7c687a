"""The default queue: long enough for random arrivals near full load, bounded under overload."""

import pytest

from simulator.outcomes import figures
from simulator.runs.run import Run
from simulator.scenarios.reading import read
from tests.examples import seeds
from tests.simulation.world import World

SLOTS = 15
DURATION_S = 8.0
MEAN_S = 0.1


def waiting(ingresses: int, load: float, kind: str, seed: int) -> tuple[int, int, float]:
    """Offered, refused, and the longest wait in the queue: clients at sites without targets.

    ``load``: of the slots of both sites with targets, 20 ms away.
    """
    entries = [f"in{number}" for number in range(ingresses)]
    rate = 2 * SLOTS / MEAN_S * load / ingresses
    links = [
        f"    - {{between: [{entry}, {site}], cost: {cost}, rtt: 20ms}}"
        for entry in entries
        for site, cost in (("near", 1), ("far", 3))
    ]
    work = f"{{kind: {kind}, mean: {MEAN_S * 1000:g}ms}}"
    targets = [
        f"    - {{site: {site}, slots: {SLOTS}, capacity: {SLOTS}, serviceTime: {work}}}"
        for site in ("near", "far")
    ]
    arrivals = [
        f"    - {{site: {entry}, kind: poisson, rate: {rate:.3f}/s, connections: keep-alive}}"
        for entry in entries
    ]
    lines = [
        *("apiVersion: spillway/v1", "kind: Scenario", "name: waiting", "spec:"),
        *(f"  seed: {seed}", f"  duration: {DURATION_S:g}s"),
        *(f"  sites: [{', '.join([*entries, 'near', 'far'])}]", "  links:", *links),
        *("  services:", "    - {name: shop, protocol: http, policy: fill}"),
        *("  targets:", *targets, "  arrivals:", *arrivals),
    ]
    scenario, errors, _ = read("\n".join(lines), "s.yaml", lambda name: "")
    assert scenario is not None, errors
    run = Run(scenario)
    found = figures.outcome(run.world.scenario, run.finish(), run.draw, ())
    assert sum(one.lost for one in found.sites) == 0
    ages = [one.p99_ms for one in found.sites if one.p99_ms is not None]
    return found.requests, sum(one.refused for one in found.sites), max(ages) / 1000


@pytest.mark.parametrize(
    ("ingresses", "kind"), [(1, "exponential"), (3, "exponential"), (3, "constant")]
)
def test_random_arrivals_near_full_load_are_served(ingresses: int, kind: str) -> None:
    offered, refused, _ = waiting(ingresses, 0.87, kind, seed=1)
    assert offered > 1_700
    assert refused == 0
    played = seeds(3, first=2)  # One alone is luck.
    runs = [waiting(ingresses, 0.93, kind, seed=seed) for seed in played]
    assert sum(refused for _, refused, _ in runs) < sum(offered for offered, _, _ in runs) / 1_000


def test_under_overload_the_queue_stays_bounded() -> None:
    """Four places for each of 30 slots: 0.4 s, whatever is asked."""
    offered, refused, p99_s = waiting(1, 1.5, "constant", seed=1)
    assert refused > offered / 4
    assert p99_s < MEAN_S + 4 * MEAN_S + 0.2


def test_after_a_pause_of_all_targets_nobody_is_refused_that_can_be_served() -> None:
    """The last requests took four seconds: the next twelve take 0.1 s each, at four slots."""
    world = World(1, "a")
    site = world["a"]
    site.declare(queue=50, queue_wait_s=1.0)
    site.serve(1, capacity=4, service_s=MEAN_S)
    world.run(3.0)
    (target,) = site.targets.values()
    before = site.offer(30, 10.0)
    world.run(10.5)
    target.service_s = 4.0
    held = site.offer(40, 0.1)
    world.run(0.15)
    target.service_s = MEAN_S
    world.run(3.97)
    assert all(one.ended for one in held)
    after = site.offer(1_000, 0.012)
    world.run(2.0)
    assert len(after) == 12
    assert {one.status for one in (*before, *held, *after)} == {200}
