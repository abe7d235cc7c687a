"""The rate of a service port at this site, and the timer that checks it."""

from collections.abc import Callable

from router.balance.site.ledger import LocalLedger
from router.model import limits
from router.net.ports import Timer, Timers


class RateWatch:
    """A timer while there is a rate, and targets. ``changed`` is called when the rate's state
    changes.

    A rate can turn over or calm by time alone, without any request.
    """

    __slots__ = ("_changed", "_has_targets", "_ledger", "_state", "_timer", "_timers")

    def __init__(self, ledger: LocalLedger, timers: Timers, changed: Callable[[], None]) -> None:
        self._ledger = ledger
        self._timers = timers
        self._changed = changed
        self._has_targets = False
        self._state = 0  # At the last run of this timer: other code uses gates, too.
        self._timer: Timer | None = None

    def look(self, *, has_targets: bool) -> None:
        """The targets, or the rate, may have changed."""
        self._has_targets = has_targets
        self._look_later()

    def _look_later(self) -> None:
        if self._timer is None and self._ledger.rated and self._has_targets:
            again = self._timers.now() + limits.RATE_LOOK_S
            self._timer = self._timers.call_at(again, self._look)

    def _look(self) -> None:
        self._timer = None
        self._look_later()
        rate = self._ledger.rate_load(self._timers.now())
        state = rate.state if rate is not None else 0
        if state != self._state:
            self._state = state
            self._changed()
