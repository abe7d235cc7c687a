"""Small writes of a turn are one send; large ones leave at once; a full peer is measured."""

import pytest

from router.model import limits
from router.service.turn_writer import TurnWriter
from tests.unit.exchange.fakes_http import FakeConnection, FakeTimers

LARGE = b"L" * (limits.COALESCE_BYTES_MAX + 1)


class World:
    def __init__(self) -> None:
        self.timers = FakeTimers()
        self.connection = FakeConnection(self.timers)
        self.writer = TurnWriter(self.connection, self.timers)


@pytest.mark.parametrize(
    ("writes", "at_once", "at_end"),
    [
        ([b"a"], 0, 1),
        ([b"a", b"b", b"c"], 0, 1),
        ([LARGE], 1, 0),
        ([b"a", LARGE], 1, 0),
        ([b"a", LARGE[:-1]], 1, 0),
        ([LARGE[:-1]], 0, 1),
        ([LARGE, b"a"], 1, 1),
        ([b"a", LARGE, b"b", b"c"], 1, 1),
    ],
)
def test_what_is_small_waits_for_the_end_of_the_turn_and_all_keeps_its_order(
    writes: list[bytes], at_once: int, at_end: int
) -> None:
    world = World()
    for data in writes:
        assert world.writer.write(data)
    assert world.connection.sends == at_once
    for _ in range(2):
        world.timers.turn()
        assert bytes(world.connection.sent) == b"".join(writes)
        assert world.connection.sends == at_once + at_end


def test_the_parts_of_one_write_stay_together() -> None:
    world = World()
    world.writer.write(b"a", b"b")
    world.writer.flush(b"c", b"d")
    assert (bytes(world.connection.sent), world.connection.sends) == (b"abcd", 1)
    world.writer.flush()
    assert world.connection.sends == 1, "nothing is left to be sent"
    world.writer.flush(b"e")
    assert (bytes(world.connection.sent), world.connection.sends) == (b"abcde", 2)


@pytest.mark.parametrize("waits", [False, True])
def test_a_peer_that_is_full_is_told_until_it_has_room_and_what_it_takes_is_measured(
    waits: bool,
) -> None:
    world = World()
    writer, connection = world.writer, world.connection
    if waits:
        writer.write(b"a")
    connection.full, connection.kernel_bytes = True, 100
    assert not writer.flush(b"b")
    assert not writer.write(b"c"), "it is taken, but is not wanted"
    assert (writer.is_full, writer.untaken_bytes) == (True, 100)
    taken = []
    for connection.kernel_bytes in (100, 70, 10):
        taken.append(writer.taken_bytes())
    assert taken == [0, 30, 60]
    writer.drained()
    connection.full = False
    assert (writer.is_full, writer.untaken_bytes) == (False, 0)
    assert writer.write(b"d")
    world.timers.turn()
    assert connection.sent.endswith(b"cd")


def test_what_is_dropped_is_never_sent() -> None:
    world = World()
    world.writer.write(b"a")
    world.writer.drop()
    world.timers.turn()
    assert world.connection.sends == 0
    world.writer.write(b"b")
    world.timers.turn()
    assert bytes(world.connection.sent) == b"b"
