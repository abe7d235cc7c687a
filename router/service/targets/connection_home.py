"""The owner of a connection to a target, as the connection sees it."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from router.model.settings import Timeouts
from router.service.targets.target_answers import TargetAnswers

C_contra = TypeVar("C_contra", contravariant=True)


class ConnectionHome(ABC, Generic[C_contra]):
    """The owner of the connections to one target, as they see it."""

    response_s: float
    """From the end of a request to the head of its response."""
    idle_s: float
    """While a message is under way and nothing of it moves."""
    timeouts: Timeouts
    """All time-outs; the two above are read with each request."""
    answers: TargetAnswers
    """Counts parts of answers."""
    usual_s: float
    """The mean time from a whole request to its whole answer; 0.0: not known."""

    @property
    @abstractmethod
    def is_crowded(self) -> bool:
        """So many connections are open that none is kept for an abandoned request."""

    @abstractmethod
    def keep(self, connection: C_contra, idle_s: float, took_s: float) -> bool:
        """The exchange of ``connection`` is complete: it may idle for ``idle_s``. False: it must
        not.

        The target had the request for ``took_s``; negative: not known.
        """

    @abstractmethod
    def remove(self, connection: C_contra) -> None:
        """``connection`` is no longer idle."""

    @abstractmethod
    def forget(self, connection: C_contra) -> None:
        """``connection`` is over."""

    @abstractmethod
    def shed_idle(self) -> int:
        """Close the idle connections; returns how many."""
