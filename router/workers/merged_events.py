"""Selects events of other processes of a site that this process reports too. Pure.

The others are workers of one router, or routers of one namespace. Most of their events occur here
too: a target that is down, a link that is up. Only the other process knows the rest, such as a
target that failed only the requests of that process.
"""

from collections import deque

import msgspec

from router.model.events import Event
from router.model.limits import WORKER_EVENT_HELD_S, WORKER_EVENT_SAME_S, WORKER_EVENTS_HELD_MAX


class _Held(msgspec.Struct, frozen=True):
    reporter: str
    event: Event
    heard_at: float


class MergedEvents:
    """Holds each event for a moment, in case this or another process reports the same.

    The same: with one code and subject, within `limits.WORKER_EVENT_SAME_S`. An event below warning
    counts only if it follows a warning with that reporter and subject: each process reports healthy
    states when it starts.
    """

    __slots__ = ("_held", "_reported_at", "_warned_at")

    def __init__(self) -> None:
        self._held: deque[_Held] = deque(maxlen=WORKER_EVENTS_HELD_MAX)
        self._reported_at: dict[tuple[str, str], float] = {}  # By code and subject.
        self._warned_at: dict[tuple[str, str], float] = {}  # By reporter and subject.

    def reported(self, event: Event, now: float) -> None:
        """This process reports the event, its own or another one's."""
        self._reported_at[event.code, event.subject] = now

    def heard(self, reporter: str, event: Event, now: float) -> None:
        """Another process reported the event: ``Worker 2``."""
        self._held.append(_Held(reporter, event, now))

    def due(self, now: float) -> list[Event]:
        """The events to report now, each prefixed with its reporter. `reported` follows for
        each."""
        oldest = now - WORKER_EVENT_SAME_S
        found: dict[tuple[str, str], Event] = {}
        while self._held and self._held[0].heard_at <= now - WORKER_EVENT_HELD_S:
            one = self._held.popleft()
            same, after = (one.event.code, one.event.subject), self._counts_after(one, oldest)
            if after is not None and self._reported_at.get(same, after) <= after:
                found.setdefault(same, _named(one))
        if not self._held:
            self._reported_at = {same: at for same, at in self._reported_at.items() if at > oldest}
        return list(found.values())

    def _counts_after(self, one: _Held, oldest: float) -> float | None:
        """Reports since then are the same as ``one``; None: it does not count."""
        whose = one.reporter, one.event.subject
        if one.event.severity == "info":
            warned_at = self._warned_at.pop(whose, None)
            return None if warned_at is None else max(oldest, warned_at)
        if len(self._warned_at) < WORKER_EVENTS_HELD_MAX:
            self._warned_at[whose] = one.heard_at
        return oldest


def _named(one: _Held) -> Event:
    return msgspec.structs.replace(one.event, message=f"{one.reporter}: {one.event.message}")
