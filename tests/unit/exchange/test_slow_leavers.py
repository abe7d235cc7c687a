"""Clients that take their last bytes slowly: cut only when they take none at all."""

import random

import pytest

from router.exchange.clients.ingress_http import HttpSession
from router.exchange.clients.ingress_tcp import TcpSession
from router.model import limits
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.model.settings import Timeouts
from router.service.ports import ClientLeg, LegHandler
from tests.unit.exchange.fakes_http import FakeConnection, FakeLeg, FakeTimers

KEY = ServiceKey("shop", 8080)


class Answered:
    """A client that was refused: the session has said all it has to say and closes."""

    def __init__(self, undelivered: int) -> None:
        self.timers = FakeTimers()
        self.connection = FakeConnection(self.timers)
        session = HttpSession(
            self.connection,
            key=KEY,
            site_name="west",
            open_leg=FakeLeg,
            timers=self.timers,
            rng=random.Random(1),
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


def test_a_slow_reader_gets_the_rest_for_as_long_as_it_takes_any() -> None:
    client = Answered(1_000)
    for left in range(900, 0, -100):
        assert client.after(limits.CLOSING_STALL_S - 2.5, left), left
    assert not client.after(3.0, 0)


def test_who_takes_nothing_more_is_cut() -> None:
    client = Answered(1_000)
    assert client.after(limits.CLOSING_STALL_S - 2.5, 1_000)
    assert not client.after(5.0, 1_000)


class Half:
    """A tcp connection whose target has finished."""

    def __init__(self) -> None:
        self.timers = FakeTimers()
        self.connection = FakeConnection(self.timers)
        self.legs: list[FakeLeg] = []
        self.connection.handler = TcpSession(
            self.connection,
            key=KEY,
            open_leg=self.open,
            timers=self.timers,
            over=lambda: None,
            timed_out=lambda cause: None,
            timeouts=Timeouts(half_closed_s=4.0),
        )
        self.legs[0].handler.ended()

    def open(self, request: Request, handler: LegHandler) -> ClientLeg:
        self.legs.append(FakeLeg(request, handler))
        return self.legs[-1]


@pytest.mark.parametrize("reads", [True, False])
def test_bytes_that_reach_a_tcp_client_late_count_as_movement(reads: bool) -> None:
    half = Half()
    for left in range(10_000, 0, -1_000):
        half.connection.buffered_bytes = left if reads else 10_000
        half.timers.advance(1.0)
    assert half.connection.is_aborted() is not reads
