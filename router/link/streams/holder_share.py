"""The time of a turn in which all lanes of one holder are read.

A holder is who answers for lanes here, see `Neighbour.holder`: a site with many links, or all sites
that one token let in, get no more of this router than a neighbor with one link while others wait,
whatever they send.
"""

import enum
from collections.abc import Mapping
from typing import Final, Protocol

from router.link.streams.buffers import LinkBuffers
from router.model import limits
from router.net.ports import Timers

UNKNOWN_HOLDER = ""
"""Of all who have not proved who they are."""


class ReadLane(Protocol):
    """What a share does with the lanes of its holder."""

    @property
    def buffers(self) -> LinkBuffers:
        """Of its link."""

    def hold_reading(self) -> None:
        """Read nothing until `read_on`."""

    def read_on(self) -> None: ...


class Turn(enum.Enum):
    """Of one holder."""

    FREE = enum.auto()  # All of its lanes are read.
    SHARED = enum.auto()  # Those that were read last wait for its end.
    OVER = enum.auto()  # All wait for its end.


AFTER_TURN: Final[Mapping[Turn, frozenset[Turn]]] = {
    Turn.FREE: frozenset((Turn.OVER,)),
    Turn.SHARED: frozenset((Turn.OVER, Turn.FREE)),
    Turn.OVER: frozenset((Turn.SHARED, Turn.FREE)),
}


class HolderShare:
    """Of one holder. Once its lanes took the time of a turn, all of them wait for the next turn;
    those that were read last wait until none of the others takes as much.

    No time is lost: with nobody else to serve, the next turn comes at once. The lanes of a single
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
        """A read that lasts no longer is not told: one of each lane are no more than a turn's."""
        self._lanes: dict[ReadLane, None] = {}
        self._read: dict[ReadLane, None] = {}  # Of late, so that they may wait for the others.
        self._to = self._left_s = 0.0  # Until when so much time is left.
        self.turn = Turn.FREE

    def joined(self, lane: ReadLane) -> None:
        """``lane`` is of the holder from now on."""
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
        """How many there are."""
        return len(self._lanes)

    def took(self, lane: ReadLane, began: float, ended: float) -> None:
        """``lane``, which may have left by that, was read for so long."""
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
        """Read those that were not, or all if none of these took so much that it was over again."""
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
    """By holder, of those with lanes."""

    __slots__ = ("_shares", "_timers")

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._shares: dict[str, HolderShare] = {}

    def lanes(self, holder: str) -> int:
        """How many lanes ``holder`` has."""
        found = self._shares.get(holder)
        return 0 if found is None else found.lanes

    def of(self, holder: str) -> HolderShare:
        """The share of ``holder``, which has another lane now."""
        found = self._shares.get(holder)
        if found is None:
            self._shares = {name: one for name, one in self._shares.items() if one.lanes}
            found = self._shares[holder] = HolderShare(self._timers, holder)
        return found
