"""Waiting for a condition inside an event loop, with a deadline; a cluster has no event for us."""

import asyncio
from collections.abc import Callable

from tests.scenario.waiting import POLL_S, own_time


async def until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Returns once ``condition`` is true; AssertionError when it is late, by `own_time`."""
    deadline = own_time() + timeout_s
    while not condition():
        assert own_time() < deadline, f"not within {timeout_s:g} s"
        await asyncio.sleep(POLL_S)
