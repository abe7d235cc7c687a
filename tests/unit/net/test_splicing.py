"""Bytes that go from socket to socket in the kernel: as if they had been read and written."""

import fcntl
import gc
import select
import socket
from collections.abc import Iterator
from unittest import mock

import pytest

from router.model.limits import PIPE_BYTES, PIPES_MAX, SPLICE_SMALL_MAX
from router.net import pipes, plain
from router.net.pipes import Pipes
from tests.unit.net.joined import BULK_BYTES, MESSAGE, Descriptors, Joined, Party

pytestmark = pytest.mark.skipif(not pipes.CAN_SPLICE, reason="the kernel has no splice")


@pytest.fixture
def joined() -> Iterator[Joined]:
    made = Joined()
    yield made
    made.close()


def directions(joined: Joined) -> list[tuple[Party, Party]]:
    return [(joined.client, joined.target), (joined.target, joined.client)]


@pytest.mark.parametrize("way", [0, 1])
def test_bulk_goes_through_the_kernel_and_is_counted(joined: Joined, way: int) -> None:
    here, there = directions(joined)[way]
    here.say(BULK_BYTES)
    joined.settle()
    assert there.received == here.sent
    assert len(here.sent) == BULK_BYTES
    assert joined.moves > 0
    session = joined.session
    assert session is not None
    assert (session.bytes_in, session.bytes_out)[way] == BULK_BYTES
    assert joined.network.bytes_in == joined.network.bytes_out == BULK_BYTES


def test_small_messages_are_read_and_written(joined: Joined) -> None:
    for _ in range(20):
        joined.client.say(MESSAGE)
        joined.target.say(MESSAGE)
        joined.settle()
    assert joined.target.received == joined.client.sent
    assert joined.moves == 0


def test_after_bulk_small_messages_are_read_again(joined: Joined) -> None:
    joined.client.say(BULK_BYTES)
    joined.settle()
    for _ in range(SPLICE_SMALL_MAX):
        joined.client.say(MESSAGE)
        joined.settle()
    moves = joined.moves
    for _ in range(5):
        joined.client.say(MESSAGE)
        joined.settle()
    assert joined.moves == moves
    assert joined.target.received == joined.client.sent
    joined.client.say(BULK_BYTES)
    joined.settle()
    assert joined.moves > moves
    assert joined.target.received == joined.client.sent


@pytest.mark.parametrize("way", [0, 1])
def test_who_does_not_read_stops_the_sender_and_misses_nothing(joined: Joined, way: int) -> None:
    here, there = directions(joined)[way]
    there.reads = False
    here.say(10 * BULK_BYTES)
    stuck = -1
    while len(here.sent) > stuck:  # The kernel's buffers grow for as long as it likes.
        stuck = len(here.sent)
        joined.run(100)
    assert stuck < 10 * BULK_BYTES
    assert joined.network.unsent_bytes <= PIPE_BYTES
    there.reads = True
    here.finish()
    joined.settle()
    assert there.received == here.sent
    assert there.ended


@pytest.mark.parametrize("way", [0, 1])
def test_an_end_follows_all_bytes_and_the_other_way_goes_on(joined: Joined, way: int) -> None:
    here, there = directions(joined)[way]
    there.reads = False
    here.say(BULK_BYTES)
    here.finish()
    joined.run(300)
    there.reads = True
    joined.settle()
    assert there.received == here.sent
    assert there.ended
    there.say(BULK_BYTES)
    there.finish()
    joined.settle()
    assert here.received == there.sent
    assert here.ended
    assert joined.sockets_open == 0


@pytest.mark.parametrize("who", [0, 1])
@pytest.mark.parametrize("way", [0, 1])
def test_a_reset_with_bytes_in_the_pipe_resets_the_other_and_leaves_nothing(
    joined: Joined, way: int, who: int
) -> None:
    here, there = directions(joined)[way]
    here.say(BULK_BYTES)
    joined.settle()
    assert joined.moves > 0
    there.reads = False
    here.say(10 * BULK_BYTES)
    joined.run(300)
    leaver, stayer = directions(joined)[who]
    leaver.reset()
    stayer.reads = True
    joined.run(300)
    assert stayer.broken, "a torn stream must not look whole"
    assert joined.sockets_open == 0


@pytest.mark.parametrize("way", [0, 1])
def test_urgent_data_stops_nothing(joined: Joined, way: int) -> None:
    here, there = directions(joined)[way]
    here.say(BULK_BYTES)
    joined.settle()
    assert joined.moves > 0
    here.sock.send(b"!", socket.MSG_OOB)  # Of which the router, as ever, knows nothing.
    here.say(MESSAGE)
    moves = joined.moves
    joined.run(100)
    assert there.received == here.sent
    assert joined.moves - moves <= SPLICE_SMALL_MAX, "it asks again and again"


def test_a_session_that_is_dropped_leaves_no_pipe(joined: Joined) -> None:
    joined.target.reads = False
    joined.client.say(10 * BULK_BYTES)
    joined.run(300)
    session = joined.session
    assert session is not None
    session.abort()
    joined.run(50)
    assert joined.sockets_open == 0


@pytest.fixture
def abandoned() -> None:
    """A descriptor that an earlier test left to the collector."""
    circle: list[object] = [select.epoll()]
    circle.append(circle)


def test_nothing_waits_for_the_collector(abandoned: None, joined: Joined) -> None:
    joined.client.say(BULK_BYTES)
    joined.settle()
    gc.collect()
    gc.disable()
    try:
        joined.client.finish()
        joined.target.finish()
        joined.settle()
        joined.session = None
        assert not [one for one in gc.get_objects() if isinstance(one, plain.PlainConnection)]
    finally:
        gc.enable()


def test_without_pipes_bytes_are_read_and_written(joined: Joined) -> None:
    with mock.patch.object(pipes, "PIPES_MAX", 0):
        joined.client.say(BULK_BYTES)
        joined.settle()
    assert joined.moves == 0
    assert joined.target.received == joined.client.sent


def test_where_the_kernel_cannot_they_are_too(joined: Joined) -> None:
    with mock.patch.object(plain, "CAN_SPLICE", new=False):
        joined.client.say(BULK_BYTES)
        joined.settle()
    assert joined.moves == 0
    assert joined.target.received == joined.client.sent


# The pool.


def test_pipes_are_few_and_opened_when_wanted() -> None:
    descriptors = Descriptors()
    pool = Pipes(lambda: True)
    assert not descriptors.opened()
    taken = [pipe for _ in range(PIPES_MAX + 3) if (pipe := pool.take()) is not None]
    assert len(taken) <= PIPES_MAX
    for pipe in taken[1:]:
        pool.give(pipe)
    pool.drop(taken[0])
    assert pool.take() == taken[-1]
    pool.give(taken[-1])
    pool.close()
    assert not descriptors.opened()


def test_without_descriptors_there_is_no_pipe() -> None:
    assert Pipes(lambda: False).take() is None


def test_a_pipe_that_may_not_be_large_is_none() -> None:
    descriptors = Descriptors()
    with mock.patch.object(fcntl, "fcntl", side_effect=PermissionError):
        assert Pipes(lambda: True).take() is None
    assert not descriptors.opened()
