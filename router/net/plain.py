"""A TCP connection without TLS, whose bytes may go to another one within the kernel."""

import socket
from collections.abc import Callable
from select import EPOLLIN, EPOLLOUT

from router.model.limits import PIPE_BYTES, SPLICE_SMALL_BYTES, SPLICE_SMALL_MAX
from router.net.connection import TcpConnection
from router.net.connection_states import (
    FAILED,
    FULL,
    HELD,
    HELD_PAUSED,
    OPEN,
    OVER,
    PAUSED,
    WANTED,
)
from router.net.pipes import CAN_SPLICE, READ_END, WRITE_END, KernelPipe, splice
from router.net.poller import Poller
from router.net.ports import Address, Connection
from router.net.sockets import loss_of


class PlainConnection(TcpConnection):
    """Reads, after `splice_to`, into a pipe, and from there writes to the other connection.

    Bytes that the other's kernel does not take stay in the pipe, and the other connection then owes
    them to its peer; until the pipe is empty this one is not read. So when an end is read, nothing
    before it waits, and order and back-pressure are those of `send`.
    """

    __slots__ = ("_feeder", "_moved", "_owed", "_owed_bytes", "_sink", "_small")

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
        TcpConnection.__init__(
            self, poller, sock, peer, local, on_close, is_kept_alive=is_kept_alive
        )
        self._sink: PlainConnection | None = None
        self._moved: Callable[[int], None] | None = None
        self._small = 0  # Consecutive moves that were hardly worth it.
        self._owed: KernelPipe | None = None
        self._owed_bytes = 0
        self._feeder: PlainConnection | None = None  # The source of these bytes.

    @property
    def buffered_bytes(self) -> int:
        return super().buffered_bytes + self._owed_bytes

    @property
    def undelivered_bytes(self) -> int:
        return super().undelivered_bytes + self._owed_bytes

    def _has_handed_on(self) -> bool:
        return self._out is None and not self._owed_bytes

    def splice_to(self, sink: Connection, moved: Callable[[int], None]) -> bool:
        if self._sink is not None:
            return True
        if not CAN_SPLICE or not isinstance(sink, PlainConnection):
            return False
        if self.sending is OVER:
            return False
        self._sink, self._moved, self._small = sink, moved, 0
        self._splices = True
        return True

    # As the source.

    def _splice(self) -> bool:
        sink, moved, poller = self._sink, self._moved, self._poller
        assert sink is not None and moved is not None
        if sink.sending is not OPEN and sink.sending is not FULL:
            self._splice_no_more()  # Bytes sent there are dropped.
            return False
        if sink._out is not None:
            return False  # Unsent bytes go first.
        pipe = poller.pipes.take()
        if pipe is None:
            return False
        try:
            size = splice(self._fd, pipe[WRITE_END], PIPE_BYTES)
        except BlockingIOError:
            poller.pipes.give(pipe)
            return False  # Nothing came, or urgent data is first, which only `recv` skips.
        except OSError as error:
            poller.pipes.give(pipe)
            self._lose(loss_of(error))
            return True
        if not size:
            poller.pipes.give(pipe)
            self._peer_finished()
            return True
        poller.bytes_in += size
        if size >= SPLICE_SMALL_BYTES:
            self._small = 0
        else:
            self._small += 1
        sink._owed, sink._owed_bytes = pipe, size
        sink._push()
        if sink._owed_bytes:
            self.reading = HELD
            sink._feeder = self
            sink._watch()
        elif self._small >= SPLICE_SMALL_MAX:
            self._splice_no_more()
        moved(size)
        return True

    def _splice_no_more(self) -> None:
        self._splices = False
        self._sink = self._moved = None

    def _fed(self) -> None:
        """All bytes read here went through, or were lost."""
        if self.reading is HELD:
            self.reading = WANTED
            self._watch()
        elif self.reading is HELD_PAUSED:
            self.reading = PAUSED

    # As the sink.

    def _interest(self) -> int:
        mask = EPOLLIN if self.reading is WANTED else 0
        if self._out is not None or self._owed_bytes:
            mask |= EPOLLOUT
        return self._with_end(mask)

    def _flush(self) -> None:
        if not self._owed_bytes:
            super()._flush()
            return
        self._push()
        if not self._owed_bytes and self.sending is not FAILED and self.sending is not OVER:
            self._drained()

    def _push(self) -> None:
        """Hand the owed bytes to the kernel, as far as it takes them."""
        pipe = self._owed
        assert pipe is not None
        try:
            sent = splice(pipe[READ_END], self._fd, self._owed_bytes)
        except BlockingIOError:
            return
        except OSError as error:
            self._write_failed(error)
            return
        self._poller.bytes_out += sent
        self._owed_bytes -= sent
        if not self._owed_bytes:
            self._poller.pipes.give(pipe)
            self._settle()

    def _settle(self) -> None:
        """No bytes are owed any more."""
        self._owed, self._owed_bytes = None, 0
        feeder, self._feeder = self._feeder, None
        if feeder is not None:
            feeder._fed()

    def _drop_unsent(self) -> None:
        super()._drop_unsent()
        if self._owed is not None:
            self._poller.pipes.drop(self._owed)
            self._settle()
        if self.sending is OVER:
            # They refer to each other: avoid a cycle that waits for the garbage collector.
            self._splice_no_more()
