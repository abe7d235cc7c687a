"""Memory held by all requests of a router, and whether it accepts more."""

from collections.abc import Hashable
from typing import Protocol


class BytesHolder(Hashable, Protocol):
    """An object that stores bytes of a request."""

    @property
    def size_bytes(self) -> int:
        """How many bytes."""

    def relieve(self) -> None:
        """Release them: its owner does without, or abandons the request."""


class Pressure:
    """One for all service ports of a router. ``held_bytes``: total bytes stored by ``holders``.

    While ``is_refusing`` nothing new is begun: clients are answered at once, other sites go
    elsewhere. ``refused_total`` counts the refusals for that reason.
    """

    __slots__ = ("held_bytes", "holders", "is_refusing", "refused_total")

    def __init__(self) -> None:
        self.held_bytes = 0
        self.holders: dict[BytesHolder, None] = {}
        self.is_refusing = False
        self.refused_total = 0
