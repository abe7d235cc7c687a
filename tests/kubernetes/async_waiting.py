"""Event loops of tests with a client of a cluster: running one, and waiting inside for a condition,
with a deadline; a cluster has no event for us."""

import asyncio
import gc
import time
import warnings
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tests.scenario.waiting import own_time, pause_s

T = TypeVar("T")


def run(story: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`; then silently collect the objects that it leaves behind.

    A TLS connection is closed when the other end agrees, and the loop may end before that. A later
    test must not warn of it.
    """
    try:
        return asyncio.run(story)
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


async def until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Returns once ``condition`` is true; AssertionError when it is late, by `own_time`."""
    first = time.monotonic()
    deadline = own_time() + timeout_s
    while not condition():
        assert own_time() < deadline, f"not within {timeout_s:g} s"
        await asyncio.sleep(pause_s(time.monotonic() - first, 0.0))
