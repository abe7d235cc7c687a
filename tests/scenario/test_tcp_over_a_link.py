"""TCP through two routers: bulk, half-close, resets, many idle connections."""

import contextlib
import hashlib
import resource
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.scenario.backends import PIECE, payload
from tests.scenario.clients import ask, connected, read_all, read_line, reset
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.waiting import until

BULK_BYTES = 200_000_000
IDLE = 500


class Crossing:
    """Clients come in at ``door``; the only target, with no configured capacity, is at ``room``."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.door, self.room = net.site("door"), net.site("room")
        self.target = net.tcp("room")
        self.door.declare("db", protocol="tcp")
        self.room.connect("db", self.target)
        net.link(self.door, self.room, token="cert")
        net.start()
        net.ready("db", {"room": 1})


@pytest.fixture(scope="module")
def fresh_crossing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crossing]:
    """The two sites, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("crossing")) as net:
        yield Crossing(net)


@pytest.fixture
def crossing(fresh_crossing: Crossing) -> Iterator[Crossing]:
    """The two sites idle, before and after."""
    fresh_crossing.target.ended.clear()
    yield fresh_crossing
    fresh_crossing.net.at_rest("db")
    until(lambda: fresh_crossing.target.in_hand == 0, "the target has no connection left")


@contextlib.contextmanager
def through(crossing: Crossing, timeout_s: float = 15.0) -> Iterator[socket.socket]:
    """A connection to the target through both sites."""
    with connected(crossing.door.address, SHOP_PORT, timeout_s) as door:
        yield door


def digest_of(size: int) -> str:
    """SHA-256 of ``size`` bytes of the payload."""
    digest = hashlib.sha256()
    for at in range(0, size, len(PIECE)):
        digest.update(PIECE[: size - at])
    return digest.hexdigest()


def test_200_mb_each_way_at_once_arrive_whole(crossing: Crossing) -> None:
    digest, size = hashlib.sha256(), 0
    with through(crossing) as door:
        door.sendall(b"both %d\n" % BULK_BYTES)

        def send() -> None:
            for at in range(0, BULK_BYTES, len(PIECE)):
                door.sendall(PIECE[: BULK_BYTES - at])
            door.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        buffer = bytearray(1 << 18)
        while size < BULK_BYTES:
            got = door.recv_into(buffer, min(len(buffer), BULK_BYTES - size))
            assert got, f"ended after {size} bytes"
            digest.update(memoryview(buffer)[:got])
            size += got
        told = read_line(door)
        sender.join()
        assert door.recv(1) == b""
    expected = digest_of(BULK_BYTES)
    assert digest.hexdigest() == expected
    assert told == f"{BULK_BYTES} {expected}"


def test_a_client_that_has_finished_sending_still_gets_the_answer(crossing: Crossing) -> None:
    with through(crossing) as door:
        door.sendall(b"sink\n" + payload(8 << 20))
        door.shutdown(socket.SHUT_WR)
        size, _, digest = read_line(door).partition(" ")
        assert int(size) == 8 << 20
        assert digest == digest_of(8 << 20)
        assert door.recv(1) == b""


def test_a_target_that_has_finished_sending_can_still_be_sent_to(crossing: Crossing) -> None:
    with through(crossing) as door:
        door.sendall(b"half\n")
        assert read_all(door) == b"half done\n"
        door.sendall(b"more\n")
        door.shutdown(socket.SHUT_WR)
    until(lambda: crossing.target.ended, "the target ended")
    assert crossing.target.ended == ["more"]


def test_a_reset_of_the_client_reaches_the_target_as_a_reset(crossing: Crossing) -> None:
    door = socket.create_connection((crossing.door.address, SHOP_PORT), 10)
    assert ask(door, "name") == "room"
    reset(door)
    until(lambda: crossing.target.ended == ["reset"], "the target saw a reset")


def test_an_orderly_end_of_the_client_reaches_the_target_as_one(crossing: Crossing) -> None:
    with through(crossing) as door:
        assert ask(door, "name") == "room"
    until(lambda: crossing.target.ended == ["end"], "the target saw an orderly end")


def test_a_reset_of_the_target_reaches_the_client_as_a_reset(crossing: Crossing) -> None:
    with through(crossing) as door:
        door.sendall(b"rst\n")
        with pytest.raises(ConnectionResetError):
            read_all(door)


def test_a_reader_that_stalls_stops_nobody_else(crossing: Crossing) -> None:
    with through(crossing) as stalled, through(crossing) as door:
        stalled.sendall(b"source 50000000\n")
        for _ in range(50):
            assert ask(door, "name") == "room"
        with through(crossing) as bulk:
            bulk.sendall(b"source 20000000\n")
            assert len(read_all(bulk)) == 20_000_000
        reset(stalled)


def test_500_idle_connections_stay_usable(crossing: Crossing) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4 * IDLE:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * IDLE), hard))
    with contextlib.ExitStack() as stack:
        doors = [stack.enter_context(through(crossing)) for _ in range(IDLE)]
        for door in doors:
            door.sendall(b"name\n")
        assert {read_line(door) for door in doors} == {"room"}
        assert crossing.door.in_flight("db") == {"room": IDLE}
        for door in doors:
            door.sendall(b"again\n")
        assert {read_line(door) for door in doors} == {"room"}
        assert crossing.target.in_hand == IDLE
