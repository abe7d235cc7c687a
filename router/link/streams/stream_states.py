"""The states of a stream's two directions at one end, and their allowed transitions."""

import enum
from collections.abc import Mapping
from typing import Final


class Sending(enum.Enum):
    """The direction that this end sends."""

    OFFERED = enum.auto()  # The peer opened it and waits for our answer.
    HELD = enum.auto()  # ACCEPTED is due; usually an ANSWER comes in time to replace it.
    OPEN = enum.auto()  # Data may follow.
    FINISHING = enum.auto()  # Everything was queued; it waits for its turn.
    ENDED = enum.auto()  # The peer has, or will get, all of it.


class Receiving(enum.Enum):
    """The direction that this end receives."""

    UNANSWERED = enum.auto()  # We opened it, and wait for the peer's answer.
    OPEN = enum.auto()  # Data may follow.
    TRAILED = enum.auto()  # Trailers came; only the end may follow.
    ENDED = enum.auto()  # Everything came.


AFTER_SENDING: Final[Mapping[Sending, frozenset[Sending]]] = {
    Sending.OFFERED: frozenset((Sending.HELD, Sending.OPEN, Sending.FINISHING)),
    Sending.HELD: frozenset((Sending.OPEN, Sending.FINISHING)),
    Sending.OPEN: frozenset((Sending.FINISHING,)),
    Sending.FINISHING: frozenset((Sending.ENDED,)),
    Sending.ENDED: frozenset(),
}
"""The allowed transitions. A stream that is over, in any of these states, keeps its state."""

AFTER_RECEIVING: Final[Mapping[Receiving, frozenset[Receiving]]] = {
    Receiving.UNANSWERED: frozenset((Receiving.OPEN, Receiving.ENDED)),
    Receiving.OPEN: frozenset((Receiving.TRAILED, Receiving.ENDED)),
    Receiving.TRAILED: frozenset((Receiving.ENDED,)),
    Receiving.ENDED: frozenset(),
}
"""The allowed transitions. ``UNANSWERED`` to ``ENDED``: one ANSWER is everything."""
