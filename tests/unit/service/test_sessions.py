"""Which requests belong to a session, and how our cookie is read and written."""

import random

import pytest

from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.model.requests import Request
from router.model.settings import Affinity, AffinityBy
from router.service.sessions import Session, Sessions

KEY = ServiceKey("shop", 8080)
EAST, WEST = SiteId("ea571234" * 4), SiteId("0e571234" * 4)
HEAD = b"GET / HTTP/1.1\r\nHost: shop\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nX: y\r\n"


def sessions(by: AffinityBy, name: str = "", *, secure: bool = False) -> Sessions:
    made = Sessions(Affinity(by=by, name=name), KEY, random.Random(1), secure=secure)
    made.set_sites((EAST, WEST))
    return made


def request(*fields: bytes) -> Request:
    head = HEAD + b"".join(field + b"\r\n" for field in fields)
    return Request(key=KEY, protocol="http", head=head)


def with_cookie(value: bytes) -> Request:
    return request(b"Cookie: " + value)


def test_a_client_is_one_session_whatever_it_asks_for() -> None:
    by_client = sessions("client")
    first = by_client.enter(request(), "10.0.0.9", 1.0)
    assert first.session
    assert first.preferred is None
    assert by_client.answered(first, WEST, ANSWER, 1.0) == ANSWER
    second = by_client.enter(request(b"X: other"), "10.0.0.9", 2.0)
    assert (second.session, second.preferred) == (first.session, WEST)
    assert by_client.enter(request(), "10.0.0.10", 2.0).session != first.session
    assert by_client.enter(Request(key=KEY, protocol="tcp"), "10.0.0.9", 2.0).preferred == WEST


def test_a_site_that_is_no_candidate_any_more_is_no_preference() -> None:
    by_client = sessions("client")
    first = by_client.enter(request(), "10.0.0.9", 1.0)
    by_client.answered(first, WEST, ANSWER, 1.0)
    by_client.set_sites((EAST,))
    assert by_client.enter(request(), "10.0.0.9", 1.0).preferred is None
    by_client.set_sites((EAST, WEST))
    assert by_client.enter(request(), "10.0.0.9", 1.0).preferred == WEST
    late = 1.0 + limits.SESSION_IDLE_S
    assert by_client.enter(request(), "10.0.0.9", late).preferred is None


def test_a_header_makes_a_session_and_stays_in_the_request() -> None:
    by_header = sessions("header", "X-User")
    entered = by_header.enter(request(b"x-user:  ann \t"), "1.1.1.1", 1.0)
    assert entered.session
    assert b"x-user:  ann" in entered.head
    assert by_header.enter(request(b"X-USER: ann"), "2.2.2.2", 1.0).session == entered.session
    assert by_header.enter(request(b"X-User: Ann"), "2.2.2.2", 1.0).session != entered.session
    by_header.answered(entered, EAST, ANSWER, 1.0)
    assert by_header.look("header", "ann", 1.0) == Session(entered.session, EAST)


@pytest.mark.parametrize("field", [b"Y: z", b"X-User:", b"X-User2: ann", b"Y: X-User: ann"])
def test_without_the_header_there_is_no_session(field: bytes) -> None:
    plain = request(field)
    assert sessions("header", "X-User").enter(plain, "1.1.1.1", 1.0) is plain


def test_a_first_request_gets_a_cookie_and_the_next_goes_where_it_says() -> None:
    by_cookie = sessions("cookie")
    first = by_cookie.enter(request(), "1.1.1.1", 1.0)
    assert first.preferred is None
    value = f"ea571234.{first.session:016x}".encode()
    marked = by_cookie.answered(first, EAST, ANSWER, 1.0)
    line = b"Set-Cookie: spillway-shop=" + value + b"; Path=/; HttpOnly; SameSite=Lax\r\n"
    assert marked == b"HTTP/1.1 200 OK\r\n" + line + b"X: y\r\n"
    second = by_cookie.enter(with_cookie(b"spillway-shop=" + value), "1.1.1.1", 2.0)
    assert (second.session, second.preferred) == (first.session, EAST)
    assert by_cookie.answered(second, EAST, ANSWER, 1.0) == ANSWER
    assert b"spillway-shop=0e571234." in by_cookie.answered(second, WEST, ANSWER, 1.0)


def test_a_cookie_for_clients_by_tls_goes_no_other_way() -> None:
    by_cookie = sessions("cookie", "sid", secure=True)
    first = by_cookie.enter(request(), "1.1.1.1", 1.0)
    assert b"; Secure\r\n" in by_cookie.answered(first, EAST, ANSWER, 1.0)


@pytest.mark.parametrize(
    ("field", "left"),
    [
        (b"Cookie: sid=V", b""),
        (b"Cookie: sid=V;", b""),
        (b"cookie:a=1; sid=V; b=2", b"cookie:a=1; b=2\r\n"),
        (b'Cookie: sid=V; a=1;b="x y"', b'Cookie: a=1;b="x y"\r\n'),
        (b"Cookie: a=sid=V; sid=V", b"Cookie: a=sid=V\r\n"),
        (b"Cookie: sid2=1; sid=V; xsid=2;  c ", b"Cookie: sid2=1; xsid=2;  c\r\n"),
        (b"Cookie: sid=bad; sid=V", b""),
        (b"Cookie: a=1\r\nCookie: sid=V", b"Cookie: a=1\r\n"),
    ],
)
def test_our_cookie_is_taken_out_and_the_others_stay_as_they_are(field: bytes, left: bytes) -> None:
    value = b"ea571234.0000000000000007"
    by_cookie = sessions("cookie", "sid")
    entered = by_cookie.enter(request(field.replace(b"=V", b"=" + value)), "1.1.1.1", 1.0)
    assert entered.head == HEAD + left.replace(b"=V", b"=" + value)
    assert (entered.session, entered.preferred) == (7, EAST)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"ea571234",
        b"ea571234.7",
        b"ea571234.0000000000000000",
        b"ea571234.8000000000000000",
        b"ea571234.00000000000000071",
        b"EA571234.0000000000000007",
        b"ea571234.000000000000000g",
        b"ea571234.+000000000000007",
        b'"ea571234.0000000000000007"',
        "ea571234.000000000000000\u0667".encode(),
    ],
)
def test_what_is_no_cookie_of_ours_begins_a_new_session(value: bytes) -> None:
    by_cookie = sessions("cookie", "sid")
    entered = by_cookie.enter(with_cookie(b"a=1; sid=" + value), "1.1.1.1", 1.0)
    assert entered.head == HEAD + b"Cookie: a=1\r\n"
    assert entered.session not in (0, 7)
    assert entered.preferred is None
    assert b"Set-Cookie: sid=" in by_cookie.answered(entered, EAST, ANSWER, 1.0)


def test_an_unknown_site_is_no_preference_and_the_key_stays() -> None:
    by_cookie = sessions("cookie", "sid")
    entered = by_cookie.enter(with_cookie(b"sid=ffffffff.0000000000000007"), "1.1.1.1", 1.0)
    assert (entered.session, entered.preferred) == (7, None)
    assert b"sid=ea571234.0000000000000007;" in by_cookie.answered(entered, EAST, ANSWER, 1.0)


def test_a_cookie_that_is_not_ours_leaves_the_head_as_it_is() -> None:
    head = with_cookie(b"a=1;; b = 2; spillway").head
    assert sessions("cookie").enter(with_cookie(b"a=1;; b = 2; spillway"), "", 1.0).head == head


def test_only_what_makes_sessions_is_looked_up() -> None:
    assert sessions("client").look("cookie", "ea571234.0000000000000007", 1.0) is None
    assert sessions("cookie").look("client", "10.0.0.9", 1.0) is None


def test_tcp_shows_neither_cookie_nor_header() -> None:
    plain = Request(key=KEY, protocol="tcp")
    assert sessions("cookie").enter(plain, "1.1.1.1", 1.0) is plain
    assert sessions("header", "X").enter(plain, "1.1.1.1", 1.0) is plain
