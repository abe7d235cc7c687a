"""Ids of requests: whose is kept, where they stand, what can never carry one."""

import random
import re

import pytest

from router.exchange.clients.http1.session import HttpSession
from router.exchange.failure_answers import FAILURES
from router.http.http1 import grammar
from router.http.http1.render import ClientFraming, own_answer
from router.model.requests import Request
from router.model.settings import RESERVED_FIELDS
from router.model.specs import ServiceSpec
from router.service.ports import ClientLeg, LegFailure, LegHandler
from router.service.request_ids import RequestIds
from tests.unit.exchange.fakes_http import FakeConnection, FakeLeg, FakeTimers
from tests.unit.exchange.frontends import frontend

OK = b"HTTP/1.1 200 OK\r\n"
FRESH = re.compile(rb"[0-9a-f]{32}")


class Site:
    """A session whose service wants ids."""

    def __init__(self, name: str = "X-Request-Id") -> None:
        self.timers = FakeTimers()
        self.connection = FakeConnection(self.timers)
        self.legs: list[FakeLeg] = []
        shown = frontend(self.timers, ServiceSpec(ports=(), request_id=name))
        self.ids = shown.request_ids
        self.connection.handler = HttpSession(
            self.connection,
            shown,
            open_leg=self._open,
            refused=lambda status: None,
        )

    def _open(self, request: Request, handler: LegHandler) -> ClientLeg:
        self.legs.append(FakeLeg(request, handler))
        return self.legs[-1]

    def ask(self, *fields: bytes) -> bytes:
        """The head that goes on."""
        head = b"GET / HTTP/1.1\r\nHost: shop\r\n" + b"".join(f + b"\r\n" for f in fields)
        self.connection.deliver(head + b"\r\n")
        return self.legs[-1].request.head

    def answer(self, head: bytes = OK) -> bytes:
        self.legs[-1].respond(head, b"hello")
        return self.connection.take()


def ids_in(head: bytes, name: bytes = b"X-Request-Id") -> list[bytes]:
    pattern = rb"(?im)^" + name + rb":[ \t]*(.*?)[ \t]*\r$"
    return re.findall(pattern, head)


@pytest.mark.parametrize("value", [b"a", b"!~" * 64, b"abc-123"])
def test_one_visible_value_of_the_client_is_kept_and_comes_back(value: bytes) -> None:
    site = Site()
    assert ids_in(site.ask(b"x-rEQUEST-id:  " + value + b" ")) == [value]
    assert ids_in(site.answer()) == [value]


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (b"X-Request-Id:",),
        (b"X-Request-Id: " + b"x" * 129,),
        (b"X-Request-Id: two words",),
        (b"X-Request-Id: caf\xc3\xa9",),
        (b"X-Request-Id: a", b"X-Request-Id: b"),
        (b"X-Request-Id: a", b"x-request-id: a"),
    ],
)
def test_none_several_or_a_bad_one_make_way_for_a_fresh_one(fields: tuple[bytes, ...]) -> None:
    site = Site()
    (made,) = ids_in(site.ask(*fields))
    assert FRESH.fullmatch(made)
    assert ids_in(site.answer()) == [made]


def test_the_last_field_stays_via_so_that_the_next_hop_appends_to_it() -> None:
    head = Site().ask()
    assert head.splitlines()[-1] == b"Via: 1.1 west"


def test_every_request_has_an_id_of_its_own() -> None:
    site = Site()
    made = set()
    for _ in range(50):
        made |= set(ids_in(site.ask()))
        site.answer()
    assert len(made) == 50


def test_a_field_that_the_target_set_stands_alone() -> None:
    site = Site()
    site.ask(b"X-Request-Id: mine")
    assert ids_in(site.answer(OK + b"x-request-id: theirs\r\n")) == [b"theirs"]


def test_our_own_answers_carry_the_id_of_what_they_answer() -> None:
    site = Site()
    site.ask(b"X-Request-Id: mine")
    site.legs[-1].handler.done(LegFailure("all-full"))
    answer = site.connection.take()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert ids_in(answer) == [b"mine"]


def test_an_answer_to_what_was_no_request_carries_a_fresh_id() -> None:
    site = Site()
    site.connection.deliver(b"GET / HTTP/1.1\r\nbad field: x\r\n\r\n")
    (made,) = ids_in(site.connection.take())
    assert FRESH.fullmatch(made)


def test_an_upgrade_answer_carries_the_id() -> None:
    site = Site()
    site.ask(b"Connection: upgrade", b"Upgrade: websocket", b"X-Request-Id: mine")
    site.legs[-1].handler.head(b"HTTP/1.1 101 Switching Protocols\r\n", -1)
    assert ids_in(site.connection.take()) == [b"mine"]


def test_a_body_that_looks_like_the_field_is_no_field() -> None:
    ids = RequestIds(random.Random(1))
    ids.set_name("X-Request-Id")
    whole = b"HTTP/1.1 502 Bad Gateway\r\nA: b\r\n\r\n\r\nX-Request-Id: forged"
    assert ids_in(ids.on_response(whole, b"mine").partition(b"\r\n\r\n")[0] + b"\r\n") == [b"mine"]


def test_off_means_untouched_and_can_be_switched_while_it_runs() -> None:
    site = Site("")
    assert ids_in(site.ask(b"X-Request-Id: a", b"X-Request-Id: b")) == [b"a", b"b"]
    assert ids_in(site.answer()) == []
    site.ids.set_name("Trace")
    assert ids_in(site.ask(), b"Trace") != []
    site.ids.set_name("")
    assert b": \r\n" not in site.answer()


@pytest.mark.parametrize("name", ["Host", "content-length", "TRANSFER-ENCODING", "Via", "Cookie"])
def test_a_field_that_means_something_to_http_carries_no_id(name: str) -> None:
    site = Site(name)
    plain = Site("").ask()
    assert site.ask() == plain


def test_whatever_framing_and_routing_read_is_reserved() -> None:
    known = grammar.PROTECTED_OPTIONS | grammar.NOT_IN_TRAILERS | frozenset(grammar.HOP_BY_HOP)
    assert {name.decode() for name in known} <= RESERVED_FIELDS


def test_the_fields_of_our_own_answers_are_reserved() -> None:
    framing = ClientFraming(head_only=False, old=False, close=True)
    names: set[str] = set()
    for error in FAILURES.values():
        head = own_answer(error, framing, random.Random(1)).partition(b"\r\n\r\n")[0].decode()
        names |= {line.partition(":")[0].lower() for line in head.split("\r\n")[1:]}
    assert "retry-after" in names
    assert names <= RESERVED_FIELDS
