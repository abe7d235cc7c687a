"""What the peer of an HTTP/2 connection owes, and since when."""

import pytest

from router.http.http2.peer_deadlines import PeerDeadlines
from router.model import limits

ACK_S = 5.0
AFTER_S, ANSWER_S = limits.HTTP2_PING_AFTER_S, limits.HTTP2_PING_ANSWER_S
AGAIN_S = limits.HTTP2_PING_AGAIN_S


@pytest.fixture
def deadlines() -> PeerDeadlines:
    """Of a peer that has agreed to our settings."""
    made = PeerDeadlines(0.0)
    made.agreed()
    return made


def test_a_peer_must_agree_in_time() -> None:
    deadlines = PeerDeadlines(0.0)
    deadlines.heard(ACK_S, in_head=False)
    assert not deadlines.is_late(ACK_S - 0.1, ACK_S)
    assert deadlines.is_late(ACK_S, ACK_S), "whatever else it sends"
    deadlines.agreed()
    assert not deadlines.is_late(10 * ACK_S, ACK_S)


def test_a_header_block_counts_from_its_first_byte(deadlines: PeerDeadlines) -> None:
    for now in (1.0, 2.0, 5.9):
        deadlines.heard(now, in_head=True)
    assert not deadlines.is_late(5.9, ACK_S)
    assert deadlines.is_late(1.0 + ACK_S, ACK_S)


def test_a_header_block_that_came_whole_owes_nothing(deadlines: PeerDeadlines) -> None:
    deadlines.heard(1.0, in_head=True)
    deadlines.heard(2.0, in_head=False)
    assert not deadlines.is_late(100.0, ACK_S)
    deadlines.heard(100.0, in_head=True)
    assert not deadlines.is_late(100.0 + ACK_S - 0.1, ACK_S), "the next one has its own time"
    assert deadlines.is_late(100.0 + ACK_S, ACK_S)


def test_silence_asks_for_one_ping_and_the_lack_of_an_answer_is_the_end(
    deadlines: PeerDeadlines,
) -> None:
    assert not deadlines.take_ping(AFTER_S - 0.1, moved_at=0.0)
    assert deadlines.take_ping(AFTER_S, moved_at=0.0)
    assert not deadlines.take_ping(2 * AFTER_S, moved_at=0.0), "one is under way"
    assert not deadlines.is_silent(AFTER_S + ANSWER_S - 0.1)
    assert deadlines.is_silent(AFTER_S + ANSWER_S)
    deadlines.heard(AFTER_S + ANSWER_S, in_head=False)
    assert not deadlines.is_silent(100 * AFTER_S)


@pytest.mark.parametrize("moved", [False, True])
def test_while_no_stream_moves_the_next_ping_comes_late(
    deadlines: PeerDeadlines, moved: bool
) -> None:
    """gRPC servers allow few pings while they send nothing of a stream."""
    assert deadlines.take_ping(AFTER_S, moved_at=AFTER_S)
    deadlines.heard(AFTER_S + 1.0, in_head=False)
    moved_at = AFTER_S + 1.0 if moved else AFTER_S
    assert deadlines.take_ping(2 * AFTER_S + 1.0, moved_at) is moved
    if not moved:
        assert not deadlines.take_ping(AFTER_S + AGAIN_S - 0.1, moved_at)
        assert deadlines.take_ping(AFTER_S + AGAIN_S, moved_at)
