"""Every scenario in `examples/` can be read, and its set-up turns out as its page says."""

from pathlib import Path

import pytest

from simulator.runs.run import Run
from simulator.scenarios import reading
from simulator.scenarios.scenario import Scenario

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def scenario(name: str) -> Scenario:
    """The scenario of a published set-up."""
    path = EXAMPLES / name / "scenario.yaml"
    found, errors, _ = reading.read(path.read_text(), str(path), lambda log: "")
    assert found is not None, errors
    return found


@pytest.mark.parametrize("name", ["coffee-shop", "two-clusters", "hello", "worker-frontend"])
def test_a_published_set_up_loses_nothing(name: str) -> None:
    record = Run(scenario(name)).finish()
    assert record.requests
    assert [one for one in record.requests if not one.served_by] == []


def test_above_its_rate_the_site_moves_all_and_takes_it_back() -> None:
    record = Run(scenario("worker-frontend")).finish()
    began = record.began_s

    def away(first_s: float, last_s: float) -> float:
        chosen = [one for one in record.requests if first_s <= one.began - began < last_s]
        return sum(one.served_by == "cloud" for one in chosen) / len(chosen)

    assert away(0, 20) == 0  # 8 a second.
    assert away(30, 40) == 1  # 30 a second, for long enough.
    assert away(40, 60) == 1  # 12 a second: above the low mark.
    assert away(80, 100) == 0  # 8 a second again.


def test_six_pods_is_a_scenario_of_ten_clients() -> None:
    found = scenario("six-pods")  # A run of it takes seconds: the real one is in tests/scenario.
    assert sum(one.count for one in found.targets) == 6
    assert [one.clients for one in found.arrivals] == [10]
