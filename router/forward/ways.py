"""How a request reaches a target of this site: over what is there, or what must be dialled."""

from abc import ABC, abstractmethod

from router.forward.ports import LegTaker, PendingLeg, Request, ServerLeg


class Way(ABC):
    """To one target, by one protocol; the owner of the connections that are kept for it."""

    @abstractmethod
    def take(self, request: Request, taker: LegTaker, *, via_local: bool) -> ServerLeg | None:
        """A leg over a connection that is there; None: `dial`.

        ``via_local``: the request comes from a client of this site.
        """

    @abstractmethod
    def dial(self, request: Request, taker: LegTaker, *, via_local: bool) -> PendingLeg:
        """Connect, or wait for room at a connection; ``taker`` hears of it."""

    @abstractmethod
    def shed_idle(self) -> int:
        """Close connections that nobody uses; how many."""

    @abstractmethod
    def close(self) -> None:
        """Close what is idle and keep nothing from now on. Exchanges under way go on."""
