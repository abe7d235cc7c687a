"""Measures continuously how late the event loop wakes."""

import asyncio
from collections.abc import Callable

from router.model import limits
from router.model.ticks import next_tick

LAG_PROBE_S = 1.0  # In the same turn as all other work of each second.


class LagProbe:
    """Calls ``stood_still`` with the seconds in which this process did not run."""

    __slots__ = ("_lag_s", "_stood_still")

    def __init__(self, stood_still: Callable[[float], None]) -> None:
        self._stood_still = stood_still
        self._lag_s = 0.0

    @property
    def lag_s(self) -> float:
        """How late the loop last woke."""
        return self._lag_s

    async def run(self) -> None:
        """Measure until canceled."""
        loop = asyncio.get_running_loop()
        while True:
            due = next_tick(loop.time(), LAG_PROBE_S)
            await asyncio.sleep(due - loop.time())
            self._lag_s = max(0.0, loop.time() - due)
            if self._lag_s >= limits.STOOD_STILL_S:
                self._stood_still(self._lag_s)
