"""A moment keeps its time over sleeps of the host, and moves with a clock that is set back."""

from router.node.wall_clock import STEADY_S, WallClock


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


class Clocks:
    """A monotonic clock, a wall clock, and the clock under test, which reads both."""

    def __init__(self) -> None:
        self.now, self.wall = 100.0, 1_000_000.0
        self.clock = WallClock(lambda: self.now, lambda: self.wall)
        self.clock.look()

    def pass_time(self, seconds: float, ahead_s: float = 0.0) -> float:
        """Looks each second, then sets the wall clock ahead; the moment before that."""
        for _ in range(round(seconds)):
            self.now, self.wall = self.now + 1, self.wall + 1
            self.clock.look()
        before = self.now
        self.wall += ahead_s
        self.now, self.wall = self.now + 0.5, self.wall + 0.5
        self.clock.look()
        return before


def test_a_moment_before_the_host_slept_keeps_its_time() -> None:
    clocks = Clocks()
    early = clocks.clock.utc(100.0)
    before = clocks.pass_time(10, ahead_s=3600)
    told = clocks.clock.utc(before)
    assert (clocks.clock.utc(100.0), early) == ("1970-01-12T13:46:40Z", "1970-01-12T13:46:40Z")
    assert told == "1970-01-12T13:46:50Z"
    assert clocks.clock.utc(clocks.now) == "1970-01-12T14:46:50Z"
    clocks.pass_time(10, ahead_s=7200)
    assert clocks.clock.utc(before) == told
    assert clocks.clock.utc(clocks.now) == "1970-01-12T16:47:01Z"


def test_a_clock_that_was_set_ahead_by_mistake_leaves_no_trace() -> None:
    clocks = Clocks()
    wrong = clocks.pass_time(10, ahead_s=86_400) + 2
    clocks.pass_time(10, ahead_s=-86_400)
    assert clocks.clock.utc(100.0) == "1970-01-12T13:46:40Z"
    assert clocks.clock.utc(wrong) == "1970-01-12T13:46:52Z"
    clocks.pass_time(10, ahead_s=-60)
    assert clocks.clock.utc(100.0) == "1970-01-12T13:45:40Z"


def test_slewing_moves_all_moments_alike() -> None:
    clocks = Clocks()
    for _ in range(5):
        clocks.pass_time(10, ahead_s=1.0)
    assert clocks.clock.utc(100.0) == "1970-01-12T13:46:45Z"


def test_a_clock_that_was_set_says_by_how_much_and_each_jump_once() -> None:
    clocks = Clocks()
    assert clocks.clock.set_s() == 0.0
    clocks.pass_time(10, ahead_s=86_400)
    assert clocks.clock.set_s() == 86_400
    clocks.pass_time(10)
    assert clocks.clock.set_s() == 86_400
    clocks.pass_time(10, ahead_s=-3_600)
    assert clocks.clock.set_s() == 82_800


def test_a_clock_that_is_slewed_again_and_again_was_not_set() -> None:
    clocks = Clocks()
    for _ in range(1_000):
        clocks.pass_time(1, ahead_s=0.6)
    assert clocks.clock.set_s() == 0.0
