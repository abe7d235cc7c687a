"""Runs scenarios beside the router, in a process with lower priority than all others."""

import asyncio
import contextlib
import os
import resource
import signal
import sys
from pathlib import Path

import msgspec

from router.admin.endpoints.simulation import Ran, RunFailed, SimulationBusy, SimulationOrder
from router.control.bursts.command import PASSED_ON
from router.model import limits
from router.model.unreadable import UNREADABLE_JSON

_NICENESS = 10  # A tenth of our share on a busy machine; at 19 it would hardly run.
_WORDS = (sys.executable, "-P", "-m", "simulator")
_KILLED_FIRST = "1000"


class SimulationProcess:
    """Runs one command at a time; ends it after `limits.SIMULATION_S`, then kills it."""

    def __init__(self, words: tuple[str, ...] = _WORDS) -> None:
        self._words = words
        self._busy = False

    async def run(self, order: SimulationOrder) -> Ran:
        """Run ``order``. Raises SimulationBusy, RunFailed."""
        if self._busy:
            raise SimulationBusy
        self._busy = True
        try:
            return await self._run(msgspec.json.encode(order))
        finally:
            self._busy = False

    async def _run(self, order: bytes) -> Ran:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._words,
                env=_environment(),
                cwd="/",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            raise RunFailed(f"no process for it could be started: {error.strerror}") from error
        _humble(process.pid)
        loop = asyncio.get_running_loop()
        timers = [
            loop.call_later(limits.SIMULATION_S, _signal, process, signal.SIGTERM),
            loop.call_later(
                limits.SIMULATION_S + limits.SIMULATION_END_S, _signal, process, signal.SIGKILL
            ),
        ]
        try:
            answer, _ = await process.communicate(order)
        finally:
            for timer in timers:
                timer.cancel()
            if process.returncode is None:  # This task was canceled: the client has gone.
                _signal(process, signal.SIGKILL)
                with contextlib.suppress(TimeoutError):  # It may hang in the kernel.
                    async with asyncio.timeout(limits.SIMULATION_END_S):
                        await process.wait()
        if process.returncode == -signal.SIGKILL:
            raise RunFailed(f"it took longer than {limits.SIMULATION_S:g} s")
        try:
            return msgspec.json.decode(answer, type=Ran)
        except UNREADABLE_JSON as error:
            raise RunFailed(f"its process ended early, exit {process.returncode}") from error


def _environment() -> dict[str, str]:
    """Harmless variables of our environment, and the path of this package."""
    found = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**found, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def _humble(pid: int) -> None:
    """Let everything else on this machine come first, in time and in memory.

    This needs no permission: each step only takes something from the process.
    """
    cpu_s = int(2 * limits.SIMULATION_S)  # If we are killed, the process must not run on forever.
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):  # It may have ended.
        _limit(pid, resource.RLIMIT_AS, limits.SIMULATION_MEMORY_BYTES_MAX)
        _limit(pid, resource.RLIMIT_CPU, cpu_s)
        Path(f"/proc/{pid}/oom_score_adj").write_text(_KILLED_FIRST)
        niceness = os.getpriority(os.PRIO_PROCESS, pid)
        os.setpriority(os.PRIO_PROCESS, pid, max(niceness, _NICENESS))


def _limit(pid: int, kind: int, most: int) -> None:
    """Limit it to ``most``, or to its lower present limit."""
    _, hard = resource.prlimit(pid, kind)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.prlimit(pid, kind, (most, most))


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
