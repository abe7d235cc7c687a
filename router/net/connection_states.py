"""The states of a connection's two directions at one end, and the allowed transitions."""

import enum
from collections.abc import Mapping
from typing import Final


class TcpReading(enum.Enum):
    """The direction that the peer sends."""

    WANTED = enum.auto()  # Incoming bytes are read and delivered.
    PAUSED = enum.auto()  # Its owner wants none for now.
    HELD = enum.auto()  # Wanted again once the sink's kernel has the last spliced bytes.
    HELD_PAUSED = enum.auto()  # As HELD, and paused by its owner.
    ENDED = enum.auto()  # The peer's end was read.
    OVER = enum.auto()  # The connection is closed.


class TcpSending(enum.Enum):
    """The direction that this end sends."""

    OPEN = enum.auto()
    FULL = enum.auto()  # Above the high mark: `writable` is due once the kernel has everything.
    ENDING = enum.auto()  # The end follows the unsent bytes.
    ENDED = enum.auto()  # The kernel has the end, too.
    FAILED = enum.auto()  # The peer takes no more; data that it sent before is still read.
    OVER = enum.auto()  # The connection is closed.


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
WANTED = TcpReading.WANTED
PAUSED = TcpReading.PAUSED
HELD = TcpReading.HELD
HELD_PAUSED = TcpReading.HELD_PAUSED
ALL_READ = TcpReading.ENDED
READING_OVER = TcpReading.OVER
OPEN = TcpSending.OPEN
FULL = TcpSending.FULL
ENDING = TcpSending.ENDING
ENDED = TcpSending.ENDED
FAILED = TcpSending.FAILED
OVER = TcpSending.OVER

AFTER_READING: Final[Mapping[TcpReading, frozenset[TcpReading]]] = {
    WANTED: frozenset((PAUSED, HELD, ALL_READ, READING_OVER)),
    PAUSED: frozenset((WANTED, READING_OVER)),
    HELD: frozenset((WANTED, HELD_PAUSED, READING_OVER)),
    HELD_PAUSED: frozenset((PAUSED, HELD, READING_OVER)),
    ALL_READ: frozenset((READING_OVER,)),
    READING_OVER: frozenset(),
}
"""The allowed transitions. Nothing is read while paused or held, so no end either."""

AFTER_SENDING: Final[Mapping[TcpSending, frozenset[TcpSending]]] = {
    OPEN: frozenset((FULL, ENDING, FAILED, OVER)),
    FULL: frozenset((OPEN, ENDING, FAILED, OVER)),
    ENDING: frozenset((ENDED, FAILED, OVER)),
    ENDED: frozenset((OVER,)),
    FAILED: frozenset((OVER,)),
    OVER: frozenset(),
}
"""The allowed transitions. ``ENDING`` to ``OVER``: the peer had ended, so closing sends our end."""
