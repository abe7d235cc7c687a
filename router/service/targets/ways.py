"""How a request reaches a target of this site: over a kept connection, or a new one."""

from abc import ABC, abstractmethod

from router.model.requests import Request
from router.service.ports import LegTaker, PendingLeg, ServerLeg


class Way(ABC):
    """To one target, by one protocol; the owner of the connections that are kept for it."""

    @abstractmethod
    def take(self, request: Request, taker: LegTaker, *, from_client: bool) -> ServerLeg | None:
        """A leg over a connection that is kept; None: call `dial`.

        ``from_client``: the request comes from a client of this site, not from another site.
        """

    @abstractmethod
    def dial(self, request: Request, taker: LegTaker, *, from_client: bool) -> PendingLeg:
        """Connect, or wait for room at a connection; ``taker`` hears of it."""

    def mean_s(self) -> float:
        """How long the target has a request, on average; 0.0: none has ended, or it has
        connections."""
        return 0.0

    def awaited_count(self) -> int:
        """How many requests the target has in full, or takes no more of, and has not begun to
        answer."""
        return 0

    @abstractmethod
    def shed_idle(self) -> int:
        """Close connections that nobody uses; how many."""

    @abstractmethod
    def close(self) -> None:
        """Close what is idle and keep nothing from now on. Exchanges under way go on."""
