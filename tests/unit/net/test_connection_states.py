"""The states of a connection's two directions: each pair of them, by all that can happen there."""

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

import pytest

from router.model.limits import SPLICE_SMALL_BYTES
from router.net.connection import TcpConnection
from router.net.connection_states import AFTER_READING, AFTER_SENDING, TcpReading, TcpSending
from router.net.ports import Connection
from router.net.simulated.wire import SimulatedConnection
from tests.unit.net.worlds import Pair, RealWorld, World, make_world

States = tuple[TcpReading, TcpSending]
OVER = (TcpReading.OVER, TcpSending.OVER)
PIECE_BYTES = 2 * SPLICE_SMALL_BYTES


def states(connection: Connection) -> States:
    assert isinstance(connection, TcpConnection | SimulatedConnection)
    return connection.reading, connection.sending


# What happens to the left end. The right one reads nothing until it resumes.


def pause(pair: Pair) -> None:
    pair.left.wire.pause()


def resume(pair: Pair) -> None:
    pair.left.wire.resume()


def send_little(pair: Pair) -> None:
    pair.left.wire.send(b"x")


def send_much(pair: Pair) -> None:
    pair.left.wire.send(pair.flood)


def finish(pair: Pair) -> None:
    pair.left.wire.finish()


def abort(pair: Pair) -> None:
    pair.left.wire.abort()


def peer_reads(pair: Pair) -> None:
    pair.right.wire.resume()


def peer_sends(pair: Pair) -> None:
    pair.right.wire.send(b"x")


def peer_finishes(pair: Pair) -> None:
    pair.right.wire.finish()


def peer_resets(pair: Pair) -> None:
    pair.right.wire.abort()


Event = Callable[[Pair], None]
EVENTS: tuple[Event, ...] = (
    *(pause, resume, send_little, send_much, finish, abort),
    *(peer_reads, peer_sends, peer_finishes, peer_resets),
)
WAYS_OF_READING: Mapping[TcpReading, tuple[Event, ...]] = {
    TcpReading.WANTED: (),
    TcpReading.PAUSED: (pause,),
    TcpReading.ENDED: (peer_finishes,),
    TcpReading.OVER: (abort,),
}
WAYS_OF_SENDING: Mapping[TcpSending, tuple[Event, ...]] = {
    TcpSending.OPEN: (),
    TcpSending.FULL: (send_much,),
    TcpSending.ENDING: (send_much, finish),
    TcpSending.ENDED: (finish,),
    TcpSending.OVER: (abort,),
}
READING_FOLLOWS: Mapping[tuple[TcpReading, Event], TcpReading] = {
    (TcpReading.WANTED, pause): TcpReading.PAUSED,
    (TcpReading.PAUSED, resume): TcpReading.WANTED,
    (TcpReading.WANTED, peer_finishes): TcpReading.ENDED,
}
SENDING_FOLLOWS: Mapping[tuple[TcpSending, Event], TcpSending] = {
    (TcpSending.OPEN, send_much): TcpSending.FULL,
    (TcpSending.FULL, peer_reads): TcpSending.OPEN,
    (TcpSending.OPEN, finish): TcpSending.ENDED,
    (TcpSending.FULL, finish): TcpSending.ENDING,
    (TcpSending.ENDING, peer_reads): TcpSending.ENDED,
}
"""Either end is over once both directions have ended, or it was reset; else no more changes."""
PAIRS = [
    pair
    for pair in product(WAYS_OF_READING, WAYS_OF_SENDING)
    if pair != (TcpReading.ENDED, TcpSending.ENDED) and (pair == OVER or not set(pair) & set(OVER))
]


def following(before: States, event: Event) -> States:
    if event in (abort, peer_resets):
        return OVER
    reading, sending = before
    after = (
        READING_FOLLOWS.get((reading, event), reading),
        SENDING_FOLLOWS.get((sending, event), sending),
    )
    return OVER if after == (TcpReading.ENDED, TcpSending.ENDED) else after


def in_states(world: World, wanted: States) -> Pair:
    pair = Pair(world)
    world.settle()
    pair.right.wire.pause()
    for event in (*WAYS_OF_READING[wanted[0]], *WAYS_OF_SENDING[wanted[1]]):
        event(pair)
        world.settle()
    assert states(pair.left.wire) == wanted
    return pair


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
@pytest.mark.parametrize("before", PAIRS, ids=lambda pair: f"{pair[0].name}-{pair[1].name}")
def test_each_event_in_each_pair_of_states_does_what_is_listed(
    world: World, before: States, event: Event
) -> None:
    pair = in_states(world, before)
    event(pair)
    world.settle()
    after = states(pair.left.wire)
    assert after == following(before, event)
    assert bool(pair.left.losses) == (after == OVER)


# A peer that takes no more, and is not heard of yet: only the kernel knows that.


def settle(pair: Pair) -> None:
    pair.world.settle()


FAILED_FOLLOWS: Mapping[Event, States] = {abort: OVER, settle: OVER}


@pytest.fixture(params=["tcp", "tls"])
def kernel(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world whose kernel refuses writes; the simulated one refuses none."""
    made = make_world(request.param)
    yield made
    made.close()


@pytest.fixture
def failed(kernel: World) -> Pair:
    pair = Pair(kernel)
    kernel.settle()
    pair.right.wire.abort()
    pair.left.wire.send(b"x")
    pair.left.wire.send(b"x")
    assert states(pair.left.wire) == (TcpReading.WANTED, TcpSending.FAILED)
    return pair


@pytest.mark.parametrize("event", [send_little, send_much, finish, abort, settle])
def test_each_event_where_sending_failed_does_what_is_listed(failed: Pair, event: Event) -> None:
    event(failed)
    assert states(failed.left.wire) == FAILED_FOLLOWS.get(
        event, (TcpReading.WANTED, TcpSending.FAILED)
    )
    assert failed.left.wire.unsent_bytes == 0
    settle(failed)
    assert failed.left.lost_code in ("reset", "aborted")


@pytest.mark.parametrize("resumed", [False, True])
def test_a_pause_where_sending_failed_ends_it_all_the_same(failed: Pair, resumed: bool) -> None:
    pause(failed)
    assert states(failed.left.wire) == (TcpReading.PAUSED, TcpSending.FAILED)
    if resumed:
        resume(failed)
        assert states(failed.left.wire) == (TcpReading.WANTED, TcpSending.FAILED)
    settle(failed)
    assert states(failed.left.wire) == OVER
    assert failed.left.lost_code == "reset"


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("ending", [False, True])
@pytest.mark.parametrize("paused", [False, True])
def test_a_write_that_fails_ends_all_but_what_is_read(
    kernel: World, full: bool, ending: bool, paused: bool
) -> None:
    pair = in_states(kernel, (TcpReading.WANTED, TcpSending.FULL if full else TcpSending.OPEN))
    if paused:
        pause(pair)
    if full and ending:
        finish(pair)
    pair.right.wire.abort()
    if not full:
        send_little(pair)
        send_little(pair)
        assert states(pair.left.wire) == (
            OVER if paused else (TcpReading.WANTED, TcpSending.FAILED)
        )
    settle(pair)
    assert states(pair.left.wire) == OVER
    assert pair.left.lost_code == "reset"


# Bytes spliced into another connection, whose kernel has no room.


class Chain:
    """What ``source`` sends goes on to ``sink`` within the kernel, by two connections of ours."""

    def __init__(self) -> None:
        self.world = RealWorld(tls=False)
        self.source, self.sink = Pair(self.world), Pair(self.world)
        self.moved = 0
        self.leavers = 0
        self.world.settle()
        assert self.wire.splice_to(self.sink.right.wire, self._moved)
        self.sink.left.wire.pause()
        while self.reading is not TcpReading.HELD:
            self.source.left.wire.send(bytes(PIECE_BYTES))
            self.world.settle()
        assert self.source.left.wire.unsent_bytes == 0

    def _moved(self, size: int) -> None:
        self.moved += size

    @property
    def wire(self) -> Connection:
        """Which is read, unless it is held."""
        return self.source.right.wire

    @property
    def reading(self) -> TcpReading:
        return states(self.wire)[0]

    def left(self) -> None:
        self.leavers += 1


def chain_pause(chain: Chain) -> None:
    chain.wire.pause(chain.left)


def chain_resume(chain: Chain) -> None:
    chain.wire.resume()


def chain_abort(chain: Chain) -> None:
    chain.wire.abort()


def source_finishes(chain: Chain) -> None:
    chain.source.left.wire.finish()


def source_resets(chain: Chain) -> None:
    chain.source.left.wire.abort()


def sink_reads(chain: Chain) -> None:
    """The sink reads just enough to make room for the held bytes."""
    moved = chain.moved
    chain.sink.left.wire.resume()
    chain.world.run_while(
        lambda: chain.moved == moved and chain.reading in (TcpReading.HELD, TcpReading.HELD_PAUSED)
    )


def sink_resets(chain: Chain) -> None:
    chain.sink.left.wire.abort()


def sink_aborts(chain: Chain) -> None:
    chain.sink.right.wire.abort()


ChainEvent = Callable[[Chain], None]
CHAIN_EVENTS: tuple[ChainEvent, ...] = (
    *(chain_pause, chain_resume, chain_abort, source_finishes, source_resets),
    *(sink_reads, sink_resets, sink_aborts),
)
HELD_FOLLOWS: Mapping[tuple[TcpReading, ChainEvent], TcpReading] = {
    (TcpReading.HELD, chain_pause): TcpReading.HELD_PAUSED,
    (TcpReading.HELD_PAUSED, chain_resume): TcpReading.HELD,
    **{
        (TcpReading.HELD, event): TcpReading.WANTED
        for event in (sink_reads, sink_resets, sink_aborts)
    },
    **{
        (TcpReading.HELD_PAUSED, event): TcpReading.PAUSED
        for event in (sink_reads, sink_resets, sink_aborts)
    },
    **{
        (state, event): TcpReading.OVER
        for state in (TcpReading.HELD, TcpReading.HELD_PAUSED)
        for event in (chain_abort, source_resets)
    },
}
"""Every other event changes nothing."""


@pytest.fixture
def chain() -> Iterator[Chain]:
    made = Chain()
    yield made
    made.world.close()


@pytest.mark.parametrize("event", CHAIN_EVENTS, ids=lambda event: event.__name__)
@pytest.mark.parametrize("before", [TcpReading.HELD, TcpReading.HELD_PAUSED])
def test_each_event_while_the_sink_has_no_room_does_what_is_listed(
    chain: Chain, before: TcpReading, event: ChainEvent
) -> None:
    if before is TcpReading.HELD_PAUSED:
        chain_pause(chain)
    assert chain.reading is before
    event(chain)
    after = HELD_FOLLOWS.get((before, event), before)
    chain.world.run_while(lambda: chain.reading is before and after is not before)
    assert chain.reading is after


def test_who_resumes_while_held_is_told_of_the_end_by_ended_alone(chain: Chain) -> None:
    chain_pause(chain)
    chain_resume(chain)
    source_finishes(chain)
    chain.world.settle()
    assert chain.leavers == 0
    chain_pause(chain)
    chain.world.settle()
    assert chain.leavers == 1


# The tables.


def test_the_table_of_reading_lists_what_follows_and_no_more() -> None:
    walked = {(before[0], following(before, event)[0]) for before in PAIRS for event in EVENTS}
    held = {(before, after) for (before, _), after in HELD_FOLLOWS.items()}
    begins = {(TcpReading.WANTED, TcpReading.HELD)}
    assert _listed(AFTER_READING) == _changes(walked | held | begins)


def test_the_table_of_sending_lists_what_follows_and_no_more() -> None:
    walked = {(before[1], following(before, event)[1]) for before in PAIRS for event in EVENTS}
    # Within one event `ENDING` comes between, and a failed write is seen in two states.
    within = {
        *((state, TcpSending.ENDING) for state in (TcpSending.OPEN, TcpSending.FULL)),
        (TcpSending.FAILED, TcpSending.OVER),
        *(
            (state, TcpSending.FAILED)
            for state in (TcpSending.OPEN, TcpSending.FULL, TcpSending.ENDING)
        ),
    }
    at_once = {(TcpSending.OPEN, TcpSending.ENDED)}
    assert _listed(AFTER_SENDING) == _changes(walked | within) - at_once


def _listed(table: Mapping[Any, frozenset[Any]]) -> set[tuple[Any, Any]]:
    return {(before, after) for before, all_after in table.items() for after in all_after}


def _changes(pairs: set[tuple[Any, Any]]) -> set[tuple[Any, Any]]:
    return {(before, after) for before, after in pairs if before is not after}
