"""The journal of events: the last thousand, and bounded queues for followers."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable

from router.model import limits
from router.model.events import Event

FOLLOWER_EVENTS_MAX = 256


class EventLog:
    """Stores the latest events under growing numbers; a follower that does not read is dropped.

    ``before``: events of an earlier process of this router, oldest first; numbers continue from
    there. ``older``: reads events stored elsewhere; called in another thread. ``now``: monotonic
    seconds.
    """

    def __init__(
        self,
        before: Iterable[tuple[int, Event]] = (),
        older: Callable[[], list[tuple[int, Event]]] = list,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kept: deque[tuple[int, Event]] = deque(before, maxlen=limits.EVENTS_KEPT)
        self._now = now
        self._added_at: deque[float] = deque(maxlen=limits.EVENTS_KEPT)  # Of this process's events.
        self._followers: set[asyncio.Queue[tuple[int, Event] | None]] = set()
        self._number = max((number for number, _ in self._kept), default=0)
        self.before = self._number
        """The number of the last event of an earlier process; 0: none."""
        self._older = older

    async def since(self, at: str) -> list[tuple[int, Event]]:
        """All known events since ``at`` (UTC, as in events), oldest first."""
        kept = list(self._kept)
        if len(kept) == limits.EVENTS_KEPT and kept[0][1].at > at:
            first = kept[0][0]
            older = await asyncio.to_thread(self._older)
            kept = [*(entry for entry in older if entry[0] < first), *kept]
        return [entry for entry in kept if entry[1].at >= at]

    def add(self, event: Event) -> int:
        """Store ``event``, pass it to every follower, and return its number."""
        self._number += 1
        numbered = (self._number, event)
        self._kept.append(numbered)
        self._added_at.append(self._now())
        for follower in list(self._followers):
            if follower.qsize() >= FOLLOWER_EVENTS_MAX - 1:
                self._followers.discard(follower)
                follower.put_nowait(None)  # The last slot signals that it was dropped.
            else:
                follower.put_nowait(numbered)
        return self._number

    @property
    def newest(self) -> int:
        """The number of the last event; 0: none."""
        return self._number

    def after(self, number: int = 0) -> list[tuple[int, Event]]:
        """Stored events with a greater number, oldest first."""
        return [entry for entry in self._kept if entry[0] > number]

    def of_last(self, seconds: float) -> list[tuple[int, Event]]:
        """Events of this process in the last ``seconds``, oldest first, even if the clock, which
        dates events, was set meanwhile."""
        oldest = self._now() - seconds
        count = sum(at >= oldest for at in self._added_at)
        return list(self._kept)[len(self._kept) - count :]

    def follow(self) -> asyncio.Queue[tuple[int, Event] | None] | None:
        """A queue of coming events; None in it: dropped. None: too many followers already."""
        if len(self._followers) >= limits.EVENT_CLIENTS_MAX:
            return None
        follower: asyncio.Queue[tuple[int, Event] | None] = asyncio.Queue(FOLLOWER_EVENTS_MAX)
        self._followers.add(follower)
        return follower

    def unfollow(self, follower: asyncio.Queue[tuple[int, Event] | None]) -> None:
        """Stop feeding the queue. Idempotent."""
        self._followers.discard(follower)
