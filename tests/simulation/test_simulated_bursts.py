"""Burst hooks of a scenario: the production detector and hold, and a world that wakes."""

from pathlib import Path

import pytest

from simulator.runs.measure import RunRecord
from simulator.runs.run import Run
from tests.simulation.test_scenarios import scenario

WAKE = (Path(__file__).resolve().parents[2] / "examples" / "wake.yaml").read_text()


def ran(*changes: tuple[str, str]) -> RunRecord:
    text = WAKE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return Run(scenario(text)).finish()


def refused(record: RunRecord) -> int:
    return sum(one.status == 503 for one in record.requests)


def moments(record: RunRecord) -> list[tuple[str, float]]:
    return [(one.what, round(one.at_s - record.began_s, 2)) for one in record.bursts]


def test_figures_of_a_cold_wake_are_those_of_one_forwarder() -> None:
    """As tests/unit/exchange/test_holding.py has them: 0 of 2,120 refused, at most 8.6 s."""
    record = ran()
    assert len(record.requests) == 2_120
    assert {one.status for one in record.requests} == {200}
    assert 8.0 <= max(one.latency_s for one in record.requests) <= 9.2
    assert sum(one.held_s > 0 for one in record.requests) > 400
    assert moments(record)[:2] == [("saturated", 10.75), ("awake", 22.75)]


def test_without_a_hold_the_same_hook_refuses_as_many_as_one_forwarder_does() -> None:
    record = ran(("{name: shop}", "{name: shop, hold: 0s}"))
    assert abs(refused(record) - 418) <= 0.05 * 418
    assert not any(one.held_s for one in record.requests)


def test_a_site_whose_router_starts_has_to_link_first() -> None:
    record = ran(("wake: 12s", "wake: 12s\n      starts: router"))
    first = min(one.ended for one in record.requests if one.served_by == "cloud")
    assert first - record.began_s > 22.75 + 0.2
    assert refused(record) == 0


def test_a_hook_that_fails_runs_again_and_requests_wait_for_it() -> None:
    record = ran(
        ("wake: 12s", "wake: 2s\n      fails: 1"), ("{name: shop}", "{name: shop, hold: 90s}")
    )
    assert [what for what, _ in moments(record)] == ["failed", "saturated", "awake"]
    (_, failed), (_, again), _ = moments(record)
    assert again - failed == pytest.approx(30.0, abs=0.5)  # `limits.BURST_AGAIN_S`.


def test_what_was_woken_goes_when_it_is_calm() -> None:
    record = ran(
        ("overflow: 5%}", "overflow: 5%, for: 5s}\n      coolDown: 10s"),
        ("until: 50s}", "until: 30s}"),
    )
    assert [what for what, _ in moments(record)] == ["saturated", "awake", "calm"]
    assert record.samples["cloud", "shop"][-1].slots == 0
    assert record.samples["cloud", "shop"][27].slots == 60
