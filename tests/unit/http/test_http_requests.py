"""The forwarded part of a request, the limits, and seeds at every cut; verdicts: the corpus."""

import pytest

from router.http.http1.forwarding import Forwarding
from router.http.http1.grammar import HttpError
from router.http.http1.request_heads import RequestHead
from router.http.http1.requests import RequestParser
from router.model import limits

FORWARDING = Forwarding(site_name=b"west", client=b"192.0.2.7", proto=b"http", host=b"shop:8080")


class Recorder:
    """A sink that keeps events, body pieces joined, and goes on to the next request at once."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []
        self.heads: list[RequestHead] = []
        self.parser = RequestParser(self, FORWARDING)
        self.completed = 0

    def request(self, head: RequestHead) -> None:
        self.heads.append(head)
        self.events.append(("request", head))
        if not head.body_bytes:
            self.complete()

    def body(self, data: memoryview) -> None:
        if self.events[-1][0] == "body":
            known = self.events.pop()[1]
            assert isinstance(known, bytes)
            self.events.append(("body", known + bytes(data)))
        else:
            self.events.append(("body", bytes(data)))

    def body_trailers(self, block: bytes) -> None:
        self.events.append(("trailers", block))

    def complete(self) -> None:
        self.events.append(("complete",))
        self.completed += 1

    def failed(self, error: HttpError) -> None:
        self.events.append(("failed", error))

    def feed(self, *pieces: bytes) -> "Recorder":
        for piece in pieces:
            self.parser.feed(memoryview(bytearray(piece)))
            while self.completed:
                self.completed -= 1
                self.parser.proceed()
        return self

    @property
    def status(self) -> int:
        """Of the refusal; 0: none."""
        last = self.events[-1] if self.events else ("nothing",)
        return last[1].status if isinstance(last[-1], HttpError) else 0  # type: ignore[attr-defined]


def verdict_on(stream: bytes) -> list[tuple[object, ...]]:
    """The events of ``stream`` in one piece, which must be those of single bytes too."""
    whole = Recorder().feed(stream)
    singly = Recorder().feed(*(stream[i : i + 1] for i in range(len(stream))))
    assert whole.events == singly.events
    return whole.events


def status_of(stream: bytes) -> int:
    events = verdict_on(stream)
    refusals = [event[1] for event in events if event[0] == "failed"]
    assert len(refusals) <= 1
    assert all(isinstance(refusal, HttpError) for refusal in refusals)
    return refusals[0].status if refusals else 0  # type: ignore[attr-defined]


def get(*lines: bytes, start: bytes = b"GET / HTTP/1.1", host: bytes = b"Host: shop") -> bytes:
    return b"\r\n".join((start, *((host,) if host else ()), *lines, b"", b""))


def post(*lines: bytes, body: bytes = b"", start: bytes = b"POST / HTTP/1.1") -> bytes:
    return get(*lines, start=start) + body


CHUNKED = b"Transfer-Encoding: chunked"


def sized(line_bytes: int) -> bytes:
    return get(start=b"GET /" + b"a" * (line_bytes - 14) + b" HTTP/1.1")


def with_block(block_bytes: int) -> bytes:
    """A head whose fields take exactly this many bytes, no single one above its limit."""
    lines, left = [], block_bytes - len(b"Host: shop\r\n")
    while left > 0:
        size = min(left, 8000) if left >= 8010 or left <= 8000 else left - 100
        lines.append(b"A: " + b"b" * (size - 5))
        left -= size
    return get(*lines)


def test_a_request_like_the_last_one_is_judged_like_it_and_any_other_anew() -> None:
    short, other = get(), get(start=b"GET /b HTTP/1.1")
    large = get(b"A: " + b"b" * limits.HEAD_REMEMBERED_BYTES_MAX)
    asked = (short, short, large, large, short, other, short, other, other)
    alone = [Recorder().feed(head).heads[0] for head in asked]
    together = Recorder().feed(*asked)
    assert together.heads == alone
    again = Recorder()
    again.feed(*asked)
    again.feed(*asked)
    first, second = again.heads[: len(asked)], again.heads[len(asked) :]
    assert first[4] is second[0], "a small head that came twice is read no more"
    assert first[2] is not second[2]


def test_a_bad_head_after_a_good_one_is_refused_and_the_good_one_with_a_body_kept_apart() -> None:
    good = post(b"Content-Length: 2", body=b"ab")
    assert [e[0] for e in Recorder().feed(good, good).events] == ["request", "body", "complete"] * 2
    assert Recorder().feed(get(), get(), get(b"A : b")).status == 400


@pytest.mark.parametrize(
    ("at_limit", "above", "status"),
    [
        (
            sized(limits.REQUEST_LINE_BYTES_MAX),
            sized(limits.REQUEST_LINE_BYTES_MAX + 1),
            414,
        ),
        (
            get(b"A: " + b"b" * (limits.HEADER_FIELD_BYTES_MAX - 3)),
            get(b"A: " + b"b" * (limits.HEADER_FIELD_BYTES_MAX - 2)),
            431,
        ),
        (
            with_block(limits.HEADER_BLOCK_BYTES_MAX),
            with_block(limits.HEADER_BLOCK_BYTES_MAX + 1),
            431,
        ),
        (get(*(b"a: b",) * 99), get(*(b"a: b",) * 100), 431),
    ],
    ids=["request line", "field", "block", "count"],
)
def test_each_limit_is_exact_to_the_byte_in_one_piece_and_in_single_bytes(
    at_limit: bytes, above: bytes, status: int
) -> None:
    assert status_of(at_limit) == 0
    assert status_of(above) == status


def test_chunk_line_limit_is_exact() -> None:
    good = b"5;" + b"a" * (limits.CHUNK_LINE_BYTES_MAX - 2)
    assert status_of(post(CHUNKED, body=good + b"\r\nhello\r\n0\r\n\r\n")) == 0
    assert status_of(post(CHUNKED, body=good + b"a\r\nhello\r\n0\r\n\r\n")) == 400


SEEDS = [
    get(),
    get(start=b"HEAD /x?y=z HTTP/1.1"),
    get(start=b"GET / HTTP/1.0", host=b""),
    b"\r\n" + get(),
    get() + get(start=b"GET /2 HTTP/1.1") + get(start=b"GET /3 HTTP/1.1"),
    post(b"Content-Length: 5", body=b"hello"),
    post(b"Content-Length: 5", body=b"hello") + get(),
    post(b"Content-Length: 010", body=b"0123456789"),
    post(b"Content-Length: 0"),
    post(CHUNKED, body=b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
    post(CHUNKED, body=b"5;a=b;c\r\nhello\r\n000;x\r\n\r\n") + get(),
    post(CHUNKED, body=b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nHost: evil\r\n\r\n") + get(),
    post(CHUNKED, body=b"0\r\n\r\n") + post(CHUNKED, body=b"A\r\n0123456789\r\n0\r\n\r\n"),
    get(b"Connection: upgrade", b"Upgrade: websocket") + b"\x81\x05hello",
    get(b"A: b", b"B:c", b"C:\td \t", b"D:"),
    post(b"Expect: 100-continue", b"Content-Length: 2", body=b"ok"),
    get() + b"garbage\r\n\r\n",
    get() + b"GET / HTTP/1.1\nHost: shop\n\n",
    post(CHUNKED, body=b"5\r\nhello\r\nzz\r\n"),
    get(start=b"GET http://other:81/p?q HTTP/1.1"),
    get(b"A: \x80\x85\xa0\xff"),
    get(b"A: b", b"Bad : c", b"C: \x00"),
]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_split_position_gives_identical_results(seed: bytes) -> None:
    whole = Recorder().feed(seed).events
    assert whole
    for cut in range(len(seed) + 1):
        assert Recorder().feed(seed[:cut], seed[cut:]).events == whole, cut
    assert Recorder().feed(*(seed[i : i + 3] for i in range(0, len(seed), 3))).events == whole


def head_of(stream: bytes) -> RequestHead:
    recorder = Recorder().feed(stream)
    assert recorder.heads, recorder.events
    return recorder.heads[0]


def test_the_canonical_head_has_no_hop_by_hop_fields_and_our_own_added() -> None:
    head = head_of(
        post(
            b"Connection: keep-alive, X-Secret",
            b"X-Secret: 1",
            b"Keep-Alive: timeout=5",
            b"Proxy-Connection: keep-alive",
            b"TE: trailers",
            b"Transfer-Encoding: chunked",
            b"Upgrade: h2c",
            b"traceparent: 00-ab-cd-01",
            b"Accept: a",
            body=b"0\r\n\r\n",
        )
    )
    assert head.head == (
        b"POST / HTTP/1.1\r\nHost: shop\r\ntraceparent: 00-ab-cd-01\r\nAccept: a\r\n"
        b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: shop\r\n"
        b"Via: 1.1 west\r\n"
    )
    assert (head.body_bytes, head.idempotent, head.upgrade) == (-1, False, "")


def test_forwarding_fields_are_appended_to_and_not_overwritten() -> None:
    head = head_of(
        get(
            b"X-Forwarded-For: 10.0.0.1",
            b"via: 1.0 edge",
            b"x-forwarded-for: 10.0.0.2",
            b"X-Forwarded-Proto: https",
            b"X-Forwarded-Host: example.org",
        )
    ).head
    assert head.endswith(
        b"\r\nX-Forwarded-For: 10.0.0.1, 10.0.0.2, 192.0.2.7\r\nVia: 1.0 edge, 1.1 west\r\n"
    )
    assert b"X-Forwarded-Proto: https\r\nX-Forwarded-Host: example.org\r\n" in head
    assert head.lower().count(b"x-forwarded-for") == 1


def test_connection_cannot_strip_routing_framing_or_forwarding_fields() -> None:
    head = head_of(
        post(
            b"Connection: close, X-Forwarded-For, X-Site-Identity, Host, Content-Length",
            b"X-Forwarded-For: 10.0.0.1",
            b"X-Site-Identity: me",
            b"Content-Length: 5",
            body=b"hello",
        )
    )
    assert b"\r\nHost: shop\r\n" in head.head
    assert b"X-Forwarded-For: 10.0.0.1, 192.0.2.7" in head.head
    assert b"X-Site-Identity" not in head.head
    assert (head.body_bytes, head.keep_alive) == (5, False)


def test_eight_bit_bytes_travel_untouched() -> None:
    value = bytes(range(0x80, 0x100))
    assert b"\r\nA: " + value + b"\r\n" in head_of(get(b"A: " + value)).head


def test_an_absolute_target_decides_over_host() -> None:
    head = head_of(get(start=b"GET http://Other:81/p?q HTTP/1.1")).head
    assert head.startswith(b"GET /p?q HTTP/1.1\r\nHost: Other:81\r\n")
    assert head.lower().count(b"\r\nhost:") == 1
    assert b"X-Forwarded-Host: Other:81" in head
    assert head_of(get(start=b"GET http://o?q HTTP/1.1")).head.startswith(b"GET /?q HTTP/1.1\r\n")
    assert head_of(get(start=b"OPTIONS http://o HTTP/1.1")).head.startswith(b"OPTIONS * HTTP")


def test_an_old_client_needs_no_host_and_gets_the_service_as_one() -> None:
    head = head_of(get(b"Expect: miracles", start=b"GET / HTTP/1.0", host=b""))
    assert head.head.startswith(b"GET / HTTP/1.1\r\nHost: shop:8080\r\n")
    assert b"Expect" not in head.head
    assert (head.old, head.keep_alive) == (True, False)
    assert head_of(get(b"Connection: Keep-Alive", start=b"GET / HTTP/1.0")).keep_alive


def test_a_length_with_leading_zero_is_decimal() -> None:
    assert head_of(post(b"Content-Length: 010", body=b"0123456789")).body_bytes == 10


@pytest.mark.parametrize(
    ("lines", "upgrade"),
    [
        ((b"Connection: Upgrade", b"Upgrade: WebSocket"), "websocket"),
        ((b"Connection: keep-alive, upgrade", b"Upgrade: websocket"), "websocket"),
        ((b"Upgrade: websocket",), ""),
        ((b"Connection: upgrade",), ""),
        ((b"Connection: upgrade", b"Upgrade: h2c", b"HTTP2-Settings: AAMA"), ""),
        ((b"Connection: upgrade", b"Upgrade: a, b"), ""),
        ((b"Connection: upgrade", b"Upgrade: websocket", b"Content-Length: 2"), ""),
    ],
)
def test_an_upgrade_is_asked_for_only_in_one_clear_way(
    lines: tuple[bytes, ...], upgrade: str
) -> None:
    head = head_of(get(*lines) + b"ok")
    assert head.upgrade == upgrade
    assert b"upgrade" not in head.head.lower()
    assert b"http2-settings" not in head.head.lower()


def test_forbidden_trailers_are_dropped_and_the_rest_is_kept() -> None:
    events = verdict_on(
        post(CHUNKED, body=b"0\r\nX-Sum: 1\r\nCookie: a\r\nhost: evil\r\nB: 2\r\n\r\n")
    )
    assert ("trailers", b"X-Sum: 1\r\nB: 2\r\n") in events


def test_a_body_of_single_byte_chunks_arrives_whole() -> None:
    recorder = Recorder()
    recorder.feed(post(CHUNKED))
    recorder.feed(*[b"1\r\nx\r\n" * 8192] * 16, b"0\r\n\r\n")
    assert ("body", b"x" * 131072) in recorder.events
    assert recorder.events[-1] == ("complete",)


def test_bytes_after_a_request_are_held_until_it_is_over() -> None:
    recorder = Recorder()
    recorder.parser.feed(memoryview(get() + get(start=b"GET /2 HTTP/1.1")))
    assert len(recorder.heads) == 1
    assert recorder.parser.held_bytes == len(get(start=b"GET /2 HTTP/1.1"))
    recorder.parser.proceed()
    assert recorder.heads[1].head.startswith(b"GET /2 ")
    assert recorder.parser.held_bytes == 0
