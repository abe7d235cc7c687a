"""Where each policy sends requests, in whole routers in virtual time, while switched live."""

from collections import Counter

import pytest

from tests.simulation.test_fill_and_spill import all_answered, at_rest, joined, within_capacity
from tests.simulation.world import Answer, World

SPLIT = {"a": 1, "c": 3}
OFFERED = {"calm": 50, "burst": 200}  # 0.5 and 2 times what the sole target of a takes.


MEASURED = {  # As docs/design/policies.md has it: percent at a, b and c.
    ("fill", "calm"): [100, 0, 0],
    ("fill", "burst"): [48, 52, 0],
    ("balanced", "calm"): [67, 33, 0],
    ("balanced", "burst"): [43, 36, 21],
    ("spread", "calm"): [25, 50, 25],
    ("spread", "burst"): [25, 50, 25],
    ("split", "calm"): [25, 0, 75],
    ("split", "burst"): [48, 5, 48],
    ("failover", "calm"): [100, 0, 0],
    ("failover", "burst"): [100, 0, 0],
}


def shares(answers: list[Answer]) -> dict[str, int]:
    """Percent of the requests, by site."""
    served = Counter(answer.site for answer in answers)
    return {site: round(100 * served[site] / len(answers)) for site in ("a", "b", "c")}


def offered(world: World, load: str) -> dict[str, int]:
    """A few seconds of it at site a."""
    answers = world.sites["a"].offer(rate=OFFERED[load], seconds=2)
    world.run(5)
    all_answered(answers)
    return shares(answers)


def test_shares_follow_the_policy_in_calm_and_burst_and_nothing_is_lost() -> None:
    """a has 1 target; b, at cost 1, 2; c, at cost 4, 1; each of 10 slots."""
    world = World(1, "a", "b", "c")
    joined(world, 1, 3)
    a, b, c = world.sites.values()
    a.declare(queue_wait_s=20.0, queue=1_000)
    for site, targets in ((a, 1), (b, 2), (c, 1)):
        site.serve(targets, capacity=10)
    world.run(5)
    found = {}
    for policy in ("fill", "balanced", "spread", "split", "failover"):
        weights = SPLIT if policy == "split" else None
        a.declare(policy, weights=weights, queue_wait_s=20.0, queue=1_000)
        world.run(1)
        for load in OFFERED:
            found[policy, load] = offered(world, load)
    for key, expected in MEASURED.items():
        assert list(found[key].values()) == pytest.approx(expected, abs=3), key
    within_capacity(world, 10)
    at_rest(world)


def test_failover_goes_farther_when_the_targets_here_are_gone_and_returns() -> None:
    world = World(7, "a", "b")
    joined(world, 1)
    a, b = world.sites.values()
    a.declare("failover")
    for site in (a, b):
        site.serve(1, capacity=10)
    world.run(5)
    asked = a.offer(rate=40, seconds=1)
    world.run(2)
    bound = a.connectors.pop("here")
    a.apply()
    world.run(1)
    away = a.offer(rate=40, seconds=1)
    world.run(2)
    a.connectors["here"] = bound
    a.apply()
    world.run(3)
    back = a.offer(rate=40, seconds=1)
    world.run(2)
    all_answered([*asked, *away, *back])
    assert [{one.site for one in some} for some in (asked, away, back)] == [{"a"}, {"b"}, {"a"}]
