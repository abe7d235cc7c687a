"""Arrivals and service times: their averages, and that a seed repeats a history."""

from random import Random
from statistics import fmean

import pytest

from simulator.scenarios import draws
from simulator.scenarios.scenario import Arrivals, ServiceTime, ServiceTimeKind


@pytest.mark.parametrize("kind", ["constant", "exponential", "lognormal", "bimodal", "uniform"])
def test_the_mean_of_every_service_time_is_what_is_stated(kind: ServiceTimeKind) -> None:
    spec = ServiceTime(kind=kind, mean_s=0.4)
    count = 20_000
    worked = [draws.service_s(spec, (number + 0.5) / count) for number in range(count)]
    assert fmean(worked) == pytest.approx(0.4, rel=0.01)
    assert min(worked) > 0


@pytest.mark.parametrize(
    ("arrivals", "expected"),
    [
        (Arrivals(site="a", kind="steady", rate=50.0), 5_000),
        (Arrivals(site="a", kind="poisson", rate=50.0), 5_000),
        (Arrivals(site="a", kind="ramp", rate=0.0, to_rate=100.0), 5_000),
        (
            Arrivals(
                site="a", kind="flash", rate=10.0, peak=100.0, peak_from_s=20, peak_until_s=60
            ),
            4_600,
        ),
        (Arrivals(site="a", kind="replay", instants=(0.0, 1.0, 99.0)), 3),
    ],
)
def test_as_many_arrive_as_the_rates_say_and_in_order(arrivals: Arrivals, expected: int) -> None:
    found = list(draws.instants(arrivals, 100.0, Random(1)))
    assert found == sorted(found)
    assert all(0.0 <= when < 100.0 for when in found)
    assert len(found) == pytest.approx(expected, rel=0.05)
    assert draws.expected(arrivals, 100.0, 0.1) == pytest.approx(expected)
    assert found == list(draws.instants(arrivals, 100.0, Random(1)))


@pytest.mark.parametrize(
    ("arrivals", "expected"),
    [
        (Arrivals(site="a", kind="flash", peak=0.0, peak_from_s=0.0, peak_until_s=1.0), 0),
        (Arrivals(site="a", kind="flash", peak=2e4, peak_from_s=9.0, peak_until_s=9.05), 1_000),
        (Arrivals(site="a", kind="flash", rate=0.5, peak_from_s=-1.0, peak_until_s=9e9), 0),
        (Arrivals(site="a", kind="poisson", rate=0.05, peak=2e4, to_rate=2e4), 1_080),
    ],
)
def test_what_is_drawn_is_what_is_asked_and_not_what_never_comes(
    arrivals: Arrivals, expected: int
) -> None:
    drawn = Counted(1)
    found = list(draws.instants(arrivals, 6 * 3600.0, drawn))
    assert len(found) == pytest.approx(expected, rel=0.2)
    assert drawn.count <= 2 * expected + 10
    if arrivals.kind == "flash":
        assert all(arrivals.peak_from_s <= when < arrivals.peak_until_s for when in found)


class Counted(Random):
    """Counts the draws."""

    count = 0

    def random(self) -> float:
        self.count += 1
        return super().random()
