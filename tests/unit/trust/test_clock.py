"""Who moves the wall clock is noticed; who only lets it drift is not."""

from router.trust.clock import ClockWatch


class Clocks:
    """Two clocks that go as told."""

    def __init__(self) -> None:
        self.now, self.wall = 100.0, 1_800_000_000.0

    def pass_by(self, seconds: float, moved_s: float = 0.0) -> None:
        """Let time pass, and move the wall clock by so much."""
        self.now += seconds
        self.wall += seconds + moved_s


def test_a_clock_that_is_moved_is_noticed_once_and_by_how_much() -> None:
    clocks = Clocks()
    watch = ClockWatch(lambda: clocks.now, lambda: clocks.wall)
    clocks.pass_by(1.0)
    assert watch.look() == 0.0
    clocks.pass_by(1.0, 86_400.0)
    assert round(watch.look()) == 86_400
    clocks.pass_by(1.0)
    assert watch.look() == 0.0
    clocks.pass_by(1.0, -86_400.0)
    assert round(watch.look()) == -86_400


def test_a_clock_that_is_nudged_again_and_again_is_no_move() -> None:
    clocks = Clocks()
    watch = ClockWatch(lambda: clocks.now, lambda: clocks.wall)
    for _ in range(1_000):
        clocks.pass_by(1.0, 0.5)
        assert watch.look() == 0.0
