"""A link that goes on with newer certificates: its next session, and the older ones.

The next session is dialed beside the one that is up, to the same address, so that the same router
lets it in. Its control lane comes up, then its data lane; only then does it take over, and the old
session opens nothing more and goes with its last stream. If it fails, it is tried again later: the
session that is up still has the rest of its certificate's life.
"""

import random
from collections.abc import Callable

from router.link.fault import Fault
from router.link.sessions.session import LinkSession
from router.link.streams.mux import LaneMux
from router.model import limits
from router.net.ports import Connection, Dial, DialFailure, Timer, Timers, Tls

Connected = Callable[[Connection, Tls], LaneMux]
DialPlace = Callable[[Connected, Callable[[DialFailure], None]], Dial]
"""Dials the place that the link is connected to, with the present certificates."""

_SUCCEEDED = Fault("succeeded", "the link goes on with newer certificates")
_TOO_MANY = Fault("succeeded", "the link got newer certificates too often while it had streams")


class Succession:
    """Owns the session that will replace the one in use, and ``older`` ones that were replaced."""

    def __init__(
        self,
        timers: Timers,
        rng: random.Random,
        *,
        dial: DialPlace,
        new_session: Callable[[Tls], LinkSession],
        again: Callable[[], None],
    ) -> None:
        """``again`` is called when it is time for another try, after a failed one."""
        self.older: list[LinkSession] = []  # They go with their last streams.
        self._timers = timers
        self._rng = rng
        self._dial_place = dial
        self._new_session = new_session
        self._again = again
        self._next: LinkSession | None = None
        self._dial: Dial | None = None
        self._timer: Timer | None = None
        self._failures = 0

    @property
    def stream_count(self) -> int:
        """Streams of sessions that were replaced."""
        return sum(one.lanes.stream_count for one in self.older)

    def begin(self) -> None:
        """Dial the next session, unless it is on its way or failed a moment ago."""
        if self._next is None and self._dial is None and self._timer is None:
            self._dial = self._dial_place(self._connected, self._not_dialed)

    def cancel(self) -> None:
        """There is nothing to replace any more; sessions that drain go on."""
        for pending in (self._dial, self._timer):
            if pending is not None:
                pending.cancel()
        self._dial = self._timer = None
        self._let_next_go()

    def set_cost(self, cost: int) -> None:
        """The link's cost changed, and so that of the next session."""
        if self._next is not None:
            self._next.set_cost(cost)

    # Events of sessions.

    def is_next(self, session: LinkSession) -> bool:
        """Whether ``session`` waits to replace the one that is up."""
        return session is self._next

    def next_up(self) -> None:
        """The handshake is done. A data lane that joins will show that we are let in."""
        self._dial = self._dial_place(self._joins, self._not_dialed)

    def next_changed(self) -> bool:
        """A data lane of the next session came or went. True: now it takes over."""
        session = self._next
        assert session is not None
        if session.lanes.data.current is not None:
            return True
        if session.is_up and self._dial is None and not session.lanes.is_joining:
            self._let_next_go()
            self._failed()
        return False

    def take_over(self, before: LinkSession) -> None:
        """The next session is the link from now on, and the old one drains."""
        self._next = None
        self._failures = 0
        self._let_go(before)

    def session_down(self, session: LinkSession) -> bool:
        """A session is over. Returns whether it was one of these."""
        if session in self.older:
            self.older.remove(session)
            return True
        if session is self._next:
            self._next = None
            self._failed()
            return True
        return False

    def _let_go(self, session: LinkSession) -> None:
        """Let a session open nothing more and end with its last stream."""
        self.older.append(session)
        if len(self.older) > limits.LINKS_SUCCEEDED_MAX:
            min(self.older, key=lambda one: one.lanes.stream_count).close(
                _TOO_MANY
            )  # The one with the fewest streams.
        until = self._timers.now() + limits.LINK_SUCCEEDED_S
        session.drain(_SUCCEEDED, wholly=True, deadline=until)

    def _let_next_go(self) -> None:
        """The next session will not take over. The acceptor may have opened streams on it
        already."""
        following, self._next = self._next, None
        if following is not None:
            self._let_go(following)

    # Dialing.

    def _connected(self, connection: Connection, tls: Tls) -> LaneMux:
        self._dial = None
        session = self._next = self._new_session(tls)
        lane = session.new_lane(connection)
        session.start(lane)
        return lane

    def _joins(self, connection: Connection, tls: Tls) -> LaneMux:
        self._dial = None
        assert self._next is not None
        lane = self._next.new_lane(connection)
        self._next.join(lane, tls.certificate)
        return lane

    def _not_dialed(self, failure: DialFailure) -> None:
        self._dial = None
        self._let_next_go()
        self._failed()

    def _failed(self) -> None:
        if self._dial is not None:
            self._dial.cancel()
            self._dial = None
        grown_s = limits.SUCCEED_RETRY_MIN_S * 2 ** min(self._failures, 16)
        pause_s = min(limits.SUCCEED_RETRY_MAX_S, grown_s) * self._rng.uniform(0.5, 1.0)
        self._failures += 1
        self._timer = self._timers.call_at(self._timers.now() + pause_s, self._try_again)

    def _try_again(self) -> None:
        self._timer = None
        self._again()
