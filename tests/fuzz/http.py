"""Requests, responses, chunks and canonical heads: laws that hold for any bytes."""

import re
from collections.abc import Callable, Sequence

import h11
import httptools

from router.http.http1 import canonical, render
from router.http.http1.chunks import ChunkDecoder
from router.http.http1.grammar import HttpError
from router.http.http1.messages import HEAD_END
from router.http.http1.request_heads import LLHTTP_METHODS, RequestHead
from router.http.http1.requests import RequestParser
from router.http.http1.response_heads import ResponseHead
from router.http.http1.responses import ResponseParser, tell_in_parts
from router.model.requests import Request
from tests.corpus import links, requests, responses, strict
from tests.corpus.judge import FORWARDING, KEY
from tests.fuzz.mutation import Mutator

STATUSES = frozenset((400, 408, 414, 417, 431, 501, 505, 508))
TOKENS = (
    *(
        b"\r\n",
        b"\r",
        b"\n",
        b"\r\n\r\n",
        b"\x00",
        b" ",
        b"\t",
        b":",
        b";",
        b",",
        b"=",
        b'"',
        b"\\",
    ),
    *(b"\x0b", b"\x0c", b"\x7f", b"\x80", b"\xff", b"\xa0", b"0", b"1", b"-", b"+", b"0x", b"_"),
    *(b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"Host: a\r\n", b"Connection: close\r\n", b"Connection: upgrade\r\n", b"Expect: x\r\n"),
    *(b"Upgrade: websocket\r\n", b"TE: trailers\r\n", b"Via: 1.1 near\r\n", b"A: b\r\n", b" c\r\n"),
    *(b"GET / HTTP/1.1\r\n", b"HEAD / HTTP/1.0\r\n", b"POST http://a/ HTTP/1.1\r\n", b"chunked"),
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Go\r\n\r\n", b"HTTP/1.1 204 No\r\n", b"HTTP/1.0 "),
    *(b"5\r\nhello\r\n", b"0\r\n\r\n", b"0\r\nA: b\r\n\r\n", b"5;a=b\r\n", b"ffffffffffffffff\r\n"),
)


class Taken:
    """One message as it was understood."""

    __slots__ = ("body", "complete", "end", "head", "trailers")

    def __init__(self, head: RequestHead) -> None:
        self.head = head
        self.body = b""
        self.trailers = b""
        self.complete = False
        self.end = 0  # In the stream.

    def facts(self) -> tuple[object, ...]:
        return self.head, self.body, self.trailers, self.complete


class Asking:
    """A session's part of a `RequestParser`."""

    def __init__(self) -> None:
        self.parser = RequestParser(self, FORWARDING)
        self.taken: list[Taken] = []
        self.error: HttpError | None = None
        self.fed = 0
        self._complete = False

    def request(self, head: RequestHead) -> None:
        self.taken.append(Taken(head))
        if not head.body_bytes:
            self.complete()

    def body(self, data: memoryview) -> None:
        self.taken[-1].body += data

    def body_trailers(self, block: bytes) -> None:
        self.taken[-1].trailers = block

    def complete(self) -> None:
        self._complete = True

    def failed(self, error: HttpError) -> None:
        assert self.error is None and error.status in STATUSES, error
        self.error = error

    def feed(self, pieces: Sequence[bytes]) -> "Asking":
        for piece in pieces:
            self.fed += len(piece)
            self.parser.feed(memoryview(bytearray(piece)))
            while self._complete:
                self._complete = False
                last = self.taken[-1]
                last.complete = True
                last.end = self.fed - self.parser.held_bytes
                self.parser.proceed()
        return self

    def facts(self) -> tuple[object, ...]:
        return [one.facts() for one in self.taken], self.error


class Reader:
    """What llhttp makes of a message."""

    def __init__(self) -> None:
        self.url = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.read = b""
        self.completed = 0

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_body(self, data: bytes) -> None:
        self.read += data

    def on_message_complete(self) -> None:
        self.completed += 1


def fuzz_requests(mutator: Mutator) -> bytes:
    """Run one input; return it so that a failure can show it."""
    data = mutator.next()
    whole = Asking().feed([data])
    cut = Asking().feed(mutator.cut(data))
    assert cut.facts() == whole.facts(), "the verdict depends on the cut"
    start = 0
    for taken in whole.taken:
        assert canonical.check_request_head(taken.head.head) is not None, "not canonical"
        if taken.complete:
            judge_request(data[start : taken.end], taken, thorough=mutator.rng.random() < 0.1)
            start = taken.end
    return data


def judge_request(raw: bytes, taken: Taken, *, thorough: bool) -> None:
    """What others read in ``raw``, and a target in what we make of it, is what we took."""
    head = taken.head
    method, target, _ = head.head.split(b" ", 2)
    if not is_beyond_llhttp(raw):
        judge_by_llhttp(raw.removeprefix(b"\r\n"), method, target, taken.body)
    request = Request(
        key=KEY,
        protocol="http",
        head=render.with_via(head.head, b"1.1 far"),
        body_bytes=head.body_bytes,
        upgrade=head.upgrade,
    )
    wire = render.request_to_target(request)
    if head.body_bytes < 0:
        chunk = b"".join(render.chunk(taken.body)) if taken.body else b""
        wire += chunk + render.last_chunk(taken.trailers)
    else:
        assert len(taken.body) == head.body_bytes
        wire += taken.body
    found = strict.read_request(wire)
    assert found is not None and found[1] == len(wire), "a target reads another length"
    assert (found[0].body, found[0].trailers) == (taken.body, taken.trailers)
    if thorough:
        judge_by_h11(wire, method, target, taken.body)


def is_beyond_llhttp(message: bytes) -> bool:
    """A trailer names a length, which is dropped here and ends the message there."""
    return _LENGTH_IN_TRAILERS.search(message) is not None


_LENGTH_IN_TRAILERS = re.compile(rb"(?i)0[^\n]*\r\n(?:[^\n]*\n)*content-length:")


def judge_by_llhttp(raw: bytes, method: bytes, target: bytes, body: bytes) -> None:
    """It reads the same, shown no method and no white space that it does not know."""
    text, end, rest = raw.partition(HEAD_END)
    if method not in LLHTTP_METHODS:
        text, method = b"GET" + text[len(method) :], b"GET"
    reader = Reader()
    parser = httptools.HttpRequestParser(reader)
    asks = False
    try:
        parser.feed_data(text.replace(b"\t", b" ") + end + rest)
    except httptools.HttpParserUpgrade:
        asks = True  # It stops before a body then.
        assert b"UPGRADE" in raw.upper(), "llhttp sees an upgrade"
    assert parser.get_method() == method
    assert reader.url == target or reader.url[:4].lower() == b"http", "llhttp reads another target"
    assert asks or (reader.read, reader.completed) == (body, 1), "llhttp reads another body"


def judge_by_h11(wire: bytes, method: bytes, target: bytes, body: bytes) -> None:
    """h11 reads the same."""
    peer = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    peer.receive_data(wire)
    event = peer.next_event()
    assert isinstance(event, h11.Request), event
    assert (event.method, event.target) == (method, target)
    read = b""
    while isinstance(event := peer.next_event(), h11.Data):
        read += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage), event
    assert read == body


class Answering:
    """A leg's part of a `ResponseParser`."""

    def __init__(self, *, head_only: bool, upgrade: str) -> None:
        self.parser = ResponseParser(self, head_only=head_only, upgrade=upgrade)
        self.heads: list[ResponseHead] = []
        self.read = b""
        self.trailer_lines = b""
        self.completed = 0
        self.reason = ""

    def response(self, head: ResponseHead) -> None:
        self.heads.append(head)

    def body(self, data: memoryview) -> None:
        assert not self.completed and not self.reason
        self.read += data

    def body_trailers(self, block: bytes) -> None:
        self.trailer_lines = block

    def whole(self, head: ResponseHead, body: memoryview) -> None:
        tell_in_parts(self, head, body)

    def complete(self) -> None:
        self.completed += 1

    def failed(self, reason: str) -> None:
        assert not self.completed and not self.reason
        self.reason = reason

    def feed(self, pieces: Sequence[bytes]) -> "Answering":
        for piece in pieces:
            self.parser.feed(memoryview(bytearray(piece)))
        if not self.reason:
            self.parser.end()
        return self

    def facts(self) -> tuple[object, ...]:
        parser = self.parser
        return (
            *(self.heads, self.read, self.trailer_lines, self.completed, self.reason),
            *(parser.excess, parser.reusable, parser.is_complete),
        )


def fuzz_responses(mutator: Mutator) -> bytes:
    """One input against the reader of responses."""
    data, rng = mutator.next(), mutator.rng
    head_only = rng.random() < 0.1
    upgrade = "websocket" if rng.random() < 0.1 else ""
    whole = Answering(head_only=head_only, upgrade=upgrade).feed([data])
    cut = Answering(head_only=head_only, upgrade=upgrade).feed(mutator.cut(data))
    assert cut.facts() == whole.facts(), "the verdict depends on the cut"
    assert whole.completed <= 1
    for head in whole.heads:
        assert canonical.check_response_head(head.head) == head.status, "not canonical"
    if whole.completed and not whole.parser.excess and not upgrade and not head_only:
        # Of interim heads llhttp takes a close or a length at their word, RFC 9110 (7.6.1) and 9112
        # (6.3) do not.
        final = data.split(HEAD_END, len(whole.heads) - 1)[-1]
        if is_beyond_llhttp(final):
            return data
        reader = Reader()
        parser = httptools.HttpResponseParser(reader)
        text, end, rest = final.partition(HEAD_END)
        parser.feed_data(text.replace(b"\t", b" ") + end + rest)
        assert parser.get_status_code() == whole.heads[-1].status
        assert reader.read == whole.read, "llhttp reads another body"
    return data


def fuzz_chunks(mutator: Mutator) -> bytes:
    """One chunked body against the decoder, and against llhttp if it is good."""
    data = mutator.next()
    outcomes = []
    for pieces in ([data], mutator.cut(data)):
        decoder = ChunkDecoder(0)
        body, rest = b"", b""
        for piece in pieces:
            views, after = decoder.decode(memoryview(piece))
            body += b"".join(views)
            rest += bytes(after)
        left = b"" if decoder.error is not None else rest
        outcomes.append((body, left, decoder.complete, decoder.error, decoder.trailers))
    assert outcomes[0] == outcomes[1], "the verdict depends on the cut"
    body, rest, complete, error, _ = outcomes[0]
    if complete and error is None and not is_beyond_llhttp(data):
        reader = Reader()
        parser = httptools.HttpRequestParser(reader)
        parser.feed_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        parser.feed_data(data[: len(data) - len(rest)])
        assert (reader.read, reader.completed) == (body, 1), "llhttp reads another body"
    return data


def fuzz_canonical(mutator: Mutator) -> bytes:
    """One head or trailer section as a neighbor may send it."""
    data = mutator.next()
    line = canonical.check_request_head(data)
    if line is not None:
        found = strict.read_request(data + b"\r\n")
        assert found is not None and found[1] == len(data) + 2
        assert found[0].start.split(b" ")[:2] == [line.method, line.target]
        if mutator.rng.random() < 0.2:
            judge_by_h11(data + b"\r\n", line.method, line.target, b"")
    status = canonical.check_response_head(data)
    if status is not None and status >= 200:
        found = strict.read_response(data + b"\r\n", b"HEAD", ended=True)
        assert found is not None and found[1] == len(data) + 2
        assert found[0].start[9:12] == b"%d" % status
    if data and canonical.check_trailers(data):
        found_trailers = strict.chunked(b"0\r\n" + data + b"\r\n", 0)
        assert found_trailers == (b"", data, len(data) + 5)
    return data


def request_seeds() -> list[bytes]:
    """The corpus, and streams of several requests."""
    each = [case.raw for case in requests.CASES.values()]
    good = [case.raw for case in requests.CASES.values() if case.reaches and not case.statuses]
    return [*each, *good, *(a + b for a, b in zip(good[::2], good[1::2], strict=False))]


def chunk_seeds() -> list[bytes]:
    """Chunked bodies out of the corpus."""
    raws = [case.raw for case in requests.CASES.values() if b"chunked\r\n\r\n" in case.raw]
    return [raw.partition(b"chunked\r\n\r\n")[2] for raw in raws]


def canonical_seeds() -> list[bytes]:
    """What a neighbor should and should not send."""
    fields = b"A: b\r\nX-Forwarded-For: 1.1.1.1\r\nVia: 1.1 near\r\n"
    bad = (links.BAD_REQUEST_HEADS, links.BAD_RESPONSE_HEADS, links.BAD_TRAILERS)
    good = [links.REQUEST, links.REQUEST + fields, links.RESPONSE, links.RESPONSE + fields, fields]
    return [*good * 20, *(text for each in bad for text in each.values())]


Fuzz = Callable[[Mutator], bytes]


def http_targets() -> dict[str, tuple[Fuzz, list[bytes], Sequence[bytes]]]:
    """By name: the function to run, its seeds, its tokens."""
    return {
        "requests": (fuzz_requests, request_seeds(), TOKENS),
        "responses": (fuzz_responses, [one.raw for one in responses.CASES.values()], TOKENS),
        "chunks": (fuzz_chunks, chunk_seeds(), TOKENS),
        "canonical": (fuzz_canonical, canonical_seeds(), TOKENS),
    }
