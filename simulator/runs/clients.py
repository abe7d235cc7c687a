"""Clients in virtual time: one request each, over a new connection or one that is kept."""

from collections.abc import Callable
from functools import partial

from router.net.ports import Connection, ConnectionHandler, DialFailure, Loss, Network
from router.net.simulated.internet import LOOPBACK_DELAY_S
from simulator.runs.measure import SimulatedRequest
from simulator.scenarios.bounds import CLIENT_TIMEOUT_S

_DIAL_S = 5.0
Asked = Callable[[SimulatedRequest], None]


class Clients:
    """The clients of one service at one site. ``asks`` is called for each request as its bytes
    leave.

    ``host``: the address they dial; on loopback it is their own address too. They give up after
    ``timeout_s``.
    """

    __slots__ = ("_asks", "_dialed", "_host", "_idle", "_port", "keeps", "network", "timeout_s")

    def __init__(
        self,
        network: Network,
        port: int,
        keeps: bool,
        asks: Asked,
        host: str = "127.0.0.1",
        timeout_s: float = CLIENT_TIMEOUT_S,
        dialed: Callable[[], None] = lambda: None,
    ) -> None:
        """``dialed`` is called for each new connection."""
        self.network, self._port, self.keeps, self._asks = network, port, keeps, asks
        self._host, self.timeout_s, self._dialed = host, timeout_s, dialed
        self._idle: list[_Connection] = []

    def ask(self, request: SimulatedRequest, done: Callable[[], None] | None = None) -> None:
        """Begin ``request`` now; calls ``done`` when it was answered, refused or lost."""
        if self._idle:
            self._idle.pop().send(request, done)
            return

        def connected(connection: Connection) -> ConnectionHandler:
            asked = _Connection(self, self.network, connection)
            asked.send(request, done)
            return asked

        def failed(failure: DialFailure) -> None:
            request.end(self.network.now(), 0, failure.code)
            if done is not None:
                done()

        self._dialed()
        self.network.dial(self._host, self._port, connected, failed, timeout_s=_DIAL_S)

    def asks(self, request: SimulatedRequest) -> None:
        """The bytes of ``request`` leave now: the state that they will find on arrival is read just
        before.
        """
        arrival = self.network.now() + LOOPBACK_DELAY_S
        self.network.call_at(arrival, partial(self._asks, request))

    def rest(self, connection: "_Connection") -> None:
        """``connection`` may be used again."""
        self._idle.append(connection)

    def gone(self, connection: "_Connection") -> None:
        """``connection`` may not be used again."""
        if connection in self._idle:
            self._idle.remove(connection)


class _Connection:
    __slots__ = ("_bytes", "_clients", "_connection", "_done", "_network", "_request", "_timer")

    def __init__(self, clients: Clients, network: Network, connection: Connection) -> None:
        self._clients, self._network, self._connection = clients, network, connection
        self._bytes = b""
        self._request: SimulatedRequest | None = None
        self._done: Callable[[], None] | None = None

    def send(self, request: SimulatedRequest, done: Callable[[], None] | None) -> None:
        """Ask over this connection."""
        self._request, self._done = request, done
        self._timer = self._network.call_at(request.began + self._clients.timeout_s, self._overdue)
        self._clients.asks(request)
        close = b"" if self._clients.keeps else b"Connection: close\r\n"
        name = request.request_class.encode()
        of_class = b"X-Class: %b\r\n" % name if name else b""
        self._connection.send(
            b"GET /%d HTTP/1.1\r\nHost: simulated\r\n%b%b\r\n" % (request.number, of_class, close)
        )

    def received(self, data: memoryview) -> None:
        self._bytes += data
        head, found, body = self._bytes.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.lower().split(b"\r\n")
        length = int(_field(lines, b"content-length:"))
        if len(body) < length:
            return
        self._bytes = b""
        if self._request is not None:
            self._request.held_s = _field(lines, b"spillway-held:")
        closes = not self._clients.keeps or b"connection: close" in lines
        self._over(int(head[9:12]), body.decode() if head[9:12] == b"200" else "")
        if closes:
            self._connection.finish()
        else:
            self._clients.rest(self)

    def _over(self, status: int, told: str) -> None:
        request, done = self._request, self._done
        if request is None:
            return
        self._request = self._done = None
        self._timer.cancel()
        request.end(self._network.now(), status, told)
        if done is not None:
            done()

    def _overdue(self) -> None:
        self._connection.abort()
        self._over(0, "timed-out")

    def ended(self) -> None:
        self._clients.gone(self)
        self._connection.finish()
        self._over(0, "closed")

    def writable(self) -> None:
        pass

    def lost(self, cause: Loss | None) -> None:
        self._clients.gone(self)
        self._over(0, cause.code if cause is not None else "closed")


def _field(lines: list[bytes], name: bytes) -> float:
    """The number in a header field; 0.0: there is none."""
    return next((float(line[len(name) :]) for line in lines if line.startswith(name)), 0.0)
