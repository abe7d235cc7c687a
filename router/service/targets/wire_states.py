"""The states of a connection to an HTTP target, and its events."""

import enum


class WireState(enum.Enum):
    """The state of a connection."""

    IDLE = enum.auto()  # Kept for a request, or about to have its first one.
    ASKED = enum.auto()  # A request and its response are under way.
    RAW = enum.auto()  # After 101.
    RAW_ENDED = enum.auto()  # Likewise, and the target has finished its direction.
    GIVEN_UP = enum.auto()  # No client waits for the response; a slot waits for the target.
    LEAVING = enum.auto()  # We have finished, the target has not.
    OVER = enum.auto()  # Reset or lost.


class WireEvent(enum.Enum):
    """An event of a connection."""

    ENDED = enum.auto()  # The target has finished its direction.
    WRITABLE = enum.auto()
    CLOSED = enum.auto()  # Both have finished.
    LOST = enum.auto()
    OVERDUE = enum.auto()  # Its deadline has passed.
