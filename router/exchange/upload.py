"""The data of a request beyond its head, as its caller sends it."""

import enum
from collections.abc import Mapping
from typing import Final

import msgspec

from router.exchange.replay import Replay, ReplayOwner
from router.model import limits
from router.net.ports import Buffer
from router.service.pressure import Pressure


class UploadPause(enum.Enum):
    """Whether the caller was stopped, and what must happen before it goes on."""

    NOT = enum.auto()
    BY_KEPT = enum.auto()  # `Replay.is_full`: an attempt must hold a target first.
    BY_LEG = enum.auto()  # The attempt must take the data it was given first.


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
NOT_STOPPED = UploadPause.NOT
_BY_KEPT = UploadPause.BY_KEPT
_BY_LEG = UploadPause.BY_LEG

AFTER_STOPPED: Final[Mapping[UploadPause, frozenset[UploadPause]]] = {
    NOT_STOPPED: frozenset((_BY_KEPT, _BY_LEG)),
    _BY_KEPT: frozenset((NOT_STOPPED, _BY_LEG)),
    _BY_LEG: frozenset((_BY_KEPT,)),
}
"""Allowed successors. When a leg takes more, the stored data is the cause, which may be none."""

LENGTH_NOT_KNOWN = -1
"""Of a body that goes on until its end is signaled."""


class Upload(msgspec.Struct, eq=False):
    """Upload of a request that is not complete with its head; most are.

    ``body_left``: by its head; None: not declared, or the sender has checked it. ``is_held`` in its
    methods: an attempt holds a target.
    """

    body_left: int | None
    in_hand: bool = True
    """All of it is still here: in ``kept``, or there was nothing yet."""
    kept: Replay | None = None
    finished_at: float | None = None
    """When the last of it came."""
    stopped: UploadPause = NOT_STOPPED

    @property
    def is_empty(self) -> bool:
        """All of it is here, and it is empty."""
        return self.in_hand and (self.kept is None or not self.kept.size_bytes)

    def counts(self, size: int) -> bool:
        """``size`` more bytes of ``body_left`` came; False: the head declared fewer."""
        assert self.body_left is not None
        self.body_left -= size
        return self.body_left >= 0

    def goes_on(self) -> None:
        """Bytes without end follow the length declared by its head."""
        self.body_left = None

    def keep(self, data: Buffer, pressure: Pressure, owner: ReplayOwner, is_held: bool) -> Buffer:
        """Store ``data``, unless that is too much once a target is held; returns the
        stored copy.
        """
        kept = self.kept
        size = 0 if kept is None else kept.size_bytes
        if is_held and size + len(data) > limits.REPLAY_BYTES_MAX:
            self.forget()
            return data
        if kept is not None:
            return kept.add(data)
        first = bytes(data)
        self.kept = Replay(pressure, owner, first)
        return first

    def keep_trailers(self, block: bytes, pressure: Pressure, owner: ReplayOwner) -> None:
        if self.kept is None:
            self.kept = Replay(pressure, owner)
        self.kept.add_trailers(block)

    def begins_again(self, *, takes_more: bool) -> None:
        """The caller is stopped, and another attempt was given all stored data."""
        self.stopped = _BY_KEPT if takes_more else _BY_LEG

    def takes_more(self, is_held: bool) -> bool:
        """There is room to store more; else the caller is stopped."""
        kept = self.kept
        if kept is None or not kept.is_full or is_held:
            return True
        if self.stopped is NOT_STOPPED:
            self.stopped = _BY_KEPT
        return False

    def leg_is_full(self) -> None:
        """The caller is stopped until the attempt has taken the data it was given."""
        self.stopped = _BY_LEG

    def leg_has_room(self) -> None:
        """The attempt has taken it. `ceases_to_stop` shows whether nothing else holds the caller
        back.
        """
        if self.stopped is _BY_LEG:
            self.stopped = _BY_KEPT

    def ceases_to_stop(self, is_held: bool) -> bool:
        """The caller was stopped, and need not be any more: it must be notified."""
        kept = self.kept
        if self.stopped is _BY_KEPT and (kept is None or not kept.is_full or is_held):
            self.stopped = NOT_STOPPED
            return True
        return False

    def forget(self) -> None:
        """From here on the request cannot be sent again."""
        self.in_hand = False
        kept, self.kept = self.kept, None
        if kept is not None:
            kept.drop()
