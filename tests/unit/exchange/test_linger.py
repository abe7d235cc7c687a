"""A peer that takes some of the remaining bytes gets time to take more."""

import pytest

from router.exchange.linger import Linger
from tests.unit.exchange.fakes_http import FakeTimers

pytestmark = pytest.mark.usefixtures("lateness")

WITHIN_S = 60.0


class Lingering:
    """A peer with so much left to take."""

    def __init__(self, left: int, at_first: int = 0) -> None:
        self.timers = FakeTimers()
        self.left, self.asked, self.ended = left, 0, 0
        self.linger = Linger(self.timers, WITHIN_S, self._left, self._stalled, at_first)

    def _left(self) -> int:
        self.asked += 1
        return self.left

    def _stalled(self) -> None:
        self.ended += 1

    def after(self, taken: int) -> int:
        """How often it was given up, once so much more was taken and the time is over."""
        self.left -= taken
        self.timers.advance(WITHIN_S)
        return self.ended


@pytest.mark.parametrize("at_first", [0, 100])
def test_it_lasts_for_as_long_as_bytes_are_taken(at_first: int) -> None:
    peer = Lingering(100, at_first)
    assert [peer.after(taken) for taken in (10, 1, 80, 0)] == [0, 0, 0, 1]


def test_how_much_there_was_at_first_says_whether_any_was_taken_at_the_first_look() -> None:
    assert Lingering(100, 100).after(0) == 1
    assert Lingering(100).after(0) == 0


def test_who_has_taken_all_and_does_not_end_is_not_waited_for_again() -> None:
    assert Lingering(100).after(100) == 1
    told = Lingering(100, 100)
    assert [told.after(100), told.after(0)] == [0, 1]


def test_it_is_given_up_once() -> None:
    peer = Lingering(0)
    assert [peer.after(0), peer.after(0)] == [1, 1]
    assert peer.asked == 1


def test_nobody_is_asked_or_told_once_it_is_cancelled() -> None:
    peer = Lingering(100)
    peer.linger.cancel()
    assert (peer.after(0), peer.asked) == (0, 0)
    assert peer.timers.pending_timers == 0
