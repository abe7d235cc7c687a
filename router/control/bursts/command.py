"""A command: words without a shell, in a separate process group, with a deadline."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from router.control.bursts.hook_call import Firing, HookOutcome, shown
from router.documents.templates import filled
from router.model import limits

PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME", "XDG_RUNTIME_DIR",
                    "XDG_STATE_HOME", "KUBECONFIG", "SSL_CERT_FILE", "SSL_CERT_DIR")  # fmt: skip
"""Variables of our environment to pass on. Others may be secrets of the router."""


def environment(values: Mapping[str, str]) -> dict[str, str]:
    """The command's environment: ``SPILLWAY_EVENT``, ``SPILLWAY_QUEUE_WAIT_MS`` …"""
    found = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    for name, value in values.items():
        words = "".join(f"_{sign}" if sign.isupper() else sign for sign in name)
        found[f"SPILLWAY_{words.upper()}"] = value
    return found


async def run(
    words: Sequence[str], firing: Firing, timeout_s: float, directory: Path
) -> HookOutcome:
    """Run the command in ``directory``; exit code 0 is success.

    After the deadline or when canceled, its whole process group is ended. Processes that it has put
    in another session (``setsid``, ``sitectl start``) survive: that is how a hook starts something.
    """
    filled_words = [filled(word, firing.values) for word in words]
    with _Listener() as said:
        try:
            process = await asyncio.create_subprocess_exec(
                *filled_words,
                cwd=directory,
                env=environment(firing.values),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=said.writes,
                stderr=said.writes,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            hint = "Name a program that the router's user may run, by its whole path"
            return HookOutcome(
                ok=False, text=f"{filled_words[0]} cannot be run: {reason}", hint=hint
            )
        try:
            async with asyncio.timeout(timeout_s):
                code = await process.wait()
        except TimeoutError:
            await _end(process)
            return HookOutcome(
                ok=False,
                text=f"was ended after {timeout_s:g} s{said.quoted(', having said: ')}",
                hint="Let it start what takes long and return, or raise timeout",
            )
        except asyncio.CancelledError:
            await _kill(process)
            raise
        said.read()
        if code == 0:
            return HookOutcome(ok=True, text=said.quoted() or "exit 0")
        how = f"exit {code}" if code > 0 else f"ended by signal {-code}"
        return HookOutcome(
            ok=False,
            text=f"{how}{said.quoted(': ')}",
            hint="Run it by hand as the router's user",
        )


class _Listener:
    """Reads everything that a command prints, because a full pipe would stop it; keeps the
    beginning.

    Uses a separate pipe: asyncio's would make us wait for any process that inherited it. Use:
    ``with``.
    """

    def __init__(self) -> None:
        self._reads, self.writes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(self.writes, True)
        self._kept = bytearray()
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._loop.add_reader(self._reads, self.read)
        return self

    def __exit__(self, *_: object) -> None:
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._reads)
        os.close(self._reads)
        os.close(self.writes)

    def read(self) -> None:
        """Read one bounded piece of the output: endless output must not occupy the loop."""
        room = limits.BURST_OUTPUT_BYTES_MAX - len(self._kept)
        with contextlib.suppress(BlockingIOError):
            self._kept += os.read(self._reads, 65_536)[: max(0, room)]
        if room <= 0 and self._pause is None:
            self._loop.remove_reader(self._reads)
            self._pause = self._loop.call_later(limits.BURST_READ_PAUSE_S, self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        self._loop.add_reader(self._reads, self.read)

    def quoted(self, before: str = "") -> str:
        """``before`` and the output; empty if there was none."""
        text = shown(bytes(self._kept))
        return before + text if text else ""


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the whole group, with a grace period; at once if this coroutine is canceled."""
    _signal(process, signal.SIGTERM)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limits.BURST_KILL_S):
                await process.wait()
    finally:
        await _kill(process)


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill the whole group and wait until it is gone. Processes stuck in the kernel may stay."""
    _signal(process, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limits.BURST_KILL_S):
            await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
