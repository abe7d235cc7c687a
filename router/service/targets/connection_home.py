"""What a connection to a target knows of those who keep it."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from router.model.settings import Timeouts
from router.service.targets.target_answers import TargetAnswers

C_contra = TypeVar("C_contra", contravariant=True)


class ConnectionHome(ABC, Generic[C_contra]):
    """Where connections to one target are kept, as they see it."""

    response_s: float
    """From the end of a request to the head of its response."""
    idle_s: float
    """While a message is under way and nothing of it moves."""
    timeouts: Timeouts
    """All, of which the two above are looked at with each request."""
    answers: TargetAnswers
    """Where parts of answers are counted."""
    usual_s: float
    """The mean time from a whole request to its whole answer; 0.0: not known."""

    @property
    @abstractmethod
    def is_crowded(self) -> bool:
        """So many connections are open that none is kept for a request that was given up."""

    @abstractmethod
    def keep(self, connection: C_contra, idle_s: float, took_s: float) -> bool:
        """Its exchange is complete: it may idle for ``idle_s``. False: it must not.

        The target had the request for ``took_s``; negative: not known.
        """

    @abstractmethod
    def remove(self, connection: C_contra) -> None:
        """It idles no longer."""

    @abstractmethod
    def forget(self, connection: C_contra) -> None:
        """It is over."""

    @abstractmethod
    def shed_idle(self) -> int:
        """Close what is idle now; how many."""
