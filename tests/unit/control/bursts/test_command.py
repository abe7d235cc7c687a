"""Commands that hooks run: ended whole, whatever ends them."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from router.control.bursts import Firing, command

STUBBORN = (
    "import os, signal, time\n"
    "def stay(*_):\n"
    "    open('new', 'w').write(str(os.getpid()))\n"
    "    os.rename('new', 'told')\n"
    "signal.signal(signal.SIGTERM, stay)\n"
    "while True: time.sleep(60)\n"
)
FIRING = Firing(id="1", event="saturated", is_test=False, values={})


async def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)


def test_a_run_that_is_cancelled_while_its_command_is_being_ended_leaves_nothing(
    tmp_path: Path,
) -> None:
    told = tmp_path / "told"

    async def cancelled_in_its_grace() -> None:
        words = (sys.executable, "-c", STUBBORN)
        async with asyncio.TaskGroup() as tasks:
            run = tasks.create_task(command.run(words, FIRING, 1.0, tmp_path))
            await until(told.is_file, "it was told to end")
            run.cancel()
        assert run.cancelled()
        process = Path("/proc", told.read_text())
        await until(lambda: not process.exists(), "it runs on")

    try:
        asyncio.run(cancelled_in_its_grace())
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(told.read_text()), signal.SIGKILL)
