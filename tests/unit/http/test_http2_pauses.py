"""Why an HTTP/2 connection reads nothing: each reason alone, and both at once."""

import pytest

from router.http.http2.read_pause import ReadPause
from router.model import limits
from tests.unit.exchange.fakes_http import FakeConnection, FakeTimers

TOO_MUCH = limits.HTTP2_CONTROL_BYTES_MAX + 1


@pytest.fixture
def connection() -> FakeConnection:
    return FakeConnection(FakeTimers())


@pytest.fixture
def pause(connection: FakeConnection) -> ReadPause:
    return ReadPause(connection)


def test_frames_that_wait_for_a_later_turn_stop_it(
    connection: FakeConnection, pause: ReadPause
) -> None:
    pause.has_read(is_behind=True)
    assert connection.is_paused()
    pause.has_read(is_behind=False)
    assert not connection.is_paused()


def test_answers_that_pile_up_stop_it_until_all_have_left(
    connection: FakeConnection, pause: ReadPause
) -> None:
    pause.piles_up(TOO_MUCH - 1)
    assert not connection.is_paused()
    pause.piles_up(1)
    assert connection.is_paused()
    pause.has_read(is_behind=False)
    assert connection.is_paused(), "what was read changes nothing of that"
    pause.drained()
    pause.piles_up(TOO_MUCH - 1)
    assert not connection.is_paused(), "they are counted from there"


@pytest.mark.parametrize("piled_bytes", [1, TOO_MUCH])
def test_what_leaves_or_piles_up_does_not_end_the_wait_for_a_later_turn(
    connection: FakeConnection, pause: ReadPause, piled_bytes: int
) -> None:
    pause.has_read(is_behind=True)
    pause.piles_up(piled_bytes)
    assert connection.is_paused()
    pause.drained()
    assert connection.is_paused()
    pause.has_read(is_behind=False)
    assert not connection.is_paused()
