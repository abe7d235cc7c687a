"""A connection to an HTTP/1.1 target: its states, and how it ends."""

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from router.model import limits
from router.net.ports import Connection, Loss, Timers
from router.service.targets.abandoned import Abandoned, hold_s
from router.service.targets.connection_home import ConnectionHome
from router.service.targets.wire_states import WireEvent, WireState
from router.service.turn_writer import TurnWriter

# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
IDLE = WireState.IDLE
ASKED = WireState.ASKED
RAW = WireState.RAW
RAW_ENDED = WireState.RAW_ENDED
GIVEN_UP = WireState.GIVEN_UP
LEAVING = WireState.LEAVING
OVER = WireState.OVER
IN_USE = (ASKED, RAW, RAW_ENDED)

Actions = Mapping[tuple[WireState, WireEvent], Callable[[Any], None]]
"""The action for a state and an event. A pair that is missing cannot occur."""


class TargetConnection:
    """A connection owned by its ``home``. Its subclass, `HttpTarget`, sends the requests.

    ``address``: its address if the target is given by a name, else empty. ``deadline`` (absolute
    seconds) is checked by the sweep of its home, so that no request costs a timer: late by at most
    `POOL_SWEEP_S` and by `POOL_SWEEP_SHARE` of the shortest timeout.
    """

    __slots__ = (
        "_actions",
        "_connection",
        "_home",
        "_is_reused",
        "_timers",
        "_writer",
        "address",
        "deadline",
        "expires",
        "idle_since",
        "lingers",
        "state",
    )

    def __init__(
        self,
        home: ConnectionHome[Any],
        connection: Connection,
        address: str,
        timers: Timers,
        actions: Actions,
    ) -> None:
        self._home = home
        self._connection = connection
        self._actions = actions
        self._timers = timers
        self._writer = TurnWriter(connection, timers)
        self.address = address
        self.state = IDLE
        self.deadline = inf
        self._is_reused = False
        self.lingers: Abandoned | None = None

    # Called by the connection.

    def ended(self) -> None:
        self._actions[self.state, WireEvent.ENDED](self)

    def writable(self) -> None:
        self._writer.drained()
        self._actions[self.state, WireEvent.WRITABLE](self)

    def lost(self, cause: Loss | None) -> None:
        self._home.forget(self)
        self._actions[self.state, WireEvent.CLOSED if cause is None else WireEvent.LOST](self)

    def overdue(self) -> None:
        """The deadline has passed."""
        self.deadline = inf
        self._actions[self.state, WireEvent.OVERDUE](self)

    def _received_unasked(self, size_bytes: int) -> None:
        """No request is under way: the answer to an abandoned one is discarded, bounded."""
        if self.state is not GIVEN_UP:
            self._home.remove(self)
            self._reset_connection()
        elif self.lingers is not None and not self.lingers.discard(size_bytes):
            self._reset_and_release()

    # Abandoned requests.

    def _give_up_request(self, *, is_complete: bool) -> None:
        """Show the target that no client waits, and let the slot wait until it knows.

        A target that has all of the request may answer by closing its side. One that has not is
        reset: its part of the request must not look whole. When many connections are open, all are
        reset.
        """
        home, seconds = self._home, hold_s(self._home.usual_s)
        if not is_complete or home.is_crowded:
            self._reset_connection()
            self.lingers = Abandoned(self._timers, seconds)
            return
        self.state = GIVEN_UP
        self.deadline = inf
        self.lingers = Abandoned(self._timers, seconds, self._reset_connection)
        self._writer.drop()
        self._connection.resume()
        self._connection.finish()

    def _reset_and_release(self) -> None:
        """The target is done with an abandoned request, or sends too much."""
        self._reset_connection()
        self._release_slot()

    def _release_slot(self) -> None:
        self.state = OVER
        if self.lingers is not None:
            self.lingers.end()

    def retire(self) -> None:
        """Close the connection: nothing is under way on it."""
        self.state = LEAVING
        self.deadline = self._timers.now() + limits.LINGER_DISCARD_S
        self._connection.finish()

    def _closed_while_idle(self) -> None:
        """The target closed it while it was idle."""
        self._home.remove(self)
        self.retire()

    def _reset_connection(self) -> None:
        """Reset the connection."""
        self.state = OVER
        self.deadline = inf
        self._writer.drop()
        self._connection.abort()

    def _lost_while_idle(self) -> None:
        self._home.remove(self)
        self.state = OVER

    def _nothing(self) -> None:
        """The event needs no action."""
