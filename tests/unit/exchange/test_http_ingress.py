"""A client session over a connection in memory, with legs played by the test."""

import pytest

from router.exchange.clients.http1.session import HttpSession
from router.model import limits
from router.model.requests import Request
from router.model.settings import HalfClose, ServiceLimits, Timeouts
from router.model.specs import ServiceSpec
from router.net.ports import Loss
from router.service.ports import ClientLeg, LegFailure, LegHandler
from tests.unit.exchange.fakes_http import FakeConnection, FakeLeg, FakeTimers
from tests.unit.exchange.frontends import frontend

GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
POST = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: %d\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\n"


class Site:
    """A session, its connection, and the legs it opened."""

    def __init__(
        self,
        half_close: HalfClose = "cancel",
        requests: int = 1_000,
        keep_alive_s: float = limits.KEEP_ALIVE_IDLE_S,
    ) -> None:
        self.timers = FakeTimers()
        self.connection = FakeConnection(self.timers)
        self.legs: list[FakeLeg] = []
        self.statuses: list[int] = []
        self.session = HttpSession(
            self.connection,
            frontend(
                self.timers,
                ServiceSpec(
                    ports=(),
                    half_close=half_close,
                    timeouts=Timeouts(keep_alive_s=keep_alive_s),
                    limits=ServiceLimits(requests_per_connection=requests),
                ),
            ),
            open_leg=self._open,
            refused=self.statuses.append,
        )
        self.session.tell_answers(self.statuses.append)
        self.connection.handler = self.session

    def _open(self, request: Request, handler: LegHandler) -> ClientLeg:
        self.legs.append(FakeLeg(request, handler))
        return self.legs[-1]

    @property
    def leg(self) -> FakeLeg:
        return self.legs[-1]

    def deliver(self, *pieces: bytes) -> "Site":
        for piece in pieces:
            self.connection.deliver(piece)
        return self

    def take(self) -> bytes:
        return self.connection.take()


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_request_is_answered_and_the_connection_lives_on(site: Site) -> None:
    site.deliver(GET)
    assert site.leg.request.body_bytes == 0  # So it is complete: no `finish` follows.
    assert site.leg.request.head.startswith(b"GET / HTTP/1.1\r\nHost: shop\r\n")
    site.leg.respond(OK, b"hello")
    assert site.take() == (b"HTTP/1.1 200 OK\r\nVia: 1.1 west\r\nContent-Length: 5\r\n\r\nhello")
    assert site.connection.sends == 1, "head and body share one send"
    site.deliver(GET)
    assert len(site.legs) == 2
    site.leg.respond(OK, b"again")
    assert site.take().endswith(b"again")
    assert site.statuses == [200, 200]
    assert not site.connection.is_finished()


def test_a_client_that_does_not_read_has_no_further_request_served(site: Site) -> None:
    site.connection.full = True
    site.deliver(GET * 3)
    site.leg.respond(OK, b"x" * 100_000)
    assert len(site.legs) == 1
    assert site.connection.is_paused()
    site.connection.drain()
    assert len(site.legs) == 2
    site.leg.respond(OK, b"y")
    assert len(site.legs) == 3


def test_a_client_that_reads_slowly_and_has_finished_gets_all(site: Site) -> None:
    site.connection.full = True
    site.deliver(GET)
    site.leg.respond(OK, b"x" * 100_000)
    site.connection.end()
    site.timers.advance(60)
    assert not site.connection.is_aborted()
    site.connection.drain()
    assert site.connection.is_finished()


def test_a_client_that_reads_when_it_was_given_up_is_closed_and_not_served(site: Site) -> None:
    site.connection.full = True
    site.deliver(GET * 2)
    site.leg.respond(OK, b"x" * 100_000)
    site.timers.advance(limits.STREAM_IDLE_S + 0.5)
    assert site.connection.is_finished()
    site.connection.drain()
    assert not site.connection.is_aborted()
    assert len(site.legs) == 1


def test_a_head_alone_leaves_at_the_turns_end(site: Site) -> None:
    site.deliver(GET)
    site.leg.handler.head(OK, -1)
    assert site.take().endswith(b"Transfer-Encoding: chunked\r\n\r\n")
    site.leg.handler.received(memoryview(b"event"))
    assert site.take() == b"5\r\nevent\r\n"
    site.leg.handler.trailers(b"Sum: 1\r\n")
    site.leg.handler.ended()
    assert site.take() == b"0\r\nSum: 1\r\n\r\n"
    site.leg.handler.done(None)
    assert site.statuses == [200]


def test_pipelined_requests_are_answered_in_order_with_a_bounded_queue(site: Site) -> None:
    site.deliver(GET * 1000)
    assert len(site.legs) == 1
    assert site.connection.is_paused()
    answers = b""
    for number in range(1000):
        assert len(site.legs) == number + 1
        site.leg.respond(OK, b"%d;" % number)
        answers += site.take()
    assert [a.split(b"\r\n\r\n")[-1] for a in answers.split(b";")[:-1]] == [
        b"%d" % number for number in range(1000)
    ]
    assert not site.connection.is_paused()
    assert site.connection.is_finished(), "a connection serves a bounded number of requests"
    assert answers.count(b"Connection: close") == 1


def test_bodies_stream_with_backpressure_both_ways(site: Site) -> None:
    site.deliver(POST % 10)
    site.leg.full = True
    site.deliver(b"hello")
    assert site.connection.is_paused()
    site.leg.full = False
    site.leg.handler.writable()
    assert not site.connection.is_paused()
    site.deliver(b"world")
    assert (bytes(site.leg.body), site.leg.is_finished()) == (b"helloworld", True)
    site.leg.handler.head(OK, 100_000)
    site.connection.full = True
    site.leg.handler.received(memoryview(b"x" * 50_000))
    assert site.leg.is_paused()
    site.connection.drain()
    assert not site.leg.is_paused()
    site.leg.handler.received(memoryview(b"y" * 50_000))
    site.leg.handler.ended()
    site.leg.handler.done(None)
    assert site.take().endswith(b"x" + b"y" * 50_000)


def test_a_chunked_request_arrives_decoded_with_its_trailers(site: Site) -> None:
    site.deliver(
        b"POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5;x=y\r\nhello\r\n0\r\nSum: 1\r\n\r\n"
    )
    assert site.leg.request.body_bytes == -1
    assert bytes(site.leg.body) == b"hello"
    assert site.leg.trailers == b"Sum: 1\r\n"
    assert site.leg.is_finished()


def test_head_gets_a_length_and_no_body(site: Site) -> None:
    site.deliver(b"HEAD / HTTP/1.1\r\nHost: shop\r\n\r\n")
    assert site.leg.request.head_only
    site.leg.respond(OK, body_bytes=5)
    assert site.take().endswith(b"Content-Length: 5\r\n\r\n")
    site.deliver(GET)
    assert len(site.legs) == 2


def test_interim_responses_are_relayed_but_not_to_old_clients(site: Site) -> None:
    site.deliver(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert b"Expect: 100-continue" in site.leg.request.head
    assert site.take() == b"", "100 comes from the target and never from us"
    site.leg.handler.head(b"HTTP/1.1 100 Continue\r\n", -1)
    assert site.take() == b"HTTP/1.1 100 Continue\r\nVia: 1.1 west\r\n\r\n"
    site.deliver(b"ok")
    site.leg.respond(OK, b"fine")
    assert b"close" not in site.take()
    old = Site().deliver(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    old.leg.handler.head(b"HTTP/1.1 103 Early Hints\r\n", -1)
    old.leg.respond(OK, b"fine")
    assert old.take() == (
        b"HTTP/1.1 200 OK\r\nVia: 1.1 west\r\nContent-Length: 4\r\n"
        b"Connection: keep-alive\r\n\r\nfine"
    )


@pytest.mark.parametrize("interim", [b"103 Early Hints", b"100 Continue"])
def test_a_client_that_was_told_to_send_its_body_and_no_other_may_ask_again(
    site: Site, interim: bytes
) -> None:
    """A client that still waits for 100 may send its body or not: the next bytes are ambiguous."""
    site.deliver(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    site.leg.handler.head(b"HTTP/1.1 %b\r\n" % interim, -1)
    site.take()
    site.leg.respond(b"HTTP/1.1 417 No\r\n", b"")
    is_told = interim.startswith(b"100")
    assert (b"Connection: close" in site.take()) != is_told
    site.deliver(b"ok", GET)
    assert len(site.legs) == 1 + is_told


@pytest.mark.parametrize("pieces", [[b"hello"], [b"he", b"llo"], [b"hell", b"o"]])
def test_no_byte_beyond_the_declared_length_reaches_a_client(
    site: Site, pieces: list[bytes]
) -> None:
    site.deliver(GET)
    site.leg.handler.head(OK, 5)
    for piece in pieces:
        site.leg.handler.received(memoryview(piece))
    site.leg.handler.received(memoryview(b"!"))
    assert site.leg.is_aborted() and site.connection.is_aborted()
    assert site.take().endswith(b"\r\n\r\nhello")


def test_an_expectation_that_is_refused_closes_since_the_body_may_or_may_not_come(
    site: Site,
) -> None:
    site.deliver(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    site.leg.respond(b"HTTP/1.1 417 No\r\n", b"")
    assert b"Connection: close" in site.take()
    assert site.connection.is_finished()
    site.deliver(b"ok", GET)
    assert len(site.legs) == 1
    assert site.statuses == [417]


def test_an_old_client_without_keep_alive_gets_unknown_lengths_until_the_close(site: Site) -> None:
    site.deliver(b"GET / HTTP/1.0\r\n\r\n")
    site.leg.respond(OK, b"hello", body_bytes=-1)
    assert site.take() == b"HTTP/1.1 200 OK\r\nVia: 1.1 west\r\nConnection: close\r\n\r\nhello"
    assert site.connection.is_finished()


@pytest.mark.parametrize("body_bytes", [11, -1])
def test_a_torn_response_is_never_passed_off_as_whole(site: Site, body_bytes: int) -> None:
    site.deliver(GET)
    site.leg.handler.head(OK, body_bytes)
    site.leg.handler.received(memoryview(b"hello"))
    site.leg.handler.done(LegFailure("link-lost"))
    assert site.connection.is_aborted()
    assert not site.connection.is_finished()
    got = site.take()
    assert b"hello" in got, "what was told before is passed on"
    assert b"0\r\n\r\n" not in got
    assert site.statuses == [200]


@pytest.mark.parametrize("body", [b"hell", b"hello!"])
def test_a_length_that_disagrees_with_the_head_is_torn(site: Site, body: bytes) -> None:
    site.deliver(GET)
    site.leg.handler.head(OK, 5)
    site.leg.handler.received(memoryview(body))
    site.leg.handler.ended()
    site.leg.handler.done(None)
    assert site.connection.is_aborted()


def test_a_failure_before_the_head_is_answered_and_the_connection_lives_on(site: Site) -> None:
    site.deliver(GET)
    site.leg.handler.done(LegFailure("connect-failed"))
    answer = site.take()
    assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert b"Spillway-Error: target-refused" in answer
    assert b"Connection: close" not in answer
    site.deliver(GET)
    assert len(site.legs) == 2
    site.leg.handler.done(LegFailure("all-full"))
    assert b"Retry-After: " in site.take()
    assert site.statuses == [502, 503]


def test_a_failure_with_the_body_unread_closes_after_the_answer(site: Site) -> None:
    site.deliver(POST % 1_000_000)
    site.leg.handler.done(LegFailure("all-full"))
    assert b"Connection: close" in site.take()
    assert site.connection.is_finished()
    site.deliver(b"x" * 1_000_000)
    site.timers.advance(limits.UNREAD_BODY_S - 0.1)
    assert not site.connection.is_aborted(), "a reset may destroy the answer"
    site.timers.advance(0.2)
    assert site.connection.is_aborted()


def test_an_early_response_that_is_the_last_lets_the_client_finish_its_body(site: Site) -> None:
    site.deliver(
        b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 999999\r\n\r\n"
    )
    site.leg.respond(b"HTTP/1.1 413 No\r\n", b"big")
    assert site.connection.is_finished()
    site.timers.advance(limits.UNREAD_BODY_S - 0.1)
    site.deliver(b"x" * 999_999)
    assert not site.connection.is_aborted()
    site.timers.advance(0.2)
    assert site.connection.is_aborted()


def test_after_our_own_error_the_connection_lingers_for_a_second(site: Site) -> None:
    site.deliver(b"garbage\n")
    assert site.take().startswith(b"HTTP/1.1 400 ")
    assert site.connection.is_finished()
    site.timers.advance(0.9)
    assert not site.connection.is_aborted()
    site.timers.advance(0.2)
    assert site.connection.is_aborted()
    assert site.statuses == [400]


def test_a_valid_request_before_garbage_is_answered_first(site: Site) -> None:
    site.deliver(GET + b"<script>\r\n\r\n")
    site.leg.respond(OK, b"hello")
    first, second = site.take().split(b"hello")
    assert first.startswith(b"HTTP/1.1 200 ")
    assert second.startswith(b"HTTP/1.1 400 ")
    assert b"script" not in second
    assert site.connection.is_finished()


def test_a_bad_chunk_within_a_request_is_answered_if_nothing_else_was(site: Site) -> None:
    start = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    site.deliver(start + b"5\r\nhello\r\nzz\r\n")
    assert site.leg.is_aborted()
    assert not site.leg.is_finished()
    assert site.take().startswith(b"HTTP/1.1 400 ")
    site.leg.handler.done(LegFailure("cancelled"))
    assert site.statuses == [400]
    answered = Site().deliver(start + b"5\r\nhello\r\n")
    answered.leg.handler.head(OK, -1)
    answered.deliver(b"zz\r\n")
    assert answered.connection.is_aborted()


def test_an_early_response_is_relayed_and_the_rest_of_the_body_drained(site: Site) -> None:
    site.deliver(POST % 10, b"hello")
    site.leg.respond(b"HTTP/1.1 413 No\r\n", b"big")
    assert site.take().endswith(b"big")
    site.deliver(b"world" + GET)
    assert len(site.legs) == 2
    assert bytes(site.legs[0].body) == b"hello"
    assert site.leg.request.head.startswith(b"GET / ")


def test_a_long_rest_behind_an_early_response_leaves_the_connection_clean(site: Site) -> None:
    site.deliver(POST % 1_000_005, b"hello")
    site.leg.respond(b"HTTP/1.1 413 No\r\n", b"big")
    site.deliver(b"x" * 999_999, b"y", GET)
    assert not site.connection.is_finished()
    assert site.leg.request.head.startswith(b"GET / ")
    assert bytes(site.legs[0].body) == b"hello"


def test_a_rest_behind_an_early_response_that_never_ends_closes(site: Site) -> None:
    site.deliver(POST % 10_000_000, b"hello")
    site.leg.respond(b"HTTP/1.1 413 No\r\n", b"big")
    site.timers.advance(limits.UNREAD_BODY_S - 0.1)
    site.deliver(b"x" * 9_000_000)
    assert not site.connection.is_finished()
    site.timers.advance(0.2)
    assert site.connection.is_finished()
    assert len(site.legs) == 1


def test_a_client_that_goes_away_aborts_its_leg(site: Site) -> None:
    site.deliver(POST % 10, b"hello")
    site.connection.lose(Loss("reset"))
    assert site.leg.is_left()
    site.leg.handler.done(LegFailure("client-gone"))
    assert site.statuses == [499]
    assert site.timers.pending_timers == 0


def test_a_client_that_we_reset_has_not_left(site: Site) -> None:
    site.deliver(GET)
    site.session.abort()
    site.timers.turn()
    assert site.leg.is_aborted() and not site.leg.is_left()
    assert site.statuses == [499]


def test_a_client_that_finishes_before_its_answer_is_gone(site: Site) -> None:
    """It was served until now; but one that gave up and closed its socket looks just the same."""
    site.deliver(GET)
    site.connection.end()
    assert site.leg.is_left()
    assert site.take() == b""
    assert site.connection.is_lost and not site.connection.is_aborted()
    site.leg.handler.done(LegFailure("client-gone"))
    assert site.statuses == [499]
    assert site.timers.pending_timers == 0


def test_an_answer_whose_client_finishes_in_it_is_torn(site: Site) -> None:
    site.deliver(GET)
    site.leg.handler.head(OK, -1)
    site.leg.handler.received(memoryview(b"part"))
    site.connection.end()
    assert site.leg.is_left() and site.connection.is_aborted()
    assert site.statuses == [200]


def test_a_client_that_finishes_behind_pipelined_requests_is_gone_with_them(site: Site) -> None:
    site.deliver(GET * 3)
    site.leg.respond(OK, b"hello")
    assert site.connection.is_paused()
    site.connection.end_unread()
    assert len(site.legs) == 2 and site.leg.is_left()
    assert site.take().endswith(b"hello"), "the first answer was whole"
    assert site.connection.is_finished() and not site.connection.is_paused()
    site.connection.end()
    assert site.connection.is_lost and len(site.legs) == 2
    assert site.statuses == [200, 499]


def test_a_client_that_finishes_while_no_target_takes_its_body_is_gone(site: Site) -> None:
    site.deliver(POST % 100_000)
    site.leg.full = True
    site.deliver(b"x" * 70_000)
    assert site.connection.is_paused()
    site.connection.end_unread()
    assert site.leg.is_left()
    site.deliver(b"x" * 30_000)
    site.connection.end()
    assert site.connection.is_lost and site.take() == b""
    assert site.statuses == [499]


def test_what_is_pipelined_behind_an_answer_that_is_not_read_ends_with_its_client(
    site: Site,
) -> None:
    site.connection.full = True
    site.deliver(GET * 2)
    site.leg.respond(OK, b"x" * 100_000)
    site.connection.end_unread()
    assert not site.connection.is_finished(), "the whole answer is still on its way"
    site.connection.drain()
    assert site.connection.is_finished() and len(site.legs) == 1
    assert site.statuses == [200]


def test_a_client_that_finishes_before_its_upgrade_is_gone(site: Site) -> None:
    site.deliver(UPGRADE)
    site.connection.end()
    assert site.leg.is_left() and not site.leg.is_finished()


def test_a_client_that_finishes_early_is_served_where_that_is_wanted() -> None:
    site = Site("serve").deliver(GET)
    site.connection.end()
    assert not site.leg.is_aborted()
    site.leg.respond(OK, b"hello")
    assert site.take().endswith(b"Connection: close\r\n\r\nhello")
    assert site.connection.is_finished()


def test_all_that_is_pipelined_before_an_end_is_served_where_that_is_wanted() -> None:
    site = Site("serve").deliver(GET * 3)
    site.connection.end_unread()
    for _ in range(2):
        site.leg.respond(OK, b"hello")
    assert len(site.legs) == 3 and not site.connection.is_paused()
    site.connection.end()
    site.leg.respond(OK, b"hello")
    assert site.take().count(b"hello") == 3
    assert site.connection.is_finished()


def test_an_end_within_a_body_is_no_request(site: Site) -> None:
    site.deliver(POST % 10, b"hello")
    site.connection.end()
    assert site.leg.is_aborted()
    assert not site.leg.is_finished()
    assert site.take().startswith(b"HTTP/1.1 400 ")


def test_an_idle_client_that_ends_is_let_go(site: Site) -> None:
    site.connection.end()
    site.timers.turn()
    assert site.connection.is_lost
    assert site.statuses == []


@pytest.mark.parametrize("piece", [b"G", b"GET / HTTP/1.1\r\nHost: s"])
def test_a_head_that_does_not_complete_in_time_is_answered_with_408(
    site: Site, piece: bytes
) -> None:
    site.timers.advance(7)
    site.deliver(piece)
    for byte in b"abcdefg":
        site.timers.advance(1)
        site.deliver(bytes((byte,)))
    assert site.take() == b""
    site.timers.advance(limits.HEADER_TIMEOUT_S - 7)
    assert site.take().startswith(b"HTTP/1.1 408 ")
    assert site.statuses == [408]


def test_an_idle_connection_is_closed_in_time(site: Site) -> None:
    site.deliver(GET)
    site.leg.respond(OK)
    site.take()
    site.timers.advance(limits.KEEP_ALIVE_IDLE_S - 1)
    assert not site.connection.is_finished()
    site.timers.advance(2)
    assert site.connection.is_finished()
    assert site.take() == b""


def test_a_body_below_the_floor_is_answered_with_408(site: Site) -> None:
    site.deliver(POST % 1000)
    for _ in range(30):
        site.timers.advance(1)
        site.deliver(b"x")
    assert site.take().startswith(b"HTTP/1.1 408 ")
    assert site.leg.is_aborted()
    fast = Site().deliver(POST % 100_000)
    for _ in range(60):
        fast.timers.advance(1)
        fast.deliver(b"x" * 300)
    assert fast.take() == b""


def test_a_client_that_waits_for_100_is_not_slow(site: Site) -> None:
    site.deliver(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    site.timers.advance(50)
    assert site.take() == b""


def test_a_client_that_never_reads_is_dropped_in_time(site: Site) -> None:
    site.deliver(GET)
    site.connection.full = True
    site.leg.handler.head(OK, 1_000_000)
    site.leg.handler.received(memoryview(b"x" * 100_000))
    assert site.leg.is_paused()
    site.timers.advance(limits.STREAM_IDLE_S + 10)
    assert site.connection.is_aborted()
    assert site.leg.is_aborted()


def test_a_tunnel_carries_both_directions_and_their_ends(site: Site) -> None:
    site.deliver(UPGRADE)
    assert site.leg.request.upgrade == "websocket"
    assert not site.leg.is_finished(), "the client's direction stays open for the tunnel"
    site.deliver(b"early")
    site.leg.handler.head(SWITCH + b"Sec-WebSocket-Accept: x\r\n", -1)
    assert site.take() == (
        SWITCH + b"Sec-WebSocket-Accept: x\r\nVia: 1.1 west\r\n"
        b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    assert bytes(site.leg.body) == b"early"
    assert not site.connection.is_paused()
    site.deliver(b"GET / HTTP/1.1\r\n")
    assert bytes(site.leg.body) == b"earlyGET / HTTP/1.1\r\n"
    site.leg.handler.received(memoryview(b"\x81\x00"))
    assert site.take() == b"\x81\x00"
    site.leg.handler.ended()
    assert site.connection.is_finished()
    assert not site.leg.is_finished()
    site.deliver(b"late")
    site.connection.end()
    assert bytes(site.leg.body).endswith(b"late")
    assert site.leg.is_finished()
    assert not site.leg.is_aborted(), "what the client sent last is still on its way"
    site.leg.handler.done(None)
    assert site.statuses == [101]


def test_a_torn_tunnel_is_reset(site: Site) -> None:
    site.deliver(UPGRADE)
    site.leg.handler.head(SWITCH, -1)
    site.leg.handler.done(LegFailure("target-reset"))
    assert site.connection.is_aborted()
    assert site.statuses == [101]


def test_an_idle_tunnel_ends_in_time(site: Site) -> None:
    site.deliver(UPGRADE)
    site.leg.handler.head(SWITCH, -1)
    site.timers.advance(limits.TUNNEL_IDLE_S - 5)
    assert not site.connection.is_aborted()
    site.deliver(b"x")
    site.timers.advance(limits.TUNNEL_IDLE_S + 20)
    assert site.connection.is_aborted()
    assert site.leg.is_aborted()


def test_an_upgrade_that_is_declined_is_an_ordinary_exchange(site: Site) -> None:
    site.deliver(UPGRADE)
    site.leg.respond(OK, b"no")
    assert site.leg.is_finished()
    assert site.take().endswith(b"no")
    site.deliver(GET)
    assert len(site.legs) == 2


def test_a_switch_that_nobody_asked_for_is_a_bad_response(site: Site) -> None:
    site.deliver(GET)
    site.leg.handler.head(SWITCH, -1)
    assert site.leg.is_aborted()
    assert site.take().startswith(b"HTTP/1.1 502 ")
    assert site.connection.is_finished()


def test_draining_lets_an_idle_client_ask_once_more_and_then_closes(site: Site) -> None:
    site.session.drain()
    site.timers.advance(limits.DRAIN_IDLE_S * 0.9)
    site.deliver(GET)
    site.timers.advance(limits.DRAIN_IDLE_S)
    assert not site.connection.is_finished()
    site.leg.respond(OK, b"hello")
    assert b"Connection: close" in site.take()
    assert site.connection.is_finished()
    idle = Site().deliver(GET)
    idle.leg.respond(OK)
    idle.session.drain()
    assert not idle.connection.is_finished()
    idle.timers.advance(limits.DRAIN_IDLE_S)
    assert idle.connection.is_finished()


def test_draining_lets_requests_finish_and_says_close_where_it_can(site: Site) -> None:
    site.deliver(GET)
    site.session.drain()
    assert not site.connection.is_finished()
    site.leg.respond(OK, b"hello")
    assert b"Connection: close" in site.take()
    assert site.connection.is_finished()
    streaming = Site().deliver(GET)
    streaming.leg.handler.head(OK, 5)
    streaming.session.drain()
    streaming.leg.handler.received(memoryview(b"hello"))
    streaming.leg.handler.ended()
    streaming.leg.handler.done(None)
    assert streaming.take().endswith(b"hello")
    assert streaming.connection.is_finished()


@pytest.mark.parametrize("when", ["before", "in between", "after", "idle"])
def test_a_drain_waits_shortly_for_a_client_that_has_its_last_answer_and_stays(when: str) -> None:
    site = Site(keep_alive_s=5.0)
    last = b"" if when == "idle" else b"Connection: close\r\n"
    if when == "before":
        site.session.drain()
    site.deliver(GET[:-2] + last + b"\r\n")
    if when == "in between":
        site.session.drain()
    site.leg.respond(OK, b"hello")
    if when in ("after", "idle"):
        site.timers.advance(1.0)
        site.session.drain()
    site.timers.advance(limits.DRAIN_IDLE_S)
    assert site.connection.is_finished()
    site.timers.advance(limits.DEPARTURE_LINGER_S - limits.DRAIN_IDLE_S - 0.1)
    assert not site.connection.is_aborted(), "it may still be reading"
    site.timers.advance(limits.DRAIN_IDLE_S + 0.2)
    assert site.connection.is_aborted()


def test_a_drain_waits_for_the_rest_of_a_body_that_was_answered_early(site: Site) -> None:
    site.session.drain()
    site.deliver(POST % 1_000_000)
    site.leg.respond(OK, b"hello")
    assert b"Connection: close" in site.take()
    site.timers.advance(limits.UNREAD_BODY_S - 0.1)
    assert not site.connection.is_aborted()


def test_no_timer_is_left_when_a_connection_is_over(site: Site) -> None:
    site.deliver(GET)
    site.leg.respond(OK)
    site.connection.end()
    site.timers.turn()
    assert site.connection.is_lost
    assert site.timers.pending_timers == 0


@pytest.mark.parametrize("over", [0, 1, 1000])
def test_behind_our_end_so_much_of_a_client_is_dropped_and_then_it_is_reset(over: int) -> None:
    """A reset at once may destroy our last answer."""
    site = Site().deliver(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
    site.leg.respond(b"HTTP/1.1 200 OK\r\n", b"bye")
    assert site.connection.is_finished()
    site.connection.deliver(bytes(limits.LINGER_DISCARD_BYTES_MAX - 1))
    assert not site.connection.is_aborted()
    site.connection.deliver(bytes(1 + over))
    assert site.connection.is_aborted() == (over > 0)
