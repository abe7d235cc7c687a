"""Backends in virtual time: each works on so many requests at once, more wait in it."""

from collections import deque
from collections.abc import Callable

from router.net.ports import Connection, ConnectionHandler, Loss, Network, Timer
from simulator import draws
from simulator.scenario import ServiceTime

WorkOf = Callable[[int], float]
"""The draw of a request by its number."""


class Backend:
    """An HTTP/1.1 server. ``busy``: slots that work."""

    __slots__ = (
        "_draw",
        "_listener",
        "_network",
        "_since",
        "_waiting",
        "_worked_s",
        "busy",
        "connections",
        "name",
        "port",
        "served",
        "service_time",
        "slots",
    )

    def __init__(
        self,
        network: Network,
        port: int,
        name: bytes,
        slots: int,
        service_time: ServiceTime,
        draw: WorkOf,
    ) -> None:
        self._network, self._draw = network, draw
        self.port, self.name, self.slots, self.service_time = port, name, slots, service_time
        self.busy = self.served = 0
        self._since = self._worked_s = 0.0
        self.connections: set[_Served] = set()
        self._waiting: deque[_Served] = deque()
        self._listener = network.listen("127.0.0.1", port, self._accept)

    @property
    def worked_s(self) -> float:
        """Seconds that its slots worked so far, all together."""
        return self._worked_s + self.busy * (self._network.now() - self._since)

    @property
    def waiting(self) -> int:
        """Requests that this backend has and does not yet work on."""
        return len(self._waiting)

    def stop(self) -> None:
        """As a process that is killed: its connections are reset, its port is closed."""
        self._listener.close()
        self._waiting.clear()
        for served in list(self.connections):
            served.abort()

    def die(self) -> None:
        """As its host does: nothing more happens, and nothing more is counted."""
        self._count(-self.busy)
        self._waiting.clear()

    def start(self) -> None:
        """Listen again."""
        self._listener = self._network.listen("127.0.0.1", self.port, self._accept)

    def take(self, served: "_Served") -> None:
        """Begin, or let it wait for a slot."""
        if self.busy < self.slots:
            self._begin(served)
        else:
            self._waiting.append(served)

    def _begin(self, served: "_Served") -> None:
        self._count(1)
        seconds = draws.service_s(self.service_time, self._draw(served.number))
        served.work(self._network.call_at(self._network.now() + seconds, served.done))

    def _count(self, more: int) -> None:
        now = self._network.now()
        self._worked_s += self.busy * (now - self._since)
        self._since = now
        self.busy += more

    def ended(self) -> None:
        """A slot is free."""
        self._count(-1)
        while self._waiting and self.busy < self.slots:
            self._begin(self._waiting.popleft())

    def leave(self, served: "_Served") -> None:
        """It waits no more."""
        if served in self._waiting:
            self._waiting.remove(served)

    def _accept(self, connection: Connection) -> ConnectionHandler:
        served = _Served(self, connection)
        self.connections.add(served)
        return served


class _Served:
    """One connection; one request at a time."""

    __slots__ = ("_backend", "_closes", "_connection", "_head", "_timer", "number")

    def __init__(self, backend: Backend, connection: Connection) -> None:
        self._backend, self._connection = backend, connection
        self._head = b""
        self._timer: Timer | None = None
        self._closes = False
        self.number = -1

    def received(self, data: memoryview) -> None:
        self._head += data
        if (end := self._head.find(b"\r\n\r\n")) >= 0:
            head, self._head = self._head[:end], self._head[end + 4 :]
            target = head.split(b" ", 2)[1]
            number = target.rpartition(b"/")[2]
            self._closes = b"onnection: close" in head
            if number.isdigit():
                self.number = int(number)
                self._backend.take(self)
            else:
                self._answer()  # A health check.

    def work(self, timer: Timer) -> None:
        """A slot works for us until ``timer``."""
        self._timer = timer

    def done(self) -> None:
        """The work is done."""
        self._timer = None
        self.number = -1
        self._backend.served += 1
        self._backend.ended()
        self._answer()

    def _answer(self) -> None:
        name = self._backend.name
        close = b"Connection: close\r\n" if self._closes else b""
        self._connection.send(
            b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (close, len(name), name)
        )
        if self._closes:
            self._connection.finish()

    def abort(self) -> None:
        """Reset it."""
        self._connection.abort()
        self.lost(None)

    def ended(self) -> None:
        self._connection.finish()

    def writable(self) -> None:
        pass

    def lost(self, cause: Loss | None) -> None:
        self._backend.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._backend.ended()
        elif self.number >= 0:
            self.number = -1
            self._backend.leave(self)
