"""Sites at equal load get equal shares of a full site, however far away they are."""

import pytest

from tests.simulation.distances import outcome, shares
from tests.simulation.test_fill_and_spill import joined
from tests.simulation.test_past import kept
from tests.simulation.world import World

WITHIN = 0.1


@pytest.mark.parametrize(
    ("rtts_ms", "seed"),
    [([0, 50, 200, 1_000], 1), ([0, 200], 2), ([0, 1_000], 1), ([1_000], 2)],
    ids=str,
)
def test_at_80_percent_load_no_distance_is_refused(rtts_ms: list[int], seed: int) -> None:
    found = shares(rtts_ms, 0.8, seed=seed)
    for one in found:
        assert one.offered > 400
        assert one.refused_share <= 0.01
    parts = [one.served / one.offered for one in found]
    assert min(parts) >= (1 - WITHIN) * max(parts)


@pytest.mark.parametrize("kind", ["poisson", "steady"])
def test_under_overload_each_distance_gets_its_share(kind: str) -> None:
    """It is 1.2 times what the slots serve; the first answers take a round trip."""
    found = shares([0, 50, 200, 1_000], 1.2, kind=kind, seed=1)
    served = [one.served for one in found]
    assert sum(served) > 0.98 * 40 * 60
    assert min(served) >= (1 - WITHIN) * max(served)


def test_those_on_the_way_to_a_far_site_are_no_queue_of_their_own_site() -> None:
    """Four slots here and 40 half a second away: some 40 requests are on the way at any time."""
    found = outcome(
        [
            *("  seed: 1", "  duration: 30s", "  sites: [here, far]"),
            *("  links:", "    - {between: [here, far], cost: 5, rtt: 500ms}"),
            *("  services:", "    - {name: shop, protocol: http, policy: fill}", "  targets:"),
            *(
                f"    - {{site: {site}, slots: {slots}, capacity: {slots}, serviceTime: 100ms}}"
                for site, slots in (("here", 4), ("far", 40))
            ),
            "  arrivals:",
            "    - {site: here, kind: poisson, rate: 300/s, connections: keep-alive}",
        ]
    )["here"]
    assert found.refused == 0
    assert found.p99_ms is not None and found.p99_ms < 750


def test_why_says_at_which_site_a_request_waits_and_for_how_long() -> None:
    world = World(1, "a", "b")
    joined(world, 1)
    a, b = world.sites.values()
    world.internet.set_delay(a.ip, b.ip, 0.1)
    a.declare()
    b.serve(1, capacity=2, service_s=0.5)
    world.run(5)
    a.request()
    world.run(3)
    for _ in range(3):
        a.request()
        world.run(0.01)
    world.run(0.12)
    on_its_way = kept(a, count=1)[0]
    assert (on_its_way.outcome, on_its_way.site, on_its_way.waited_s) == ("under-way", "b", 0.0)
    world.run(0.25)
    waits = kept(a, count=1)[0]
    assert waits.reason == "it waits at b until a slot is free there"
    assert 0.1 < waits.waited_s < 0.3
    world.run(2)
    past = kept(a, count=3)
    assert [one.outcome for one in past] == ["ok"] * 3
    assert past[0].reason == "waited until a slot was free there"
    assert past[0].waited_s == pytest.approx(0.5, abs=0.05)
    assert [one.waited_s for one in past[1:]] == [0.0, 0.0]


def test_of_a_site_with_room_a_slow_way_is_not_told_as_a_wait_for_a_slot() -> None:
    world = World(1, "a", "b")
    joined(world, 1)
    a, b = world.sites.values()
    world.internet.set_delay(a.ip, b.ip, 0.1)
    a.declare()
    b.serve(1, capacity=2, service_s=0.05)
    world.run(5)
    for _ in range(3):
        a.request()
        world.run(2)
    world.internet.set_delay(a.ip, b.ip, 0.3)
    a.request()
    world.run(4)
    late = kept(a, count=1)[0]
    assert late.outcome == "ok" and late.total_s > 0.6
    assert late.reason == "cheapest site with room"
