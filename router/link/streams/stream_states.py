"""The states of a stream's two directions at one end, and what may follow each."""

import enum
from collections.abc import Mapping
from typing import Final


class Sending(enum.Enum):
    """Of what this end sends."""

    OFFERED = enum.auto()  # The peer opened it and waits for our answer.
    HELD = enum.auto()  # ACCEPTED is due; most often an ANSWER is in time to say so as well.
    OPEN = enum.auto()  # Data may follow.
    FINISHING = enum.auto()  # All was given; it waits for its turn.
    ENDED = enum.auto()  # The peer has, or will have, all of it.


class Receiving(enum.Enum):
    """Of what this end receives."""

    UNANSWERED = enum.auto()  # We opened it, and wait for the peer's answer.
    OPEN = enum.auto()  # Data may follow.
    TRAILED = enum.auto()  # Trailers came; only the end may follow.
    ENDED = enum.auto()  # All came.


AFTER_SENDING: Final[Mapping[Sending, frozenset[Sending]]] = {
    Sending.OFFERED: frozenset((Sending.HELD, Sending.OPEN, Sending.FINISHING)),
    Sending.HELD: frozenset((Sending.OPEN, Sending.FINISHING)),
    Sending.OPEN: frozenset((Sending.FINISHING,)),
    Sending.FINISHING: frozenset((Sending.ENDED,)),
    Sending.ENDED: frozenset(),
}
"""What may follow. A stream that is over, as it may be in any of these, stays as it was."""

AFTER_RECEIVING: Final[Mapping[Receiving, frozenset[Receiving]]] = {
    Receiving.UNANSWERED: frozenset((Receiving.OPEN, Receiving.ENDED)),
    Receiving.OPEN: frozenset((Receiving.TRAILED, Receiving.ENDED)),
    Receiving.TRAILED: frozenset((Receiving.ENDED,)),
    Receiving.ENDED: frozenset(),
}
"""What may follow. ``UNANSWERED`` to ``ENDED``: one ANSWER is all."""
