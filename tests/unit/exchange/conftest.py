"""What several files of tests use."""

import pytest

from tests.unit.virtual_time import VirtualTime


@pytest.fixture(params=[0.0, 0.001], ids=["punctual", "late"])
def lateness(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Timers go off at their time or, as those of a busy loop do, a little after it."""
    monkeypatch.setattr(VirtualTime, "late_s", request.param)
