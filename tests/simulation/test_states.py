"""What exchanges, attempts elsewhere and streams do in storms of aborts, their tables allow."""

import enum
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from router.exchange.exchange_states import AFTER, AFTER_REMOTE
from router.exchange.local_attempts import LocalAttempts
from router.exchange.sites.remote_attempt import RemoteAttempt
from router.http.http2.stream_states import AFTER_RECEIVING as AFTER_HTTP2_RECEIVING
from router.http.http2.stream_states import AFTER_SENDING as AFTER_HTTP2_SENDING
from router.http.http2.wire_streams import WireStream
from router.link.streams.stream import LaneStream
from router.link.streams.stream_states import AFTER_RECEIVING, AFTER_SENDING
from router.net.ports import Connection, ConnectionHandler, DialFailure, Loss, Network
from tests.simulation import test_http2_storms as http2_storms
from tests.simulation.storm import Storm
from tests.simulation.storm_parties import Client
from tests.simulation.world import SERVICE, World
from tests.unit.http import test_http2_streams as http2_streams

SEEDS = (0, 2, 3, 5)
"""Together they see every transition of the tables."""
ROUNDS = 40


class Watched:
    """A state of a class, in place of its slot, with what followed what."""

    def __init__(self, slot: Any, table: Mapping[Any, frozenset[Any]]) -> None:
        self._slot, self._table = slot, table
        self.seen: Counter[tuple[enum.Enum, enum.Enum]] = Counter()
        self.listed = {(a, b) for a in table for b in table[a]}

    def __get__(self, one: Any, owner: type) -> Any:
        return self._slot.__get__(one, owner)

    def __set__(self, one: Any, state: Any) -> None:
        try:
            before = self._slot.__get__(one)
        except AttributeError:
            before = state  # Its first.
        if before is not state:
            assert state in self._table[before], f"{before} to {state}: {one!r}"
            self.seen[before, state] += 1
        self._slot.__set__(one, state)


@pytest.fixture(scope="module")
def watched() -> Iterator[list[Watched]]:
    """All states, over all storms of this file."""
    states: list[tuple[type, str, Mapping[Any, frozenset[Any]]]] = [
        (LocalAttempts, "_state", AFTER),
        (RemoteAttempt, "state", AFTER_REMOTE),
        (LaneStream, "sending", AFTER_SENDING),
        (LaneStream, "receiving", AFTER_RECEIVING),
        (WireStream, "sending", AFTER_HTTP2_SENDING),
        (WireStream, "receiving", AFTER_HTTP2_RECEIVING),
    ]
    with pytest.MonkeyPatch.context() as patch:
        watched = []
        for one, name, table in states:
            state = Watched(one.__dict__[name], table)
            patch.setattr(one, name, state)
            watched.append(state)
        yield watched


@pytest.mark.parametrize("seed", SEEDS)
def test_only_what_the_table_lists_follows(seed: int, watched: list[Watched]) -> None:
    storm = Storm(seed)
    for number in range(ROUNDS):
        assert storm.round() == [], f"round {number}"


@pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])
@pytest.mark.parametrize("seed", range(2))
def test_nor_where_streams_break_off_or_end_with_trailers(
    seed: int, remote: bool, watched: list[Watched]
) -> None:
    http2_storms.test_a_storm_of_broken_streams_leaves_nothing_behind(seed, remote, 0.04)


def test_nor_where_an_answer_breaks_off_before_its_client_took_what_there_is(
    watched: list[Watched],
) -> None:
    http2_streams.test_only_what_is_queued_is_sent_before_a_stream_is_torn()


class Hushed(Client):
    """A tcp client that says nothing."""

    def _connected(self, connection: Connection) -> ConnectionHandler:
        self._connection = connection
        return self


class Caller:
    """A tcp client that sends one byte and stays until the test ends its connection."""

    def __init__(self, network: Network) -> None:
        network.dial("127.0.0.1", SERVICE.port, self._connected, self._failed, timeout_s=5.0)

    def _connected(self, connection: Connection) -> ConnectionHandler:
        self._connection = connection
        connection.send(b"x")
        return self

    def _failed(self, failure: DialFailure) -> None:
        raise AssertionError(failure.reason)

    def leave(self) -> None:
        self._connection.abort()

    def received(self, data: memoryview) -> None:
        """Whatever it is."""

    def ended(self) -> None:
        """It leaves by itself."""

    def writable(self) -> None:
        """It sends no more."""

    def lost(self, cause: Loss | None) -> None:
        """Expected: the test makes it leave."""


@pytest.mark.parametrize("who", ["client", "target"])
def test_nor_where_a_connection_ends_before_a_byte_came(who: str, watched: list[Watched]) -> None:
    storm = Storm(0)
    client = Hushed(storm.middle.network, "raw", 0)
    storm.world.run(1.0)
    (connection,) = (one for target in storm.targets for one in target.connections)
    if who == "client":
        client.leave(politely=False)
    else:
        connection.connection.finish()
    storm.world.run(1.0)
    assert client.over


def test_nor_where_connections_stand_for_the_slot_of_another_site(watched: list[Watched]) -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare(protocol="tcp", queue_wait_s=5.0)
    b.serve(1, capacity=1)
    world.run(5)
    clients = [Caller(a.network) for _ in range(3)]
    for client in clients:
        world.run(1)
        client.leave()
    world.run(1)


def test_all_that_the_tables_list_was_seen(watched: list[Watched]) -> None:
    for one in watched:
        assert one.listed - one.seen.keys() == set()
