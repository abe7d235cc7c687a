"""What a hostile HTTP/2 client may do: nothing without bound, and nothing to other streams."""

import struct
from collections.abc import Iterator

import hpack
import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from router.exchange.clients.http2.session import Http2Session
from router.http.http2 import heads
from router.model import limits
from router.model.requests import Request
from router.model.settings import ServiceLimits
from router.model.specs import ServiceSpec
from router.service.ports import ClientLeg, LegFailure, LegHandler
from tests.unit.exchange.fakes_http import FakeConnection, FakeLeg, FakeTimers
from tests.unit.exchange.frontends import frontend
from tests.unit.exchange.http2_peers import (
    GET,
    NO_SETTINGS,
    PREFACE,
    REQUEST,
    SETTINGS_ACK,
    frames_of,
    head_frame,
    raw,
)

PROTOCOL_ERROR, FLOW_CONTROL, STREAM_CLOSED, FRAME_SIZE, REFUSED, COMPRESSION, CALM = (
    1,
    3,
    5,
    6,
    7,
    9,
    11,
)
NO_ERROR = 0
Fields = list[tuple[bytes, bytes]]
HEAD = ["END_HEADERS", "END_STREAM"]


class Attacked:
    """A session that is sent frames by hand."""

    def __init__(self, bounds: ServiceLimits | None = None) -> None:
        self.timers = FakeTimers()
        self.connection = FakeConnection(self.timers)
        self.legs: list[FakeLeg] = []
        self.refused: list[int] = []
        self.session = Http2Session(
            self.connection,
            frontend(self.timers, ServiceSpec(ports=(), limits=bounds or ServiceLimits())),
            open_leg=self._open,
            refused=self.refused.append,
        )
        self.connection.handler = self.session
        self.encoder = hpack.Encoder()
        self.send(PREFACE + NO_SETTINGS + SETTINGS_ACK)
        self.sent()

    def _open(self, request: Request, handler: LegHandler) -> ClientLeg:
        leg = FakeLeg(request, handler)
        self.legs.append(leg)
        return leg

    def send(self, data: bytes) -> None:
        self.connection.deliver(data)

    def sent(self) -> list[Frame]:
        return frames_of(self.connection.take())

    def ask(self, stream_id: int, fields: Fields = GET, end: bool = True) -> None:
        self.send(head_frame(self.encoder, stream_id, fields, *(["END_STREAM"] if end else [])))

    @property
    def goaway(self) -> int | None:
        """The code of the GOAWAY that was sent since the last look; None: none."""
        codes = [frame.error_code for frame in self.sent() if isinstance(frame, GoAwayFrame)]
        return codes[-1] if codes else None

    def flood(self, frames: Iterator[bytes], at_most: int) -> int:
        """How many are borne before the connection is given up."""
        for number in range(at_most):
            self.send(next(frames))
            self.timers.turn()
            if self.connection.is_finished():
                return number + 1
        return at_most


@pytest.fixture
def site() -> Attacked:
    return Attacked()


def every(frame: Frame) -> Iterator[bytes]:
    while True:
        yield bytes(frame.serialize())


def resets(site: Attacked, first: int = 1) -> Iterator[bytes]:
    stream_id = first - 2
    while True:
        stream_id += 2
        yield head_frame(site.encoder, stream_id, GET, "END_STREAM") + bytes(
            RstStreamFrame(stream_id, 8).serialize()
        )


def malformed(site: Attacked) -> Iterator[bytes]:
    stream_id = -1
    while True:
        stream_id += 2
        yield head_frame(site.encoder, stream_id, [*GET, (b"connection", b"x")], "END_STREAM")


USELESS: dict[str, Frame] = {
    "ping": PingFrame(0, b"12345678"),
    "settings": SettingsFrame(0, {4: 65_535}),
    "priority": PriorityFrame(5, depends_on=3, stream_weight=1),
    "one byte of credit": WindowUpdateFrame(0, 1),
    "credit for a closed stream": WindowUpdateFrame(3, 1),
    "empty data": DataFrame(1, b""),
}


@pytest.mark.parametrize("name", USELESS)
def test_frames_that_serve_nothing_are_borne_up_to_a_number(site: Attacked, name: str) -> None:
    site.ask(1, REQUEST, end=False)
    site.ask(3, REQUEST, end=False)
    site.send(bytes(RstStreamFrame(3, 8).serialize()))
    borne = site.flood(every(USELESS[name]), 3 * limits.HTTP2_USELESS_BURST)
    assert limits.HTTP2_USELESS_BURST <= borne <= limits.HTTP2_USELESS_BURST + 10
    assert site.goaway == CALM
    assert site.legs[0].is_aborted()


def test_unknown_frames_are_ignored_up_to_a_number(site: Attacked) -> None:
    site.ask(1, REQUEST, end=False)
    site.send(raw(0xBE, 0xFF, 1, b"whatever") + raw(0x42, 0, 0))
    assert site.goaway is None
    frames = iter(lambda: raw(0xBE, 0, 7, b"x"), None)
    assert site.flood(frames, 3_000) <= limits.HTTP2_USELESS_BURST + 10
    assert site.goaway == CALM


def test_honest_pings_and_credit_beside_data_are_no_flood(site: Attacked) -> None:
    site.ask(1, REQUEST, end=False)
    ping = bytes(PingFrame(0, b"12345678").serialize())
    credit = bytes(WindowUpdateFrame(0, 1).serialize())
    for _ in range(5_000):
        site.send(bytes(DataFrame(1, b"0123456789").serialize()) + ping + credit)
        site.timers.turn()
    assert site.goaway is None


def test_credit_that_is_dribbled_is_a_flood_though_data_flows(site: Attacked) -> None:
    site.send(bytes(SettingsFrame(0, {4: 0}).serialize()))
    site.ask(1)
    site.legs[0].handler.head(b"HTTP/1.1 200 \r\n", -1)
    site.legs[0].handler.received(memoryview(b"x" * 60_000))
    dribble = every(WindowUpdateFrame(1, 1))
    assert site.flood(dribble, 3_000) <= limits.HTTP2_USELESS_BURST + 10
    assert site.goaway == CALM


def test_a_rapid_reset_is_ended(site: Attacked) -> None:
    borne = site.flood(resets(site), 1_000)
    assert limits.HTTP2_RESETS_BURST <= borne <= limits.HTTP2_RESETS_BURST + 2
    assert site.goaway == NO_ERROR
    assert len(site.legs) <= borne
    assert all(leg.is_aborted() for leg in site.legs)


def test_a_client_that_breaks_off_too_many_streams_has_its_others_finished(site: Attacked) -> None:
    site.ask(1)
    frames = resets(site, first=3)
    for _ in range(limits.HTTP2_RESETS_BURST):
        site.send(next(frames))
    assert site.goaway is None
    site.send(next(frames))
    (farewell,) = [frame for frame in site.sent() if isinstance(frame, GoAwayFrame)]
    seen = 2 * limits.HTTP2_RESETS_BURST + 3
    assert (farewell.error_code, farewell.last_stream_id) == (NO_ERROR, seen)
    site.ask(seen + 2)
    (refusal,) = [frame for frame in site.sent() if isinstance(frame, RstStreamFrame)]
    assert (refusal.stream_id, refusal.error_code) == (seen + 2, REFUSED)
    assert not site.connection.is_finished()
    site.legs[0].respond(b"HTTP/1.1 200 \r\n", b"whole")
    site.timers.turn()
    (body,) = [frame for frame in site.sent() if isinstance(frame, DataFrame)]
    assert (body.stream_id, body.data) == (1, b"whole")
    assert "END_STREAM" in body.flags
    assert site.connection.is_finished()


def test_a_client_that_breaks_off_streams_without_end_loses_its_others(site: Attacked) -> None:
    site.ask(1)
    borne = site.flood(resets(site, first=3), 1_000)
    assert limits.HTTP2_RESETS_BURST + 2 < borne <= 2 * limits.HTTP2_RESETS_BURST + 2
    assert site.goaway == CALM
    assert site.legs[0].is_aborted()


def test_a_frame_in_pieces_is_counted_once(site: Attacked) -> None:
    frames = resets(site)
    for _ in range(limits.HTTP2_RESETS_BURST - 1):
        for byte in next(frames):
            site.send(bytes((byte,)))
    assert site.goaway is None


def test_many_requests_in_one_read_leave_turns_to_others(site: Attacked) -> None:
    per_turn = limits.HTTP2_TURN_WORK // limits.HTTP2_HEAD_WORK
    heads = [head_frame(site.encoder, 2 * n + 1, GET, "END_STREAM") for n in range(100)]
    site.send(b"".join(heads))
    assert len(site.legs) == per_turn
    assert site.connection.is_paused()
    site.timers.advance(0)
    assert len(site.legs) == 100
    assert not site.connection.is_paused()


def test_clients_that_cancel_now_and_then_are_served(site: Attacked) -> None:
    frames = resets(site)
    for _ in range(1_000):
        site.send(next(frames))
        site.legs[-1].handler.done(LegFailure("cancelled"))
        site.timers.advance(1.1 / limits.HTTP2_RESETS_PER_S)
    assert site.goaway is None


def test_streams_to_be_reset_for_their_fault_count_as_resets(site: Attacked) -> None:
    assert site.flood(malformed(site), 1_000) <= limits.HTTP2_RESETS_BURST + 2
    assert site.legs == []
    assert site.goaway == CALM


PROVOCATIONS: dict[str, tuple[int, int, bytes]] = {  # Kind, flags, body.
    "data after the end": (0, 0, b"x"),
    "a head after the end": (1, 4, b"\x82"),
    "trailers after the end": (1, 5, b"\x82"),
    "too much credit": (8, 0, b"\x7f\xff\xff\xff"),
}


@pytest.mark.parametrize("name", PROVOCATIONS)
def test_streams_that_we_are_made_to_reset_count_as_resets(site: Attacked, name: str) -> None:
    kind, flags, body = PROVOCATIONS[name]

    def provoked() -> Iterator[bytes]:
        for stream_id in range(1, 10**6, 2):
            head = head_frame(site.encoder, stream_id, GET, "END_STREAM")
            yield head + raw(kind, flags, stream_id, body)

    borne = site.flood(provoked(), 1_000)
    assert limits.HTTP2_RESETS_BURST <= borne <= limits.HTTP2_RESETS_BURST + 2
    assert site.goaway == CALM
    assert all(leg.is_aborted() for leg in site.legs)


def test_heads_on_a_stream_that_was_reset_are_borne_up_to_a_number(site: Attacked) -> None:
    site.ask(1, [*REQUEST, (b"x", b" bad")], end=False)
    frames = every(HeadersFrame(1, b"\x82", flags=["END_HEADERS", "END_STREAM"]))
    assert site.flood(frames, 1_000) <= limits.HTTP2_RESETS_BURST + 2
    assert site.goaway == CALM


def test_streams_above_the_limit_are_refused_up_to_a_number(site: Attacked) -> None:
    frames = (head_frame(site.encoder, number, REQUEST) for number in range(1, 10**6, 2))
    bound = limits.HTTP2_STREAMS_MAX + limits.HTTP2_RESETS_BURST
    assert site.flood(frames, 2_000) <= bound + 2
    assert len(site.legs) == limits.HTTP2_STREAMS_MAX


def test_large_heads_in_one_read_leave_turns_to_others(site: Attacked) -> None:
    fields = [*GET, *((b"x-%d" % n, b"a" * 7_000) for n in range(4))]
    encoders = [hpack.Encoder() for _ in range(10)]
    site.send(b"".join(head_frame(e, 2 * n + 1, fields) for n, e in enumerate(encoders)))
    assert len(site.legs) == 1
    for _ in range(10):
        site.timers.advance(0)
    assert len(site.legs) == 10


def test_more_table_size_updates_than_anybody_needs_end_the_connection(site: Attacked) -> None:
    block = site.encoder.encode(GET)
    site.send(bytes(HeadersFrame(1, b"\x20\x3f\xe1\x1f" + block, flags=HEAD).serialize()))
    assert (len(site.legs), site.goaway) == (1, None)
    updates = b"\x20" * (limits.HTTP2_TABLE_UPDATES_MAX + 1)
    site.send(bytes(HeadersFrame(3, updates + b"\x3f\xe1\x1f" + block, flags=HEAD).serialize()))
    assert len(site.legs) == 1
    assert site.goaway in (PROTOCOL_ERROR, COMPRESSION)


def test_a_table_that_shrinks_and_grows_all_the_time_costs_one_answer_little(
    site: Attacked,
) -> None:
    for _ in range(limits.HTTP2_USELESS_BURST // 2 - 10):
        site.send(bytes(SettingsFrame(0, {1: 0}).serialize()))
        site.send(bytes(SettingsFrame(0, {1: 4_096}).serialize()))
    site.sent()
    site.ask(1)
    site.legs[0].respond(b"HTTP/1.1 200 \r\n", b"")
    (head,) = [frame for frame in site.sent() if isinstance(frame, HeadersFrame)]
    assert len(head.data) < 100
    assert next(iter(hpack.Decoder().decode(head.data, raw=True))) == (b":status", b"200")


@pytest.mark.parametrize("size", [0, 1, 1_000])
def test_continuation_without_end_is_ended_before_it_is_held(site: Attacked, size: int) -> None:
    site.send(bytes(HeadersFrame(1, site.encoder.encode(GET)).serialize()))
    frames = every(ContinuationFrame(1, b"\x00" * size))
    assert site.flood(frames, 100) <= limits.HTTP2_FRAGMENTS_MAX
    assert site.goaway == CALM


def test_a_block_beyond_the_bounds_of_its_service_is_ended_by_the_header_of_its_frame() -> None:
    bounds = ServiceLimits(request_line_bytes=256, header_block_bytes=1024, headers=8)
    size_bytes = heads.header_list_bytes(bounds)
    site = Attacked(bounds)
    site.send(raw(1, 4, 1, bytes(size_bytes))[:9])
    assert site.goaway is None
    site = Attacked(bounds)
    site.send(raw(1, 4, 1, bytes(size_bytes + 1))[:9])
    assert site.goaway == CALM


def test_large_fragments_are_ended_by_their_bytes_before_their_number(site: Attacked) -> None:
    size, bound = limits.HTTP2_FRAME_BYTES_MAX, heads.header_list_bytes(ServiceLimits())
    site.send(bytes(HeadersFrame(1, site.encoder.encode(GET)).serialize()))
    borne = site.flood(every(ContinuationFrame(1, b"\x00" * size)), 100)
    assert borne <= bound // size + 1 < limits.HTTP2_FRAGMENTS_MAX
    assert site.goaway == CALM


def test_a_header_block_that_takes_too_long_ends_the_connection(site: Attacked) -> None:
    block = site.encoder.encode(GET)
    site.send(bytes(HeadersFrame(1, block[:5]).serialize()))
    site.timers.advance(limits.HEADER_TIMEOUT_S + 2 * limits.HTTP2_TICK_S)
    assert site.goaway is not None
    assert site.connection.is_finished()


def test_a_header_list_that_unpacks_to_much_is_answered_or_ended(site: Attacked) -> None:
    site.ask(1, [*GET, *((b"x-%d" % n, b"y" * 300) for n in range(limits.HEADERS_MAX - 1))])
    site.ask(3, [*GET, *((b"x-%d" % n, b"y" * 400) for n in range(limits.HEADERS_MAX))])
    site.timers.advance(0)
    assert [len(site.legs), site.refused] == [1, [431]]
    assert site.goaway is None
    bomb = [(b"x", b"y" * 4_000)] * 100  # One literal, then 99 references.
    site.ask(5, [*GET, *bomb])
    assert site.goaway == CALM


def test_our_hpack_table_does_not_grow_as_the_peer_likes(site: Attacked) -> None:
    site.send(bytes(SettingsFrame(0, {1: 2**32 - 1}).serialize()))
    decoder = hpack.Decoder()
    for number in range(300):
        site.ask(2 * number + 1)
        field = b"x-%d: %s\r\n" % (number, b"v" * 200)
        site.legs[-1].respond(b"HTTP/1.1 200 \r\n" + field)
        for frame in site.sent():
            if isinstance(frame, HeadersFrame):
                decoder.decode(frame.data, raw=True)
    # A decoder of the default table has understood it all.
    assert site.goaway is None


def test_what_is_left_of_credit_is_what_was_given(site: Attacked) -> None:
    site.ask(1, REQUEST, end=False)
    data = bytes(DataFrame(1, b"x" * 16_384).serialize())
    site.legs[0].full = True
    for _ in range(limits.HTTP2_WINDOW_BYTES // 16_384):
        site.send(data)
    assert site.goaway is None
    site.send(bytes(DataFrame(1, b"x").serialize()))
    assert site.goaway == FLOW_CONTROL


def test_a_window_beyond_its_bound_is_an_error_of_the_stream_or_connection(
    site: Attacked,
) -> None:
    site.ask(1, REQUEST, end=False)
    site.ask(3, REQUEST, end=False)
    site.send(bytes(WindowUpdateFrame(1, 2**31 - 1).serialize()))
    frames = site.sent()
    assert [f.error_code for f in frames if isinstance(f, RstStreamFrame)] == [FLOW_CONTROL]
    assert [leg.is_aborted() for leg in site.legs] == [True, False]
    site.send(bytes(WindowUpdateFrame(0, 2**31 - 1).serialize()))
    assert site.goaway == FLOW_CONTROL


LENGTH = (b"content-length", b"4")
BAD_FIELDS: dict[str, Fields] = {
    "upper case": [*GET, (b"X-Up", b"1")],
    "space in a name": [*GET, (b"x y", b"1")],
    "a colon in a name": [*GET, (b"x: y", b"1")],
    "empty name": [*GET, (b"", b"1")],
    "line feed in a value": [*GET, (b"x", b"1\nhost: evil")],
    "carriage return in a value": [*GET, (b"x", b"1\r\nhost: evil")],
    "nul in a value": [*GET, (b"x", b"\x00")],
    "space around a value": [*GET, (b"x", b" 1")],
    "connection": [*GET, (b"connection", b"close")],
    "transfer-encoding": [*GET, (b"transfer-encoding", b"chunked")],
    "upgrade": [*GET, (b"upgrade", b"h2c")],
    "te": [*GET, (b"te", b"trailers, deflate")],
    "no method": GET[1:],
    "no scheme": [GET[0], *GET[2:]],
    "another scheme": [GET[0], (b":scheme", b"ftp"), *GET[2:]],
    "no path": [*GET[:2], GET[3]],
    "empty path": [*GET[:2], (b":path", b""), GET[3]],
    "absolute path": [*GET[:2], (b":path", b"http://evil/"), GET[3]],
    "space in the path": [*GET[:2], (b":path", b"/a HTTP/1.1"), GET[3]],
    "fragment": [*GET[:2], (b":path", b"/a#b"), GET[3]],
    "no host": GET[:3],
    "two hosts": [*GET, (b"host", b"evil")],
    "userinfo": [*GET[:3], (b":authority", b"a@shop")],
    "unknown pseudo": [*GET, (b":evil", b"1")],
    "pseudo twice": [*GET, (b":path", b"/b")],
    "pseudo late": [*GET[:3], (b"x", b"1"), GET[3]],
    "status": [(b":status", b"200"), *GET],
    "two lengths": [*REQUEST, LENGTH, LENGTH],
    "length +4": [*REQUEST, (b"content-length", b"+4")],
    "a length but no body": [*REQUEST, LENGTH],
}


@pytest.mark.parametrize("name", BAD_FIELDS)
def test_a_malformed_request_is_an_error_of_its_stream(site: Attacked, name: str) -> None:
    site.ask(1, REQUEST, end=False)
    site.ask(3, BAD_FIELDS[name])
    frames = site.sent()
    assert [(f.stream_id, f.error_code) for f in frames if isinstance(f, RstStreamFrame)] == [
        (3, PROTOCOL_ERROR)
    ]
    assert (len(site.legs), site.refused) == (1, [400])
    site.ask(5)
    assert len(site.legs) == 2, "the others go on"


ANSWERED: dict[str, tuple[Fields, bytes]] = {
    "connect": ([(b":method", b"CONNECT"), GET[3]], b"501"),
    "extended connect": ([*GET, (b":protocol", b"websocket")], b"501"),
    "long path": ([*GET[:2], (b":path", b"/" + b"a" * 9_000), GET[3]], b"414"),
    "large field": ([*GET, (b"x", b"a" * 9_000)], b"431"),
    "many fields": ([*GET, *[(b"x", b"a")] * 101], b"431"),
    "expectation": ([*GET, (b"expect", b"the unexpected")], b"417"),
    "loop": ([*GET, (b"via", b"2.0 west, 1.1 other, 1.1 west")], b"508"),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_what_is_not_for_us_is_answered(site: Attacked, name: str) -> None:
    fields, status = ANSWERED[name]
    site.ask(1, fields)
    decoder = hpack.Decoder()
    heads = [f for f in site.sent() if isinstance(f, HeadersFrame)]
    assert dict(decoder.decode(heads[0].data, raw=True))[b":status"] == status
    assert (site.legs, site.refused) == ([], [int(status)])


@pytest.mark.parametrize(
    ("pieces", "end"), [([b"12345"], False), ([b"123"], True), ([b"12", b"345"], True)]
)
def test_a_body_of_another_length_is_an_error_of_its_stream(
    site: Attacked, pieces: list[bytes], end: bool
) -> None:
    site.ask(1, [*REQUEST, LENGTH], end=False)
    for number, piece in enumerate(pieces):
        flags = ["END_STREAM"] if end and number == len(pieces) - 1 else []
        site.send(bytes(DataFrame(1, piece, flags=flags).serialize()))
    assert site.legs[0].is_aborted()
    assert not site.legs[0].is_finished()
    resets_sent = [f.error_code for f in site.sent() if isinstance(f, RstStreamFrame)]
    assert resets_sent == [PROTOCOL_ERROR]
    site.ask(3)
    assert len(site.legs) == 2


def test_malformed_trailers_are_an_error_of_their_stream(site: Attacked) -> None:
    site.ask(1, REQUEST, end=False)
    site.ask(1, [(b":path", b"/evil")])
    assert site.legs[0].is_aborted()
    site.ask(3)
    assert len(site.legs) == 2


CONNECTION_ERRORS: dict[str, tuple[bytes, int]] = {
    "frame too large": (b"\x00\x40\x01\x00\x00\x00\x00\x00\x01", 6),
    "all ones": (b"\xff" * 9, FRAME_SIZE),
    "data on stream 0": (raw(0, 0, 0, b"x"), PROTOCOL_ERROR),
    "headers on stream 0": (raw(1, 4, 0, b"\x82"), PROTOCOL_ERROR),
    "an even stream": (raw(1, 5, 2, b"\x82"), PROTOCOL_ERROR),
    "data on an idle stream": (raw(0, 0, 9, b"x"), PROTOCOL_ERROR),
    "reset of an idle stream": (raw(3, 0, 9, struct.pack(">I", 8)), PROTOCOL_ERROR),
    "data without its padding": (raw(0, 8, 1, b""), FRAME_SIZE),
    "a head without its padding": (raw(1, 0xD, 1, b""), FRAME_SIZE),
    "a head without its priority": (raw(1, 0x25, 1, b"\x00\x00"), FRAME_SIZE),
    "padding beyond a head": (raw(1, 0x2D, 1, b"\x02" + b"\x00" * 6), PROTOCOL_ERROR),
    "a head that depends on itself": (raw(1, 0x25, 1, b"\x00\x00\x00\x01\x00\x82"), PROTOCOL_ERROR),
    "a stream that depends on itself": (raw(2, 0, 1, b"\x00\x00\x00\x01\x00"), PROTOCOL_ERROR),
    "short priority": (raw(2, 0, 1, b"\x00"), FRAME_SIZE),
    "an interim response": (raw(1, 5, 1, b"\x08\x03103"), PROTOCOL_ERROR),
    "a table larger than allowed": (raw(1, 5, 1, b"\x3f\xe2\x1f\x82"), COMPRESSION),
    "reset of stream 0": (raw(3, 0, 0, struct.pack(">I", 8)), PROTOCOL_ERROR),
    "short reset": (raw(3, 0, 1, b"\x00"), FRAME_SIZE),
    "settings on a stream": (raw(4, 0, 1), PROTOCOL_ERROR),
    "short settings": (raw(4, 0, 0, b"\x00"), FRAME_SIZE),
    "settings ack with a body": (raw(4, 1, 0, b"\x00" * 6), FRAME_SIZE),
    "window above its bound": (raw(4, 0, 0, struct.pack(">HI", 4, 2**31)), FLOW_CONTROL),
    "frame size below its bound": (raw(4, 0, 0, struct.pack(">HI", 5, 1)), PROTOCOL_ERROR),
    "short ping": (raw(6, 0, 0, b"1234567"), FRAME_SIZE),
    "ping on a stream": (raw(6, 0, 1, b"12345678"), PROTOCOL_ERROR),
    "short goaway": (raw(7, 0, 0, b"1234"), FRAME_SIZE),
    "goaway on a stream": (raw(7, 0, 1, b"\x00" * 8), PROTOCOL_ERROR),
    "no credit": (raw(8, 0, 0, b"\x00" * 4), PROTOCOL_ERROR),
    "short credit": (raw(8, 0, 0, b"\x00"), FRAME_SIZE),
    "continuation of nothing": (raw(9, 4, 1, b""), PROTOCOL_ERROR),
    "push": (raw(5, 4, 1, struct.pack(">I", 2) + b"\x82"), PROTOCOL_ERROR),
    "a broken header block": (raw(1, 5, 1, b"\xff\xff\xff\xff\xff"), COMPRESSION),
    "a broken header block on stream 0": (raw(1, 5, 0, b"\xff\xff\xff\xff\xff"), PROTOCOL_ERROR),
    "padding beyond the frame": (raw(0, 8, 1, b"\xff12"), PROTOCOL_ERROR),
    "another frame within a block": (raw(1, 1, 1, b"\x82") + raw(6, 0, 0, b"8" * 8), 1),
    "an unknown frame within a block": (raw(1, 1, 1, b"\x82") + raw(0xBE, 0, 0), 1),
    "another stream within a block": (raw(1, 1, 1, b"\x82") + raw(9, 4, 3, b"\x82"), 1),
}


@pytest.mark.parametrize("name", CONNECTION_ERRORS)
def test_what_breaks_the_connection_ends_it_with_its_code(site: Attacked, name: str) -> None:
    data, code = CONNECTION_ERRORS[name]
    site.send(data)
    assert site.goaway == code
    assert site.connection.is_finished()
    assert site.legs == []


def test_a_stream_id_is_used_once_and_never_goes_back(site: Attacked) -> None:
    site.ask(5)
    site.legs[0].respond(b"HTTP/1.1 200 \r\n", b"")
    site.sent()
    site.ask(3)
    assert site.goaway == PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (raw(3, 0, 5, struct.pack(">I", 8)), PROTOCOL_ERROR),
        (raw(9, 4, 1, b""), PROTOCOL_ERROR),
        (raw(8, 0, 5, struct.pack(">I", 8)), PROTOCOL_ERROR),
        (raw(0, 0, 5, b"x"), PROTOCOL_ERROR),
        (raw(0, 0, 2, b"x"), PROTOCOL_ERROR),
    ],
)
def test_frames_of_streams_that_were_never_open_end_the_connection(
    site: Attacked, frame: bytes, code: int
) -> None:
    site.ask(1, [*REQUEST, (b"x", b" bad")], end=False)  # Reset by us.
    site.ask(3)
    assert site.goaway is None
    site.send(frame)
    assert site.goaway == code


def test_a_head_on_a_stream_that_has_ended_ends_the_connection(site: Attacked) -> None:
    site.ask(1)
    site.legs[0].respond(b"HTTP/1.1 200 \r\n", b"")
    site.ask(1)
    assert site.goaway == STREAM_CLOSED


def test_a_peer_that_takes_no_table_is_told_that_there_is_none(site: Attacked) -> None:
    site.sent()
    site.send(raw(4, 0, 0, struct.pack(">HI", 1, 0)))
    blocks = []
    for stream_id in (1, 3):
        site.ask(stream_id)
        site.legs[-1].respond(b"HTTP/1.1 200 \r\n", b"x")
        blocks += [frame.data for frame in site.sent() if isinstance(frame, HeadersFrame)]
    assert [block[:1] for block in blocks] == [b"\x20", b"\x88"]


def test_a_table_that_shrinks_and_grows_in_one_frame_is_told_of_too(site: Attacked) -> None:
    site.sent()
    site.send(raw(4, 0, 0, struct.pack(">HIHI", 1, 0, 1, 4096)))
    site.ask(1)
    site.legs[-1].respond(b"HTTP/1.1 200 \r\n", b"x")
    blocks = [frame.data for frame in site.sent() if isinstance(frame, HeadersFrame)]
    assert [block[:1] for block in blocks] == [b"\x20"]


def test_credit_of_the_connection_comes_back_for_data_that_comes_too_late(site: Attacked) -> None:
    site.ask(1, [*REQUEST, (b"x", b" bad")], end=False)
    site.sent()
    late = raw(0, 0, 1, b"d" * 16_384)
    for _ in range(2 * limits.HTTP2_CONNECTION_WINDOW_BYTES // 16_384):
        site.send(late)
    sent = site.sent()
    assert not any(isinstance(frame, GoAwayFrame) for frame in sent)
    given = sum(f.window_increment for f in sent if isinstance(f, WindowUpdateFrame))
    assert given >= limits.HTTP2_CONNECTION_WINDOW_BYTES


def test_late_frames_of_a_stream_we_reset_are_dropped(site: Attacked) -> None:
    site.ask(1, [*REQUEST, (b"x", b" bad")], end=False)
    site.sent()
    for _ in range(5):
        site.send(bytes(DataFrame(1, b"late").serialize()))
    site.ask(1, [(b"trailer", b"late")])
    site.ask(3)
    assert site.goaway is None
    assert len(site.legs) == 1


def test_nothing_is_read_after_the_connection_was_given_up(site: Attacked) -> None:
    site.send(raw(6, 0, 0, b"short") + head_frame(site.encoder, 1, GET, "END_STREAM"))
    site.ask(3)
    assert site.legs == []
    site.timers.advance(limits.LINGER_DISCARD_S + 0.1)
    assert site.connection.is_aborted()
