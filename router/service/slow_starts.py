"""Targets of a service port that start slowly, and the timer that lets them grow."""

from collections.abc import Callable

from router.balance.site.ledger import LocalLedger
from router.model import limits
from router.net.ports import Timer, Timers


class SlowStarts:
    """A timer while some target starts slowly. ``grew`` is called when there is more room."""

    __slots__ = ("_grew", "_ledger", "_timer", "_timers")

    def __init__(self, ledger: LocalLedger, timers: Timers, grew: Callable[[], None]) -> None:
        self._ledger = ledger
        self._timers = timers
        self._grew = grew
        self._timer: Timer | None = None

    def begin(self, target: str) -> None:
        """``target`` has just become ready, and there are requests that would all go to it."""
        if self._ledger.start_slowly(target, self._timers.now()):
            self._look_later()

    def _look_later(self) -> None:
        if self._timer is None and self._ledger.sums.is_starting:
            again = self._timers.now() + limits.SLOW_START_STEP_S
            self._timer = self._timers.call_at(again, self._look)

    def _look(self) -> None:
        self._timer = None
        has_grown = self._ledger.grow(self._timers.now())
        self._look_later()
        if has_grown:
            self._grew()
