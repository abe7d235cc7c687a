"""A client gets the same answer, whether the leg delivers it whole or in parts."""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import NamedTuple

import pytest
from h2.events import ResponseReceived

from router.model import limits
from router.net.ports import Loss
from router.service.ports import LegHandler, tell_in_parts
from tests.unit.exchange.http2_peers import GET, GRPC, REQUEST
from tests.unit.exchange.test_http2_ingress import Site as Http2Site
from tests.unit.exchange.test_http_ingress import Site

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
    b"HTTP/1.1 426 Upgrade Required\r\nSpillway-Upgrade: other\r\nVia: 1.1 east\r\n",
    b"HTTP/1.1 503 \r\nA: b\r\n",
)
BODIES = (b"", b"hello", b"x" * 40_000)
DECLARED = (-1, 0, 5, 40_000)


def nothing(site: Site) -> None:
    """Nothing happens: the session stays idle."""


class Stage(NamedTuple):
    """A session, and what happens to it before a request comes and while it is under way."""

    site: Callable[[], Site]
    before: Callable[[Site], object] = nothing
    meanwhile: Callable[[Site], object] = nothing


def fill(site: Site) -> None:
    """Nothing leaves from now on."""
    site.connection.full = True


def fill_before(site: Site) -> None:
    """Earlier bytes, a 1xx response, have yet to leave."""
    fill(site)
    site.leg.handler.head(b"HTTP/1.1 103 Early Hints\r\n", -1)


def in_turn(*steps: Callable[[Site], object]) -> Callable[[Site], object]:
    def all_of_them(site: Site) -> None:
        for step in steps:
            step(site)

    return all_of_them


def drain(site: Site) -> None:
    site.session.drain()


def send_next(site: Site) -> None:
    site.deliver(REQUESTS["get"])


def send_half(site: Site) -> None:
    site.deliver(REQUESTS["get"][:20])


def finish(site: Site) -> None:
    """The client's FIN, as the connection reports it: `end_unread` if reading is paused."""
    if site.connection.is_paused():
        site.connection.end_unread()
    else:
        site.connection.end()


def lose(site: Site) -> None:
    site.connection.lose(Loss("reset"))


STAGES = {
    "at rest": Stage(Site),
    "half-closed, served": Stage(partial(Site, "serve"), meanwhile=finish),
    "half-closed, gone": Stage(Site, meanwhile=finish),
    "half-closed behind the next one, served": Stage(
        partial(Site, "serve"), meanwhile=in_turn(send_next, finish)
    ),
    "half-closed behind the next one, gone": Stage(Site, meanwhile=in_turn(send_next, finish)),
    "draining before": Stage(Site, before=drain),
    "draining": Stage(Site, meanwhile=drain),
    "draining, and the next one is here": Stage(Site, meanwhile=in_turn(send_next, drain)),
    "the last request": Stage(partial(Site, requests=1)),
    "the last request, and the next one is here": Stage(
        partial(Site, requests=1), meanwhile=send_next
    ),
    "the last but one": Stage(partial(Site, requests=2)),
    "the writer is full": Stage(Site, meanwhile=fill),
    "the writer was full before": Stage(Site, meanwhile=fill_before),
    "the writer is full, and the next one is here": Stage(Site, meanwhile=in_turn(fill, send_next)),
    "the writer is full, draining": Stage(Site, meanwhile=in_turn(fill, drain)),
    "the writer is full, half-closed": Stage(
        partial(Site, "serve"), meanwhile=in_turn(fill, finish)
    ),
    "the next one is here": Stage(Site, meanwhile=send_next),
    "half of the next one is here": Stage(Site, meanwhile=send_half),
    "the client is gone": Stage(Site, meanwhile=lose),
}


def outcome(site: Site, *, in_parts: bool, answer: tuple[bytes, int, bytes]) -> tuple[object, ...]:
    """What the client and the leg see of ``answer``."""
    head, body_bytes, body = answer
    handler: LegHandler = site.leg.handler
    if in_parts:
        tell_in_parts(handler, head, body_bytes, body)
    else:
        handler.whole(head, body_bytes, memoryview(bytearray(body)))
    return (*facts(site), *afterwards(site))


def facts(site: Site) -> tuple[object, ...]:
    """The visible state of a session now."""
    first, connection = site.legs[0], site.connection
    return (
        site.take(),
        list(site.statuses),
        [bytes(leg.body) for leg in site.legs],
        (first.is_finished(), first.is_aborted()),
        (connection.is_finished(), connection.is_aborted(), connection.is_paused()),
        len(site.session.legs),
    )


def afterwards(site: Site) -> tuple[object, ...]:
    """How the session goes on: its client asks again, reads, asks again, and falls silent."""
    seen = ask_again(site)
    if site.connection.full:
        site.connection.drain()
    seen += facts(site) + ask_again(site)
    for _ in range(2):  # Time-outs of an answer, of an idle connection.
        site.timers.advance(limits.KEEP_ALIVE_IDLE_S + 1.0)
        seen += facts(site)
    return seen


def ask_again(site: Site) -> tuple[object, ...]:
    if not site.connection.is_paused():
        site.deliver(REQUESTS["get"])
    return facts(site)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", REQUESTS)
def test_a_whole_answer_is_what_its_parts_are(name: str, stage: str) -> None:
    made, before, meanwhile = STAGES[stage]
    for answer in product(HEADS, DECLARED, BODIES):
        told = []
        for in_parts in (True, False):
            site = made()
            before(site)
            site.deliver(REQUESTS[name])
            meanwhile(site)
            told.append(outcome(site, in_parts=in_parts, answer=answer))
        assert told[0] == told[1], answer


def test_a_head_and_a_small_body_are_one_send() -> None:
    site = Site().deliver(REQUESTS["get"])
    site.leg.handler.whole(HEADS[0], 5, memoryview(b"hello"))
    assert site.connection.sends == 1
    assert site.take().endswith(b"\r\n\r\nhello")


# Over HTTP/2

CALLS = {
    "get": (GET, b"", True),
    "head": ([(b":method", b"HEAD"), *GET[1:]], b"", True),
    "post": (REQUEST, b"hi", True),
    "post-begun": (REQUEST, b"h", False),
    "grpc": (GRPC, b"hi", True),
}


class Http2Stage(NamedTuple):
    """A session, and what happens to it while a call is under way."""

    site: Callable[[], Http2Site] = Http2Site
    meanwhile: Callable[[Http2Site, int], object] = lambda site, stream_id: None


def reset(site: Http2Site, stream_id: int) -> None:
    site.client.h2.reset_stream(stream_id)
    site.turn()


def answer_early(site: Http2Site, stream_id: int) -> None:
    """Its head is there already."""
    site.leg.handler.head(b"HTTP/1.1 200 \r\n", 9)


def read_nothing(site: Http2Site, stream_id: int) -> None:
    """The window is closed after the first 65,535 bytes."""
    site.client.acknowledges = False
    other = site.ask()
    site.legs[-1].respond(HEADS[0], b"y" * 40_000)
    assert site.said(other)


HTTP2_STAGES = {
    "at rest": Http2Stage(),
    "with an id of its own": Http2Stage(partial(Http2Site, request_id="X-Request-Id")),
    "draining": Http2Stage(meanwhile=lambda site, stream_id: site.drain()),
    "reset by its client": Http2Stage(meanwhile=reset),
    "answered before": Http2Stage(meanwhile=answer_early),
    "a client that reads nothing": Http2Stage(meanwhile=read_nothing),
}


def http2_outcome(
    stage: str, call: str, *, in_parts: bool, answer: tuple[bytes, int, bytes]
) -> tuple[object, ...]:
    fields, sent, is_complete = CALLS[call]
    site = HTTP2_STAGES[stage].site()
    stream_id = site.ask(fields, end=is_complete and not sent)
    if sent:
        site.body(stream_id, sent, end=is_complete)
    leg = site.leg
    HTTP2_STAGES[stage].meanwhile(site, stream_id)
    head, body_bytes, body = answer
    if in_parts:
        tell_in_parts(leg.handler, head, body_bytes, body)
    else:
        leg.handler.whole(head, body_bytes, memoryview(bytearray(body)))
    seen = (*http2_facts(site, stream_id), bytes(leg.body), leg.is_finished(), leg.is_aborted())
    site.client.acknowledges = True
    another = site.ask()
    site.timers.advance(limits.KEEP_ALIVE_IDLE_S + 1.0)
    return (*seen, *http2_facts(site, stream_id), *http2_facts(site, another))


def http2_facts(site: Http2Site, stream_id: int) -> tuple[object, ...]:
    """The client's view of a call, and whether the session still has a leg for it."""
    said = site.said(stream_id)
    heads = [
        event.headers
        for event in site.client.events
        if isinstance(event, ResponseReceived) and event.stream_id == stream_id
    ]
    return said, heads, len(site.session.legs), list(site.client.goaways)


@pytest.mark.parametrize("stage", HTTP2_STAGES)
@pytest.mark.parametrize("call", CALLS)
def test_a_whole_answer_over_http2_is_what_its_parts_are(call: str, stage: str) -> None:
    for answer in product(HEADS, DECLARED, BODIES):
        told = [
            http2_outcome(stage, call, in_parts=in_parts, answer=answer)
            for in_parts in (True, False)
        ]
        assert told[0] == told[1], answer
