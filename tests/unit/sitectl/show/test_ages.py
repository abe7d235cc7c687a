"""Ages as people say them."""

import pytest

from sitectl.show import ages


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0s"), (0, "0s"), (59.9, "59s"), (60, "1m0s"), (3_660, "1h1m"), (90_000, "1d1h")],
)
def test_an_age_has_two_units_at_most(seconds: float, text: str) -> None:
    assert ages.age(seconds) == text


def test_an_instant_becomes_an_age() -> None:
    assert ages.since("1970-01-01T00:01:00Z", 90.0) == "30s"
    assert ages.since("1970-01-01T00:01:00.500Z", 90.0) == "29s"
    assert ages.since(None, 90.0) is None
    assert ages.since("soon", 90.0) == "soon"
