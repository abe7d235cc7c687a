"""Laws of HTTP/2: heads go to canonical form and back, cuts change nothing, bytes do no harm."""

import random
from collections.abc import Sequence
from itertools import pairwise

import hpack
from hyperframe.frame import DataFrame, HeadersFrame, PingFrame, RstStreamFrame, WindowUpdateFrame
from hypothesis import given
from hypothesis import strategies as st

from router.exchange.clients.http2.session import Http2Session
from router.http.http1.canonical import (
    check_request_head,
    check_response_head,
    check_trailers,
)
from router.http.http1.forwarding import Forwarding
from router.http.http2.heads import (
    Answered,
    Fields,
    JudgedRequest,
    read_request,
    read_response,
    read_trailers,
    request_fields,
    response_fields,
)
from router.model.requests import Request
from router.model.settings import ServiceLimits
from router.service.ports import ClientLeg, LegHandler
from tests.property.wire_by_ids import WireByIds
from tests.unit.exchange.fakes_http import FakeConnection, FakeLeg, FakeTimers
from tests.unit.exchange.frontends import frontend
from tests.unit.exchange.http2_peers import NO_SETTINGS, PREFACE, SETTINGS_ACK

BOUNDS = ServiceLimits()
WEST = Forwarding(
    site_name=b"west", client=b"192.0.2.7", proto=b"http", host=b"shop", received=b"2.0"
)
OURS = (b"via", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")

TOKEN = st.text("!#$%&'*+-.^_`|~0123456789abcxyz", min_size=1, max_size=12).map(str.encode)
NAMES = TOKEN.map(lambda name: b"x" + name)
VALUES = st.one_of(
    st.just(b""),
    st.binary(max_size=20).map(
        lambda raw: b"v" + bytes(b for b in raw if b == 9 or 32 <= b < 127 or b > 127) + b"e"
    ),
)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=12)
PATHS = st.text("/abc?=&%25.;,~", max_size=30).map(lambda text: b"/" + text.encode())
METHODS = st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"HEAD", b"WHATEVER"])


def as_request(method: bytes, path: bytes, fields: Fields) -> Fields:
    return [
        (b":method", method),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"shop:80"),
        *fields,
    ]


@given(method=METHODS, path=PATHS, fields=FIELDS, length=st.integers(-1, 10**6))
def test_a_request_comes_out_as_it_went_in(
    method: bytes, path: bytes, fields: Fields, length: int
) -> None:
    given_length = [(b"content-length", b"%d" % length)] if length > 0 else []
    asked = read_request(
        as_request(method, path, [*fields, *given_length]), length == 0, WEST, BOUNDS
    )
    assert isinstance(asked, JudgedRequest)
    assert asked.body_bytes == length
    line = check_request_head(asked.head)
    assert line is not None, "what goes over a link is canonical"
    assert (line.method, line.target) == (method, path)
    out = request_fields(asked.head, asked.body_bytes, b"http")
    assert out[:4] == as_request(method, path, [])
    assert [field for field in out[4:] if field[0] not in OURS] == [
        *fields,
        *given_length,
        (b"te", b"trailers"),
    ]


@given(status=st.integers(200, 999), fields=FIELDS, length=st.integers(-1, 10**6))
def test_a_response_comes_out_as_it_went_in(status: int, fields: Fields, length: int) -> None:
    given_length = [(b"content-length", b"%d" % length)] if length > 0 else []
    head = [(b":status", b"%d" % status), *fields, *given_length]
    answered = read_response(head, length == 0, BOUNDS)
    assert isinstance(answered, Answered)
    assert check_response_head(answered.head) == status
    out = response_fields(answered.head, answered.body_bytes, b"2.0 west")
    kept = [] if status == 204 else given_length
    assert out == [(b":status", b"%d" % status), *fields, (b"via", b"2.0 west"), *kept]


@given(fields=FIELDS)
def test_trailers_are_canonical(fields: Fields) -> None:
    block = read_trailers(fields, BOUNDS)
    assert isinstance(block, bytes)
    assert check_trailers(block)


ANY_FIELDS = st.lists(
    st.tuples(
        st.one_of(
            st.binary(max_size=8),
            st.sampled_from([b":method", b":path", b":scheme", b":authority", b":status", b"host"]),
        ),
        st.one_of(st.binary(max_size=12), st.sampled_from([b"GET", b"/", b"http", b"shop"])),
    ),
    max_size=8,
)


@given(fields=ANY_FIELDS, ended=st.booleans())
def test_whatever_is_accepted_is_canonical(fields: Fields, ended: bool) -> None:
    for head in (fields, as_request(b"GET", b"/", fields)):
        asked = read_request(head, ended, WEST, BOUNDS)
        if isinstance(asked, JudgedRequest):
            assert check_request_head(asked.head) is not None
    for head in (fields, [(b":status", b"200"), *fields]):
        answered = read_response(head, ended, BOUNDS)
        if isinstance(answered, Answered):
            assert check_response_head(answered.head) is not None
    trailers = read_trailers(fields, BOUNDS)
    if isinstance(trailers, bytes):
        assert check_trailers(trailers)


class Told:
    """A `WireSink` that records its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def opened(self, stream_id: int, fields: Fields, ended: bool) -> None:
        self.calls.append(("opened", stream_id, tuple(fields), ended))

    def head(self, stream_id: int, fields: Fields, ended: bool) -> None:
        self.calls.append(("head", stream_id, tuple(fields), ended))

    def whole(self, stream_id: int, fields: Fields, data: memoryview) -> None:
        self.head(stream_id, fields, False)
        self.data(stream_id, data, len(data), True)

    def data(self, stream_id: int, data: memoryview, credit_bytes: int, ended: bool) -> None:
        self.calls.append(("data", stream_id, bytes(data), credit_bytes, ended))

    def trailers(self, stream_id: int, fields: Fields) -> None:
        self.calls.append(("trailers", stream_id, tuple(fields)))

    def reset(self, stream_id: int, code: int) -> None:
        self.calls.append(("reset", stream_id, code))

    def broken(self, stream_id: int, code: int, reason: str) -> None:
        self.reset(stream_id, code)  # h2 reports both alike.

    def room(self, stream_id: int) -> None:
        self.calls.append(("room", stream_id))

    def settled(self) -> None:
        self.calls.append(("settled",))

    def agreed(self) -> None:
        self.calls.append(("agreed",))

    def going_away(self, last_id: int, code: int) -> None:
        self.calls.append(("going away", last_id, code))

    def pong(self) -> None:
        self.calls.append(("pong",))

    def warned(self) -> None:
        self.calls.append(("warned",))

    def failed(self, code: int, reason: str) -> None:
        self.calls.append(("failed", code))


def traffic(seed: int) -> bytes:
    """Frames of a client, mostly right."""
    rng = random.Random(seed)
    encoder = hpack.Encoder()
    wire = NO_SETTINGS + SETTINGS_ACK
    for number in range(rng.randrange(1, 8)):
        stream_id = 2 * number + 1
        fields = as_request(b"POST", b"/a", [(b"x", b"y" * rng.randrange(40))])
        head = HeadersFrame(stream_id, encoder.encode(fields), flags=["END_HEADERS"])
        wire += head.serialize()
        for _ in range(rng.randrange(3)):
            wire += DataFrame(stream_id, b"d" * rng.randrange(50)).serialize()
        last = rng.randrange(4)
        if last == 0:
            wire += DataFrame(stream_id, b"end", flags=["END_STREAM"]).serialize()
        elif last == 1:
            wire += RstStreamFrame(stream_id, 8).serialize()
        elif last == 2:
            wire += PingFrame(0, b"12345678").serialize()
            wire += WindowUpdateFrame(stream_id, 10).serialize()
    return bytes(wire)


def tell(pieces: Sequence[bytes]) -> tuple[list[tuple[object, ...]], bytes]:
    """The calls that a wire makes for bytes cut so, and its answer."""
    told = Told()
    wire = WireByIds(told, client=False, streams=10, header_bytes=10_000, now=0.0)
    for piece in pieces:
        wire.receive(memoryview(piece), 0.0)
    return told.calls, wire.take()


def cut(data: bytes, cuts: set[int]) -> list[bytes]:
    edges = [0, *sorted(at for at in cuts if at < len(data)), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(
    seed=st.integers(0, 10**6),
    cuts=st.sets(st.integers(0, 600)),
    spoil=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=3),
)
def test_what_is_told_does_not_depend_on_the_cut(
    seed: int, cuts: set[int], spoil: list[tuple[int, int]]
) -> None:
    data = bytearray(traffic(seed))
    for at, value in spoil:
        data[at % len(data)] = value
    whole = tell([bytes(data)])
    assert tell(cut(bytes(data), cuts)) == whole
    assert tell([bytes([byte]) for byte in data]) == whole
    failures = [call for call in whole[0] if call[0] == "failed"]
    assert not failures or whole[0][-1] == failures[0], "nothing is told after a failure"


@given(seed=st.integers(0, 10**6), spoil=st.lists(st.binary(min_size=1, max_size=20), max_size=4))
def test_no_bytes_break_a_session(seed: int, spoil: list[bytes]) -> None:
    rng = random.Random(seed)
    timers = FakeTimers()
    connection = FakeConnection(timers)
    legs: list[FakeLeg] = []

    def open_leg(request: Request, handler: LegHandler) -> ClientLeg:
        legs.append(FakeLeg(request, handler))
        return legs[-1]

    connection.handler = session = Http2Session(
        connection,
        frontend(timers),
        open_leg=open_leg,
        refused=lambda status: None,
    )
    data = bytearray(PREFACE + traffic(seed))
    for piece in spoil:
        at = len(PREFACE) + rng.randrange(len(data) - len(PREFACE))
        data[at : at + rng.randrange(10)] = piece
    connection.deliver(bytes(data))
    timers.turn()
    for leg in legs:
        if not leg.is_aborted():
            leg.respond(b"HTTP/1.1 200 \r\n", b"ok")
    timers.turn()
    session.drain()
    timers.advance(400.0)
    assert connection.is_finished() or connection.is_aborted()
    assert timers.pending_timers == 0 or connection.is_finished()
