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
