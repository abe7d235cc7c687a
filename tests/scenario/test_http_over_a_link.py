"""HTTP through two routers: the ingress has no local target, so every request crosses."""

import base64
import os
import socket
from collections.abc import Iterator

import pytest

from tests.scenario.backends import payload
from tests.scenario.clients import burst, by_site, connected, fetch, read_all, read_line
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until


class Crossing:
    """Clients come in at ``door``; the only target is at ``room``."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.door, self.room = net.site("door"), net.site("room")
        self.target = net.http("room")
        self.door.declare("shop", halfClose="serve")  # For `raw_answer`.
        self.room.connect("shop", self.target, capacity=50)
        net.link(self.door, self.room, token="cert")
        net.start()
        net.ready("shop", {"room": 1})


@pytest.fixture(scope="module")
def fresh_crossing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crossing]:
    """The two sites, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("crossing")) as net:
        yield Crossing(net)


@pytest.fixture
def crossing(fresh_crossing: Crossing) -> Iterator[Crossing]:
    """The two sites idle, before and after."""
    fresh_crossing.target.forget()
    yield fresh_crossing
    fresh_crossing.net.at_rest("shop")


def raw_answer(site: Site, request: bytes) -> bytes:
    """All that comes back to raw bytes, up to the end."""
    with connected(site.address, SHOP_PORT) as door:
        door.sendall(request)
        door.shutdown(socket.SHUT_WR)
        return read_all(door)


def test_a_site_without_targets_serves_from_elsewhere(crossing: Crossing) -> None:
    answer = fetch(crossing.door.address, SHOP_PORT)
    assert (answer.status, answer.body) == (200, b"room\n")
    why = crossing.door.json("why", "shop")
    assert [c["site"] for c in why["candidates"]] == ["room"]
    assert why["decision"]["path"] == ["room"]


def test_via_and_forwarding_headers_name_both_sites_and_the_client(crossing: Crossing) -> None:
    fields = {"X-Forwarded-For": "192.0.2.9", "traceparent": "00-ab-cd-01"}
    answer = fetch(crossing.door.address, SHOP_PORT, headers=fields)
    seen = crossing.target.seen[-1]
    assert ", ".join(seen.all("via")) == "1.1 door, 1.1 room"
    assert ", ".join(seen.all("x-forwarded-for")) == "192.0.2.9, 127.0.0.1"
    assert seen.all("x-forwarded-proto") == ["http"]
    assert seen.all("x-forwarded-host") == [f"{crossing.door.address}:{SHOP_PORT}"]
    assert seen.all("host") == [f"{crossing.door.address}:{SHOP_PORT}"]
    assert seen.all("traceparent") == ["00-ab-cd-01"]
    assert sorted(answer.headers["via"].split(", ")) == ["1.1 door", "1.1 room"]
    assert answer.headers["x-fields"] == "kept"


def test_bodies_of_either_framing_arrive_whole_both_ways(crossing: Crossing) -> None:
    body = os.urandom(700_001)
    door = crossing.door
    whole = fetch(door.address, SHOP_PORT, "/echo", "POST", body=body)
    assert whole.body == body
    pieces = iter([body[:1], body[1:300_000], body[300_000:]])
    chunked = fetch(door.address, SHOP_PORT, "/echo", "POST", body=pieces)
    assert chunked.body == body
    assert [seen.body for seen in crossing.target.seen] == [body, body]
    assert fetch(door.address, SHOP_PORT, "/chunked/123457").body == payload(123_457)
    assert fetch(door.address, SHOP_PORT, "/closed/123457").body == payload(123_457)
    assert fetch(door.address, SHOP_PORT, "/bytes/5000000").body == payload(5_000_000)


@pytest.mark.parametrize("path", ["/bytes/5000", "/chunked/5000"])
def test_the_answer_to_head_has_the_fields_and_no_body(crossing: Crossing, path: str) -> None:
    request = f"HEAD {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n".encode()
    head, _, rest = raw_answer(crossing.door, request).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert rest == b""
    if path.startswith("/bytes"):
        assert b"content-length: 5000" in head.lower()


def test_100_continue_comes_from_the_target_before_the_body_is_sent(crossing: Crossing) -> None:
    with connected(crossing.door.address, SHOP_PORT) as door:
        door.sendall(
            b"POST /echo HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n"
            b"Expect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        interim = read_line(door)
        assert interim.startswith("HTTP/1.1 100")
        while read_line(door).strip():
            pass
        door.sendall(b"hello")
        assert read_all(door).endswith(b"\r\n\r\nhello")


def test_pipelined_requests_are_answered_in_order(crossing: Crossing) -> None:
    request = b"".join(
        b"POST /echo HTTP/1.1\r\nHost: shop\r\nContent-Length: 1\r\n\r\n%d" % number
        for number in range(9)
    )
    answers = raw_answer(crossing.door, request)
    assert answers.count(b"HTTP/1.1 200") == 9
    bodies = [part[:1] for part in answers.split(b"\r\n\r\n")[1:]]
    assert bodies == [b"%d" % number for number in range(9)]


def test_a_websocket_crosses_the_link_and_frames_go_both_ways(crossing: Crossing) -> None:
    with connected(crossing.door.address, SHOP_PORT) as door:
        key = base64.b64encode(bytes(16)).decode()
        door.sendall(
            "GET /ws HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = []
        while line := read_line(door).strip():
            head.append(line.lower())
        assert head[0].startswith("http/1.1 101")
        assert "upgrade: websocket" in head
        assert "connection: upgrade" in head
        assert any(line.startswith("sec-websocket-accept: ") for line in head)
        for text in (b"first", b"second"):
            door.sendall(bytes((0x81, 0x80 | len(text))) + frame_masked(text))
            assert (
                door.recv(2 + len(text), socket.MSG_WAITALL) == b"\x81" + bytes((len(text),)) + text
            )
        assert crossing.door.in_flight("shop") == {"room": 1}
        door.sendall(b"\x88\x80" + frame_masked(b""))
        assert read_all(door) == b"\x88\x00"


def frame_masked(text: bytes) -> bytes:
    """Mask and masked text of a WebSocket frame (RFC 6455, 5.3)."""
    mask = b"\x01\x02\x03\x04"
    return mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(text))


def test_a_post_whose_target_resets_is_executed_once_and_answered_502(crossing: Crossing) -> None:
    answer = fetch(crossing.door.address, SHOP_PORT, "/reset", "POST", body=b"once")
    assert (answer.status, answer.code) == (502, "target-reset")
    assert [seen.method for seen in crossing.target.seen] == ["POST"]


def test_a_get_whose_target_resets_is_repeated_a_little_and_answered_502(
    crossing: Crossing,
) -> None:
    answer = fetch(crossing.door.address, SHOP_PORT, "/reset")
    assert (answer.status, answer.code) == (502, "target-reset")
    assert 1 <= len(crossing.target.seen) <= 3


def test_a_cut_answer_never_looks_whole(crossing: Crossing) -> None:
    answer = fetch(crossing.door.address, SHOP_PORT, "/part/400000")
    assert answer.status == 0
    assert "IncompleteRead" in answer.error or "Reset" in answer.error
    with connected(crossing.door.address, SHOP_PORT) as door:
        door.sendall(b"GET /part/1000 HTTP/1.0\r\nHost: shop\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            read_all(door)


def test_what_violates_framing_gets_400_and_reaches_no_target(crossing: Crossing) -> None:
    host = b"GET / HTTP/1.1\r\nHost: shop\r\n"
    for wrong in (
        host + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        host + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        host + b"Transfer-Encoding: xchunked\r\n\r\n",
        host + b"Bad Field: 1\r\n\r\n",
        host + b"Host: other\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"complete nonsense\r\n\r\n",
    ):
        answer = raw_answer(crossing.door, wrong)
        assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501")), (wrong, answer)
        assert b"\r\nSpillway-Error: " in answer
        assert b"\r\nConnection: close\r\n" in answer
    large = raw_answer(crossing.door, host + b"X-Large: " + b"x" * 40_000 + b"\r\n\r\n")
    assert large.startswith(b"HTTP/1.1 431")
    assert b"Spillway-Error: header-too-large" in large
    assert crossing.target.seen == []


def test_target_connections_are_used_again(crossing: Crossing) -> None:
    before = crossing.target.connections
    for _ in range(10):
        assert fetch(crossing.door.address, SHOP_PORT).status == 200
    assert crossing.target.connections - before <= 2


def test_many_clients_at_once_over_the_link_lose_nothing(crossing: Crossing) -> None:
    answers = burst(crossing.door.address, SHOP_PORT, 400, "/bytes/20000", at_once=50)
    assert dict(by_site(answers)) == {"room": 400}
    assert all(answer.body == payload(20_000) for answer in answers)


def test_requests_are_counted_once_at_the_ingress(crossing: Crossing) -> None:
    before = crossing.door.service("shop")["requests_total"]
    fetch(crossing.door.address, SHOP_PORT)
    until(
        lambda: crossing.door.service("shop")["requests_total"] == before + 1,
        "the request is counted at the ingress",
    )
    assert crossing.room.service("shop")["requests_total"] == 0
