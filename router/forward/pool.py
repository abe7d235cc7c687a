"""Connections to one target: idle ones kept for reuse, new ones dialled, waits watched."""

from collections.abc import Callable
from math import inf
from typing import Protocol

from router.forward.abandoned import Abandoned, hold_s
from router.forward.turn_writer import TurnWriter
from router.model import limits
from router.model.settings import Timeouts
from router.net.ports import (
    Connection,
    ConnectionHandler,
    Dial,
    DialFailure,
    Loss,
    Network,
    Timer,
    Timers,
    Tls,
)

DEFAULT_TIMEOUTS = Timeouts()


def sweep_s(timeouts: Timeouts) -> float:
    """How often connections must be looked at for deadlines of these to be kept well enough."""
    shortest_s = min(timeouts.response_s, timeouts.idle_s)
    return min(limits.POOL_SWEEP_S, limits.POOL_SWEEP_SHARE * shortest_s)


class TargetUser(ConnectionHandler, Protocol):
    """Who has taken a `TargetConnection` out of its pool, for one exchange."""

    def overdue(self) -> None:
        """`TargetConnection.deadline` has passed."""


class TargetConnection:
    """One connection to a target, for its whole life: in use by one exchange at a time, or idle.

    ``deadline`` (absolute seconds) is set by its user while it waits for the target; it is judged
    by the pool's sweep, so that a request costs no timer: late by at most `POOL_SWEEP_S` and by
    `POOL_SWEEP_SHARE` of the shortest timeout.
    """

    __slots__ = (
        "_pool",
        "address",
        "connection",
        "deadline",
        "expires",
        "idle_since",
        "is_reused",
        "user",
        "writer",
    )

    def __init__(
        self, pool: "TargetPool", connection: Connection, address: str, timers: Timers
    ) -> None:
        self._pool = pool
        self.connection = connection
        self.address = address
        """Where it leads if the target is given by a name, else empty."""
        self.writer = TurnWriter(connection, timers)
        self.user: TargetUser | None = None
        self.deadline = inf
        self.is_reused = False
        self.idle_since = 0.0
        self.expires = 0.0

    def received(self, data: memoryview) -> None:
        user = self.user
        if user is not None:
            user.received(data)
        else:
            self._pool.spoilt(self)

    def ended(self) -> None:
        if self.user is not None:
            self.user.ended()
        else:
            self._pool.left(self)

    def writable(self) -> None:
        self.writer.drained()
        if self.user is not None:
            self.user.writable()

    def lost(self, cause: Loss | None) -> None:
        self._pool.forgotten(self)
        if self.user is not None:
            self.user.lost(cause)


class TargetPool:
    """The connections to the target at ``host``:``port``, all made with the same settings.

    Other settings are another pool: exchanges under way end by those they began with. A connection
    to an address that ``host`` no longer stands for is not used again.
    """

    def __init__(
        self,
        network: Network,
        host: str,
        port: int,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        tls: Tls | None = None,
    ) -> None:
        self._network = network
        self._host = host
        self._port = port
        self._connect_s = timeouts.connect_s
        self.response_s = timeouts.response_s
        """From the end of a request to the head of its response."""
        self.idle_s = timeouts.idle_s
        """While a message is under way and nothing of it moves."""
        self._tls = tls
        self._sweep_s = sweep_s(timeouts)
        self._idle: list[TargetConnection] = []  # Oldest first; the newest is taken first.
        self._open: set[TargetConnection] = set()
        self._closed = False
        self._sweep: Timer | None = None
        self.usual_s = 0.0
        """The mean that the target has a request for; 0.0: not known. Set in place (hot)."""

    @property
    def idle_count(self) -> int:
        """Connections kept for reuse right now."""
        return len(self._idle)

    @property
    def open_count(self) -> int:
        """Connections in use or idle."""
        return len(self._open)

    def acquire(self, idempotent: bool) -> TargetConnection | None:
        """An idle connection, the caller to become its ``user`` at once; None: dial.

        Its deadline is that of a request which is complete.
        A request that is not idempotent gets only one that was in use a moment ago: the target's
        own idle close would otherwise be the commonest way to lose it.
        """
        idle = self._idle
        if not idle:
            return None
        now = self._network.now()
        while idle:
            candidate = idle[-1]
            if not idempotent and now - candidate.idle_since > limits.POOL_FRESH_S:
                return None
            idle.pop()
            if now < candidate.expires and (
                not candidate.address or self._network.is_current(self._host, candidate.address)
            ):
                candidate.is_reused = True
                candidate.deadline = now + self.response_s
                return candidate
            self._retire(candidate)
        return None

    def dial(
        self,
        connected: Callable[[TargetConnection], None],
        failed: Callable[[DialFailure], None],
    ) -> Dial:
        """A new connection, its ``user`` to be set by ``connected``. One of the two comes later.

        Its deadline is as of `acquire`.
        """

        def opened(connection: Connection) -> ConnectionHandler:
            address = connection.peer.host
            target = TargetConnection(
                self, connection, "" if address == self._host else address, self._network
            )
            target.deadline = self._network.now() + self.response_s
            self._open.add(target)
            self._arm()
            connected(target)
            return target

        return self._network.dial(
            self._host, self._port, opened, failed, timeout_s=self._connect_s, tls=self._tls
        )

    def release(self, target: TargetConnection, idle_s: float) -> None:
        """Take back a connection whose exchange is complete; it may idle for ``idle_s``."""
        target.user = None
        target.deadline = inf
        if self._closed or idle_s <= 0 or len(self._idle) >= limits.POOL_IDLE_PER_TARGET_MAX:
            self._retire(target)
            return
        now = self._network.now()
        target.idle_since = now
        target.expires = now + idle_s
        self._idle.append(target)

    def discard(self, target: TargetConnection) -> None:
        """Drop a connection that cannot be used again."""
        target.user = None
        target.deadline = inf
        target.writer.drop()
        target.connection.abort()

    def abandon(self, target: TargetConnection, *, has_all: bool) -> Abandoned:
        """Give up the exchange on a connection: say so to the target, and wait until it knows.

        A target that ``has_all`` of the request may answer by closing its side. One that has not is
        reset: what it has must not look whole. So are all where many connections are open.
        """
        seconds = hold_s(self.usual_s)
        if not has_all or len(self._open) > limits.ABANDONED_OPEN_MAX:
            self.discard(target)
            return Abandoned(self._network, seconds)
        connection = target.connection
        target.user = abandoned = Abandoned(self._network, seconds, connection)
        target.deadline = inf
        target.writer.drop()
        connection.resume()
        connection.finish()
        return abandoned

    def close(self) -> None:
        """Close what is idle and keep nothing from now on. Exchanges under way go on."""
        self._closed = True
        self.shed_idle()

    def shed_idle(self) -> int:
        """Close what is idle now; how many."""
        idle, self._idle = self._idle, []
        for target in idle:
            self._retire(target)
        return len(idle)

    def spoilt(self, target: TargetConnection) -> None:
        """An idle connection brought bytes that nobody asked for."""
        if target in self._idle:
            self._idle.remove(target)
        target.connection.abort()

    def left(self, target: TargetConnection) -> None:
        """The target closed an idle connection."""
        if target in self._idle:
            self._idle.remove(target)
            self._retire(target)

    def forgotten(self, target: TargetConnection) -> None:
        """A connection is over."""
        self._open.discard(target)
        if target.user is None and target in self._idle:
            self._idle.remove(target)
        if not self._open and self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def _retire(self, target: TargetConnection) -> None:
        target.deadline = self._network.now() + limits.LINGER_DISCARD_S
        target.connection.finish()

    def _arm(self) -> None:
        if self._sweep is None:
            when = self._network.now() + self._sweep_s
            self._sweep = self._network.call_at(when, self._swept)

    def _swept(self) -> None:
        self._sweep = None
        now = self._network.now()
        stale = [target for target in self._idle if now >= target.expires]
        if stale:
            self._idle = [target for target in self._idle if now < target.expires]
        for target in stale:
            self._retire(target)
        for target in [target for target in self._open if now >= target.deadline]:
            target.deadline = inf
            if target.user is not None:
                target.user.overdue()
            else:
                target.connection.abort()  # Retired, and the target would not close its side.
        if self._open:
            self._arm()
