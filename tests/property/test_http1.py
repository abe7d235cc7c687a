"""Laws of the HTTP codec: any cut, agreement with h11 and llhttp, round trips, no crash."""

import re
from collections.abc import Iterator
from functools import partial
from itertools import pairwise, product

import h11
import httptools
import msgspec
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from router.http.http1 import grammar, render
from router.http.http1.canonical import (
    check_request_head,
    check_response_head,
    check_trailers,
)
from router.http.http1.chunks import ChunkDecoder
from router.http.http1.forwarding import Forwarding
from router.http.http1.request_heads import RequestHead, read_request_head
from router.http.http1.response_heads import ResponseHead, read_response_head
from router.model.ids import ServiceKey
from router.model.requests import Request
from tests.examples import examples
from tests.unit.http.test_http_requests import Recorder as Requests
from tests.unit.http.test_http_responses import Recorder as Responses

NAMES = st.from_regex(rb"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True)
VALUES = st.from_regex(
    rb"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]{0,8}[!-~\x80-\xff])?)?", fullmatch=True
)
SPECIAL = st.sampled_from(
    [
        b"Host: a",
        b"Host: b:80",
        b"Content-Length: 5",
        b"Content-Length: 05",
        b"Content-Length: +5",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: Chunked ",
        b"Transfer-Encoding: gzip",
        b"Connection: close",
        b"Connection: keep-alive",
        b"cONNECTION:Keep-Alive",
        b"Connection:\t keep-alive ",
        b"Connection: keep-alive, keep-alive",
        b"content-length:5",
        b"Cookie: Connection: keep-alive",
        b"Connection: keep-alive, X-A",
        b"Connection: upgrade",
        b"Upgrade: websocket",
        b"Expect: 100-continue",
        b"X-Forwarded-For: 1.1.1.1",
        b"Via: 1.1 other",
        b"TE: trailers",
    ]
)
LINES = st.one_of(SPECIAL, st.tuples(NAMES, VALUES).map(b": ".join))
STARTS = st.sampled_from(
    [
        b"GET / HTTP/1.1",
        b"HEAD /x HTTP/1.1",
        b"POST /x?y HTTP/1.1",
        b"GET http://c/d HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"GET / HTTP/1.0",
        b"GET / HTTP/1.2",
    ]
)
BODIES = st.sampled_from(
    [b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\nSum: 1\r\n\r\n", b"zz\r\n"]
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Something like a request, often a good one."""
    lines = draw(st.lists(LINES, max_size=5))
    if draw(st.booleans()):
        lines = [line for line in lines if not line.startswith(b"Host")]
        lines.insert(0, b"Host: a")
    return b"\r\n".join((draw(STARTS), *lines, b"", b"")) + draw(BODIES)


@st.composite
def mutated(draw: st.DrawFn, source: st.SearchStrategy[bytes]) -> bytes:
    """``source`` with a few bytes replaced, inserted or removed."""
    text = bytearray(draw(source))
    odd = st.sampled_from([b"\r", b"\n", b"\r\n", b"\x00", b" ", b":", b",", b"\xff", b"", b"\t"])
    for _ in range(draw(st.integers(0, 3))):
        where = draw(st.integers(0, len(text)))
        text[where : where + draw(st.integers(0, 1))] = draw(odd)
    return bytes(text)


def pieces_of(stream: bytes, cuts: set[int]) -> list[bytes]:
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


@given(
    stream=st.lists(mutated(requests()), min_size=1, max_size=3).map(b"".join),
    cuts=st.sets(st.integers(0, 400)),
)
def test_requests_mean_the_same_at_any_cut(stream: bytes, cuts: set[int]) -> None:
    assert Requests().feed(*pieces_of(stream, cuts)).events == Requests().feed(stream).events


@given(stream=mutated(requests()))
@example(stream=b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
def test_what_is_accepted_h11_reads_in_the_same_way(stream: bytes) -> None:
    ours = Requests().feed(stream)
    if not ours.heads or ours.events[-1] != ("complete",) or len(ours.heads) != 1:
        return
    if ours.heads[0].old:
        return  # What we add for HTTP/1.0 is ours to decide.
    peer = h11.Connection(h11.SERVER)
    peer.receive_data(stream.removeprefix(b"\r\n"))  # We forgive one empty line, h11 does not.
    request = peer.next_event()
    assert isinstance(request, h11.Request)
    start = ours.heads[0].head.split(b" ", 2)
    assert request.method == start[0]
    body = b""
    while isinstance(event := peer.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    assert body == b"".join(e[1] for e in ours.events if e[0] == "body")  # type: ignore[misc]


@given(stream=mutated(requests()))
def test_what_goes_to_a_target_is_canonical_and_every_parser_reads_one_request(
    stream: bytes,
) -> None:
    for head in Requests().feed(stream).heads:
        assert check_request_head(head.head) is not None
        request = Request(
            key=ServiceKey("a", 1),
            protocol="http",
            head=render.with_via(head.head, b"1.1 east"),
            body_bytes=head.body_bytes,
            upgrade=head.upgrade,
        )
        wire = render.request_to_target(request)
        again = Requests().feed(wire)
        assert len(again.heads) == 1
        assert again.heads[0].body_bytes == head.body_bytes
        assert again.heads[0].upgrade == head.upgrade
        peer = h11.Connection(h11.SERVER)
        peer.receive_data(wire)
        read = peer.next_event()
        assert isinstance(read, h11.Request)
        assert [value for name, value in read.headers if name == b"host"] != []


RESPONSE_STARTS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 204 No",
        b"HTTP/1.1 304 No",
        b"HTTP/1.0 200 OK",
        b"HTTP/1.1 500 ",
        b"HTTP/1.1 100 Go",
    ]
)


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """Something like a response."""
    lines = draw(st.lists(LINES, max_size=4))
    return b"\r\n".join((draw(RESPONSE_STARTS), *lines, b"", b"")) + draw(BODIES)


@given(stream=mutated(responses()), cuts=st.sets(st.integers(0, 300)), head_only=st.booleans())
def test_responses_mean_the_same_at_any_cut_and_are_canonical(
    stream: bytes, cuts: set[int], head_only: bool
) -> None:
    whole = Responses(head_only=head_only).feed(stream)
    cut = Responses(head_only=head_only).feed(*pieces_of(stream, cuts))
    assert cut.outcome == whole.outcome
    for head in whole.heads:
        assert check_response_head(head.head) == head.status


@given(stream=mutated(responses()))
def test_responses_we_accept_h11_reads_in_the_same_way(stream: bytes) -> None:
    ours = Responses().feed(stream)
    ours.parser.end()
    if ours.events[-1] != ("complete",) or ours.parser.excess:
        return
    peer = h11.Connection(h11.CLIENT)
    peer.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    peer.send(h11.EndOfMessage())
    peer.receive_data(stream)
    peer.receive_data(b"")
    statuses, body = [], b""
    while not isinstance(event := peer.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Data):
            body += bytes(event.data)
        else:
            assert isinstance(event, h11.Response | h11.InformationalResponse)
            statuses.append(event.status_code)
    assert statuses == [head.status for head in ours.heads]
    assert body == b"".join(e[1] for e in ours.events if e[0] == "body")  # type: ignore[misc]


@given(
    stream=mutated(
        st.lists(st.binary(min_size=1, max_size=20), max_size=5).map(
            lambda parts: b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"
        )
    ),
    cuts=st.sets(st.integers(0, 150)),
)
def test_chunks_we_accept_llhttp_reads_in_the_same_way(stream: bytes, cuts: set[int]) -> None:
    decoder = ChunkDecoder(0)
    body, rest = b"", b""
    for piece in pieces_of(stream, cuts):
        pieces, after = decoder.decode(memoryview(piece))
        body += b"".join(pieces)
        rest += bytes(after)
    if decoder.error is not None or not decoder.complete:
        return
    seen: list[bytes] = []
    completed: list[bool] = []

    class Listener:
        def on_body(self, data: bytes) -> None:
            seen.append(data)

        def on_message_complete(self) -> None:
            completed.append(True)

    parser = httptools.HttpRequestParser(Listener())
    parser.feed_data(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    message = stream.removesuffix(rest)
    parser.feed_data(message[:-1])
    assert not completed
    parser.feed_data(message[-1:])
    assert completed
    assert b"".join(seen) == body


@given(data=st.binary(max_size=300))
def test_no_bytes_crash_anything(data: bytes) -> None:
    Requests().feed(data)
    Responses().feed(data)
    check_request_head(data)
    check_response_head(data)
    check_trailers(data)


MANY = settings(max_examples=examples(400))
NEUTRAL = b"Keep-Alive: x"  # Says nothing, ends at this hop, and no shortcut knows it.


@MANY
@given(start=STARTS, lines=st.lists(SPECIAL, max_size=2))
def test_the_short_way_through_a_request_head_leads_where_the_long_one_does(
    start: bytes, lines: list[bytes]
) -> None:
    heads = []
    for extra in ([], [NEUTRAL]):
        requests = Requests()
        requests.parser.feed(memoryview(b"\r\n".join([start, *lines, *extra, b"", b""])))
        (event,) = [one for one in requests.events if one[0] in ("request", "failed")]
        heads.append([facts(one) for one in event])
    assert heads[0] == heads[1]


@MANY
@given(
    start=st.sampled_from(
        [
            *(b"HTTP/1.1 200 OK", b"HTTP/1.1 204 No", b"HTTP/1.1 204", b"HTTP/1.1 304 "),
            *(b"HTTP/1.1 500", b"HTTP/1.1 103 "),
        ]
    ),
    lines=st.lists(SPECIAL, max_size=2),
    head_only=st.booleans(),
)
def test_the_short_way_through_a_response_head_leads_where_the_long_one_does(
    start: bytes, lines: list[bytes], head_only: bool
) -> None:
    heads = []
    for extra in ([], [NEUTRAL]):
        responses = Responses(head_only=head_only)
        responses.parser.feed(memoryview(b"\r\n".join([start, *lines, *extra, b"", b""])))
        event = responses.events[0]
        heads.append([facts(one) for one in event])
    assert heads[0] == heads[1]


@MANY
@given(
    head=mutated(
        st.tuples(STARTS, st.lists(LINES, max_size=5)).map(
            lambda parts: b"\r\n".join((parts[0], b"Host: a", *parts[1], b"", b""))
        )
    )
)
def test_the_short_way_judges_mutated_request_heads_as_the_long_one_does(head: bytes) -> None:
    assume(head.find(b"\r\n\r\n") == len(head) - 4)
    longer = head[:-2] + NEUTRAL + b"\r\n\r\n"
    verdicts = [facts(read_request_head(text, FORWARDING)) for text in (head, longer)]
    assert verdicts[0] == verdicts[1]


@MANY
@given(head=mutated(responses()), head_only=st.booleans())
def test_the_short_way_judges_mutated_response_heads_as_the_long_one_does(
    head: bytes, head_only: bool
) -> None:
    head = head[: head.find(b"\r\n\r\n") + 4]
    assume(len(head) > 4)
    judge = partial(read_response_head, head_only=head_only, upgrade=b"")
    verdicts = [facts(judge(text)) for text in (head, head[:-2] + NEUTRAL + b"\r\n\r\n")]
    assert verdicts[0] == verdicts[1]


# Of the site of FORWARDING, of another one, and nothing: what proxies put behind their names.
PROXY_VALUES = st.sampled_from(
    [
        *(b"1.1 west", b"1.1 WEST, 1.0 west", b"1.1 west, 2 west", b"1.1 east (a)", b"", b" \t"),
        *(
            b"192.0.2.1",
            b"192.0.2.1, 198.51.100.2",
            b"\thttps ",
            b"a:\xff\t,b",
            b"shop.example.org:80",
        ),
    ]
)
PROXY_NAMES = st.sampled_from(
    [
        *(b"Via", b"via", b"vIA", b"X-Forwarded-For", b"x-forwarded-FOR", b"X-Forwarded-Host"),
        *(b"x-forwarded-proto", b"X-Forwarded-Port", b"Vi", b"Forwarded"),
    ]
)
KNOWN_LINES = st.sampled_from([b"A: b", b"Connection: keep-alive", b"connection: Keep-Alive"])
PROXY_LINES = st.builds(lambda name, value: name + b":" + value, PROXY_NAMES, PROXY_VALUES)


@MANY
@given(
    method=st.sampled_from([b"GET", b"HEAD", b"POST", b"TRACE-IT"]),
    before=st.lists(PROXY_LINES, max_size=1),
    behind=st.lists(PROXY_LINES | KNOWN_LINES, max_size=4),
    length=st.sampled_from([[], [b"Content-Length: 5"]]),
    last=st.lists(PROXY_LINES | KNOWN_LINES, max_size=3),
)
def test_the_short_way_reads_heads_of_other_proxies_as_the_long_one_does(
    method: bytes, before: list[bytes], behind: list[bytes], length: list[bytes], last: list[bytes]
) -> None:
    lines = [method + b" /a?b HTTP/1.1", *before, b"Host: a", *behind, *length, *last]
    head = b"\r\n".join([*lines, b"", b""])
    longer = head[:-2] + NEUTRAL + b"\r\n\r\n"
    verdicts = [read_request_head(text, FORWARDING) for text in (head, longer)]
    assert facts(verdicts[0]) == facts(verdicts[1])
    if isinstance(verdicts[0], RequestHead):
        judged = verdicts[0].head
        client = judged[: verdicts[0].client_end]
        assert client.endswith(FORWARDING.client)
        assert judged.count(b"\r\nX-Forwarded-For:") == judged.count(b"\r\nVia:") == 1


# No byte, one or two of any kind in each place of a head, marked by a NUL.
REQUEST_PLACES = (
    *(b"\0 / HTTP/1.1", b"G\0T / HTTP/1.1", b"GET\0/ HTTP/1.1", b"GET \0 HTTP/1.1"),
    *(b"GET /\0 HTTP/1.1", b"GET /a?\0b HTTP/1.1", b"GET /\0HTTP/1.1", b"GET / HTTP/1.\0"),
)
RESPONSE_PLACES = (
    *(b"HTTP/1.\0 200 OK", b"HTTP/1.1\0200 OK", b"HTTP/1.1 \0 OK", b"HTTP/1.1 2\0 OK"),
    *(b"HTTP/1.1 20\0 OK", b"HTTP/1.1 30\0 OK", b"HTTP/1.1 200\0OK", b"HTTP/1.1 200 O\0K"),
)
FIELD_PLACES = (
    *(b"\0: a", b"A\0b: a", b"A\0: a", b"A\0 a", b"A:\0a", b"A: a\0b", b"A: a\0", b"A: a\r\n\0"),
    *(b"Host\0: a", b"Host: a\0b", b"Host:\0a", b"Content-Length: 5\0", b"Content-Length: \0"),
    *(b"Content-Length\0: 5", b"Connection: keep-alive\0", b"Connection:\0keep-alive"),
    *(b"Transfer-Encoding: chunked\0", b"Transfer-Encoding:\0chunked"),
    *(b"Transfer-Encoding: \0", b"Transfer-Encoding: chunke\0", b"Connection: keep-aliv\0"),
    *(b"Via\0: 1.1 a", b"Via: 1.1\0a", b"X-Forwarded-For:\0", b"X-Forwarded-For: a\0b"),
    *(b"X-Forwarded-Prot\0: https", b"X-Forwarded-Host\0 a", b"A: a\r\nVia: 1.0 x\0"),
)
TELLING = (*b'\0\t\n\v\r !"#%,/015:;?Az\x7f\x80\xff',)
FILLINGS = [b"", *(bytes((one,)) for one in range(256)), *map(bytes, product(TELLING, repeat=2))]


def placed(start: bytes, places: tuple[bytes, ...], needed: bytes) -> Iterator[bytes]:
    """Heads with each filling in each place, and with the field that is ``needed``."""
    for place in (*places, *FIELD_PLACES):
        also = [] if needed[:4] in place else [needed]
        if place in places:
            orders = [[place, *also]]
        else:
            orders = [[start, place, *also], [start, *also, place]] if also else [[start, place]]
        for lines in orders:
            text = b"\r\n".join((*lines, b"B: b", b"", b""))
            heads = (text.replace(b"\0", filling) for filling in FILLINGS)
            yield from (head for head in heads if head.find(b"\r\n\r\n") == len(head) - 4)


def test_llhttp_has_nothing_against_a_request_head_that_the_short_way_lets_through() -> None:
    taken = 0
    for head in placed(b"GET / HTTP/1.1", REQUEST_PLACES, b"Host: a"):
        longer = head[:-2] + NEUTRAL + b"\r\n\r\n"
        verdict = read_request_head(head, FORWARDING)
        assert facts(verdict) == facts(read_request_head(longer, FORWARDING)), head
        taken += isinstance(verdict, RequestHead)
    assert taken > 4_000, "there are good ones among them"


@pytest.mark.parametrize("framing", [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"A: a"])
def test_llhttp_has_nothing_against_a_response_head_that_the_short_way_lets_through(
    framing: bytes,
) -> None:
    taken = 0
    judge = partial(read_response_head, head_only=False, upgrade=b"")
    for head in placed(b"HTTP/1.1 200 OK", RESPONSE_PLACES, framing):
        verdict = judge(head)
        assert facts(verdict) == facts(judge(head[:-2] + NEUTRAL + b"\r\n\r\n")), head
        taken += isinstance(verdict, ResponseHead)
    assert taken > 4_000, "there are good ones among them"


FORWARDING = Forwarding(site_name=b"west", client=b"192.0.2.7", proto=b"http", host=b"shop")


def canonical_by_steps(head: bytes) -> tuple[bytes, bytes] | int | None:
    """What `canonical` says of a head (method and target, or status), one rule at a time."""
    lines = head.split(b"\r\n")
    if lines.pop() != b"":
        return None
    start, *fields = lines or [b""]
    if not all(grammar.FIELD_LINE.fullmatch(field) for field in fields):
        return None
    names = [field.partition(b":")[0].lower() for field in fields]
    if set(names) & set(grammar.HOP_BY_HOP):
        return None
    response = re.fullmatch(rb"HTTP/1\.1 ([1-9][0-9]{2}) " + grammar.VALUE + rb"*", start)
    if response is not None:
        return int(response[1])
    request = re.fullmatch(
        rb"(" + grammar.TOKEN + rb"+) (/" + grammar.TARGET + rb"*|\*) HTTP/1\.1", start
    )
    hosts = [
        field.partition(b":")[2].strip(b" \t")
        for name, field in zip(names, fields, strict=True)
        if name == b"host"
    ]
    if request is None or len(hosts) != 1 or grammar.HOST.fullmatch(hosts[0]) is None:
        return None
    method, target = request.groups()
    if method == b"CONNECT" or (target == b"*" and method != b"OPTIONS"):
        return None
    return method, target


@MANY
@given(
    mutated(
        st.tuples(
            st.one_of(STARTS, RESPONSE_STARTS, st.just(b"CONNECT / HTTP/1.1")),
            st.lists(st.one_of(LINES, st.sampled_from([b"Host: a", b"Host: b:80"])), max_size=5),
        ).map(lambda parts: b"\r\n".join((parts[0], *parts[1], b"")))
    )
)
@example(b"GET / HTTP/1.1\r\nhOst:\t a \t\r\n")
@example(b"GET / HTTP/1.1\r\nHost: " + b"a" * 256 + b"\r\n")
@example(b"GET / HTTP/1.1\r\nHost: a\r\nHosts: b\r\nTest: c\r\nT: d\r\n")
@example(b"GET * HTTP/1.1\r\nHost: a\r\n")
@example(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n")
def test_what_crosses_links_is_judged_as_rule_by_rule(head: bytes) -> None:
    line, status = check_request_head(head), check_response_head(head)
    told = status if line is None else (line.method, line.target)
    assert told == canonical_by_steps(head)


def facts(verdict: object) -> object:
    """A head without the number of its fields; any other verdict as it is."""
    if isinstance(verdict, RequestHead | ResponseHead):
        return msgspec.structs.replace(verdict, fields=0)
    return verdict
