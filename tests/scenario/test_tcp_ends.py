"""How TCP connections end, at one site and across a link: ends as ends, resets as resets."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Queue
from threading import Thread

import pytest

from tests.scenario.backends import payload
from tests.scenario.clients import read_all, reset
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import own_time, until

BULK = payload(8 << 20)
IDLE_PORT = SHOP_PORT + 1
IDLE_S = 2.0


class RawTarget:
    """Hands its connections to the test once a first byte has come, so not the checks."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._door = socket.create_server((address, 0))
        self.port: int = self._door.getsockname()[1]
        self._taken: Queue[socket.socket] = Queue()
        Thread(target=self._accept, daemon=True).start()

    def next(self) -> socket.socket:
        """The next connection; its first byte is read."""
        return self._taken.get(timeout=10.0)

    def close(self) -> None:
        """Refuse connections from now on."""
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._door.accept()
            except OSError:
                return  # Closed.
            sock.settimeout(10.0)
            with suppress(ConnectionError):
                if sock.recv(1):
                    self._taken.put(sock)
                    continue
            sock.close()


class Crossing:
    """Clients come in at ``door`` or ``room``; the only target is at ``room``."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.door, self.room = net.site("door"), net.site("room")
        self.target = RawTarget(net.target_address)
        for service, port in (("db", SHOP_PORT), ("idle", IDLE_PORT)):
            timeouts = {"tunnel": f"{IDLE_S}s", "halfClosed": "1s"} if service == "idle" else {}
            self.door.declare(service, port, protocol="tcp", timeouts=timeouts)
            self.room.connect(service, self.target)
        net.link(self.door, self.room, token="cert")
        net.start()
        for service in ("db", "idle"):
            net.ready(service, {"room": 1})

    def pair(self, at: str, port: int = SHOP_PORT) -> tuple[socket.socket, socket.socket]:
        """Both ends of a connection through ``at``: the client's and the target's."""
        site: Site = self.door if at == "door" else self.room
        client = socket.create_connection((site.address, port), 10)
        client.sendall(b"!")
        return client, self.target.next()


@pytest.fixture(scope="module")
def fresh_crossing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crossing]:
    """The two sites, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("crossing")) as net:
        crossing = Crossing(net)
        yield crossing
        crossing.target.close()


@pytest.fixture
def crossing(fresh_crossing: Crossing) -> Iterator[Crossing]:
    """The two sites, idle afterwards."""
    yield fresh_crossing
    for service in ("db", "idle"):
        fresh_crossing.net.at_rest(service)


SITES = pytest.mark.parametrize("at", ["room", "door"], ids=["local", "across"])
ENDS = pytest.mark.parametrize("who", ["client", "target"])


def fill(sock: socket.socket) -> int:
    """Send until no buffer on the way takes more; return the number of bytes."""
    sock.settimeout(0.3)
    sent = 0
    with suppress(TimeoutError):
        while sent < 1 << 30:
            sent += sock.send(BULK[: 1 << 20])
    sock.settimeout(10.0)
    return sent


def assert_reset(sock: socket.socket) -> None:
    """The other end is seen as a reset, after whatever came before it and without an end."""
    with pytest.raises(ConnectionResetError):
        while sock.recv(65_536):
            continue
        raise AssertionError("a reset looked like an end")
    sock.close()


@SITES
@ENDS
def test_all_bytes_arrive_before_the_end_of_either_direction(
    crossing: Crossing, at: str, who: str
) -> None:
    client, target = crossing.pair(at)
    first, second = (client, target) if who == "client" else (target, client)
    with ThreadPoolExecutor(2) as pool:
        for sender, reader in ((first, second), (second, first)):
            reading = pool.submit(read_all, reader)
            sender.sendall(BULK)
            sender.shutdown(socket.SHUT_WR)
            assert reading.result() == BULK
    client.close()
    target.close()


@SITES
@ENDS
def test_a_reset_at_once_is_a_reset(crossing: Crossing, at: str, who: str) -> None:
    client, target = crossing.pair(at)
    left, stays = (client, target) if who == "client" else (target, client)
    reset(left)
    assert_reset(stays)


@SITES
@ENDS
def test_a_reset_behind_bytes_that_nobody_reads_is_a_reset(
    crossing: Crossing, at: str, who: str
) -> None:
    client, target = crossing.pair(at)
    left, stays = (client, target) if who == "client" else (target, client)
    assert fill(left) >= 1 << 16
    reset(left)
    assert_reset(stays)


@SITES
@ENDS
def test_a_reset_after_its_own_end_is_a_reset(crossing: Crossing, at: str, who: str) -> None:
    client, target = crossing.pair(at)
    left, stays = (client, target) if who == "client" else (target, client)
    left.shutdown(socket.SHUT_WR)
    assert stays.recv(10) == b""
    reset(left)
    until(lambda: stays.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), "a reset after the end")
    stays.close()


@SITES
@ENDS
def test_a_reset_after_the_end_of_the_other_is_a_reset(
    crossing: Crossing, at: str, who: str
) -> None:
    client, target = crossing.pair(at)
    left, stays = (client, target) if who == "client" else (target, client)
    stays.shutdown(socket.SHUT_WR)
    assert left.recv(10) == b""
    left.sendall(b"some of it")
    reset(left)
    assert_reset(stays)


@SITES
def test_a_target_that_resets_once_its_client_has_left_fails_no_connection(
    crossing: Crossing, at: str
) -> None:
    """RabbitMQ, for one, resets a connection that its client ended without a goodbye."""
    site = crossing.door if at == "door" else crossing.room
    for _ in range(3):
        client, target = crossing.pair(at)
        target.sendall(b"welcome")
        assert client.recv(7) == b"welcome"
        client.close()
        assert target.recv(10) == b""
        reset(target)
    crossing.net.at_rest("db")
    past = site.ctl("why", "db", "--last", "3", "-o", "json").json()["items"]
    assert [one["outcome"] for one in past] == ["client-gone"] * 3


@SITES
def test_a_client_that_closes_with_bytes_unread_resets_the_target(
    crossing: Crossing, at: str
) -> None:
    """What the kernel makes of `close` then is a reset, and must stay one."""
    client, target = crossing.pair(at)
    target.sendall(b"never read")
    until(lambda: client.recv(100, socket.MSG_PEEK) == b"never read", "it has come")
    client.close()
    assert_reset(target)


@SITES
def test_an_idle_limit_is_kept_by_who_is_idle_alone(crossing: Crossing, at: str) -> None:
    began = time.monotonic()
    idle, its_target = crossing.pair(at, IDLE_PORT)
    own = own_time()
    busy, other_target = crossing.pair(at, IDLE_PORT)
    idle.settimeout(0.1)
    while True:
        try:
            assert idle.recv(10)
        except TimeoutError:
            other_target.sendall(b"tick")
            assert busy.recv(4) == b"tick"
        except ConnectionResetError:
            break
    assert time.monotonic() - began > IDLE_S * 0.9
    assert own_time() - own < IDLE_S * 2
    assert_reset(its_target)
    idle.close()
    busy.close()
    other_target.close()
