"""A connection, a network and a leg in memory, for tests of the HTTP side of `exchange`."""

from collections.abc import Callable, Set
from math import inf

from router.model.ids import SiteId
from router.model.requests import Request
from router.net.ports import (
    Address,
    Buffer,
    Connection,
    ConnectionHandler,
    Dial,
    DialFailure,
    Listener,
    Loss,
    Tls,
)
from router.service.ports import LegFailure, LegHandler, tell_in_parts
from tests.unit.virtual_time import VirtualTime


class FakeTimers(VirtualTime):
    """Virtual time. `turn` runs what waits for the end of the turn."""

    def __init__(self) -> None:
        super().__init__(1000.0)
        self._turn_end: list[Callable[[], None]] = []

    def at_turn_end(self, callback: Callable[[], None]) -> None:
        self._turn_end.append(callback)

    def turn(self) -> None:
        while self._turn_end:
            due, self._turn_end = self._turn_end, []
            for callback in due:
                callback()

    def advance(self, seconds: float) -> None:
        end = self.time + seconds
        self.turn()
        while self.next_at <= end:
            if self.fire_first():
                self.turn()
        self.time = max(self.time, end)


class FakeConnection:
    """Keeps the sent bytes. `full` makes the next sends say no until `drain` is called."""

    def __init__(self, timers: FakeTimers) -> None:
        self.timers = timers
        self.handler: ConnectionHandler | None = None
        self.sent = bytearray()
        self.sends = 0
        self.full = False
        self._paused = False
        self._left: Callable[[], None] | None = None
        self._finished = False
        self._aborted = False
        self.is_lost = False
        self._peer_ended = False

    peer = Address("192.0.2.7", 40000)
    local = Address("127.0.0.1", 8080)
    peer_certificate = b""
    alpn = ""
    buffered_bytes: int = 0
    unsent_bytes: int = 0
    kernel_bytes: int = 0

    @property
    def undelivered_bytes(self) -> int:
        return self.buffered_bytes + self.kernel_bytes

    def send(self, *parts: Buffer) -> bool:
        if self._finished or self._aborted or self.is_lost:
            return True
        self.sends += 1
        for part in parts:
            self.sent += part
        return not self.full

    def splice_to(self, sink: Connection, moved: Callable[[int], None]) -> bool:
        return False

    def set_high_mark(self, mark_bytes: int) -> None: ...

    def bound_unsent(self, size_bytes: int) -> None: ...

    def pause(self, left: Callable[[], None] | None = None, *, reads_last: bool = False) -> None:
        self._paused = True
        self._left = left

    def resume(self) -> None:
        self._paused = False
        self._left = None

    def finish(self) -> None:
        if not self._finished:
            self._finished = True
            self.timers.at_turn_end(self._check_over)

    def abort(self) -> None:
        if not self._aborted and not self.is_lost:
            self._aborted = True
            self.timers.at_turn_end(lambda: self.lose(Loss("aborted")))

    # Methods and not attributes, so that a type checker does not remember their values.

    def is_paused(self) -> bool:
        return self._paused

    def is_finished(self) -> bool:
        return self._finished

    def is_aborted(self) -> bool:
        return self._aborted

    # The other end.

    def deliver(self, data: bytes) -> None:
        """``data`` arrives; the caller's buffer is spoilt afterwards, as a real one may be."""
        assert self.handler is not None
        if self._aborted or self.is_lost:
            return
        buffer = bytearray(data)
        self.handler.received(memoryview(buffer))
        buffer[:] = b"\x00" * len(buffer)

    def end(self) -> None:
        assert self.handler is not None
        if not self._aborted and not self.is_lost and not self._peer_ended:  # A peer ends once.
            self._peer_ended = True
            self.handler.ended()
            self._check_over()

    def end_unread(self) -> None:
        """The peer finished, maybe with unread bytes. No effect unless reading is paused."""
        left, self._left = self._left, None
        if left is not None:
            left()

    def drain(self) -> None:
        assert self.handler is not None
        self.full = False
        self.handler.writable()

    def lose(self, cause: Loss | None) -> None:
        if not self.is_lost:
            self.is_lost = True
            assert self.handler is not None
            self.handler.lost(cause)

    def _check_over(self) -> None:
        if self._finished and self._peer_ended:
            self.lose(None)

    def take(self) -> bytes:
        """Bytes sent since the last call, after the turn's end."""
        self.timers.turn()
        sent = bytes(self.sent)
        self.sent.clear()
        return sent


class FakeDial:
    def __init__(
        self,
        connected: Callable[[Connection], ConnectionHandler],
        failed: Callable[[DialFailure], None],
    ) -> None:
        self.connected = connected
        self.failed = failed
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeNetwork(FakeTimers):
    """Dials wait until the test lets them succeed or fail."""

    def __init__(self) -> None:
        super().__init__()
        self.dials: list[FakeDial] = []
        self.connections: list[FakeConnection] = []
        self.renamed: set[str] = set()  # Addresses that no name resolves to any more.

    def listen(
        self,
        host: str,
        port: int,
        accept: Callable[[Connection], ConnectionHandler | None],
        *,
        tls: Tls | None = None,
        essential: bool = False,
    ) -> Listener:
        raise NotImplementedError("nothing listens here")

    woke_late_at: float = -inf

    def spent_s(self) -> float:
        return 0.0

    def is_current(self, host: str, address: str) -> bool:
        return address not in self.renamed

    def unresolved_s(self, host: str) -> float | None:
        return None

    def allow_link_local(self, hosts: frozenset[str]) -> None:
        """Addresses mean nothing here."""

    def dial(
        self,
        host: str,
        port: int,
        connected: Callable[[Connection], ConnectionHandler],
        failed: Callable[[DialFailure], None],
        *,
        timeout_s: float,
        tls: Tls | None = None,
        essential: bool = False,
    ) -> Dial:
        dial = FakeDial(connected, failed)
        self.dials.append(dial)
        return dial

    def connect(self) -> FakeConnection:
        """Let the oldest dial succeed."""
        dial = self.dials.pop(0)
        assert not dial.cancelled
        connection = FakeConnection(self)
        self.connections.append(connection)
        connection.handler = dial.connected(connection)
        self.turn()
        return connection

    def refuse(self) -> None:
        self.dials.pop(0).failed(DialFailure("refused", "connection refused"))
        self.turn()


class FakeLeg:
    """A leg that records; the test plays the target by calling ``handler``."""

    wire: Connection | None = None
    undelivered_bytes = 0

    def __init__(self, request: Request, handler: LegHandler) -> None:
        self.request = request
        self.handler = handler
        self.body = bytearray()
        self.trailers = b""
        self._finished = False
        self._aborted = False
        self._left = False
        self._paused = False
        self.full = False

    def send(self, data: Buffer) -> bool:
        self.body += data
        return not self.full

    def send_trailers(self, block: bytes) -> None:
        self.trailers = block

    def finish(self) -> None:
        self._finished = True

    def abort(self) -> None:
        self._aborted = True

    def client_gone(self) -> None:
        self._aborted = self._left = True

    def overdue(self) -> LegFailure:
        self._aborted = True
        return LegFailure("target-timeout")

    def break_off(self, sites: Set[SiteId]) -> None:
        """It is at no other site."""

    @property
    def awaited_at(self) -> SiteId | None:
        return None

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    def is_paused(self) -> bool:
        return self._paused

    def is_finished(self) -> bool:
        return self._finished

    def is_aborted(self) -> bool:
        return self._aborted

    def is_left(self) -> bool:
        """It was aborted since its client is gone."""
        return self._left

    def respond(self, head: bytes, body: bytes = b"", body_bytes: int | None = None) -> None:
        """A whole response: ``head`` canonical, ``body_bytes`` the declared length."""
        self.handler.head(head, len(body) if body_bytes is None else body_bytes)
        if body:
            self.handler.received(memoryview(body))
        self.handler.ended()
        self.handler.done(None)


class RecordingHandler:
    """A `LegHandler` that records its calls, in order."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def last(self) -> tuple[object, ...]:
        return self.events[-1]

    def opened(self) -> None:
        self.events.append(("opened",))

    def head(self, head: bytes, body_bytes: int) -> None:
        self.events.append(("head", head, body_bytes))

    def received(self, data: memoryview) -> None:
        if self.events and self.events[-1][0] == "received":
            known = self.events.pop()[1]
            assert isinstance(known, bytes)
            self.events.append(("received", known + bytes(data)))
        else:
            self.events.append(("received", bytes(data)))

    def trailers(self, block: bytes) -> None:
        self.events.append(("trailers", block))

    def ended(self) -> None:
        self.events.append(("ended",))

    def whole(self, head: bytes, body_bytes: int, body: Buffer) -> None:
        tell_in_parts(self, head, body_bytes, body)

    def writable(self) -> None:
        self.events.append(("writable",))

    def done(self, failure: LegFailure | None) -> None:
        self.events.append(("done", failure.code if failure else None))
