"""Routes of one service port that are missing and may be back in a moment."""

from collections.abc import Hashable
from math import inf
from typing import Protocol

from router.model import limits


class Stranded(Hashable, Protocol):
    """A request whose only route broke."""

    def rerouted(self) -> None:
        """Routes changed: try again. The request is no longer stranded."""


class MissingRoutes:
    """Owns the requests that wait for routes to change, and the time for which that makes sense."""

    __slots__ = ("_deserted_at", "_settles_until", "_stranded")

    def __init__(self, settles_until: float) -> None:
        """``settles_until``: until then this router counts as just started."""
        self._settles_until = settles_until
        self._deserted_at = -inf  # No other site has served since.
        self._stranded: dict[Stranded, None] = {}

    @property
    def settles_until(self) -> float:
        """Until then a request without a route waits for one.

        A router that is replaced says goodbye, and its neighbors find the next one in a moment.
        """
        return max(self._settles_until, self._deserted_at + limits.REROUTE_WAIT_S)

    def deserted(self, now: float) -> None:
        """The last other site that served is gone."""
        self._deserted_at = now

    def strand(self, request: Stranded) -> bool:
        """Call ``request.rerouted`` when routes change; False: too many requests wait for that."""
        if len(self._stranded) >= limits.REROUTES_WAITING_MAX:
            return False
        self._stranded[request] = None
        return True

    def unstrand(self, request: Stranded) -> None:
        self._stranded.pop(request, None)

    def changed(self) -> None:
        """Routes changed: all stranded requests try again."""
        for request in list(self._stranded):
            request.rerouted()
