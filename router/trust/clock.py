"""This host's wall clock: detects when it is set, and explains certificate dates."""

import time
from collections.abc import Callable

from certs.clocks import clock_skew_report, is_synchronised
from router.model import limits


def out_of_time_now(chain: tuple[bytes, ...]) -> str:
    """Text about a peer's certificates that are not valid now."""
    return clock_skew_report(chain, time.time(), is_synchronised())


class ClockWatch:
    """Detects that the wall clock was set between two looks.

    A host that slept looks the same: its monotonic clock slept too.
    """

    __slots__ = ("_ahead_s", "_now", "_wall")

    def __init__(self, now: Callable[[], float], wall: Callable[[], float] = time.time) -> None:
        """``now``: monotonic seconds; ``wall``: Unix seconds."""
        self._now, self._wall = now, wall
        self._ahead_s = wall() - now()

    def look(self) -> float:
        """Seconds by which the clock was set since the last look; 0.0: not at all, or hardly."""
        ahead_s = self._wall() - self._now()
        moved_s, self._ahead_s = ahead_s - self._ahead_s, ahead_s
        return moved_s if abs(moved_s) >= limits.CLOCK_MOVED_S else 0.0
