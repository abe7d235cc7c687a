"""What all requests of a router hold in memory, and whether it takes on more."""

from collections.abc import Hashable
from typing import Protocol


class BytesHolder(Hashable, Protocol):
    """Something that keeps bytes of a request."""

    @property
    def size_bytes(self) -> int:
        """How many."""

    def relieve(self) -> None:
        """Let go of them: its owner does without, or gives the request up."""


class Pressure:
    """One for all service ports of a router. ``held_bytes`` is what ``holders`` keep together.

    While ``is_refusing`` nothing new is begun: clients are answered at once, other sites go
    elsewhere. ``refused_total`` counts what was turned down for that.
    """

    __slots__ = ("held_bytes", "holders", "is_refusing", "refused_total")

    def __init__(self) -> None:
        self.held_bytes = 0
        self.holders: dict[BytesHolder, None] = {}
        self.is_refusing = False
        self.refused_total = 0
