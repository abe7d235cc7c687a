"""Whether a target of this site takes requests, and what may follow each state."""

import enum
from collections.abc import Mapping
from typing import Final


class TargetAvailability(enum.Enum):
    """Whether a target takes new requests."""

    UNREADY = enum.auto()  # No check has succeeded yet, or the last ones failed.
    READY = enum.auto()
    EJECTED = enum.auto()  # Failed requests took it out.
    LEAVING = enum.auto()  # It is no longer a target, and finishes its requests.


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
UNREADY = TargetAvailability.UNREADY
READY = TargetAvailability.READY
EJECTED = TargetAvailability.EJECTED
LEAVING = TargetAvailability.LEAVING

AFTER_AVAILABILITY: Final[Mapping[TargetAvailability, frozenset[TargetAvailability]]] = {
    UNREADY: frozenset((READY, EJECTED, LEAVING)),
    READY: frozenset((UNREADY, EJECTED, LEAVING)),
    EJECTED: frozenset((UNREADY, READY, LEAVING)),
    LEAVING: frozenset((UNREADY,)),
}
"""Allowed successors. ``LEAVING`` to ``UNREADY``: it is a target again, and is checked first."""
