"""A router whose process was not run for a while says so."""

import asyncio
import time

import pytest

from router.model import limits
from router.process import lag_probe


class Told:
    """Who hears of a stand-still."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.heard = asyncio.Event()

    def stood_still(self, seconds: float) -> None:
        self.seconds = seconds
        self.heard.set()


def test_a_loop_that_is_not_run_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STOOD_STILL_S", 0.3)
    monkeypatch.setattr(lag_probe, "LAG_PROBE_S", 0.01)

    async def run() -> float:
        record = Told()
        probe = lag_probe.LagProbe(record.stood_still)
        async with asyncio.timeout(20.0), asyncio.TaskGroup() as tasks:
            probing = tasks.create_task(probe.run())
            asyncio.get_running_loop().call_later(0.05, time.sleep, 0.5)  # Nothing else runs.
            await record.heard.wait()
            probing.cancel()
        assert probe.lag_s == record.seconds
        return record.seconds

    assert asyncio.run(run()) >= 0.4
