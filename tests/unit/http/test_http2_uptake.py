"""Whether a peer takes what waits for it: that counts where the kernel wants no more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.http.http2.peer_deadlines import PeerDeadlines
from router.http.http2.uptake import Uptake
from router.model import limits
from tests.examples import histories
from tests.unit.exchange.fakes_http import FakeConnection, FakeTimers


@pytest.fixture
def connection() -> FakeConnection:
    return FakeConnection(FakeTimers())


def test_anything_taken_counts_where_no_rate_is_asked(connection: FakeConnection) -> None:
    uptake = Uptake(connection, 0.0)
    connection.kernel_bytes = 100
    uptake.measure()
    uptake.begin(1.0)
    assert (uptake.is_full, uptake.at) == (True, 1.0)
    connection.kernel_bytes = 99
    assert uptake.look(5.0, 0) and uptake.at == 5.0
    assert not uptake.look(6.0, 0) and uptake.at == 5.0
    connection.kernel_bytes += 101  # More was sent.
    uptake.sent_bytes += 101
    assert not uptake.look(7.0, 0) and uptake.at == 5.0
    connection.kernel_bytes += 99  # More was sent than it took meanwhile.
    uptake.sent_bytes += 100
    assert uptake.look(8.0, 0) and uptake.at == 8.0
    uptake.end(9.0)
    assert (uptake.is_full, uptake.at) == (False, 9.0)


@given(
    st.integers(1, 1_000),
    histories(st.tuples(st.integers(1, 10), st.integers(0, 5_000)), 30),
)
def test_bytes_buy_time_by_the_rate_that_is_asked_and_never_ahead(
    rate: int, steps: list[tuple[int, int]]
) -> None:
    connection = FakeConnection(FakeTimers())
    connection.kernel_bytes = 10**6
    uptake, now, paid_until = Uptake(connection, 0.0), 0.0, 0.0
    uptake.measure()
    uptake.begin(now)
    for seconds, taken in steps:
        now += seconds
        connection.kernel_bytes -= taken
        paid_until = min(now, paid_until + taken / rate)
        assert uptake.look(now, rate) is (taken > 0)
        assert uptake.at == pytest.approx(paid_until)


def test_a_ping_behind_bytes_on_their_way_has_all_of_its_time_again() -> None:
    deadlines = PeerDeadlines(0.0)
    deadlines.delivers(1.0)
    assert not deadlines.awaits_answer, "nothing was asked"
    assert deadlines.take_ping(limits.HTTP2_PING_AFTER_S, moved_at=0.0)
    late = limits.HTTP2_PING_AFTER_S + limits.HTTP2_PING_ANSWER_S
    deadlines.delivers(late - 1.0)
    assert not deadlines.is_silent(late)
    assert deadlines.is_silent(late - 1.0 + limits.HTTP2_PING_ANSWER_S)
