"""One connection of the operator's door: its requests, answered one after the other."""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from typing import Protocol, cast
from urllib.parse import unquote

import httptools

from router.admin.http.incoming import Incoming, head
from router.admin.http.messages import Refused, Request, Response, StreamResponse
from router.admin.http.routes import Routes
from router.model import limits

log = logging.getLogger("router.admin")

FED_BYTES = 2_048  # At once, to the parser, which cannot stop between the requests in it.
WRITTEN_BYTES = 65_536  # At once: who reads so little in `limits.ADMIN_IDLE_S` reads nothing.


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
    sends no whole request for `limits.ADMIN_IDLE_S` is left, and who reads nothing for so long.
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
        self._unfed = memoryview(b"")  # What came, and the parser has not seen.
        self._head_bytes = 0  # As the parser has told of them, trailers too.
        self._unknown_bytes = 0  # Of a head that is not complete, or a little more.
        self._is_deaf = False  # What comes now is of no request.

    # What the loop tells --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # That of uvloop does not say so.
        if self._owner.is_closing:
            self._transport.abort()
            return
        self._owner.began(self)
        self._wait(limits.ADMIN_IDLE_S)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._transport = None
        self._is_deaf = True
        self._stop_waiting()
        for incoming in self._waiting:
            incoming.lost()
        # These hold this connection in turn: only Python's collector could free them together.
        del self._parser
        self._coming = None
        if self._task is None:
            self._waiting.clear()
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
        self._unfed = memoryview(bytes(self._unfed) + data if self._unfed else data)
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
        told = value.decode("latin-1").strip(" \t")
        incoming.headers.setdefault(name.decode("latin-1").lower(), told)

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

    def _expected(self) -> Incoming:
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

    def _take(self, incoming: Incoming) -> None:
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
        while self._unfed and not (self._is_deaf or self._is_held()):
            piece, self._unfed = self._unfed[:FED_BYTES], self._unfed[FED_BYTES:]
            self._feed(piece)
        if self._is_deaf:
            self._unfed = memoryview(b"")
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._is_held():
            transport.pause_reading()
        else:
            transport.resume_reading()

    def _is_held(self) -> bool:
        """Whether what comes has to wait."""
        last = self._waiting[-1] if self._waiting else None
        is_unwanted = last is not None and not (last.is_complete or last.is_wanted)
        return is_unwanted or len(self._waiting) >= limits.ADMIN_PIPELINED_MAX

    def _feed(self, piece: memoryview) -> None:
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade:  # Answered as if it had not asked for another protocol.
            self._is_deaf = True
            if self._waiting:
                self._waiting[-1].is_last = True
        except httptools.HttpParserError:
            self._refuse(400)
        coming = self._coming
        if coming is None:
            return
        if coming.has_head:
            is_too_much = self._head_bytes > limits.ADMIN_HEAD_BYTES_MAX and not coming.refused
        else:
            self._unknown_bytes += len(piece)
            is_too_much = self._unknown_bytes > limits.ADMIN_HEAD_BYTES_MAX + FED_BYTES
        if is_too_much:  # Without an end, perhaps.
            self._refuse(431)

    def wanted(self) -> None:
        """A handler waits for its body."""
        self._read_on()

    # Answering ------------------------------------------------------------------------------

    async def _answer_all(self) -> None:
        try:
            while self._waiting:
                incoming = self._waiting[0]
                if not incoming.is_complete and self._timer is None:
                    self._wait(limits.ADMIN_IDLE_S)
                try:
                    stays = await self._answer(incoming)
                finally:
                    incoming.begun = None  # A streamed answer holds its request.
                stays = stays and not self._owner.is_closing
                self._waiting.popleft()
                if not stays:
                    self._leave(incoming)
                    return
                self._read_on()
                if self._waiting:  # A crowd takes turns with the data that the router carries.
                    await asyncio.sleep(0)
        except ConnectionResetError:
            self.abort()  # Nobody is there to be answered.
            return
        except Exception:  # The owner of this task: a fault in one answer ends its connection only.
            log.exception("an answer of the operator's door failed")
            self.abort()
            return
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._task = None
            if self._transport is None:
                self._waiting.clear()
        self._wait(limits.ADMIN_IDLE_S)

    async def _answer(self, incoming: Incoming) -> bool:
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
            closes = incoming.ends_with(response)
            sent = head(
                response, incoming, f"Content-Length: {len(response.body)}\r\n", closes=closes
            )
            await self.send(sent if incoming.method == "HEAD" else sent + response.body)
        return not incoming.ends_with(response)

    async def _response(self, incoming: Incoming) -> StreamResponse:
        try:
            if incoming.refused:
                raise Refused(incoming.refused)
            return await self._owner.routes.answer(*self._request(incoming))
        except Refused as error:
            response = Response(text=f"{error.reason}\n", status=error.status)
            if error.allowed:
                response.headers["Allow"] = ", ".join(error.allowed)
        except Exception as error:  # The owner of this task; whoever asks next is answered again.
            if isinstance(error, ConnectionResetError) and self._has_gone():
                raise
            log.exception("a request of the operator's door failed")
            response = Response(text="Internal Server Error\n", status=500)
            response.force_close()
        return response

    def _request(self, incoming: Incoming) -> tuple[Request, str]:
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
        """Raises ConnectionResetError: the client has gone, or does not read."""
        left = memoryview(data)
        while left:
            if self._transport is None or self._has_gone():
                raise ConnectionResetError("the client has gone")
            self._transport.write(left[:WRITTEN_BYTES])
            left = left[WRITTEN_BYTES:]
            if self._writable is not None:
                await self._drained(self._writable)

    async def _drained(self, writable: asyncio.Future[None]) -> None:
        try:
            async with asyncio.timeout(limits.ADMIN_IDLE_S):
                await asyncio.shield(writable)
        except TimeoutError:
            self.abort()
            raise ConnectionResetError("the client does not read") from None
        if self._transport is None:
            raise ConnectionResetError("the client has gone")

    def _has_gone(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def check(self) -> None:
        """Raises ConnectionResetError: the client has gone."""
        if self._has_gone():
            raise ConnectionResetError("the client has gone")

    # The end --------------------------------------------------------------------------------

    def _leave(self, incoming: Incoming) -> None:
        """No further request. Of a body that nobody wanted the rest is read, for a moment: a
        connection that is closed on it would be reset, and the answer lost."""
        transport = self._transport
        self._is_deaf = True
        if transport is None:
            return
        if incoming.is_complete and not incoming.refused:
            self._close()
            return
        transport.resume_reading()
        self._wait(limits.ADMIN_LINGER_S)

    def leave_when_idle(self) -> bool:
        """Close unless something is being answered; whether that was so."""
        if self._task is not None:
            return False
        self._close()
        return True

    def abort(self) -> None:
        """End at once, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        if self._transport is not None:
            self._timer = self._loop.call_later(seconds, self._close)

    def _close(self) -> None:
        """When all is sent; who does not read it is not waited for without end."""
        self._stop_waiting()
        if self._transport is not None:
            self._transport.close()
            self._timer = self._loop.call_later(limits.ADMIN_IDLE_S, self.abort)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
