"""In a forked command or router: our processes that it starts are forked from the same server.

A command starts routers, and a router its workers: each would import everything again. All other
programs are started as ever. Each forked process leads a separate session.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from tests.scenario.fork_requests import Forked, ask

_ROUTERS: Final = {"router.process.main", "router.main.process"}  # Ours and the last release's.
_WORKER: Final = "router.process.worker"
_DEVNULL: Final = subprocess.DEVNULL
Files = tuple[int, int, int]
Fork = Callable[[Sequence[str], Files, Path, Mapping[str, str], Sequence[int]], Forked]


class ForkedChild:
    """As `asyncio.subprocess.Process`, as far as those who start processes need it."""

    def __init__(self, forked: Forked) -> None:
        self.pid = forked.pid
        self._forked = forked
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(forked, self._end)

    @property
    def returncode(self) -> int | None:
        """The exit code; None: it runs."""
        return self._forked.returncode

    async def wait(self) -> int:
        """The exit code, once the process has ended."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def kill(self) -> None:
        """End it."""
        if self.returncode is None:
            with suppress(ProcessLookupError):  # We have not heard of its end yet.
                os.kill(self.pid, signal.SIGKILL)

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._forked)
        self._forked.poll()
        self._ended.set()


def fork_children(address: bytes) -> None:
    """From now on, from the server that listens at ``address``."""

    def fork(
        words: Sequence[str],
        files: Files,
        directory: Path,
        environment: Mapping[str, str],
        inherited: Sequence[int],
    ) -> Forked:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
            server.connect(address)
            return ask(
                server, words, files, directory, environment, inherited=inherited, forks=True
            )

    _fork_routers(fork)
    _fork_workers(fork)


def _fork_routers(fork: Fork) -> None:
    subprocess.Popen = popen_that_forks(fork)  # type: ignore[misc]


def popen_that_forks(fork: Fork) -> Any:
    """Instead of `subprocess.Popen`: it makes `Forked` where it is to make a router."""

    class Popen(subprocess.Popen):  # type: ignore[type-arg]
        """As the words say."""

        def __new__(cls, words: Sequence[str], **options: Any) -> Any:
            if words[0] != sys.executable or _ROUTERS.isdisjoint(words):
                return super().__new__(cls)
            log: IO[bytes] = options.pop("stdout")
            assert options.pop("stderr") is log
            assert (options.pop("stdin"), options.pop("start_new_session")) == (_DEVNULL, True)
            directory, environment = options.pop("cwd"), options.pop("env")
            assert not options, options
            with open(os.devnull, "rb") as nothing:
                files = (nothing.fileno(), log.fileno(), log.fileno())
                return fork(words[1:], files, directory, environment, ())

    return Popen


def _fork_workers(fork: Fork) -> None:
    start = asyncio.create_subprocess_exec

    async def started(*words: str, **options: Any) -> Any:
        if words[0] != sys.executable or _WORKER not in words:
            return await start(*words, **options)
        return ForkedChild(_worker(fork, words, options))

    asyncio.create_subprocess_exec = started  # type: ignore[assignment]


def _worker(fork: Fork, words: Sequence[str], options: dict[str, Any]) -> Forked:
    stdin: int = options.pop("stdin")
    environment, inherited = options.pop("env"), options.pop("pass_fds")
    is_quiet = options.pop("stdout") == _DEVNULL
    assert not options, options
    with open(os.devnull, "wb") as nothing:
        files = (stdin, nothing.fileno() if is_quiet else 1, 2)
        return fork(words[1:], files, Path.cwd(), environment, inherited)
