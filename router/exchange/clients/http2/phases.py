"""The phases of an HTTP/2 client's connection, and what may follow each."""

import enum
from collections.abc import Mapping
from typing import Final


class Http2Phase(enum.Enum):
    """The phase of a client's connection, for its whole life."""

    PREFACE = enum.auto()  # It has not shown yet that it speaks HTTP/2.
    SERVING = enum.auto()
    LEAVING = enum.auto()  # GOAWAY is sent; streams on their way still count.
    LAST = enum.auto()  # No new stream is served.
    CLOSING = enum.auto()  # FIN is sent; input is dropped.
    OVER = enum.auto()  # The connection is lost, or was reset.


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
PREFACE = Http2Phase.PREFACE
SERVING = Http2Phase.SERVING
LEAVING = Http2Phase.LEAVING
LAST = Http2Phase.LAST
CLOSING = Http2Phase.CLOSING
OVER = Http2Phase.OVER

AFTER_PHASE: Final[Mapping[Http2Phase, frozenset[Http2Phase]]] = {
    PREFACE: frozenset((SERVING, CLOSING, OVER)),
    SERVING: frozenset((LEAVING, LAST, CLOSING, OVER)),
    LEAVING: frozenset((LAST, CLOSING, OVER)),
    LAST: frozenset((CLOSING, OVER)),
    CLOSING: frozenset((OVER,)),
    OVER: frozenset(),
}
"""Allowed successors. ``SERVING`` to ``LAST``: the client leaves."""
