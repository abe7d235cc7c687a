"""Clients and targets of a storm: each does one thing and may leave at any moment; clients judge
their answers.

The path says how a target answers: ``/len/N`` N bytes with their length, ``/chunked/N``,
``/closed/N`` ended by closing, ``/early/N`` before the request's body was read, ``/ws`` switches.
"""

import re
from collections.abc import Callable

from router.model.ids import ServiceKey
from router.net.ports import Connection, ConnectionHandler, DialFailure, Loss, Network

HTTP, RAW = ServiceKey("shop", 8080), ServiceKey("raw", 8081)
PIECE_BYTES, PIECE_S = 4096, 0.001
BODY = bytes(range(256)) * 80
ANSWER = bytes(range(255, -1, -1)) * 1200
RAW_ANSWER_BYTES = 100_000

_POST = b"POST /%b HTTP/1.1\r\nHost: s\r\nX-Id: %%d\r\nContent-Length: %d\r\n%b\r\n"
_GET = b"%b HTTP/1.%b\r\nHost: s\r\nX-Id: %%d\r\n%b\r\n"
REQUESTS: dict[str, bytes] = {
    "get": _GET % (b"GET /len/3000", b"1", b""),
    "head": _GET % (b"HEAD /len/3000", b"1", b""),
    "down": _GET % (b"GET /chunked/30000", b"1", b""),
    "closed": _GET % (b"GET /closed/3000", b"0", b""),
    "large": _GET % (b"GET /len/300000", b"1", b""),
    "early": _POST % (b"early/10", len(BODY), b""),
    "post": _POST % (b"len/100", len(BODY), b""),
    "put": (_POST % (b"len/100", len(BODY), b"")).replace(b"POST", b"PUT"),
    "up": _GET % (b"POST /len/100", b"1", b"Transfer-Encoding: chunked\r\n"),
    "expect": (_POST % (b"len/100", len(BODY), b"Expect: 100-continue\r\n")),
    "upgrade": _GET % (b"GET /ws", b"1", b"Connection: upgrade\r\nUpgrade: websocket\r\n"),
    "raw": b"%d\n",
}
SILENT = "silent"  # A client that never asks.
WITH_BODY = ("early", "post", "put", "up")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_ASKED = re.compile(rb"(\w+) /(\w+)/?(\d*) .*?X-Id: (\d+)\r\n", re.DOTALL)


class Client:
    """One exchange on a new connection."""

    def __init__(self, network: Network, kind: str, number: int) -> None:
        self.kind = kind
        self.number = number
        self.over = self.left = self._ended = False
        self._got = bytearray()
        self._continued = False
        self._network = network
        self._connection: Connection | None = None
        port = RAW.port if kind == "raw" else HTTP.port
        self._dial = network.dial("127.0.0.1", port, self._connected, self._failed, timeout_s=2.0)

    def leave(self, *, politely: bool) -> None:
        """Finish or reset, whatever is under way."""
        self.left = True
        if self._connection is None:
            self._dial.cancel()
            self.over = True
        elif politely:
            self._connection.finish()
        else:
            self._connection.abort()

    @property
    def was_deceived(self) -> str:
        """The answer that only looks whole; empty: none (N2)."""
        if self.kind == "raw":
            whole = not self._got or len(self._got) == RAW_ANSWER_BYTES
            return f"raw ended cleanly after {len(self._got)} bytes" * (self._ended and not whole)
        parted = self._parted()
        if parted is None:
            return ""
        head, body = parted
        if not head.startswith(b"HTTP/1.1 200") or self.kind == "head":
            return ""
        expected = ANSWER[: int(REQUESTS[self.kind].split(b"/")[2].split(b" ")[0])]
        if self.kind == "closed":
            torn = self._ended and body != expected
        elif self.kind == "down":
            plain, after = unchunked(body)
            torn = after is not None and plain != expected
        else:
            torn = b"Content-Length: %d\r\n" % len(expected) not in head
            torn = torn or not expected.startswith(body)
        return f"{self.kind}: {head!r} {len(body)}" * torn

    def _connected(self, connection: Connection) -> ConnectionHandler:
        self._connection = connection
        if self.kind == SILENT:
            return self
        connection.send(REQUESTS[self.kind] % self.number)
        if self.kind in WITH_BODY:
            self._send_body(0)
        elif self.kind == "raw":
            connection.send(BODY)
            connection.finish()
        return self

    def _failed(self, failure: DialFailure) -> None:
        self.over = True

    def _send_body(self, at: int) -> None:
        connection = self._connection
        if connection is None or self.over or self.left:
            return
        piece = BODY[at : at + PIECE_BYTES]
        connection.send(b"%x\r\n%b\r\n" % (len(piece), piece) if self.kind == "up" else piece)
        if at + PIECE_BYTES < len(BODY):
            later = self._network.now() + PIECE_S
            self._network.call_at(later, lambda: self._send_body(at + PIECE_BYTES))
        elif self.kind == "up":
            connection.send(b"0\r\n\r\n")

    def _parted(self) -> tuple[bytes, bytes] | None:
        """The final head and the bytes after it."""
        head, found, body = bytes(self._got).partition(b"\r\n\r\n")
        while found and head.startswith(b"HTTP/1.1 100"):
            head, found, body = body.partition(b"\r\n\r\n")
        return (head + b"\r\n", body) if found else None

    def _is_whole(self) -> bool:
        parted = self._parted()
        if parted is None:
            return False
        head, body = parted
        if self.kind == "head":
            return True
        length = re.search(rb"Content-Length: (\d+)", head)
        return len(body) >= int(length[1]) if length else unchunked(body)[1] is not None

    # ConnectionHandler

    def received(self, data: memoryview) -> None:
        self._got += data
        assert self._connection is not None
        if self.kind == "expect" and not self._continued and b"100 Continue" in self._got:
            self._continued = True
            self._send_body(0)
        elif self.kind == "upgrade" and self._got.endswith(b"ready"):
            self._connection.send(b"bye")
            self._connection.finish()
        elif self.kind not in ("raw", "closed", "upgrade") and self._is_whole():
            self._connection.finish()

    def ended(self) -> None:
        self._ended = True
        assert self._connection is not None
        self._connection.finish()

    def writable(self) -> None:
        pass

    def lost(self, cause: Loss | None) -> None:
        self.over = True


def unchunked(body: bytes) -> tuple[bytes, bytes | None]:
    """The bytes of a chunked body, and those after its end; None: that has not come."""
    plain = b""
    while True:
        line, found, body = body.partition(b"\r\n")
        if not found:
            return plain, None
        size = int(line, 16)
        if not size:
            return plain, body[2:] if body.startswith(b"\r\n") else None
        plain += body[:size]
        body = body[size + 2 :]


class Target:
    """A server of one protocol. ``seen`` is called with the number of each request that began."""

    def __init__(self, network: Network, key: ServiceKey, seen: Callable[[int], None]) -> None:
        self.network = network
        self.key = key
        self.seen = seen
        self.connections: set[TargetConnection] = set()
        network.listen("127.0.0.1", key.port + 1000, self._accept)

    def _accept(self, connection: Connection) -> ConnectionHandler:
        made = TargetConnection(self, connection)
        self.connections.add(made)
        return made


class TargetConnection:
    """One connection of a target."""

    def __init__(self, target: Target, connection: Connection) -> None:
        self._target, self.connection = target, connection
        self._got = b""
        self._busy = self._raw = self._over = False
        self._noted = -1

    def leave(self, *, politely: bool) -> None:
        """Reset, or finish early. An answer that ends by closing would be whole by finishing."""
        if politely and b" /closed" not in self._got and self._target.key != RAW:
            self.connection.finish()
        else:
            self.connection.abort()

    def received(self, data: memoryview) -> None:
        self._got += data
        if self._target.key == RAW:
            if not self._busy and b"\n" in self._got:
                self._busy = True
                self._target.seen(int(self._got.split(b"\n")[0]))
        elif self._raw:
            self.connection.finish()
        elif not self._busy:
            self._look()

    def _look(self) -> None:
        head, found, rest = self._got.partition(b"\r\n\r\n")
        asked = _ASKED.match(head + b"\r\n")
        if not found or asked is None:
            return
        method, path, size, number = asked.groups()
        length = re.search(rb"Content-Length: (\d+)", head)
        if b"100-continue" in head and not rest:
            self.connection.send(CONTINUE)
        is_chunked = b"Transfer-Encoding: chunked" in head
        self._note(int(number))
        size_bytes = int(length[1] if length else 0)
        whole = unchunked(rest)[1] is not None if is_chunked else len(rest) >= size_bytes
        if not whole and path != b"early":
            return
        self._busy = True
        self._answer(method, path, ANSWER[: int(size or 0)])

    def _note(self, number: int) -> None:
        if number != self._noted:
            self._noted = number
            self._target.seen(number)

    def _answer(self, method: bytes, path: bytes, body: bytes) -> None:
        if path == b"ws":
            self._raw = True
            self.connection.send(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                b"Upgrade: websocket\r\n\r\nready"
            )
            return
        framing = b"Content-Length: %d\r\n" % len(body)
        if path == b"chunked":
            framing = b"Transfer-Encoding: chunked\r\n"
        elif path == b"closed":
            framing = b"Connection: close\r\n"
        self.connection.send(b"HTTP/1.1 200 OK\r\n%b\r\n" % framing)
        self._later(path, b"" if method == b"HEAD" else body, body == b"" or method == b"HEAD")

    def _later(self, path: bytes, body: bytes, is_done: bool) -> None:
        network = self._target.network
        network.call_at(network.now() + PIECE_S, lambda: self._send(path, body, is_done))

    def _send(self, path: bytes, body: bytes, is_done: bool) -> None:
        if self._over:
            return
        piece, rest = body[: 4 * PIECE_BYTES], body[4 * PIECE_BYTES :]
        if piece:
            is_chunk = path == b"chunked"
            self.connection.send(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunk else piece)
        if rest:
            self._later(path, rest, False)
            return
        if path == b"chunked":
            self.connection.send(b"0\r\n\r\n")
        if path in (b"closed", b"early"):
            self.connection.finish()
        self._busy, self._got, self._noted = False, b"", -1

    def ended(self) -> None:
        if self._target.key == RAW and self._busy:
            self._later(b"closed", ANSWER[:RAW_ANSWER_BYTES], False)
        else:
            self.connection.finish()

    def writable(self) -> None:
        pass

    def lost(self, cause: Loss | None) -> None:
        self._over = True
        self._target.connections.discard(self)
