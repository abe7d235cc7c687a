"""Moments that all periodic work of a router shares, so that it wakes once for all of it."""

from math import floor


def next_tick(now: float, every_s: float) -> float:
    """The first multiple of ``every_s`` after ``now``, both in seconds of one clock."""
    number = floor(now / every_s) + 1
    tick = number * every_s
    return tick if tick > now else (number + 1) * every_s  # It was rounded to ``now`` itself.
