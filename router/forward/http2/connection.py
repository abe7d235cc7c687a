"""The streams of one HTTP/2 connection: their queues, their windows, whose turn it is.

Memory of a stream: at most `HTTP2_QUEUE_BYTES` and what one call adds wait for the peer's window;
of what the peer sends nothing is kept here, and it gets credit for a stream only as fast as that
stream's user takes the bytes (`Http2Stream.pause`), so at most `HTTP2_WINDOW_BYTES` are ever on
their way to a user that has said no. The connection's window is given back at once: a stalled
stream stalls itself alone.
"""

from collections import deque
from math import inf
from typing import Protocol

from router.forward.http2 import wire as codes
from router.forward.http2.heads import Fields
from router.forward.http2.wire import Wire
from router.model import limits
from router.net.ports import Buffer, Connection, Timers

_HALF_WINDOW_BYTES = limits.HTTP2_WINDOW_BYTES // 2
_NOTHING = memoryview(b"")
_HALF_CONNECTION_BYTES = limits.HTTP2_CONNECTION_WINDOW_BYTES // 2


class StreamUser(Protocol):
    """Who has a stream. No call comes from within one of its own calls to the stream."""

    def got_head(self, fields: Fields, ended: bool) -> None:
        """Client: a response head, 1xx or final."""

    def got_body(self, data: memoryview) -> None: ...

    def got_trailers(self, fields: Fields) -> None:
        """`got_end` follows."""

    def got_end(self) -> None:
        """The peer's direction is complete."""

    def got_room(self) -> None:
        """After a `send` that returned False."""

    def got_reset(self, code: int) -> None:
        """By the peer. The stream is over."""


class _Nobody:
    """The user of a stream that is over: no cycle waits for the collector."""

    __slots__ = ()

    def got_head(self, fields: Fields, ended: bool) -> None:
        pass

    def got_body(self, data: memoryview) -> None:
        pass

    def got_trailers(self, fields: Fields) -> None:
        pass

    def got_end(self) -> None:
        pass

    def got_room(self) -> None:
        pass

    def got_reset(self, code: int) -> None:
        pass


_NOBODY = _Nobody()


class Owner(Protocol):
    """Who has the connection."""

    def opened(self, stream: "Http2Stream", fields: Fields, ended: bool) -> None:
        """Server: a request. Its user is set before this returns, or the stream reset."""

    def settled(self) -> None:
        """The peer's settings came, or changed."""

    def going_away(self, last_id: int, code: int) -> None:
        """The peer processes no stream above ``last_id``."""

    def released(self) -> None:
        """A stream is over: there is room for another."""

    def ponged(self) -> None:
        """The peer has seen all that was sent before a `ping`."""

    def failed(self, reason: str) -> None:
        """The connection is lost to HTTP/2: users of streams hear nothing more. Flush and end."""


class Http2Stream:
    """One stream, either end of it. Calls after its end or `reset` are dropped."""

    __slots__ = (
        "_connection",
        "_credit_bytes",
        "_finished",
        "_owes_writable",
        "_queue",
        "_reset_after",
        "_trailers",
        "id",
        "is_over",
        "is_paused",
        "is_ready",
        "local_ended",
        "remote_ended",
        "user",
    )

    user: StreamUser

    def __init__(self, connection: "Http2Connection", stream_id: int) -> None:
        self._connection = connection
        self.id = stream_id
        self._queue = bytearray()
        self._trailers: Fields = []
        self._finished = False
        self._reset_after = -1
        self._owes_writable = False
        self.is_paused = False
        self._credit_bytes = 0  # Received, not given back.
        self.is_ready = False
        """It waits for its turn to send."""
        self.local_ended = False
        self.remote_ended = False
        self.is_over = False

    def send_head(self, fields: Fields, end: bool = False) -> None:
        """A head. Bytes of a body follow it, if not ``end``."""
        if self.is_over:
            return
        self._connection.wire.send_head(self.id, fields, end)
        self._connection.will_flush()
        if end:
            self._sent_end()

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

    def finish(self, trailers: Fields | None = None, *, reset_after: int = -1) -> None:
        """The end of our direction, after what is queued; then a reset, if one is given."""
        if self.is_over or self._finished:
            return
        self._finished = True
        self._trailers = trailers or []
        self._reset_after = reset_after
        self._connection.ready(self)

    def reset(self, code: int) -> None:
        """Drop everything both ways."""
        if self.is_over:
            return
        if not (self.local_ended and self.remote_ended):  # Else nothing may be said of it (5.1).
            self._connection.wire.reset(self.id, code)
            self._connection.will_flush()
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
            self._connection.wire.give_back(self._credit_bytes, self.id)
            self._credit_bytes = 0
            self._connection.will_flush()

    def push(self, wire: Wire) -> int:
        """Send what one turn allows. The bytes sent; -1: the peer's window is closed."""
        queue = self._queue
        size = len(queue)
        if size:
            room = wire.room_of(self.id)
            if room <= 0:
                return -1
            size = min(size, room)
            end = self._finished and size == len(queue) and not self._trailers
            wire.send_data(self.id, bytes(memoryview(queue)[:size]), end)
            del queue[:size]
            self._connection.queued_bytes -= size
            if end:
                self._sent_end()
                return size
        if self._finished and not queue:
            if self._trailers:
                wire.send_head(self.id, self._trailers, True)
            else:
                wire.send_data(self.id, b"", True)
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
        self.local_ended = self._finished = True
        if self.remote_ended:
            self._connection.forget(self)
        elif self._reset_after >= 0:
            self.reset(self._reset_after)


class Http2Connection:
    """One connection, to a client (``client`` False) or to a target. A `WireSink`.

    The owner passes on what the network tells: `receive`, `writable`, and calls `tick` about once
    a second. ``ack_s``: how long the peer may take to agree to our settings and to complete a
    header block; ``stall_s``: how long it may read nothing while something waits for it.
    """

    __slots__ = (
        "_agreed",
        "_blocked",
        "_control_bytes",
        "_credit_bytes",
        "_failed",
        "_flushing",
        "_full_since",
        "_head_since",
        "_heard_at",
        "_is_behind",
        "_is_paused",
        "_moved_at",
        "_owner",
        "_pinged_at",
        "_ready",
        "_started_at",
        "_timers",
        "connection",
        "highest_id",
        "is_settled",
        "queued_bytes",
        "streams",
        "wire",
    )

    def __init__(
        self,
        connection: Connection,
        timers: Timers,
        owner: Owner,
        *,
        client: bool,
        streams: int,
        header_bytes: int,
    ) -> None:
        self.connection = connection
        self._timers = timers
        self._owner = owner
        now = timers.now()
        self.streams: dict[int, Http2Stream] = {}
        self.highest_id = 0
        """Of the streams that the peer opened."""
        self.queued_bytes = 0
        """Of all streams, waiting for the peer's windows."""
        self._ready: deque[Http2Stream] = deque()
        self._blocked: dict[int, Http2Stream] = {}
        self._credit_bytes = 0
        self._control_bytes = 0
        self._flushing = False
        self._failed = False
        self._is_behind = False  # Complete frames wait for a later turn.
        self._is_paused = False
        self._agreed = False
        self.is_settled = False
        """The peer's settings are known."""
        self._started_at = self._heard_at = now
        self._moved_at = now  # When a stream did.
        self._pinged_at = -inf
        self._full_since = inf
        self._head_since = inf
        self.wire = Wire(self, client=client, streams=streams, header_bytes=header_bytes, now=now)
        self.will_flush()

    # What the network tells.

    def receive(self, data: memoryview) -> None:
        """Look at ``data``; at what is dear over several turns, and read no more meanwhile."""
        now = self._timers.now()
        self._heard_at = now
        self._is_behind = self.wire.receive(data, now, limits.HTTP2_TURN_WORK)
        if self._is_behind:
            self._timers.call_at(now, self._catch_up)
        self._set_paused()
        if not self.wire.is_in_head:
            self._head_since = inf
        elif self._head_since == inf:
            self._head_since = now
        self.will_flush()

    def writable(self) -> None:
        """Everything has left for the kernel."""
        self._full_since = inf
        self._control_bytes = 0
        self._set_paused()
        self.flush()

    def tick(self, now: float, *, ack_s: float, stall_s: float) -> bool:
        """Judge deadlines. False: it took too long for something, abort."""
        if self._failed:
            return True
        if now - self._full_since >= stall_s:
            return False
        late_with_head = now - self._head_since >= ack_s
        if late_with_head or (not self._agreed and now - self._started_at >= ack_s):
            self.wire.fail(codes.SETTINGS_TIMEOUT, "the peer is too slow")
            return True
        if not self.streams:
            return True
        return self._judge_silence(now)

    def _judge_silence(self, now: float) -> bool:
        if self._pinged_at > self._heard_at:
            return now - self._pinged_at < limits.HTTP2_PING_ANSWER_S
        # Servers count pings against us while they send nothing of a stream themselves.
        again = self._moved_at > self._pinged_at or (
            now - self._pinged_at >= limits.HTTP2_PING_AGAIN_S
        )
        if now - self._heard_at >= limits.HTTP2_PING_AFTER_S and again:
            self._pinged_at = now
            self.wire.ping()
            self.flush()
        return True

    # What the owner does.

    @property
    def is_over(self) -> bool:
        """The connection is lost to HTTP/2, though the network may not have told so yet."""
        return self._failed

    def open(self, fields: Fields, user: StreamUser, end: bool) -> Http2Stream:
        """Client: a new stream with this head. The owner sees to the peer's limit."""
        stream = Http2Stream(self, self.wire.next_id)
        stream.user = user
        self.streams[stream.id] = stream
        stream.send_head(fields, end)
        return stream

    def go_away(self, last_id: int, code: int = codes.NO_ERROR) -> None:
        """Tell the peer that no stream above ``last_id`` is processed."""
        if not self._failed:
            self.wire.go_away(last_id, code)
            self.flush()

    def ping(self) -> None:
        """`Owner.ponged` follows."""
        if not self._failed:
            self.wire.ping()
            self.will_flush()

    def drop(self) -> list[Http2Stream]:
        """Forget all streams: the connection is lost. Their users are the caller's to tell."""
        self._failed = True
        streams = list(self.streams.values())
        for stream in streams:
            stream.is_over = True
            stream.drop_queue()
        self.queued_bytes = 0
        self.streams.clear()
        self._ready.clear()
        self._blocked.clear()
        self.wire.close()
        return streams

    # What streams do.

    def ready(self, stream: Http2Stream) -> None:
        """It has something to send."""
        if not stream.is_ready:
            stream.is_ready = True
            if stream.id not in self._blocked:
                self._ready.append(stream)
                self.will_flush()

    def forget(self, stream: Http2Stream) -> None:
        stream.is_over = True
        stream.user = _NOBODY
        if self.streams.pop(stream.id, None) is not None:
            self.queued_bytes -= stream.drop_queue()
            self._blocked.pop(stream.id, None)
            self._owner.released()

    def will_flush(self) -> None:
        """Send at the turn's end."""
        if not self._flushing:
            self._flushing = True
            self._timers.at_turn_end(self._turn_ended)

    def flush(self) -> None:
        """Send what may leave now: fairly, as far as windows and the connection's mark allow."""
        ready = self._ready
        left = limits.HTTP2_TURN_BYTES_MAX
        framed = 0
        while ready and left > 0 and self._full_since == inf:
            stream = ready.popleft()
            stream.is_ready = False
            if stream.is_over:
                continue
            sent = stream.push(self.wire)
            if sent < 0:
                stream.is_ready = True
                self._blocked[stream.id] = stream
                continue
            stream.drained()
            left -= sent
            framed += sent
            if framed >= limits.WRITE_HIGH_BYTES:
                framed = 0
                self._write()
        self._write()
        if ready and self._full_since == inf:
            self.will_flush()

    def _catch_up(self) -> None:
        if not self._failed:
            self.receive(_NOTHING)

    def _set_paused(self) -> None:
        wanted = self._is_behind or self._control_bytes > limits.HTTP2_CONTROL_BYTES_MAX
        if wanted != self._is_paused:
            self._is_paused = wanted
            if wanted:
                self.connection.pause()
            else:
                self.connection.resume()

    def _turn_ended(self) -> None:
        self._flushing = False
        self.flush()

    def _write(self) -> None:
        data = self.wire.take()
        if not data:
            return
        if self._full_since != inf:
            self._control_bytes += len(data)
            self._set_paused()
        if not self.connection.send(data) and self._full_since == inf:
            self._full_since = self._timers.now()

    # WireSink

    def opened(self, stream_id: int, fields: Fields, ended: bool) -> None:
        self._moved_at = self._heard_at
        self.highest_id = stream_id
        stream = Http2Stream(self, stream_id)
        self.streams[stream_id] = stream
        stream.remote_ended = ended
        self._owner.opened(stream, fields, ended)

    def head(self, stream_id: int, fields: Fields, ended: bool) -> None:
        self._moved_at = self._heard_at
        stream = self.streams.get(stream_id)
        if stream is not None:
            stream.remote_ended = ended
            stream.user.got_head(fields, ended)
            if ended and not stream.is_over:
                self._ended(stream)

    def data(self, stream_id: int, data: bytes, credit_bytes: int, ended: bool) -> None:
        self._moved_at = self._heard_at
        self._credit_bytes += credit_bytes
        if self._credit_bytes >= _HALF_CONNECTION_BYTES:
            self.wire.give_back(self._credit_bytes)
            self._credit_bytes = 0
        stream = self.streams.get(stream_id)
        if stream is None:
            return
        stream.remote_ended = ended
        if data:
            stream.user.got_body(memoryview(data))
        stream.received(credit_bytes)
        if ended and not stream.is_over:
            self._ended(stream)

    def trailers(self, stream_id: int, fields: Fields) -> None:
        self._moved_at = self._heard_at
        stream = self.streams.get(stream_id)
        if stream is None:
            return
        stream.remote_ended = True
        stream.user.got_trailers(fields)
        if not stream.is_over:
            self._ended(stream)

    def reset(self, stream_id: int, code: int) -> None:
        stream = self.streams.get(stream_id)
        if stream is not None:
            user = stream.user
            self.forget(stream)
            user.got_reset(code)

    def room(self, stream_id: int) -> None:
        if stream_id:
            stream = self._blocked.pop(stream_id, None)
            if stream is not None:
                self._ready.append(stream)
            return
        self._unblock()

    def settled(self) -> None:
        self.is_settled = True
        self._unblock()
        self._owner.settled()

    def agreed(self) -> None:
        self._agreed = True

    def going_away(self, last_id: int, code: int) -> None:
        self._owner.going_away(last_id, code)

    def pong(self) -> None:
        self._owner.ponged()

    def failed(self, code: int, reason: str) -> None:
        self._write()
        self._failed = True
        self._owner.failed(reason)

    def _ended(self, stream: Http2Stream) -> None:
        user = stream.user
        if stream.local_ended:
            self.forget(stream)
        user.got_end()

    def _unblock(self) -> None:
        self._ready.extend(self._blocked.values())
        self._blocked.clear()
