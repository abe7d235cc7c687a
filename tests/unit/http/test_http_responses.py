"""The part of a response that is passed on, and seeds at every cut; verdicts: the corpus."""

import pytest

from router.http.http1.response_heads import ResponseHead
from router.http.http1.responses import ResponseParser, tell_in_parts


class Recorder:
    """A sink that keeps events, body pieces joined."""

    def __init__(self, *, head_only: bool = False, upgrade: str = "") -> None:
        self.events: list[tuple[object, ...]] = []
        self.heads: list[ResponseHead] = []
        self.parser = ResponseParser(self, head_only=head_only, upgrade=upgrade)

    def last(self) -> tuple[object, ...]:
        return self.events[-1]

    def response(self, head: ResponseHead) -> None:
        self.heads.append(head)
        self.events.append(("response", head))

    def body(self, data: memoryview) -> None:
        if self.events[-1][0] == "body":
            known = self.events.pop()[1]
            assert isinstance(known, bytes)
            self.events.append(("body", known + bytes(data)))
        else:
            self.events.append(("body", bytes(data)))

    def body_trailers(self, block: bytes) -> None:
        self.events.append(("trailers", block))

    def whole(self, head: ResponseHead, body: memoryview) -> None:
        tell_in_parts(self, head, body)

    def complete(self) -> None:
        self.events.append(("complete",))

    def failed(self, reason: str) -> None:
        self.events.append(("failed",))

    def feed(self, *pieces: bytes) -> "Recorder":
        for piece in pieces:
            self.parser.feed(memoryview(bytearray(piece)))
        return self

    @property
    def outcome(self) -> tuple[list[tuple[object, ...]], bool, bool]:
        """Everything that must not depend on the cut."""
        return self.events, self.parser.excess, self.parser.reusable


def response(*lines: bytes, start: bytes = b"HTTP/1.1 200 OK", body: bytes = b"") -> bytes:
    return b"\r\n".join((start, *lines, b"", b"")) + body


CHUNKED = b"Transfer-Encoding: chunked"

SEEDS = [
    response(b"Content-Length: 5", body=b"hello"),
    response(b"Content-Length: 5", body=b"hello" + b"excess"),
    response(b"Content-Length: 0"),
    response(CHUNKED, body=b"5;x=y\r\nhello\r\n3\r\nabc\r\n0\r\nSum: 1\r\n\r\n"),
    response(CHUNKED, body=b"0\r\n\r\n" + b"excess"),
    response(start=b"HTTP/1.1 100 Continue") + response(b"Content-Length: 2", body=b"ok"),
    response(b"Link: a", start=b"HTTP/1.1 103 Early Hints") * 3 + response(b"Content-Length: 0"),
    response(b"Connection: close", body=b"until the end"),
    response(start=b"HTTP/1.1 204 No Content"),
    response(start=b"HTTP/1.1 304 Not Modified", body=b"x"),
    response(b"Content-Length: 5", start=b"HTTP/1.1 200", body=b"hello"),
    response(b"Content-Length: 5", start=b"HTTP/1.1 200 \xe4", body=b"hello"),
    response(CHUNKED, body=b"xyz\r\n"),
    response(b"A: b", b" c"),
    b"HTTP/1.1 200 OK\nA: b\n\n",
]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_split_position_gives_identical_results(seed: bytes) -> None:
    whole = Recorder().feed(seed).outcome
    for cut in range(len(seed) + 1):
        assert Recorder().feed(seed[:cut], seed[cut:]).outcome == whole, cut
    assert Recorder().feed(*(seed[i : i + 1] for i in range(len(seed)))).outcome == whole


def test_hop_by_hop_and_framing_fields_stay_here() -> None:
    head = (
        Recorder()
        .feed(
            response(
                b"Connection: keep-alive, X-Hop",
                b"Keep-Alive: timeout=5, max=9",
                b"X-Hop: 1",
                b"A:b",
                b"Content-Length: 5",
                start=b"HTTP/1.0 200 Fine",
            )
        )
        .heads[0]
    )
    assert head.head == b"HTTP/1.1 200 Fine\r\nA:b\r\n"
    assert (head.body_bytes, head.idle_s) == (5, 4.0)


@pytest.mark.parametrize("status", [b"100", b"103", b"204", b"304"])
def test_a_bogus_body_after_a_bodiless_status_is_not_body(status: bytes) -> None:
    for lines in ((b"Content-Length: 5",), (CHUNKED,)):
        recorder = Recorder().feed(response(*lines, start=b"HTTP/1.1 %b X" % status))
        recorder.feed(b"5\r\nhello\r\n0\r\n\r\n")
        assert not [event for event in recorder.events if event[0] == "body"]
        failed = recorder.last() == ("failed",)
        assert recorder.parser.excess or failed, "the connection must not be used again"


def test_the_answer_to_head_has_a_length_but_no_body() -> None:
    recorder = Recorder(head_only=True).feed(response(b"Content-Length: 5"))
    assert recorder.heads[0].body_bytes == 5
    assert recorder.last() == ("complete",)
    assert recorder.parser.reusable
    assert not recorder.parser.excess


def test_a_response_without_length_is_complete_only_at_the_clean_end() -> None:
    recorder = Recorder().feed(response(body=b"some"), b" more")
    assert recorder.last() == ("body", b"some more")
    recorder.parser.end()
    assert recorder.last() == ("complete",)
    assert not recorder.parser.reusable


@pytest.mark.parametrize(
    "stream",
    [
        response(b"Content-Length: 5", body=b"hell"),
        response(CHUNKED, body=b"5\r\nhello\r\n"),
        response(CHUNKED, body=b"5\r\nhello\r\n0\r\n"),
        b"HTTP/1.1 200 OK\r\nA: b",
    ],
)
def test_an_end_within_a_response_is_a_failure(stream: bytes) -> None:
    recorder = Recorder().feed(stream)
    recorder.parser.end()
    assert recorder.last() == ("failed",)


SWITCH = response(
    b"Connection: Upgrade",
    b"Upgrade: WebSocket",
    b"Sec-WebSocket-Accept: x",
    start=b"HTTP/1.1 101 Switching Protocols",
)


def test_a_switch_that_was_asked_for_is_raw_from_there() -> None:
    recorder = Recorder(upgrade="websocket").feed(SWITCH + b"\x81\x00", b"HTTP/1.1 200 OK\r\n\r\n")
    assert recorder.heads[0].head == (
        b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n"
    )
    assert recorder.last() == ("body", b"\x81\x00HTTP/1.1 200 OK\r\n\r\n")


@pytest.mark.parametrize(
    "stream",
    [
        SWITCH.replace(b"WebSocket", b"other"),
        SWITCH.replace(b"Upgrade: WebSocket\r\n", b""),
        SWITCH.replace(b"Connection: Upgrade\r\n", b""),
    ],
)
def test_a_switch_to_something_else_fails(stream: bytes) -> None:
    assert Recorder(upgrade="websocket").feed(stream).events == [("failed",)]


@pytest.mark.parametrize(
    ("lines", "start", "seconds"),
    [
        ((), b"HTTP/1.1 204 X", 4.0),
        ((), b"HTTP/1.1 200 X\r\nContent-Length: 0", 4.0),
        ((b"Connection: close",), b"HTTP/1.1 204 X", 0.0),
        ((), b"HTTP/1.0 204 X", 0.0),
        ((b"Connection: Keep-Alive",), b"HTTP/1.0 204 X", 4.0),
        ((b"Keep-Alive: timeout=3",), b"HTTP/1.1 204 X", 2.0),
        ((b"Keep-Alive: timeout=60",), b"HTTP/1.1 204 X", 4.0),
        ((b"Keep-Alive: timeout=1",), b"HTTP/1.1 204 X", 0.0),
        ((b"Keep-Alive: timeout=0",), b"HTTP/1.1 204 X", 0.0),
    ],
)
def test_a_connection_is_kept_a_second_less_than_its_target_keeps_it(
    lines: tuple[bytes, ...], start: bytes, seconds: float
) -> None:
    recorder = Recorder().feed(response(*lines, start=start))
    assert recorder.heads[0].idle_s == seconds
    assert recorder.parser.reusable == (seconds > 0)
