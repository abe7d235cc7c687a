"""Connections that clients keep: where they stay, and what moves them."""

from pathlib import Path

import pytest

from simulator.outcomes import figures
from simulator.runs.measure import RunRecord
from simulator.runs.run import Run
from tests.simulation.test_scenarios import BURST, scenario

POOL = (Path(__file__).resolve().parents[2] / "examples" / "pool.yaml").read_text()


def ran(*changes: tuple[str, str]) -> RunRecord:
    text = POOL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return Run(scenario(text)).finish()


def away(record: RunRecord, first_s: float, last_s: float) -> float:
    asked = [one for one in record.requests if first_s <= one.began - record.began_s < last_s]
    return sum(one.served_by == "cloud" for one in asked) / len(asked)


def opened(record: RunRecord) -> int:
    return record.connections["onprem", "database"]


AUTO = ("protocol: tcp}", "protocol: tcp, rebalance: auto}")
AGE = ("protocol: tcp}", "protocol: tcp, maxAge: 15s}")
BUSY = ("think: 8s", "think: 1s")


def test_kept_connections_stay_where_they_were_placed() -> None:
    record = ran()
    assert away(record, 0.0, 10.0) == away(record, 30.0, 60.0) == pytest.approx(2 / 3)
    assert opened(record) == 30


def test_idle_connections_move_by_rebalancing_and_busy_ones_do_not() -> None:
    record = ran(AUTO)
    assert away(record, 0.0, 10.0) == pytest.approx(2 / 3)
    assert away(record, 30.0, 60.0) == 0.0
    assert opened(record) == 30 + 20
    busy = ran(AUTO, BUSY)
    assert away(busy, 30.0, 60.0) == pytest.approx(2 / 3, abs=0.01)
    assert opened(busy) == 30


def test_age_ends_all_connections_busy_ones_included() -> None:
    record = ran(AGE, BUSY)
    assert away(record, 50.0, 60.0) == 0.0
    assert opened(record) >= 60


def test_new_connections_are_one_for_each_request() -> None:
    run = Run(scenario(BURST))
    found = figures.outcome(run.world.scenario, run.finish(), run.draw, ())
    assert found.sites[0].connections == found.sites[0].offered
