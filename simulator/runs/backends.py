"""Backends in virtual time: each works on a number of requests at once, more wait in it."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from router.net.ports import Connection, ConnectionHandler, Loss, Network, Timer
from simulator.scenarios.scenario import ServiceTime


class BackendWork(Protocol):
    """The work that requests, identified by their numbers, need from a backend."""

    def seconds(self, number: int, spec: ServiceTime) -> float:
        """How long the backend works on a request."""

    def fails(self, number: int, share: float) -> bool:
        """Whether a request is among the ``share`` that fails."""

    def call(self, number: int, site: str, done: Callable[[bool], None]) -> bool:
        """Make the calls of a request from ``site``; ``done`` gets whether all were answered.

        False: it makes none.
        """


class Backend:
    """An HTTP/1.1 server. ``busy``: slots that work, or wait for calls to other services.

    ``factor``: its work takes so many times longer. ``failing``: the share that it answers with
    500.
    """

    __slots__ = (
        "_listener",
        "_network",
        "_since",
        "_waiting",
        "_worked_s",
        "busy",
        "connections",
        "factor",
        "failing",
        "name",
        "port",
        "served",
        "service_time",
        "slots",
        "work",
    )

    def __init__(
        self,
        network: Network,
        port: int,
        name: bytes,
        slots: int,
        service_time: ServiceTime,
        work: BackendWork,
    ) -> None:
        self._network, self.work = network, work
        self.factor, self.failing = 1.0, 0.0
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
        """As a killed process: its connections are reset, its port is closed."""
        self._listener.close()
        self._waiting.clear()
        for served in list(self.connections):
            served.abort()

    def die(self) -> None:
        """As when its host dies: nothing more happens, and nothing more is counted."""
        self._count(-self.busy)
        self._waiting.clear()

    def start(self) -> None:
        """Listen again."""
        self._listener = self._network.listen("127.0.0.1", self.port, self._accept)

    def take(self, served: "_Served") -> None:
        """Begin a request, or let it wait for a slot."""
        if self.busy < self.slots:
            self._begin(served)
        else:
            self._waiting.append(served)

    def _begin(self, served: "_Served") -> None:
        self._count(1)
        seconds = self.factor * self.work.seconds(served.number, self.service_time)
        served.begin(self._network.call_at(self._network.now() + seconds, served.done))

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
        """``served`` waits no more."""
        if served in self._waiting:
            self._waiting.remove(served)

    def _accept(self, connection: Connection) -> ConnectionHandler:
        served = _Served(self, connection)
        self.connections.add(served)
        return served


class _Served:
    """One connection; one request at a time."""

    __slots__ = ("_answers", "_backend", "_closes", "_connection", "_head", "_timer", "number")

    def __init__(self, backend: Backend, connection: Connection) -> None:
        self._backend, self._connection = backend, connection
        self._head = b""
        self._timer: Timer | None = None
        self._answers: _Answer | None = None
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
                self.answer(200)  # A health check.

    def begin(self, timer: Timer) -> None:
        """A slot works on the request until ``timer``."""
        self._timer = timer

    def done(self) -> None:
        """The work is done; calls to other services follow."""
        self._timer = None
        backend, number = self._backend, self.number
        self._answers = answer = _Answer(self)
        if backend.failing and backend.work.fails(number, backend.failing):
            answer.give(well=False)
        elif not backend.work.call(number, backend.name.decode(), answer.give):
            answer.give(well=True)

    def finish(self, status: int) -> None:
        """All is done: the slot is free."""
        self._answers = None
        self.number = -1
        self._backend.served += 1
        self._backend.ended()
        self.answer(status)

    def answer(self, status: int) -> None:
        """Send the answer to the client."""
        name = self._backend.name
        close = b"Connection: close\r\n" if self._closes else b""
        self._connection.send(
            b"HTTP/1.1 %d Simulated\r\n%sContent-Length: %d\r\n\r\n%s"
            % (status, close, len(name), name)
        )
        if self._closes:
            self._connection.finish()

    def abort(self) -> None:
        """Reset the connection."""
        self._connection.abort()
        self.lost(None)

    def ended(self) -> None:
        self._connection.finish()

    def writable(self) -> None:
        pass

    def lost(self, cause: Loss | None) -> None:
        self._backend.connections.discard(self)
        if self._timer is not None or self._answers is not None:
            if self._timer is not None:
                self._timer.cancel()
            if self._answers is not None:
                self._answers.drop()
            self._timer = self._answers = None
            self._backend.ended()
        elif self.number >= 0:
            self.number = -1
            self._backend.leave(self)


class _Answer:
    """The answer to one request; it is dropped once the connection is lost."""

    __slots__ = ("_served",)

    def __init__(self, served: _Served) -> None:
        self._served: _Served | None = served

    def give(self, well: bool) -> None:
        """The work and all calls are done."""
        served, self._served = self._served, None
        if served is not None:
            served.finish(200 if well else 500)

    def drop(self) -> None:
        """Drop the answer: its client is gone."""
        self._served = None
