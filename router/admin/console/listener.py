"""The console's listener: few connections, and each ends that keeps us waiting."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

from aiohttp import web

from router.admin.connections import giving_way, refuse_expectations, source_of_peer
from router.admin.console import gate
from router.admin.console.door import ConsoleDoor
from router.model import limits

SHUTDOWN_S = 1.0
_SILENT = logging.getLogger("router.admin.console")
"""Of aiohttp's own words: what a stranger sends is no error of ours."""


class _Places:
    """The connections there are, oldest first, and whether somebody proved themselves on each."""

    def __init__(self) -> None:
        self._held: OrderedDict[_Connection, bool] = OrderedDict()

    def take(self, connection: "_Connection") -> bool:
        """False: all places are held by those who are known."""
        if len(self._held) >= limits.CONSOLE_CONNECTIONS_MAX:
            strangers = [(one, one.source) for one, known in self._held.items() if not known]
            stranger = giving_way(strangers)
            if stranger is None:
                return False
            self.free(stranger)
            stranger.abort()
        self._held[connection] = False
        return True

    def known(self, request: web.BaseRequest) -> None:
        """Who is at the other end of that connection has shown who they are."""
        protocol = request.protocol
        if isinstance(protocol, _Connection) and protocol in self._held:
            self._held[protocol] = True

    def free(self, connection: "_Connection") -> None:
        self._held.pop(connection, None)


class _Connection(web.RequestHandler):
    """One connection. The first head must come soon, what is sent must be taken."""

    __slots__ = ("_head_timer", "_places", "_real", "source")

    def __init__(self, places: _Places, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._places = places
        self._real: asyncio.Transport | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self.source = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.source = source_of_peer(transport.get_extra_info("peername"))
        real = cast(asyncio.Transport, transport)  # That of uvloop does not say so.
        if not self._places.take(self):
            real.abort()
            return
        self._real = real
        found = transport.get_extra_info("socket")
        if found is not None:  # Who takes nothing is let go by the kernel, after the answer too.
            stalled_ms = round(limits.CONSOLE_REQUEST_S * 1000)
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, stalled_ms)
        loop = asyncio.get_running_loop()
        self._head_timer = loop.call_later(limits.CONSOLE_HEAD_S, self.abort)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.began()
        self._places.free(self)
        if self._real is not None:
            self._real = None
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._real is not None:
            super().data_received(data)

    def eof_received(self) -> None:
        if self._real is not None:
            super().eof_received()

    def began(self) -> None:
        """A whole head has come; from now on requests have their own deadlines."""
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def abort(self) -> None:
        if self._real is not None:
            self._real.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """As every answer; of what could not be read nothing is repeated."""
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
    """Serve ``door`` while the context is open; gives where. `OSError`: it cannot be bound."""
    runner = web.AppRunner(
        door.application(),
        access_log=None,
        shutdown_timeout=SHUTDOWN_S,
        handler_cancellation=True,  # Nobody computes for who has gone.
    )
    await runner.setup()
    try:
        server, places = runner.server, _Places()
        assert server is not None
        refuse_expectations(server)
        loop = asyncio.get_running_loop()

        def heard(request: web.BaseRequest) -> None:
            if isinstance(request.protocol, _Connection):
                request.protocol.began()

        door.heard, door.proven = heard, places.known

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
    """Accepts connections. Few may be on their way through TLS: see `giving_way`."""

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
        """Until cancelled, which ends those on their way too."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    accepted, peer = await loop.sock_accept(listener)
                except OSError:  # No descriptor is left, for example.
                    await asyncio.sleep(limits.ACCEPT_REST_S)
                    continue
                if len(self._entering) >= limits.CONSOLE_HANDSHAKES_MAX:
                    leaving = giving_way(list(self._entering.items()))
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
            accepted.close()  # It spoke no TLS, or none that we do.
        except asyncio.CancelledError:
            accepted.close()
            raise


def _listening(place: tuple[str, int]) -> socket.socket:
    """`OSError`: somebody has that port."""
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
