"""One connection of the operator's door: its requests, answered one after the other."""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Protocol, cast
from urllib.parse import unquote

import httptools

from router.admin.http.messages import Refused, Request, Response, StreamResponse
from router.admin.http.routes import Routes
from router.model import limits

log = logging.getLogger("router.admin")

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Owner(Protocol):
    """Who has the connections."""

    routes: Routes

    @property
    def is_closing(self) -> bool: ...
    def began(self, connection: "Connection") -> None: ...
    def ended(self, connection: "Connection") -> None: ...
    def run(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """In a task that the owner awaits."""


class Connection(asyncio.Protocol):
    """Reads heads as they come, bodies when a handler wants them, and answers in order.

    While a request is answered nothing more is read, but the body that its handler waits for. Who
    sends no whole request for `limits.ADMIN_IDLE_S` is left.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: deque[Incoming] = deque()  # The first is being answered.
        self._coming: Incoming | None = None  # The one that is not complete yet.
        self._task: asyncio.Task[None] | None = None
        self._writable: asyncio.Future[None] | None = None  # While the client reads slowly.
        self._head_bytes = 0  # As the parser has told of them.
        self._unknown_bytes = 0  # Of which the parser has told nothing yet, or a little more.
        self._is_deaf = False  # What comes now is of no request.

    # What the loop tells --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # That of uvloop does not say so.
        self._owner.began(self)
        self._wait(limits.ADMIN_IDLE_S)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._transport = None
        self._stop_waiting()
        for incoming in self._waiting:
            incoming.lost()
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._owner.ended(self)

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # Answered as if it had not asked for another protocol.
            self._is_deaf = True
            if self._waiting:
                self._waiting[-1].is_last = True
        except httptools.HttpParserError:
            self._refuse(400)
        if self._coming is not None and not self._coming.has_head:
            self._unknown_bytes += len(data)
            if self._unknown_bytes > limits.ADMIN_BODY_BYTES_MAX:  # One header without an end.
                self._refuse(431)
        self._read_on()

    # What the parser tells ------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._coming = Incoming(self, self._owner.routes.body_bytes_max)
        self._head_bytes = self._unknown_bytes = 0

    def on_url(self, part: bytes) -> None:
        self._expected().url += part
        self._head_bytes += len(part)

    def on_header(self, name: bytes, value: bytes) -> None:
        incoming = self._expected()
        self._head_bytes += len(name) + len(value)
        if incoming.has_head or self._head_bytes > limits.ADMIN_HEAD_BYTES_MAX:
            return  # A trailer, which nobody asks for; or this will be refused.
        incoming.headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        incoming = self._expected()
        incoming.method = self._parser.get_method().decode("latin-1")
        incoming.is_old = self._parser.get_http_version() == "1.0"
        incoming.is_last = not self._parser.should_keep_alive()
        incoming.has_head = True
        if self._head_bytes > limits.ADMIN_HEAD_BYTES_MAX:
            incoming.refused = 431
        elif incoming.headers.get("content-encoding", "identity") != "identity":
            incoming.refused = 415
        self._take(incoming)

    def on_body(self, part: bytes) -> None:
        self._expected().add(part)

    def on_message_complete(self) -> None:
        self._expected().finish()
        self._coming = None
        self._stop_waiting()

    def _expected(self) -> "Incoming":
        assert self._coming is not None, "the parser tells of a message before it begins"
        return self._coming

    # Reading --------------------------------------------------------------------------------

    def _refuse(self, status: int) -> None:
        """What came is no request, or too much of one: answered in its turn, as the last."""
        self._is_deaf = True
        coming, self._coming = self._coming, None
        if coming is not None and coming.has_head:  # Its handler waits for a body.
            coming.is_last, coming.refused = True, status
            coming.finish()
            return
        refused = Incoming(self, 0)
        refused.is_last, refused.refused = True, status
        refused.finish()
        self._take(refused)

    def _take(self, incoming: "Incoming") -> None:
        if self._owner.is_closing and self._task is None:
            self.abort()  # Its last moment; nobody would await the answer.
            return
        self._waiting.append(incoming)
        if self._task is None:
            self._task = self._owner.run(self._answer_all())

    def _read_on(self) -> None:
        """Read, but for bodies that nobody waits for, and for a crowd of requests.

        While one is answered, too: else it would not be seen that its client has gone.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        last = self._waiting[-1] if self._waiting else None
        is_unwanted = last is not None and not (last.is_complete or last.is_wanted)
        if is_unwanted or len(self._waiting) >= limits.ADMIN_PIPELINED_MAX:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def wanted(self) -> None:
        """A handler waits for its body."""
        self._read_on()

    # Answering ------------------------------------------------------------------------------

    async def _answer_all(self) -> None:
        try:
            while self._waiting:
                incoming = self._waiting[0]
                stays = await self._answer(incoming) and incoming.is_complete
                stays = stays and not self._owner.is_closing
                self._waiting.popleft()
                if not stays:
                    self._leave(incoming)
                    return
                self._read_on()
        except ConnectionResetError:
            self.abort()  # Nobody is there to be answered.
            return
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._task = None
        self._wait(limits.ADMIN_IDLE_S)

    async def _answer(self, incoming: "Incoming") -> bool:
        """Whether the connection may go on. Raises ConnectionResetError."""
        response = await self._response(incoming)
        if incoming.begun is not None:
            if response is not incoming.begun:  # Its handler failed half way.
                self.abort()
                return False
            if incoming.is_chunked:
                await self.send(b"0\r\n\r\n")
        else:
            assert isinstance(response, Response), "an answer that was not begun"
            closes = response.closes or incoming.is_last
            head = _head(
                response, incoming, f"Content-Length: {len(response.body)}\r\n", closes=closes
            )
            await self.send(head if incoming.method == "HEAD" else head + response.body)
        return not (response.closes or incoming.is_last or self._is_deaf)

    async def _response(self, incoming: "Incoming") -> StreamResponse:
        try:
            if incoming.refused:
                raise Refused(incoming.refused)
            return await self._owner.routes.answer(*self._request(incoming))
        except Refused as error:
            response = Response(text=f"{error.reason}\n", status=error.status)
            if error.allowed:
                response.headers["Allow"] = ", ".join(error.allowed)
        except ConnectionResetError:
            raise
        except Exception:  # The owner of this task; whoever asks next is answered again.
            log.exception("a request of the operator's door failed")
            response = Response(text="Internal Server Error\n", status=500)
            response.force_close()
        return response

    def _request(self, incoming: "Incoming") -> tuple[Request, str]:
        """With its path as it was sent. Raises Refused."""
        transport = self._transport
        if transport is None:
            raise ConnectionResetError("the client has gone")
        try:
            url = httptools.parse_url(bytes(incoming.url))
        except httptools.HttpParserInvalidURLError:
            raise Refused(400) from None
        path = (url.path or b"/").decode("latin-1")
        peer = transport.get_extra_info("peername")
        request = Request(
            incoming.method,
            unquote(path),
            (url.query or b"").decode("latin-1"),
            incoming.headers,
            incoming,
            peer=transport.get_extra_info("socket"),
            remote=str(peer[0]) if isinstance(peer, tuple) and peer else "",
        )
        return request, path

    async def send(self, data: bytes) -> None:
        """Raises ConnectionResetError: the client has gone."""
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        transport.write(data)
        if self._writable is not None:
            await asyncio.shield(self._writable)
            if self._transport is None:
                raise ConnectionResetError("the client has gone")

    # The end --------------------------------------------------------------------------------

    def _leave(self, incoming: "Incoming") -> None:
        """No further request. Of a body that nobody wanted the rest is read, for a moment: a
        connection that is closed on it would be reset, and the answer lost."""
        transport = self._transport
        self._is_deaf = True
        if transport is None:
            return
        if incoming.is_complete and not incoming.refused:
            transport.close()
            return
        transport.resume_reading()
        self._wait(limits.ADMIN_LINGER_S)

    def leave_when_idle(self) -> bool:
        """Close unless something is being answered; whether that was so."""
        if self._task is not None:
            return False
        if self._transport is not None:
            self._transport.close()
        return True

    def abort(self) -> None:
        """End at once, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        if self._transport is not None:
            self._timer = self._loop.call_later(seconds, self._transport.close)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Incoming:
    """A request on its way in, and the way back to who sent it. An `Exchange`."""

    __slots__ = (
        "_connection",
        "_left_bytes",
        "_parts",
        "_waiter",
        "begun",
        "has_gone",
        "has_head",
        "headers",
        "is_chunked",
        "is_complete",
        "is_last",
        "is_old",
        "is_wanted",
        "method",
        "refused",
        "url",
    )

    def __init__(self, connection: Connection, body_bytes_max: int) -> None:
        self._connection = connection
        self._left_bytes = body_bytes_max
        self._parts: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self.url = bytearray()
        self.method = ""
        self.headers: dict[str, str] = {}
        self.has_head = self.has_gone = self.is_complete = self.is_wanted = False
        self.is_old = False  # HTTP/1.0: no chunks.
        self.is_last = False  # The connection ends with its answer.
        self.refused = 0  # By that status, without asking a handler.
        self.begun: StreamResponse | None = None
        self.is_chunked = False

    def add(self, part: bytes) -> None:
        """A piece of the body."""
        self._left_bytes -= len(part)
        if self._left_bytes < 0:
            self._parts.clear()
            self._wake()
        else:
            self._parts.append(part)

    def finish(self) -> None:
        """Nothing more comes of it."""
        self.is_complete = True
        self._wake()

    def lost(self) -> None:
        """The client has gone, or says no more."""
        self.has_gone = True
        self._wake()

    def _wake(self) -> None:
        self.is_wanted = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def body(self) -> bytes:
        if not self.is_complete and self._left_bytes >= 0 and not self.has_gone:
            self.is_wanted = True
            self._waiter = asyncio.get_running_loop().create_future()
            if self.headers.get("expect", "").lower() == "100-continue" and not self._parts:
                await self._connection.send(CONTINUE)
            self._connection.wanted()
            await self._waiter
        if self.has_gone:
            raise ConnectionResetError("the client has gone")
        if self._left_bytes < 0 or self.refused:
            raise Refused(self.refused or 413)
        return b"".join(self._parts)

    async def begin(self, response: StreamResponse) -> None:
        self.begun = response
        self.is_chunked = not self.is_old and self.method != "HEAD"
        if self.is_old:
            response.force_close()
        framing = "" if self.is_old else "Transfer-Encoding: chunked\r\n"
        closes = response.closes or self.is_last
        await self._connection.send(_head(response, self, framing, closes=closes))

    async def write(self, data: bytes) -> None:
        if data and self.method != "HEAD":
            framed = b"%x\r\n%b\r\n" % (len(data), data) if self.is_chunked else data
            await self._connection.send(framed)

    def abort(self) -> None:
        self._connection.abort()


def _head(response: StreamResponse, to: Incoming, framing: str, *, closes: bool) -> bytes:
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    lines.append(f"Date: {datetime.now(UTC):%a, %d %b %Y %H:%M:%S} GMT")
    if closes:
        lines.append("Connection: close")
    elif to.is_old:
        lines.append("Connection: keep-alive")
    return ("\r\n".join(lines) + f"\r\n{framing}\r\n").encode("latin-1")
