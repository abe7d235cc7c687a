"""Stores the data sent of a request so far, so that it can be sent again."""

from typing import Protocol

from router.model import limits
from router.net.ports import Buffer
from router.service.ports import Leg
from router.service.pressure import Pressure


class ReplayOwner(Protocol):
    """The owner of the bytes in a `Replay`."""

    def relieve(self) -> None:
        """Memory is short: see `BytesHolder`."""


class Replay:
    """The bytes and trailers of one request direction, in order.

    It has no bound: its user checks whether it ``is_full`` before adding, and pushes back or drops.
    A user that no longer needs it calls `drop`, so that ``pressure`` counts the bytes of all.
    """

    __slots__ = ("_keeper", "_parts", "_pressure", "_trailers", "is_full", "size_bytes")

    def __init__(self, pressure: Pressure, keeper: ReplayOwner, first: bytes = b"") -> None:
        """``first``: bytes stored already."""
        self._keeper = keeper
        self._pressure = pressure
        self._parts = [first] if first else []
        self._trailers = b""
        self.size_bytes = size = len(first)
        self.is_full = size >= limits.REPLAY_BYTES_MAX
        """There are at least `limits.REPLAY_BYTES_MAX`."""
        if size:
            pressure.holders[self] = None
            pressure.held_bytes += size

    def relieve(self) -> None:
        """Memory is short."""
        self._keeper.relieve()

    def add(self, data: Buffer) -> bytes:
        """Store ``data``; returns the copy, so that it is made once. `bytes` are not copied."""
        kept = bytes(data)
        self._parts.append(kept)
        pressure, size = self._pressure, len(kept)
        if size and not self.size_bytes:
            pressure.holders[self] = None
        self.size_bytes += size
        self.is_full = self.size_bytes >= limits.REPLAY_BYTES_MAX
        pressure.held_bytes += size
        return kept

    def add_trailers(self, block: bytes) -> None:
        self._trailers = block

    def drop(self) -> None:
        """Forget the data: the last call."""
        if self.size_bytes:
            pressure = self._pressure
            del pressure.holders[self]
            pressure.held_bytes -= self.size_bytes
            self.size_bytes = 0
        self._parts = []

    def play(self, leg: Leg) -> bool:
        """Send all of it to ``leg``; False when that is above its mark."""
        room = True
        for part in self._parts:
            room = leg.send(part)
        if self._trailers:
            leg.send_trailers(self._trailers)
        return room
