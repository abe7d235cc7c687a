"""Answers before the body, expectations, upgrades and trailers, at a site and across a link."""

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.corpus import strict
from tests.corpus.sites import OK_BODY, OK_HEAD, RecordingTarget
from tests.scenario.harness import Network
from tests.scenario.test_http_corpus import PORTS, Pair

OK = OK_HEAD + OK_BODY
GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"


@pytest.fixture(scope="module")
def fresh_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The two sites, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("exchanges")) as net:
        pair = Pair(net)
        yield pair
        for target in pair.targets.values():
            target.stop()


class Place:
    """Where a client comes in, and the target behind."""

    def __init__(self, pair: Pair, name: str) -> None:
        self.target: RecordingTarget = pair.targets[name]
        self.address, self.port = pair.near.address, PORTS[name]

    def door(self) -> socket.socket:
        """A client's connection."""
        return socket.create_connection((self.address, self.port), 10.0)


@pytest.fixture(params=list(PORTS))
def place(fresh_pair: Pair, request: pytest.FixtureRequest) -> Iterator[Place]:
    """At the site itself or across a link; idle afterwards, and serving."""
    place = Place(fresh_pair, request.param)
    place.target.forget()
    yield place
    place.target.forget()
    with place.door() as door:
        served = answer(door, GET)
        assert served.start == b"HTTP/1.1 200 OK", served
    fresh_pair.net.at_rest("here", fresh_pair.near)
    fresh_pair.net.at_rest("shop")


def answer(door: socket.socket, sent: bytes) -> strict.Message:
    """The next response on a connection after ``sent``."""
    door.sendall(sent)
    got = b""
    while (found := strict.read_response(got, b"GET", ended=False)) is None:
        data = door.recv(65_536)
        assert data, f"the connection ended after {got!r}"
        got += data
    assert found[1] == len(got), f"more than one response: {got!r}"
    return found[0]


def refusing(door: socket.socket) -> None:
    """An answer at the head; what follows is read until the router has had enough."""
    door.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
    while door.recv(65_536):
        pass


def post(size: int, *fields: bytes) -> bytes:
    lines = (b"POST / HTTP/1.1", b"Host: shop", b"Content-Length: %d" % size, *fields)
    return b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def test_an_answer_before_a_short_body_leaves_the_connection_clean(place: Place) -> None:
    place.target.at_head = refusing
    with place.door() as door:
        first = answer(door, post(10_000) + b"x" * 10)
        assert (first.start, first.body) == (b"HTTP/1.1 413 Too Large", b"no")
        place.target.at_head = None
        second = answer(door, b"x" * 9_990 + GET)
        assert second.body == OK_BODY
    assert [sent.head for sent in place.target.requests] == [GET[:-2]]


def test_an_answer_before_a_long_body_leaves_the_connection_clean(place: Place) -> None:
    place.target.at_head = refusing
    with place.door() as door:
        first = answer(door, post(5_000_000) + b"x" * 10)
        assert (first.start, first.body) == (b"HTTP/1.1 413 Too Large", b"no")
        assert first.values(b"connection") == []
        place.target.at_head = None
        second = answer(door, b"x" * 4_999_990 + GET)
        assert second.body == OK_BODY
    assert [sent.head for sent in place.target.requests] == [GET[:-2]]


def test_a_last_answer_before_a_long_body_lets_the_client_send_all_of_it(place: Place) -> None:
    place.target.at_head = refusing
    with place.door() as door:
        last = answer(door, post(5_000_000, b"Connection: close") + b"x" * 10)
        assert (last.body, last.values(b"connection")) == (b"no", [b"close"])
        assert door.recv(1) == b""
        door.sendall(b"x" * 4_999_990)
    assert place.target.requests == []


def test_who_is_refused_while_waiting_for_100_sends_no_body(place: Place) -> None:
    place.target.at_head = refusing
    with place.door() as door:
        refused = answer(door, post(10, b"Expect: 100-continue"))
        assert refused.start.startswith(b"HTTP/1.1 413 ")
        assert refused.values(b"connection") == [b"close"]  # The body may come or not.
        assert door.recv(1) == b""
    assert place.target.raw.endswith(b"\r\n\r\n")
    assert b"Expect: 100-continue\r\n" in place.target.raw


def test_100_comes_from_the_target_and_the_body_after_it(place: Place) -> None:
    def going(door: socket.socket) -> None:
        door.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = b""
        while len(body) < 5:
            body += door.recv(5)
        door.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body)

    place.target.at_head = going
    with place.door() as door:
        interim = answer(door, post(5, b"Expect: 100-continue"))
        assert interim.start == b"HTTP/1.1 100 Continue"
        final = answer(door, b"hello")
        assert (final.body, final.values(b"connection")) == (b"hello", [])


def test_a_tunnel_carries_bytes_that_look_like_http_both_ways(place: Place) -> None:
    def echoing(door: socket.socket) -> None:
        door.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        while data := door.recv(65_536):
            door.sendall(data)
        door.shutdown(socket.SHUT_WR)

    place.target.at_head = echoing
    asked = GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    with place.door() as door:
        switched = answer(door, asked)
        assert switched.start.startswith(b"HTTP/1.1 101 ")
        sent = GET * 3 + b"\x00\xff\r\n" * 100
        door.sendall(sent)
        door.shutdown(socket.SHUT_WR)
        got = b""
        while data := door.recv(65_536):
            got += data
        assert got == sent


def test_clients_on_shared_target_connections_get_their_own_answers(place: Place) -> None:
    """Requests with bodies that look like requests, side by side: nothing of one is another's."""
    wrong: list[bytes] = []

    def client(number: int) -> None:
        with place.door() as door:
            for _ in range(20):
                evil = b"GET /evil%d HTTP/1.1\r\nHost: evil\r\n\r\n" % number
                got = answer(door, post(len(evil)) + evil)
                if got.body != OK_BODY:
                    wrong.append(got.body)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert place.target.violations == []
    assert len(place.target.requests) == 160
    assert all(b"/evil" not in sent.head for sent in place.target.requests)
