"""A TCP connection: reading, writing, half-close, reset."""

import socket
from collections.abc import Callable
from select import EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP

from router.model.limits import (
    READ_BYTES,
    TURN_READ_BYTES_MAX,
    TURN_READ_S_MAX,
    WRITE_HIGH_BYTES,
    WRITE_PARTS_MAX,
)
from router.net.connection_states import (
    ALL_READ,
    ENDED,
    ENDING,
    FAILED,
    FULL,
    HELD,
    HELD_PAUSED,
    OPEN,
    OVER,
    PAUSED,
    READING_OVER,
    WANTED,
)
from router.net.poller import Poller
from router.net.ports import Address, Buffer, Connection, ConnectionHandler, Loss
from router.net.sockets import (
    bound_unsent,
    close_with_reset,
    keep_alive,
    loss_of,
    pending_error,
    undelivered_bytes,
)
from router.net.unsent import UnsentBytes

# With no interest, a level-triggered set is woken forever by a peer that is gone.
QUIET = EPOLLET
BROKEN = EPOLLERR | EPOLLHUP


class TcpConnection:
    """`ports.Connection` over a connected non-blocking socket.

    If reading is wanted it watches EPOLLIN, with unsent bytes EPOLLOUT, both level-triggered; with
    neither, it watches for errors by edges. `pause` leaves the interest unchanged until an event
    arrives, so that short pauses cost no system call. While the owner wants to learn of the peer's
    end before the bytes ahead of it are read, it also watches EPOLLRDHUP, until that comes.
    """

    __slots__ = (
        "_cause",
        "_fd",
        "_flows",
        "_handler",
        "_high",
        "_is_kept_alive",
        "_left",
        "_mask",
        "_on_close",
        "_out",
        "_poller",
        "_reads_last",
        "_socket",
        "_splices",
        "local",
        "peer",
        "reading",
        "sending",
    )

    def __init__(
        self,
        poller: Poller,
        sock: socket.SocketType,
        peer: Address,
        local: Address,
        on_close: Callable[[], None] | None = None,
        *,
        is_kept_alive: bool = True,
    ) -> None:
        """``is_kept_alive``: the kernel already checks for a peer that is gone; else it will
        later."""
        self._poller = poller
        self._socket = sock
        self._fd = sock.fileno()
        self.peer = peer
        self.local = local
        self._on_close = on_close
        self._handler: ConnectionHandler | None = None
        self._high = WRITE_HIGH_BYTES
        self._mask = 0  # The interest registered with epoll; 0: not registered yet, or no longer.
        self._out: UnsentBytes | None = None  # Only while something waits.
        self.reading = WANTED
        self.sending = OPEN
        self._left: Callable[[], None] | None = None  # While paused: called at the peer's end.
        self._reads_last = False  # While paused: bytes ahead of a reset are read first.
        self._flows = False  # The last read was full, so the next may take a turn's share.
        self._is_kept_alive = is_kept_alive
        if not is_kept_alive:
            poller.look_after_new()
        self._splices = False  # Incoming bytes bypass us where possible: see `plain`.
        self._cause: Loss | None = None  # Why sending failed, or why it is closed.

    # The interface.

    @property
    def peer_certificate(self) -> bytes:
        return b""

    @property
    def alpn(self) -> str:
        return ""

    @property
    def buffered_bytes(self) -> int:
        return undelivered_bytes(self._socket) if self.sending is ENDED else self.unsent_bytes

    @property
    def unsent_bytes(self) -> int:
        return self._out.size_bytes if self._out is not None else 0

    @property
    def undelivered_bytes(self) -> int:
        return 0 if self.sending is OVER else self.unsent_bytes + undelivered_bytes(self._socket)

    def _has_handed_on(self) -> bool:
        """None of our bytes wait for the kernel."""
        return self._out is None

    def send(self, *parts: Buffer) -> bool:
        if self.sending is not OPEN and self.sending is not FULL:
            return True
        if self._out is None:
            self._write(parts)
        else:
            self._out.add(parts)
        out = self._out
        if out is not None and out.size_bytes > self._high:
            self.sending = FULL
            return False
        return True

    def set_high_mark(self, mark_bytes: int) -> None:
        self._high = mark_bytes

    def bound_unsent(self, size_bytes: int) -> None:
        if self.sending is not OVER:
            bound_unsent(self._socket, size_bytes)

    def pause(self, left: Callable[[], None] | None = None, *, reads_last: bool = False) -> None:
        reading = self.reading
        if reading is WANTED:
            self.reading = PAUSED
        elif reading is HELD:
            self.reading = HELD_PAUSED
        elif reading is ALL_READ or reading is READING_OVER:
            return
        self._left, self._reads_last = left, reads_last
        if left is not None and not self._mask & EPOLLIN:
            self._watch()

    def resume(self) -> None:
        self._left = None
        if self.reading is PAUSED:
            self.reading = WANTED
            self._watch()
        elif self.reading is HELD_PAUSED:
            self.reading = HELD

    def splice_to(self, sink: Connection, moved: Callable[[int], None]) -> bool:
        return False

    def finish(self) -> None:
        if self.sending is not OPEN and self.sending is not FULL:
            return
        self.sending = ENDING
        if self._has_handed_on():
            self._send_end()

    def abort(self) -> None:
        self._lose(Loss(code="aborted"))

    # Calls within `net`.

    def attach(self, handler: ConnectionHandler) -> None:
        """Set the owner and start watching. If already lost, the owner only learns that."""
        self._handler = handler
        if self.sending is not OVER:
            self._mask = self._interest()
            self._poller.register(self._fd, self, self._mask)

    def ready(self, mask: int) -> None:
        if mask & EPOLLOUT:
            self._flush()
        if self.reading is WANTED:
            if mask & ~EPOLLOUT:
                self._read()
        elif mask & BROKEN:
            self._check_error()
        elif mask & EPOLLRDHUP:
            self._tell_left()
        elif mask & EPOLLIN:
            self._watch()

    def look(self) -> None:
        """Read bytes that may have arrived already, without waiting for epoll.

        Not late in a turn, which may have accepted hundreds: epoll reports them in the next.
        """
        if self.reading is WANTED and self._poller.now() < self._poller.late_at:
            self._read()

    def lasts(self) -> None:
        if not self._is_kept_alive:
            self._is_kept_alive = True
            keep_alive(self._socket)

    def crashed(self, error: Exception) -> None:
        self._lose(Loss(code="handler", reason=repr(error)))

    # Reading.

    def _read(self) -> None:
        if self._splices and self._splice():
            return
        poller = self._poller
        view = poller.bulk_view if self._flows else poller.read_view
        wanted = len(view)
        handler = self._handler
        assert handler is not None
        budget, until = TURN_READ_BYTES_MAX, poller.now() + TURN_READ_S_MAX
        while True:
            try:
                size = self._socket.recv_into(view)
            except BlockingIOError:
                return
            except OSError as error:
                self._lose(loss_of(error))
                return
            if not size:
                self._peer_finished()
                return
            poller.bytes_in += size
            handler.received(view[:size])
            self._flows = size >= READ_BYTES
            budget -= size
            if size < wanted or budget <= 0 or poller.now() > until or self.reading is not WANTED:
                return  # The rest is reported again.

    def _splice(self) -> bool:
        """Splice incoming bytes; False: they must be read."""
        return False

    def _peer_finished(self) -> None:
        """Handle the peer's end. A reset that a failed send consumed looks like one."""
        if self.sending is FAILED:
            self._lose(self._cause)
            return
        self.reading = ALL_READ
        if self.sending is ENDED:
            self._lose(None)
        else:
            self._watch()
        if self._handler is not None:
            self._handler.ended()

    def _tell_left(self) -> None:
        """The peer finished while reading is paused."""
        left, self._left = self._left, None
        self._watch()
        if left is not None:
            left()

    def _check_error(self) -> None:
        """Handle an error or a full close while not reading."""
        if self.sending is OVER:
            return  # The flush of the same event met the error first.
        if self._reads_last and self.reading is PAUSED:
            self.resume()
            self._read()
        elif number := pending_error(self._socket):
            self._lose(loss_of(OSError(number, "connection lost")))
        elif self.sending is FAILED:
            self._lose(self._cause)
        else:
            self._tell_left()  # Both sides finished.

    # Writing.

    def _write(self, parts: tuple[Buffer, ...]) -> None:
        """Hand ``parts`` to the kernel, and keep copies of the rest."""
        try:
            if len(parts) == 1:
                size = len(parts[0])
                sent = self._socket.send(parts[0])
            else:
                size = sum(map(len, parts))
                sent = self._socket.sendmsg(parts[:WRITE_PARTS_MAX])
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._write_failed(error)
            return
        self._poller.bytes_out += sent
        if sent < size:
            self._out = UnsentBytes(self._poller)
            self._out.add(parts, sent)
            self._watch()

    def _flush(self) -> None:
        """Hand buffered bytes to the kernel; once all are handed over, do what waited for that."""
        out = self._out
        if out is None:
            return
        try:
            out.send(self._socket)
        except BlockingIOError:
            return
        except OSError as error:
            self._write_failed(error)
            return
        if not out.size_bytes:
            self._out = None
            self._drained()

    def _drained(self) -> None:
        self._watch()
        if self.sending is ENDING:
            self._send_end()
        elif self.sending is FULL:
            self.sending = OPEN
            if self._handler is not None:
                self._handler.writable()

    def _send_end(self) -> None:
        if self.reading is ALL_READ:
            self._lose(None)  # Closing sends the FIN.
            return
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            self._write_failed(error)
            return
        self.sending = ENDED

    def _drop_unsent(self) -> None:
        if self._out is not None:
            self._out.drop()
            self._out = None

    def _write_failed(self, error: OSError) -> None:
        """The peer is gone. Data that it sent before is still read, if reading is wanted."""
        loss = loss_of(error)
        if self._reads_last and self.reading is PAUSED:
            self.resume()
        if self.reading is not WANTED:
            self._lose(loss)
            return
        self.sending, self._cause = FAILED, loss
        self._drop_unsent()
        self._watch()

    # Reading and writing.

    def _interest(self) -> int:
        mask = EPOLLIN if self.reading is WANTED else 0
        return self._with_end(mask if self._out is None else mask | EPOLLOUT)

    def _with_end(self, mask: int) -> int:
        """``mask``, plus the peer's end if the owner waits for it unread."""
        if self._left is not None:
            return (mask or QUIET) | EPOLLRDHUP
        return mask or QUIET

    def _watch(self) -> None:
        """Update epoll's interest, if it changed."""
        if self._mask:
            mask = self._interest()
            if mask != self._mask:
                self._mask = mask
                self._poller.modify(self._fd, mask)

    def _lose(self, cause: Loss | None) -> None:
        """Close, with a reset unless both ends finished; the queue calls the owner."""
        if self.sending is OVER:
            return
        self.reading, self.sending = READING_OVER, OVER
        self._mask = 0
        self._left = None
        self._cause = cause
        if self._splices or not self._has_handed_on():
            self._drop_unsent()
        self._poller.forget(self._fd)
        if cause is None:
            self._socket.close()
        else:
            close_with_reset(self._socket)
        if self._on_close is not None:
            self._on_close()
        self._poller.soon(self, self._tell_loss)

    def _tell_loss(self) -> None:
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.lost(self._cause)
