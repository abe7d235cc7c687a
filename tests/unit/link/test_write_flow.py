"""How far a lane's writes run ahead of the bytes that its connection carries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.link.streams.write_flow import WriteFlow
from router.model import limits
from tests.examples import histories
from tests.unit.exchange.fakes_http import FakeConnection, FakeTimers

MOST, LEAST = limits.LANE_TURN_BYTES_MAX, limits.LANE_TURN_BYTES_MIN
START = limits.LANE_UNSENT_BYTES_START


class Bounded(FakeConnection):
    """Records its bounds."""

    def __init__(self) -> None:
        super().__init__(FakeTimers())
        self.bounds: list[int] = []

    def bound_unsent(self, size_bytes: int) -> None:
        self.bounds.append(size_bytes)


class Way:
    """A connection that carries so much a second, and a lane that hands over all it may."""

    def __init__(self, bytes_per_s: float) -> None:
        self.bytes_per_s = bytes_per_s
        self.now = 0.0
        self.sent_bytes = 0
        self.connection = Bounded()
        self.flow = WriteFlow(self.connection, self.now)

    def second(self, offered_bytes: float = float("inf")) -> int:
        """One second and a look; returns the bytes still handed over ahead."""
        most = self.flow.turn_bytes + min([MOST, *self.connection.bounds[-1:]])
        self.now += 1.0
        waited = self.connection.kernel_bytes
        handed = min(offered_bytes, max(0.0, most + self.bytes_per_s - waited))
        self.sent_bytes += int(handed)
        left = self.connection.kernel_bytes = max(0, int(waited + handed - self.bytes_per_s))
        told = self.flow.filled if left >= most else self.flow.emptied
        told(self.now, self.sent_bytes)
        assert not self.flow.look(self.now, self.sent_bytes)
        return left


def test_a_fast_way_gets_whole_turns_and_its_bound_changes_once() -> None:
    way = Way(1e9)
    for _ in range(20):
        way.second()
    assert way.flow.turn_bytes == MOST
    assert way.connection.bounds == [START, limits.LANE_UNSENT_BYTES_MAX]


def test_a_backlog_is_bounded_before_it_is_measured() -> None:
    way = Way(1e9)
    assert (way.flow.turn_bytes, way.connection.bounds) == (MOST, [START])


def test_a_backlog_is_measured_as_soon_as_the_connection_has_taken_it() -> None:
    connection = Bounded()
    flow = WriteFlow(connection, 0.0)
    connection.kernel_bytes = 250_000
    flow.filled(10.0, 250_000)
    assert flow.turn_bytes == MOST
    connection.kernel_bytes = 150_000
    flow.emptied(11.0, 250_000)
    assert flow.turn_bytes == connection.bounds[-1] == LEAST


def test_a_moment_that_carried_nothing_is_no_slow_way() -> None:
    """All waits behind what TCP repeats, and is there at once when that has come."""
    way = Way(1e9)
    for _ in range(3):
        way.second()
    way.flow.emptied(way.now + limits.LANE_MEASURE_S, way.sent_bytes)
    assert way.flow.turn_bytes == MOST


def test_a_connection_that_was_fast_is_bounded_again_when_it_has_no_backlog() -> None:
    way = Way(1e9)
    for _ in range(3):
        way.second()
    way.second(offered_bytes=1_000)
    way.second(offered_bytes=1_000)
    assert (way.flow.turn_bytes, way.connection.bounds[-1]) == (MOST, START)


@pytest.mark.parametrize("bytes_per_s", [10_000.0, 50_000.0, 500_000.0, 2e6])
def test_a_slow_way_is_handed_what_it_carries_in_a_moment(bytes_per_s: float) -> None:
    way = Way(bytes_per_s)
    for _ in range(60):
        left = way.second()
    ahead = max(LEAST, bytes_per_s * limits.LANE_AHEAD_S)
    assert way.flow.turn_bytes == pytest.approx(ahead, rel=0.2)
    assert left <= 2.5 * ahead


FAST = limits.LANE_AHEAD_BYTES_MAX / limits.LANE_AHEAD_S


@pytest.mark.parametrize("share", [0.4, 0.8, 1.05])
def test_the_kernel_gets_what_the_way_carries_in_a_moment_unless_that_is_fast(share: float) -> None:
    way = Way(share * FAST)
    for _ in range(60):
        way.second()
    ahead = share * limits.LANE_AHEAD_BYTES_MAX if share < 1 else limits.LANE_UNSENT_BYTES_MAX
    assert way.connection.bounds[-1] == pytest.approx(ahead, rel=0.2)
    assert way.flow.turn_bytes == MOST


def test_a_way_without_a_backlog_starts_again_within_some_seconds() -> None:
    way = Way(50_000.0)
    for _ in range(30):
        way.second()
    assert way.flow.turn_bytes == LEAST
    for _ in range(10):
        way.second(offered_bytes=1_000)
    assert (way.flow.turn_bytes, way.connection.bounds[-1]) == (MOST, START)


def test_little_that_is_always_under_way_over_a_long_path_is_no_backlog() -> None:
    way = Way(1e9)
    for _ in range(20):
        way.sent_bytes += 2_000
        way.connection.kernel_bytes = 2_000
        way.now += 1.0
        way.flow.look(way.now, way.sent_bytes)
    assert (way.flow.turn_bytes, way.connection.bounds) == (MOST, [START])


@given(histories(st.tuples(st.floats(1.0, 1e10), st.floats(0.0, 1e10)), 40))
def test_turns_stay_within_their_limits_whatever_the_way_does(
    seconds: list[tuple[float, float]],
) -> None:
    way = Way(1e6)
    for way.bytes_per_s, offered_bytes in seconds:
        way.second(offered_bytes)
        assert LEAST <= way.flow.turn_bytes <= MOST
    for bound in way.connection.bounds:
        assert LEAST <= bound <= limits.LANE_UNSENT_BYTES_MAX


def test_it_stalls_when_the_peer_takes_nothing_for_long_enough() -> None:
    """What the kernel still delivers counts: it may ask for more only after MiBs."""
    way = Way(1.0)
    flow, connection = way.flow, way.connection
    assert not flow.look(100.0, 0), "nothing waits"
    connection.buffered_bytes, connection.kernel_bytes = 10_000, 100_000
    flow.filled(0.0, 0)
    for second in range(101, 200):
        connection.kernel_bytes -= 1
        assert not flow.look(float(second), 110_000)
    for second in range(200, 199 + int(limits.LANE_WRITE_STALL_S)):
        assert not flow.look(float(second), 110_000)
    assert flow.look(199 + limits.LANE_WRITE_STALL_S, 110_000)
    flow.woke(1_000.0)
    assert not flow.look(1_001.0, 110_000)


def test_a_backlog_of_which_the_peer_s_host_takes_something_is_a_sign_of_life() -> None:
    way = Way(50_000.0)
    for _ in range(5):
        way.second()
        assert way.flow.carried_at >= way.now - 2.0, "before the look at which it was seen"
    since, way.bytes_per_s = way.flow.carried_at, 0.0
    assert since < way.now
    for _ in range(3):
        way.second()
        assert way.flow.carried_at == since


def test_what_is_delivered_at_once_says_nothing_of_the_peer() -> None:
    """A host whose router stands still takes a little, too."""
    way = Way(1e9)
    for _ in range(5):
        way.second(offered_bytes=10_000.0)
    assert way.flow.carried_at == 0.0


def test_a_backlog_that_was_there_when_we_woke_is_seen_to_shrink() -> None:
    """Nothing more is handed over while it is full, so no new byte asks for the look."""
    connection = Bounded()
    flow = WriteFlow(connection, 0.0)
    connection.kernel_bytes = 100_000
    flow.filled(0.0, 0)
    assert not flow.look(1.0, 100_000)
    flow.woke(60.0)
    for second in range(61, 60 + 3 * int(limits.LANE_WRITE_STALL_S)):
        connection.kernel_bytes -= 1_000
        assert not flow.look(float(second), 100_000)
