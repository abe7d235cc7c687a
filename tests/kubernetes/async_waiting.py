"""Waiting for a condition inside an event loop, with a deadline; a cluster has no event for us."""

import asyncio
import time
from collections.abc import Callable

from tests.scenario.waiting import own_time, pause_s


async def until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Returns once ``condition`` is true; AssertionError when it is late, by `own_time`."""
    first = time.monotonic()
    deadline = own_time() + timeout_s
    while not condition():
        assert own_time() < deadline, f"not within {timeout_s:g} s"
        await asyncio.sleep(pause_s(time.monotonic() - first, 0.0))
