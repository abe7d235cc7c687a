"""A relay in front of a link's door that fails on demand."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine
from typing import Any

from tests.doors import close_server
from tests.scenario.backends import Background, abort

CHUNK_BYTES = 65_536


class FaultyRelay:
    """Carries bytes between ``address:port`` and ``host:door`` until a call makes it fail.

    Call `cut`, `silence` and `refuse` from outside the background's loop. `refused` says which new
    connections to reset while others are carried.
    """

    def __init__(self, background: Background, address: str, host: str, door: int) -> None:
        self._background = background
        self._host, self._door = host, door
        self._writers: set[asyncio.StreamWriter] = set()
        self._carries = asyncio.Event()
        self._carries.set()
        self._refuses = False
        self.refused: Callable[[asyncio.StreamWriter], bool] = lambda writer: False
        self.address = address
        self._server = background.call(asyncio.start_server(self._accept, address, 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Stop listening, reset all connections."""
        self._do(close_server(self._server))
        self.cut()

    def cut(self) -> None:
        """Reset all connections; new ones are carried."""
        self._do(self._cut())

    def silence(self, silent: bool) -> None:
        """Carry nothing, and keep all connections."""
        self._do(self._set(silent))

    def refuse(self, refuses: bool) -> None:
        """Reset all connections and each new one."""
        self._refuses = refuses
        self.cut()

    def fail(self, chance: random.Random, seconds: float) -> str:
        """Begin one fault and return its name; `heal` ends it."""
        kind = chance.choice(("cut", "silence", "refuse"))
        if kind == "cut":
            self.cut()
        elif kind == "silence":
            self.silence(True)
        else:
            self.refuse(True)
        return f"{kind} for {seconds:.1f} s"

    def heal(self) -> None:
        """Carry again."""
        self._refuses = False
        self.silence(False)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        self._background.call(work)

    async def _cut(self) -> None:
        for writer in list(self._writers):
            if not writer.is_closing():
                abort(writer)

    async def _set(self, silent: bool) -> None:
        if silent:
            self._carries.clear()
        else:
            self._carries.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses or self.refused(writer):
            abort(writer)
            return
        try:
            onward_reader, onward = await asyncio.open_connection(self._host, self._door)
        except OSError:
            abort(writer)
            return
        self._writers |= {writer, onward}
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, onward))
                both.create_task(self._carry(onward_reader, writer))
        finally:
            self._writers -= {writer, onward}

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await self._carries.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
