"""One HTTP/2 stream, either end of it: what it has to send, and what credit it owes the peer."""

from typing import Protocol

from router.http.http2.blocks import Block
from router.http.http2.frame_writer import FrameWriter
from router.http.http2.wire_streams import WireStream
from router.model import limits
from router.net.ports import Buffer

_HALF_WINDOW_BYTES = limits.HTTP2_WINDOW_BYTES // 2


class StreamUser(Protocol):
    """Who has a stream. No call comes from within one of its own calls to the stream."""

    def got_head(self, fields: Block, ended: bool) -> None:
        """Client: a response head, 1xx or final."""

    def got_whole(self, fields: Block, data: memoryview) -> None:
        """Client: all of a response. The stream is over."""

    def got_body(self, data: memoryview) -> None: ...

    def got_trailers(self, fields: Block) -> None:
        """`got_end` follows."""

    def got_end(self) -> None:
        """The peer's direction is complete."""

    def got_room(self) -> None:
        """After a `send` that returned False."""

    def got_reset(self, code: int) -> None:
        """By the peer. The stream is over."""

    def got_broken(self, reason: str) -> None:
        """The peer broke the rules of the stream, which is over."""


class FinishedStreamUser:
    """The user of a stream that is over: no cycle waits for the collector."""

    __slots__ = ()

    def got_head(self, fields: Block, ended: bool) -> None:
        pass

    def got_whole(self, fields: Block, data: memoryview) -> None:
        pass

    def got_body(self, data: memoryview) -> None:
        pass

    def got_trailers(self, fields: Block) -> None:
        pass

    def got_end(self) -> None:
        pass

    def got_room(self) -> None:
        pass

    def got_reset(self, code: int) -> None:
        pass

    def got_broken(self, reason: str) -> None:
        pass


NOBODY = FinishedStreamUser()


class StreamCarrier(Protocol):
    """The connection, as its streams see it."""

    writer: "FrameWriter[Http2Stream]"
    queued_bytes: int
    """Of all streams, waiting for the peer's windows."""

    will_flush: bool
    """At the turn's end it sends. Else who has something to send must `ask_flush`."""

    def ask_flush(self) -> None:
        """To be called unless it `will_flush`."""

    def send_whole(self, stream: "Http2Stream", block: bytes, body: Buffer) -> bool:
        """Send it at the turn's end. False: not now, others wait."""

    def ready(self, stream: "Http2Stream") -> None:
        """It has something to send."""

    def reset(self, stream: "Http2Stream", code: int) -> None:
        """Drop it both ways, at the turn's end."""

    def forget(self, stream: "Http2Stream") -> None:
        """It is over."""


class Http2Stream(WireStream):
    """One stream, either end of it. Calls after its end or `reset` are dropped."""

    __slots__ = (
        "_connection",
        "_credit_bytes",
        "_finished",
        "_is_torn",
        "_owes_writable",
        "_queue",
        "_reset_after",
        "_trailers",
        "is_over",
        "is_paused",
        "is_ready",
        "user",
    )

    user: StreamUser

    def __init__(self, connection: StreamCarrier, stream_id: int, room: int) -> None:
        self.id = stream_id
        self.room = room
        self.credit = limits.HTTP2_WINDOW_BYTES
        self.is_heard = self.local_ended = self.remote_ended = False
        self._connection = connection
        self._queue = bytearray()
        self._trailers = b""  # Encoded.
        self._finished = False
        self._reset_after = -1
        self._is_torn = False  # That reset stands for the end.
        self._owes_writable = False
        self.is_paused = False
        self._credit_bytes = 0  # Received, not given back.
        self.is_ready = False
        """It waits for its turn to send."""
        self.is_over = False
        """Nobody hears more of it."""

    def send_head(self, block: bytes, end: bool = False) -> None:
        """A head, encoded. Bytes of a body follow it, if not ``end``."""
        if self.is_over:
            return
        connection = self._connection
        connection.writer.head(self, block, end)
        if not connection.will_flush:
            connection.ask_flush()
        if end:
            self._sent_end()

    def send_whole(self, block: bytes, body: Buffer) -> bool:
        """A head, a body and the end, if they may leave now. False: nothing of it has."""
        if self.is_over or self._finished or not self._connection.send_whole(self, block, body):
            return False
        self._sent_end()
        return True

    def send(self, data: Buffer) -> bool:
        """Queue bytes (copied). False: enough are queued, wait for `got_room`."""
        if self.is_over or self._finished:
            return True
        self._queue += data
        self._connection.queued_bytes += len(data)
        self._connection.ready(self)
        if len(self._queue) > limits.HTTP2_QUEUE_BYTES:
            self._owes_writable = True
            return False
        return True

    def finish(self, trailers: bytes = b"", *, reset_after: int = -1) -> None:
        """The end of our direction, after what is queued; then a reset, if one is given."""
        if self.is_over or self._finished:
            return
        self._finished = True
        self._trailers = trailers
        self._reset_after = reset_after
        self._connection.ready(self)

    def tear(self, code: int) -> None:
        """Reset it once what is queued has left: the peer gets all that there is, and no end."""
        if not self._queue:
            self.reset(code)
        elif not (self.is_over or self._finished):
            self._finished = self._is_torn = True
            self._reset_after = code
            self._connection.ready(self)

    def reset(self, code: int) -> None:
        """Drop everything both ways."""
        if self.is_over:
            return
        if not (self.local_ended and self.remote_ended):  # Else nothing may be said of it (5.1).
            self._connection.reset(self, code)
        self._connection.forget(self)

    def pause(self) -> None:
        """Give no credit back."""
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False
        self._return_credit()

    # Of the connection.

    def received(self, credit_bytes: int) -> None:
        """So much of the window was used and passed on."""
        self._credit_bytes += credit_bytes
        if not self.is_paused:
            self._return_credit()

    def _return_credit(self) -> None:
        if self._credit_bytes >= _HALF_WINDOW_BYTES and not self.is_over and not self.remote_ended:
            self.credit += self._credit_bytes
            self._connection.writer.give_back(self._credit_bytes, self.id)
            self._credit_bytes = 0
            self._connection.ask_flush()

    def push(self) -> int:
        """Send what one turn allows. The bytes sent; -1: the peer's window is closed."""
        writer = self._connection.writer
        queue = self._queue
        size = len(queue)
        if size:
            room = writer.room_of(self)
            if room <= 0:
                return -1
            size = min(size, room)
            is_last = self._finished and size == len(queue)
            end = is_last and not self._trailers and not self._is_torn
            writer.data(self, bytes(memoryview(queue)[:size]), end)
            del queue[:size]
            self._connection.queued_bytes -= size
            if end:
                self._sent_end()
                return size
        if self._finished and not queue:
            if self._is_torn:
                self.reset(self._reset_after)
                return size
            if self._trailers:
                writer.head(self, self._trailers, True)
            else:
                writer.data(self, b"", True)
            self._sent_end()
        elif queue:
            self._connection.ready(self)
        return size

    def drop_queue(self) -> int:
        """Forget what has not been sent; how much that was."""
        size_bytes = len(self._queue)
        self._queue = bytearray()
        return size_bytes

    def drained(self) -> None:
        """Tell a user that waits for room, if there is some."""
        if self._owes_writable and len(self._queue) <= limits.HTTP2_QUEUE_BYTES // 2:
            self._owes_writable = False
            self.user.got_room()

    def _sent_end(self) -> None:
        self._finished = True
        if self.remote_ended:
            self._connection.forget(self)
        elif self._reset_after >= 0:
            self.reset(self._reset_after)
