"""The order in which streams share a lane."""

import pytest

from router.link.streams.outbox import Outbox
from router.model import limits
from router.net.ports import Buffer


class Endless:
    """A stream that always has ``queued_bytes`` to send, however much has left."""

    is_over = False
    is_ready = True
    received_fin = sent_fin = False
    unsent_open = False

    def __init__(self, queued_bytes: int) -> None:
        self.id = id(self)
        self.queued_bytes = queued_bytes
        self.deficit_bytes = 0
        self.sent_bytes = 0

    def fill(self, parts: list[Buffer], allowance_bytes: int) -> int:
        used = min(allowance_bytes, self.queued_bytes)
        self.sent_bytes += used
        return used

    def take_credit(self) -> int:
        return 0


def test_much_and_little_that_never_end_get_the_same() -> None:
    outbox: Outbox[Endless] = Outbox(0.0)
    bulk = [Endless(1_000_000) for _ in range(2)]
    small = [Endless(limits.LANE_QUANTUM_BYTES - 100) for _ in range(60)]
    for stream in (*bulk, *small):
        outbox.ready.append(stream)
    for _ in range(400):
        assert outbox.fill([], 0.0, limits.LANE_TURN_BYTES_MAX) >= limits.LANE_TURN_BYTES_MAX
    mean = sum(stream.sent_bytes for stream in small) / len(small)
    for stream in bulk:
        assert abs(stream.sent_bytes - mean) < mean / 10


class Once(Endless):
    """A stream that has something to send and then nothing more."""

    def fill(self, parts: list[Buffer], allowance_bytes: int) -> int:
        self.is_ready = self.unsent_open = False
        return super().fill(parts, allowance_bytes)


TURN_BYTES = limits.LANE_TURN_BYTES_MIN


def crowded() -> tuple[Outbox[Endless], list[Endless]]:
    """Over a slow path, with forty streams of much that have been at it for a while."""
    outbox: Outbox[Endless] = Outbox(0.0)
    bulk = [Endless(1_000_000) for _ in range(40)]
    outbox.ready.extend(bulk)
    for _ in range(500):
        outbox.fill([], 0.0, TURN_BYTES)
    return outbox, bulk


def test_little_that_is_new_does_not_wait_for_a_turn_of_all_who_have_much() -> None:
    outbox, _ = crowded()
    new = [Once(1_000) for _ in range(3)]
    outbox.ready.extend(new)
    outbox.fill([], 0.0, TURN_BYTES)
    assert [stream.sent_bytes for stream in new] == [1_000] * 3


@pytest.mark.parametrize(("waiting", "expected"), [(20, 1 / 2), (100, 40 / 140)])
def test_little_that_is_new_all_the_time_leaves_half_or_its_part_to_who_has_much(
    waiting: int, expected: float
) -> None:
    """Of forty: half, or with more of the others than that as much as these each."""
    outbox, bulk = crowded()
    before = sum(stream.sent_bytes for stream in bulk)
    for _ in range(500):
        outbox.ready.extend(Once(1_000) for _ in range(waiting - len(outbox.ready)))
        outbox.fill([], 0.0, TURN_BYTES)
    share = (sum(stream.sent_bytes for stream in bulk) - before) / 500 / TURN_BYTES
    assert abs(share - expected) < 0.1


class Queue(Endless):
    """Sent bytes have left it."""

    def fill(self, parts: list[Buffer], allowance_bytes: int) -> int:
        used = super().fill(parts, allowance_bytes)
        self.queued_bytes -= used
        self.is_ready = self.queued_bytes > 0
        return used


@pytest.mark.parametrize("turn_bytes", [TURN_BYTES, limits.LANE_TURN_BYTES_MAX])
@pytest.mark.parametrize("bulk", [1, 3])
def test_little_that_needs_most_of_the_way_does_not_pile_up_beside_few_who_have_much(
    bulk: int, turn_bytes: int
) -> None:
    outbox: Outbox[Endless] = Outbox(0.0)
    outbox.ready.extend(Endless(1_000_000) for _ in range(bulk))
    size_bytes, small, most = 2_000, [], 0
    for turn in range(1_000):
        new = int(0.8 * turn_bytes * (turn + 1) / size_bytes) - int(
            0.8 * turn_bytes * turn / size_bytes
        )
        small += (news := [Queue(size_bytes) for _ in range(new)])
        outbox.ready.extend(news)
        outbox.fill([], 0.0, turn_bytes)
        small = [stream for stream in small if stream.queued_bytes]
        most = max(most, len(small))
    assert most * size_bytes < 2 * turn_bytes


def test_little_that_its_part_of_a_turn_has_no_room_for_goes_on_first_in_the_next() -> None:
    outbox, _ = crowded()
    new = Queue(TURN_BYTES - 100)
    outbox.ready.append(new)
    for _ in range(2):
        outbox.fill([], 0.0, TURN_BYTES)
    assert not new.queued_bytes


def test_streams_open_in_the_order_in_which_they_came_however_much_they_have() -> None:
    outbox, _ = crowded()
    new = [Once(size) for size in (500_000, 1_000, 500_000, 1_000)]
    opened: list[Endless] = []
    for stream in new:
        stream.unsent_open = True
    outbox.ready.extend(new)
    for _ in range(len(new)):
        outbox.fill([], 0.0, TURN_BYTES)
        opened += [one for one in new if not one.unsent_open and one not in opened]
    assert opened == new


def test_who_had_much_while_the_way_was_slow_does_not_have_all_of_it_once_it_is_fast() -> None:
    outbox, bulk = crowded()
    for _ in range(5_000):
        outbox.ready.extend(Once(1_000) for _ in range(20 - len(outbox.ready)))
        outbox.fill([], 0.0, TURN_BYTES)
    late = Endless(1_000_000)
    outbox.ready.append(late)
    before = [stream.sent_bytes for stream in bulk]
    for _ in range(100):
        outbox.fill([], 0.0, limits.LANE_TURN_BYTES_MAX)
    most = max(stream.sent_bytes - sent for stream, sent in zip(bulk, before, strict=True))
    assert late.sent_bytes > most / 2


@pytest.mark.parametrize("turn_bytes", [TURN_BYTES, limits.LANE_TURN_BYTES_MAX])
def test_who_has_little_again_and_again_does_not_get_many_times_as_much_as_who_has_much(
    turn_bytes: int,
) -> None:
    outbox, bulk = crowded()
    again = Queue(0)
    again.is_ready = False
    before = sum(stream.sent_bytes for stream in bulk)
    for _ in range(2_000):
        if not again.is_ready:
            again.queued_bytes, again.is_ready = limits.LANE_QUANTUM_BYTES, True
            outbox.ready.append(again)
        outbox.fill([], 0.0, turn_bytes)
    mean = (sum(stream.sent_bytes for stream in bulk) - before) / len(bulk)
    assert again.sent_bytes < 5 * mean


def test_little_now_and_then_is_new_each_time() -> None:
    outbox, _ = crowded()
    now_and_then = Queue(0)
    for turn in range(2_000):
        if not turn % 100:
            now_and_then.queued_bytes, now_and_then.is_ready = 4_000, True
            outbox.ready.append(now_and_then)
        outbox.fill([], 0.0, TURN_BYTES)
        assert not now_and_then.queued_bytes


class Opening(Queue):
    """An OPEN, and a body behind it."""

    unsent_open = True

    def fill(self, parts: list[Buffer], allowance_bytes: int) -> int:
        opened = 100 if self.unsent_open else 0
        self.unsent_open = False
        return opened + super().fill(parts, allowance_bytes)


def test_many_who_have_much_open_before_the_first_of_them_has_sent_it() -> None:
    """A site that hears of none of them for some seconds is taken for silent."""
    outbox: Outbox[Endless] = Outbox(0.0)
    new = [Opening(500_000) for _ in range(48)]
    outbox.ready.extend(new)
    for _ in range(2):
        outbox.fill([], 0.0, TURN_BYTES)
    assert not any(stream.unsent_open for stream in new)
