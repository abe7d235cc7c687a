"""OPENs of one service port that another site has not answered yet: finds the silent sites."""

from collections.abc import Callable
from typing import Protocol

from router.model import limits
from router.model.ids import SiteId
from router.net.ports import Timers
from router.service.sites.remotes import Remotes


class Unanswered(Protocol):
    """A stream that waits for ACCEPTED or REFUSED."""

    @property
    def egress_site(self) -> SiteId:
        """The site that has to answer."""

    @property
    def is_probe(self) -> bool:
        """The site is ejected."""

    def unanswered(self) -> None:
        """The stream has waited too long and was removed from the list."""


class UnansweredStreams:
    """One timer for all unanswered streams, and only while there are any.

    ``since``: when each was opened. Streams enter and leave it in place (hot), and the caller that
    finds ``is_watched`` false calls `watch`. To answer, a site has ``connect_s`` for the connection
    to a target, plus `limits.UNANSWERED_ROUND_TRIPS` of its round trips. A probe that is not
    answered counts as a round trip: the path may have become longer, and the next probe gets more
    time.
    """

    __slots__ = ("_connect_s", "_due", "_remotes", "_timers", "is_watched", "since")

    def __init__(self, timers: Timers, remotes: Remotes, connect_s: Callable[[], float]) -> None:
        self._timers = timers
        self._remotes = remotes
        self._connect_s = connect_s
        self._due = 0.0
        self.since: dict[Unanswered, float] = {}
        self.is_watched = False

    def watch(self) -> None:
        """Check the streams until none is left."""
        self.is_watched = True
        self._due = self._timers.now() + limits.UNANSWERED_LOOK_S
        self._timers.call_at(self._due, self._look)

    def _look(self) -> None:
        now = self._timers.now()
        try:
            if now - self._due < limits.UNANSWERED_LOOK_S:  # Else answers may wait to be read here.
                self._give_up_late(now)
        finally:
            self.is_watched = False
            if self.since:
                self.watch()

    def _give_up_late(self, now: float) -> None:
        for stream, since in self._late(now):
            if stream in self.since:  # The end of one may end another.
                if stream.is_probe:
                    self._remotes.note_round_trip(stream.egress_site, now - since)
                del self.since[stream]
                stream.unanswered()

    def _late(self, now: float) -> list[tuple[Unanswered, float]]:
        late: list[tuple[Unanswered, float]] = []
        connect_s = self._connect_s()
        for stream, since in self.since.items():  # The oldest first.
            waited_s = now - since
            if waited_s < limits.UNANSWERED_S_MIN:
                break
            if waited_s >= self._patience_s(stream.egress_site, connect_s):
                late.append((stream, since))
        return late

    def _patience_s(self, site: SiteId, connect_s: float) -> float:
        round_trip_s = self._remotes.round_trip_s(site)
        if not round_trip_s:
            return connect_s + limits.UNANSWERED_FIRST_S
        trips_s = limits.UNANSWERED_ROUND_TRIPS * round_trip_s
        beyond_s = min(max(trips_s, limits.UNANSWERED_BEYOND_S_MIN), limits.UNANSWERED_S_MAX)
        return max(connect_s + beyond_s, limits.UNANSWERED_S_MIN)
