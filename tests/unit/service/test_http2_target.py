"""Exchanges with an HTTP/2 target: many streams a connection, refusals, losses, deadlines."""

import h2.events
import h2.settings
import pytest
from hyperframe.frame import (
    GoAwayFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from router.model import limits
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.model.settings import Timeouts
from router.net.ports import Loss, Tls
from router.service.ports import LegFailure
from router.service.targets.http2.pool import Http2Pool
from router.service.targets.http2.session import TargetSession
from router.service.targets.http2.target import Http2TargetLeg
from tests.unit.exchange.fakes_http import FakeConnection, FakeNetwork
from tests.unit.exchange.http2_peers import NO_SETTINGS, H2Peer, frames_of, raw
from tests.unit.exchange.taken import RecordingTaker

HEAD = b"POST /a HTTP/1.1\r\nhost: shop\r\nte-st: 1\r\nVia: 2.0 west\r\n"
OK = [(b":status", b"200"), (b"server", b"t")]
NO_ERROR, CANCEL, REFUSED = 0, 8, 7
WINDOW_UPDATE = bytes(WindowUpdateFrame(0, 1).serialize())


class Server:
    """The target's end of one connection."""

    def __init__(self, network: FakeNetwork, streams: int = 100) -> None:
        self.network = network
        self.connection: FakeConnection = network.connect()
        self.peer = H2Peer(client=False, streams=streams)

    def turn(self) -> None:
        while True:
            got = self.connection.take()
            if got:
                self.peer.hear(got)
            sent = self.peer.take()
            if sent:
                self.connection.deliver(sent)
            if not sent and not got:
                return

    @property
    def requests(self) -> list[int]:
        return [
            event.stream_id or 0
            for event in self.peer.events
            if isinstance(event, h2.events.RequestReceived)
        ]

    def answer(self, stream: int, body: bytes = b"") -> None:
        self.turn()
        self.peer.h2.send_headers(stream, OK, end_stream=not body)
        if body:
            self.peer.h2.send_data(stream, body, end_stream=True)
        self.turn()


class Target:
    def __init__(self, tls: Tls | None = None, **timeouts: float) -> None:
        self.network = FakeNetwork()
        self.pool = Http2Pool(self.network, "10.0.0.1", 80, timeouts=Timeouts(**timeouts), tls=tls)

    def leg(
        self, body_bytes: int = 0, head: bytes = HEAD, *, head_only: bool = False
    ) -> tuple[RecordingTaker, RecordingTaker]:
        """As who sends through it, and as who hears of it."""
        request = Request(
            key=ServiceKey("shop", 80),
            protocol="http2",
            head=head,
            body_bytes=body_bytes,
            head_only=head_only,
        )
        taker, pool = RecordingTaker(), self.pool

        def leg_of(session: TargetSession) -> Http2TargetLeg:
            return Http2TargetLeg(request, taker, pool, session, b"2.0 east")

        session = pool.take()
        if session is not None:
            taker.connected(leg_of(session))
        else:
            taker.dial = pool.wait(leg_of, taker)
        return taker, taker

    def server(self, streams: int = 100) -> Server:
        server = Server(self.network, streams)
        server.turn()
        return server


@pytest.fixture
def target() -> Target:
    return Target()


def test_a_request_waits_for_the_settings_and_is_answered(target: Target) -> None:
    _, handler = target.leg()
    server = Server(target.network)
    assert handler.events == []
    server.turn()
    assert handler.events == [("opened",)]
    request = next(e for e in server.peer.events if isinstance(e, h2.events.RequestReceived))
    assert list(request.headers) == [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/a"),
        (b":authority", b"shop"),
        (b"te-st", b"1"),
        (b"via", b"2.0 west"),
        (b"te", b"trailers"),
    ]
    assert request.stream_ended is not None
    server.answer(1, b"hello")
    assert handler.events[1:] == [
        ("head", b"HTTP/1.1 200 \r\nserver: t\r\nVia: 2.0 east\r\n", -1),
        ("received", b"hello"),
        ("ended",),
        ("done", None),
    ]


def test_one_head_with_and_without_a_body_behind_it_is_two_answers(target: Target) -> None:
    heard: list[list[object]] = []
    server: Server | None = None
    for body in (b"", b"", b"one", b"", b"two", b"three", b""):
        _, handler = target.leg()
        server = server or target.server()
        server.turn()
        server.answer(server.requests[-1], body)
        bodies = [event[1] for event in handler.events if event[0] == "received"]
        heard.append(bodies)
        assert handler.last() == ("done", None)
    assert heard == [[], [], [b"one"], [], [b"two"], [b"three"], []]


def test_a_target_that_takes_fewer_streams_than_it_has_gets_no_more_on_that_connection(
    target: Target,
) -> None:
    for _ in range(3):
        target.leg()
    server = target.server(streams=3)
    fewer: dict[h2.settings.SettingCodes | int, int] = {
        h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1
    }
    server.peer.h2.update_settings(fewer)
    server.turn()
    target.leg()
    assert len(target.network.dials) == 1
    server.turn()
    assert len(server.requests) == 3


def test_streams_share_a_connection_up_to_what_the_target_bears(target: Target) -> None:
    handlers = [target.leg()[1] for _ in range(5)]
    first = target.server(streams=3)
    assert len(first.requests) == 3
    second = target.server(streams=3)
    assert len(second.requests) == 2
    assert target.pool.open_count == 2
    first.answer(1)
    assert handlers[0].last() == ("done", None)
    _, handler = target.leg()
    target.network.turn()
    assert handler.events == [("opened",)]
    assert target.network.dials == []


def test_who_waits_gets_the_place_of_who_ends(target: Target) -> None:
    target.leg()
    server = target.server(streams=1)
    for _ in range(limits.HTTP2_TARGET_CONNECTIONS_MAX - 1):
        target.leg()
        target.server(streams=1)
    _, waiting = target.leg()
    assert target.network.dials == []
    assert waiting.events == []
    server.answer(1)
    assert waiting.events == [("opened",)]
    assert server.requests == [1, 3]


def test_who_finds_no_place_in_time_is_told_that_the_target_is_busy(target: Target) -> None:
    for _ in range(limits.HTTP2_TARGET_CONNECTIONS_MAX):
        target.leg()
        target.server(streams=1)
    began = target.network.now()
    _, waiting = target.leg()
    while not waiting.events:
        assert target.network.now() < began + 60.0
        target.network.advance(0.25)
    assert waiting.last() == ("done", "busy")
    waited_s = target.network.now() - began
    assert 0 <= waited_s - 2 * limits.CONNECT_TIMEOUT_LOCAL_S < limits.POOL_SWEEP_S


def test_a_body_flows_both_ways_with_trailers(target: Target) -> None:
    leg, handler = target.leg(body_bytes=-1)
    server = target.server()
    assert leg.send(b"early") is True
    server.peer.h2.send_headers(1, OK)
    server.turn()
    before = target.pool.answers.parts
    server.peer.h2.send_data(1, b"pong")
    server.turn()
    assert target.pool.answers.parts > before, "its target does not hang"
    assert leg.send(b" late") is True
    leg.send_trailers(b"Sum: 1\r\n")
    leg.finish()
    server.peer.h2.send_headers(
        1, [(b"grpc-status", b"0"), (b"content-length", b"4")], end_stream=True
    )
    server.turn()
    assert server.peer.said(1) == ["POST /a", "data early", "data  late", "trailers", "end"]
    assert handler.events[1:] == [
        ("head", b"HTTP/1.1 200 \r\nserver: t\r\nVia: 2.0 east\r\n", -1),
        ("received", b"pong"),
        ("trailers", b"grpc-status: 0\r\n"),
        ("ended",),
        ("done", None),
    ]


def test_an_early_answer_ends_the_request(target: Target) -> None:
    leg, handler = target.leg(body_bytes=100)
    server = target.server()
    leg.send(b"part")
    server.answer(1, b"enough")
    assert handler.last() == ("done", None)
    assert server.peer.said(1)[-1] == f"reset {CANCEL}"


def test_the_rest_of_an_answered_request_awaits_credit_for_a_bounded_time() -> None:
    """Most servers reset such a stream. If one does not, nothing else would end it."""
    target = Target(idle_s=5.0)
    server: Server | None = None
    for stream, credit in ((1, 0), (3, 60)):
        leg, handler = target.leg(body_bytes=100)
        if server is None:
            server = target.server()
            server.peer.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 40})
        server.turn()
        server.peer.acknowledges = False
        leg.send(b"x" * 100)
        leg.finish()
        server.answer(stream, b"enough")
        assert handler.last() == ("done", None)
        assert server.peer.said(stream) == ["POST /a", "data " + "x" * 20]
        if credit:
            server.peer.h2.increment_flow_control_window(credit, stream)
    assert server is not None
    for _ in range(8):
        server.turn()  # It answers pings.
        target.network.advance(1.0)
    server.turn()
    assert server.peer.said(1)[-1] == f"reset {CANCEL}"
    assert server.peer.said(3)[-1] == "end", "what may leave does, and needs no reset"
    assert target.pool.shed_idle() == 1, "no stream is left"


@pytest.mark.parametrize(("declared", "parts"), [(0, [b"1"]), (3, [b"12345"]), (3, [b"123", b"4"])])
def test_a_request_of_another_length_is_torn(
    target: Target, declared: int, parts: list[bytes]
) -> None:
    leg, handler = target.leg(body_bytes=declared)
    server = target.server()
    for part in parts:
        leg.send(part)
    server.turn()
    assert handler.last() == ("done", "cancelled")
    assert server.peer.said(1)[-1] == f"reset {CANCEL}"


def test_an_abort_resets_the_stream_alone(target: Target) -> None:
    leg, handler = target.leg()
    _, other = target.leg()
    server = target.server()
    leg.abort()
    server.turn()
    assert handler.last() == ("done", "cancelled")
    assert server.peer.said(1)[-1] == f"reset {CANCEL}"
    server.answer(3)
    assert other.last() == ("done", None)


@pytest.mark.parametrize(("code", "failure"), [(REFUSED, "not-processed"), (2, "target-reset")])
def test_a_reset_tells_whether_the_request_was_processed(
    target: Target, code: int, failure: str
) -> None:
    _, handler = target.leg()
    server = target.server()
    server.peer.h2.reset_stream(1, code)
    server.turn()
    assert handler.last() == ("done", failure)
    assert handler.status == 0, "no answer came"


def test_a_stream_that_is_refused_after_its_answer_began_was_processed(target: Target) -> None:
    """Else the request might run again."""
    _, handler = target.leg()
    server = target.server()
    server.peer.h2.send_headers(1, OK)
    server.peer.h2.reset_stream(1, REFUSED)
    server.turn()
    assert handler.last() == ("done", "target-reset")


@pytest.mark.parametrize(
    ("declared", "sent", "code", "failure"),
    [
        (b"4", b"data", NO_ERROR, None),
        (b"0", b"", NO_ERROR, None),
        (b"4", b"dat", NO_ERROR, "target-reset"),
        (b"4", b"", NO_ERROR, "target-reset"),
        (b"", b"data", NO_ERROR, "target-reset"),
        (b"4", b"data", CANCEL, "target-reset"),
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_a_reset_without_an_error_ends_a_response_that_is_as_long_as_declared(
    target: Target, declared: bytes, sent: bytes, code: int, failure: str | None, method: bytes
) -> None:
    """Node 20's http2 server ends some responses so: all DATA, then RST_STREAM instead of the end.

    Recorded of one that wrote 2,000,000 bytes by `write` and `drain`, then `end`: 2 to 6 in 20.
    """
    leg, handler = target.leg(0 if method == b"GET" else -1, method + HEAD[4:])
    server = target.server()
    fields = [*OK, (b"content-length", declared)] if declared else OK
    server.peer.h2.send_headers(1, fields)
    if sent:
        server.peer.h2.send_data(1, sent)
    server.peer.h2.reset_stream(1, code)
    server.turn()
    got = b"".join(event[1] for event in handler.events if event[0] == "received")  # type: ignore[misc]
    assert (got, handler.last()) == (sent, ("done", failure))
    assert (("ended",) in handler.events) is (failure is None)
    assert not server.connection.is_aborted()
    assert leg.status == 200


def test_a_reset_without_an_error_ends_an_answer_to_head(target: Target) -> None:
    _, handler = target.leg(head=b"HEAD /a HTTP/1.1\r\nhost: shop\r\n", head_only=True)
    server = target.server()
    server.peer.h2.send_headers(1, [*OK, (b"content-length", b"4")])
    server.peer.h2.reset_stream(1, NO_ERROR)
    server.turn()
    assert handler.events[-2:] == [("ended",), ("done", None)]


@pytest.mark.parametrize("kind", ["reset", "broken"])
def test_a_target_may_end_streams_as_often_as_we_open_some(target: Target, kind: str) -> None:
    """A client may not: it would have us begin requests for nothing."""
    _, lasting = target.leg()
    server = target.server()
    for _ in range(limits.HTTP2_RESETS_BURST + 1):
        _, handler = target.leg()
        server.turn()
        stream = server.requests[-1]
        if kind == "reset":
            server.peer.h2.reset_stream(stream, CANCEL)
        else:
            server.connection.deliver(raw(8, 0, stream, b"\x7f\xff\xff\xff"))
        server.turn()
        assert handler.last() == ("done", "target-reset" if kind == "reset" else "bad-response")
    server.answer(1)
    assert lasting.last() == ("done", None)


def test_a_connection_that_refused_rests_until_a_stream_of_it_ends(target: Target) -> None:
    target.leg()
    target.leg()
    server = target.server()
    server.peer.h2.reset_stream(3, REFUSED)
    server.turn()
    target.leg()
    assert len(target.network.dials) == 1, "a second connection"
    server.answer(1)
    _, handler = target.leg()
    target.network.turn()
    assert handler.events == [("opened",)]


def test_a_goaway_lets_finish_what_it_names_and_gives_back_the_rest(target: Target) -> None:
    handlers = [target.leg()[1] for _ in range(3)]
    server = target.server()
    server.connection.deliver(bytes(GoAwayFrame(0, last_stream_id=3).serialize()))
    target.network.turn()
    assert [handler.last() for handler in handlers] == [
        ("opened",),
        ("opened",),
        ("done", "not-processed"),
    ]
    server.answer(1, b"still")
    server.answer(3, b"served")
    assert [handler.last() for handler in handlers[:2]] == [("done", None)] * 2
    assert server.connection.is_finished()
    target.leg()
    assert len(target.network.dials) == 1, "nothing new goes there"


def test_a_lost_connection_fails_its_streams(target: Target) -> None:
    handlers = [target.leg()[1] for _ in range(2)]
    server = target.server()
    server.connection.lose(Loss("reset"))
    target.network.turn()
    assert [handler.last() for handler in handlers] == [("done", "target-reset")] * 2
    assert target.pool.open_count == 0


def test_nothing_new_goes_to_a_target_that_has_just_broken_http2(target: Target) -> None:
    _, handler = target.leg()
    server = target.server()
    server.connection.deliver(raw(8, 0, 0, b"short"))  # Its loss is reported in a later turn.
    _, again = target.leg()
    target.network.turn()
    assert handler.last() == ("done", "bad-response")
    assert len(target.network.dials) == 1, "a second connection"
    target.server().answer(1)
    assert again.last() == ("done", None)


@pytest.mark.parametrize("stream_id", [2, 9])
def test_a_target_that_opens_streams_breaks_its_connection(target: Target, stream_id: int) -> None:
    _, handler = target.leg()
    target.server().connection.deliver(raw(1, 5, stream_id, b"\x88"))
    target.network.turn()
    assert handler.last() == ("done", "bad-response")


# Frames of a target on stream 3, while stream 1 waits too: each is the end of the connection.
BREAKING = {
    "an index that is not there": raw(1, 5, 3, b"\xff\x00"),
    "a block cut short": raw(1, 5, 3, b"\x40\x05ab"),
    "an integer without end": raw(1, 5, 3, b"\xff" + b"\x80" * 9 + b"\x01"),
    "a table too large": raw(1, 5, 3, b"\x3f\xe1\xff\x03\x88"),
    "a list that unpacks to much": raw(
        1, 5, 3, b"\x88\x40\x01x\x7f\xa1\x1e" + b"y" * 4_000 + b"\xbe" * 40
    ),
    "a block larger than allowed": raw(1, 0, 3, b"\x88" + b"y" * 16_000)
    + raw(9, 0, 3, b"y" * 16_384) * 3,
    "fragments without end": raw(1, 0, 3, b"\x88") + raw(9, 0, 3) * 9,
    "data before a head": raw(0, 1, 3, b"data"),
    "a head after the head": raw(1, 4, 3, b"\x88") * 2,
    "padding beyond the frame": raw(1, 4, 3, b"\x88") + raw(0, 9, 3, b"\x09abc"),
    "a head of 103 that ends": raw(1, 5, 3, b"\x08\x03103"),
    "a frame too large": raw(1, 4, 3, b"\x88") + raw(0, 0, 3, b"x" * 16_385),
    "credit of nothing": raw(8, 0, 3, bytes(4)),
    "another frame within a block": raw(1, 0, 3, b"\x88") + raw(0, 1, 3, b"data"),
}


@pytest.mark.parametrize("name", BREAKING)
@pytest.mark.parametrize("in_bytes", [False, True])
def test_who_broke_the_connection_is_bad_and_the_others_are_cut_off(
    target: Target, name: str, in_bytes: bool
) -> None:
    """A request that is idempotent may be repeated after a reset, and never after a bad answer."""
    cut_off, victim = target.leg()
    broken, handler = target.leg()
    server = target.server()
    wire = BREAKING[name]
    for piece in [wire[at : at + 1] for at in range(len(wire))] if in_bytes else [wire]:
        server.connection.deliver(piece)
    target.network.turn()
    assert handler.last() == ("done", "bad-response")
    assert victim.last() == ("done", "target-reset")
    assert (broken.blames_target, cut_off.blames_target) == (True, False)


@pytest.mark.parametrize("sent", [raw(1, 0, 3, b"\x88"), raw(1, 5, 3, b"\x88")[:9]])
def test_a_head_that_is_never_complete_is_bad_for_its_stream_alone(sent: bytes) -> None:
    target = Target(header_s=2.0)
    _, other = target.leg()
    _, handler = target.leg()
    server = target.server()
    server.connection.deliver(sent)
    target.network.advance(2.0 + 2 * limits.POOL_SWEEP_S)
    assert (handler.last(), other.last()) == (("done", "bad-response"), ("done", "target-reset"))


def test_a_target_that_never_agrees_to_our_settings_is_bad_for_all_streams() -> None:
    """Whichever stream its last frame was about."""
    target = Target(header_s=2.0)
    handlers = [target.leg()[1] for _ in range(2)]
    connection = target.network.connect()
    connection.deliver(NO_SETTINGS)
    target.network.turn()
    connection.deliver(raw(1, 4, 3, b"\x88"))
    target.network.advance(2.0 + 2 * limits.POOL_SWEEP_S)
    assert [handler.last() for handler in handlers] == [("done", "bad-response")] * 2


def test_a_target_that_breaks_http2_on_no_stream_is_bad_for_all_of_them(target: Target) -> None:
    handlers = [target.leg() for _ in range(2)]
    target.server().connection.deliver(raw(4, 0, 0, b"short"))
    target.network.turn()
    assert [handler.last() for _, handler in handlers] == [("done", "bad-response")] * 2
    assert [leg.blames_target for leg, _ in handlers] == [True, False], "one failure"


def test_more_credit_than_there_may_be_is_bad_for_its_stream_alone(target: Target) -> None:
    _, handler = target.leg()
    _, other = target.leg()
    server = target.server()
    server.turn()
    server.connection.deliver(raw(8, 0, 1, b"\x7f\xff\xff\xff"))
    target.network.turn()
    assert handler.last() == ("done", "bad-response")
    server.answer(3)
    assert other.last() == ("done", None)


def test_a_whole_response_of_another_length_is_bad_and_needs_no_reset(target: Target) -> None:
    _, handler = target.leg()
    server = target.server()
    server.connection.take()
    head = raw(1, 4, 1, b"\x88" + b"\x0f\x0d\x013")
    server.connection.deliver(head + raw(0, 1, 1, b"four"))
    target.network.turn()
    assert handler.last() == ("done", "bad-response")
    assert not any(
        isinstance(frame, RstStreamFrame) for frame in frames_of(server.connection.take())
    )


def test_larger_fields_than_the_target_takes_are_turned_away_here(target: Target) -> None:
    """The target might end the shared connection (Netty does, above 10 KiB by default)."""
    _, before = target.leg(-1)
    server = target.server()
    server.peer.h2.update_settings({h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: 1_000})
    server.turn()
    _, fits = target.leg()
    _, large = target.leg(head=HEAD + b"x: %b\r\n" % (b"y" * 800))
    target.network.turn()
    server.turn()
    assert server.requests == [1, 3]
    assert [event[0] for event in large.events] == ["opened", "head", "ended", "done"]
    head = b"HTTP/1.1 431 \r\nSpillway-Error: header-too-large\r\n"
    assert large.events[1] == ("head", head, 0)
    assert [before.last(), fits.last()] == [("opened",)] * 2


def test_larger_trailers_than_the_target_takes_cost_their_request_alone(target: Target) -> None:
    leg, handler = target.leg(-1)
    server = Server(target.network)
    server.connection.deliver(bytes(SettingsFrame(0, {6: 1_000}).serialize()))
    server.turn()
    leg.send_trailers(b"x: %b\r\n" % (b"y" * 1_000))
    leg.finish()
    server.turn()
    target.network.turn()
    server.turn()
    assert handler.last() == ("done", "cancelled")
    assert server.peer.said(1)[-1] == f"reset {CANCEL}"


def test_a_target_that_refuses_or_speaks_something_else_is_not_connected(target: Target) -> None:
    _, refused = target.leg()
    target.network.refuse()
    assert refused.last() == ("done", "connect-failed")
    _, other = target.leg()
    connection = target.network.connect()
    connection.deliver(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    target.network.turn()
    assert connection.is_aborted()
    assert other.last() == ("done", "connect-failed")
    target = Target(response_s=0.4)  # So that connections are looked at often.
    _, silent = target.leg()
    connection = target.network.connect()
    target.network.advance(limits.CONNECT_TIMEOUT_LOCAL_S - 0.1)
    assert silent.events == []
    target.network.advance(0.1 + 2 * limits.POOL_SWEEP_S)
    assert silent.last() == ("done", "connect-failed")
    assert connection.is_aborted()


class ToldWhy(RecordingTaker):
    """Records why it got no connection."""

    why = ""

    def connect_failed(self, failure: LegFailure) -> None:
        self.why = failure.reason


def test_a_reason_names_what_this_connection_spoke_and_no_former_one(target: Target) -> None:
    def never(session: TargetSession) -> Http2TargetLeg:
        raise AssertionError("it does not settle")

    def why(said: bytes) -> tuple[str, str]:
        taker = ToldWhy()
        target.pool.wait(never, taker)
        connection = target.network.connect()
        if said:
            connection.deliver(said)
        else:
            connection.lose(Loss("reset"))
        target.network.turn()
        return target.pool.answers.spoken, taker.why

    spoken, reason = why(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert spoken == "HTTP/1"
    assert reason.endswith("A service whose targets speak HTTP/1 has --protocol http")
    assert why(b"") == ("", "10.0.0.1:80 does not speak HTTP/2")
    target.leg()
    target.server()
    assert target.pool.answers.spoken == "HTTP/2"


BAD_RESPONSES: dict[str, list[tuple[bytes, bytes]]] = {
    "no status": [(b"server", b"x")],
    "101": [(b":status", b"101")],
    "a request": [(b":status", b"200"), (b":path", b"/")],
    "connection": [*OK, (b"connection", b"close")],
    "line feed": [*OK, (b"x", b"a\nb")],
    "length": [*OK, (b"content-length", b"x")],
    "a length and no body": [*OK, (b"content-length", b"1")],
}


@pytest.mark.parametrize("name", BAD_RESPONSES)
def test_a_malformed_response_fails_its_stream_alone(target: Target, name: str) -> None:
    _, handler = target.leg()
    _, other = target.leg()
    server = target.server()
    server.turn()
    server.peer.h2.config.validate_outbound_headers = False
    server.peer.h2.config.normalize_outbound_headers = False
    fields = BAD_RESPONSES[name]
    server.peer.h2.send_headers(1, fields, end_stream=fields[0][1] != b"101")
    server.turn()
    assert handler.last() == ("done", "bad-response")
    server.answer(3)
    assert other.last() == ("done", None)


@pytest.mark.parametrize(("declared", "body"), [(3, b"12"), (3, b"1234"), (0, b"1"), (1, b"12")])
def test_a_response_of_another_length_is_bad(target: Target, declared: int, body: bytes) -> None:
    _, handler = target.leg()
    server = target.server()
    server.peer.h2.config.validate_outbound_headers = False
    server.peer.h2.send_headers(1, [*OK, (b"content-length", b"%d" % declared)])
    server.peer.h2.send_data(1, body, end_stream=True)
    server.turn()
    assert handler.last() == ("done", "bad-response")
    assert ("ended",) not in handler.events


def test_a_response_to_head_has_a_length_and_no_body(target: Target) -> None:
    _, handler = target.leg(head=b"HEAD /a HTTP/1.1\r\nhost: shop\r\n", head_only=True)
    server = target.server()
    server.peer.h2.send_headers(1, [*OK, (b"content-length", b"3")], end_stream=True)
    server.turn()
    assert handler.events[-3:] == [
        ("head", b"HTTP/1.1 200 \r\nserver: t\r\nVia: 2.0 east\r\n", 3),
        ("ended",),
        ("done", None),
    ]


@pytest.mark.parametrize("too_many", [False, True])
def test_interim_responses_without_end_are_bad(target: Target, too_many: bool) -> None:
    _, handler = target.leg()
    server = target.server()
    for _ in range(limits.HEADS_PER_STREAM_MAX - 1 + too_many):
        server.peer.h2.send_headers(1, [(b":status", b"103")])
    server.peer.h2.send_headers(1, OK, end_stream=True)
    server.turn()
    target.network.advance(0)
    assert handler.last() == ("done", "bad-response" if too_many else None)


def test_large_interim_responses_are_bad_before_there_are_many(target: Target) -> None:
    _, handler = target.leg()
    server = target.server()
    for _ in range(limits.INTERIM_BYTES_MAX // 7_600 + 1):
        server.peer.h2.send_headers(1, [(b":status", b"103"), (b"link", b"</x>" * 1_900)])
        server.turn()
    target.network.advance(0)
    assert handler.last() == ("done", "bad-response")
    heads = [event for event in handler.events if event[0] == "head"]
    assert len(heads) == limits.INTERIM_BYTES_MAX // (4 * 1_900)


def test_a_connection_on_which_much_was_cancelled_is_left_to_who_is_on_it(target: Target) -> None:
    _, lasting = target.leg()
    server = target.server()
    for _ in range(limits.HTTP2_TARGET_RESETS_BURST + 1):
        leg, _ = target.leg()
        leg.abort()
    server.turn()
    assert not server.connection.is_finished()
    _, next_one = target.leg()
    assert len(target.network.dials) == 1, "a second connection"
    other = target.server()
    other.answer(1)
    assert next_one.last() == ("done", None)
    server.answer(1, b"still")
    assert lasting.last() == ("done", None)
    assert server.connection.is_finished()


def test_connections_are_not_left_without_bound(target: Target) -> None:
    servers: list[Server] = []
    for _ in range(limits.HTTP2_TARGET_CONNECTIONS_MAX):
        target.leg(-1)  # One that lasts.
        if target.network.dials:
            servers.append(target.server())
        for _ in range(limits.HTTP2_TARGET_RESETS_BURST + 1):
            leg, _ = target.leg()
            leg.abort()
        servers[-1].turn()
    assert len(servers) == limits.HTTP2_TARGET_CONNECTIONS_MAX // 2 + 1


def test_a_target_that_loses_patience_with_a_slow_client_is_not_to_blame(target: Target) -> None:
    uploading, _ = target.leg(-1)
    reading, _ = target.leg()
    complete, _ = target.leg()
    server = target.server()
    reading.pause()
    for stream_id in (1, 3, 5):
        server.peer.h2.reset_stream(stream_id, CANCEL)
    server.turn()
    assert [leg.blames_target for leg in (uploading, reading, complete)] == [False, False, True]


def test_a_client_that_reads_slowly_takes_no_time_from_its_target() -> None:
    """How slowly it may read is judged where it is connected."""
    target = Target(idle_s=10.0)
    leg, handler = target.leg()
    server = target.server()
    server.peer.h2.send_headers(1, OK)
    server.peer.h2.send_data(1, b"x")
    server.turn()

    def passes(seconds: int) -> None:
        for _ in range(seconds):
            server.turn()  # It answers pings.
            target.network.advance(1.0)

    leg.pause()
    passes(30)
    assert handler.last() == ("received", b"x")
    leg.resume()
    passes(9)
    assert handler.last() == ("received", b"x"), "it had to wait, and has all of its time again"
    passes(4)
    assert handler.last() == ("done", "stalled")


def test_an_answer_that_nobody_takes_is_given_up_after_the_time_of_a_tunnel() -> None:
    """A neighbor may keep its link and never give credit."""
    target = Target(idle_s=10.0, tunnel_s=60.0)
    leg, handler = target.leg()
    server = target.server()
    server.peer.h2.send_headers(1, OK)
    server.peer.h2.send_data(1, b"x")
    server.turn()
    leg.pause()
    for second in range(64):
        server.turn()
        target.network.advance(1.0)
        leg.pause()
        if second == 57:
            assert handler.last() == ("received", b"x")
    assert handler.last() == ("done", "stalled")
    assert not leg.blames_target


@pytest.mark.parametrize("takes_bytes", [1_000, 0])
def test_a_target_may_take_its_request_as_slowly_as_it_likes(takes_bytes: int) -> None:
    """The kernel says `writable` in steps of MiBs, which may take longer than ``idle``."""
    target = Target(idle_s=10.0)
    leg, handler = target.leg(body_bytes=-1)
    server = target.server()
    server.peer.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 2**24})
    server.peer.h2.increment_flow_control_window(2**24)
    server.turn()
    connection = server.connection
    connection.full, connection.kernel_bytes = True, 500_000
    while leg.send(b"x" * 20_000):
        target.network.turn()
    for _ in range(40):
        connection.kernel_bytes -= takes_bytes
        target.network.advance(1.0)
        connection.deliver(WINDOW_UPDATE)  # It is not silent.
    if not takes_bytes:
        assert (handler.last(), leg.blames_target) == (("done", "target-timeout"), True)
        return
    assert handler.last() == ("opened",)
    connection.drain()
    server.turn()
    assert handler.last() == ("writable",)


@pytest.mark.parametrize("takes_bytes", [1_000, 0])
def test_so_may_a_target_that_says_by_its_windows_how_slowly(takes_bytes: int) -> None:
    target = Target(idle_s=10.0)
    leg, handler = target.leg(body_bytes=-1)
    server = target.server()
    server.peer.acknowledges = False
    server.peer.h2.increment_flow_control_window(2**24)
    while leg.send(b"x" * 20_000):
        server.turn()
    while handler.last() == ("opened",):
        server.turn()
        target.network.advance(1.0)
        if takes_bytes and handler.last() == ("opened",):
            server.peer.h2.increment_flow_control_window(takes_bytes, 1)
    expected = ("writable",) if takes_bytes else ("done", "target-timeout")
    assert (handler.last(), leg.blames_target) == (expected, not takes_bytes)


@pytest.mark.parametrize("takes_bytes", [8_000, 0])
def test_a_ping_waits_behind_a_backlog_that_grows(takes_bytes: int) -> None:
    """The client sends faster than the target takes: what waits only grows, and yet it moves."""
    target = Target()
    leg, handler = target.leg(body_bytes=-1)
    server = target.server()
    server.peer.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 2**24})
    server.peer.h2.increment_flow_control_window(2**24)
    server.turn()
    for _ in range(40):
        assert leg.send(b"x" * 10_000)
        server.connection.kernel_bytes += 10_100 - takes_bytes  # Frames have headers.
        target.network.advance(1.0)
    expected = ("opened",) if takes_bytes else ("done", "target-reset")
    assert handler.last() == expected


def test_a_lost_connection_is_one_failure_however_many_streams_it_had(target: Target) -> None:
    legs = [target.leg()[0] for _ in range(3)]
    target.server().connection.lose(Loss("reset"))
    target.network.turn()
    assert [leg.blames_target for leg in legs] == [True, False, False]


def test_deadlines_are_for_the_head_and_for_whatever_moves() -> None:
    target = Target(response_s=5.0, idle_s=30.0)
    _, handler = target.leg()
    _, streaming = target.leg()
    server = target.server()
    server.peer.h2.send_headers(3, OK)
    server.turn()
    target.network.advance(7.0)
    assert handler.last() == ("done", "target-timeout")
    for _ in range(30):
        server.turn()  # It answers pings.
        target.network.advance(1.0)
    assert streaming.last() == ("done", "stalled")


def test_a_target_that_is_gone_without_a_word_is_found_by_one_ping(target: Target) -> None:
    _, handler = target.leg()
    server = target.server()
    server.turn()
    target.network.advance(limits.HTTP2_PING_AFTER_S + 2 * limits.POOL_SWEEP_S)
    pings = [f for f in frames_of(server.connection.take()) if isinstance(f, PingFrame)]
    assert len(pings) == 1
    target.network.advance(limits.HTTP2_PING_ANSWER_S + 2 * limits.POOL_SWEEP_S)
    assert handler.last() == ("done", "target-reset")
    assert server.connection.is_aborted()


def test_a_silent_stream_is_not_pinged_more_often_than_grpc_servers_allow() -> None:
    target = Target(idle_s=2_000.0, response_s=2_000.0)
    target.leg()
    server = target.server()
    pings = 0
    for _ in range(600):
        target.network.advance(1.0)
        frames = server.connection.take()
        pings += sum(isinstance(f, PingFrame) for f in frames_of(frames))
        server.peer.hear(frames)
        server.turn()
    assert pings == 2


def test_an_idle_connection_is_closed_and_a_closed_pool_keeps_none(target: Target) -> None:
    _, handler = target.leg()
    server = target.server()
    server.answer(1)
    assert handler.last() == ("done", None)
    target.network.advance(limits.HTTP2_TARGET_IDLE_S + 2.0)
    assert server.connection.is_finished()
    server.connection.end()
    target.leg()
    busy = target.server()
    target.pool.close()
    assert not busy.connection.is_finished()
    busy.answer(1)
    target.network.turn()
    assert busy.connection.is_finished()
    busy.connection.end()
    target.network.advance(5.0)
    assert (target.pool.open_count, target.network.pending_timers) == (0, 0)


def test_a_reader_that_pauses_holds_back_the_target(target: Target) -> None:
    leg, handler = target.leg()
    server = target.server()
    server.peer.h2.send_headers(1, OK)
    leg.pause()
    sent = 0
    while (room := min(server.peer.h2.local_flow_control_window(1), 16_384)) > 0:
        server.peer.h2.send_data(1, b"x" * room)
        sent += room
        server.turn()
        assert sent <= limits.HTTP2_WINDOW_BYTES
    assert sent == limits.HTTP2_WINDOW_BYTES
    leg.resume()
    server.turn()
    assert server.peer.h2.local_flow_control_window(1) == limits.HTTP2_WINDOW_BYTES
    assert handler.last() == ("received", b"x" * sent)


def test_a_target_without_credit_says_no_to_the_sender(target: Target) -> None:
    leg, handler = target.leg(body_bytes=-1)
    server = target.server()
    going = True
    while going:
        going = leg.send(b"y" * 10_000)
        target.network.turn()
    server.turn()  # h2 gives credit back at once.
    assert handler.last() == ("writable",)


def test_over_tls_the_scheme_says_so() -> None:
    target = Target(tls=Tls(None, b"", ("h2",)))
    target.leg()
    server = target.server()
    request = next(e for e in server.peer.events if isinstance(e, h2.events.RequestReceived))
    assert dict(request.headers)[b":scheme"] == b"https"


def test_a_connection_is_left_when_its_address_is_gone_from_the_name(target: Target) -> None:
    handlers = [target.leg()[1]]
    server = target.server()
    handlers.append(target.leg()[1])
    target.network.renamed.add(server.connection.peer.host)
    target.leg()
    assert len(target.network.dials) == 1
    finished: list[bool] = []
    for stream in (1, 3):
        finished.append(server.connection.is_finished())
        server.answer(stream)
    finished.append(server.connection.is_finished())
    assert [handler.last() for handler in handlers] == [("done", None)] * 2
    assert finished == [False, False, True]


def test_idle_connections_are_shed_and_busy_ones_stay(target: Target) -> None:
    _, handler = target.leg()
    server = target.server()
    assert target.pool.shed_idle() == 0
    server.answer(1)
    assert handler.last() == ("done", None)
    assert target.pool.shed_idle() == 1
    assert server.connection.is_finished()
    target.leg()
    assert len(target.network.dials) == 1


def test_a_connection_whose_ids_are_used_up_is_replaced(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HTTP2_STREAM_ID_LAST", 5)
    handlers = [target.leg()[1]]
    server = target.server()
    handlers += [target.leg()[1] for _ in range(2)]
    for stream in (1, 3):
        server.answer(stream)
    target.server().answer(1)
    assert [handler.last() for handler in handlers] == [("done", None)] * 3
    assert server.connection.is_finished()


@pytest.mark.parametrize("timeout", ["response_s", "idle_s"])
def test_short_timeouts_are_looked_at_often_enough(timeout: str) -> None:
    target = Target(response_s=0.2) if timeout == "response_s" else Target(idle_s=0.2)
    leg, handler = target.leg(body_bytes=0 if timeout == "response_s" else 5)
    server = target.server()
    server.turn()
    if timeout == "response_s":
        leg.finish()
    target.network.advance(0.2 * (1 + limits.POOL_SWEEP_SHARE) + 0.01)
    assert handler.last() == ("done", "target-timeout" if timeout == "response_s" else "stalled")


def test_streams_are_awaited_from_the_end_of_the_request_to_the_head_of_the_answer(
    target: Target,
) -> None:
    for _ in range(3):
        target.leg()
    asks, _ = target.leg(body_bytes=5)
    server = target.server()
    server.turn()
    assert target.pool.awaited_count() == 3
    asks.send(b"hello")
    asks.finish()
    assert target.pool.awaited_count() == 4
    for stream, end_stream in ((1, False), (3, True)):
        server.peer.h2.send_headers(stream, OK, end_stream=end_stream)
        server.turn()
    assert target.pool.awaited_count() == 2
    server.peer.h2.send_data(1, b"one", end_stream=True)
    server.turn()
    assert target.pool.awaited_count() == 2


def test_the_usual_time_is_the_first_one_and_follows_each_that_comes(target: Target) -> None:
    server: Server | None = None
    usual_s = [target.pool.usual_s]
    for number, took_s in enumerate((1.0, 2.0, 0.0, 0.5)):
        target.leg()
        server = server or target.server()
        server.turn()
        target.network.time += took_s
        server.answer(2 * number + 1, b"body" if number % 2 else b"")
        usual_s.append(target.pool.usual_s)
    assert usual_s == pytest.approx([0.0, 1.0, 1.2, 0.96, 0.868])


def test_the_time_at_a_target_begins_with_the_end_of_the_request(target: Target) -> None:
    leg, _ = target.leg(body_bytes=5)
    server = target.server()
    target.network.time += 3.0
    leg.send(b"hello")
    leg.finish()
    target.network.time += 0.5
    server.answer(1)
    assert target.pool.usual_s == 0.5


def test_an_idle_connection_is_closed_in_time_and_reset_if_its_target_does_not_close() -> None:
    target = Target(response_s=0.4)  # So that connections are looked at often.
    target.leg()
    server = target.server()
    server.answer(1)
    connection, network = server.connection, target.network
    waits = [
        (limits.HTTP2_TARGET_IDLE_S, connection.is_finished),
        (limits.LINGER_DISCARD_S, connection.is_aborted),
    ]
    for seconds, is_done in waits:
        network.advance(seconds - 0.2)
        assert not is_done()
        network.advance(0.3)
        assert is_done()


def test_while_a_connection_may_serve_who_waits_no_other_one_is_dialed(target: Target) -> None:
    handlers = [target.leg()[1]]
    server = Server(target.network)  # Its settings have not come.
    handlers += [target.leg()[1] for _ in range(3)]
    assert target.network.dials == []
    server.turn()
    assert [handler.last() for handler in handlers] == [("opened",)] * 4


def test_an_answer_that_comes_all_at_once_is_told_in_one_call(target: Target) -> None:
    server: Server | None = None
    calls: list[tuple[int, int]] = []

    def whole(head: bytes, body_bytes: int, body: bytes) -> None:
        calls.append((body_bytes, len(body)))

    for stream, length in ((1, b"5"), (3, b"")):
        _, handler = target.leg()
        handler.whole = whole  # type: ignore[assignment, method-assign]
        server = server or target.server()
        server.turn()
        fields = [*OK, (b"content-length", length)] if length else OK
        server.peer.h2.send_headers(stream, fields)
        server.peer.h2.send_data(stream, b"hello", end_stream=True)
        server.turn()
    assert calls == [(5, 5)], "of the second no length says that it is whole"


def test_a_connection_that_its_target_has_ended_takes_nothing_and_is_none_to_be_shed(
    target: Target,
) -> None:
    _, handler = target.leg()
    server = target.server()
    server.answer(1)
    assert handler.last() == ("done", None)
    server.connection.end()
    assert target.pool.shed_idle() == 0
    target.leg()
    assert len(target.network.dials) == 1


def test_a_fault_of_ours_with_one_stream_leaves_the_others_watched(target: Target) -> None:
    def fails(failure: LegFailure) -> None:
        raise LookupError("a fault of ours")

    target.leg()
    target.server(streams=1)
    broken, _ = target.leg()
    _, handler = target.leg()
    broken.connect_failed = fails  # type: ignore[method-assign]
    with pytest.raises(LookupError):
        target.network.advance(60.0)
    target.network.advance(limits.POOL_SWEEP_S)
    assert [event[0] for event in handler.events] == ["done"]
