"""The streams of one HTTP/2 connection: their queues, windows and turns.

Memory of a stream: at most `HTTP2_QUEUE_BYTES` plus one call's bytes wait for the peer's window.
Nothing from the peer is stored here, and it gets credit for a stream only as fast as that stream's
user takes the bytes (`Http2Stream.pause`), so at most `HTTP2_WINDOW_BYTES` are ever on their way to
a user that has paused. The connection's window is given back at once: a stalled stream stalls
itself alone.
"""

from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Protocol

from router.http.http2 import codes
from router.http.http2.blocks import Block
from router.http.http2.credit_waits import CreditWaits
from router.http.http2.peer_deadlines import PeerDeadlines
from router.http.http2.read_pause import ReadPause
from router.http.http2.stream_states import ENDED, OVER
from router.http.http2.streams import Http2Stream, StreamUser
from router.http.http2.uptake import Uptake
from router.http.http2.wire import Wire
from router.model import limits
from router.model.settings import Timeouts
from router.net.ports import Buffer, Connection, Timers

_NOTHING = memoryview(b"")
_CONNECTION = 0
"""A key among stream ids: the window that all streams share."""


class ConnectionOwner(Protocol):
    """The owner of the connection."""

    def opened(self, stream: Http2Stream, fields: Block, ended: bool) -> None:
        """Server: a request. Its user is set before this returns, or the stream reset."""

    def settled(self) -> None:
        """The peer's settings came, or changed."""

    def going_away(self, last_id: int, code: int) -> None:
        """The peer processes no stream above ``last_id``."""

    def released(self) -> None:
        """A stream is over: there is room for another."""

    def ponged(self) -> None:
        """The peer has seen everything that was sent before a `ping`."""

    def warned(self) -> None:
        """Server: the client broke off too many streams. It may still get others finished."""

    def failed(self, reason: str) -> None:
        """The connection is lost to HTTP/2: users of streams get no more calls. Flush and end."""


class Http2Connection:
    """One connection, to a client (``client`` False) or to a target. A `WireSink`.

    The owner passes on the network's calls: `receive`, `writable`, and calls `tick` about once a
    second. ``timeouts.header_s``: how long the peer may take to agree to our settings and to
    complete a header block; ``idle_s``: how long it may take nothing, or less than ``rate_min``
    bytes a second, while data waits for it.
    """

    __slots__ = (
        "_blocked",
        "_credit_waits",
        "_deadlines",
        "_forgotten_at",
        "_framed_bytes",
        "_moved_at",
        "_now",
        "_owner",
        "_pause",
        "_rate_min",
        "_ready",
        "_timers",
        "_uptake",
        "connection",
        "is_over",
        "is_settled",
        "released",
        "streams",
        "will_flush",
        "wire",
        "writer",
    )

    def __init__(
        self,
        connection: Connection,
        timers: Timers,
        owner: ConnectionOwner,
        *,
        client: bool,
        streams: int,
        header_bytes: int,
    ) -> None:
        self.connection = connection
        self._timers = timers
        self._owner = owner
        now = timers.now()
        self.released = owner.released
        self._ready: deque[Http2Stream] = deque()
        self._blocked: dict[int, Http2Stream] = {}
        self._credit_waits = CreditWaits()
        self._rate_min = 0.0  # From the last `tick`.
        self.will_flush = False
        self._framed_bytes = 0  # Bytes of bodies in frames that are not written.
        self.is_over = False
        """The connection is lost to HTTP/2, though the network may not have reported it yet."""
        self.is_settled = False
        """The peer's settings are known."""
        self._deadlines = PeerDeadlines(now)
        self._pause = ReadPause(connection)
        self._forgotten_at = now
        self._now = now  # From the last `receive`.
        self._moved_at = now  # When a stream last moved.
        self._uptake = Uptake(connection, now)
        self.wire = Wire(
            self,
            partial(Http2Stream, self),
            client=client,
            streams=streams,
            header_bytes=header_bytes,
            now=now,
        )
        self.writer = self.wire.writer
        self.streams: Mapping[int, Http2Stream] = self.wire.streams.open
        """Streams that are not over, by id."""
        self.ask_flush()

    # Calls of the network.

    def receive(self, data: memoryview) -> None:
        """Process ``data``; costly work takes several turns, and reading pauses meanwhile."""
        self._now = now = self._timers.now()
        wire = self.wire
        is_behind = wire.receive(data, now, limits.HTTP2_TURN_WORK)
        if is_behind:
            self._timers.call_at(now, self._catch_up)
        self._pause.has_read(is_behind=is_behind)
        self._deadlines.heard(now, in_head=wire.is_in_head)
        self.ask_flush()

    def writable(self) -> None:
        """Everything has been handed to the kernel."""
        self._uptake.end(self._timers.now())
        self._pause.drained()
        self.flush()

    def tick(self, now: float, timeouts: Timeouts, rate_min: float = 0) -> bool:
        """Judge deadlines. False: the peer took too long, abort."""
        if self.is_over:
            return True
        self._rate_min = rate_min
        if now - self._forgotten_at >= limits.HEADS_FORGOTTEN_S:
            self._forgotten_at = now
            self.wire.forget()
        deadlines = self._deadlines
        uptake = self._uptake
        waits = self._credit_waits
        if uptake.is_full or deadlines.awaits_answer or waits.waits:
            before = uptake.taken_bytes
            if uptake.look(now, rate_min):
                deadlines.delivers(now)
                waits.look(before, uptake.taken_bytes, now, rate_min)
        if uptake.is_full and now - uptake.at >= timeouts.idle_s:
            return False
        if deadlines.is_late(now, timeouts.header_s):
            self.wire.fail(codes.SETTINGS_TIMEOUT, "the peer is too slow")
            return True
        if not self.streams:
            return True
        if deadlines.take_ping(now, self._moved_at):
            uptake.measure()
            self.writer.ping()
            self.flush()
        return not deadlines.is_silent(now)

    @property
    def queued_bytes(self) -> int:
        """Bytes of all streams that wait for their turn or the peer's windows."""
        return self.writer.queued_bytes

    # Calls of the owner.

    def open(self, block: bytes, user: StreamUser, end: bool) -> Http2Stream:
        """Client: open a new stream with this encoded head. The owner respects the peer's limit."""
        streams = self.wire.streams
        stream = Http2Stream(self, streams.next_id, self.writer.window_bytes, user)
        streams.opened_by_us(stream)
        stream.send_head(block, end)
        return stream

    def go_away(self, last_id: int) -> None:
        """Announce to the peer that no stream above ``last_id`` is processed."""
        if not self.is_over:
            self.writer.go_away(last_id)
            self.flush()

    def ping(self) -> None:
        """Ping the peer; `ConnectionOwner.ponged` follows."""
        if not self.is_over:
            self.writer.ping()
            self.ask_flush()

    def drop(self) -> dict[int, StreamUser]:
        """Forget all streams: the connection is lost. Returns their users by id, for the caller to
        call."""
        self.is_over = True
        users = {stream.id: stream.lose() for stream in self.wire.streams.drop()}
        self._ready.clear()
        self._blocked.clear()
        self._credit_waits.clear()
        self.wire.close()
        return users

    def let_go(self) -> None:
        """After `drop`, once nothing more is received: avoid cycles that wait for the garbage
        collector."""
        self.wire.let_go()
        del self._owner, self.released

    # Calls of streams.

    def took_at(self, stream: Http2Stream) -> float:
        if stream.id in self._blocked:
            return self._credit_waits.at(_window_of(stream))
        return self._uptake.at

    def ready(self, stream: Http2Stream) -> None:
        self._ready.append(stream)
        self.ask_flush()

    def withdraw(self, stream: Http2Stream) -> None:
        self._blocked.pop(stream.id, None)  # `flush` skips a stream in `_ready`.
        self._credit_waits.end(stream.id)

    def reset(self, stream: Http2Stream, code: int) -> None:
        self.wire.reset(stream.id, code)
        self.ask_flush()

    def send_whole(self, stream: Http2Stream, block: bytes, body: Buffer) -> bool:
        # No stream overtakes those that wait for the peer's windows, or for their turn.
        free = not self._uptake.is_full and not self._ready and not self._blocked
        size = self.writer.whole(stream, block, body) if free else -1
        if size < 0:
            return False
        self._framed_bytes += size
        if self._framed_bytes >= limits.WRITE_HIGH_BYTES:
            self._write()
        elif not self.will_flush:
            self.ask_flush()
        return True

    def ask_flush(self) -> None:
        if not self.will_flush:
            self.will_flush = True
            self._timers.at_turn_end(self._turn_ended)

    def flush(self) -> None:
        """Send what may leave now: fairly, as far as windows and the connection's mark allow."""
        ready, uptake, waits = self._ready, self._uptake, self._credit_waits.waits
        left = limits.HTTP2_TURN_BYTES_MAX
        while ready and left > 0 and not uptake.is_full:
            stream = ready.popleft()
            if stream.sending is OVER:
                continue
            sent = stream.push()
            if sent < 0:
                self._wait_for_credit(stream)
                continue
            if waits:
                self._note_taken(stream, sent)
            stream.drained()
            left -= sent
            self._framed_bytes += sent
            if self._framed_bytes >= limits.WRITE_HIGH_BYTES:
                self._write()
        self._write()
        if ready and not uptake.is_full:
            self.ask_flush()

    def _wait_for_credit(self, stream: Http2Stream) -> None:
        self._blocked[stream.id] = stream
        waits, uptake = self._credit_waits, self._uptake
        self._measure()
        waits.begin(_window_of(stream), self._timers.now(), uptake.sent_bytes + self._framed_bytes)

    def _note_taken(self, stream: Http2Stream, sent_bytes: int) -> None:
        waits, now = self._credit_waits, self._timers.now()
        for one in (stream.id, _CONNECTION):
            waits.took(one, sent_bytes, now, self._rate_min)
        if not stream.queued_bytes:
            waits.end(stream.id)
        if not self.queued_bytes:
            waits.end(_CONNECTION)

    def _catch_up(self) -> None:
        if not self.is_over:
            self.receive(_NOTHING)

    def _turn_ended(self) -> None:
        self.will_flush = False
        self.flush()

    def _write(self) -> None:
        self._framed_bytes = 0
        data = self.writer.take()
        if not data:
            return
        uptake = self._uptake
        if uptake.is_full:
            self._pause.piles_up(len(data))
        uptake.sent_bytes += len(data)
        if not self.connection.send(data) and not uptake.is_full:
            self._measure()
            uptake.begin(self._timers.now())

    def _measure(self) -> None:
        """Start measuring the peer's uptake, unless that is under way."""
        uptake = self._uptake
        if not (uptake.is_full or self._deadlines.awaits_answer or self._credit_waits.waits):
            uptake.measure()

    # WireSink

    def opened(self, stream: Http2Stream, fields: Block, ended: bool) -> None:
        self._moved_at = self._now
        self._owner.opened(stream, fields, ended)

    def head(self, stream: Http2Stream, fields: Block, ended: bool) -> None:
        self._moved_at = self._now
        stream.user.got_head(fields, ended)
        if ended and stream.sending is not OVER:
            self._ended(stream)

    def whole(self, stream: Http2Stream, fields: Block, data: memoryview) -> None:
        self._moved_at = self._now
        stream.close().got_whole(fields, data)

    def data(self, stream: Http2Stream, data: memoryview, credit_bytes: int, ended: bool) -> None:
        self._moved_at = self._now
        if data:
            stream.user.got_body(data)
        stream.received(len(data), credit_bytes)
        if ended and stream.sending is not OVER:
            self._ended(stream)

    def trailers(self, stream: Http2Stream, fields: Block) -> None:
        self._moved_at = self._now
        stream.user.got_trailers(fields)
        if stream.sending is not OVER:
            self._ended(stream)

    def reset_by_peer(self, stream: Http2Stream, code: int) -> None:
        stream.close().got_reset(code)

    def broken(self, stream: Http2Stream, code: int, reason: str) -> None:
        stream.close().got_broken(reason)

    def room(self, stream: Http2Stream | None) -> None:
        if stream is None:
            self._unblock()
        elif self._blocked.pop(stream.id, None) is not None:
            self._ready.append(stream)

    def settled(self) -> None:
        self.is_settled = True
        self._unblock()
        self._owner.settled()

    def agreed(self) -> None:
        self._deadlines.agreed()

    def going_away(self, last_id: int, code: int) -> None:
        self._owner.going_away(last_id, code)

    def pong(self) -> None:
        self._owner.ponged()

    def warned(self) -> None:
        self._owner.warned()

    def failed(self, code: int, reason: str) -> None:
        self._write()
        self.is_over = True
        self._owner.failed(reason)

    def _ended(self, stream: Http2Stream) -> None:
        user = stream.close() if stream.sending is ENDED else stream.user
        user.got_end()

    def _unblock(self) -> None:
        self._ready.extend(self._blocked.values())
        self._blocked.clear()


def _window_of(stream: Http2Stream) -> int:
    """The window that is used up."""
    return _CONNECTION if stream.room > 0 else stream.id
