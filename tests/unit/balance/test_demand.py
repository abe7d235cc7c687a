"""Demand counts what left, waits and was turned away, and is nothing once nobody asks."""

import pytest

from router.balance.demand import Demand, DemandFigures, Each, each_of, targets_wanted
from router.balance.target import TargetState
from router.model import limits


def test_demand_is_the_sum_of_its_parts() -> None:
    demand = Demand()
    demand.left()
    demand.left()
    figures = demand.figures(10, 3, asked_total=15, request_s=0.2)
    assert (figures.in_flight, figures.overflowed, figures.queued, figures.refused) == (10, 2, 3, 0)
    assert figures.demand == 15


def test_who_was_turned_away_counts_by_how_long_a_request_takes() -> None:
    demand = Demand()
    for second in range(limits.DEMAND_WINDOW_S):
        for _ in range(10):
            demand.turned_away()
        demand.sample(0, 0, asked_total=10 * (second + 1))
    figures = demand.figures(0, 0, asked_total=10 * limits.DEMAND_WINDOW_S, request_s=0.25)
    assert (figures.refused_per_s, figures.demand_per_s) == (10.0, 10.0)
    assert (figures.refused, figures.demand, figures.demand_avg) == (3, 3, 2.5)


def test_a_first_refusal_is_demand_before_any_request_was_served() -> None:
    demand = Demand()
    demand.turned_away()
    figures = demand.figures(0, 0, asked_total=1, request_s=0.0)
    assert (figures.demand, figures.demand_avg) == (1, 1.0)  # An autoscaler at zero goes by both.


def test_the_mean_follows_a_burst_and_is_exactly_nothing_a_window_after_its_end() -> None:
    demand = Demand()
    half = limits.DEMAND_WINDOW_S // 2
    for _ in range(half):
        demand.sample(20, 0, asked_total=5)
    assert demand.figures(20, 0, asked_total=5, request_s=1.0).demand_avg == 10.0
    for _ in range(limits.DEMAND_WINDOW_S):
        demand.sample(0, 0, asked_total=5)
    figures = demand.figures(0, 0, asked_total=5, request_s=1.0)
    assert (figures.demand, figures.demand_avg, figures.demand_per_s) == (0, 0.0, 0.0)


def test_none_returns_that_has_not_left() -> None:
    demand = Demand()
    demand.left()
    demand.returned()
    with pytest.raises(AssertionError, match="without having left"):
        demand.returned()


def figures_of(demand: int, demand_per_s: float = 0.0) -> DemandFigures:
    return DemandFigures(
        in_flight=demand,
        overflowed=0,
        queued=0,
        refused=0,
        demand=demand,
        demand_avg=float(demand),
        demand_per_s=demand_per_s,
        refused_per_s=0.0,
    )


@pytest.mark.parametrize(
    ("wanted", "each", "targets"),
    [
        (0, Each(slots=10), 0),
        (1, Each(slots=10), 1),
        (10, Each(slots=10), 1),
        (11, Each(slots=10), 2),
        (5, None, None),
        (5, Each(per_s=15.0), 3),
        (5, Each(slots=1, per_s=15.0), 5),
    ],
)
def test_targets_wanted_are_rounded_up_by_each_thing_that_is_stated(
    wanted: int, each: Each | None, targets: int | None
) -> None:
    assert targets_wanted(figures_of(wanted, 31.0), each) == targets


def state(capacity: int | None, *, ready: bool = True) -> TargetState:
    return TargetState("10.0.0.1:80", "t", ready, 0, capacity, 0)


def test_what_a_target_takes_is_the_mean_of_the_ready_ones_that_state_it() -> None:
    targets = [state(10), state(20), state(None), state(99, ready=False)]
    assert each_of(targets, learnt=False) == Each(slots=15.0)
    assert each_of([state(4, ready=False)], learnt=False) == Each(slots=4.0)
    assert each_of([state(None)], learnt=False) is None
    assert each_of([], learnt=False) is None
    assert each_of([state(7)], learnt=True) == Each(slots=7.0, learnt=True)
