"""A client's TCP connection at a listener, joined to one leg: raw bytes both ways."""

from collections.abc import Callable

from router.exchange.clients.tcp_phases import GONE, HALF_CLOSED, OPEN
from router.model import limits
from router.model.addresses import same_text
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.model.settings import Timeouts
from router.net.ports import Buffer, Connection, Loss, Timer, Timers, is_ours
from router.service.ports import ClientLeg, LegFailure, LegHandler
from router.service.recent_requests import TimeOut

DEFAULT_TIMEOUTS = Timeouts()
LOOKS_PER_LIMIT = 4
"""How often a connection is checked within its idle limit."""

NOTHING_MOVED = (0, 0, False)

OpenLeg = Callable[[Request, LegHandler], ClientLeg]


class TcpSession:
    """The client's side: a `ConnectionHandler`.

    Half-close passes both ways. A reset of the client aborts the leg; anything but a complete
    exchange resets the client, so that a torn answer is never taken for a whole one. A client that
    is done, both ends finished, leaves the rest of its data on its way: ``over`` is called when
    that has ended too, if it lasts beyond `lost`. A connection on which nothing moves for
    ``timeouts.tunnel_s`` is aborted, a quarter of it later at most; with one direction finished it
    is ``timeouts.half_closed_s``.
    """

    __slots__ = (
        "_answer",
        "_connection",
        "_full_reads",
        "_idle_s",
        "_idle_since",
        "_leg",
        "_over",
        "_seen",
        "_timed_out",
        "_timeouts",
        "_timer",
        "_timers",
        "_undelivered",
        "bytes_in",
        "outlives_client",
        "phase",
    )

    def __init__(
        self,
        connection: Connection,
        *,
        key: ServiceKey,
        open_leg: OpenLeg,
        timers: Timers,
        over: Callable[[], None],
        timed_out: Callable[[TimeOut], None],
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        """``timed_out`` is called before a connection is aborted on which nothing moved."""
        self._connection = connection
        self._over = over
        self._timed_out = timed_out
        self._timeouts = timeouts
        self._idle_s = timeouts.tunnel_s
        self._timers = timers
        self.phase = OPEN
        self.outlives_client = False
        """The client's connection is lost, and bytes of it are still on their way."""
        self._undelivered = 0
        self._full_reads = 0  # In a row.
        self.bytes_in = 0
        self._answer = _Answer(self, connection)
        self._seen = NOTHING_MOVED
        """`activity` at the last check at which something had moved."""
        request = Request(
            key=key,
            protocol="tcp",
            body_bytes=-1,
            client=str(connection.peer),
            local=same_text(str(connection.local)),
        )
        self._leg = open_leg(request, self._answer)
        self._idle_since = now = timers.now()
        self._timer: Timer = timers.call_at(now + self._idle_s / LOOKS_PER_LIMIT, self._look)

    def abort(self) -> None:
        """Reset the client now, whatever is under way."""
        if self.outlives_client:
            self._leg.abort()
        else:
            self._connection.abort()

    def shed_idle(self) -> bool:
        """False: it is not known whether the client waits for something."""
        return False

    def drain(self) -> None:
        """Nothing to do: the exchange under way ends by itself."""

    is_raw = True
    """The boundaries of the client's requests are not known here."""

    leaves_gently = False
    """The protocol can ask a client to connect again."""

    @property
    def bytes_out(self) -> int:
        """Bytes that passed towards the client."""
        return self._answer.bytes_out

    @property
    def activity(self) -> tuple[int, int, bool]:
        """Changes whenever bytes have moved, or a target was held."""
        answer = self._answer
        return self.bytes_in, answer.bytes_out, answer.is_open

    def leave(self, *, quiet: bool) -> None:
        """End both ways, if ``quiet``: nothing has moved for a while. Otherwise call it again
        later.

        Later data of the client must not be passed to `received`.
        """
        if quiet and self.phase is not GONE:
            self._leg.finish()
            self._connection.finish()
            self.half_closed()

    @property
    def legs(self) -> list[ClientLeg]:
        """The legs under way."""
        return [self._leg] if hasattr(self, "_leg") else []  # Until both sides are over.

    def _passed_in(self, size_bytes: int) -> None:
        self.bytes_in += size_bytes

    def half_closed(self) -> None:
        """One direction finished: the rest has less time."""
        if self.phase is OPEN:
            self.phase = HALF_CLOSED
            self._idle_s = self._timeouts.half_closed_s
            self._timer.cancel()
            self._timer = self._watch()

    def pause_leg(self) -> None:
        """The client takes no more for now."""
        if self.phase is not GONE:
            self._leg.pause()

    def splice_leg(self, passed: Callable[[int], None]) -> None:
        """Let the kernel pass later bytes to the client, if it can; ``passed``: gets the number of
        bytes.
        """
        wire = None if self.phase is GONE else self._leg.wire
        if wire is not None:
            wire.splice_to(self._connection, passed)

    # ConnectionHandler

    def received(self, data: memoryview) -> None:
        size = len(data)
        self.bytes_in += size
        if not self._leg.send(data):
            self._connection.pause()
        if size < limits.READ_BYTES:
            self._full_reads = 0
        else:
            self._full_reads += size // limits.READ_BYTES  # Several in one, where much comes.
            if self._full_reads >= limits.SPLICE_AFTER_READS and self._leg.wire is not None:
                self._connection.splice_to(self._leg.wire, self._passed_in)

    def ended(self) -> None:
        self._leg.finish()
        self.half_closed()

    def writable(self) -> None:
        self._leg.resume()

    def lost(self, cause: Loss | None) -> None:
        self.phase = GONE
        if self._answer.over:
            self._let_go()
        elif cause is not None:
            self._timer.cancel()
            if is_ours(cause):
                self._leg.abort()
            else:
                self._leg.client_gone()
        else:
            self.outlives_client = True

    def leg_done(self) -> None:
        """The leg is over."""
        if self.phase is GONE:
            outlives, self.outlives_client = self.outlives_client, False
            self._let_go()
            if outlives:
                self._over()

    def _let_go(self) -> None:
        """Both sides are over. They refer to each other: break the cycle."""
        self._timer.cancel()
        del self._leg

    def _watch(self) -> Timer:
        self._seen = self.activity
        self._idle_since = now = self._timers.now()
        return self._timers.call_at(now + self._idle_s / LOOKS_PER_LIMIT, self._look)

    def _look(self) -> None:
        """Bytes are recorded without a time: any that moved since the last check count as just now.

        So do bytes that have left this router and reach the client, or the target, now.
        """
        now, before = self._timers.now(), self._undelivered
        self._undelivered = self._connection.buffered_bytes + self._leg.undelivered_bytes
        if self.activity != self._seen or self._undelivered != before:
            self._timer = self._watch()
        elif now < self._idle_since + self._idle_s:
            self._timer = self._timers.call_at(now + self._idle_s / LOOKS_PER_LIMIT, self._look)
        else:
            self._timed_out("tunnel" if self.phase is OPEN else "half-closed")
            self.abort()


class _Answer:
    """The leg's side: a `LegHandler` that writes to the client."""

    __slots__ = ("_connection", "_full_reads", "_session", "bytes_out", "is_open", "over")

    def __init__(self, session: TcpSession, connection: Connection) -> None:
        self._session = session
        self._connection = connection
        self.bytes_out = 0
        self.is_open = False
        self.over = False
        self._full_reads = 0  # In a row.

    def opened(self) -> None:
        self.is_open = True

    def head(self, head: bytes, body_bytes: int) -> None:
        raise AssertionError("a response head on a tcp leg")

    def received(self, data: memoryview) -> None:
        size = len(data)
        self.bytes_out += size
        if not self._connection.send(data):
            self._session.pause_leg()
        if size < limits.READ_BYTES:
            self._full_reads = 0
        else:
            self._full_reads += size // limits.READ_BYTES
            if self._full_reads >= limits.SPLICE_AFTER_READS:
                self._session.splice_leg(self._passed_out)

    def _passed_out(self, size_bytes: int) -> None:
        self.bytes_out += size_bytes

    def trailers(self, block: bytes) -> None:
        raise AssertionError("trailers on a tcp leg")

    def ended(self) -> None:
        self._connection.finish()
        self._session.half_closed()

    def whole(self, head: bytes, body_bytes: int, body: Buffer) -> None:
        raise AssertionError("a response on a tcp leg")

    def writable(self) -> None:
        self._connection.resume()

    def done(self, failure: LegFailure | None) -> None:
        self.over = True
        self._session.leg_done()
        del self._session  # It refers to this object: break the cycle.
        if failure is not None:
            self._connection.abort()
