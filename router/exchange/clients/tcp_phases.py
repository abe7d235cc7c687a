"""The phases of a TCP client's connection, and what may follow each."""

import enum
from collections.abc import Mapping
from typing import Final


class TcpPhase(enum.Enum):
    """The phase of a client's connection, for its whole life."""

    OPEN = enum.auto()
    HALF_CLOSED = enum.auto()  # One direction has finished, or both.
    GONE = enum.auto()  # The connection is lost; its leg may last longer.


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
OPEN = TcpPhase.OPEN
HALF_CLOSED = TcpPhase.HALF_CLOSED
GONE = TcpPhase.GONE

AFTER_TCP_PHASE: Final[Mapping[TcpPhase, frozenset[TcpPhase]]] = {
    OPEN: frozenset((HALF_CLOSED, GONE)),
    HALF_CLOSED: frozenset((GONE,)),
    GONE: frozenset(),
}
"""Allowed successors."""
