"""A client's TCP connection at a listener, joined to one leg: bytes raw both ways."""

from collections.abc import Callable

from router.forward.ports import Leg, LegFailure, LegHandler, Request
from router.model import limits
from router.model.ids import ServiceKey
from router.net.ports import Connection, Loss, Timer, Timers

OpenLeg = Callable[[Request, LegHandler], Leg]


class TcpSession:
    """The client's side: a `ConnectionHandler`.

    Half-close passes both ways. A reset of the client aborts the leg; anything but a complete
    exchange resets the client, so that a torn answer is never taken for a whole one. A client that
    is done, both ends finished, leaves the rest of what it sent on its way. A connection
    on which nothing moves for `limits.TUNNEL_IDLE_S` is aborted, at twice that at the latest; with
    one direction finished it is `limits.HALF_CLOSED_IDLE_S`.
    """

    __slots__ = (
        "_answer",
        "_connection",
        "_gone",
        "_half_closed",
        "_leg",
        "_moved",
        "_timer",
        "_timers",
    )

    def __init__(
        self,
        connection: Connection,
        *,
        key: ServiceKey,
        open_leg: OpenLeg,
        timers: Timers,
    ) -> None:
        self._connection = connection
        self._timers = timers
        self._moved = False
        self._half_closed = False
        self._gone = False
        self._answer = _Answer(self, connection)
        self._leg = open_leg(Request(key=key, protocol="tcp", body_bytes=-1), self._answer)
        self._answer.leg = self._leg
        self._timer: Timer = self._watch()

    def abort(self) -> None:
        """Reset the client now, whatever is under way."""
        self._connection.abort()

    def shed_idle(self) -> bool:
        """False: nobody can tell whether it waits for something."""
        return False

    def drain(self) -> None:
        """Nothing to do: the exchange under way ends by itself."""

    def moved(self) -> None:
        """Bytes passed towards the client."""
        self._moved = True

    def half_closed(self) -> None:
        """One direction finished: what is left has less time."""
        if not self._half_closed:
            self._half_closed = True
            self._timer.cancel()
            self._timer = self._watch()

    # ConnectionHandler

    def received(self, data: memoryview) -> None:
        self._moved = True
        if not self._leg.send(data):
            self._connection.pause()

    def ended(self) -> None:
        self._leg.finish()
        self.half_closed()

    def writable(self) -> None:
        self._leg.resume()

    def lost(self, cause: Loss | None) -> None:
        self._gone = True
        self._answer.leg = None
        if self._answer.over:
            self._let_go()
        elif cause is not None:
            self._timer.cancel()
            self._leg.abort()

    def over(self) -> None:
        """The leg is done."""
        if self._gone:
            self._let_go()

    def _let_go(self) -> None:
        """Both sides are over. They hold each other: let no cycle wait for the collector."""
        self._timer.cancel()
        del self._answer, self._leg

    def _watch(self) -> Timer:
        idle_s = limits.HALF_CLOSED_IDLE_S if self._half_closed else limits.TUNNEL_IDLE_S
        self._moved = False
        return self._timers.call_at(self._timers.now() + idle_s, self._look)

    def _look(self) -> None:
        if self._moved:
            self._timer = self._watch()
        elif self._gone:
            self._leg.abort()
        else:
            self._connection.abort()


class _Answer:
    """The leg's side: a `LegHandler` that writes to the client."""

    __slots__ = ("_connection", "_session", "leg", "over")

    def __init__(self, session: TcpSession, connection: Connection) -> None:
        self._session = session
        self._connection = connection
        self.leg: Leg | None = None
        self.over = False

    def opened(self) -> None:
        self._session.moved()

    def head(self, head: bytes, body_bytes: int) -> None:
        raise AssertionError("a response head on a tcp leg")

    def received(self, data: memoryview) -> None:
        self._session.moved()
        if not self._connection.send(data) and self.leg is not None:
            self.leg.pause()

    def trailers(self, block: bytes) -> None:
        raise AssertionError("trailers on a tcp leg")

    def ended(self) -> None:
        self._connection.finish()
        self._session.half_closed()

    def writable(self) -> None:
        self._connection.resume()

    def done(self, failure: LegFailure | None) -> None:
        self.over = True
        self._session.over()
        if failure is not None:
            self._connection.abort()
