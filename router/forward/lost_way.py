"""Waiting for another way: of a request whose only one broke, so that no site was left to try."""

from router.forward.service import Service, Stranded
from router.model import limits
from router.net.ports import Timer


class LostWay:
    """One request's patience, `limits.REROUTE_WAIT_S` over all the ways that it loses.

    Routes will change, or another lane of the same link may do: it looks again at every change of
    routes, and every `limits.REROUTE_S`.
    """

    __slots__ = ("_request", "_service", "_timer", "_until")

    def __init__(self, service: Service, request: Stranded, now: float) -> None:
        self._service = service
        self._request = request
        self._until = now + limits.REROUTE_WAIT_S
        self._timer: Timer | None = None

    def wait(self, now: float) -> bool:
        """`Stranded.rerouted` follows; False: it has waited long enough, or too many do."""
        if now >= self._until or not self._service.strand(self._request):
            return False
        again_at = min(now + limits.REROUTE_S, self._until)
        self._timer = self._service.timers.call_at(again_at, self._request.rerouted)
        return True

    def leave(self) -> None:
        """It waits no more, if it did."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._service.unstrand(self._request)
