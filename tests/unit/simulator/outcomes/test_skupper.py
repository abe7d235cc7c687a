"""The model of Skupper's rule against the behavior of its routers."""

import pytest

from simulator.outcomes.skupper import Model, Version
from simulator.scenarios.scenario import (
    Arrivals,
    Link,
    Scenario,
    ScenarioService,
    ScenarioTargets,
    ServiceTime,
)

HELD = ServiceTime(mean_s=600.0)


def two_sites(
    cost: int, here: int, there: int, work: ServiceTime, rtt_s: float = 0.02, slots: int = 10
) -> Scenario:
    return Scenario(
        name="two",
        duration_s=100.0,
        sites=("a", "b"),
        links=(Link(between=("a", "b"), cost=cost, rtt_s=rtt_s),),
        services=(ScenarioService(name="shop"),),
        targets=(
            ScenarioTargets(site="a", service="shop", count=here, slots=slots, service_time=work),
            ScenarioTargets(site="b", service="shop", count=there, slots=slots, service_time=work),
        ),
        arrivals=(Arrivals(site="a", service="shop", rate=1.0),),
    )


def held(version: Version, cost: int, pods: int, count: int = 40) -> tuple[list[int], int]:
    """Connections at each local pod, and at the one remote pod, of ``count`` that stay open."""
    model = Model(two_sites(cost, pods, 1, HELD), "shop", version, lambda number: 0.5)
    for number in range(count):
        model.run_until(number * 0.1)
        model.ask("a", number)
    model.run_until(count * 0.1)
    return sorted(model.in_flight("a"), reverse=True), model.in_flight("b")[0]


@pytest.mark.parametrize(
    ("cost", "pods", "here", "there"),
    [
        (1, 1, [21], 19),
        (1, 3, [11, 10, 10], 9),
        (5, 1, [23], 17),
        (10, 1, [25], 15),
        (10, 3, [13, 13, 12], 2),
        (99_999, 1, [40], 0),
    ],
)
def test_v1_splits_held_connections_as_its_router_does(
    cost: int, pods: int, here: list[int], there: int
) -> None:
    assert held("v1", cost, pods) == (here, there)


@pytest.mark.parametrize("cost", [1, 10, 99_999])
def test_v2_keeps_three_connections_at_a_pod_whatever_the_cost(cost: int) -> None:
    assert held("v2", cost, 1) == ([3], 37)
    assert held("v2", cost, 3) == ([3, 3, 3], 31)


@pytest.mark.parametrize(
    ("cost", "count", "split"),
    [(50, 100, (75, 25)), (50, 400, (225, 175)), (50, 460, (250, 210)), (50, 600, (325, 275))],
)
def test_the_step_at_250_connections_that_users_reported_is_there(
    cost: int, count: int, split: tuple[int, int]
) -> None:
    here, there = held("v1", cost, 1, count)
    assert (here[0], there) == split


def share_away(version: Version, scenario: Scenario, rate: float) -> float:
    model = Model(scenario, "shop", version, lambda number: 0.5)
    model.run((number / rate, "a", number) for number in range(2_000))
    return sum(one.by == "b" for one in model.served) / len(model.served)


def test_a_third_leaves_in_calm_under_v1_and_more_than_half_or_so_under_v2() -> None:
    # Half load: 5 of 10 slots. Measured live: 34 to 35 %, and 55 to 58 %.
    calm = two_sites(1, 1, 1, ServiceTime(mean_s=0.25))
    assert share_away("v1", calm, 20.0) == pytest.approx(0.345, abs=0.03)
    assert share_away("v2", calm, 20.0) >= 0.5


def test_a_lone_pod_gets_more_than_its_third_against_two() -> None:
    # A site of clients alone, one pod at b, two at c, equal cost. Measured live: 44 and 43 %.
    work = ServiceTime(mean_s=0.25)
    scenario = Scenario(
        name="three",
        duration_s=100.0,
        sites=("a", "b", "c"),
        links=(Link(between=("a", "b")), Link(between=("a", "c"))),
        services=(ScenarioService(name="shop"),),
        targets=(
            ScenarioTargets(site="b", service="shop", count=1, slots=10, service_time=work),
            ScenarioTargets(site="c", service="shop", count=2, slots=10, service_time=work),
        ),
        arrivals=(Arrivals(site="a", service="shop", rate=1.0),),
    )
    assert share_away("v1", scenario, 0.75 * 30 / 0.25) == pytest.approx(0.44, abs=0.03)
