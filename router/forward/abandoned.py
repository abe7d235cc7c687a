"""Requests that were given up while a target had them: their slots wait for the target."""

from collections.abc import Callable

from router.forward.ports import LegCode
from router.model import limits
from router.net.ports import Connection, Loss, Timer, Timers

GIVEN_UP: frozenset[LegCode] = frozenset(("cancelled", "target-timeout", "stalled"))
"""Failures after which the target may still work on the request."""


class Abandoned:
    """A request that a target has and no client waits for.

    It ends when the target closes its connection, after ``seconds`` at the latest, which resets it.
    It is the `TargetUser` of ``connection``; without one only the time counts.
    """

    __slots__ = ("_after", "_connection", "_read_bytes", "_timer")

    def __init__(
        self, timers: Timers, seconds: float, connection: Connection | None = None
    ) -> None:
        self._connection = connection
        self._read_bytes = 0
        self._after: Callable[[], None] | None = None
        self._timer: Timer | None = timers.call_at(timers.now() + seconds, self._expired)

    def then(self, after: Callable[[], None]) -> None:
        """Call ``after`` once it has ended, at once if it has."""
        if self._timer is None:
            after()
        else:
            self._after = after

    # TargetUser

    def received(self, data: memoryview) -> None:
        """The answer, or the rest of it: discarded, and bounded."""
        self._read_bytes += len(data)
        if self._read_bytes > limits.LINGER_DISCARD_BYTES_MAX:
            self._expired()

    def ended(self) -> None:
        self._expired()  # Both ends are done with it.

    def writable(self) -> None: ...

    def lost(self, cause: Loss | None) -> None:
        self._end()

    def overdue(self) -> None: ...

    def _expired(self) -> None:
        connection = self._connection
        self._end()
        if connection is not None:
            connection.abort()

    def _end(self) -> None:
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        self._connection = None  # It holds us: let no cycle wait for the collector.
        after, self._after = self._after, None
        if after is not None:
            after()


def hold_s(usual_s: float) -> float:
    """How long a slot waits for a target that usually has a request for ``usual_s``, 0.0: not
    known."""
    return min(usual_s, limits.ABANDONED_S_MAX) if usual_s else limits.ABANDONED_S_MAX
