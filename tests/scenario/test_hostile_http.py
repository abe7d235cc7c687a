"""Clients and targets that mean harm, at the site itself and across a link.

The target records raw bytes and answers what it is told: what reaches it is canonical, what it
says wrong never looks right to the client.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

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
                return  # Whoever connected broke off.

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
        """One good request on a connection of its own."""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n{length}\r\n"
        return self.send(port, head.encode() + body)


def attach(site: Site, service: str, target: RawTarget) -> None:
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
    """At rest before and after, on the same link; a good request is answered."""
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


def smuggled() -> Iterator[bytes]:
    """Requests that two parsers may understand differently."""
    for length in (b"5, 5", b"5,6", b"", b"+5", b"-1", b"0x10", b"1_0", b"\xd9\xa5", b"9" * 25):
        yield POST + b"Content-Length: " + length + b"\r\n\r\nhello"
    yield POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"
    yield POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    for coding in (
        *(b"xchunked", b"chunked, chunked", b"identity", b"gzip, chunked", b"chunked;q=1"),
        *(b"\x0bchunked", b"\xffchunked", b",chunked", b"chunked\r\nTransfer-Encoding: chunked"),
    ):
        yield POST + b"Transfer-Encoding: " + coding + b"\r\n\r\n0\r\n\r\n"
    yield CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n"
    yield GET.replace(b"\r\n", b"\n") + b"\n"
    for field in (
        *(b"A : b", b" A: b", b"A: b\r\n c", b"nocolon", b": v", b"A: b\0c", b"A\0: c"),
        *(b"A: b\nB: c", b"A: b\rB: c", b"Host: other", b"Expect: 200-ok"),
    ):
        yield GET + field + b"\r\n\r\n"
    for start in (
        *(b"GET / HTTP/1.32", b"GET /\0 HTTP/1.1", b"GET /\nHTTP/1.1", b"GET / http/1.1", b"GET /"),
        *(b"PRI * HTTP/2.0", b"CONNECT shop:1 HTTP/1.1", b"GET /#f HTTP/1.1"),
    ):
        yield start + b"\r\nHost: shop\r\n\r\n"
    for host in (b"u@shop", b"a,b", b"a b", b""):
        yield b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"


def test_what_two_parsers_may_read_differently_reaches_no_target(doors: Doors, port: int) -> None:
    for request in smuggled():
        answer = doors.send(port, request)
        assert answer[9:10] in (b"4", b"5"), (request, answer)
        assert answer.count(b"Spillway-Error") == 1, (request, answer)
        assert b"\r\nConnection: close\r\n" in answer, (request, answer)
    assert doors.targets[port].requests == []


def test_a_broken_chunk_never_completes_a_request(doors: Doors, port: int) -> None:
    for chunk in (
        *(b"0_2e\r\n", b"0x5\r\n", b"-0\r\n", b" 5\r\n", b"1" * 17 + b"\r\n", b"\r\n"),
        *(b"5;a\rb\r\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n"),
        b"5;" + b"x" * 65_536 + b"\r\nhello\r\n0\r\n\r\n",
    ):
        assert doors.send(port, CHUNKED + chunk)[9:12] == b"400", chunk
    for reached in doors.targets[port].requests:
        assert not reached.endswith(b"0\r\n\r\n"), reached


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


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_response_that_is_not_http_becomes_502(doors: Doors, port: int, method: str) -> None:
    target = doors.targets[port]
    for wrong in (
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"A: b\r\n" * 200 + b"Content-Length: 0\r\n\r\n",
        OK + b"A: " + b"b" * 100_000 + b"\r\nContent-Length: 0\r\n\r\n",
        OK + b"A: \0\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nx",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"hello world\r\n\r\n",
        OK + b"Conte",
    ):
        target.requests.clear()
        target.script = answering(wrong)
        answer = doors.ask(port, method, body=b"\r\n\r\n" if method == "POST" else b"")
        assert answer.startswith(b"HTTP/1.1 502 "), (wrong[:80], answer)
        assert b"hello" not in answer
        if method == "POST":
            assert len(target.requests) == 1, (wrong[:80], target.requests)


def test_a_torn_response_never_looks_whole(doors: Doors, port: int) -> None:
    for torn in (
        OK + b"Content-Length: 10\r\n\r\nhello",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n\r\n",
    ):
        doors.targets[port].script = answering(torn)
        with pytest.raises(ConnectionResetError):
            doors.ask(port)


def test_what_follows_a_response_reaches_nobody(doors: Doors, port: int) -> None:
    target = doors.targets[port]
    target.script = answering(WHOLE + OK + b"Content-Length: 4\r\n\r\nEVIL")
    for method in ("GET", "HEAD"):
        for _ in range(3):
            assert b"EVIL" not in doors.ask(port, method)
    target.script = None
    for _ in range(3):
        assert doors.ask(port).endswith(b"\r\n\r\nok")


def test_bodiless_responses_carry_no_body(doors: Doors, port: int) -> None:
    for status in (b"204 No Content", b"304 Not Modified"):
        said = b"HTTP/1.1 " + status + b"\r\nContent-Length: 4\r\n\r\nEVIL"
        doors.targets[port].script = answering(said)
        answer = doors.ask(port)
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert b"EVIL" not in answer


def test_a_post_is_executed_once_when_the_target_breaks_off(doors: Doors, port: int) -> None:
    target = doors.targets[port]
    assert doors.ask(port).endswith(b"ok")  # So that there is a connection to use again.
    target.requests.clear()
    target.script = answering()
    assert doors.ask(port, "POST", body=b"\r\n\r\n").startswith(b"HTTP/1.1 502 ")
    assert len(target.requests) == 1
