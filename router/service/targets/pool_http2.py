"""HTTP/2 connections to one target: many streams each, a further one when all are full."""

from collections.abc import Callable
from typing import Protocol

from router.http.http1.bytes_cache import BytesCache
from router.http.http1.memory import AsBlock
from router.http.http2 import codes, heads
from router.http.http2.blocks import Block
from router.http.http2.connection import Http2Connection
from router.http.http2.streams import Http2Stream, StreamUser
from router.model import limits
from router.model.settings import ServiceLimits, Timeouts
from router.model.token_bucket import TokenBucket
from router.net.ports import (
    Connection,
    ConnectionHandler,
    Dial,
    DialFailure,
    Loss,
    Network,
    Timer,
    Tls,
)
from router.service.ports import LegCode, LegFailure, LegTaker, ServerLeg, dial_failure
from router.service.targets.pool import sweep_s

_HEADER_BYTES = heads.header_list_bytes(ServiceLimits())
_NO_ROOM = LegFailure("busy", "the target takes no further streams")


class TargetStreamUser(StreamUser, Protocol):
    """A leg, as the pool sees it."""

    deadline: float

    def lost(self, code: LegCode, reason: str, *, blames: bool) -> None:
        """The connection is gone, and the stream with it. One of its streams ``blames`` the target:
        however many there were, that is one failure."""

    def not_processed(self) -> None:
        """The target will not process the stream; it is gone."""

    def overdue(self) -> None:
        """``deadline`` has passed."""


class TargetSession:
    """One connection to a target: `ConnectionHandler`, and `Owner` of its HTTP/2 side.

    No stream is opened before the target's settings have come: they say how many it bears, and
    that it speaks HTTP/2 at all.
    """

    __slots__ = (
        "_connection",
        "_is_leaving",
        "_pool",
        "_resets",
        "_rests_until",
        "address",
        "http2",
        "idle_since",
        "scheme",
    )

    def __init__(
        self, pool: "Http2Pool", connection: Connection, scheme: bytes, address: str
    ) -> None:
        self._pool = pool
        self.address = address
        """Where it leads if the target is given by a name, else empty."""
        self._connection = connection
        self._is_leaving = False
        self.scheme = scheme
        self.idle_since = pool.network.now()
        self._rests_until = self.idle_since
        self._resets = TokenBucket(
            limits.HTTP2_TARGET_RESETS_BURST, limits.HTTP2_TARGET_RESETS_PER_S, self.idle_since
        )
        self.http2 = Http2Connection(
            connection,
            pool.network,
            self,
            client=True,
            streams=0,
            header_bytes=_HEADER_BYTES,
        )

    def takes_stream(self) -> bool:
        """A stream more may be opened now.

        A connection whose stream ids are used up, or that was dialled for a name which leads
        elsewhere now, leaves instead: another has to take over.
        """
        http2 = self.http2
        if self._is_leaving or http2.is_over or not http2.is_settled:
            return False
        opened = len(http2.streams)
        if (
            opened >= limits.HTTP2_TARGET_STREAMS_MAX
            or opened >= http2.writer.peer_streams_max
            or self._rests_until > self._pool.network.now()
        ):
            return False
        if http2.wire.streams.next_id < limits.HTTP2_STREAM_ID_LAST and (
            not self.address or self._pool.is_current(self.address)
        ):
            return True
        self.leave()
        return False

    @property
    def header_list_bytes(self) -> int:
        """How large a header list it takes, as counted by `heads.list_bytes`."""
        return self.http2.writer.peer_header_list_bytes

    @property
    def is_promising(self) -> bool:
        """It may serve streams once the target's settings have come."""
        return not self._is_leaving and not self.http2.is_settled

    def refused(self) -> None:
        """The target refused a stream: it bears no more than there are, for now."""
        self._rests_until = self._pool.network.now() + limits.HTTP2_REFUSED_REST_S

    @property
    def is_idle(self) -> bool:
        """It could be used, and nobody does."""
        return not self._is_leaving and self.http2.is_settled and not self.http2.streams

    def broken_off(self) -> None:
        """We reset a stream. Targets end connections on which there is much of that, and with
        them the streams of clients that have cancelled nothing: another one takes its place."""
        exhausted = not self._resets.take(self._pool.network.now())
        if exhausted and not self._is_leaving and self._pool.may_replace:
            self.leave()

    def leave(self) -> None:
        """Open no more streams; end once those under way have."""
        self._is_leaving = True
        if not self.http2.streams:
            self.http2.go_away(0)
            self._connection.finish()

    def tick(self, now: float, timeouts: Timeouts) -> None:
        """Judge what takes too long, streams and the connection itself."""
        for stream in list(self.http2.streams.values()):
            user = self._user_of(stream)
            if now >= user.deadline:
                user.overdue()
        if not self.http2.tick(now, ack_s=timeouts.header_s, stall_s=timeouts.idle_s):
            self._break("the target is silent")
        elif not self.http2.streams and now - self.idle_since >= limits.HTTP2_TARGET_IDLE_S:
            if self._is_leaving:
                self._connection.abort()  # It would not close its side.
            else:
                self.idle_since = now - limits.HTTP2_TARGET_IDLE_S + limits.LINGER_DISCARD_S
                self.leave()
        elif self.is_promising and now - self.idle_since >= timeouts.connect_s:
            self._break("the target does not speak HTTP/2")

    # ConnectionHandler

    def received(self, data: memoryview) -> None:
        self.http2.receive(data)

    def ended(self) -> None:
        self._is_leaving = True
        self._lose_all("the target closed the connection without an answer")
        self._connection.finish()

    def writable(self) -> None:
        self.http2.writable()

    def lost(self, cause: Loss | None) -> None:
        promising = self.is_promising
        self._is_leaving = True
        self._lose_all("the connection to the target was lost")
        self._pool.gone(self, "does not speak HTTP/2" if promising else "")
        self.http2.let_go()

    # Owner

    def opened(self, stream: Http2Stream, fields: Block, ended: bool) -> None:
        raise AssertionError("a server opens no streams")

    def settled(self) -> None:
        self._pool.serve()

    def going_away(self, last_id: int, code: int) -> None:
        self._is_leaving = True
        for stream in list(self.http2.streams.values()):
            if stream.id > last_id:
                user = self._user_of(stream)
                stream.reset(codes.CANCEL)
                user.not_processed()
        self._end_if_done()

    def released(self) -> None:
        self.idle_since = self._rests_until = self._pool.network.now()
        if self._is_leaving:
            self._pool.network.at_turn_end(self._end_if_done)
        if self._pool.waiting:
            self._pool.freed()

    def ponged(self) -> None:
        """That it was heard is all we wanted to know."""

    def failed(self, reason: str) -> None:
        self._break(f"the target broke HTTP/2: {reason}", self.http2.wire.frame_id)

    # Steps

    def _user_of(self, stream: Http2Stream) -> TargetStreamUser:
        user: TargetStreamUser = stream.user  # type: ignore[assignment]  # Only legs open streams.
        return user

    def _end_if_done(self) -> None:
        if self._is_leaving and not self.http2.streams:
            self._connection.finish()

    def _break(self, reason: str, malformed_id: int | None = None) -> None:
        """``malformed_id``: the stream whose frame broke HTTP/2; 0: no stream's."""
        streams = self.http2.drop()
        malformed = [stream for stream in streams if stream.id == malformed_id]
        if malformed_id is not None and not malformed:
            malformed = streams  # Nothing that this connection says can be trusted.
        self._tell_lost(malformed, "bad-response", reason, blames=True)
        # A connection that ended for another stream's fault may be followed by another one.
        others = [stream for stream in streams if stream not in malformed]
        self._tell_lost(others, "target-reset", reason, blames=not malformed)
        self._connection.abort()

    def _lose_all(self, reason: str) -> None:
        self._tell_lost(self.http2.drop(), "target-reset", reason, blames=True)

    def _tell_lost(
        self, streams: list[Http2Stream], code: LegCode, reason: str, *, blames: bool
    ) -> None:
        for stream in streams:
            self._user_of(stream).lost(code, reason, blames=blames)
            blames = False


class AwaitedStream:
    """A `PendingLeg`: ``taker`` waits for room for a stream; ``open_leg`` makes a leg of it."""

    __slots__ = ("_open_leg", "_pool", "deadline", "taker")

    def __init__(
        self, pool: "Http2Pool", open_leg: Callable[[TargetSession], ServerLeg], taker: LegTaker
    ) -> None:
        self._pool = pool
        self._open_leg = open_leg
        self.taker = taker
        self.deadline = pool.network.now() + 2 * pool.timeouts.connect_s

    def cancel(self) -> None:
        self._pool.forget(self)

    def give(self, session: TargetSession) -> None:
        """``session`` has room."""
        self.taker.connected(self._open_leg(session))


class Http2Pool:
    """The HTTP/2 connections to the target at ``host``:``port``.

    One to an address that ``host`` no longer stands for gets no further streams.
    """

    def __init__(
        self,
        network: Network,
        host: str,
        port: int,
        *,
        timeouts: Timeouts,
        tls: Tls | None = None,
        blocks: BytesCache[AsBlock] | None = None,
    ) -> None:
        self.blocks: BytesCache[AsBlock] = blocks if blocks is not None else BytesCache()
        """How heads of requests look to targets."""
        self.network = network
        self.timeouts = timeouts
        self.usual_s = 0.0
        """As of `TargetPool`."""
        self._host = host
        self._port = port
        self._tls = tls
        self._scheme = b"http" if tls is None else b"https"
        self._sessions: list[TargetSession] = []
        self._dials: set[Dial] = set()
        self.waiting: dict[AwaitedStream, None] = {}
        """Who waits for room. While that is nobody, none need hear that a stream was `freed`."""
        self._serving = False
        self._closed = False
        self._sweep: Timer | None = None

    @property
    def open_count(self) -> int:
        """Connections there are."""
        return len(self._sessions)

    @property
    def may_replace(self) -> bool:
        """A connection may be left for a new one: not when those left are many already."""
        total = len(self._dials) + len(self._sessions)
        return total <= limits.HTTP2_TARGET_CONNECTIONS_MAX // 2

    def take(self) -> TargetSession | None:
        """A connection with room for a stream; None: `wait`."""
        for session in self._sessions:
            if session.takes_stream():
                return session
        return None

    def shed_idle(self) -> int:
        """Close what is idle now; how many."""
        idle = [session for session in self._sessions if session.is_idle]
        for session in idle:
            session.leave()
        return len(idle)

    def wait(
        self, open_leg: Callable[[TargetSession], ServerLeg], taker: LegTaker
    ) -> AwaitedStream:
        """Wait for a connection with room, at most for so long as two may take to connect."""
        awaited = AwaitedStream(self, open_leg, taker)
        self.waiting[awaited] = None
        self._dial()
        self._arm()
        return awaited

    def forget(self, awaited: AwaitedStream) -> None:
        """It no longer waits."""
        self.waiting.pop(awaited, None)

    def close(self) -> None:
        """Open nothing more; what is under way goes on."""
        self._closed = True
        self._fail_waiting(LegFailure("busy", "the target, or its settings, went away"))
        for session in list(self._sessions):
            session.leave()

    # What sessions ask and tell.

    def is_current(self, address: str) -> bool:
        """The target's name still leads there."""
        return self.network.is_current(self._host, address)

    def serve(self) -> None:
        """Hand connections with room to who waits."""
        self._serving = False
        while self.waiting:
            session = self.take()
            if session is None:
                self._dial()
                return
            awaited = next(iter(self.waiting))
            del self.waiting[awaited]
            awaited.give(session)

    def freed(self) -> None:
        """A stream ended: who waits may have its place, later in this turn."""
        if self.waiting and not self._serving:
            self._serving = True
            self.network.at_turn_end(self.serve)

    def gone(self, session: TargetSession, reason: str) -> None:
        """A connection is over; ``reason`` if it never was of use."""
        self._sessions.remove(session)
        if reason:
            self._fail_waiting(LegFailure("connect-failed", f"{self._host}:{self._port} {reason}"))
        self.freed()

    # Steps.

    def _dial(self) -> None:
        """As many connections as who waits may need."""
        promised = len(self._dials) + sum(session.is_promising for session in self._sessions)
        total = len(self._dials) + len(self._sessions)
        if (
            len(self.waiting) > promised * limits.HTTP2_TARGET_STREAMS_MAX
            and total < limits.HTTP2_TARGET_CONNECTIONS_MAX
        ):
            self._dial_one()

    def _dial_one(self) -> None:
        attempts: list[Dial] = []  # Empty at its end: else it and what it calls hold each other.

        def connected(connection: Connection) -> ConnectionHandler:
            self._dials.discard(attempts.pop())
            host = connection.peer.host
            address = "" if host == self._host else host
            session = TargetSession(self, connection, self._scheme, address)
            self._sessions.append(session)
            if self._closed:
                session.leave()
            self._arm()
            return session

        def failed(failure: DialFailure) -> None:
            self._dials.discard(attempts.pop())
            self._fail_waiting(dial_failure(failure))

        dial = self.network.dial(
            self._host,
            self._port,
            connected,
            failed,
            timeout_s=self.timeouts.connect_s,
            tls=self._tls,
        )
        attempts.append(dial)
        self._dials.add(dial)

    def _fail_waiting(self, failure: LegFailure) -> None:
        """The target takes no connection: nobody waits for another attempt."""
        waiting, self.waiting = self.waiting, {}
        for awaited in waiting:
            awaited.taker.connect_failed(failure)

    def _arm(self) -> None:
        if self._sweep is None:
            self._sweep = self.network.call_at(
                self.network.now() + sweep_s(self.timeouts), self._swept
            )

    def _swept(self) -> None:
        self._sweep = None
        now = self.network.now()
        for awaited in [one for one in self.waiting if now >= one.deadline]:
            del self.waiting[awaited]
            awaited.taker.connect_failed(_NO_ROOM)
        for session in list(self._sessions):
            session.tick(now, self.timeouts)
        self.serve()
        if self._sessions or self.waiting:
            self._arm()
