"""Bursts of two and more sites in virtual time, and the quality that is promised of them.

20 ms there and back between sites, targets with 10 slots, open-loop requests at random times
(Poisson), so that even a dispatcher who knows everything leaves slots idle now and then: it is the
ideal that local slots and latency are compared with.
"""

import pytest

from tests.bench.burst_figures import Arrivals, Figures, Services, orders
from tests.examples import seeds
from tests.simulation.bursts import RTT_S, SLOTS, Scene

SEEDS = seeds(2, first=1)
DRAIN_S = 4.0
BURST_S = 6.0
OVERLOAD_S = 12.0


def load(
    scene: Scene,
    times: float,
    service_s: float,
    seconds: float = BURST_S,
    *,
    seed: int,
    arrivals: Arrivals = "poisson",
    services: Services = "constant",
) -> Figures:
    """``times`` what one target can do is asked for at the first site; all of it has ended."""
    rate = times * SLOTS / service_s
    asked = orders(seed, rate, seconds, service_s, arrivals=arrivals, services=services)
    begin = scene.burst(asked)
    scene.world.run(seconds + DRAIN_S)
    return scene.figures(begin, begin + seconds)


def fills_then_spills(figures: Figures) -> None:
    """The goals of a burst that fits into all sites."""
    assert figures.served == figures.offered
    assert abs(figures.local_used - figures.ideal.local_used) <= 0.02
    assert figures.first_spill_local == SLOTS
    assert figures.spilled_early <= 0.05
    assert figures.waited_idly <= 0.01
    assert figures.p99_s <= 1.1 * figures.bound_s
    assert figures.most_waiting_at_targets == 0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize("remote", [1, 10])
def test_half_more_than_the_site_can_do(seed: int, keep_alive: bool, remote: int) -> None:
    scene = Scene(seed, {"a": 1, "b": remote}, keep_alive=keep_alive)
    fills_then_spills(load(scene, 1.5, 0.25, seed=seed))


@pytest.mark.parametrize("keep_alive", [True, False])
def test_eight_times_what_the_site_can_do(keep_alive: bool) -> None:
    scene = Scene(1, {"a": 1, "b": 10}, keep_alive=keep_alive)
    fills_then_spills(load(scene, 8, 0.4, seed=1))


@pytest.mark.parametrize("seed", SEEDS)
def test_requests_of_different_length(seed: int) -> None:
    scene = Scene(seed, {"a": 1, "b": 10})
    fills_then_spills(load(scene, 8, 0.4, seed=seed, services="lognormal"))
    scene = Scene(seed, {"a": 1, "b": 1})
    fills_then_spills(load(scene, 1.5, 0.25, seed=seed, services="lognormal"))


def test_three_sites_share_what_the_first_cannot_do() -> None:
    figures = load(Scene(1, {"a": 1, "b": 1, "c": 1}), 2.5, 0.25, seed=1)
    fills_then_spills(figures)
    assert abs(figures.site_shares["b"] - figures.site_shares["c"]) <= 0.05


def test_evenly_spaced_requests_need_service_time_and_round_trip_and_no_more() -> None:
    figures = load(Scene(1, {"a": 1, "b": 1}), 1.5, 0.25, seed=1, arrivals="even")
    fills_then_spills(figures)
    assert figures.p99_s <= 1.01 * (0.25 + RTT_S)


@pytest.mark.parametrize("seed", SEEDS)
def test_in_calm_nothing_leaves_a_site_that_has_room(seed: int) -> None:
    figures = load(Scene(seed, {"a": 1, "b": 1}), 0.5, 0.25, seed=seed)
    assert figures.spilled_early == 0
    assert abs(figures.local_used - figures.ideal.local_used) <= 0.001
    even = load(Scene(seed, {"a": 1, "b": 1}), 0.5, 0.25, seed=seed, arrivals="even")
    assert even.spilled == 0


def test_all_is_back_within_a_second_of_the_end_of_a_burst() -> None:
    scene = Scene(1, {"a": 1, "b": 10})
    rate = SLOTS / 0.25
    begin = scene.burst(orders(1, 8 * rate, BURST_S, 0.25))
    scene.world.run(BURST_S)
    scene.burst(orders(2, rate / 2, 4.0, 0.25, arrivals="even"))
    scene.world.run(8.0)
    end = begin + BURST_S
    late = [one for one in scene.clients["a"].outcomes if one.began >= end + 1.0]
    assert len(late) > 50
    assert {one.site for one in late} == {"a"}


@pytest.mark.parametrize("times", [1.5, 8])
def test_the_cost_of_the_only_other_site_makes_no_difference(times: float) -> None:
    near, far = (
        load(Scene(1, {"a": 1, "b": 10}, cost=cost), times, 0.25, seed=1) for cost in (1, 5)
    )
    assert near == far


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("times", [3, 8])
@pytest.mark.parametrize("services", ["constant", "lognormal"])
def test_more_than_all_can_do_is_refused_at_once_and_all_slots_are_used(
    seed: int, times: float, services: Services
) -> None:
    figures = load(
        Scene(seed, {"a": 1, "b": 1}), times, 0.25, OVERLOAD_S, seed=seed, services=services
    )
    assert figures.all_used >= 0.97
    assert figures.refused > 0
    assert figures.refused_late <= 0.01 * figures.offered  # While the line's pace is not known yet.
    assert figures.refused_without_retry_after == 0
    assert figures.lost == 0
    assert figures.served + figures.refused == figures.offered


def test_a_long_queue_of_slow_requests_turns_away_who_would_wait_in_vain() -> None:
    """The queue holds 100; in the second that each may wait some 40 come free."""
    scene = Scene(1, {"a": 1, "b": 1})
    scene.world["a"].declare(queue=100, queue_wait_s=1.0)
    scene.world.run(1.0)
    figures = load(scene, 6, 0.5, OVERLOAD_S, seed=1, services="lognormal")
    assert figures.all_used >= 0.97
    assert figures.refused_late <= 0.02 * figures.offered
    assert figures.lost == 0


def test_one_target_against_two_at_equal_cost_gets_a_third() -> None:
    scene = Scene(1, {"a": 0, "b": 1, "c": 2})
    figures = load(scene, 2, 0.25, seed=1)
    assert figures.served == figures.offered
    assert abs(figures.site_shares["b"] - 1 / 3) <= 0.02


def test_a_local_target_that_stops_loses_nothing() -> None:
    scene = Scene(1, {"a": 1, "b": 10})
    begin = scene.burst(orders(1, 60, BURST_S, 0.25))
    scene.world.run(2.0)
    scene.targets["a"][0].stop()
    scene.world.run(BURST_S + DRAIN_S)
    figures = scene.figures(begin, begin + BURST_S)
    assert figures.served == figures.offered


def test_a_remote_router_that_is_killed_loses_nothing_that_may_be_repeated() -> None:
    scene = Scene(1, {"a": 2, "b": 1, "c": 2})
    begin = scene.burst(orders(1, 120, BURST_S, 0.25))
    scene.world.run(2.0)
    scene.world["b"].kill()
    scene.world.run(BURST_S + DRAIN_S)
    figures = scene.figures(begin, begin + BURST_S)
    assert figures.lost == 0
    assert figures.served >= 0.99 * figures.offered


@pytest.mark.parametrize("seed", SEEDS)
def test_several_ingress_sites_share_what_one_remote_site_has(seed: int) -> None:
    scene = Scene(seed, {"b": 2, "a": 1, "c": 1})
    rate = 1.6 * SLOTS / 0.25
    begins = [scene.burst(orders(seed + n, rate, BURST_S, 0.25), at) for n, at in enumerate("ac")]
    scene.world.run(BURST_S + DRAIN_S)
    spilled = []
    for at, begin in zip("ac", begins, strict=True):
        figures = scene.figures(begin, begin + BURST_S, at=at)
        assert figures.served == figures.offered
        assert figures.first_spill_local == SLOTS
        assert figures.spilled_early <= 0.05
        assert figures.local_used >= 0.9
        spilled.append(figures.spilled)
    assert abs(spilled[0] - spilled[1]) <= 0.08
