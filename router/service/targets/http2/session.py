"""One HTTP/2 connection to a target, and its streams."""

from collections.abc import Sized
from typing import Protocol

from router.http.http2 import codes, heads
from router.http.http2.blocks import Block
from router.http.http2.connection import Http2Connection
from router.http.http2.streams import Http2Stream, StreamUser
from router.model import limits
from router.model.settings import ServiceLimits, Timeouts
from router.model.token_bucket import TokenBucket
from router.model.wording.other_protocol import LOOKED_AT_BYTES, Spoken, no_http2, spoken
from router.net.ports import Connection, Loss, Network
from router.service.ports import LegCode
from router.service.targets.target_answers import TargetAnswers

_HEADER_BYTES = heads.header_list_bytes(ServiceLimits())


class TargetStreamUser(StreamUser, Protocol):
    """A leg, as the pool sees it."""

    deadline: float

    @property
    def is_awaited(self) -> bool:
        """The target has its request in full, and no final head of an answer came."""

    def lost(self, code: LegCode, reason: str, *, blames: bool) -> None:
        """The connection is gone, and the stream with it. Only one of its streams ``blames`` the
        target: however many there were, that is one failure.
        """

    def not_processed(self) -> None:
        """The target will not process the stream; it is gone."""

    def overdue(self) -> None:
        """``deadline`` has passed."""


class SessionPool(Protocol):
    """The pool of a session, as the session sees it."""

    network: Network
    answers: TargetAnswers

    @property
    def waiting(self) -> Sized:
        """Streams that wait for room."""

    @property
    def may_replace(self) -> bool:
        """A connection may be left for a new one."""

    def is_current(self, address: str) -> bool:
        """Whether the target's name still resolves to ``address``."""

    def gone(self, session: "TargetSession", reason: str) -> None:
        """The session's connection is over; ``reason``: why it never served, empty: it did."""

    def serve(self) -> None:
        """The session takes streams from now on."""

    def freed(self) -> None:
        """The session has room for another stream."""


class TargetSession:
    """One connection to a target: `ConnectionHandler`, and `ConnectionOwner` of its HTTP/2 side.

    No stream is opened before the target's settings have come: they limit the number of streams,
    and show that it speaks HTTP/2 at all.
    """

    __slots__ = (
        "_connection",
        "_is_leaving",
        "_pool",
        "_resets",
        "_rests_until",
        "_spoken",
        "address",
        "http2",
        "idle_since",
        "scheme",
    )

    def __init__(
        self, pool: SessionPool, connection: Connection, scheme: bytes, address: str
    ) -> None:
        self._pool = pool
        self.address = address
        """The address of the target if it is given by a name, else empty."""
        self._connection = connection
        self._is_leaving = False
        self._spoken: Spoken = ""  # By the target, before its settings.
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
        """Another stream may be opened now.

        A connection leaves instead if its stream ids are used up, or if it was dialed for a name
        that now leads elsewhere: another one must take over.
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
        """The connection may serve streams once the target's settings have come."""
        return not self._is_leaving and not self.http2.is_settled

    def refused(self) -> None:
        """The target refused a stream: for now it accepts no more than are open."""
        self._rests_until = self._pool.network.now() + limits.HTTP2_REFUSED_REST_S

    @property
    def is_idle(self) -> bool:
        """The connection could be used, and is not."""
        return not self._is_leaving and self.http2.is_settled and not self.http2.streams

    def broken_off(self) -> None:
        """This side reset a stream.

        Targets end connections with many resets, and with them the streams of clients that have
        cancelled nothing: so another connection takes its place.
        """
        exhausted = not self._resets.take(self._pool.network.now())
        if exhausted and not self._is_leaving and self._pool.may_replace:
            self.leave()

    def leave(self) -> None:
        """Open no more streams; end once those under way have ended."""
        self._is_leaving = True
        if not self.http2.streams:
            self.http2.go_away(0)
            self._connection.finish()

    def tick(self, now: float, timeouts: Timeouts) -> None:
        """Check time-outs, of streams and of the connection itself."""
        for stream in list(self.http2.streams.values()):
            user = self._user_of(stream)
            if now >= user.deadline:
                user.overdue()
        if not self.http2.tick(now, timeouts):
            self._break("the target is silent")
        elif not self.http2.streams and now - self.idle_since >= limits.HTTP2_TARGET_IDLE_S:
            if self._is_leaving:
                self._connection.abort()  # It did not close its side.
            else:
                self.idle_since = now - limits.HTTP2_TARGET_IDLE_S + limits.LINGER_DISCARD_S
                self.leave()
        elif self.is_promising and now - self.idle_since >= timeouts.connect_s:
            self._break(f"the target {no_http2('')}")

    # ConnectionHandler

    def received(self, data: memoryview) -> None:
        if self.is_promising:
            self._spoken = self._spoken or spoken(bytes(data[:LOOKED_AT_BYTES]))
        self.http2.receive(data)

    def ended(self) -> None:
        self._is_leaving = True
        self._lose_all("the target closed the connection without an answer")
        self._connection.finish()

    def writable(self) -> None:
        self.http2.writable()

    def lost(self, cause: Loss | None) -> None:
        promising = self.is_promising
        self._lose_all("the connection to the target was lost")
        if promising:
            self._pool.answers.spoken = self._spoken
        self._pool.gone(self, no_http2(self._spoken) if promising else "")
        self.http2.let_go()

    # Owner

    def opened(self, stream: Http2Stream, fields: Block, ended: bool) -> None:
        raise AssertionError("a server opens no streams")

    def settled(self) -> None:
        self._pool.answers.spoken = "HTTP/2"
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
        """Only the fact that it answered matters."""

    def warned(self) -> None:
        raise AssertionError("a target is not counted what it resets")

    def failed(self, reason: str) -> None:
        self._break(f"the target broke HTTP/2: {reason}", self.http2.wire.frame_id)

    # Steps

    def awaited_count(self) -> int:
        """Streams of requests that the target has in full, and has not begun to answer."""
        return sum(self._user_of(stream).is_awaited for stream in self.http2.streams.values())

    def _user_of(self, stream: Http2Stream) -> TargetStreamUser:
        user: TargetStreamUser = stream.user  # type: ignore[assignment]  # Only legs open streams.
        return user

    def _end_if_done(self) -> None:
        if self._is_leaving and not self.http2.streams:
            self._connection.finish()

    def _break(self, reason: str, malformed_id: int | None = None) -> None:
        """``malformed_id``: the stream whose frame broke HTTP/2; 0: of no stream."""
        users = self._drop()
        malformed = [user for stream_id, user in users.items() if stream_id == malformed_id]
        if malformed_id is not None and not malformed:
            malformed = list(users.values())  # Nothing on this connection can be trusted.
        self._tell_lost(malformed, "bad-response", reason, blames=True)
        # A connection that ended because of one stream may be replaced by another one.
        others = [user for user in users.values() if user not in malformed]
        self._tell_lost(others, "target-reset", reason, blames=not malformed)
        self._connection.abort()

    def _lose_all(self, reason: str) -> None:
        self._tell_lost(list(self._drop().values()), "target-reset", reason, blames=True)

    def _drop(self) -> dict[int, TargetStreamUser]:
        users: dict[int, TargetStreamUser] = self.http2.drop()  # type: ignore[assignment]  # As in `_user_of`.
        return users

    def _tell_lost(
        self, users: list[TargetStreamUser], code: LegCode, reason: str, *, blames: bool
    ) -> None:
        for user in users:
            user.lost(code, reason, blames=blames)
            blames = False
