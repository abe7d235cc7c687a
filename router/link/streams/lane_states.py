"""Who may still open streams on a lane, of each end, and what may follow."""

import enum
from collections.abc import Mapping
from typing import Final


class Opening(enum.Enum):
    """Of the streams that this end opens."""

    NOT_YET = enum.auto()  # The peer is not known yet.
    ALLOWED = enum.auto()
    LAST_DUE = enum.auto()  # None follows; LAST tells the peer so, behind the last OPEN.
    LAST_SENT = enum.auto()  # The peer knows, or will know.
    OVER = enum.auto()  # The lane failed or was closed.


class PeerOpening(enum.Enum):
    """Of the streams that the peer opens."""

    NOT_YET = enum.auto()  # It is not known yet.
    ALLOWED = enum.auto()
    ASKED = enum.auto()  # We sent DRAIN; what it opens meanwhile is served.
    LAST_RECEIVED = enum.auto()  # None follows.


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
"""A lane that is over stays as it was: nothing more is received on it."""
