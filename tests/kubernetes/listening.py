"""Listening for TLS connections in a way that leaks none when it ends."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Final
from weakref import WeakSet

BACKLOG: Final = 128


def abort(transport: asyncio.WriteTransport) -> None:
    """Cut it. One with TLS that was closed twice has let go of its protocol already.

    asyncio passes over that itself only in later releases of Python 3.11 than Debian's.
    """
    with contextlib.suppress(AttributeError):
        transport.abort()


class Listener:
    """Accepts connections until it is closed.

    The loop's own server, closed while it accepts, leaves what it had accepted open for ever.
    """

    def __init__(
        self,
        address: tuple[str, int],
        context: ssl.SSLContext,
        protocol: Callable[[], asyncio.BaseProtocol],
    ) -> None:
        self._context, self._protocol = context, protocol
        self._greeted: set[asyncio.Task[None]] = set()
        self._transports: WeakSet[asyncio.BaseTransport] = WeakSet()
        self._socket = socket.create_server(address, backlog=BACKLOG)
        self._socket.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._accept)
        self.port: Final = int(self._socket.getsockname()[1])

    async def close(self) -> None:
        """Accept no more, and end whoever is in the handshake or was taken.

        One that was closed waits for the other end's word of it, beyond the end of the loop.
        """
        self._loop.remove_reader(self._socket)
        self._socket.close()
        await asyncio.sleep(0)  # Who was just accepted has a transport then, that can be closed.
        for task in self._greeted:
            task.cancel()
        await asyncio.gather(*self._greeted, return_exceptions=True)
        for transport in list(self._transports):
            if isinstance(transport, asyncio.WriteTransport):
                abort(transport)
        await asyncio.sleep(0)

    def _accept(self) -> None:
        try:
            accepted, _ = self._socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        accepted.setblocking(False)
        task = self._loop.create_task(self._greet(accepted))
        self._greeted.add(task)
        task.add_done_callback(self._greeted.discard)

    async def _greet(self, accepted: socket.socket) -> None:
        with contextlib.suppress(OSError):  # Whose handshake fails is not answered.
            transport, _ = await self._loop.connect_accepted_socket(
                self._protocol, accepted, ssl=self._context
            )
            self._transports.add(transport)
