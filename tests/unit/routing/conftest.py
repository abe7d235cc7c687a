"""Each test of a module that uses `both_orders` runs twice."""

import pytest


@pytest.fixture(params=["", "mirrored"], ids=["", "mirrored"])
def both_orders(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two ids the other one is the smaller: nothing that a test says may depend on it."""
    if request.param:
        monkeypatch.setattr("tests.unit.routing.fakes.hexadecimal", _mirrored)


def _mirrored(data: bytes) -> str:
    return bytes(255 - byte for byte in data).hex()
