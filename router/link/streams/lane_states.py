"""Whether each end of a lane may still open streams, and the allowed transitions."""

import enum
from collections.abc import Mapping
from typing import Final


class Opening(enum.Enum):
    """For the streams that this end opens."""

    NOT_YET = enum.auto()  # The peer is not known yet.
    ALLOWED = enum.auto()
    LAST_DUE = enum.auto()  # No OPEN follows; LAST will say so, behind the last OPEN.
    LAST_SENT = enum.auto()  # The peer knows, or will know.
    OVER = enum.auto()  # The lane failed or was closed.


class PeerOpening(enum.Enum):
    """For the streams that the peer opens."""

    NOT_YET = enum.auto()  # The peer is not known yet.
    ALLOWED = enum.auto()
    ASKED = enum.auto()  # We sent DRAIN; streams that it opens meanwhile are served.
    LAST_RECEIVED = enum.auto()  # No OPEN follows.


AFTER_OPENING: Final[Mapping[Opening, frozenset[Opening]]] = {
    Opening.NOT_YET: frozenset((Opening.ALLOWED, Opening.OVER)),
    Opening.ALLOWED: frozenset((Opening.LAST_DUE, Opening.OVER)),
    Opening.LAST_DUE: frozenset((Opening.LAST_SENT, Opening.OVER)),
    Opening.LAST_SENT: frozenset((Opening.OVER,)),
    Opening.OVER: frozenset(),
}

AFTER_PEER_OPENING: Final[Mapping[PeerOpening, frozenset[PeerOpening]]] = {
    PeerOpening.NOT_YET: frozenset((PeerOpening.ALLOWED,)),
    PeerOpening.ALLOWED: frozenset((PeerOpening.ASKED, PeerOpening.LAST_RECEIVED)),
    PeerOpening.ASKED: frozenset((PeerOpening.LAST_RECEIVED,)),
    PeerOpening.LAST_RECEIVED: frozenset(),
}
"""A lane that is over keeps its state: nothing more is received on it."""
