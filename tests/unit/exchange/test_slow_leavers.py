"""Clients that take their last bytes slowly: cut only when they take none at all."""

from collections.abc import Callable

import pytest

from router.exchange.clients.http1.session import HttpSession
from router.exchange.clients.ingress_tcp import TcpSession
from router.model import limits
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.model.settings import Timeouts
from router.net.ports import Connection
from router.service.ports import ClientLeg, LegHandler
from tests.unit.exchange.fakes_http import FakeConnection, FakeLeg, FakeTimers
from tests.unit.exchange.frontends import frontend
from tests.unit.exchange.test_http2_ingress import OK, Site

pytestmark = pytest.mark.usefixtures("lateness")

KEY = ServiceKey("shop", 8080)


class Answered:
    """A client that was refused: the session has said all it has to say and closes."""

    def __init__(self, undelivered: int) -> None:
        self.timers = FakeTimers()
        self.connection = FakeConnection(self.timers)
        session = HttpSession(
            self.connection,
            frontend(self.timers),
            open_leg=FakeLeg,
            refused=lambda status: None,
        )
        self.connection.handler = session
        self.connection.buffered_bytes = undelivered
        self.connection.deliver(b"nonsense\r\n\r\n")
        assert self.connection.is_finished()

    def after(self, seconds: float, undelivered: int) -> bool:
        """Whether it is still there when so much was left all the time."""
        self.connection.buffered_bytes = undelivered
        self.timers.advance(seconds)
        return not self.connection.is_aborted()


def test_who_has_everything_is_not_waited_for_long() -> None:
    assert not Answered(0).after(limits.LINGER_DISCARD_S + 0.1, 0)


@pytest.mark.parametrize("left_bytes", [1, 2, 1_000])
def test_who_has_not_been_looked_at_before_has_time_to_take_the_rest(left_bytes: int) -> None:
    assert Answered(left_bytes).after(limits.LINGER_DISCARD_S + 0.1, left_bytes)


def test_a_slow_reader_gets_the_rest_for_as_long_as_it_takes_any() -> None:
    client = Answered(1_000)
    for left in range(900, 0, -100):
        assert client.after(limits.CLOSING_STALL_S - 2.5, left), left
    assert not client.after(3.0, 0)


def test_who_takes_nothing_more_is_cut() -> None:
    client = Answered(1_000)
    assert client.after(limits.CLOSING_STALL_S - 2.5, 1_000)
    assert not client.after(5.0, 1_000)


def test_one_that_was_behind_when_its_answer_ended_is_cut_as_soon() -> None:
    """The longer patience within an answer no longer applies: nothing follows."""
    timers = FakeTimers()
    connection, legs = FakeConnection(timers), list[FakeLeg]()

    def open_leg(request: Request, handler: LegHandler) -> ClientLeg:
        legs.append(FakeLeg(request, handler))
        return legs[-1]

    session = HttpSession(
        connection, frontend(timers), open_leg=open_leg, refused=lambda status: None
    )
    connection.handler = session
    connection.deliver(b"GET / HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n")
    connection.full, connection.buffered_bytes = True, 10_000_000
    legs[-1].respond(OK, b"x" * 100_000)
    timers.turn()
    assert connection.is_finished()
    for _ in range(int(limits.KEEP_ALIVE_IDLE_S)):
        connection.buffered_bytes -= 10_000
        timers.advance(1.0)
        assert not connection.is_aborted()
    timers.advance(limits.CLOSING_STALL_S + 2 * limits.LINGER_DISCARD_S)
    assert connection.is_aborted()


def leaving_http2() -> Site:
    """Its router leaves, and none of its last answer has reached it."""
    site = Site(keep_alive_s=4.0)
    site.ask()
    site.connection.kernel_bytes = 40_000
    site.leg.respond(OK, b"x" * 40_000)
    site.turn()
    site.drain()
    return site


def test_so_does_one_of_http2_though_its_connection_is_to_end() -> None:
    site = leaving_http2()
    assert site.connection.is_finished()
    while site.connection.kernel_bytes > 0:
        site.timers.advance(1.0)
        assert not site.connection.is_aborted()
        site.connection.kernel_bytes -= 1_000
    site.timers.advance(2 * limits.LINGER_DISCARD_S)
    assert site.connection.is_aborted(), "it has all"


def test_one_of_http2_that_takes_nothing_more_is_cut_too() -> None:
    site = leaving_http2()
    site.timers.advance(4.0 + limits.CLOSING_STALL_S + 2 * limits.LINGER_DISCARD_S)
    assert site.connection.is_aborted()


class SplicingConnection(FakeConnection):
    """Leaves the bytes that follow to the kernel, as far as it is asked to."""

    moved: Callable[[int], None] | None = None

    def splice_to(self, sink: Connection, moved: Callable[[int], None]) -> bool:
        self.moved = moved
        return True


class Tcp:
    """A tcp connection on which nothing may move for 4 s, or half of that at its end."""

    def __init__(self) -> None:
        self.timers = FakeTimers()
        self.connection = SplicingConnection(self.timers)
        self.legs: list[FakeLeg] = []
        self.timed_out: list[str] = []
        self.connection.handler = self.session = TcpSession(
            self.connection,
            key=KEY,
            open_leg=self.open,
            timers=self.timers,
            over=lambda: None,
            timed_out=self.timed_out.append,
            timeouts=Timeouts(tunnel_s=4.0, half_closed_s=2.0),
        )

    def open(self, request: Request, handler: LegHandler) -> ClientLeg:
        self.legs.append(FakeLeg(request, handler))
        return self.legs[-1]


@pytest.mark.parametrize("reads", [True, False])
def test_bytes_that_reach_a_tcp_client_late_count_as_movement(reads: bool) -> None:
    half = Tcp()
    half.legs[0].handler.ended()
    for left in range(10_000, 0, -1_000):
        half.connection.buffered_bytes = left if reads else 10_000
        half.timers.advance(0.5)
    assert half.connection.is_aborted() is not reads
    assert half.timed_out == ([] if reads else ["half-closed"])


@pytest.mark.parametrize("reads", [True, False])
def test_so_do_bytes_that_reach_its_target_late(reads: bool) -> None:
    """The kernel holds MiBs of what the client sent before it finished."""
    half = Tcp()
    half.connection.deliver(b"all of it")
    half.connection.end()
    for left in range(10_000, 0, -1_000):
        half.legs[0].undelivered_bytes = left if reads else 10_000
        half.timers.advance(0.5)
    assert half.connection.is_aborted() is not reads
    assert half.timed_out == ([] if reads else ["half-closed"])


FULL_READ = bytes(limits.READ_BYTES)


def of_client(tcp: Tcp) -> None:
    tcp.connection.deliver(b"x")


def of_target(tcp: Tcp) -> None:
    tcp.legs[0].handler.received(memoryview(b"x"))


def connected(tcp: Tcp) -> None:
    tcp.legs[0].handler.opened()


def test_a_tcp_connection_is_a_request_of_no_known_length() -> None:
    (leg,) = Tcp().legs
    assert (leg.request.protocol, leg.request.body_bytes) == ("tcp", -1)


def past_us(tcp: Tcp) -> None:
    """By the kernel, after some full reads."""
    if tcp.connection.moved is None:
        tcp.legs[0].wire = SplicingConnection(tcp.timers)
        for _ in range(limits.SPLICE_AFTER_READS):
            tcp.connection.deliver(FULL_READ)
    assert tcp.connection.moved is not None
    tcp.connection.moved(1)


@pytest.mark.parametrize("move", [of_client, of_target, past_us])
def test_whatever_moves_gives_a_tcp_connection_its_whole_time_again(
    move: Callable[[Tcp], None],
) -> None:
    tcp = Tcp()
    for _ in range(5):
        tcp.timers.advance(3.5)
        move(tcp)
    tcp.timers.advance(3.5)
    assert not tcp.connection.is_aborted()
    tcp.timers.advance(1.5)
    assert tcp.connection.is_aborted() and tcp.timed_out == ["tunnel"]


def test_a_tcp_connection_has_its_whole_time_again_once_a_target_is_held() -> None:
    tcp = Tcp()
    tcp.timers.advance(3.5)
    connected(tcp)
    tcp.timers.advance(3.5)
    assert not tcp.connection.is_aborted()
    tcp.timers.advance(1.5)
    assert tcp.connection.is_aborted() and tcp.timed_out == ["tunnel"]


@pytest.mark.parametrize(
    ("move", "bytes_in", "bytes_out"),
    [
        (of_client, 1, 0),
        (of_target, 0, 1),
        (connected, 0, 0),
        (past_us, limits.SPLICE_AFTER_READS * limits.READ_BYTES + 1, 0),
    ],
)
def test_bytes_of_a_tcp_connection_are_counted_by_direction(
    move: Callable[[Tcp], None], bytes_in: int, bytes_out: int
) -> None:
    tcp = Tcp()
    move(tcp)
    assert (tcp.session.bytes_in, tcp.session.bytes_out) == (bytes_in, bytes_out)
