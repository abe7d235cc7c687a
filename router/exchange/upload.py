"""What a caller sends of a request beyond its head."""

import enum

import msgspec

from router.exchange.replay import Replay


class Stopped(enum.Enum):
    """Whether the caller was told to send no more, and what has to happen first."""

    NOT = enum.auto()
    BY_KEPT = enum.auto()  # `Replay.is_full`: an attempt has to hold a target.
    BY_LEG = enum.auto()  # The attempt has to take what it was given.


NOT_STOPPED = Stopped.NOT
LENGTH_NOT_KNOWN = -1
"""Of a body that goes on until its end is said."""


class Upload(msgspec.Struct, eq=False):
    """Of a request that is not whole with its head; most are. Written in place by its exchange.

    ``body_left``: by its head; None: it does not say, or who sends it has judged it.
    """

    body_left: int | None
    in_hand: bool = True
    """All of it is still here: in ``kept``, or there was nothing yet."""
    kept: Replay | None = None
    finished_at: float | None = None
    """When the last of it came."""
    stopped: Stopped = NOT_STOPPED

    @property
    def is_empty(self) -> bool:
        """All of it is here, and it is nothing."""
        return self.in_hand and (self.kept is None or not self.kept.size_bytes)

    def forget(self) -> None:
        """From here on it cannot be sent again."""
        self.in_hand = False
        kept, self.kept = self.kept, None
        if kept is not None:
            kept.drop()
