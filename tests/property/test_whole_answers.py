"""A whole answer is what its parts are: what the client gets does not depend on how it was told."""

from itertools import product

import pytest

from router.forward.ports import LegHandler, tell_in_parts
from tests.unit.forward.test_http_ingress import Site

HOST = b"Host: shop\r\n"
REQUESTS = {
    "get": b"GET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "two": b"GET / HTTP/1.1\r\n" + HOST + b"\r\nGET /2 HTTP/1.1\r\n" + HOST + b"\r\n",
    "head": b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n",
    "close": b"GET / HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n",
    "old": b"GET / HTTP/1.0\r\n" + HOST + b"\r\n",
    "old-keep": b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n" + HOST + b"\r\n",
    "post": b"POST / HTTP/1.1\r\nContent-Length: 2\r\n" + HOST + b"\r\nhi",
    "post-begun": b"POST / HTTP/1.1\r\nContent-Length: 2\r\n" + HOST + b"\r\nh",
    "expects": b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" + HOST + b"\r\n",
    "upgrade": b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" + HOST + b"\r\n",
}
HEADS = (
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 204 No Content\r\nVia: 1.1 east\r\n",
    b"HTTP/1.1 304 Not Modified\r\n",
    b"HTTP/1.1 503 \r\nA: b\r\n",
)
BODIES = (b"", b"hello", b"x" * 40_000)
DECLARED = (-1, 0, 5, 40_000)


def outcome(site: Site, *, in_parts: bool, answer: tuple[bytes, int, bytes]) -> tuple[object, ...]:
    """What the client and the leg see of ``answer``."""
    head, body_bytes, body = answer
    handler: LegHandler = site.leg.handler
    if in_parts:
        tell_in_parts(handler, head, body_bytes, body)
    else:
        handler.whole(head, body_bytes, memoryview(bytearray(body)))
    site.timers.turn()
    first = site.legs[0]
    return (
        site.take(),
        site.statuses,
        len(site.legs),
        (first.is_finished(), first.is_aborted()),
        (site.connection.is_finished(), site.connection.is_aborted()),
        site.session.legs,
    )


@pytest.mark.parametrize("name", REQUESTS)
def test_a_whole_answer_is_what_its_parts_are(name: str) -> None:
    for answer in product(HEADS, DECLARED, BODIES):
        told = []
        for in_parts in (True, False):
            site = Site().deliver(REQUESTS[name])
            *facts, legs = outcome(site, in_parts=in_parts, answer=answer)
            assert isinstance(legs, list)
            told.append((*facts, len(legs)))
        assert told[0] == told[1], answer


def test_a_head_and_a_small_body_are_one_send() -> None:
    site = Site().deliver(REQUESTS["get"])
    site.leg.handler.whole(HEADS[0], 5, memoryview(b"hello"))
    assert site.connection.sends == 1
    assert site.take().endswith(b"\r\n\r\nhello")
