"""Runs the callers of a router: on or off by the Site document, checked each second."""

import asyncio
import logging
import time

from router.callers.callers import Callers
from router.model.limits import CALLER_AGAIN_S, CALLER_LOOK_S
from router.model.ticks import next_tick
from router.process.stores import RunningNames
from router.service.observers import Observing

log = logging.getLogger("router.process")


class CallersRun:
    """Owner of the one `Callers` of a process."""

    def __init__(self, names: RunningNames, observing: Observing) -> None:
        self._names, self._observing = names, observing
        self.callers = Callers(names, time.monotonic)

    def apply(self, *, names_callers: bool) -> None:
        """Apply the setting. Off: new requests count for no caller; known figures stay."""
        self._observing.callers = self.callers if names_callers else None

    async def run(self) -> None:
        """Run until canceled. Failures here are logged: requests go on."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ask())
            loop = asyncio.get_running_loop()
            while True:
                await asyncio.sleep(next_tick(loop.time(), CALLER_LOOK_S) - loop.time())
                try:
                    self.callers.look()
                except Exception:  # The owner of the task.
                    log.exception("callers could not be named")

    async def _ask(self) -> None:
        """Run until there is no source of names to ask."""
        while True:
            try:
                await self._names.run(lambda: self.callers.waiting > 0)
            except Exception:  # The owner of the task.
                log.exception("callers could not be asked for")
                await asyncio.sleep(CALLER_AGAIN_S)
            else:
                return

    def close(self) -> None:
        """Stop; the process ends."""
        self._observing.callers = None
        self._names.close()
