"""What a link may bring, and how heads go out."""

import pytest

from router.http.http1 import render
from router.http.http1.canonical import (
    RequestLine,
    check_request_head,
    check_response_head,
    check_trailers,
)
from router.http.http1.render import ClientFraming
from router.model.ids import ServiceKey
from router.model.requests import Request

KEY = ServiceKey("shop", 8080)
CLIENT = ClientFraming(head_only=False, old=False, close=False)
REQUEST = b"GET /x HTTP/1.1\r\nHost: shop\r\nVia: 1.1 west\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nA: b\r\n"


def request(**fields: object) -> Request:
    return Request(key=KEY, protocol="http", **{"head": REQUEST, **fields})  # type: ignore[arg-type]


def test_a_canonical_request_head_is_accepted() -> None:
    assert check_request_head(REQUEST) == RequestLine(b"GET", b"/x", True, False)
    assert check_request_head(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n") is not None


@pytest.mark.parametrize(
    "head",
    [
        b"",
        REQUEST[:-2],
        REQUEST + b"\r\n",
        REQUEST + b"Host: other\r\n",
        b"GET /x HTTP/1.1\r\n",
        REQUEST.replace(b"1.1\r\nHost", b"1.0\r\nHost"),
        REQUEST.replace(b"/x", b"http://shop/x"),
        REQUEST.replace(b"/x", b"*"),
        REQUEST.replace(b"GET /x", b"CONNECT /x"),
        REQUEST.replace(b"shop", b"me@shop"),
        REQUEST + b"A: b\x00\r\n",
        REQUEST + b"A: b\nc\r\n",
        REQUEST + b" folded\r\n",
        REQUEST + b"a: b\r\n" * 600,
        REQUEST + b"A: " + b"b" * 65_000 + b"\r\n",
        *(
            REQUEST + name + b": 5\r\n"
            for name in (
                b"Content-Length",
                b"transfer-encoding",
                b"Connection",
                b"Upgrade",
                b"TE",
                b"Keep-Alive",
                b"Proxy-Connection",
            )
        ),
    ],
)
def test_a_lying_neighbours_request_head_is_refused(head: bytes) -> None:
    assert check_request_head(head) is None


def test_response_heads_and_trailers_from_links_are_checked() -> None:
    assert check_response_head(RESPONSE) == 200
    assert check_response_head(b"HTTP/1.1 204 \r\n") == 204
    for bad in (
        b"",
        b"HTTP/1.1 200\r\n",
        RESPONSE + b"\r\n",
        RESPONSE + b"content-length: 5\r\n",
        RESPONSE + b"Upgrade: x\r\n",
        RESPONSE + b"A: \x00\r\n",
        RESPONSE.replace(b"200", b"20"),
    ):
        assert check_response_head(bad) is None, bad
    assert check_trailers(b"A: b\r\nC: d\r\n")
    for block in (b"A: b", b"A: b\r\n\r\n", b"host: x\r\n", b"Content-Length: 1\r\n", b"A\r\n"):
        assert not check_trailers(block), block


def test_requests_to_targets_state_their_length_in_one_way() -> None:
    assert render.request_to_target(request()) == REQUEST + b"\r\n"
    sized = render.request_to_target(request(body_bytes=5))
    assert sized == REQUEST + b"Content-Length: 5\r\n\r\n"
    chunked = render.request_to_target(request(body_bytes=-1))
    assert chunked.endswith(b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    post = request(head=b"POST / HTTP/1.1\r\nHost: a\r\n")
    assert (
        render.request_to_target(post) == b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
    )
    upgrade = render.request_to_target(request(upgrade="websocket"))
    assert upgrade.endswith(b"\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nVia: 1.1 east\r\n"),
        (REQUEST, REQUEST[:-2] + b", 1.1 east\r\n"),
        (REQUEST + b"A: Via: b\r\n", REQUEST + b"A: Via: b\r\nVia: 1.1 east\r\n"),
        (b"GET / HTTP/1.1\r\nVia:\r\n", b"GET / HTTP/1.1\r\nVia:\r\nVia: 1.1 east\r\n"),
    ],
)
def test_a_hop_is_added_to_the_last_line_if_that_is_via_and_else_in_a_line(
    head: bytes, expected: bytes
) -> None:
    assert render.with_via(head, b"1.1 east") == expected
    answer = render.sized_response(head, 5, b"1.1 east")
    assert answer == expected + b"Content-Length: 5\r\n\r\n"


@pytest.mark.parametrize(
    ("status", "body_bytes", "client", "ending", "chunked"),
    [
        (200, 5, CLIENT, b"Content-Length: 5\r\n\r\n", False),
        (200, -1, CLIENT, b"Transfer-Encoding: chunked\r\n\r\n", True),
        (204, -1, CLIENT, b"Via: 1.1 w\r\n\r\n", False),
        (304, 5, CLIENT, b"Content-Length: 5\r\n\r\n", False),
        (304, -1, CLIENT, b"Via: 1.1 w\r\n\r\n", False),
        (
            200,
            5,
            ClientFraming(head_only=True, old=False, close=False),
            b"Content-Length: 5\r\n\r\n",
            False,
        ),
        (
            200,
            -1,
            ClientFraming(head_only=False, old=True, close=True),
            b"Via: 1.1 w\r\nConnection: close\r\n\r\n",
            False,
        ),
        (
            200,
            5,
            ClientFraming(head_only=False, old=True, close=False),
            b"Content-Length: 5\r\nConnection: keep-alive\r\n\r\n",
            False,
        ),
    ],
)
def test_responses_to_clients_are_framed_as_the_client_understands(
    status: int, body_bytes: int, client: ClientFraming, ending: bytes, chunked: bool
) -> None:
    head = b"HTTP/1.1 %d X\r\n" % status
    rendered, in_chunks = render.response_to_client(head, status, body_bytes, client, b"1.1 w")
    assert rendered.endswith(ending)
    assert in_chunks == chunked
