"""Connections of the operator's doors: aiohttp serves them, and each is bounded.

aiohttp reads heads and bodies, finds the handler and writes the answer. This module adds the bounds
that aiohttp lacks: the time for a head, a body and a client that reads slowly, and the amount that
a client may send ahead of its answers. `connection_slots` limits the number of connections.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from router.admin.connection_slots import ConnectionSlots, SlotConnection
from router.model import limits

log = logging.getLogger("router.admin")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Last(web.Response):
    """The last answer of a connection that may still send."""

    linger: Callable[[], Awaitable[None]]

    async def write_eof(self, data: bytes = b"") -> None:
        await super().write_eof(data)
        await self.linger()


class AdminConnection(SlotConnection):
    """One connection.

    While requests wait for their turn, no more of them are parsed: further input is buffered, up to
    `limits.ADMIN_AHEAD_BYTES_MAX`.
    """

    __slots__ = ("_ahead", "_gone", "_is_deaf", "_timer", "_unsent_bytes", "_unsent_timer")

    def __init__(self, places: ConnectionSlots, server: web.Server, **named: Any) -> None:
        super().__init__(
            places,
            server,
            access_log=None,
            logger=log,
            keepalive_timeout=limits.ADMIN_IDLE_S,  # Also for a whole head.
            lingering_time=limits.ADMIN_LINGER_S,
            max_line_size=limits.ADMIN_FIELD_BYTES_MAX,
            max_field_size=limits.ADMIN_FIELD_BYTES_MAX,
            max_headers=limits.ADMIN_FIELDS_MAX,
            auto_decompress=False,
            **named,
        )
        self._timer: asyncio.TimerHandle | None = None
        self._unsent_timer: asyncio.TimerHandle | None = None
        self._unsent_bytes = 0
        self._ahead = bytearray()
        self._is_deaf = False  # Ignore further input: it belongs to no request.
        self._gone: asyncio.Future[None] | None = None

    # Called by the event loop ------------------------------------------------------------------

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_waiting()
        self._stop_watching()
        self._ahead.clear()
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Also called by aiohttp, without any data, to continue with buffered input."""
        if self._real is None or self._is_deaf:
            return
        if not data or not (self._ahead or self._messages):
            super().data_received(data)
            return
        self._ahead += data
        if len(self._ahead) >= limits.ADMIN_AHEAD_BYTES_MAX:
            self._real.pause_reading()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._real is not None:
            self._unsent_bytes = self._real.get_write_buffer_size()
            self._watch()

    def resume_writing(self) -> None:
        self._stop_watching()
        super().resume_writing()

    # Requests ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Answer request after request. When this ends, the connection ends."""
        self._places.run(asyncio.current_task())
        try:
            await super().start()
        finally:
            self._wait(self.abort)  # A client that does not read the last answer.

    def began(self, request: web.BaseRequest) -> None:
        """A handler begins; start the timer for the rest of the body."""
        if not request.content.is_eof():
            self._wait(self._leave)
            request.content.on_eof(self._stop_waiting)
        if self._ahead and not self._messages and self._real is not None:
            ahead = bytes(self._ahead)
            self._ahead.clear()
            self._real.resume_reading()
            super().data_received(ahead)

    @property
    def has_more(self) -> bool:
        """Whether further requests have arrived, or parts of them."""
        return bool(self._messages or self._ahead)

    def ended(self) -> None:
        """The handler has answered."""
        self._stop_waiting()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A one-line answer that repeats nothing from the client."""
        if exc is not None and (status < 500 or self._real is None):
            exc.__traceback__ = None  # It references the connection, which references it.
        if self._real is None:
            return web.Response(status=status)  # It will not be sent.
        if status >= 500:
            self.logger.error("a request of the operator's door failed", exc_info=exc)
        if request.writer.output_size > 0:
            self.abort()  # The answer must not look complete.
            raise ConnectionResetError("the answer has begun")
        answer = _Last(status=status, text=f"{HTTPStatus(status).phrase}\n")
        answer.linger = self._linger
        answer.headers["Server"] = "spillway"  # Otherwise aiohttp adds its version and Python's.
        answer.force_close()
        return answer

    async def _linger(self) -> None:
        """Keep reading for a moment: closing a connection with unread data resets it, and the
        answer is lost."""
        self._is_deaf = True
        if self._real is None:
            return
        self._real.write_eof()
        self._gone = asyncio.get_running_loop().create_future()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limits.ADMIN_LINGER_S):
                await self._gone

    # The end ----------------------------------------------------------------------------------

    def _leave(self) -> None:
        """Close once everything is sent, with a time limit for a client that does not read."""
        if self._real is not None:
            self._real.close()
            self._wait(self.abort)

    def _wait(self, then: Callable[[], None]) -> None:
        self._stop_waiting()
        if self._real is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(limits.ADMIN_IDLE_S, then)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch(self) -> None:
        """Check again whether the client has read something."""
        loop = asyncio.get_running_loop()
        self._unsent_timer = loop.call_later(limits.ADMIN_IDLE_S, self._check)

    def _check(self) -> None:
        self._unsent_timer = None
        if self._real is None:
            return
        unsent_bytes = self._real.get_write_buffer_size()
        if unsent_bytes > self._unsent_bytes - limits.ADMIN_TAKEN_BYTES_MIN:
            self._real.abort()
            return
        self._unsent_bytes = unsent_bytes
        self._watch()

    def _stop_watching(self) -> None:
        if self._unsent_timer is not None:
            self._unsent_timer.cancel()
            self._unsent_timer = None


def close_if_unsure(request: web.Request, response: web.StreamResponse) -> None:
    """End the connection if it is unclear where the next request begins.

    This is so after an unread body, with another protocol, and after a chunked body, because
    aiohttp adds its trailers to the fields of the next request, which a proxy may have taken from
    another client.
    """
    unsure = ("Transfer-Encoding", "Upgrade")
    if not request.content.is_eof() or any(name in request.headers for name in unsure):
        response.force_close()


@web.middleware
async def _bounded(request: web.Request, handler: Handler) -> web.StreamResponse:
    connection = request.protocol
    assert isinstance(connection, AdminConnection), "served without its bounds"
    connection.began(request)
    if connection.has_more:
        await asyncio.sleep(0)  # From Python 3.12 on, aiohttp answers all of them in one turn.
    try:
        if request.headers.get("Content-Encoding", "identity") != "identity":
            response: web.StreamResponse = web.Response(text="Unsupported Media Type\n", status=415)
        else:
            response = await handler(request)
        close_if_unsure(request, response)
        return response
    except web.HTTPException as error:
        close_if_unsure(request, error)
        raise
    except web.RequestPayloadError as error:
        return connection.handle_error(request, 400, error)
    except ConnectionError as error:
        return connection.handle_error(request, 500, error)
    except TimeoutError as error:  # A time-out of another site; aiohttp would answer 504.
        return connection.handle_error(request, 500, error)
    finally:
        connection.ended()


async def _put_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.popall("Server", None)


def application(*guards: Any) -> web.Application:
    """An application without routes. ``guards``: middlewares in order, for unknown paths too."""
    app = web.Application(
        client_max_size=limits.ADMIN_BODY_BYTES_MAX, middlewares=[_bounded, *guards]
    )
    app.on_response_prepare.append(_put_headers)
    return app


def refuse_expectations(server: web.Server) -> None:
    """Answer 417 to any expectation except 100-continue.

    aiohttp's own answer repeats the expectation, and fails if that is not text.
    """
    handler = server.request_handler

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Expect", "100-continue").lower() != "100-continue":
            return request.protocol.handle_error(request, 417)
        return await handler(request)

    server.request_handler = handle


@contextlib.asynccontextmanager
async def answering(
    app: web.Application, places: ConnectionSlots
) -> AsyncIterator[Callable[[], asyncio.BaseProtocol]]:
    """Yield a factory of connections that serve ``app`` within ``places``.

    At the end idle connections close at once; handlers have `limits.ADMIN_SHUTDOWN_S` to answer.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=limits.ADMIN_SHUTDOWN_S / 2,  # aiohttp waits twice: to answer, to end.
    )
    await runner.setup()
    server = runner.server
    assert server is not None
    refuse_expectations(server)
    loop = asyncio.get_running_loop()
    try:
        yield lambda: AdminConnection(places, server, loop=loop)
    finally:
        places.is_closing = True
        await runner.cleanup()
        if places.running:
            await asyncio.wait(places.running, timeout=limits.ADMIN_SHUTDOWN_S)
        for connection in places:
            connection.abort()
