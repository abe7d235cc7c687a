"""Processes of containers: Python is forked (`tests.scenario.forking`), all else is started."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.scenario import forking
from tests.scenario.fork_requests import Forked
from tests.scenario.forked_children import ForkedChild

PIPE: Final = asyncio.subprocess.PIPE
DEVNULL: Final = asyncio.subprocess.DEVNULL


class ForkedProcess(ForkedChild):
    """As `asyncio.subprocess.Process`, as far as containers need it."""

    def __init__(self, forked: Forked) -> None:
        super().__init__(forked)
        self.stdin: asyncio.StreamWriter | None = None
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None

    async def communicate(self) -> tuple[bytes, bytes]:
        """All that it prints, once it has ended. Its input ends."""
        if self.stdin is not None:
            self.stdin.close()
        out, error, _ = await asyncio.gather(_all(self.stdout), _all(self.stderr), self.wait())
        return out, error

    async def connect(self, pipes: Sequence[int | None]) -> None:
        """Use these ends of pipes to its standard input, output and error output."""
        loop = asyncio.get_running_loop()
        if pipes[0] is not None:
            protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader())
            transport, _ = await loop.connect_write_pipe(
                lambda: protocol, os.fdopen(pipes[0], "wb", 0)
            )
            self.stdin = asyncio.StreamWriter(transport, protocol, None, loop)
        self.stdout, self.stderr = [await _reader(pipe) for pipe in pipes[1:]]


Process = asyncio.subprocess.Process | ForkedProcess


async def start(
    words: Sequence[str],
    *,
    stdin: int,
    stdout: int,
    stderr: int,
    env: Mapping[str, str],
    cwd: Path | None,
) -> Process:
    """A process in a new session. OSError: there is no such program.

    Canceled, it ends the process it started: asyncio of Python 3.11.2 leaves its pipes open then.
    """

    async def begin() -> Process:
        if _is_python(words) and forking.PYTHON.suits():
            return await _fork(words[1:], (stdin, stdout, stderr), cwd or Path.cwd(), env)
        return await asyncio.create_subprocess_exec(
            *words,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )

    starting = asyncio.get_running_loop().create_task(begin())
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            process = await starting
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()
        raise


def _is_python(words: Sequence[str]) -> bool:
    return len(words) > 2 and words[0] == sys.executable and words[1] in ("-c", "-m")


async def _fork(
    words: Sequence[str], files: tuple[int, int, int], cwd: Path, env: Mapping[str, str]
) -> ForkedProcess:
    ours: list[int | None] = [None, None, None]
    theirs: list[int] = []
    with contextlib.ExitStack() as stack:
        for number, file in enumerate(files):
            if file == DEVNULL:
                theirs.append(os.open(os.devnull, os.O_RDWR))
            elif file == PIPE:
                reading, writing = os.pipe()
                ours[number], end = (writing, reading) if number == 0 else (reading, writing)
                theirs.append(end)
            else:
                theirs.append(os.dup(file))
            stack.callback(os.close, theirs[-1])
        standard = (theirs[0], theirs[1], theirs[2])
        try:
            forked = await asyncio.to_thread(forking.PYTHON.run, words, standard, cwd, env)
        except BaseException:
            for pipe in filter(None, ours):
                os.close(pipe)
            raise
    process = ForkedProcess(forked)
    await process.connect(ours)
    return process


async def _reader(pipe: int | None) -> asyncio.StreamReader | None:
    if pipe is None:
        return None
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(pipe, "rb", 0))
    return reader


async def _all(reader: asyncio.StreamReader | None) -> bytes:
    return await reader.read() if reader is not None else b""
