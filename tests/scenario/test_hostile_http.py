"""Hostile clients and targets, at the site itself and across a link.

The target records raw bytes and answers as its test sets it: the bytes that reach it are canonical,
and its wrong answers never look right to the client.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.scenario.clients import read_all
from tests.scenario.harness import SHOP_PORT, Network, Site, own_address
from tests.scenario.waiting import until

HERE_PORT = SHOP_PORT + 1
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GROWTH_KIB_MAX = 32 * 1024

Script = Callable[[socket.socket], None]


def answering(*pieces: bytes) -> Script:
    """Send these pieces, then finish."""

    def script(door: socket.socket) -> None:
        for piece in pieces:
            door.sendall(piece)
        door.shutdown(socket.SHUT_WR)
        while door.recv(65_536):
            pass

    return script


def is_whole(request: bytes | bytearray) -> bool:
    """The request has ended, for the bodies that these tests send: they end in a blank line."""
    has_body = b"Transfer-Encoding: chunked" in request or b"Content-Length" in request
    return request.count(b"\r\n\r\n") > has_body and request.endswith(b"\r\n\r\n")


class RawTarget:
    """Keeps the bytes of each connection that brought any; answers `WHOLE` or by `script`."""

    def __init__(self) -> None:
        self.address = own_address()
        self._listener = socket.create_server((self.address, 0), backlog=512)
        self.port = int(self._listener.getsockname()[1])
        self.script: Script | None = None
        self.requests: list[bytearray] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                door, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(door,), daemon=True).start()

    def _serve(self, door: socket.socket) -> None:
        with door:
            try:
                while self._request(door):
                    pass
            except OSError:
                return  # The client broke off.

    def _request(self, door: socket.socket) -> bool:
        got = bytearray()
        while not is_whole(got):
            data = door.recv(65_536)
            if not data:
                return False
            if not got:
                self.requests.append(got)
            got += data
        if self.script is not None:
            self.script(door)
            return False
        door.sendall(WHOLE)
        return True


class Doors:
    """One service whose target is at the same site, one whose target is across a link."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.near, self.far = net.site("near"), net.site("far")
        self.targets = {HERE_PORT: RawTarget(), SHOP_PORT: RawTarget()}
        self.near.declare("here", HERE_PORT)
        self.near.declare("shop", SHOP_PORT)
        attach(self.near, "here", self.targets[HERE_PORT])
        attach(self.far, "shop", self.targets[SHOP_PORT])
        net.link(self.near, self.far, token="cert")
        net.start()
        net.ready("here", {"near": 1}, self.near)
        net.ready("shop", {"far": 1}, self.near)
        self.since = self.near.link("far")["since"]

    def send(self, port: int, data: bytes) -> bytes:
        """All that comes back to ``data`` up to the end; OSError on a reset."""
        with socket.create_connection((self.near.address, port), 5.0) as door:
            door.sendall(data)
            return read_all(door)

    def ask(self, port: int, method: str = "GET", *, body: bytes = b"") -> bytes:
        """One good request on a new connection."""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n{length}\r\n"
        return self.send(port, head.encode() + body)


class Placed(Protocol):
    """Something that listens."""

    address: str
    port: int


def attach(site: Site, service: str, target: Placed) -> None:
    """A connector with one target."""
    spec = {"service": service, "targets": [{"host": target.address, "port": target.port}]}
    site.document("Connector", service, {**spec, "capacity": 400})


def rss_kib(site: Site) -> int:
    """Memory that the router of a site occupies."""
    status = Path(f"/proc/{site.note_pid()}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


@pytest.fixture(scope="module")
def fresh_doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """The two sites, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("doors")) as net:
        doors = Doors(net)
        yield doors
        for target in doors.targets.values():
            target.stop()


@pytest.fixture(params=[HERE_PORT, SHOP_PORT], ids=["local", "linked"])
def port(request: pytest.FixtureRequest) -> int:
    """Where the client comes in: for a target of this site, or for one of the other."""
    return int(request.param)


@pytest.fixture
def doors(fresh_doors: Doors, port: int) -> Iterator[Doors]:
    """Idle before and after, on the same link; a good request is answered."""
    target = fresh_doors.targets[port]
    target.script = None
    target.requests.clear()
    yield fresh_doors
    target.script = None
    assert fresh_doors.ask(port).endswith(b"\r\n\r\nok")
    link = fresh_doors.near.link("far")
    assert (link["state"], link["since"]) == ("up", fresh_doors.since)
    fresh_doors.net.at_rest("here", fresh_doors.near)
    fresh_doors.net.at_rest("shop")


GET = b"GET / HTTP/1.1\r\nHost: shop\r\n"
POST = b"POST / HTTP/1.1\r\nHost: shop\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def test_a_request_split_anywhere_is_the_same_request(doors: Doors, port: int) -> None:
    text = (
        POST + b"Transfer-Encoding: chunked\r\nX: \x85y\xa0\r\n\r\n2;e=1\r\nhi\r\n0\r\nT: v\r\n\r\n"
    )
    with socket.create_connection((doors.near.address, port), 5.0) as door:
        door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for cut in range(1, len(text), 7):
            door.sendall(text[:cut])
            time.sleep(0.001)  # So that the pieces arrive apart.
            door.sendall(text[cut:])
            answer = b""
            while not answer.endswith(b"\r\n\r\nok"):
                answer += door.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200")
    for reached in doors.targets[port].requests:
        assert reached.startswith(b"POST / HTTP/1.1\r\n")
        assert b"\r\nX: \x85y\xa0\r\n" in reached
        assert b"e=1" not in reached
        assert reached.endswith(b"\r\n2\r\nhi\r\n0\r\nT: v\r\n\r\n")


def test_a_thousand_pipelined_requests_of_a_client_that_never_reads_are_bounded(
    doors: Doors, port: int
) -> None:
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + bytes(200_000)
    doors.targets[port].script = answering(large)
    before = rss_kib(doors.near)
    with socket.create_connection((doors.near.address, port), 5.0) as door:
        door.setblocking(False)
        door.send((GET + b"\r\n") * 1000)
        until(lambda: doors.targets[port].requests, "the first was dispatched")
        time.sleep(0.3)
        assert len(doors.targets[port].requests) < 100
        assert rss_kib(doors.near) - before < GROWTH_KIB_MAX


def test_interim_responses_without_end_are_a_broken_response(doors: Doors, port: int) -> None:
    """A client that does not read cannot slow them down: they would fill the memory."""
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: " + b"x" * 4000 + b"\r\n\r\n"
    sent: list[int] = []

    def flood(door: socket.socket) -> None:
        for number in range(10_000):
            sent.append(number)
            door.sendall(hint)

    doors.targets[port].script = flood
    before = rss_kib(doors.near), rss_kib(doors.far)
    answer = doors.ask(port)
    assert answer.count(b"HTTP/1.1 103") < 40
    assert answer.count(b"HTTP/1.1 502") == 1
    assert len(sent) < 5_000
    assert rss_kib(doors.near) - before[0] < GROWTH_KIB_MAX
    assert rss_kib(doors.far) - before[1] < GROWTH_KIB_MAX


OK = b"HTTP/1.1 200 OK\r\n"


def test_what_follows_a_response_reaches_nobody(doors: Doors, port: int) -> None:
    target = doors.targets[port]
    target.script = answering(WHOLE + OK + b"Content-Length: 4\r\n\r\nEVIL")
    for method in ("GET", "HEAD"):
        for _ in range(3):
            assert b"EVIL" not in doors.ask(port, method)
    target.script = None
    for _ in range(3):
        assert doors.ask(port).endswith(b"\r\n\r\nok")


def test_a_post_is_executed_once_when_the_target_breaks_off(doors: Doors, port: int) -> None:
    target = doors.targets[port]
    assert doors.ask(port).endswith(b"ok")  # So that there is a connection to use again.
    target.requests.clear()
    target.script = answering()
    assert doors.ask(port, "POST", body=b"\r\n\r\n").startswith(b"HTTP/1.1 502 ")
    assert len(target.requests) == 1
