"""Requests that were abandoned while a target had them: their slots wait for the target."""

from collections.abc import Callable

from router.model import limits
from router.net.ports import Timer, Timers
from router.service.ports import LegCode

GIVEN_UP: frozenset[LegCode] = frozenset(("cancelled", "target-timeout", "stalled"))
"""Failures after which the target may still work on the request."""


class Abandoned:
    """A request that a target has and no client waits for: a `Lingering`.

    It ends when its connection reports the end, and after ``seconds`` at the latest; then
    ``expired`` is called first.
    """

    __slots__ = ("_after", "_expired", "_timer", "_unread_bytes")

    def __init__(
        self, timers: Timers, seconds: float, expired: Callable[[], None] | None = None
    ) -> None:
        self._expired = expired
        self._after: Callable[[], None] | None = None
        self._unread_bytes = 0
        self._timer: Timer | None = timers.call_at(timers.now() + seconds, self._time_is_up)

    def then(self, after: Callable[[], None]) -> None:
        """Call ``after`` once it has ended, at once if it has."""
        if self._timer is None:
            after()
        else:
            self._after = after

    def discard(self, size_bytes: int) -> bool:
        """``size_bytes`` of an answer came. False: more than may be discarded."""
        self._unread_bytes += size_bytes
        return self._unread_bytes <= limits.LINGER_DISCARD_BYTES_MAX

    def end(self) -> None:
        """The target is done with it."""
        timer, self._timer = self._timer, None
        if timer is None:
            return
        timer.cancel()
        self._expired = None  # It refers to this object: break the cycle.
        after, self._after = self._after, None
        if after is not None:
            after()

    def _time_is_up(self) -> None:
        if self._expired is not None:
            self._expired()
        self.end()


def hold_s(usual_s: float) -> float:
    """How long a slot waits for a target whose requests usually take ``usual_s``, 0.0:
    not known.
    """
    return min(usual_s, limits.ABANDONED_S_MAX) if usual_s else limits.ABANDONED_S_MAX
