"""The console's listener: few connections, and those that delay are ended."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web

from router.admin.connection_slots import (
    ConnectionSlots,
    SlotConnection,
    connection_to_drop,
    source_of_peer,
)
from router.admin.connections import refuse_expectations
from router.admin.console import gate
from router.admin.console.door import ConsoleDoor
from router.model import limits

SHUTDOWN_S = 1.0
_SILENT = logging.getLogger("router.admin.console")
"""The logger for aiohttp: errors in a stranger's input are not errors of ours."""


class _Connection(SlotConnection):
    """One connection. The first head must come soon, and the client must take its answers."""

    __slots__ = ("_head_timer",)

    def __init__(self, places: ConnectionSlots, server: web.Server, **named: Any) -> None:
        super().__init__(places, server, **named)
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._real is None:
            return
        found = transport.get_extra_info("socket")
        if found is not None:  # The kernel ends clients that take nothing, also after the answer.
            stalled_ms = round(limits.CONSOLE_REQUEST_S * 1000)
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, stalled_ms)
        loop = asyncio.get_running_loop()
        self._head_timer = loop.call_later(limits.CONSOLE_HEAD_S, self.abort)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def began(self, request: web.BaseRequest) -> None:
        """From here on requests have their own deadlines."""
        self._stop_waiting()

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """An answer like any other; it repeats nothing of the unreadable request."""
        if request.writer.output_size > 0:
            raise ConnectionResetError("the answer has begun")
        if status >= 500:
            self.logger.error("a request of the console failed", exc_info=exc)
        answer = web.Response(
            status=status,
            text="This request cannot be answered.\n",
            headers={**gate.HEADERS, "Cache-Control": "no-store"},
        )
        answer.force_close()
        return answer


@contextlib.asynccontextmanager
async def serving(
    door: ConsoleDoor, place: tuple[str, int], tls: ssl.SSLContext | None
) -> AsyncIterator[tuple[str, int]]:
    """Serve ``door`` while the context is open; yields the address. `OSError`: it cannot be
    bound."""
    runner = web.AppRunner(
        door.application(),
        access_log=None,
        shutdown_timeout=SHUTDOWN_S,
        handler_cancellation=True,  # Stop computing for clients that have gone.
    )
    await runner.setup()
    try:
        server, places = runner.server, ConnectionSlots(limits.CONSOLE_CONNECTIONS_MAX)
        assert server is not None
        refuse_expectations(server)
        loop = asyncio.get_running_loop()

        def admit() -> asyncio.BaseProtocol:
            return _Connection(
                places,
                server,
                loop=loop,
                access_log=None,
                logger=_SILENT,
                keepalive_timeout=limits.CONSOLE_IDLE_S,
                lingering_time=0.0,
            )

        with _listening(place) as listener:
            async with asyncio.TaskGroup() as tasks:
                accepting = tasks.create_task(_Gate(admit, tls, tasks).run(listener))
                try:
                    host, port = listener.getsockname()[:2]
                    yield host, port
                finally:
                    accepting.cancel()
    finally:
        await runner.cleanup()


class _Gate:
    """Accepts connections. Only a few may be in a TLS handshake: see `connection_to_drop`."""

    def __init__(
        self,
        admit: Callable[[], asyncio.BaseProtocol],
        tls: ssl.SSLContext | None,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._admit, self._tls, self._tasks = admit, tls, tasks
        self._entering: dict[asyncio.Task[None], str] = {}
        """Each with its source."""

    async def run(self, listener: socket.socket) -> None:
        """Accept until canceled, which also ends pending handshakes."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    accepted, peer = await loop.sock_accept(listener)
                except OSError:  # No descriptor is left, for example.
                    await asyncio.sleep(limits.ACCEPT_REST_S)
                    continue
                if len(self._entering) >= limits.CONSOLE_HANDSHAKES_MAX:
                    leaving = connection_to_drop(list(self._entering.items()))
                    assert leaving is not None
                    del self._entering[leaving]
                    leaving.cancel()
                task = self._tasks.create_task(self._enter(accepted))
                self._entering[task] = source_of_peer(peer)
                task.add_done_callback(lambda done: self._entering.pop(done, None))
        finally:
            for task in self._entering:
                task.cancel()

    async def _enter(self, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        wait_s = None if self._tls is None else limits.TLS_HANDSHAKE_TIMEOUT_S
        try:
            await loop.connect_accepted_socket(
                self._admit, accepted, ssl=self._tls, ssl_handshake_timeout=wait_s
            )
        except (OSError, TimeoutError):
            accepted.close()  # Not TLS, or an unsupported version.
        except asyncio.CancelledError:
            accepted.close()
            raise


def _listening(place: tuple[str, int]) -> socket.socket:
    """The bound listener. `OSError`: the port is taken."""
    host, port = place
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setblocking(False)
        made.bind((host, port))
        made.listen(limits.CONSOLE_CONNECTIONS_MAX)
    except OSError:
        made.close()
        raise
    return made
