"""How a request reaches a target of this site: over an open connection, or a new one."""

from abc import ABC, abstractmethod

from router.model.requests import Request
from router.service.ports import LegTaker, PendingLeg, ServerLeg


class Way(ABC):
    """A way to one target, by one protocol; owns the connections kept for it."""

    @abstractmethod
    def take(self, request: Request, taker: LegTaker, *, from_client: bool) -> ServerLeg | None:
        """A leg over an open connection; None: call `dial`.

        ``from_client``: the request comes from a client of this site, not from another site.
        """

    @abstractmethod
    def dial(self, request: Request, taker: LegTaker, *, from_client: bool) -> PendingLeg:
        """Connect, or wait for room at a connection; ``taker`` gets the result."""

    def mean_s(self) -> float:
        """The mean time that the target has a request; 0.0: none has ended, or the way
        serves tcp.
        """
        return 0.0

    def awaited_count(self) -> int:
        """How many requests the target has in full, or takes no more of, and has not begun to
        answer.
        """
        return 0

    @abstractmethod
    def shed_idle(self) -> int:
        """Close unused connections; returns how many."""

    @abstractmethod
    def close(self) -> None:
        """Close idle connections and keep none from now on. Exchanges under way go on."""
