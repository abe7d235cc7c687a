"""Where the id of a request stands, in its head and in that of its answer."""

import random
import re

import pytest

from router.service.request_ids import RequestIds

GET = b"GET / HTTP/1.1\r\nHost: shop\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
FRESH = re.compile(rb"[0-9a-f]{32}")
KEPT = b"x" * 128


def ids(name: str = "X-Id") -> RequestIds:
    made = RequestIds(random.Random(3))
    made.set_name(name)
    return made


@pytest.mark.parametrize("last", [b"Via: 1.1 west\r\n", b"A: \r\n", b"B:\r\nC: d\r\n"])
@pytest.mark.parametrize(
    "former", [b"", b"X-Id: a b\r\n", b"x-id: a\r\nX-ID: b\r\n", b"X-Id: " + KEPT + b"x\r\n"]
)
def test_a_request_without_a_usable_id_gets_one_before_its_last_line(
    former: bytes, last: bytes
) -> None:
    head, value = ids().on_request(GET + former + last)
    assert FRESH.fullmatch(value)
    *others, final = last.splitlines(keepends=True)
    assert head == GET + b"".join(others) + b"X-Id: " + value + b"\r\n" + final


def test_a_usable_id_stays_as_it_is() -> None:
    head = GET + b"x-iD:\t" + KEPT + b" \r\nVia: 1.1 west\r\n"
    assert ids().on_request(head) == (head, KEPT)
    assert ids().of(head) == KEPT
    assert ids("").of(head) == b""
    assert ids("Host").of(GET) == b"", "a name that means something to HTTP is off"


@pytest.mark.parametrize("fields", [b"", b"Server: t\r\n"])
@pytest.mark.parametrize("rest", [b"", b"\r\n", b"\r\nbody", b"\r\n\r\nX-Id: body\r\n\r\n"])
def test_an_answer_carries_the_id_of_its_request_unless_its_target_set_one(
    fields: bytes, rest: bytes
) -> None:
    made = ids()
    assert made.on_response(OK + fields + rest, b"7") == OK + b"X-Id: 7\r\n" + fields + rest
    for value in (b"own", b""):
        own = OK + fields + b"x-id: " + value + b"\r\n" + rest
        assert made.on_response(own, b"7") == own
    made.set_name("")
    assert made.on_response(OK + fields + rest, b"7") == OK + fields + rest
