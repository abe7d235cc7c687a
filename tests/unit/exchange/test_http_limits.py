"""Limits and deadlines of one service: exact, in force on both sides, and cheap while unused."""

from collections.abc import Callable

import pytest

from router.exchange.clients.http1.session import HttpSession
from router.http.http1 import canonical, render
from router.http.http1.forwarding import Forwarding
from router.http.http1.grammar import HttpError
from router.http.http1.heads import head_limits
from router.http.http1.request_heads import RequestHead, read_request_head
from router.http.http1.requests import RequestParser
from router.http.http1.responses import ResponseParser
from router.link import control
from router.link.ports import OpenRequest
from router.model import limits
from router.model.ids import RouterId, SiteId
from router.model.requests import Request
from router.model.settings import ServiceLimits, Timeouts
from router.model.specs import ServiceSpec
from router.service.ports import ClientLeg, LegHandler
from tests.unit.exchange.fakes_http import FakeConnection, FakeLeg, FakeTimers
from tests.unit.exchange.frontends import frontend
from tests.unit.http.test_http_requests import Recorder as Requests
from tests.unit.http.test_http_responses import Recorder as Responses
from tests.unit.virtual_time import FakeTimer

pytestmark = pytest.mark.usefixtures("lateness")

SMALL = ServiceLimits(
    request_line_bytes=300,
    header_field_bytes=400,
    header_block_bytes=1500,
    headers=10,
    chunk_line_bytes=40,
)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


def line(size: int) -> bytes:
    return b"GET /" + b"a" * (size - 14) + b" HTTP/1.1\r\nHost: shop\r\n\r\n"


def field(size: int) -> bytes:
    return b"Host: shop\r\nA: " + b"b" * (size - 3) + b"\r\n\r\n"


def block(size: int) -> bytes:
    """Fields of ``size`` bytes with their line ends, none above the limit on one."""
    left = size - len(b"Host: shop\r\n") - 4 * 302 - 2
    return b"Host: shop\r\n" + (b"A: " + b"b" * 297 + b"\r\n") * 4 + field(left)[12:]


def many(count: int) -> bytes:
    return b"Host: shop\r\n" + b"a: b\r\n" * (count - 1) + b"\r\n"


def chunk(size: int) -> bytes:
    return b"Host: shop\r\n" + CHUNKED + b"5;a=" + b"b" * (size - 4) + b"\r\nhello\r\n0\r\n\r\n"


def trailers(count: int) -> bytes:
    return b"Host: shop\r\n" + CHUNKED + b"0\r\n" + b"a: b\r\n" * (count - 2) + b"\r\n"


GET, POST, OK = b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n"
CASES: dict[str, tuple[Callable[[int], bytes], int, int]] = {
    "field": (field, 400, 431),
    "block": (block, 1500, 431),
    "count": (many, 10, 431),
    "chunk line": (chunk, 40, 400),
    "fields with trailers": (trailers, 10, 431),
}


def small_requests() -> Requests:
    recorder = Requests()
    recorder.parser = RequestParser(
        recorder,
        Forwarding(site_name=b"west", client=b"192.0.2.7", proto=b"http", host=b"shop:8080"),
        head_limits(SMALL),
    )
    return recorder


def small_responses() -> Responses:
    recorder = Responses()
    recorder.parser = ResponseParser(
        recorder, head_only=False, upgrade="", limits=head_limits(SMALL)
    )
    return recorder


def cuts(stream: bytes) -> list[list[bytes]]:
    return [[stream], [stream[at : at + 1] for at in range(len(stream))]]


def status_of(stream: bytes) -> int:
    statuses = set()
    for pieces in cuts(stream):
        recorder = small_requests().feed(*pieces)
        statuses.add(recorder.status)
        assert recorder.status or recorder.heads
    (status,) = statuses
    return status


@pytest.mark.parametrize("name", CASES)
def test_what_a_service_allows_its_clients_is_exact_to_the_byte(name: str) -> None:
    build, allowed, status = CASES[name]
    start = POST if "chunk" in name or "trailers" in name else GET
    assert status_of(start + build(allowed)) == 0
    assert status_of(start + build(allowed + 1)) == status


def test_the_request_line_of_a_service_is_exact_to_the_byte() -> None:
    assert status_of(line(300)) == 0
    assert status_of(line(301)) == 414


@pytest.mark.parametrize("name", CASES)
def test_the_same_holds_for_responses_of_its_targets(name: str) -> None:
    build, allowed, _ = CASES[name]
    for size, good in ((allowed, True), (allowed + 1, False)):
        for pieces in cuts(OK + build(size)):
            recorder = small_responses().feed(*pieces)
            assert (recorder.last() != ("failed",)) == good, (size, recorder.events)


# The largest allowed head fits into a frame ------------------------------------------------------

CEILING = ServiceLimits(
    request_line_bytes=limits.REQUEST_LINE_BYTES_CEILING,
    header_field_bytes=limits.HEADER_BLOCK_BYTES_CEILING,
    header_block_bytes=limits.HEADER_BLOCK_BYTES_CEILING,
    headers=limits.HEADERS_CEILING,
)
HOST = b"h" * 255 + b":65535"
LOUD = Forwarding(
    site_name=b"s" * limits.NAME_CHARS_MAX,
    client=b"f" * 45,
    proto=b"https",
    host=b"h" * limits.NAME_CHARS_MAX + b":65535",
)


def largest(minor: bytes, fields: bytes) -> bytes:
    """A head at every ceiling whose ``fields`` make us add as much as we ever do."""
    start = b"GET /" + b"a" * (limits.REQUEST_LINE_BYTES_CEILING - 14) + b" HTTP/1." + minor
    left = limits.HEADER_BLOCK_BYTES_CEILING - len(fields) - len(b"A: \r\n")
    return start + b"\r\n" + fields + b"A: " + b"b" * left + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("minor", "fields"),
    [
        (b"1", b"Host: " + HOST + b"\r\n"),
        (b"1", b"Host:" + HOST + b"\r\nVia:x\r\nX-Forwarded-For:x\r\n"),
        (b"0", b""),
        (b"1", b"Host: " + HOST + b"\r\n" + b"a:b\r\n" * (limits.HEADERS_CEILING - 2)),
    ],
    ids=["plain", "joined", "old", "many"],
)
def test_the_largest_head_that_any_service_may_allow_fits_into_one_open(
    minor: bytes, fields: bytes
) -> None:
    stream = largest(minor, fields)
    ours = head_limits(CEILING)
    verdict = read_request_head(stream, LOUD, ours)
    assert isinstance(verdict, RequestHead)
    head = verdict.head
    for _ in range(2):  # The egress, and a proxy like us in front of its target.
        head = render.with_via(head, b"1.1 " + b"t" * limits.NAME_CHARS_MAX)
    assert len(head) - len(stream) < limits.HEADERS_ADDED_BYTES_MAX
    assert head.count(b"\n") - stream.count(b"\n") <= limits.HEADERS_ADDED_MAX
    assert canonical.check_request_head(head) is not None
    payload = control.encode_open(
        OpenRequest(
            path=tuple(RouterId(f"{n:016x}") for n in range(limits.PATH_ROUTERS_MAX)),
            service="s" * 253,
            port=65_535,
            protocol="http",
            ingress=SiteId("e" * 64),
            wait_ms=2**31 - 1,
            flags=2**32 - 1,
            body_bytes=2**63 - 1,
            head=head,
            client="[" + "f" * 45 + "]:65535",
            session=2**64 - 1,
        )
    )
    assert len(payload) <= limits.FRAME_PAYLOAD_BYTES_MAX
    one_more = stream[:-4] + b"b\r\n\r\n"
    refusal = read_request_head(one_more, LOUD, ours)
    assert isinstance(refusal, HttpError)
    assert refusal.status == 431


def test_a_host_is_no_longer_than_a_name_can_be() -> None:
    """We repeat it in X-Forwarded-Host: a long one would leave no room for the head."""
    for name, good in ((b"h" * 255, True), (b"h" * 256, False), (b"[" + b"1" * 46 + b"]", False)):
        recorder = Requests().feed(GET + b"Host: " + name + b"\r\n\r\n")
        assert bool(recorder.heads) == good


# Deadlines ---------------------------------------------------------------------------------------


class CountingTimers(FakeTimers):
    """Knows how many timers were ever set."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def call_at(self, when: float, callback: Callable[[], None]) -> FakeTimer:
        self.calls += 1
        return super().call_at(when, callback)


class Site:
    """A session with the settings of a service, and the legs it opened."""

    def __init__(self, config: ServiceSpec) -> None:
        self.timers = CountingTimers()
        self.connection = FakeConnection(self.timers)
        self.legs: list[FakeLeg] = []
        self.session = HttpSession(
            self.connection,
            frontend(self.timers, config),
            open_leg=self._open,
            refused=lambda status: None,
        )
        self.connection.handler = self.session

    def _open(self, request: Request, handler: LegHandler) -> ClientLeg:
        self.legs.append(FakeLeg(request, handler))
        return self.legs[-1]

    def deliver(self, data: bytes) -> "Site":
        self.connection.deliver(data)
        self.timers.turn()
        return self

    def over_after(self, most_s: float) -> float:
        """How long it takes until the session answers, finishes or aborts."""
        began = self.timers.now()
        while self.timers.now() - began < most_s:
            self.timers.advance(0.01)
            taken = bytes(self.connection.sent)
            if taken or self.connection.is_finished() or self.connection.is_aborted():
                return self.timers.now() - began
        return most_s


REQUEST = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
BODY = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 9\r\n\r\nx"
UPGRADE = b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"


def with_timeouts(timeouts: Timeouts, queue_wait_s: float = 0.0) -> Site:
    return Site(ServiceSpec(ports=(1,), timeouts=timeouts, queue_wait_s=queue_wait_s))


def test_a_head_is_complete_within_its_time_even_after_a_long_idle() -> None:
    site = with_timeouts(Timeouts(header_s=0.5))
    site.timers.advance(33.3)
    site.deliver(b"GET /")
    assert site.over_after(20) == pytest.approx(0.5, rel=0.25)
    assert site.connection.take().startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_is_kept_for_its_time() -> None:
    site = with_timeouts(Timeouts(keep_alive_s=0.5))
    assert site.over_after(20) == pytest.approx(0.5, rel=0.25)
    again = with_timeouts(Timeouts(keep_alive_s=0.5)).deliver(REQUEST)
    again.timers.advance(3)
    again.legs[-1].respond(b"HTTP/1.1 200 OK\r\n")
    again.connection.take()
    assert again.over_after(20) == pytest.approx(0.5, rel=0.25)


def test_a_body_that_stops_is_given_its_time() -> None:
    site = with_timeouts(Timeouts(idle_s=0.5)).deliver(BODY)
    site.timers.advance(0.3)
    site.deliver(b"y")
    assert site.over_after(20) == pytest.approx(0.5, rel=0.25)
    assert site.connection.take().startswith(b"HTTP/1.1 408 ")


def test_a_response_that_stops_is_given_its_time() -> None:
    site = with_timeouts(Timeouts(idle_s=0.5)).deliver(REQUEST)
    site.legs[-1].handler.head(b"HTTP/1.1 200 OK\r\n", 9)
    site.connection.take()
    assert site.over_after(20) == pytest.approx(0.5, rel=0.25)
    assert site.connection.is_aborted()


def test_a_tunnel_may_rest_for_its_time() -> None:
    site = with_timeouts(Timeouts(tunnel_s=0.5)).deliver(UPGRADE)
    site.legs[-1].handler.head(b"HTTP/1.1 101 Switching Protocols\r\n", -1)
    site.connection.take()
    assert site.over_after(20) == pytest.approx(0.5, rel=0.25)
    assert site.connection.is_aborted()


def test_a_client_waits_for_an_answer_no_longer_than_queue_and_target_may_take() -> None:
    timeouts = Timeouts(response_s=0.5)
    site = with_timeouts(timeouts, queue_wait_s=0.25).deliver(BODY)
    site.timers.advance(2)
    site.deliver(b"12345678")
    assert site.over_after(20) == pytest.approx(0.75, rel=0.25)
    assert site.connection.take().startswith(b"HTTP/1.1 504 ")


def test_interim_responses_buy_no_time() -> None:
    site = with_timeouts(Timeouts(response_s=0.5)).deliver(REQUEST)
    for _ in range(4):
        site.timers.advance(0.1)
        site.legs[-1].handler.head(b"HTTP/1.1 102 Processing\r\n", -1)
        site.connection.take()
    assert site.over_after(20) < 0.2
    assert site.connection.take().startswith(b"HTTP/1.1 504 ")


def test_an_answer_that_may_take_longer_than_idling_is_waited_for() -> None:
    site = with_timeouts(Timeouts(response_s=900.0, idle_s=1.0)).deliver(REQUEST)
    site.timers.advance(800)
    assert not site.connection.take()


def test_a_target_that_takes_no_body_is_not_blamed_on_the_client() -> None:
    site = with_timeouts(Timeouts(idle_s=0.5, tunnel_s=3.0))
    site.deliver(b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 9\r\n\r\n")
    site.legs[-1].full = True
    site.deliver(b"xx")
    assert site.connection.is_paused()
    assert site.over_after(20) == pytest.approx(3.0, rel=0.25), "its own site judges it first"
    assert site.connection.take().startswith(b"HTTP/1.1 504 ")


def test_a_leg_that_takes_again_gives_the_client_all_of_its_time() -> None:
    site = with_timeouts(Timeouts(idle_s=1.0))
    site.deliver(b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 9\r\n\r\n")
    leg = site.legs[-1]
    leg.full = True
    site.deliver(b"xx")
    site.timers.advance(4.75)
    leg.full = False
    leg.handler.writable()
    assert site.over_after(20) == pytest.approx(1.0, rel=0.1)
    assert site.connection.take().startswith(b"HTTP/1.1 408 ")


def test_the_floor_of_a_body_can_be_taken_away_and_raised() -> None:
    for rate, good in ((0, True), (1, True), (240, False)):
        site = Site(ServiceSpec(ports=(1,), limits=ServiceLimits(body_rate_min=rate)))
        site.deliver(b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 900\r\n\r\n")
        for _ in range(60):
            site.timers.advance(1)
            site.deliver(b"xx")
        assert (site.connection.take() == b"") == good, rate


def test_a_connection_serves_as_many_requests_as_its_service_says() -> None:
    site = Site(ServiceSpec(ports=(1,), limits=ServiceLimits(requests_per_connection=3)))
    for number in (1, 2, 3):
        site.deliver(REQUEST)
        site.legs[-1].respond(b"HTTP/1.1 200 OK\r\n")
        assert (b"Connection: close" in site.connection.take()) == (number == 3)
    assert site.connection.is_finished()


@pytest.mark.parametrize("timeouts", [Timeouts(), Timeouts(keep_alive_s=0.5, idle_s=0.5)])
def test_no_timer_is_set_for_each_request(timeouts: Timeouts) -> None:
    site = with_timeouts(timeouts)
    for _ in range(1000):
        site.deliver(REQUEST)
        site.legs.pop().respond(b"HTTP/1.1 200 OK\r\n")
        site.timers.advance(0.001)
    assert site.timers.calls < 20
    assert site.timers.pending_timers == 1


def test_a_connection_that_is_gone_leaves_no_timer() -> None:
    site = with_timeouts(Timeouts(idle_s=0.5)).deliver(REQUEST)
    site.connection.abort()
    site.timers.turn()
    site.timers.advance(30)
    assert site.timers.pending_timers == 0


def test_a_short_keep_alive_takes_no_answer_from_a_slow_reader() -> None:
    """Sent bytes may still be in buffers: a reset would drop them."""
    for closing in (b"", b"Connection: close\r\n"):
        site = with_timeouts(Timeouts(keep_alive_s=0.5))
        site.deliver(REQUEST[:-2] + closing + b"\r\n")
        site.legs[-1].respond(b"HTTP/1.1 200 OK\r\n", b"x" * 60_000)
        site.timers.advance(60)
        assert site.connection.is_finished()
        assert not site.connection.is_aborted()
        site.timers.advance(limits.KEEP_ALIVE_IDLE_S)
        assert site.connection.is_aborted()


def test_a_long_keep_alive_holds_no_connection_that_was_closed() -> None:
    site = with_timeouts(Timeouts(keep_alive_s=10_000.0))
    site.deliver(REQUEST[:-2] + b"Connection: close\r\n\r\n")
    site.legs[-1].respond(b"HTTP/1.1 200 OK\r\n")
    site.timers.advance(limits.KEEP_ALIVE_IDLE_S + 1)
    assert site.connection.is_aborted()


@pytest.mark.parametrize(
    ("rate", "bytes_per_tick", "good"),
    [(240, 50, True), (240, 0, False), (1_000, 50, False), (0, 1, True)],
)
def test_a_reader_that_is_slow_but_reads_is_not_idle(
    rate: int, bytes_per_tick: int, good: bool
) -> None:
    """At least as fast as a body must come, over each time of idling."""
    spec = ServiceSpec(
        ports=(1,), timeouts=Timeouts(idle_s=0.5), limits=ServiceLimits(body_rate_min=rate)
    )
    site = Site(spec).deliver(REQUEST)
    connection = site.connection
    connection.full = True
    connection.buffered_bytes = 100_000
    site.legs[-1].handler.head(b"HTTP/1.1 200 OK\r\n", 1_000_000)
    site.legs[-1].handler.received(memoryview(b"x" * 100_000))
    for _ in range(30):
        site.timers.advance(0.1)
        connection.buffered_bytes -= bytes_per_tick
    assert connection.is_aborted() != good


EXPECTS = b"POST / HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"


def test_who_waits_for_100_waits_no_longer_than_for_an_answer() -> None:
    timeouts = Timeouts(response_s=0.5, idle_s=5.0)
    site = with_timeouts(timeouts).deliver(EXPECTS)
    assert site.over_after(20) == pytest.approx(0.5, rel=0.25)
    assert site.connection.take().startswith(b"HTTP/1.1 504 ")
    later = with_timeouts(timeouts).deliver(EXPECTS)
    later.timers.advance(0.4)
    later.legs[-1].handler.head(b"HTTP/1.1 100 Continue\r\n", -1)
    assert later.connection.take().startswith(b"HTTP/1.1 100 ")
    later.timers.advance(2)
    later.deliver(b"ok")
    assert later.connection.take() == b"", "the client was given time to send its body"
    assert later.over_after(20) == pytest.approx(0.5, rel=0.25)
