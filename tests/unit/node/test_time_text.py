"""A moment keeps its text until the clock is set."""

from router.node.time_text import STEADY_S, WallClock


def test_a_moment_is_told_alike_until_the_clock_is_set() -> None:
    now, wall = 100.0, 1_000_000.0004
    clock = WallClock(lambda: now, lambda: wall)
    told = clock.utc(99.0, "milliseconds")
    assert told == "1970-01-12T13:46:39.000Z"
    now, wall = now + 5, wall + 5 + STEADY_S * 0.9
    assert clock.utc(99.0, "milliseconds") == told
    wall += STEADY_S * 0.2
    assert clock.utc(99.0) == "1970-01-12T13:46:39Z"
    assert clock.utc(99.0, "milliseconds") == "1970-01-12T13:46:39.550Z"
    wall -= 3600
    assert clock.utc(99.0) == "1970-01-12T12:46:39Z"
