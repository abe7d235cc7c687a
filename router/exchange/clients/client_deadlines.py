"""How long an HTTP client may take: to send, to read, to close."""

from collections.abc import Callable
from math import inf

from router.model import limits
from router.net.ports import Connection, Timer, Timers
from router.service.turn_writer import TurnWriter


def _nobody(now: float) -> None:
    """The callback once it is over."""


class LastBytes:
    """Whether a client takes the last bytes sent to it, once its ``connection`` is finished.

    A client that takes some has time to take more.
    """

    __slots__ = ("_connection", "_left_bytes", "_stalls_at")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._left_bytes: int | None = None  # At the last check.
        self._stalls_at = 0.0

    def are_taken(self, now: float) -> bool:
        """Some are left, and the client took some within `limits.CLOSING_STALL_S`."""
        left = self._connection.undelivered_bytes
        if left != self._left_bytes:
            self._left_bytes = left
            self._stalls_at = now + limits.CLOSING_STALL_S
        return left > 0 and now < self._stalls_at


class Floor:
    """Whether a body comes fast enough, over the time since the last check.

    ``since`` and ``seen_bytes``: when that was, and how much of the body had come.
    """

    __slots__ = ("seen_bytes", "since")

    def __init__(self, now: float, seen_bytes: int = 0) -> None:
        self.since = now
        self.seen_bytes = seen_bytes

    def restart(self, now: float, seen_bytes: int = 0) -> None:
        """Another body begins, or this one may come again; ``seen_bytes`` of it have come."""
        self.since = now
        self.seen_bytes = seen_bytes

    def is_missed(self, now: float, seen_bytes: int, rate_min: int) -> bool:
        """Less than ``rate_min`` a second has come; by now it is ``seen_bytes`` in all.

        A check within `limits.BODY_GRACE_S` of the last one does not count.
        """
        elapsed_s = now - self.since
        if elapsed_s < limits.BODY_GRACE_S:
            return False
        slow = seen_bytes - self.seen_bytes < rate_min * elapsed_s
        self.restart(now, seen_bytes)
        return slow


class ClientDeadlines:
    """The deadline of one connection, and how much its client has sent and read since the last
    check.

    One timer checks one deadline: ``due`` is called at least every `limits.SESSION_TICK_S` and no
    later than the deadline, and must then set another. The timer is armed again when it fires and
    when a deadline is set before it: a deadline moved away costs nothing, and with the usual
    settings none is ever set before it.
    """

    __slots__ = (
        "_due",
        "_is_over",
        "_last_bytes",
        "_timer",
        "_timers",
        "_writer",
        "armed_at",
        "deadline",
        "floor",
    )

    def __init__(
        self,
        writer: TurnWriter,
        timers: Timers,
        due: Callable[[float], None],
        allowance_s: float,
    ) -> None:
        self._writer = writer
        self._timers = timers
        self._due = due
        self._is_over = False
        self._last_bytes: LastBytes | None = None  # While closing.
        now = timers.now()
        self.floor = Floor(now)
        """Of the body of the request under way."""
        # Hot, so set in place by the session: code that sets a deadline before `armed_at` rearms.
        self.deadline = now + allowance_s
        tick_s = limits.SESSION_TICK_S
        self.armed_at = now + (allowance_s if allowance_s < tick_s else tick_s)
        self._timer: Timer | None = timers.call_at(self.armed_at, self._tick)

    def touch(self, allowance_s: float) -> None:
        """Set the deadline to ``allowance_s`` from now."""
        now = self._timers.now()
        self.deadline = deadline = now + allowance_s
        if deadline < self.armed_at:
            self.rearm(now)

    def rearm(self, now: float) -> None:
        """The deadline was set before the timer, or there is none."""
        if self._timer is not None:
            self._timer.cancel()
        if self._is_over:
            self._timer = None
            return
        self.armed_at = min(self.deadline, now + limits.SESSION_TICK_S)
        self._timer = self._timers.call_at(self.armed_at, self._tick)

    def stop(self) -> None:
        """Stop all checks."""
        self._is_over = True
        self._due = _nobody  # It refers to this object: break the cycle.
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Data that the client reads.

    def takes_at_least(self, size_bytes: float) -> bool:
        """The client is slow, but has taken ``size_bytes`` since the last check, and at least
        something.
        """
        taken = self._writer.taken_bytes()
        return taken > 0 and taken >= size_bytes

    def close(self, connection: Connection, allowance_s: float) -> None:
        """``connection`` is finished: as `touch`, and `still_reads` begins."""
        self._last_bytes = LastBytes(connection)
        self.touch(allowance_s)

    def still_reads(self, now: float) -> bool:
        """Some of our last bytes are left, and it took some within `limits.CLOSING_STALL_S`."""
        return self._last_bytes is not None and self._last_bytes.are_taken(now)

    def _tick(self) -> None:
        self._timer = None
        self.armed_at = inf
        now = self._timers.now()
        self._due(now)
        if not self._is_over and self._timer is None:
            self.rearm(now)
