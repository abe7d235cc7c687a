"""Streamed answers in virtual time: a server that sends events for a while, and clients that
know whether all of them came."""

from collections.abc import Callable

from router.net.ports import Connection, ConnectionHandler, DialFailure, Loss, Network
from tests.simulation.world import SERVICE, SimSite

EVENT_EVERY_S = 10.0
EVENT, LAST_EVENT = b"data: token\n\n", b"data: [DONE]\n\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _body(answer: bytes) -> bytes:
    """The body of an answer in chunks, which a router may cut differently; empty: its last chunk
    did not come.
    """
    rest, body = answer.partition(b"\r\n\r\n")[2], b""
    while (end := rest.find(b"\r\n")) >= 0:
        size = int(rest[:end], 16)
        if not size:
            return body
        body += rest[end + 2 : end + 2 + size]
        rest = rest[end + 2 + size + 2 :]
    return b""


class StreamTarget:
    """An HTTP server whose answer to ``X-Seconds: N`` lasts N seconds: ``text/event-stream``."""

    def __init__(self, network: Network, port: int, name: str) -> None:
        self.network, self.name = network, name
        self.in_hand = self.most_in_hand = 0
        network.listen("127.0.0.1", port, self._accept)

    def _accept(self, connection: Connection) -> ConnectionHandler:
        return _Serving(self, connection)


class _Serving:
    def __init__(self, target: StreamTarget, connection: Connection) -> None:
        self._target, self._connection = target, connection
        self._head = b""
        self._is_streaming = self._is_lost = False

    def received(self, data: memoryview) -> None:
        self._head += data
        if b"\r\n\r\n" not in self._head:
            return
        seconds = float(self._head.lower().partition(b"x-seconds: ")[2].partition(b"\r\n")[0])
        self._head = b""
        target = self._target
        target.in_hand += 1
        target.most_in_hand = max(target.most_in_hand, target.in_hand)
        self._is_streaming = True
        self._connection.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Served-By: %b\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" % target.name.encode()
        )
        self._next(target.network.now() + seconds)

    def _next(self, ends_at: float) -> None:
        network = self._target.network
        if self._is_lost:
            return
        if network.now() >= ends_at:
            self._target.in_hand -= 1
            self._is_streaming = False
            self._connection.send(_chunk(LAST_EVENT) + b"0\r\n\r\n")
            return
        self._connection.send(_chunk(EVENT))
        again = min(ends_at, network.now() + EVENT_EVERY_S)
        network.call_at(again, lambda: self._next(ends_at))

    def ended(self) -> None:
        self._connection.finish()

    def writable(self) -> None: ...

    def lost(self, cause: Loss | None) -> None:
        self._is_lost = True
        self._target.in_hand -= self._is_streaming


class Streamed:
    """One request for a stream, and its outcome."""

    def __init__(
        self, site: SimSite, seconds: float, *fields: str, began: Callable[["Streamed"], None]
    ) -> None:
        """``began`` is called when a target has begun its answer."""
        self._network, self._told = site.network, began
        self.asked_at = site.network.now()
        self.site = ""
        """The site that serves it; empty: none yet."""
        self.status = 0
        self.fields: dict[str, str] = {}
        self.ended_at: float | None = None
        self.is_whole = False
        self._bytes = b""
        lines = "".join(f"{one}\r\n" for one in (f"X-Seconds: {seconds}", *fields))
        self._request = f"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n{lines}\r\n".encode()
        self._network.dial("127.0.0.1", SERVICE.port, self._connected, self._failed, timeout_s=5.0)

    def _connected(self, connection: Connection) -> ConnectionHandler:
        self._connection = connection
        connection.send(self._request)
        return self

    def _failed(self, failure: DialFailure) -> None:
        self.ended_at = self._network.now()

    def received(self, data: memoryview) -> None:
        self._bytes += data
        if not self.status and b"\r\n\r\n" in self._bytes:
            head = self._bytes.partition(b"\r\n\r\n")[0].decode().split("\r\n")
            self.status = int(head[0].split(" ")[1])
            self.fields = dict(line.split(": ", 1) for line in head[1:])
            self.site = self.fields.get("X-Served-By", "")
            if self.site:
                self._told(self)

    def ended(self) -> None:
        self.is_whole = _body(self._bytes).endswith(LAST_EVENT)
        self.ended_at = self._network.now()
        self._connection.finish()

    def writable(self) -> None: ...

    def lost(self, cause: Loss | None) -> None:
        if self.ended_at is None:
            self.ended_at = self._network.now()
