"""The journal of events: the last thousand, and bounded queues for those who follow."""

import asyncio
from collections import deque

from router.model import limits
from router.model.events import Event

FOLLOWER_EVENTS_MAX = 256


class EventLog:
    """Keeps the latest events under growing numbers; a follower that does not read is dropped."""

    def __init__(self) -> None:
        self._kept: deque[tuple[int, Event]] = deque(maxlen=limits.EVENTS_KEPT)
        self._followers: set[asyncio.Queue[tuple[int, Event] | None]] = set()
        self._number = 0

    def add(self, event: Event) -> None:
        """Keep ``event`` and hand it to every follower."""
        self._number += 1
        numbered = (self._number, event)
        self._kept.append(numbered)
        for follower in list(self._followers):
            if follower.qsize() >= FOLLOWER_EVENTS_MAX - 1:
                self._followers.discard(follower)
                follower.put_nowait(None)  # The last place tells it that it was dropped.
            else:
                follower.put_nowait(numbered)

    def after(self, number: int = 0) -> list[tuple[int, Event]]:
        """Kept events with a greater number, oldest first."""
        return [entry for entry in self._kept if entry[0] > number]

    def follow(self) -> asyncio.Queue[tuple[int, Event] | None] | None:
        """A queue of what comes next, None in it: dropped. None: too many followers already."""
        if len(self._followers) >= limits.EVENT_CLIENTS_MAX:
            return None
        follower: asyncio.Queue[tuple[int, Event] | None] = asyncio.Queue(FOLLOWER_EVENTS_MAX)
        self._followers.add(follower)
        return follower

    def unfollow(self, follower: asyncio.Queue[tuple[int, Event] | None]) -> None:
        """Stop feeding it. Idempotent."""
        self._followers.discard(follower)
