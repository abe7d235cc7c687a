"""HTTP/2 connections to one target: many streams each, a further one when all are full."""

from collections.abc import Callable

from router.http.http1.bytes_cache import BytesCache
from router.http.http1.memory import AsBlock
from router.model import limits
from router.model.settings import Timeouts
from router.net.ports import Connection, ConnectionHandler, Dial, DialFailure, Network, Timer, Tls
from router.service.ports import LegFailure, LegTaker, ServerLeg, dial_failure
from router.service.sites.remotes import SMOOTHING
from router.service.targets.http2.session import TargetSession
from router.service.targets.pool import sweep_s
from router.service.targets.target_answers import TargetAnswers

_NO_ROOM = LegFailure("busy", "the target takes no further streams")


class AwaitedStream:
    """A `PendingLeg`: ``taker`` waits for room for a stream; ``open_leg`` turns the room into a
    leg.
    """

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

    A connection to an address that ``host`` no longer resolves to gets no further streams.
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
        answers: TargetAnswers | None = None,
    ) -> None:
        self.blocks: BytesCache[AsBlock] = blocks if blocks is not None else BytesCache()
        """Heads of requests in the form sent to targets."""
        self.network = network
        self.timeouts = timeouts
        self.usual_s = 0.0
        self.answers = answers or TargetAnswers()
        """Both as in `TargetPool`."""
        self._host = host
        self._port = port
        self._tls = tls
        self._scheme = b"http" if tls is None else b"https"
        self._sessions: list[TargetSession] = []
        self._dials: set[Dial] = set()
        self.waiting: dict[AwaitedStream, None] = {}
        """Streams that wait for room. While it is empty, `freed` need not be called."""
        self._serving = False
        self._closed = False
        self._sweep: Timer | None = None

    @property
    def open_count(self) -> int:
        """The number of connections."""
        return len(self._sessions)

    def awaited_count(self) -> int:
        """As in `Way`."""
        return sum(session.awaited_count() for session in self._sessions)

    @property
    def may_replace(self) -> bool:
        """A connection may be left for a new one: not when many are open or dialed already."""
        total = len(self._dials) + len(self._sessions)
        return total <= limits.HTTP2_TARGET_CONNECTIONS_MAX // 2

    def take(self) -> TargetSession | None:
        """A connection with room for a stream; None: call `wait`."""
        for session in self._sessions:
            if session.takes_stream():
                return session
        return None

    def answered(self, asked_at: float) -> None:
        """An answer to a request that the target has had in full since ``asked_at``."""
        took_s, usual_s = self.network.now() - asked_at, self.usual_s
        self.usual_s = usual_s + SMOOTHING * (took_s - usual_s) if usual_s else took_s

    def shed_idle(self) -> int:
        """Close the idle connections; returns how many."""
        idle = [session for session in self._sessions if session.is_idle]
        for session in idle:
            session.leave()
        return len(idle)

    def wait(
        self, open_leg: Callable[[TargetSession], ServerLeg], taker: LegTaker
    ) -> AwaitedStream:
        """Wait for a connection with room, for at most twice the time to connect."""
        awaited = AwaitedStream(self, open_leg, taker)
        self.waiting[awaited] = None
        self._dial()
        self._arm()
        return awaited

    def forget(self, awaited: AwaitedStream) -> None:
        """``awaited`` no longer waits."""
        self.waiting.pop(awaited, None)

    def close(self) -> None:
        """Open no more streams; those under way go on."""
        self._closed = True
        self._fail_waiting(LegFailure("busy", "the target, or its settings, went away"))
        for session in list(self._sessions):
            session.leave()

    # Called by sessions.

    def is_current(self, address: str) -> bool:
        """The target's name still leads to ``address``."""
        return self.network.is_current(self._host, address)

    def serve(self) -> None:
        """Hand connections with room to waiting streams."""
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
        """A stream ended: a waiting one may have its place, later in this turn."""
        if self.waiting and not self._serving:
            self._serving = True
            self.network.at_turn_end(self.serve)

    def gone(self, session: TargetSession, reason: str) -> None:
        """A connection is over; ``reason`` if it never served."""
        self._sessions.remove(session)
        if reason:
            self._fail_waiting(LegFailure("connect-failed", f"{self._host}:{self._port} {reason}"))
        self.freed()

    # Steps.

    def _dial(self) -> None:
        """Dial as many connections as the waiting streams may need."""
        promised = len(self._dials) + sum(session.is_promising for session in self._sessions)
        total = len(self._dials) + len(self._sessions)
        if (
            len(self.waiting) > promised * limits.HTTP2_TARGET_STREAMS_MAX
            and total < limits.HTTP2_TARGET_CONNECTIONS_MAX
        ):
            self._dial_one()

    def _dial_one(self) -> None:
        attempts: list[Dial] = []  # Emptied at its end, to break a reference cycle.

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
        """The target takes no connection: fail all waiting streams, without another attempt."""
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
        if self._sessions or self.waiting:
            self._arm()
        now = self.network.now()
        for awaited in [one for one in self.waiting if now >= one.deadline]:
            del self.waiting[awaited]
            awaited.taker.connect_failed(_NO_ROOM)
        for session in list(self._sessions):
            session.tick(now, self.timeouts)
        self.serve()
