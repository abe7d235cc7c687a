"""A service's own limits and timeouts at routers: large heads across a link, short deadlines."""

import contextlib
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from router.model import limits
from tests.corpus.sites import OK_BODY, OK_HEAD, RecordingTarget, answering, exchange
from tests.scenario.clients import read_all
from tests.scenario.harness import SHOP_PORT, Network, own_address
from tests.scenario.test_hostile_http import attach
from tests.scenario.waiting import own_time

WIDE, SHORT, STEADY = SHOP_PORT, SHOP_PORT + 1, SHOP_PORT + 2
LINE, BLOCK = limits.REQUEST_LINE_BYTES_CEILING, limits.HEADER_BLOCK_BYTES_CEILING
CEILINGS = {
    "requestLine": LINE,
    "headerField": BLOCK,
    "headerBlock": BLOCK,
    "headers": limits.HEADERS_CEILING,
}
BRIEF = {
    "header": 0.5,
    "idle": 0.5,
    "keepAlive": 0.5,
    "tunnel": 0.5,
    "response": 0.5,
}
STEADY_IDLE_S = 1.5
UPLOAD_BYTES = 8_000_000
TAKEN_BYTES, TAKEN_EVERY_S = 20_000, 0.05  # The kernel says that it has room each 2 s then.


class Places:
    """`wide` allows the most, `short` waits for little, `steady` for what moves.

    All have their target across a link.
    """

    def __init__(self, net: Network) -> None:
        self.near, self.far = net.site("near"), net.site("far")
        self.target = RecordingTarget(own_address())
        self.near.declare("wide", WIDE, limits=CEILINGS, halfClose="serve")
        self.near.declare("short", SHORT, timeouts=BRIEF, queueWait=0.1)
        self.near.declare("steady", STEADY, timeouts={"idle": STEADY_IDLE_S})
        attach(self.far, "wide", self.target)
        attach(self.far, "short", self.target)
        attach(self.far, "steady", self.target)
        net.link(self.near, self.far, token="cert")
        net.start()
        net.ready("wide", {"far": 1})
        net.ready("short", {"far": 1})
        net.ready("steady", {"far": 1})


@pytest.fixture(scope="module")
def fresh_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """The two sites, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("limits")) as net:
        places = Places(net)
        yield places
        places.target.stop()


@pytest.fixture
def places(fresh_places: Places) -> Places:
    """With a target that answers."""
    fresh_places.target.forget()
    return fresh_places


def request(line_bytes: int, block_bytes: int) -> bytes:
    """A head of exactly this size."""
    start = b"GET /" + b"a" * (line_bytes - 14) + b" HTTP/1.1\r\n"
    fields = b"Host: shop\r\nA: "
    return start + fields + b"b" * (block_bytes - len(fields) - 2) + b"\r\n\r\n"


def test_the_largest_head_crosses_a_link_and_one_byte_more_ends_at_the_door(
    places: Places,
) -> None:
    since = places.near.link("far")["since"]
    largest = request(LINE, BLOCK)
    got, _ = exchange(places.near.address, WIDE, [largest])
    assert got.startswith(b"HTTP/1.1 200 "), got
    assert places.target.requests[0].head == largest[:-2]
    for too_large, status in ((request(LINE, BLOCK + 1), 431), (request(LINE + 1, BLOCK), 414)):
        got, _ = exchange(places.near.address, WIDE, [too_large])
        assert got.startswith(b"HTTP/1.1 %d " % status), got
    assert len(places.target.requests) == 1
    assert places.target.violations == []
    link = places.near.link("far")
    assert (link["state"], link["since"]) == ("up", since)


def test_the_largest_response_head_comes_back_and_one_byte_more_is_502(places: Places) -> None:
    def answer(block_bytes: int) -> bytes:
        fields = b"Content-Length: 2\r\nA: "
        return (
            b"HTTP/1.1 200 OK\r\n" + fields + b"b" * (block_bytes - len(fields) - 2) + b"\r\n\r\nok"
        )

    ask = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n"
    for size, status in ((BLOCK, 200), (BLOCK + 1, 502)):
        places.target.script = answering([answer(size)])
        got, _ = exchange(places.near.address, WIDE, [ask])
        assert got.startswith(b"HTTP/1.1 %d " % status), got[:100]


class Borne(NamedTuple):
    """How long something took from before its connection was made, by the clock and at most."""

    least_s: float
    most_s: float
    got: bytes


def until_over(places: Places, sent: bytes) -> Borne:
    """How long the site bears ``sent`` with nothing after it, and its answer in the end."""
    began, own = time.monotonic(), own_time()
    with socket.create_connection((places.near.address, SHORT), 5.0) as door:
        door.sendall(sent)
        try:
            got = read_all(door)
        except ConnectionResetError:
            got = b"reset"
        return Borne(time.monotonic() - began, own_time() - own, got)


GET = b"GET / HTTP/1.1\r\nHost: shop\r\n"
POST = b"POST / HTTP/1.1\r\nHost: shop\r\n"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET /", b"HTTP/1.1 408 "),
        (POST + b"Content-Length: 9\r\n\r\nx", b"HTTP/1.1 408 "),
        (b"", b""),
        (GET + b"\r\n", b"HTTP/1.1 200 "),
    ],
    ids=["head", "body", "idle", "idle after a request"],
)
def test_half_a_second_is_half_a_second(places: Places, sent: bytes, expected: bytes) -> None:
    borne = until_over(places, sent)
    assert borne.got.startswith(expected), borne
    # The law is exact in virtual time; here machines are busy.
    assert borne.least_s >= 0.4 and borne.most_s < 1.5, borne


def silent(seconds: float, door: socket.socket) -> None:
    """Say nothing for a while, or until the other end has closed."""
    door.settimeout(seconds)
    try:
        door.recv(1)
    except TimeoutError:
        door.sendall(OK_HEAD + OK_BODY)


def test_a_client_gets_504_within_the_time_of_queue_and_answer(places: Places) -> None:
    places.target.script = partial(silent, 5.0)
    borne = until_over(places, POST + b"Connection: close\r\n\r\n")
    assert borne.got.startswith(b"HTTP/1.1 504 "), borne
    assert borne.least_s >= 0.4 and borne.most_s < 1.6, borne


def test_a_tunnel_rests_for_half_a_second(places: Places) -> None:
    def switch(door: socket.socket) -> None:
        door.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        silent(5.0, door)

    places.target.script = switch
    asked = GET + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    borne = until_over(places, asked)
    assert borne.got == b"reset"
    assert borne.least_s >= 0.4 and borne.most_s < 1.6, borne


def test_a_target_that_takes_a_request_slowly_and_steadily_gets_all_of_it(places: Places) -> None:
    took: list[int] = []

    def take(target: socket.socket) -> None:
        target.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536
        )  # Else that has room for all.
        left = UPLOAD_BYTES - len(places.target.raw.partition(b"\r\n\r\n")[2])
        while left and (data := target.recv(min(TAKEN_BYTES, left))):
            left -= len(data)
            time.sleep(TAKEN_EVERY_S)
        took.append(UPLOAD_BYTES - left)
        target.sendall(OK_HEAD + OK_BODY)

    places.target.at_head = take
    with socket.create_connection((places.far.address, STEADY), 60.0) as sender:
        sender.sendall(POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % UPLOAD_BYTES)
        sender.sendall(bytes(UPLOAD_BYTES))
        got = read_all(sender)
    assert got.startswith(b"HTTP/1.1 200 "), got
    assert took == [UPLOAD_BYTES]


def test_hundreds_of_connections_of_one_address_are_served(tmp_path: Path) -> None:
    """Those of an ingress controller, or of all clients behind one NAT."""
    with Network(tmp_path) as net, contextlib.ExitStack() as doors:
        site = net.site("busy")
        site.declare("shop")
        site.connect("shop", net.http("busy"))
        net.start()
        net.ready("shop", {"busy": 1})
        for _ in range(600):
            door = doors.enter_context(socket.create_connection((site.address, SHOP_PORT), 15.0))
            door.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
            assert door.recv(12) == b"HTTP/1.1 200"
