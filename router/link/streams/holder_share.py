"""The time of a turn for reading all lanes of one holder.

A holder is the site or token that answers for lanes here, see `Neighbour.holder`. A site with many
links, or all sites that one token let in, get no more of this router than a neighbor with one link
while others wait, whatever they send.
"""

import enum
from collections.abc import Mapping
from typing import Final, Protocol

from router.link.streams.buffers import LinkBuffers
from router.model import limits
from router.net.ports import Timers

UNKNOWN_HOLDER = ""
"""The holder of all peers that have not proved their identity."""


class ReadLane(Protocol):
    """The calls of a share to the lanes of its holder."""

    @property
    def buffers(self) -> LinkBuffers:
        """The buffers of its link."""

    def hold_reading(self) -> None:
        """Read nothing until `read_on`."""

    def read_on(self) -> None: ...


class Turn(enum.Enum):
    """The state of one holder in a turn."""

    FREE = enum.auto()  # All of its lanes are read.
    SHARED = enum.auto()  # Those that were read last wait for the turn's end.
    OVER = enum.auto()  # All lanes wait for the turn's end.


AFTER_TURN: Final[Mapping[Turn, frozenset[Turn]]] = {
    Turn.FREE: frozenset((Turn.OVER,)),
    Turn.SHARED: frozenset((Turn.OVER, Turn.FREE)),
    Turn.OVER: frozenset((Turn.SHARED, Turn.FREE)),
}


class HolderShare:
    """The share of one holder. Once its lanes took the time of a turn, all of them wait for the
    next turn; those that were read last wait until none of the others takes as much.

    No time is lost: when no other holder waits, the next turn comes at once. The lanes of a single
    link do not wait for each other.
    """

    __slots__ = (
        *("_lanes", "_left_s", "_read", "_timers", "_to"),
        *("holder", "short_s", "turn"),
    )

    def __init__(self, timers: Timers, holder: str) -> None:
        self._timers = timers
        self.holder = holder
        self.short_s = limits.READ_SHORT_S
        """A shorter read is not reported: one of each lane adds up to no more than a turn's
        time."""
        self._lanes: dict[ReadLane, None] = {}
        self._read: dict[ReadLane, None] = {}  # Read lately, so that these may wait for the others.
        self._to = self._left_s = 0.0  # `_left_s` of reading time is left until `_to`.
        self.turn = Turn.FREE

    def joined(self, lane: ReadLane) -> None:
        """``lane`` belongs to the holder from now on."""
        self._lanes[lane] = None
        self._count()

    def left(self, lane: ReadLane) -> None:
        """``lane`` is over. Idempotent."""
        self._lanes.pop(lane, None)
        self._read.pop(lane, None)
        self._count()

    def _count(self) -> None:
        most_s = limits.TURN_READ_S_MAX / max(1, len(self._lanes))
        self.short_s = min(limits.READ_SHORT_S, most_s)

    @property
    def lanes(self) -> int:
        """The number of lanes."""
        return len(self._lanes)

    def took(self, lane: ReadLane, began: float, ended: float) -> None:
        """Reading ``lane`` took this time; the data may have ended the lane."""
        if began >= self._to:
            self._to, self._left_s = began + limits.TURN_S_MAX, limits.TURN_READ_S_MAX
            if self.turn is Turn.FREE:
                self._read.clear()
        if lane in self._lanes:
            self._read[lane] = None
        self._left_s -= ended - began
        if self._left_s < 0 and len({one.buffers for one in self._lanes}) > 1:
            self._over()

    def _over(self) -> None:
        was, self.turn = self.turn, Turn.OVER
        for one in self._lanes:
            one.hold_reading()
        if was is Turn.FREE:
            self._timers.at_turn_end(self._turn_end)

    def _turn_end(self) -> None:
        """Read the lanes that waited, or all if none of these took so much time that the turn was
        over again."""
        unread = [one for one in self._lanes if one not in self._read]
        some_wait = self.turn is Turn.OVER and bool(unread)
        self.turn = Turn.SHARED if some_wait else Turn.FREE
        self._to = 0.0
        if some_wait:
            self._timers.call_at(
                self._timers.now(), lambda: self._timers.at_turn_end(self._turn_end)
            )
        else:
            self._read.clear()
        for one in unread if some_wait else list(self._lanes):
            one.read_on()


class HolderShares:
    """Shares by holder, for holders with lanes."""

    __slots__ = ("_shares", "_timers")

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._shares: dict[str, HolderShare] = {}

    def lanes(self, holder: str) -> int:
        """How many lanes ``holder`` has."""
        found = self._shares.get(holder)
        return 0 if found is None else found.lanes

    def of(self, holder: str) -> HolderShare:
        """The share of ``holder``, which is getting another lane."""
        found = self._shares.get(holder)
        if found is None:
            self._shares = {name: one for name, one in self._shares.items() if one.lanes}
            found = self._shares[holder] = HolderShare(self._timers, holder)
        return found
