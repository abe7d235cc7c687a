"""Demand counts spilled, waiting and refused requests, and is zero when no requests come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.balance.learning.demand import Demand, DemandFigures, Each, each_of, targets_wanted
from router.balance.site_gate import RateState
from router.balance.targets.target import TargetState
from router.model import limits

WINDOW_S = limits.DEMAND_WINDOW_S


class Seconds:
    """A service port that is sampled each second."""

    def __init__(self) -> None:
        self.demand = Demand()
        self.now = 100.0
        self.asked = 0

    def pass_one(self, in_flight: int = 0, queued: int = 0, request_s: float = 0.25) -> None:
        self.now += 1.0
        self.demand.sample(self.now, in_flight, queued, self.asked, request_s)

    def figures(self, in_flight: int = 0, *, has_target: bool = True) -> DemandFigures:
        return self.demand.figures(self.now, in_flight, 0, self.asked, has_target=has_target)

    def turn_away(self, times: int = 1) -> None:
        self.asked += times
        for _ in range(times):
            self.demand.turned_away(self.now, self.now, "", may_return=False)


def test_what_was_turned_away_counts_as_the_slots_it_would_have_had() -> None:
    port = Seconds()
    port.pass_one()
    for _ in range(WINDOW_S + 1):
        for _ in range(10):
            port.turn_away()
            port.now += 0.1
        port.now -= 1.0
        port.pass_one()
    figures = port.figures()
    assert (figures.refused_per_s, figures.demand_per_s) == (10.0, 10.0)
    assert (figures.refused, figures.demand, figures.demand_avg) == (2, 2, 2.0)


def test_a_first_refusal_is_demand_before_any_request_was_served() -> None:
    port = Seconds()
    port.turn_away()
    assert port.figures().demand == 1


def test_who_is_turned_away_where_no_target_is_wakes_one_for_as_long_as_autoscalers_wait() -> None:
    port = Seconds()
    port.turn_away()
    for _ in range(int(limits.DEMAND_WAKES_S) - 1):
        port.pass_one()
        figures = port.figures(has_target=False)
        assert figures.demand == 1
        assert figures.demand_avg >= 1.0
    assert port.figures(has_target=True).demand == 0, "a target is there: nobody need be woken"
    port.pass_one()
    figures = port.figures(has_target=False)
    assert (figures.demand, figures.demand_avg) == (0, 0.0)


def test_in_between_the_mean_is_of_the_time_that_passed() -> None:
    port = Seconds()
    for _ in range(2 * WINDOW_S):
        port.asked += 10
        port.pass_one(in_flight=1)
    port.now += 0.5
    port.asked += 5
    assert port.figures(1).demand_per_s == pytest.approx(10.0)


def test_who_asks_again_is_asked_for_once() -> None:
    port = Seconds()
    one = port.demand.turned_away(port.now, port.now, "192.0.2.1", may_return=True)
    assert one is not None
    assert port.demand.again_total == 0
    port.demand.asks_again(one, port.now)
    port.demand.asks_again(one, port.now)
    assert port.demand.again_total == 1


def test_who_connects_again_is_asked_for_once() -> None:
    port = Seconds()
    assert not port.demand.away
    port.demand.turned_away(port.now, port.now, "192.0.2.1", may_return=False)
    assert list(port.demand.away) == ["192.0.2.1"]
    for client in ("192.0.2.2", "192.0.2.1", "192.0.2.1"):
        port.demand.comes(client, port.now + 1.0)
    assert port.demand.again_total == 1
    assert not port.demand.away


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


@given(
    demand=st.integers(0, 40),
    demand_per_s=st.sampled_from((0.0, 0.5, 31.0, 32.0)),
    slots=st.none() | st.sampled_from((0.0, 0.5, 3.0, 8.0)),
    per_s=st.none() | st.sampled_from((0.25, 8.0, 15.5)),
)
def test_targets_wanted_are_the_fewest_that_take_the_demand_by_each_thing_that_is_stated(
    demand: int, demand_per_s: float, slots: float | None, per_s: float | None
) -> None:
    wanted = targets_wanted(figures_of(demand, demand_per_s), Each(slots=slots, per_s=per_s))

    def are_enough(count: int) -> bool:
        return (not slots or count * slots >= demand) and (
            not per_s or count * per_s >= demand_per_s
        )

    assert wanted is not None
    assert are_enough(wanted)
    assert wanted == 0 or not are_enough(wanted - 1)


def state(capacity: int | None, *, ready: bool = True, per_s: float | None = None) -> TargetState:
    rate = None
    if per_s is not None:
        rate = RateState(
            per_s=per_s,
            resume_per_s=per_s,
            window_s=1.0,
            asked_s=1.0,
            asked_per_s=0.0,
            admitted_per_s=0.0,
            free=1,
            is_over=False,
        )
    return TargetState("10.0.0.1:80", "t", ready, 0, capacity, 0, rate)


def test_what_a_target_takes_is_the_mean_of_the_ready_ones_that_state_it() -> None:
    targets = [state(10), state(21), state(None), state(99, ready=False)]
    assert each_of(targets, learnt=False) == Each(slots=15.5)
    assert each_of([state(4, ready=False)], learnt=False) == Each(slots=4.0)
    assert each_of([state(None)], learnt=False) is None
    assert each_of([], learnt=False) is None
    assert each_of([state(7)], learnt=True) == Each(slots=7.0, learnt=True)


def test_what_a_target_takes_a_second_is_the_mean_of_the_ready_ones_that_state_a_rate() -> None:
    targets = [state(None, per_s=10.0), state(None, per_s=31.0), state(None)]
    assert each_of(targets, learnt=True) == Each(per_s=20.5)
    assert each_of([*targets, state(None, per_s=90.0, ready=False)], learnt=False) == Each(
        per_s=20.5
    )
    assert each_of([state(4, per_s=10.0), state(8)], learnt=False) == Each(slots=6.0, per_s=10.0)
