"""Tasks that restart after an unexpected exception, and waits with a time limit."""

import asyncio
import contextlib
import logging
from typing import Protocol

from router.model import limits

log = logging.getLogger("router.kubernetes")


class Runs(Protocol):
    """An object whose `run` belongs to one task."""

    async def run(self) -> None:
        """Run until cancelled."""


async def woken(news: asyncio.Event, most_s: float | None) -> None:
    """Wait for ``news``, at most ``most_s`` seconds; None: without a limit."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(most_s):
            await news.wait()


async def run_supervised(one: Runs, what: str) -> None:
    """Run ``one`` until cancelled, again after each end. ``what`` names it in the log."""
    while True:
        try:
            await one.run()
        except Exception:  # The owner of the task.
            log.exception("%s failed and restarts", what)
        await asyncio.sleep(limits.WATCH_BACKOFF_MAX_S)
