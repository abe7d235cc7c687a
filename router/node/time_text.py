"""Moments as people read them: ISO 8601 in UTC."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf

STEADY_S = 0.5
"""So far clocks are slewed without that what was told is told otherwise."""


def iso(moment: datetime, timespec: str = "seconds") -> str:
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def ago(seconds: float) -> str:
    """So long before now."""
    return iso(datetime.now(UTC) - timedelta(seconds=seconds))


def utc_of(seconds: float | None) -> str | None:
    return None if seconds is None else iso(datetime.fromtimestamp(seconds, UTC))


def time_of_day(utc: str) -> str:
    """Of ISO 8601: ``19:44:55 UTC``."""
    return f"{utc[11:19]} UTC"


def ejected_since(reason: str, utc: str) -> str:
    """``ejected for 32 s since 19:44:55 UTC: a request was reset``: how long it lasts in all is not
    how much of it is left. A ``reason`` that is no ejection for a time is as it was."""
    what, colon, why = reason.partition(": ")
    if not utc or not what.startswith("ejected for "):
        return reason
    return f"{what} since {time_of_day(utc)}{colon}{why}"


class WallClock:
    """What the clock on the wall showed at a monotonic moment, by the wall of now.

    The same moment is told alike each time, until the clock is set; then all moments move.
    """

    __slots__ = ("_ahead_s", "_now", "_wall")

    def __init__(self, now: Callable[[], float], wall: Callable[[], float] = time.time) -> None:
        """``wall``: Unix seconds."""
        self._now = now
        self._wall = wall
        self._ahead_s = inf

    def utc(self, moment: float, timespec: str = "seconds") -> str:
        """ISO 8601."""
        ahead_s = self._wall() - self._now()
        if abs(ahead_s - self._ahead_s) > STEADY_S:
            self._ahead_s = ahead_s
        return iso(datetime.fromtimestamp(moment + self._ahead_s, UTC), timespec)
