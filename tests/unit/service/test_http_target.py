"""A leg to a target over a network in memory, with the target played by the test."""

import pytest

from router.http.http1.responses import KnownResponses
from router.model import limits
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.model.settings import Timeouts
from router.net.ports import Loss
from router.service.ports import LegFailure
from router.service.targets.pool import TargetPool
from tests.unit.exchange.fakes_http import FakeConnection, FakeNetwork
from tests.unit.exchange.taken import RecordingTaker

GET = b"GET / HTTP/1.1\r\nHost: shop\r\nVia: 1.1 west\r\n"
POST = b"POST / HTTP/1.1\r\nHost: shop\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
HEAD = b"HTTP/1.1 200 OK\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"


class Target:
    """A pool, and the legs and connections over it."""

    def __init__(self, **timeouts: float) -> None:
        self.network = FakeNetwork()
        self.pool = TargetPool(
            self.network,
            "127.0.0.1",
            9001,
            via=b"1.1 east",
            known=KnownResponses(),
            timeouts=Timeouts(**timeouts),
        )

    def leg(
        self, head: bytes = GET, *, from_client: bool = True, **fields: object
    ) -> tuple[RecordingTaker, RecordingTaker]:
        """As who sends through it, and as who hears of it."""
        values = {"idempotent": head.startswith(b"GET"), "head": head, **fields}
        request = Request(key=ServiceKey("shop", 80), protocol="http", **values)  # type: ignore[arg-type]
        taker = RecordingTaker()
        idle = self.pool.take(request, taker, from_client=from_client)
        if idle is not None:
            taker.connected(idle)
        else:
            taker.dial = self.pool.dial(request, taker, from_client=from_client)
        return taker, taker

    @property
    def spoken(self) -> str:
        """The protocol that the target was last seen to speak."""
        return self.pool.answers.spoken

    def warm(self) -> FakeConnection:
        """An idle connection, used once."""
        _, handler = self.leg()
        connection = self.network.connect()
        connection.take()
        connection.deliver(OK)
        assert handler.last() == ("done", None)
        assert self.pool.idle_count == 1
        return connection


@pytest.fixture
def target() -> Target:
    return Target()


def test_a_request_and_its_response_in_order(target: Target) -> None:
    _, handler = target.leg(from_client=False)
    assert handler.events == []
    connection = target.network.connect()
    assert connection.take() == GET + b"\r\n"
    connection.deliver(OK[:20])
    connection.deliver(OK[20:])
    assert handler.events == [
        ("opened",),
        ("head", HEAD + b"Via: 1.1 east\r\n", 5),
        ("received", b"hello"),
        ("ended",),
        ("done", None),
    ]
    assert target.pool.idle_count == 1


def test_a_pooled_connection_is_used_again(target: Target) -> None:
    connection = target.warm()
    _, handler = target.leg()
    assert target.network.dials == []
    target.network.turn()
    assert connection.take() == GET + b"\r\n"
    connection.deliver(OK)
    assert handler.last() == ("done", None)
    assert target.pool.idle_count == 1


def test_a_body_shares_the_write_of_its_head(target: Target) -> None:
    connection = target.warm()
    connection.sends = 0
    leg, _ = target.leg(body_bytes=5)
    leg.send(memoryview(b"hello"))
    leg.finish()
    assert connection.take() == GET + b"Content-Length: 5\r\n\r\nhello"
    assert connection.sends == 1


def test_a_body_of_unknown_length_is_chunked_with_its_trailers(target: Target) -> None:
    leg, _ = target.leg(POST, body_bytes=-1)
    connection = target.network.connect()
    assert leg.send(b""), "nothing is no chunk: an empty one would be the last"
    leg.send(memoryview(b"hello"))
    leg.send_trailers(b"Sum: 1\r\n")
    leg.finish()
    assert connection.take() == (
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nSum: 1\r\n\r\n"
    )


def test_backpressure_of_the_target_reaches_the_sender(target: Target) -> None:
    leg, handler = target.leg(POST, body_bytes=200_000)
    connection = target.network.connect()
    connection.full = True
    assert leg.send(b"x" * 100_000) is False
    connection.drain()
    assert handler.last() == ("writable",)
    assert leg.send(b"x" * 100_000) is True


def test_pausing_the_leg_pauses_its_connection_until_it_goes_back(target: Target) -> None:
    leg, _ = target.leg()
    connection = target.network.connect()
    leg.pause()
    assert connection.is_paused()
    connection.deliver(OK)  # Bytes under way still arrive.
    assert not connection.is_paused()
    assert target.pool.idle_count == 1


@pytest.mark.parametrize(
    ("response", "kept"),
    [
        (OK, True),
        (OK + b"excess", False),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello", False),
        (b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", True),
        (b"HTTP/1.1 100 Go\r\n\r\n" + OK, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n0", False),
    ],
)
def test_a_connection_is_kept_only_after_a_clean_end(
    target: Target, response: bytes, kept: bool
) -> None:
    _, handler = target.leg()
    connection = target.network.connect()
    connection.deliver(response)
    assert handler.last() == ("done", None)
    assert target.pool.idle_count == kept
    assert (connection.is_finished() or connection.is_aborted()) != kept


def test_a_response_until_the_close_is_complete_only_after_a_clean_end(target: Target) -> None:
    _, handler = target.leg()
    connection = target.network.connect()
    connection.deliver(b"HTTP/1.1 200 OK\r\n\r\nsome")
    connection.end()
    assert handler.events[1:] == [
        ("head", HEAD, -1),
        ("received", b"some"),
        ("ended",),
        ("done", None),
    ]
    _, torn = target.leg()
    other = target.network.connect()
    other.deliver(b"HTTP/1.1 200 OK\r\n\r\nsome")
    other.lose(Loss("reset"))
    target.network.turn()
    assert torn.last() == ("done", "target-reset")
    assert ("ended",) not in torn.events


def test_an_early_response_ends_the_exchange_and_drops_the_connection(target: Target) -> None:
    leg, handler = target.leg(POST, body_bytes=10)
    connection = target.network.connect()
    leg.send(b"hello")
    connection.deliver(OK)
    assert handler.last() == ("done", None)
    assert connection.is_aborted()
    assert leg.send(b"world") is True
    leg.finish()
    leg.abort()
    target.network.turn()
    assert handler.events.count(("done", None)) == 1
    assert target.pool.open_count == 0


def test_failures_are_told_once_and_by_their_cause(target: Target) -> None:
    def fails(response: bytes, code: str, *, end: bool = False) -> None:
        _, handler = target.leg()
        connection = target.network.connect()
        if response:
            connection.deliver(response)
        if end:
            connection.end()
        target.network.turn()
        assert handler.last() == ("done", code)
        assert connection.is_aborted()
        assert [event[0] for event in handler.events].count("done") == 1

    fails(b"", "target-reset", end=True)
    fails(OK[:-1], "bad-response", end=True)
    fails(b"garbage\n", "bad-response")
    fails(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "bad-response")
    fails(SWITCH, "bad-response")
    assert target.pool.open_count == 0


TLS_ALERT = bytes.fromhex("15030100020246")


@pytest.mark.parametrize(
    ("response", "spoken"),
    [
        (TLS_ALERT, "TLS"),
        (b"", ""),
        (b"garbage\n", ""),
        (OK[:-1], "HTTP/1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1"),
    ],
)
def test_a_target_speaks_what_its_last_bad_answer_was(
    target: Target, response: bytes, spoken: str
) -> None:
    """Not what another process at its address spoke before."""
    for said in (b"\0\0\0\4\0\0\0\0\0", response):
        target.leg()
        connection = target.network.connect()
        if said:
            connection.deliver(said)
        connection.end()
        target.network.turn()
    assert target.spoken == spoken


def test_a_target_that_is_silent_speaks_nothing_known(target: Target) -> None:
    target.leg()
    target.network.connect().deliver(TLS_ALERT)
    target.network.turn()
    assert target.spoken == "TLS"
    target.leg()
    target.network.connect()
    target.network.advance(limits.RESPONSE_HEAD_TIMEOUT_S + limits.POOL_SWEEP_S)
    assert target.spoken == ""


def test_a_client_that_leaves_shows_nothing_of_its_target(target: Target) -> None:
    target.leg()
    target.network.connect().deliver(TLS_ALERT)
    target.network.turn()
    leg, _ = target.leg()
    target.network.connect()
    leg.abort()
    target.network.turn()
    assert target.spoken == "TLS"


def test_a_reused_connection_that_was_dead_takes_the_idle_ones_with_it(target: Target) -> None:
    connections = []
    for _ in range(3):
        target.leg()
        connections.append(target.network.connect())
    for connection in connections:
        connection.deliver(OK)
    assert target.pool.idle_count == 3
    _, handler = target.leg()
    connections[-1].end()  # As the target had it in mind before the request came.
    target.network.turn()
    assert handler.last() == ("done", "target-reset")
    assert target.pool.idle_count == 0
    target.leg()
    assert len(target.network.dials) == 1, "the next attempt has a fresh one"


def test_a_refused_connect_touched_nothing(target: Target) -> None:
    _, handler = target.leg()
    target.network.refuse()
    assert handler.events == [("done", "connect-failed")]


def test_a_target_that_does_not_answer_is_given_up(target: Target) -> None:
    _, handler = target.leg()
    connection = target.network.connect()
    target.network.advance(limits.RESPONSE_HEAD_TIMEOUT_S - 2)
    assert handler.events == [("opened",)]
    target.network.advance(2 + limits.POOL_SWEEP_S)
    assert handler.last() == ("done", "target-timeout")
    assert connection.is_aborted()


def test_a_target_that_stops_within_its_response_is_given_up(target: Target) -> None:
    _, handler = target.leg()
    target.network.connect().deliver(OK[:-1])
    target.network.advance(limits.STREAM_IDLE_S + 2 * limits.POOL_SWEEP_S)
    assert handler.last() == ("done", "stalled")


def test_a_client_that_reads_slowly_takes_no_time_from_its_target(target: Target) -> None:
    """How slowly it may read is judged where it is connected."""
    sender, handler = target.leg()
    connection = target.network.connect()
    connection.deliver(OK[:-2])
    sender.pause()
    target.network.advance(5 * limits.STREAM_IDLE_S)
    assert not connection.is_aborted()
    sender.resume()
    target.network.advance(limits.STREAM_IDLE_S - 1)
    assert not connection.is_aborted(), "it had to wait, and has all of its time again"
    target.network.advance(1 + 2 * limits.POOL_SWEEP_S)
    assert handler.last() == ("done", "stalled")


def test_an_answer_that_nobody_takes_is_given_up_after_the_time_of_a_tunnel(target: Target) -> None:
    """A neighbor may keep its link and never give credit."""
    sender, handler = target.leg()
    connection = target.network.connect()
    connection.deliver(OK[:-2])
    sender.pause()
    target.network.advance(limits.TUNNEL_IDLE_S - 1)
    sender.pause()
    assert not connection.is_aborted()
    target.network.advance(1 + 2 * limits.POOL_SWEEP_S)
    assert handler.last() == ("done", "stalled")
    assert connection.is_aborted() and not sender.blames_target


def test_a_target_may_take_its_request_as_slowly_as_it_likes(target: Target) -> None:
    """The kernel says `writable` in steps of MiBs, which may take longer than ``idle``."""
    sender, handler = target.leg(POST, body_bytes=200_000)
    connection = target.network.connect()
    connection.full, connection.kernel_bytes = True, 100_000
    assert sender.send(b"x" * 100_000) is False
    for _ in range(20):
        target.network.advance(limits.STREAM_IDLE_S / 2)
        connection.kernel_bytes -= 1
    assert handler.last() == ("opened",)
    connection.drain()
    assert handler.last() == ("writable",)
    target.network.advance(limits.STREAM_IDLE_S - limits.POOL_SWEEP_S)
    assert handler.last() == ("writable",), "who sends has all of the time"
    target.network.advance(2 * limits.POOL_SWEEP_S)
    assert handler.last() == ("done", "stalled")


def test_a_target_that_takes_nothing_more_is_given_up_a_quarter_late_at_most(
    target: Target,
) -> None:
    sender, handler = target.leg(POST, body_bytes=200_000)
    connection = target.network.connect()
    connection.full, connection.kernel_bytes = True, 100_000
    assert sender.send(b"x" * 100_000) is False
    connection.kernel_bytes = 60_000  # The target's own kernel took the rest at once.
    target.network.advance(limits.STREAM_IDLE_S)
    assert handler.last() == ("opened",)
    target.network.advance(limits.STREAM_IDLE_S / 4 + 5 * limits.POOL_SWEEP_S)
    assert handler.last() == ("done", "target-timeout")
    assert connection.is_aborted() and sender.blames_target


def test_a_target_that_takes_nothing_more_is_awaited_until_it_takes_some(target: Target) -> None:
    """Else no one would report a target that hangs while clients upload."""
    sender, _ = target.leg(POST, body_bytes=200_000)
    connection = target.network.connect()
    connection.full, connection.kernel_bytes = True, 100_000
    assert sender.send(b"x" * 100_000) is False
    for _ in range(20):
        assert target.pool.awaited_count() == 0
        target.network.advance(limits.STREAM_IDLE_S / 8)
        connection.kernel_bytes -= 1_000
    target.network.advance(limits.STREAM_IDLE_S / 2)
    assert target.pool.awaited_count() == 1
    connection.drain()
    assert target.pool.awaited_count() == 0, "it is its client's turn"


def test_what_a_target_did_not_take_says_nothing_of_the_next_request(target: Target) -> None:
    sender, handler = target.leg(POST, body_bytes=100_000)
    connection = target.network.connect()
    connection.full, connection.kernel_bytes = True, 100_000
    assert sender.send(b"x" * 100_000) is False
    target.network.advance(limits.STREAM_IDLE_S / 4 + limits.POOL_SWEEP_S)
    sender.finish()
    assert target.pool.awaited_count() == 1
    connection.deliver(OK)
    assert handler.last() == ("done", None) and target.pool.idle_count == 1
    target.leg(POST, body_bytes=5)
    assert target.pool.awaited_count() == 0


def test_a_target_that_loses_patience_with_a_slow_client_is_not_to_blame(target: Target) -> None:
    legs: list[RecordingTaker] = []
    for head, body_bytes in ((POST, 10), (GET, 0), (GET, 0)):
        legs.append(target.leg(head, body_bytes=body_bytes)[0])
        connection = target.network.connect()
        if len(legs) == 2:
            connection.deliver(OK[:-1])
            legs[-1].pause()
        connection.lose(Loss("reset"))
    assert [leg.blames_target for leg in legs] == [False, False, True]


def test_an_abort_leaves_the_target_and_done_still_comes(target: Target) -> None:
    leg, handler = target.leg()
    connection = target.network.connect()
    leg.abort()
    target.network.turn()
    assert connection.is_finished()
    assert handler.events == [("opened",), ("done", "cancelled")]
    assert not connection.is_aborted(), "it may close its side first"
    target.network.advance(limits.ABANDONED_S_MAX)
    assert connection.is_aborted()


def test_a_body_that_is_not_of_its_length_never_looks_whole(target: Target) -> None:
    for body, finishes in ((b"hell", True), (b"hello!", False)):
        leg, handler = target.leg(POST, body_bytes=5)
        connection = target.network.connect()
        leg.send(body)
        if finishes:
            leg.finish()
        target.network.turn()
        assert connection.is_aborted()
        assert handler.last() == ("done", "cancelled")


def test_a_tunnel_is_raw_and_ends_when_both_ends_have(target: Target) -> None:
    leg, handler = target.leg(upgrade="websocket")
    connection = target.network.connect()
    assert connection.take() == GET + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    connection.deliver(SWITCH + b"\x81\x00")
    assert handler.events[1:] == [
        ("head", b"HTTP/1.1 101 Switching Protocols\r\n", -1),
        ("received", b"\x81\x00"),
    ]
    target.network.advance(1000)
    leg.send(b"HTTP/1.1\r\n")
    assert connection.take() == b"HTTP/1.1\r\n"
    connection.end()
    assert handler.last() == ("ended",)
    leg.send(b"last")
    leg.finish()
    assert connection.take() == b"last"
    assert connection.is_finished()
    assert handler.last() == ("done", None)
    assert target.pool.open_count == 0


@pytest.mark.parametrize("part", [b"", b"half"])
def test_a_client_that_stops_sending_its_body_is_not_the_targets_fault(
    target: Target, part: bytes
) -> None:
    leg, handler = target.leg(POST, body_bytes=10)
    target.network.connect()
    leg.send(part)
    target.network.advance(limits.STREAM_IDLE_S - 1)
    assert handler.last() == ("opened",)
    target.network.advance(1 + 2 * limits.POOL_SWEEP_S)
    assert handler.last() == ("done", "stalled")
    assert not leg.blames_target


def test_a_target_that_does_not_take_the_body_is_given_up_as_one_that_does_not_answer(
    target: Target,
) -> None:
    leg, handler = target.leg(POST, body_bytes=1_000_000)
    connection = target.network.connect()
    connection.full = True
    assert not leg.send(bytes(100_000))
    target.network.advance(limits.STREAM_IDLE_S + 2 * limits.POOL_SWEEP_S)
    assert handler.last() == ("done", "target-timeout")
    assert leg.blames_target


def test_a_request_that_begins_as_a_response_in_pieces_ends_is_not_ended_with_it(
    target: Target,
) -> None:
    _, first = target.leg()
    connection = target.network.connect()
    second: list[RecordingTaker] = []

    def done(failure: LegFailure | None) -> None:
        second.append(target.leg()[1])

    first.done = done  # type: ignore[method-assign]
    connection.deliver(OK[:20])
    connection.deliver(OK[20:])
    assert second[0].events == [("opened",)], "over the same connection, and not answered yet"
    connection.deliver(OK)
    assert second[0].last() == ("done", None)


def test_who_read_slowly_says_nothing_of_the_next_request(target: Target) -> None:
    sender, handler = target.leg()
    connection = target.network.connect()
    connection.deliver(OK[:-2])
    sender.pause()
    connection.deliver(OK[-2:])
    assert handler.last() == ("done", None)
    _, handler = target.leg()
    connection.deliver(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 2")
    connection.lose(Loss("reset"))
    target.network.turn()
    assert handler.last() == ("done", "target-reset")
    assert handler.blames_target


@pytest.mark.parametrize("response", [OK, b"HTTP/1.1 204 No Content\r\n\r\n"])
def test_an_answer_that_comes_all_at_once_is_told_in_one_call(
    target: Target, response: bytes
) -> None:
    _, handler = target.leg()
    calls: list[int] = []

    def whole(head: bytes, body_bytes: int, body: bytes) -> None:
        calls.append(len(body))

    handler.whole = whole  # type: ignore[assignment, method-assign]
    target.network.connect().deliver(response)
    assert calls == [len(response) - response.index(b"\r\n\r\n") - 4]


def test_each_part_of_an_answer_gives_its_target_all_of_the_time_again(target: Target) -> None:
    _, handler = target.leg()
    connection = target.network.connect()
    parts = target.pool.answers.parts
    for byte in (OK[:-4], OK[-4:-3], OK[-3:-2]):
        connection.deliver(byte)
        target.network.advance(limits.STREAM_IDLE_S - 1)
        assert handler.last()[0] == "received"
    assert target.pool.answers.parts == parts + 3
    target.network.advance(1 + 2 * limits.POOL_SWEEP_S)
    assert handler.last() == ("done", "stalled")


@pytest.mark.parametrize(
    ("method", "may_have_body"),
    [
        (b"GET", False),
        (b"OPTIONS", False),
        (b"DELETE", False),
        (b"PROPFIND", False),
        (b"TRACE", False),
        (b"POST", True),
        (b"PUT", True),
        (b"PATCH", True),
    ],
)
def test_a_request_without_a_body_says_so_where_one_is_expected(
    target: Target, method: bytes, may_have_body: bool
) -> None:
    head = method + b" / HTTP/1.1\r\nHost: shop\r\n"
    target.leg(head)
    length = b"Content-Length: 0\r\n" if may_have_body else b""
    assert target.network.connect().take() == head + length + b"\r\n"


def test_what_a_target_has_not_got_yet_is_what_its_connection_holds(target: Target) -> None:
    taker, _ = target.leg(upgrade="websocket")
    connection = target.network.connect()
    connection.deliver(SWITCH)
    connection.kernel_bytes = 70
    assert taker.leg is not None and taker.leg.undelivered_bytes == 70


@pytest.mark.parametrize("response_s", [0.4, 60.0])
def test_a_connection_that_is_left_has_some_time_to_close(response_s: float) -> None:
    target = Target(response_s=response_s)
    target.leg()
    connection = target.network.connect()
    connection.deliver(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    assert connection.is_finished()
    target.network.advance(limits.LINGER_DISCARD_S - 0.1)
    assert not connection.is_aborted()
    target.network.advance(0.1 + 2 * limits.POOL_SWEEP_S)
    assert connection.is_aborted()


def test_once_its_request_is_whole_a_target_has_the_time_for_its_answer() -> None:
    target = Target(response_s=90.0, idle_s=10.0)
    leg, handler = target.leg(POST, body_bytes=5)
    target.network.connect()
    leg.send(b"hello")
    target.network.advance(5.0)
    leg.finish()
    target.network.advance(89.0)
    assert handler.last() == ("opened",)
    target.network.advance(1 + 2 * limits.POOL_SWEEP_S)
    assert handler.last() == ("done", "target-timeout") and handler.blames_target


def test_an_answer_to_head_has_a_length_and_no_body(target: Target) -> None:
    head = b"HEAD / HTTP/1.1\r\nHost: shop\r\n"
    _, handler = target.leg(head, head_only=True)
    connection = target.network.connect()
    connection.deliver(OK.removesuffix(b"hello"))
    assert handler.events[1:] == [("head", HEAD, 5), ("ended",), ("done", None)]
    assert target.pool.idle_count == 1, "what follows is the next answer"
    _, handler = target.leg()
    connection.deliver(OK)
    assert handler.last() == ("done", None) and ("received", b"hello") in handler.events
