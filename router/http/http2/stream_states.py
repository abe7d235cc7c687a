"""The states of an HTTP/2 stream's two directions (RFC 9113, 5.1), and the allowed transitions."""

import enum
from collections.abc import Mapping
from typing import Final


class Http2Sending(enum.Enum):
    """The direction that we send."""

    OPEN = enum.auto()  # More may be queued.
    ENDING = enum.auto()  # Everything is queued; the end follows the queue.
    TEARING = enum.auto()  # Everything is queued; a reset follows instead of the end.
    ENDED = enum.auto()  # The end was sent.
    OVER = enum.auto()  # The stream is over both ways, and its user gets no more calls.


class Http2Receiving(enum.Enum):
    """The direction that the peer sends."""

    AWAITED = enum.auto()  # No head has come, or only interim ones.
    HEARD = enum.auto()  # Data or trailers may follow.
    ENDED = enum.auto()  # Everything came.


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
OPEN = Http2Sending.OPEN
ENDING = Http2Sending.ENDING
TEARING = Http2Sending.TEARING
ENDED = Http2Sending.ENDED
OVER = Http2Sending.OVER
AWAITED = Http2Receiving.AWAITED
HEARD = Http2Receiving.HEARD
ALL_HEARD = Http2Receiving.ENDED

AFTER_SENDING: Final[Mapping[Http2Sending, frozenset[Http2Sending]]] = {
    OPEN: frozenset((ENDING, TEARING, ENDED, OVER)),
    ENDING: frozenset((ENDED, OVER)),
    TEARING: frozenset((OVER,)),
    ENDED: frozenset((OVER,)),
    OVER: frozenset(),
}
"""The allowed transitions. ``OPEN`` to ``ENDED``: the end went with a head or a whole answer."""

AFTER_RECEIVING: Final[Mapping[Http2Receiving, frozenset[Http2Receiving]]] = {
    AWAITED: frozenset((HEARD, ALL_HEARD)),
    HEARD: frozenset((ALL_HEARD,)),
    ALL_HEARD: frozenset(),
}
"""The allowed transitions. ``AWAITED`` to ``ENDED``: the end came with the head or a whole
answer."""
