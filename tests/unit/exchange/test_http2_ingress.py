"""An HTTP/2 client session over a connection in memory, with legs played by the test."""

from types import SimpleNamespace
from typing import cast

import h2.events
import h2.settings
import pytest
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame, HeadersFrame, PingFrame, RstStreamFrame

from router.exchange.clients.http2.own_answers import AnsweredStream
from router.exchange.clients.http2.session import Http2Session
from router.http.http2.streams import Http2Stream
from router.model import limits
from router.model.requests import Request
from router.model.settings import HalfClose, ServiceLimits, Timeouts
from router.model.specs import ServiceSpec
from router.net.ports import Loss
from router.service.ports import ClientLeg, LegFailure, LegHandler
from tests.unit.exchange.fakes_http import FakeConnection, FakeLeg, FakeTimers
from tests.unit.exchange.frontends import frontend
from tests.unit.exchange.http2_peers import GET, GRPC, PREFACE, REQUEST, H2Peer, frames_of, raw

pytestmark = pytest.mark.usefixtures("lateness")

OK = b"HTTP/1.1 200 \r\nserver: t\r\n"
NO_ERROR, PROTOCOL_ERROR, INTERNAL, REFUSED, CANCEL = 0, 1, 2, 7, 8


class Site:
    """A session, its connection, the legs it opened, and h2 as its client."""

    def __init__(
        self,
        bounds: ServiceLimits | None = None,
        *,
        half_close: HalfClose = "cancel",
        request_id: str = "",
        **timeouts: float,
    ) -> None:
        self.timers = FakeTimers()
        self.connection = FakeConnection(self.timers)
        self.legs: list[FakeLeg] = []
        self.refused: list[int] = []
        self.session = Http2Session(
            self.connection,
            frontend(
                self.timers,
                ServiceSpec(
                    ports=(),
                    timeouts=Timeouts(**timeouts),
                    limits=bounds or ServiceLimits(),
                    half_close=half_close,
                    request_id=request_id,
                ),
            ),
            open_leg=self._open,
            refused=self.refused.append,
        )
        self.connection.handler = self.session
        self.client = H2Peer(client=True)

    def _open(self, request: Request, handler: LegHandler) -> ClientLeg:
        self.legs.append(FakeLeg(request, handler))
        return self.legs[-1]

    @property
    def leg(self) -> FakeLeg:
        return self.legs[-1]

    def turn(self) -> None:
        """Let bytes go to and fro until neither end has any."""
        while True:
            sent, got = self.client.take(), b""
            if sent:
                self.connection.deliver(sent)
            got = self.connection.take()
            if got:
                self.client.hear(got)
            if not sent and not got:
                return

    def ask(self, fields: list[tuple[bytes, bytes]] = GET, end: bool = True) -> int:
        stream_id = self.client.ask(fields, end)
        self.turn()
        return stream_id

    def body(self, stream_id: int, data: bytes, end: bool = False) -> None:
        self.client.h2.send_data(stream_id, data, end_stream=end)
        self.turn()

    def said(self, stream_id: int) -> list[str]:
        self.turn()
        return self.client.said(stream_id)

    def drain(self) -> None:
        """The router leaves."""
        self.session.drain()
        self.turn()
        self.timers.turn()


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_request_is_canonical_for_the_leg_and_its_response_has_our_via(site: Site) -> None:
    stream = site.ask([*GET, (b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"te", b"trailers")])
    request = site.leg.request
    assert (request.protocol, request.body_bytes, request.idempotent) == ("http2", 0, True)
    assert request.head == (
        b"GET /a HTTP/1.1\r\nhost: shop\r\ncookie: a=1; b=2\r\n"
        b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: shop\r\n"
        b"Via: 2.0 west\r\n"
    )
    site.leg.respond(OK, b"hello")
    assert site.said(stream) == ["head 200", "data hello", "end"]
    head = site.client.events[-3]
    assert isinstance(head, h2.events.ResponseReceived)
    assert dict(head.headers)[b"via"] == b"2.0 west"
    assert dict(head.headers)[b"content-length"] == b"5"


def test_one_head_is_read_again_where_a_body_follows_it(site: Site) -> None:
    for end in (True, True, False, True, False, False):
        site.ask(REQUEST, end=end)
        assert site.leg.request.body_bytes == (0 if end else -1)


def test_our_own_answer_has_the_id_that_the_request_was_given() -> None:
    site = Site(request_id="X-Request-Id")
    site.ask()
    site.leg.handler.done(LegFailure("busy"))
    site.turn()
    head = next(e for e in site.client.events if isinstance(e, h2.events.ResponseReceived))
    request_id = dict(head.headers)[b"x-request-id"]
    assert b"\r\nX-Request-Id: %b\r\n" % request_id in site.leg.request.head


def test_streams_go_on_side_by_side(site: Site) -> None:
    one, two = site.ask(), site.ask()
    site.legs[1].respond(OK, b"two")
    assert site.said(two) == ["head 200", "data two", "end"]
    assert site.said(one) == []
    site.legs[0].respond(OK, b"one")
    assert site.said(one) == ["head 200", "data one", "end"]


def test_a_whole_response_without_a_body_is_one_frame(site: Site) -> None:
    stream = site.ask(GRPC)
    site.connection.take()
    site.leg.handler.whole(b"HTTP/1.1 200 \r\ngrpc-status: 5\r\n", 0, b"")
    (frame,) = frames_of(site.connection.take())
    assert isinstance(frame, HeadersFrame) and "END_STREAM" in frame.flags
    assert frame.stream_id == stream


def test_a_response_that_ends_with_its_head_does_so_for_the_client(site: Site) -> None:
    stream = site.ask(GRPC, end=False)
    site.leg.handler.head(b"HTTP/1.1 200 \r\ngrpc-status: 5\r\n", 0)
    assert site.said(stream) == []
    site.leg.handler.ended()
    site.leg.handler.done(None)
    site.turn()
    ends = [e for e in site.client.events if isinstance(e, h2.events.ResponseReceived)]
    assert ends[0].stream_ended is not None
    assert b"content-length" not in dict(ends[0].headers)
    assert site.said(stream) == ["head 200 grpc 5", "end", f"reset {NO_ERROR}"]


def test_both_directions_flow_and_trailers_end_them(site: Site) -> None:
    stream = site.ask(GRPC, end=False)
    site.leg.handler.head(OK, -1)
    site.body(stream, b"ping")
    site.leg.handler.received(memoryview(b"pong"))
    assert bytes(site.leg.body) == b"ping"
    assert site.said(stream) == ["head 200", "data pong"]
    site.client.h2.send_headers(stream, [(b"sum", b"1"), (b"host", b"evil")], end_stream=True)
    site.turn()
    assert (site.leg.trailers, site.leg.is_finished()) == (b"sum: 1\r\n", True)
    site.leg.handler.trailers(b"grpc-status: 0\r\n")
    site.leg.handler.ended()
    site.leg.handler.done(None)
    assert site.said(stream) == ["head 200", "data pong", "trailers grpc 0", "end"]


def test_who_is_answered_early_is_told_to_stop(site: Site) -> None:
    stream = site.ask(REQUEST, end=False)
    site.body(stream, b"some")
    site.leg.respond(b"HTTP/1.1 413 \r\n", b"too much")
    assert site.said(stream) == ["head 413", "data too much", "end", f"reset {NO_ERROR}"]


def test_interim_heads_pass(site: Site) -> None:
    stream = site.ask([*REQUEST, (b"expect", b"100-continue")], end=False)
    assert b"\r\nexpect: 100-continue\r\n" in site.leg.request.head
    site.leg.handler.head(b"HTTP/1.1 100 \r\n", -1)
    assert site.said(stream) == ["head 100"]


@pytest.mark.parametrize("status", [204, 304])
def test_a_response_without_a_body_ends_with_its_head(site: Site, status: int) -> None:
    stream = site.ask()
    site.leg.respond(b"HTTP/1.1 %d \r\n" % status, body_bytes=-1)
    assert site.said(stream) == [f"head {status}", "end"]


def test_head_keeps_its_length(site: Site) -> None:
    stream = site.ask([(b":method", b"HEAD"), *GET[1:]])
    site.leg.respond(OK, body_bytes=7)
    assert site.said(stream) == ["head 200", "end"]
    head = next(e for e in site.client.events if isinstance(e, h2.events.ResponseReceived))
    assert dict(head.headers)[b"content-length"] == b"7"


@pytest.mark.parametrize(
    ("code", "status", "grpc"),
    [
        ("all-full", 503, 14),
        ("no-route", 503, 14),
        ("target-reset", 502, 14),
        ("target-timeout", 504, 4),
        ("link-lost", 502, 14),
    ],
)
def test_our_own_errors_are_a_status_for_http_and_for_grpc(
    site: Site, code: str, status: int, grpc: int
) -> None:
    for fields, said in (
        (GET, f"head {status}"),
        (GRPC, f"head 200 grpc {grpc}"),
    ):
        stream = site.ask(fields)
        site.leg.handler.done(LegFailure(code))  # type: ignore[arg-type]
        assert (site.said(stream)[0], site.said(stream)[-1]) == (said, "end")
        head = [e for e in site.client.events if isinstance(e, h2.events.ResponseReceived)][-1]
        shown = dict(head.headers)
        assert (b"retry-after" in shown) == (code == "all-full")
        assert b"spillway-error" in shown


@pytest.mark.parametrize(
    ("fields", "waited_s", "said"),
    [
        ([*GRPC, (b"grpc-timeout", b"60m")], 0.05, "head 200 grpc 14"),
        ([*GRPC, (b"grpc-timeout", b"60m")], 0.07, "head 200 grpc 4"),
        (GRPC, 0.07, "head 200 grpc 14"),
        ([*GET, (b"grpc-timeout", b"60m")], 0.07, "head 502"),
    ],
)
def test_a_call_that_fails_after_its_own_deadline_exceeded_it(
    site: Site, fields: list[tuple[bytes, bytes]], waited_s: float, said: str
) -> None:
    stream = site.ask(fields)
    site.timers.advance(waited_s)
    site.leg.handler.done(LegFailure("target-reset"))
    assert site.said(stream)[0] == said


@pytest.mark.parametrize(("waited_s", "code"), [(0.05, INTERNAL), (0.07, CANCEL)])
def test_a_call_that_breaks_in_its_answer_after_its_own_deadline_is_cancelled(
    site: Site, waited_s: float, code: int
) -> None:
    stream = site.ask([*GRPC, (b"grpc-timeout", b"60m")])
    site.leg.handler.head(OK, -1)
    site.leg.handler.received(memoryview(b"part"))
    site.timers.advance(waited_s)
    site.leg.handler.done(LegFailure("target-reset"))
    assert site.said(stream) == ["head 200", "data part", f"reset {code}"]


NO_CREDIT: dict[h2.settings.SettingCodes | int, int] = {
    h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0
}


@pytest.mark.parametrize("is_whole", [True, False])
def test_an_answer_of_ours_that_waits_for_credit_ends_the_request_when_it_has_left(
    site: Site, is_whole: bool
) -> None:
    site.client.h2.update_settings(NO_CREDIT)
    stream = site.ask(GET if is_whole else REQUEST, end=is_whole)
    site.leg.handler.done(LegFailure("target-reset"))
    assert site.said(stream) == ["head 502"]
    site.client.h2.increment_flow_control_window(10_000, stream)
    rest = site.said(stream)[2:]
    assert rest == (["end"] if is_whole else ["end", f"reset {NO_ERROR}"])


def test_an_answer_of_ours_that_is_not_taken_is_given_up() -> None:
    site = Site(idle_s=19.3)
    site.client.h2.update_settings(NO_CREDIT)
    stream = site.ask()
    site.leg.handler.done(LegFailure("target-reset"))
    for _ in range(22):
        site.timers.advance(1.0)
        site.turn()  # It answers pings.
    assert site.said(stream) == ["head 502", f"reset {CANCEL}"]


def test_a_leg_that_breaks_after_the_head_tears_the_stream(site: Site) -> None:
    stream = site.ask()
    site.leg.handler.head(OK, 10)
    site.leg.handler.received(memoryview(b"part"))
    site.turn()
    site.leg.handler.done(LegFailure("target-reset"))
    assert site.said(stream) == ["head 200", "data part", f"reset {INTERNAL}"]


def test_what_a_leg_told_before_it_broke_is_passed_on_before_the_reset(site: Site) -> None:
    stream = site.ask()
    site.leg.handler.head(OK, 200_000)
    size = 0
    while size < 100_000:  # More than the client's window.
        site.leg.handler.received(memoryview(b"x" * 10_000))
        size += 10_000
    site.leg.handler.done(LegFailure("target-reset"))
    site.turn()  # h2 gives credit back at once.
    data = [e for e in site.client.events if isinstance(e, h2.events.DataReceived)]
    assert sum(len(event.data or b"") for event in data) == size
    assert site.said(stream)[-1] == f"reset {INTERNAL}"
    assert "end" not in site.said(stream)
    assert site.session.held_bytes == 0


def test_a_head_that_may_be_all_is_passed_on_before_the_reset(site: Site) -> None:
    stream = site.ask()
    site.leg.handler.head(OK, 0)
    site.leg.handler.done(LegFailure("target-reset"))
    assert site.said(stream) == ["head 200", f"reset {INTERNAL}"]


def test_a_client_that_does_not_read_what_was_told_before_the_break_is_given_up() -> None:
    site = Site(idle_s=20.0)
    site.client.h2.acknowledge_received_data = lambda *_: None  # type: ignore[method-assign]
    stream = site.ask()
    site.leg.handler.head(OK, -1)
    for _ in range(12):
        site.leg.handler.received(memoryview(b"x" * 10_000))
    site.leg.handler.done(LegFailure("target-reset"))
    assert not any(word.startswith("reset") for word in site.said(stream))
    for _ in range(22):
        site.timers.advance(limits.HTTP2_TICK_S)
        site.turn()  # It answers pings.
    assert site.said(stream)[-1] == f"reset {CANCEL}"
    assert site.session.held_bytes == 0


@pytest.mark.parametrize("body", [b"short", b"much too long"])
def test_a_response_of_another_length_than_declared_is_torn(site: Site, body: bytes) -> None:
    stream = site.ask()
    site.leg.respond(OK, body, body_bytes=8)
    assert site.said(stream)[-1] == f"reset {INTERNAL}"
    assert "end" not in site.said(stream)


def test_a_client_that_cancels_aborts_its_leg_alone(site: Site) -> None:
    one, two = site.ask(REQUEST, end=False), site.ask(REQUEST, end=False)
    site.client.h2.reset_stream(one, CANCEL)
    site.turn()
    assert [leg.is_aborted() for leg in site.legs] == [True, False]
    site.legs[0].handler.done(LegFailure("cancelled"))
    site.body(two, b"on", end=True)
    site.legs[1].respond(OK, b"it goes")
    assert "end" in site.said(two)


def test_a_lost_connection_aborts_every_leg(site: Site) -> None:
    site.ask(REQUEST, end=False)
    site.ask(REQUEST, end=False)
    site.connection.lose(Loss("reset"))
    assert [leg.is_aborted() for leg in site.legs] == [True, True]
    for leg in site.legs:
        leg.handler.done(LegFailure("cancelled"))
    assert site.timers.pending_timers == 0


# Flow control.


def test_a_stalled_leg_holds_back_its_stream_alone(site: Site) -> None:
    stalled, other = site.ask(REQUEST, end=False), site.ask(REQUEST, end=False)
    site.legs[0].full = True
    peer = site.client.h2
    while (room := min(peer.local_flow_control_window(stalled), 16_384)) > 0:
        site.body(stalled, b"x" * room)
        assert len(site.legs[0].body) <= limits.HTTP2_WINDOW_BYTES
    assert len(site.legs[0].body) == limits.HTTP2_WINDOW_BYTES
    for _ in range(40):
        site.body(other, b"y" * 16_384)
    assert len(site.legs[1].body) == 40 * 16_384
    site.legs[0].handler.writable()
    site.turn()
    assert peer.local_flow_control_window(stalled) == limits.HTTP2_WINDOW_BYTES


def test_a_client_without_credit_pauses_the_leg_and_is_served_when_it_has_some(
    site: Site,
) -> None:
    stream = site.ask()
    site.leg.handler.head(OK, -1)
    window = 65_535
    site.turn()
    for _ in range(20):
        site.leg.handler.received(memoryview(b"z" * 10_000))
        sent = site.connection.take()
        assert len(sent) < 2 * window
        site.client.h2.receive_data(sent)  # Without giving credit back.
    assert site.leg.is_paused()
    site.client.h2.increment_flow_control_window(200_000)
    site.client.h2.increment_flow_control_window(200_000, stream)
    site.turn()
    assert not site.leg.is_paused()


def test_streams_share_what_the_client_takes(site: Site) -> None:
    peer = site.client.h2
    site.turn()
    streams = [site.ask() for _ in range(3)]
    for leg in site.legs:
        leg.handler.head(OK, -1)
        leg.handler.received(memoryview(b"z" * 60_000))
    sent = site.connection.take()
    shares = {stream: 0 for stream in streams}
    for event in peer.receive_data(sent):
        if isinstance(event, h2.events.DataReceived) and event.stream_id:
            shares[event.stream_id] += len(event.data or b"")
    assert sum(shares.values()) == 65_535, "the connection's window"
    assert max(shares.values()) - min(shares.values()) <= limits.HTTP2_QUANTUM_BYTES


# Leaving.


def test_a_drain_tells_twice_serves_what_came_and_closes(site: Site) -> None:
    first = site.ask()
    site.session.drain()
    crossing = site.client.ask(GET)  # On its way when GOAWAY was.
    site.connection.deliver(site.client.take())
    frames = frames_of(site.connection.take())
    assert [f.last_stream_id for f in frames if isinstance(f, GoAwayFrame)] == [2**31 - 1]
    assert any(isinstance(frame, PingFrame) for frame in frames)
    assert len(site.legs) == 2
    site.timers.advance(limits.HTTP2_GOAWAY_S + 0.1)
    frames = frames_of(site.connection.take())
    assert [f.last_stream_id for f in frames if isinstance(f, GoAwayFrame)] == [crossing]
    assert not site.connection.is_finished()
    for leg in site.legs:
        leg.respond(OK, b"done")
    sent = site.connection.take()
    assert sent.count(b"done") == 2
    assert site.connection.is_finished()
    assert first != crossing


def test_a_connection_is_replaced_long_before_ids_run_out(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HTTP2_STREAM_ID_LAST", 4)
    told = []
    for _ in range(3):
        site.ask()
        told.append(bool(site.client.goaways))
    assert told == [False, False, True]
    for leg in site.legs:
        leg.respond(OK, b"ok")
    site.turn()
    assert [site.said(stream)[-1] for stream in (1, 3, 5)] == ["end"] * 3


def test_a_client_that_answers_at_once_is_told_the_last_stream_at_once(site: Site) -> None:
    stream = site.ask()
    site.session.drain()
    site.connection.take()
    site.client.hear(PingFrame(0, b"spillway").serialize())
    site.connection.deliver(site.client.take())
    frames = frames_of(site.connection.take())
    assert [f.last_stream_id for f in frames if isinstance(f, GoAwayFrame)] == [stream]


def test_the_last_answer_has_time_to_reach_a_slow_client(site: Site) -> None:
    site.ask()
    site.session.drain()
    site.connection.full = True
    site.leg.respond(OK, b"slowly")
    site.timers.advance(limits.HTTP2_GOAWAY_S + limits.LINGER_DISCARD_S + 5.0)
    assert site.connection.is_finished()
    assert not site.connection.is_aborted()
    site.timers.advance(limits.KEEP_ALIVE_IDLE_S)
    assert site.connection.is_aborted(), "but not for ever"


def test_an_idle_connection_is_told_to_leave(site: Site) -> None:
    site.turn()
    site.timers.advance(limits.KEEP_ALIVE_IDLE_S - 1)
    assert site.connection.take() == b""
    site.timers.advance(1 + limits.HTTP2_GOAWAY_S + 0.1)
    frames = frames_of(site.connection.take())
    assert [f.last_stream_id for f in frames if isinstance(f, GoAwayFrame)] == [2**31 - 1, 0]
    assert site.connection.is_finished()
    site.connection.end()
    assert site.timers.pending_timers == 0


def test_only_an_idle_connection_leaves_to_save_memory() -> None:
    answered, asked = Site(), Site()
    answered.ask()
    asked.ask()
    before = Site()
    shed = [site.session.shed_idle() for site in (before, answered, asked)]
    answered.leg.respond(OK, b"ok")
    answered.turn()
    shed += [answered.session.shed_idle() for _ in range(2)]
    answered.turn()
    assert shed == [False, False, False, True, False]
    assert answered.client.goaways and not asked.client.goaways


def test_a_client_that_leaves_gets_the_rest(site: Site) -> None:
    stream = site.ask()
    site.client.h2.close_connection()
    site.connection.deliver(site.client.take())
    site.leg.respond(OK, b"bye")
    assert b"bye" in site.connection.take()
    assert site.connection.is_finished()
    assert stream == 1


def test_a_request_right_behind_a_goaway_is_answered(site: Site) -> None:
    site.turn()
    stream = site.client.ask(GET)
    site.connection.deliver(raw(7, 0, 0, b"\x00" * 8) + site.client.take())
    site.leg.respond(OK, b"hello")
    assert site.said(stream) == ["head 200", "data hello", "end"]
    assert site.connection.is_finished()


def test_a_request_that_could_not_be_answered_is_not_begun(site: Site) -> None:
    site.turn()
    site.client.ask(GET)
    pings = raw(6, 0, 0, b"12345678") * limits.HTTP2_TURN_WORK  # The request is for a later turn.
    site.connection.deliver(raw(7, 0, 0, b"\x00" * 8) + pings + site.client.take())
    site.timers.turn()
    assert site.connection.is_finished()
    site.timers.advance(0.1)
    assert site.legs == []


@pytest.mark.parametrize("says_so", [False, True])
def test_a_client_that_sends_fin_is_gone_with_all_its_streams(site: Site, says_so: bool) -> None:
    """Whole requests were served until now; but a client that was killed sends the same."""
    site.ask()
    site.ask()
    site.ask(REQUEST, end=False)
    site.legs[1].handler.head(OK, 5)
    if says_so:
        site.client.h2.close_connection()
        site.connection.deliver(site.client.take())
        site.timers.turn()
        assert not any(leg.is_aborted() for leg in site.legs), "GOAWAY alone cancels nothing"
    site.connection.end()
    assert all(leg.is_left() for leg in site.legs)
    for leg in site.legs:
        leg.handler.done(LegFailure("client-gone"))
    site.timers.turn()
    assert site.connection.is_lost and not site.connection.is_aborted()
    assert site.timers.pending_timers == 0


def test_a_whole_answer_leaves_before_its_client_is_let_go(site: Site) -> None:
    site.ask()
    site.ask()
    site.legs[0].respond(OK, b"whole")
    site.connection.end()
    assert not site.legs[0].is_aborted() and site.legs[1].is_left()
    assert b"whole" in site.connection.take()
    assert site.connection.is_finished()


def test_a_client_that_leaves_reads_no_more_of_what_waits_for_its_credit(site: Site) -> None:
    site.ask()
    site.leg.respond(OK, b"x" * 100_000)
    site.connection.end()
    site.timers.turn()
    assert site.connection.is_lost
    assert site.timers.pending_timers == 0


def test_a_client_that_sends_fin_gets_the_answers_to_whole_requests_where_wanted() -> None:
    site = Site(half_close="serve")
    site.ask()
    site.ask(REQUEST, end=False)
    site.connection.end()
    assert [leg.is_aborted() for leg in site.legs] == [False, True]
    site.legs[1].handler.done(LegFailure("cancelled"))
    site.legs[0].respond(OK, b"whole")
    assert b"whole" in site.connection.take()
    assert site.connection.is_finished()


# Who speaks something else, or nothing.


def test_a_client_of_http_1_is_told_what_the_service_speaks(site: Site) -> None:
    site.connection.deliver(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
    answer = site.connection.take()
    assert answer.startswith(b"HTTP/1.1 505 HTTP Version Not Supported\r\n")
    assert b"\r\nSpillway-Error: version-not-supported\r\n" in answer
    assert b"\r\nConnection: close\r\n" in answer
    assert b"speaks HTTP/2" in answer
    assert site.connection.is_finished()
    assert site.refused == [505]


@pytest.mark.parametrize("cut", range(1, len(PREFACE)))
def test_the_preface_may_come_in_pieces_and_a_wrong_one_is_no_client(cut: int) -> None:
    site = Site()
    site.connection.deliver(PREFACE[:cut])
    assert site.connection.take() == b""
    site.connection.deliver(PREFACE[cut:])
    assert site.connection.take() != b""
    wrong = Site()
    wrong.connection.deliver(PREFACE[:cut])
    wrong.connection.deliver(b"\x00" + PREFACE[cut + 1 :])
    assert wrong.connection.is_finished() or wrong.connection.is_aborted()


def test_garbage_is_cut_off(site: Site) -> None:
    site.connection.deliver(b"\x16\x03\x01\x02\x00\x01\x00")
    assert site.connection.is_aborted()


def test_a_slow_preface_is_closed(site: Site) -> None:
    site.connection.deliver(PREFACE[:10])
    site.timers.advance(limits.HEADER_TIMEOUT_S + 0.1)
    assert site.connection.is_finished()


# Deadlines.


def test_settings_that_are_never_agreed_to_end_the_connection(site: Site) -> None:
    site.connection.deliver(site.client.take())
    site.timers.advance(limits.HEADER_TIMEOUT_S + limits.HTTP2_TICK_S)
    goaway = next(f for f in frames_of(site.connection.take()) if isinstance(f, GoAwayFrame))
    assert goaway.error_code == 4
    assert site.connection.is_finished()


def test_a_request_that_does_not_move_is_answered_or_reset() -> None:
    site = Site(idle_s=30.0)
    waiting, sending, torn = site.ask(GET), site.ask(GRPC, end=False), site.ask(GET)
    site.legs[2].handler.head(OK, -1)
    site.turn()
    for _ in range(14):  # It answers pings: it is not dead.
        site.timers.advance(limits.HTTP2_TICK_S)
        site.turn()
    assert site.said(waiting) == []  # An answer has its own time.
    for _ in range(12):
        site.timers.advance(limits.HTTP2_TICK_S)
        site.turn()
    assert site.said(waiting)[0] == "head 504"
    assert site.said(sending)[0] == "head 200 grpc 4"
    assert site.said(torn) == ["head 200", f"reset {CANCEL}"]
    assert all(leg.is_aborted() for leg in site.legs)


def test_a_body_below_the_floor_is_given_up_but_not_that_of_grpc(site: Site) -> None:
    slow, honest, grpc = (site.ask(head, end=False) for head in (REQUEST, REQUEST, GRPC))
    for _ in range(12):
        if not site.said(slow):
            site.body(slow, b"x" * 100)
        site.body(honest, b"x" * 1_000)
        site.timers.advance(2.0)
        site.turn()
    assert site.said(slow)[0] == "head 408"
    assert [leg.is_aborted() for leg in site.legs] == [True, False, False]
    assert (site.said(honest), site.said(grpc)) == ([], [])


def test_a_client_that_is_gone_without_a_word_is_found(site: Site) -> None:
    site.ask(GRPC, end=False)
    site.timers.advance(limits.HTTP2_PING_AFTER_S + limits.HTTP2_TICK_S)
    assert any(isinstance(f, PingFrame) for f in frames_of(site.connection.take()))
    site.timers.advance(limits.HTTP2_PING_ANSWER_S + 2 * limits.HTTP2_TICK_S)
    assert site.connection.is_aborted()


def test_a_connection_with_a_request_under_way_is_not_idle() -> None:
    site = Site(keep_alive_s=4.0)
    first = site.ask()
    site.timers.advance(4.0 + limits.HTTP2_TICK_S)
    second = site.ask()
    assert (site.client.goaways, len(site.legs)) == ([], 2)
    for leg, stream in zip(site.legs, (first, second), strict=True):
        leg.respond(OK, b"ok")
        assert site.said(stream)[-1] == "end"
    site.timers.advance(4.0 + limits.HTTP2_TICK_S)
    site.turn()
    assert site.client.goaways, "it idles"


def test_a_client_that_is_answered_by_a_head_alone_may_stop_sending(site: Site) -> None:
    """RFC 9113, 8.1: else it would send the rest of a long request in vain."""
    stream = site.ask(GRPC, end=False)
    site.leg.handler.done(LegFailure("busy"))
    assert site.said(stream) == ["head 200 grpc 14", "end", f"reset {NO_ERROR}"]


def test_a_client_that_reads_nothing_is_cut_off() -> None:
    site = Site(idle_s=20.0)
    site.ask()
    site.connection.full = True
    site.leg.handler.head(OK, -1)
    site.leg.handler.received(memoryview(b"z" * 1000))
    site.connection.take()
    site.timers.advance(20.0 + 2 * limits.HTTP2_TICK_S)
    assert site.connection.is_aborted()


@pytest.mark.parametrize("bytes_per_s", [100, 300])
def test_a_client_that_reads_slowly_is_cut_off_only_below_the_floor(bytes_per_s: int) -> None:
    """The kernel says `writable` in steps that may take longer than ``idle``, and so do pongs."""
    site = Site(idle_s=20.0)
    site.client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 2**24})
    site.client.h2.increment_flow_control_window(2**24)
    site.ask()
    site.connection.full, site.connection.kernel_bytes = True, 200_000
    site.leg.handler.head(OK, -1)
    site.leg.handler.received(memoryview(b"z" * 200_000))
    assert site.leg.is_paused()
    for _ in range(100):
        site.timers.advance(1.0)
        site.connection.kernel_bytes -= bytes_per_s
    reads_enough = bytes_per_s >= limits.BODY_BYTES_PER_S_MIN
    assert (site.connection.is_aborted(), site.leg.is_aborted()) == (not reads_enough,) * 2
    site.timers.advance(20.0 + 2 * limits.HTTP2_TICK_S)
    assert site.connection.is_aborted(), "it stopped"


@pytest.mark.parametrize("bytes_per_s", [100, 1_000])
@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "more to come"])
def test_a_client_that_gives_credit_slowly_is_cut_off_only_below_the_floor(
    bytes_per_s: int, is_whole: bool
) -> None:
    """It reads from the socket at once, and lets its windows say how slowly it takes the answer."""
    site = Site(idle_s=5.0)
    site.client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 500})
    site.client.acknowledges = False
    stream = site.ask()
    site.leg.handler.head(OK, -1)
    site.leg.handler.received(memoryview(b"z" * 66_000))
    if is_whole:
        site.leg.handler.ended()
        site.leg.handler.done(None)
    for _ in range(30):
        site.turn()
        site.timers.advance(1.0)
        if site.said(stream)[-1] != f"reset {CANCEL}":
            site.client.h2.increment_flow_control_window(bytes_per_s, stream)
    was_reset = site.said(stream)[-1] == f"reset {CANCEL}"
    assert was_reset is (bytes_per_s < limits.BODY_BYTES_PER_S_MIN)
    for _ in range(10):  # It stops.
        site.turn()
        site.timers.advance(1.0)
    assert site.said(stream)[-1] == f"reset {CANCEL}"


@pytest.mark.parametrize("bytes_per_s", [100, 1_000])
def test_what_is_on_its_way_is_taken_though_the_window_is_used_up(bytes_per_s: int) -> None:
    """The client cannot give credit for bytes that it has yet to read."""
    site = Site(idle_s=5.0)
    site.client.acknowledges = False
    stream = site.ask()
    site.leg.handler.head(OK, -1)
    site.leg.handler.received(memoryview(b"z" * 80_000))
    site.connection.kernel_bytes = 65_535
    site.connection.take()  # It reads nothing of it, as yet.
    for _ in range(30):
        site.connection.kernel_bytes -= bytes_per_s
        site.timers.advance(1.0)
    sent = frames_of(site.connection.take())
    is_reset = any(isinstance(one, RstStreamFrame) and one.stream_id == stream for one in sent)
    assert is_reset is (bytes_per_s < limits.BODY_BYTES_PER_S_MIN)
    site.connection.kernel_bytes = 0
    site.timers.advance(20.0)
    assert site.leg.is_aborted(), "it has all, and gives no credit"


def test_what_is_taken_counts_however_often_the_connection_is_full() -> None:
    site = Site(idle_s=5.0)
    site.client.acknowledges = False
    waiting, other = site.ask(), site.ask()
    for leg in site.legs:
        leg.handler.head(OK, -1)
    site.legs[0].handler.received(memoryview(b"z" * 80_000))
    site.client.h2.increment_flow_control_window(2**20)
    site.client.h2.increment_flow_control_window(2**20, other)
    site.connection.deliver(site.client.take())
    site.connection.kernel_bytes = 65_535
    site.connection.take()
    for _ in range(60):
        site.timers.advance(0.5)
        site.connection.kernel_bytes -= 500
        site.connection.full = True
        site.legs[1].handler.received(memoryview(b"y" * 5))
        site.timers.turn()
        site.connection.drain()
    sent = frames_of(site.connection.take())
    assert not any(isinstance(one, RstStreamFrame) and one.stream_id == waiting for one in sent)


def test_streams_that_share_a_slow_connection_window_are_judged_together() -> None:
    """As where the connection itself is slow: what one of them gets, the others must wait for."""
    site = Site(idle_s=5.0)
    site.client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 2**24})
    site.client.acknowledges = False
    streams = [site.ask() for _ in range(10)]
    for leg in site.legs:
        leg.handler.head(OK, -1)
        leg.handler.received(memoryview(b"z" * 20_000))
        leg.handler.ended()
        leg.handler.done(None)

    def said() -> list[str]:
        site.turn()
        return [site.said(stream)[-1] for stream in streams]

    for _ in range(400):
        site.client.h2.increment_flow_control_window(400)
        site.turn()
        site.timers.advance(1.0)
    assert said() == ["end"] * len(streams)


def test_a_leg_that_takes_no_body_is_judged_at_its_own_site_first() -> None:
    site = Site(idle_s=20.0, tunnel_s=60.0)
    stream = site.ask(REQUEST, end=False)
    site.leg.full = True
    site.body(stream, b"x" * 10_000)
    for _ in range(58):
        site.timers.advance(1.0)
        site.turn()  # It answers pings.
    assert site.said(stream) == []
    for _ in range(5):
        site.timers.advance(1.0)
        site.turn()
    assert site.said(stream)[0] == "head 504"
    assert site.leg.is_aborted()


def test_a_leg_that_takes_again_gives_the_client_all_of_its_time() -> None:
    site = Site(idle_s=20.0)
    stream = site.ask(GRPC, end=False)
    site.leg.full = True
    site.body(stream, b"x" * 10_000)
    for step in range(48):
        if step == 15:
            site.leg.full = False
            site.leg.handler.writable()
        site.timers.advance(1.0)
        site.turn()
        if step == 33:
            assert site.said(stream) == []
    assert site.said(stream)[0] == "head 200 grpc 4"


def test_answers_to_a_client_that_does_not_read_are_bounded(site: Site) -> None:
    site.ask()
    site.connection.full = True
    ping = bytes(PingFrame(0, b"12345678").serialize())
    for _ in range(6_000):
        if site.connection.is_paused():
            break
        site.timers.advance(0.02)
        site.connection.deliver(ping)
    assert site.connection.is_paused()
    sent = len(site.connection.take())
    assert limits.HTTP2_CONTROL_BYTES_MAX < sent < 2 * limits.HTTP2_CONTROL_BYTES_MAX
    site.connection.drain()
    assert not site.connection.is_paused()


def test_streams_above_the_limit_are_refused_and_the_others_go_on() -> None:
    site = Site(bounds=ServiceLimits(streams_per_connection=3))
    site.connection.deliver(site.client.take())
    streams = [site.client.ask(GET) for _ in range(5)]
    site.turn()
    assert len(site.legs) == 3
    assert [site.said(stream) for stream in streams[3:]] == [[f"reset {REFUSED}"]] * 2
    for leg in site.legs:
        leg.respond(OK, b"ok")
    assert all("end" in site.said(stream) for stream in streams[:3])
    frames = [f for f in frames_of(site.connection.take()) if isinstance(f, RstStreamFrame)]
    assert frames == []


@pytest.mark.parametrize("pieces", ["hi", "h i", "hix", "h ix", "hi x"])
def test_a_body_is_as_long_as_its_head_says(site: Site, pieces: str) -> None:
    stream = site.ask([*REQUEST, (b"content-length", b"2")], end=False)
    for piece in pieces.split():
        site.connection.deliver(raw(0, 0, stream, piece.encode()))
        site.turn()
    is_over = len(pieces.replace(" ", "")) > 2
    assert site.leg.is_aborted() == is_over
    assert site.said(stream) == ([f"reset {PROTOCOL_ERROR}"] if is_over else [])


def test_a_client_that_leaves_a_ping_unanswered_has_time_for_streams_on_their_way() -> None:
    site = Site()
    site.turn()
    site.session.drain()
    site.connection.take()
    site.timers.advance(limits.HTTP2_GOAWAY_S - 0.1)
    assert not site.connection.is_finished()
    site.timers.advance(0.2)
    assert site.connection.is_finished()


@pytest.mark.parametrize("is_complete", [True, False])
def test_our_own_answer_asks_a_client_to_stop_only_if_it_has_more_to_send(
    site: Site, is_complete: bool
) -> None:
    stream = site.ask(REQUEST, end=is_complete)
    site.leg.handler.done(LegFailure("no-route"))
    said = site.said(stream)
    assert [said[0], *said[2:]] == ["head 503", "end", *([] if is_complete else ["reset 0"])]


@pytest.mark.parametrize(("status", "goes_on"), [(200, True), (103, False)])
def test_an_answer_that_began_late_has_the_time_of_a_body_and_an_interim_one_gives_none(
    status: int, goes_on: bool
) -> None:
    site = Site(response_s=10.0, idle_s=10.0)
    site.ask()
    site.timers.advance(site.session.answer_deadline() - site.timers.now() - 1.0)
    site.leg.handler.head(b"HTTP/1.1 %d \r\n" % status, 5)
    site.timers.advance(5.0)
    assert site.leg.is_aborted() != goes_on


def test_a_client_has_its_time_to_take_our_own_answer_and_not_a_moment_more(site: Site) -> None:
    resets: list[int] = []
    stream = SimpleNamespace(reset=resets.append)
    answered = AnsweredStream(cast(Http2Stream, stream), deadline=5.0)
    answered.judge(4.9)
    assert resets == []
    answered.judge(5.0)
    assert resets == [CANCEL]
