"""A network in memory for the tests of links: virtual time, turns, cuts and backpressure.

Much simpler than `router.net.simulated`, and with more handles: a test can hold bytes back, cut
them into any pieces, stop the other end from reading, and break a wire after any byte.
"""

import random
from collections import deque
from collections.abc import Callable
from math import inf
from typing import cast

from router.link.frames import FrameDecoder
from router.net.ports import (
    Address,
    Buffer,
    Connection,
    ConnectionHandler,
    DialFailure,
    Listener,
    Loss,
    Proxy,
    Tls,
)
from tests.unit.virtual_time import FakeTimer, VirtualTime


class World(VirtualTime):
    """Timers, and everything that is under way. Implements `Network`."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__(1000.0)
        self.rng = random.Random(seed)
        self.lag_s = 0.0
        self._turn_end: list[Callable[[], None]] = []
        self._events: deque[Callable[[], None]] = deque()
        self.wires: list[Wire] = []
        self.listeners: dict[
            tuple[str, int], tuple[Callable[[Connection], ConnectionHandler | None], Tls | None]
        ] = {}
        self.dials: list[tuple[float, str, int]] = []
        self.dial_failure: DialFailure | None = None
        self.names: dict[str, tuple[str, ...]] = {}  # Other names are addresses themselves.
        self.slow_names: dict[str, float] = {}  # Names that take so many seconds to resolve.
        self.silent: set[tuple[str, int]] = set()  # Dials there are never answered.
        self.refusals: dict[tuple[str, int], DialFailure] = {}
        self.vias: list[Proxy | None] = []  # Of `dials`.

    # Timers.

    def at_turn_end(self, callback: Callable[[], None]) -> None:
        self._turn_end.append(callback)

    # Network.

    def allow_link_local(self, hosts: frozenset[str]) -> None:
        raise NotImplementedError("links go anywhere")

    woke_late_at: float = -inf

    def spent_s(self) -> float:
        return 0.0

    def is_current(self, host: str, address: str) -> bool:
        return True

    def unresolved_s(self, host: str) -> float | None:
        return None

    def resolve(self, host: str, done: Callable[[tuple[str, ...]], None]) -> FakeTimer:
        question = FakeTimer(lambda: done(self.names.get(host, (host,))))

        def answer() -> None:
            if question.callback:
                question.callback()

        if host in self.slow_names:
            self.call_at(self.time + self.slow_names[host], answer)
        else:
            self.later(answer)
        return question

    def listen(
        self,
        host: str,
        port: int,
        accept: Callable[[Connection], ConnectionHandler | None],
        *,
        tls: Tls | None = None,
        essential: bool = False,
    ) -> Listener:
        self.listeners[host, port] = (accept, tls)
        return cast("Listener", None)

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
        via: Proxy | None = None,
    ) -> FakeTimer:
        self.dials.append((self.time, host, port))
        self.vias.append(via)
        if (host, port) in self.silent:
            failure = DialFailure("timeout", f"{host}:{port} did not answer")
            return self.call_at(self.time + timeout_s, lambda: failed(failure))
        dial = FakeTimer(lambda: self._dialed(host, port, connected, failed, tls))
        self.later(lambda: dial.callback() if dial.callback else None)
        return dial

    def _dialed(
        self,
        host: str,
        port: int,
        connected: Callable[[Connection], ConnectionHandler],
        failed: Callable[[DialFailure], None],
        tls: Tls | None,
    ) -> None:
        found = self.listeners.get((host, port))
        refusal = self.dial_failure or self.refusals.get((host, port))
        if refusal or not found:
            failed(refusal or DialFailure("refused", f"{host}:{port} refused"))
            return
        accept, listener_tls = found
        wire = Wire(self, tls, listener_tls)
        self.wires.append(wire)
        wire.left.handler = connected(wire.left)
        handler = accept(wire.right)
        if handler is None:
            wire.right.abort()
        else:
            wire.right.handler = handler

    # The test's handles.

    def later(self, event: Callable[[], None]) -> None:
        self._events.append(event)

    def turn(self) -> bool:
        """One turn: pending events, due timers, then the turn's end. False: idle."""
        events, self._events = self._events, deque()
        busy = bool(events)
        for event in events:
            event()
        while self.next_at <= self.time:
            busy = self.fire_first() or busy
        ends, self._turn_end = self._turn_end, []
        for end in ends:
            end()
        return busy or bool(ends)

    def settle(self, turns: int = 10_000) -> None:
        """Turns until nothing is under way at this time."""
        for _ in range(turns):
            if not self.turn():
                return
        raise AssertionError("the world does not come to rest")

    def advance(self, seconds: float) -> None:
        """Let virtual time pass, each timer at its time."""
        end = self.time + seconds
        self.settle()
        while self.next_at <= end:
            self.time = max(self.time, self.next_at)
            self.settle()
        self.time = end
        self.settle()

    def jump(self, seconds: float) -> None:
        """The process did not run for so long."""
        self.time += seconds
        self.settle()


class Wire:
    """Two connections back to back."""

    def __init__(self, world: World, left_tls: Tls | None, right_tls: Tls | None) -> None:
        self.left = FakeConnection(world, left_tls, right_tls)
        self.right = FakeConnection(world, right_tls, left_tls)
        self.left.other, self.right.other = self.right, self.left

    def break_(self) -> None:
        """A reset that neither end caused."""
        for end in (self.left, self.right):
            end.lose(Loss("reset", "cut"))


class FakeConnection:
    """One end. ``capacity_bytes`` is what the other end's kernel takes before it is read."""

    other: "FakeConnection"

    def __init__(self, world: World, own: Tls | None, peers: Tls | None) -> None:
        self._world = world
        self.handler: ConnectionHandler | None = None
        self.peer = Address("127.0.0.1", 1)
        self.local = Address("127.0.0.1", 2)
        self.peer_certificate = peers.certificate if peers else b""
        self.alpn = peers.alpn[0] if peers and peers.alpn else ""
        self.capacity_bytes = 1 << 20
        self.piece: Callable[[], int] = lambda: 65536
        self.sent_log = bytearray()
        self.sends: list[int] = []
        self.break_after: int | None = None
        self.held = False  # The test holds back the bytes that this end sends.
        self._unsent = bytearray()
        self._arrived = bytearray()
        self._arrived_fin = False
        self._told_end = False
        self._fin = False
        self._gone = False
        self._paused = self._reads_last = False
        self._high_mark = 65536
        self._wants_writable = False

    @property
    def buffered_bytes(self) -> int:
        return len(self._unsent)

    @property
    def unsent_bytes(self) -> int:
        return len(self._unsent)

    @property
    def undelivered_bytes(self) -> int:
        return len(self._unsent) + len(self.other._arrived)

    @property
    def is_gone(self) -> bool:
        return self._gone

    @property
    def has_finished(self) -> bool:
        return self._fin

    def send(self, *parts: Buffer) -> bool:
        if self._fin or self._gone:
            return True
        data = b"".join(parts)
        self.sends.append(len(data))
        self.sent_log += data
        self._unsent += data
        self._push()
        if len(self._unsent) > self._high_mark:
            self._wants_writable = True
            return False
        return True

    def splice_to(self, sink: Connection, moved: Callable[[int], None]) -> bool:
        return False

    def set_high_mark(self, mark_bytes: int) -> None:
        self._high_mark = mark_bytes

    def bound_unsent(self, size_bytes: int) -> None:
        self.unsent_bytes_max = size_bytes

    def pause(self, left: Callable[[], None] | None = None, *, reads_last: bool = False) -> None:
        self._paused, self._reads_last = True, reads_last

    def resume(self) -> None:
        self._paused = False
        self._world.later(self._deliver)

    def finish(self) -> None:
        if not self._fin:
            self._fin = True
            self._push()

    def abort(self) -> None:
        self.lose(Loss("aborted"))
        self.other.lose(Loss("reset", "by the peer"))

    def lose(self, loss: Loss | None) -> None:
        """End this end; its handler hears it in a later event."""
        if self._gone:
            return
        self._gone = True
        self._unsent.clear()
        is_read = self._paused and self._reads_last and loss is not None and loss.code == "reset"
        last = bytes(self._arrived) if is_read else b""

        def lost() -> None:
            if self.handler is None:
                return
            if last:
                self.handler.received(memoryview(last))
            self.handler.lost(loss)

        self._world.later(lost)

    def hold(self) -> None:
        """Keep back all that this end sends from now on."""
        self.held = True

    def release(self) -> None:
        """Let go of it again."""
        self.held = False
        self._push()

    def _push(self) -> None:
        other = self.other
        if self.held or other._gone:
            return
        room = max(0, other.capacity_bytes - len(other._arrived))
        moved = bytes(self._unsent[:room])
        if self.break_after is not None:
            moved = moved[: self.break_after]
            self.break_after -= len(moved)
        del self._unsent[: len(moved)]
        other._arrived += moved
        if self._fin and not self._unsent:
            other._arrived_fin = True
        if moved or other._arrived_fin:
            self._world.later(other._deliver)
        if self.break_after == 0:
            self.break_after = None
            self.held = True
            self._world.later(lambda: self._world.later(self._broken))
        if not self._unsent and self._wants_writable and not self._fin:
            self._wants_writable = False
            self._world.later(self._writable)

    def _broken(self) -> None:
        self.lose(Loss("reset", "cut"))
        self.other.lose(Loss("reset", "cut"))

    def _writable(self) -> None:
        if not self._gone and self.handler:
            self.handler.writable()

    def _deliver(self) -> None:
        if self.handler is None and not self._gone:
            self._world.later(self._deliver)
            return
        if self._gone or self._paused or self.handler is None:
            return
        if self._arrived:
            size = max(1, self.piece())
            data = bytearray(self._arrived[:size])
            del self._arrived[:size]
            self.handler.received(memoryview(data))
            data[:] = b"\xee" * len(data)  # A handler that kept a view sees this.
            self.other._push()
            self._world.later(self._deliver)
        elif self._arrived_fin and not self._told_end:
            self._told_end = True
            self.handler.ended()
            if self.other._told_end:
                self.lose(None)
                self.other.lose(None)


class Raw:
    """A peer that speaks no protocol: the test sends its bytes, and reads the answers."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.has_ended = False
        self.losses: list[Loss | None] = []

    def received(self, data: memoryview) -> None:
        self.data += data

    def ended(self) -> None:
        self.has_ended = True

    def writable(self) -> None:
        pass

    def lost(self, cause: Loss | None) -> None:
        self.losses.append(cause)


class FrameLog:
    """A sink that keeps frames, so that tests can inspect sent bytes."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, int, bytes]] = []

    def frame(self, kind: int, stream_id: int, payload: memoryview) -> None:
        self.frames.append((kind, stream_id, bytes(payload)))


def frames_of(data: Buffer) -> list[tuple[int, int, bytes]]:
    """All whole frames in ``data``."""
    log = FrameLog()
    FrameDecoder(log).receive_data(memoryview(bytes(data)))
    return log.frames
