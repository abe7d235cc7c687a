"""A site whose router has two workers: slots, figures and problems are those of both."""

from typing import Final

import pytest

from router.documents.division import WHOLE
from router.workers import combined_figures
from tests.examples import seeds
from tests.simulation import worker_hours
from tests.simulation.worker_hours import WorkerHour

MINUTE_S: Final = 60.0


@pytest.mark.parametrize("seed", seeds(6))
def test_the_first_worker_says_what_is_true_of_both_in_minutes_of_faults(seed: int) -> None:
    assert list(WorkerHour(seed).play(MINUTE_S)) == []


def test_requests_do_not_fall_while_they_wait_for_another_way_after_a_lost_link() -> None:
    assert list(WorkerHour(258).play(MINUTE_S + 5.0)) == []


def test_figures_of_the_first_worker_alone_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    hour = WorkerHour(3)
    hour.rates |= {"a": 0, "w": 40}
    monkeypatch.setattr(combined_figures, "together", lambda each, ended: each[0])
    assert any("requests: 0.0/s" in wrong for wrong in hour.play(20.0))


def test_requests_of_a_worker_that_died_count_no_longer_than_they_are_of_the_last_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_hours, "ACTS", {"none": lambda hour: None})
    hour = WorkerHour(3)
    hour.rates |= {"a": 40, "w": 40}
    assert list(hour.play(25.0)) == []
    hour.kill()
    hour.rates |= {"a": 1, "w": 1}
    assert list(hour.play(30.0)) == []


def test_slots_that_both_workers_have_are_noticed() -> None:
    hour = WorkerHour(1)
    for name in "aw":
        hour.world[name].division = WHOLE
        hour.world[name].apply()
    hour.rates |= {"a": 40, "w": 40}
    assert any("in hand" in wrong for wrong in hour.play(10.0))


def steady(monkeypatch: pytest.MonkeyPatch, seed: int, rate: int, seconds: float) -> WorkerHour:
    """An hour without faults, after that many seconds; each site gets ``rate`` a second."""
    monkeypatch.setattr(worker_hours, "ACTS", {"none": lambda hour: None})
    monkeypatch.setattr(worker_hours, "RATES", (rate,))
    hour = WorkerHour(seed)
    assert list(hour.play(seconds)) == []
    return hour


def test_requests_of_a_worker_are_in_the_rates_after_it_died(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hour = steady(monkeypatch, 3, 40, 25.0)
    ((_, before),) = hour.site.rows
    hour.kill()
    ((_, after),) = hour.site.rows
    assert before.requests_per_s > 50
    assert 0.85 * before.requests_per_s < after.requests_per_s <= 1.05 * before.requests_per_s


def test_of_two_workers_not_all_slots_are_said_to_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    hour, said = steady(monkeypatch, 1, 10, 22.0), set[str]()
    for _ in range(6):
        assert list(hour.play(1.0)) == []
        said |= {row.why for _, row in hour.site.rows}
    assert any("the worker they came to had none free when they left" in why for why in said)
    assert not any("none was free" in why for why in said)
