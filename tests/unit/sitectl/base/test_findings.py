"""What `check` finds, in words."""

import time

import pytest

from sitectl.base.findings import expiry

DAY_S = 86_400.0


@pytest.mark.parametrize(
    ("left_s", "level", "said"),
    [
        (730 * DAY_S, "ok", "it is valid for 730 days"),
        (2 * DAY_S + 60, "warning", "it expires in 2 days"),
        (0.6 * DAY_S, "warning", "it expires in 14 h"),
        (1_200, "warning", "it expires in 20 min"),
        (-1, "error", "it has expired"),
    ],
)
def test_how_long_a_certificate_is_valid_is_not_rounded_to_days_when_hours_count(
    left_s: float, level: str, said: str
) -> None:
    found = expiry("it", time.time() + left_s, "SW0518", "sitectl ca status")
    assert (found.level, found.message) == (level, said)
    assert found.hint == ("" if level == "ok" else "sitectl ca status")
