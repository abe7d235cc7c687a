"""What a handler gets and gives."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from socket import socket
from typing import Protocol
from urllib.parse import parse_qsl


class Refused(Exception):
    """A request that no handler answers, by its status."""

    def __init__(self, status: int, allowed: Sequence[str] = ()) -> None:
        self.status = status
        self.reason = HTTPStatus(status).phrase
        self.allowed = tuple(allowed)
        super().__init__(self.reason)


class Exchange(Protocol):
    """The connection that one request came over, until it is answered."""

    async def body(self) -> bytes:
        """All of it. Raises Refused: it is too long."""

    async def begin(self, response: "StreamResponse") -> None:
        """Send its head. Raises ConnectionResetError, as `write` does: nobody is there."""

    async def write(self, data: bytes) -> None:
        """Send a part of the answer that has begun; waits for a client that reads slowly."""

    def abort(self) -> None:
        """End the connection, whatever is under way."""


class Request:
    """One request. Names of ``headers`` are in lower case; of two of one name the first counts."""

    __slots__ = (
        "_exchange",
        "_pairs",
        "headers",
        "match_info",
        "method",
        "path",
        "peer",
        "query",
        "remote",
    )

    def __init__(
        self,
        method: str,
        path: str,
        query: str | Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        exchange: Exchange,
        *,
        match_info: Mapping[str, str] | None = None,
        peer: socket | None = None,
        remote: str = "",
    ) -> None:
        """``peer``: the socket it came over, ``remote`` the address at its other end, if known."""
        self.method, self.path, self.headers = method, path, headers
        self._pairs = parse_qsl(query, keep_blank_values=True) if isinstance(query, str) else query
        self.query = dict(reversed(self._pairs))
        self.match_info = match_info or {}
        self.peer, self.remote = peer, remote
        self._exchange = exchange

    def header(self, name: str) -> str:
        """Empty if there is none. ``name`` in lower case."""
        return self.headers.get(name, "")

    def query_all(self, name: str) -> list[str]:
        """Each value that was given for ``name``."""
        return [value for key, value in self._pairs if key == name]

    async def read(self) -> bytes:
        """The body. Raises Refused: it is too long."""
        return await self._exchange.body()

    async def begin(self, response: "StreamResponse") -> None:
        """See `Exchange.begin`."""
        await self._exchange.begin(response)

    async def write(self, data: bytes) -> None:
        """See `Exchange.write`."""
        await self._exchange.write(data)

    def abort(self) -> None:
        """See `Exchange.abort`."""
        self._exchange.abort()


class StreamResponse:
    """An answer that is written piece by piece, once `prepare` has sent its head."""

    __slots__ = ("_request", "closes", "headers", "status")

    def __init__(self, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers = dict(headers or {})
        self.closes = False
        self._request: Request | None = None

    def force_close(self) -> None:
        """The connection ends with this answer."""
        self.closes = True

    async def prepare(self, request: Request) -> None:
        """Begin to answer ``request``."""
        self._request = request
        await request.begin(self)

    async def write(self, data: bytes) -> None:
        """Raises ConnectionResetError: the client has gone."""
        assert self._request is not None, "not prepared"
        await self._request.write(data)


class Response(StreamResponse):
    """An answer that is there whole."""

    __slots__ = ("body",)

    def __init__(
        self,
        body: bytes = b"",
        *,
        text: str | None = None,
        status: int = 200,
        content_type: str = "application/octet-stream",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, headers)
        if text is not None:
            body, content_type = text.encode(), "text/plain; charset=utf-8"
        self.body = body
        self.headers.setdefault("Content-Type", content_type)
