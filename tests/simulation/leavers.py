"""A client that finishes before its answer, as one with a time-out does."""

from router.net.ports import Connection, ConnectionHandler, DialFailure, Loss
from tests.simulation.world import SERVICE, SimSite

REQUEST = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"


class Leaver:
    """Sends its bytes, and finishes when `leave` is called; it goes on reading."""

    def __init__(self, site: SimSite, sent: bytes = REQUEST) -> None:
        self.network = site.network
        self.sent = sent
        self.got = b""
        self.has_left = self.is_over = False
        self.connection: Connection | None = None
        self.network.dial("127.0.0.1", SERVICE.port, self._connected, self._failed, timeout_s=5.0)

    def leave(self) -> None:
        assert self.connection is not None
        self.has_left = True
        self.connection.finish()

    def leave_unless_over(self) -> None:
        if not self.is_over and self.connection is not None:
            self.leave()

    def _connected(self, connection: Connection) -> ConnectionHandler:
        self.connection = connection
        connection.send(self.sent)
        return self

    def _failed(self, failure: DialFailure) -> None:
        raise AssertionError(failure.reason)

    def received(self, data: memoryview) -> None:
        self.got += data
        if self.got.count(b"\r\n\r\n") == self.sent.count(REQUEST):
            self.is_over = True
            self.leave()

    def ended(self) -> None:
        self.is_over = True
        assert self.connection is not None
        self.connection.finish()

    def writable(self) -> None: ...

    def lost(self, cause: Loss | None) -> None:
        self.is_over = True
