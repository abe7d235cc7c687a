"""The states of an exchange with an HTTP/2 target, request and answer, and what may follow."""

import enum
from collections.abc import Mapping
from typing import Final


class Http2Asking(enum.Enum):
    """The state of the request."""

    OPEN = enum.auto()  # More of its body may follow.
    FULL = enum.auto()  # Likewise, once the target has taken the bytes sent: `writable` is due.
    COMPLETE = enum.auto()


class Http2Answering(enum.Enum):
    """The state of the answer, and with it of the exchange."""

    AWAITED = enum.auto()  # No final head of a response has come.
    BEGUN = enum.auto()  # The head has come; its body or its end will follow.
    DONE = enum.auto()  # `done` was called or is about to be.


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
OPEN = Http2Asking.OPEN
FULL = Http2Asking.FULL
COMPLETE = Http2Asking.COMPLETE
AWAITED = Http2Answering.AWAITED
BEGUN = Http2Answering.BEGUN
DONE = Http2Answering.DONE

AFTER_ASKING: Final[Mapping[Http2Asking, frozenset[Http2Asking]]] = {
    OPEN: frozenset((FULL, COMPLETE)),
    FULL: frozenset((OPEN, COMPLETE)),
    COMPLETE: frozenset(),
}
"""Allowed successors. An abandoned request stays in its state."""

AFTER_ANSWERING: Final[Mapping[Http2Answering, frozenset[Http2Answering]]] = {
    AWAITED: frozenset((BEGUN, DONE)),
    BEGUN: frozenset((DONE,)),
    DONE: frozenset(),
}
"""Allowed successors. ``AWAITED`` to ``DONE``: the answer came whole, or there is none."""
