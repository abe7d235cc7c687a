"""Moments that all periodic work of a router shares, so that it wakes once for all of it."""

from math import ceil, floor


def next_tick(now: float, every_s: float) -> float:
    """The first multiple of ``every_s`` after ``now``, both in seconds of one clock."""
    number = floor(now / every_s) + 1
    tick = number * every_s
    return tick if tick > now else (number + 1) * every_s  # It was rounded to ``now`` itself.


def pause_s(now: float, every_s: float) -> float:
    """How long an asyncio task sleeps until then: whole milliseconds, rounded up.

    uvloop rounds to the nearest: who wakes half a millisecond early would look at the clock again
    and again until it is time.
    """
    return ceil((next_tick(now, every_s) - now) * 1000) / 1000
