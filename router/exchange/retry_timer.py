"""Timers and budget of a request once an attempt has failed or waits elsewhere; created
only then.
"""

from math import inf
from typing import Protocol

from router.model import limits
from router.net.ports import Timer
from router.service.ports import LegFailure
from router.service.service import Service
from router.service.sites.missing_routes import Stranded


class Repeating(Stranded, Protocol):
    """The request."""

    def look(self) -> None:
        """The time set by `RetryTimer.look_at` has come: check the deadline."""


class RetryTimer:
    """The permit for another attempt, the wait for another way, the timer of the deadline.

    A request whose only way broke tries to find another at every change of routes and every
    `limits.REROUTE_S` (another lane of the same link may do), for `limits.REROUTE_WAIT_S` over all
    the ways that it loses.
    """

    __slots__ = ("_owed", "_request", "_service", "_timer", "_way_timer", "_way_until")

    def __init__(self, service: Service, request: Repeating) -> None:
        self._service = service
        self._request = request
        self._owed: LegFailure | None = None
        self._timer: Timer | None = None
        self._way_timer: Timer | None = None
        self._way_until: float | None = None

    def owe(self, failure: LegFailure) -> None:
        """The next attempt follows ``failure``, and is charged to the budget."""
        self._owed = failure

    def pay(self, now: float) -> LegFailure | None:
        """An attempt is about to begin. Returns the failure to report if none is permitted."""
        owed, service = self._owed, self._service
        if owed is None:
            return None
        permitted = service.retries.take(now)
        service.counters.retry(owed.code, "retried" if permitted else "denied")
        if not permitted:
            return owed
        self._owed = None
        return None

    def look_at(self, when: float) -> None:
        """Call `Repeating.look` at ``when`` and not before; infinite: not at all."""
        self.cancel_timer()
        if when != inf:
            self._timer = self._service.timers.call_at(when, self._look)

    def cancel_timer(self) -> None:
        """Cancel the timer: an answer has begun, or the request is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def wait_for_way(self, now: float) -> bool:
        """`Stranded.rerouted` follows; False: it has waited long enough, or too many wait."""
        if self._way_until is None:
            self._way_until = now + limits.REROUTE_WAIT_S
        if now >= self._way_until or not self._service.routes.strand(self._request):
            return False
        again_at = min(now + limits.REROUTE_S, self._way_until)
        self._way_timer = self._service.timers.call_at(again_at, self._request.rerouted)
        return True

    def leave_way(self) -> None:
        """Stop waiting for a way."""
        if self._way_timer is not None:
            self._way_timer.cancel()
            self._way_timer = None
            self._service.routes.unstrand(self._request)

    def _look(self) -> None:
        self._timer = None
        self._request.look()
