"""A slot of a target of this site, and why a request gets none."""

from enum import Enum
from typing import Protocol

import msgspec

from router.balance.site.lending import Borrower, Lending
from router.balance.targets.target import Target
from router.balance.targets.target_states import READY
from router.model.ids import SiteId


class Denied(Enum):
    """Why there is no slot."""

    FULL = "full"  # Ready targets exist, none has room.
    NO_TARGET = "no-target"  # No ready target, or only excluded ones.


class SlotOwner(Protocol):
    """A ledger, as seen by the slots that it gave."""

    def give_back(self, slot: "Slot") -> None:
        """The slot's request is over: called once."""


class Slot(msgspec.Struct, eq=False):
    """Permission to have one request or connection at ``target`` (``host:port``).

    One per request, hence a struct: it is created in C.
    """

    target: str
    held_of: Target
    ledger: SlotOwner | None
    """The ledger that gave it; None: it is given back."""
    borrower: Borrower | None = None
    """The neighbor that it counts for; None: it counts for none."""
    since: float = 0.0
    """When it was given."""

    @property
    def in_flight(self) -> int:
        """Slots held at its target, this one included."""
        return self.held_of.in_flight

    @property
    def is_good(self) -> bool:
        """The target is still ready: neither down nor removed."""
        return self.held_of.availability is READY

    def lend(self, lending: Lending, link: SiteId) -> None:
        """Count the slot for neighbor ``link``, unless that brings clients of this site."""
        if not lending.is_own(link):
            self.borrower = lending.borrow(link)

    def replace(self, other: "Slot") -> None:
        """Count the slot for the neighbor of ``other``, which is about to be given back."""
        self.borrower, other.borrower = other.borrower, None

    def release(self, now: float) -> None:
        """Give it back, exactly once; a second time is an AssertionError."""
        ledger = self.ledger
        assert ledger is not None, "slot released twice"
        ledger.give_back(self)


Outcome = Slot | Denied
