"""How long an HTTP client may take: deadlines, the floor of its body, whether it still reads."""

from math import inf

import pytest

from router.exchange.clients.client_deadlines import ClientDeadlines, Floor
from router.model import limits
from router.service.turn_writer import TurnWriter
from tests.unit.exchange.fakes_http import FakeConnection, FakeTimers

RATE = 100


class Judged:
    """A pace and when it was asked for a judgement."""

    def __init__(self, allowance_s: float) -> None:
        self.timers = FakeTimers()
        self.connection = FakeConnection(self.timers)
        self.writer = TurnWriter(self.connection, self.timers)
        self.looks: list[float] = []
        self.deadlines = ClientDeadlines(self.writer, self.timers, self._look, allowance_s)

    def _look(self, now: float) -> None:
        self.looks.append(now)
        if now >= self.deadlines.deadline:  # As sessions do: each is judged once.
            self.deadlines.deadline = inf


def test_a_look_comes_at_the_deadline_and_every_tick_before_it() -> None:
    judged = Judged(2.5 * limits.SESSION_TICK_S)
    began = judged.timers.now()
    judged.timers.advance(2.5 * limits.SESSION_TICK_S)
    assert [(when - began) / limits.SESSION_TICK_S for when in judged.looks] == [1.0, 2.0, 2.5]


def test_a_deadline_that_moves_nearer_is_kept() -> None:
    judged = Judged(limits.SESSION_TICK_S)
    judged.deadlines.touch(0.5)
    judged.timers.advance(0.5)
    assert judged.looks == [judged.timers.now()]


def test_nothing_is_judged_after_the_end() -> None:
    judged = Judged(1.0)
    judged.deadlines.stop()
    judged.deadlines.touch(0.5)
    judged.timers.advance(10 * limits.SESSION_TICK_S)
    assert not judged.looks and not judged.timers.pending_timers


def test_the_floor_is_judged_over_the_time_since_the_last_look() -> None:
    floor, step_s = Floor(0.0), 2 * limits.BODY_GRACE_S
    enough = int(RATE * step_s)
    assert not floor.is_missed(step_s, enough, RATE)
    assert floor.is_missed(2 * step_s, 2 * enough - 1, RATE)
    assert not floor.is_missed(3 * step_s, 3 * enough, RATE)


@pytest.mark.parametrize("seen_bytes", [0, 7])
def test_the_floor_of_another_body_is_judged_by_what_came_of_that_one(seen_bytes: int) -> None:
    floor, enough = Floor(0.0, 99), int(RATE * limits.BODY_GRACE_S)
    for came, is_missed in ((enough, False), (enough - 1, True)):
        floor.restart(10.0, *[seen_bytes] if seen_bytes else [])
        now = 10.0 + limits.BODY_GRACE_S
        assert floor.is_missed(now, seen_bytes + came, RATE) is is_missed


def test_a_look_too_soon_judges_nothing_and_forgets_nothing() -> None:
    floor = Floor(0.0)
    assert not floor.is_missed(limits.BODY_GRACE_S / 2, 0, RATE)
    assert floor.is_missed(limits.BODY_GRACE_S, 0, RATE)


def test_a_slow_reader_must_take_what_is_asked_between_two_looks() -> None:
    judged = Judged(1.0)
    deadlines, connection = judged.deadlines, judged.connection
    connection.buffered_bytes = 1000
    judged.writer.filled()
    connection.buffered_bytes = 900
    assert deadlines.takes_at_least(100)
    connection.buffered_bytes = 801
    assert not deadlines.takes_at_least(100)
    assert not deadlines.takes_at_least(0)


def test_what_a_slow_reader_takes_from_the_kernel_counts() -> None:
    """The kernel may ask for more only after it has delivered tens of kilobytes."""
    judged = Judged(1.0)
    deadlines, connection = judged.deadlines, judged.connection
    connection.buffered_bytes, connection.kernel_bytes = 1000, 500
    judged.writer.filled()
    connection.kernel_bytes = 400
    assert deadlines.takes_at_least(100)
    assert not deadlines.takes_at_least(0)


def test_while_closing_anything_taken_gives_more_time() -> None:
    judged = Judged(1.0)
    deadlines, connection = judged.deadlines, judged.connection
    connection.buffered_bytes = 1000
    judged.writer.filled()
    deadlines.close(connection, 1.0)
    assert deadlines.still_reads(0.0)
    assert not deadlines.still_reads(limits.CLOSING_STALL_S)
    connection.buffered_bytes = 999
    assert deadlines.still_reads(limits.CLOSING_STALL_S)
    connection.buffered_bytes = 0
    assert not deadlines.still_reads(limits.CLOSING_STALL_S)
