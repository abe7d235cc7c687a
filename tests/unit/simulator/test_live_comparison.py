"""How `make simulate-live` compares, and the scenarios that it runs both ways."""

import pytest

from simulator.scenarios.scenario import ServiceTime
from tests.bench.burst_figures import Outcome
from tests.bench.live_scenarios import LIVE, LiveScenario
from tests.bench.simulate_live import (
    GOAL,
    Overhead,
    SideFigures,
    apart,
    overhead_of,
    side_of,
    slowed,
)


@pytest.mark.parametrize("live", LIVE, ids=lambda live: live.name)
def test_every_scenario_is_read_and_has_one_service_time(live: LiveScenario) -> None:
    scenario = live.scenario(1)
    assert len({one.service_time for one in scenario.targets}) == 1
    assert all(one.slots == 10 for one in scenario.targets)


def test_there_are_enough_of_them_with_names_of_their_own() -> None:
    assert len({one.name for one in LIVE}) == len(LIVE) >= GOAL


def side(*, here: int = 600, near: int = 400, failed: int = 0, p99_s: float = 0.3) -> SideFigures:
    served = {"here": here, "near": near, "far": 0}
    return SideFigures(asked=here + near + failed, served=served, failed=failed, p99_s=p99_s)


def test_counts_agree_within_a_tenth_or_a_fiftieth_of_all() -> None:
    quiet = Overhead()
    assert apart(side(), side(here=560, near=440), quiet) == []
    assert apart(side(), side(here=500, near=500), quiet) == [
        "served by here: 600 and 500",
        "served by near: 400 and 500",
    ]
    assert apart(side(), side(here=590, near=390, failed=20), quiet) == []
    assert apart(side(), side(here=580, near=390, failed=30), quiet) == ["failed: 0 and 30"]


def test_p99_agrees_within_a_tenth_or_what_the_machine_adds() -> None:
    assert apart(side(), side(p99_s=0.325), Overhead()) == []
    assert apart(side(), side(p99_s=0.35), Overhead()) == ["p99: 300 and 350 ms"]
    assert apart(side(), side(p99_s=0.35), Overhead(tail_s=0.06)) == []


def test_what_a_machine_adds_is_the_median_and_what_is_beyond_at_the_p99() -> None:
    outcomes = [
        Outcome(began=0.0, ended=0.1 + number / 1000, service_s=0.1, status=200, site="here")
        for number in range(101)
    ]
    found = overhead_of(outcomes)
    assert found.median_s == pytest.approx(0.05, abs=0.002)
    assert found.tail_s == pytest.approx(0.05, abs=0.003)


def test_targets_are_slowed_in_the_mean() -> None:
    scenario = slowed(LIVE[0].scenario(1), 0.01)
    assert scenario.targets[0].service_time == ServiceTime(mean_s=0.26)


def test_who_served_and_what_failed_is_counted() -> None:
    found = side_of([("here", 0.1), ("near", 0.2), ("", 9.0)])
    assert (found.served["here"], found.served["near"], found.failed) == (1, 1, 1)
    assert found.p99_s == 0.2
