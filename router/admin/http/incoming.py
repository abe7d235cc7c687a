"""A request on its way in, and how it is answered."""

import asyncio
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Protocol

from router.admin.http.messages import Refused, StreamResponse

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Way(Protocol):
    """The connection that it comes over."""

    def wanted(self) -> None:
        """Its body is waited for."""

    async def send(self, data: bytes) -> None:
        """Raises ConnectionResetError: the client has gone, or does not read."""

    def check(self) -> None:
        """Raises ConnectionResetError: the client has gone."""

    def abort(self) -> None: ...


class Incoming:
    """A request on its way in, and the way back to who sent it. An `Exchange`."""

    __slots__ = (
        "_body",
        "_connection",
        "_left_bytes",
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

    def __init__(self, connection: Way, body_bytes_max: int) -> None:
        self._connection = connection
        self._left_bytes = body_bytes_max
        self._body = bytearray()  # Not a list: of pieces there may be as many as bytes.
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
            self._body.clear()
            self._wake()
        else:
            self._body += part

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
            if self.headers.get("expect", "").lower() == "100-continue" and not self._body:
                await self._connection.send(CONTINUE)
            self._connection.wanted()
            await self._waiter
        if self.has_gone:
            raise ConnectionResetError("the client has gone")
        if self._left_bytes < 0 or self.refused:
            raise Refused(self.refused or 413)
        return bytes(self._body)

    def ends_with(self, response: StreamResponse) -> bool:
        """Whether no other follows. Not behind a body that nobody wanted: it is not read."""
        self.is_last = self.is_last or response.closes or not self.is_complete
        return self.is_last

    async def begin(self, response: StreamResponse) -> None:
        self.begun = response
        self.is_chunked = not self.is_old and self.method != "HEAD"
        if self.is_old:
            response.force_close()
        framing = "" if self.is_old else "Transfer-Encoding: chunked\r\n"
        closes = self.ends_with(response)
        await self._connection.send(head(response, self, framing, closes=closes))

    async def write(self, data: bytes) -> None:
        if self.method == "HEAD":
            self._connection.check()  # Who writes without end learns in no other way.
        elif data:
            framed = b"%x\r\n%b\r\n" % (len(data), data) if self.is_chunked else data
            await self._connection.send(framed)

    def abort(self) -> None:
        self._connection.abort()


def head(response: StreamResponse, to: Incoming, framing: str, *, closes: bool) -> bytes:
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    lines.append(f"Date: {datetime.now(UTC):%a, %d %b %Y %H:%M:%S} GMT")
    if closes:
        lines.append("Connection: close")
    elif to.is_old:
        lines.append("Connection: keep-alive")
    return ("\r\n".join(lines) + f"\r\n{framing}\r\n").encode("latin-1")
