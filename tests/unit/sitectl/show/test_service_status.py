"""The cells of `service status`."""

from typing import Any

import pytest

from sitectl.show import service_status
from sitectl.show.service_status import capacity_text


@pytest.mark.parametrize(
    ("admitted", "state", "shown"),
    [
        (19.7, "calm", "19.7 of 30/s"),
        (30.0, "over", "30.0 of 30/s, over"),
        (29.96, "over", "30.0 of 30/s, over"),
        (19.7, "over", "30/s, over"),
        (19.7, "sends-away", "30/s, over: all spills"),
        (None, "over", "30/s, over"),
    ],
)
def test_a_rate_is_never_over_beside_a_number_below_it(
    admitted: float | None, state: str, shown: str
) -> None:
    rate = {"per_s": 30.0, "admitted_per_s": admitted, "state": state}
    assert capacity_text({"rate": rate}) == shown


def test_a_site_that_lists_none_of_its_targets_is_named() -> None:
    """It was asked and did not answer in time: its rows are missing, and not its targets."""
    near = {"site": "near", "local": True, "targets_ready": 1}
    far = {"site": "far", "local": False, "targets_ready": 2}
    idle = {"site": "idle", "local": False, "targets_ready": 0}
    targets: list[dict[str, Any]] = [{"name": "one", "site": "near", "port": 9001}]
    shop = {"name": "shop", "port": 80, "sites": [near, far, idle], "targets": targets}
    told = service_status.table([shop], True, 0.0, {})
    assert "far did not list its 2 ready targets. Does it answer? sitectl ping far" in told
    assert "near did not" not in told and "idle did not" not in told
    told = service_status.table([shop], True, 0.0, {}, is_named=False)
    assert "did not list" not in told
    targets.append({"name": "two", "site": "far", "port": 9001})
    told = service_status.table([shop], True, 0.0, {})
    assert "did not list" not in told


def test_a_site_that_stops_is_not_said_to_leave_a_question_without_an_answer() -> None:
    """Its link takes nothing new, so nobody asks it; it still has its targets."""
    far = {"site": "far", "local": False, "targets_ready": 2, "draining": True}
    shop: dict[str, Any] = {"name": "shop", "port": 80, "sites": [far], "targets": []}
    told = service_status.table([shop], True, 0.0, {})
    assert "far is draining, so it does not list its 2 ready targets." in told
    assert "Does it answer?" not in told


def test_a_site_that_may_not_serve_is_not_said_to_be_silent() -> None:
    """Nothing is asked of it, so that its rows are missing says nothing of it."""
    rule = "far declares it as http, and tcp counts here"
    far = {"site": "far", "local": False, "targets_ready": 2, "left_out": rule}
    shop = {"name": "shop", "port": 80, "sites": [far], "targets": []}
    told = service_status.table([shop], True, 0.0, {})
    assert f"far was not asked for its 2 ready targets: {rule}" in told
    assert "did not list" not in told
