"""One HTTP/2 stream, either end: the data it has to send, and the credit it owes the peer."""

from collections.abc import Callable
from math import inf
from typing import Protocol

from router.http.http2.blocks import Block
from router.http.http2.frame_writer import FrameWriter
from router.http.http2.stream_states import ALL_HEARD, AWAITED, ENDED, ENDING, OPEN, OVER, TEARING
from router.http.http2.wire_streams import WireStream
from router.model import limits
from router.net.ports import Buffer

_HALF_WINDOW_BYTES = limits.HTTP2_WINDOW_BYTES // 2


class StreamUser(Protocol):
    """The user of a stream. No call comes from within one of its own calls to the stream."""

    def got_head(self, fields: Block, ended: bool) -> None:
        """Client: a response head, 1xx or final."""

    def got_whole(self, fields: Block, data: memoryview) -> None:
        """Client: a whole response. The stream is over."""

    def got_body(self, data: memoryview) -> None: ...

    def got_trailers(self, fields: Block) -> None:
        """`got_end` follows."""

    def got_end(self) -> None:
        """The peer's direction is complete."""

    def got_room(self) -> None:
        """There is room again after a `send` that returned False."""

    def got_reset(self, code: int) -> None:
        """The peer reset the stream, which is over."""

    def got_broken(self, reason: str) -> None:
        """The peer broke the rules of the stream, which is over."""


class FinishedStreamUser:
    """The user of a stream that is over, which avoids cycles that wait for the garbage
    collector."""

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

    will_flush: bool
    """It sends at the turn's end. Otherwise a stream with something to send must `ask_flush`."""

    released: Callable[[], None]
    """To be called when a stream is over: there is room for another."""

    def took_at(self, stream: "Http2Stream") -> float:
        """The time until which the peer took enough of the data ahead of ``stream``, or gave it
        credit."""

    def ask_flush(self) -> None:
        """Schedule a flush; not needed if it `will_flush`."""

    def send_whole(self, stream: "Http2Stream", block: bytes, body: Buffer) -> bool:
        """Send the answer at the turn's end. False: not now, others wait."""

    def ready(self, stream: "Http2Stream") -> None:
        """``stream`` has something to send, and waits for its turn from now on."""

    def withdraw(self, stream: "Http2Stream") -> None:
        """``stream`` no longer waits for its turn, and has nothing to send."""

    def reset(self, stream: "Http2Stream", code: int) -> None:
        """Drop ``stream`` both ways, at the turn's end."""


class Http2Stream(WireStream):
    """One stream, either end of it. Calls after its end or `reset` are dropped."""

    __slots__ = (
        "_awaited_bytes",
        "_awaits_turn",
        "_connection",
        "_credit_bytes",
        "_owes_writable",
        "_queue",
        "_reset_after",
        "_trailers",
        "is_paused",
        "user",
    )

    def __init__(
        self, connection: StreamCarrier, stream_id: int, room: int, user: StreamUser = NOBODY
    ) -> None:
        self.id = stream_id
        self.room = room
        self.credit = limits.HTTP2_WINDOW_BYTES
        self.sending = OPEN
        self.receiving = AWAITED
        self.user = user
        self._connection = connection
        self._queue = bytearray()
        self._trailers = b""  # Encoded.
        self._reset_after = -1
        self._awaits_turn = False  # For its turn to send, or for the peer's window.
        self._owes_writable = False
        self.is_paused = False
        self._credit_bytes = 0  # Received, and no credit given back.
        self._awaited_bytes = inf  # The rest of a body whose length is known.

    @property
    def is_over(self) -> bool:
        """The user gets no more calls."""
        return self.sending is OVER

    @property
    def queued_bytes(self) -> int:
        return len(self._queue)

    @property
    def moved_at(self) -> float:
        """The time until which the peer's window, or the connection, moved, whichever it waits for
        to send; -inf: it waits for neither."""
        return self._connection.took_at(self) if self._awaits_turn else -inf

    def lead_to(self, user: StreamUser) -> None:
        """Give the stream to ``user``."""
        self.user = user

    def send_head(self, block: bytes, end: bool = False) -> None:
        """Send an encoded head. A body follows it, unless ``end``."""
        if self.sending is not OPEN:
            return
        connection = self._connection
        connection.writer.head(self, block, end)
        if not connection.will_flush:
            connection.ask_flush()
        if end and self.receiving is ALL_HEARD:
            self.close()

    def send_whole(self, block: bytes, body: Buffer) -> bool:
        """Send a head, a body and the end, if they may leave now. False: nothing was sent."""
        if self.sending is not OPEN or not self._connection.send_whole(self, block, body):
            return False
        if self.receiving is ALL_HEARD:
            self.close()
        return True

    def send(self, data: Buffer) -> bool:
        """Queue bytes (copied). False: enough are queued, wait for `got_room`."""
        if self.sending is not OPEN:
            return True
        self._queue += data
        self._connection.writer.queue(len(data))
        self._await_turn()
        if len(self._queue) > limits.HTTP2_QUEUE_BYTES:
            self._owes_writable = True
            return False
        return True

    def finish(self, trailers: bytes = b"", *, reset_after: int = -1) -> None:
        """End our direction after the queued data; then reset the stream, if ``reset_after`` is
        given."""
        if self.sending is not OPEN:
            return
        self.sending = ENDING
        self._trailers = trailers
        self._reset_after = reset_after
        self._await_turn()

    def tear(self, code: int) -> None:
        """Reset the stream once the queue was sent: the peer gets all of the data, but no end."""
        if not self._queue:
            self.reset(code)
        elif self.sending is OPEN:
            self.sending = TEARING
            self._reset_after = code
            self._await_turn()

    def reset(self, code: int) -> None:
        """Drop everything both ways."""
        if self.sending is OVER:
            return
        # A stream that has ended both ways must not be reset (5.1).
        if self.sending is not ENDED or self.receiving is not ALL_HEARD:
            self._connection.reset(self, code)
        self.close()

    def pause(self) -> None:
        """Return no credit."""
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False
        self._return_credit()

    def expect(self, size_bytes: int) -> None:
        """The body that follows has this size: its peer needs no credit beyond that."""
        self._awaited_bytes = size_bytes

    # Calls of the connection.

    def received(self, size_bytes: int, credit_bytes: int) -> None:
        """``size_bytes`` of a body were passed on, which used ``credit_bytes`` of the window."""
        self._awaited_bytes -= size_bytes
        self._credit_bytes += credit_bytes
        if not self.is_paused:
            self._return_credit()

    def _return_credit(self) -> None:
        if (
            self._credit_bytes >= _HALF_WINDOW_BYTES
            and self.credit < self._awaited_bytes
            and self.sending is not OVER
            and self.receiving is not ALL_HEARD
        ):
            self.credit += self._credit_bytes
            self._connection.writer.give_back(self._credit_bytes, self.id)
            self._credit_bytes = 0
            self._connection.ask_flush()

    def push(self) -> int:
        """Send what one turn allows. Returns the bytes sent; -1: it waits for the peer's window."""
        self._awaits_turn = False
        writer, queue = self._connection.writer, self._queue
        size = len(queue)
        if size:
            room = writer.room_of(self)
            if room <= 0:
                self._awaits_turn = True
                return -1
            size = min(size, room)
            end = self.sending is ENDING and size == len(queue) and not self._trailers
            writer.data(self, bytes(memoryview(queue)[:size]), end)
            del queue[:size]
            if end:
                self._sent_end()
                return size
        if queue:
            self._await_turn()
        elif self.sending is TEARING:
            self.reset(self._reset_after)
        elif self.sending is ENDING:
            if self._trailers:
                writer.head(self, self._trailers, True)
            else:
                writer.data(self, b"", True)
            self._sent_end()
        return size

    def drained(self) -> None:
        """Call a user that waits for room, if there is room."""
        if self._owes_writable and len(self._queue) <= limits.HTTP2_QUEUE_BYTES // 2:
            self._owes_writable = False
            self.user.got_room()

    def close(self) -> StreamUser:
        """End the stream both ways. Returns the user that it had."""
        user = self.user
        self.user = NOBODY
        self.sending = OVER
        if self._awaits_turn:  # Otherwise it has nothing to send.
            self._drop_queue()
            self._connection.withdraw(self)
        self._connection.released()
        return user

    def lose(self) -> StreamUser:
        """End the stream with its connection. Returns the user that it had."""
        user = self.user
        self.user = NOBODY
        self.sending = OVER
        self._drop_queue()
        return user

    def _drop_queue(self) -> None:
        self._connection.writer.drop(len(self._queue))
        self._queue = bytearray()

    def _await_turn(self) -> None:
        if not self._awaits_turn:
            self._awaits_turn = True
            self._connection.ready(self)

    def _sent_end(self) -> None:
        if self.receiving is ALL_HEARD:
            self.close()
        elif self._reset_after >= 0:
            self.reset(self._reset_after)
