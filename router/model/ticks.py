"""Deadlines of periodic work, at moments that a whole router shares so that it wakes once for all
of it; and pauses before retries."""

from math import ceil, floor

_DOUBLINGS_MAX = 32  # More would overflow: each bound is reached long before.


def next_tick(now: float, every_s: float) -> float:
    """The first multiple of ``every_s`` after ``now``, both in seconds of one clock."""
    number = floor(now / every_s) + 1
    tick = number * every_s
    return tick if tick > now else (number + 1) * every_s  # Rounding gave ``now`` itself.


def pause_s(now: float, every_s: float) -> float:
    """How long an asyncio task sleeps until the next tick: whole milliseconds, rounded up.

    uvloop rounds to the nearest: a task that wakes half a millisecond early would read the clock
    again and again until it is time.
    """
    return ceil((next_tick(now, every_s) - now) * 1000) / 1000


def doubled_s(first_s: float, times: int, most_s: float) -> float:
    """The pause before a retry: ``first_s``, doubled ``times`` times, and at most ``most_s``."""
    return min(first_s * 2.0 ** min(max(times, 0), _DOUBLINGS_MAX), most_s)
