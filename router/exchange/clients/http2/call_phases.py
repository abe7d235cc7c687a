"""The phases of one request of an HTTP/2 client, by its response, and what may follow each."""

import enum
from collections.abc import Mapping
from typing import Final


class Http2CallPhase(enum.Enum):
    """The phase of a request that was accepted."""

    WAITING = enum.auto()  # No final head yet.
    HELD = enum.auto()  # A head that may be the whole response.
    BODY = enum.auto()
    ENDED = enum.auto()  # The leg reports no more of the response; its rest may not be sent yet.
    OVER = enum.auto()


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
WAITING = Http2CallPhase.WAITING
HELD = Http2CallPhase.HELD
BODY = Http2CallPhase.BODY
ENDED = Http2CallPhase.ENDED
OVER = Http2CallPhase.OVER

AFTER_CALL_PHASE: Final[Mapping[Http2CallPhase, frozenset[Http2CallPhase]]] = {
    WAITING: frozenset((HELD, BODY, OVER)),
    HELD: frozenset((ENDED, OVER)),
    BODY: frozenset((ENDED, OVER)),
    ENDED: frozenset((OVER,)),
    OVER: frozenset(),
}
"""Allowed successors. ``WAITING`` to ``OVER``: the response came whole, or there is none."""
