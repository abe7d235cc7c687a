"""One end of a simulated TCP connection."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from router.model.limits import WRITE_HIGH_BYTES
from router.net.connection_states import (
    ALL_READ,
    ENDED,
    ENDING,
    FULL,
    OPEN,
    OVER,
    PAUSED,
    READING_OVER,
    WANTED,
)
from router.net.ports import Address, Buffer, Connection, ConnectionHandler, Loss

if TYPE_CHECKING:
    from router.net.simulated.host import SimulatedNetwork
    from router.net.simulated.internet import SimulatedPath

SEGMENT_BITS_MAX = 16
POISON = b"\xdd"  # The contents of a view that a handler keeps too long.


class SimulatedConnection:
    """`ports.Connection` whose peer is ``other``.

    A direction holds at most ``buffer_bytes`` that were sent and not yet received by the peer's
    handler. The byte stream is cut again at seeded places on its way, and sometimes the kernel
    takes less of a write than it could.
    """

    other: SimulatedConnection

    def __init__(
        self,
        host: SimulatedNetwork,
        local: Address,
        peer: Address,
        on_first: Callable[[], None] | None = None,
    ) -> None:
        """``on_first`` is called when bytes come before the end has an owner."""
        self.host = host
        self._internet = host.internet
        self._path: SimulatedPath | None = None
        self._random, self._cuts = host.internet.random, host.internet.cuts
        self._local = local
        self._peer = peer
        self._on_first = on_first
        self._number = host.add_connection(self)
        self._handler: ConnectionHandler | None = None
        self._certificate = b""
        self._alpn = ""
        self._high = WRITE_HIGH_BYTES
        self._credit = host.internet.buffer_bytes
        self._out: deque[memoryview] = deque()
        self._out_bytes = 0
        self._flush_due = False
        self._inbox = bytearray()
        self._end_arrived = False
        self._left: Callable[[], None] | None = None
        self._reads_last = False
        self.reading = WANTED
        self.sending = OPEN
        self._cause: Loss | None = None

    # The interface.

    @property
    def peer(self) -> Address:
        return self._peer

    @property
    def local(self) -> Address:
        return self._local

    @property
    def peer_certificate(self) -> bytes:
        return self._certificate

    @property
    def alpn(self) -> str:
        return self._alpn

    @property
    def buffered_bytes(self) -> int:
        if self.sending is ENDED:
            return self.host.internet.buffer_bytes - self._credit
        return self._out_bytes

    @property
    def unsent_bytes(self) -> int:
        return self._out_bytes

    @property
    def undelivered_bytes(self) -> int:
        if self.sending is OVER:
            return 0
        return self._out_bytes + self.host.internet.buffer_bytes - self._credit

    def send(self, *parts: Buffer) -> bool:
        if self.sending is not OPEN and self.sending is not FULL:
            return True
        data = b"".join(parts)
        if data:
            waiting = bool(self._out)
            self._out.append(memoryview(data))
            self._out_bytes += len(data)
            if not waiting:
                self._transmit()
        if self._out_bytes > self._high:
            self.sending = FULL
            return False
        return True

    def splice_to(self, sink: Connection, moved: Callable[[int], None]) -> bool:
        return False

    def set_high_mark(self, mark_bytes: int) -> None:
        self._high = mark_bytes

    def bound_unsent(self, size_bytes: int) -> None:
        """No effect: its buffers have a fixed size."""

    def pause(self, left: Callable[[], None] | None = None, *, reads_last: bool = False) -> None:
        if self.reading is WANTED:
            self.reading = PAUSED
        elif self.reading is not PAUSED:
            return
        self._left, self._reads_last = left, reads_last
        if left is not None and self._end_arrived:
            self.host.soon(self._deliver)

    def resume(self) -> None:
        if self.reading is PAUSED:
            self.reading = WANTED
        self._left = None
        if self._inbox or self._end_arrived:
            self.host.soon(self._deliver)

    def finish(self) -> None:
        if self.sending is not OPEN and self.sending is not FULL:
            return
        self.sending = ENDING
        if not self._out:
            self._send_end()

    def abort(self) -> None:
        self._break(Loss(code="aborted"))

    # Calls of the simulation.

    @property
    def is_closed(self) -> bool:
        return self.sending is OVER

    def agree(self, alpn: str, certificate: bytes) -> None:
        """Set the peer's values from the handshake."""
        self._alpn, self._certificate = alpn, certificate
        self._on_first = None

    def attach(self, handler: ConnectionHandler) -> None:
        self._handler = handler
        self._on_first = None
        if self.sending is not OVER:
            self.host.soon(self._deliver)

    def vanish(self) -> None:
        """The process is gone: no handler here is called, the peer gets a reset."""
        self._handler = None
        self._break(Loss(code="aborted"))

    def reset_arrived(self) -> None:
        if self._reads_last and self.reading is PAUSED:
            self.reading = WANTED
            self._deliver()
        self._lose(Loss(code="reset", reason="connection reset by peer"))

    # Receiving.

    def _arrived(self, segment: bytes) -> None:
        if self.sending is OVER:
            self._answer_with_reset()
            return
        self._inbox += segment
        if self._on_first is not None:
            self._on_first()
        self._deliver()

    def _end_of_peer(self) -> None:
        if self.sending is OVER:
            self._answer_with_reset()
            return
        self._end_arrived = True
        self._deliver()

    def _answer_with_reset(self) -> None:
        if self._cause is not None:  # After a clean end there is no error to report.
            self._send(self.other.reset_arrived, resent=False)

    def _deliver(self) -> None:
        handler = self._handler
        if handler is None:
            return  # It has no owner yet, or none any more.
        while self._inbox and self.reading is WANTED:
            size = len(self._inbox)
            if self._cuts and self._random.randrange(4) == 0:
                size = self._random.randint(1, size)
            data = self._inbox[:size]
            del self._inbox[:size]
            self.host.took_in(size)
            self._send(partial(self.other._credited, size))
            try:
                handler.received(memoryview(data))
            except Exception as error:
                self._handler_failed(error)
                return
            data[:] = POISON * size
        if not self._end_arrived:
            return
        if not self._inbox and self.reading is WANTED:
            self.reading = ALL_READ
            if self.sending is ENDED:
                self._lose(None)
            self._calls(handler.ended)
        elif self._left is not None:
            left, self._left = self._left, None
            self._calls(left)

    # Sending.

    def _transmit(self) -> None:
        """Hand bytes to the kernel; by the seed, it may take fewer and want another call."""
        size = min(self._credit, self._out_bytes)
        if self._cuts and size and self._random.randrange(8) == 0:
            size = self._random.randrange(size + 1)
        self._credit -= size
        self._out_bytes -= size
        while size:
            head = self._out[0]
            cut = min(size, len(head))
            if self._cuts:
                cut = min(cut, self._random.randint(1, 1 << self._random_bits()))
            segment = bytes(head[:cut])
            if cut == len(head):
                self._out.popleft()
            else:
                self._out[0] = head[cut:]
            size -= cut
            self._send(partial(self.other._arrived, segment))
        if self._out and self._credit and not self._flush_due:
            self._flush_due = True
            self._internet.schedule(self._internet.now, self.host, self._flush_again)

    def _random_bits(self) -> int:
        return SEGMENT_BITS_MAX if self._random.randrange(4) else self._random.randint(0, 12)

    def _flush_again(self) -> None:
        self._flush_due = False
        self._flush()

    def _credited(self, size: int) -> None:
        """The peer's handler has taken ``size`` bytes."""
        self._credit += size
        self._flush()

    def _flush(self) -> None:
        if self.sending is OVER or not self._out:
            return
        self._transmit()
        if self._out:
            return
        if self.sending is ENDING:
            self._send_end()
        elif self.sending is FULL and self._handler is not None:
            self.sending = OPEN
            self._calls(self._handler.writable)

    def _send_end(self) -> None:
        self._send(self.other._end_of_peer)
        if self.reading is ALL_READ:
            self._lose(None)
        else:
            self.sending = ENDED

    def _send(self, action: Callable[[], None], *, resent: bool = True) -> None:
        path = self._path
        if path is None:
            path = self._path = self._internet.path(self.host, self.other.host)
        self._internet.transmit(path, self.other.host, action, resent)

    # Sending and receiving.

    def _calls(self, call: Callable[[], None]) -> None:
        """Call the handler."""
        try:
            call()
        except Exception as error:
            self._handler_failed(error)

    def _handler_failed(self, error: Exception) -> None:
        """A handler that raises loses this connection."""
        self.host.handler_failed(error)
        self._break(Loss(code="handler", reason="a handler raised"))

    def _break(self, cause: Loss) -> None:
        if self.sending is not OVER:
            self._send(self.other.reset_arrived, resent=False)
            self._lose(cause)

    def _lose(self, cause: Loss | None) -> None:
        if self.sending is OVER:
            return
        self.reading, self.sending = READING_OVER, OVER
        self._left = None
        self._cause = cause
        self._out.clear()
        self._out_bytes = 0
        self._inbox.clear()
        self.host.remove_connection(self._number)
        self.host.soon(self._tell_loss)

    def _tell_loss(self) -> None:
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.lost(self._cause)
