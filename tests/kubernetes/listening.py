"""Listening for TLS connections in a way that leaks none when it ends."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Final
from weakref import WeakSet

from aiohttp import web

BACKLOG: Final = 128
BODY_BYTES_MAX: Final = 3 * 1024 * 1024


def abort(transport: asyncio.WriteTransport) -> None:
    """Cut it. One with TLS that was closed twice has let go of its protocol already.

    asyncio passes over that itself only in later releases of Python 3.11 than Debian's.
    """
    with contextlib.suppress(AttributeError):
        transport.abort()


class Listener:
    """Accepts connections until it is closed.

    The loop's own server, if closed while it accepts, leaves its accepted connections open forever.
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
        """Accept no more, and end every connection, also in its handshake.

        A closed transport waits for the other end's answer, beyond the end of the loop.
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


class Door:
    """All HTTPS requests to one address go to ``handle``."""

    def __init__(self, handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
        self._handle = handle
        self._runner: web.AppRunner | None = None
        self._listener: Listener | None = None

    async def open(self, address: str, port: int, context: ssl.SSLContext) -> int:
        """Listen; gives the port."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.05
        )
        await self._runner.setup()
        assert self._runner.server is not None
        self._listener = Listener((address, port), context, self._runner.server)
        return self._listener.port

    async def close(self) -> None:
        """Stop to listen and cut all connections."""
        if self._listener is not None:
            await self._listener.close()
            self._listener = None
        if self._runner is not None:
            server = self._runner.server
            assert server is not None
            for connection in list(server.connections):
                if connection.transport is not None:
                    abort(connection.transport)
            await self._runner.cleanup()
            self._runner = None
