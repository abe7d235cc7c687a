"""Each phase of a TCP client's connection, and each thing that may happen to it there."""

from collections.abc import Callable
from itertools import product

import pytest

from router.exchange.clients.tcp_phases import AFTER_TCP_PHASE, TcpPhase
from router.net.ports import Loss
from tests.unit.exchange.test_slow_leavers import Tcp

OPEN, HALF_CLOSED, GONE = TcpPhase
WAYS: dict[TcpPhase, Callable[[Tcp], object]] = {
    OPEN: lambda tcp: None,
    HALF_CLOSED: lambda tcp: tcp.connection.end(),
    GONE: lambda tcp: tcp.connection.lose(Loss("reset")),
}
EVENTS: dict[str, Callable[[Tcp], object]] = {
    "client ends": lambda tcp: tcp.connection.end(),
    "target ends": lambda tcp: tcp.legs[0].handler.ended(),
    "quiet leave": lambda tcp: tcp.session.leave(quiet=True),
    "leave": lambda tcp: tcp.session.leave(quiet=False),
    "drain": lambda tcp: tcp.session.drain(),
    "client's bytes": lambda tcp: tcp.connection.deliver(b"x"),
    "target's bytes": lambda tcp: tcp.legs[0].handler.received(memoryview(b"x")),
    "loss": lambda tcp: tcp.connection.lose(Loss("reset")),
    "clean loss": lambda tcp: tcp.connection.lose(None),
    "abort": lambda tcp: tcp.session.abort(),
    "leg is done": lambda tcp: tcp.legs[0].handler.done(None),
}
MOVES = {
    **{(OPEN, event): HALF_CLOSED for event in ("client ends", "target ends", "quiet leave")},
    (HALF_CLOSED, "target ends"): GONE,  # The client had: that is both.
    (HALF_CLOSED, "quiet leave"): GONE,
    **{(phase, event): GONE for phase in TcpPhase for event in ("loss", "clean loss", "abort")},
}
"""Anything else leaves the phase as it is."""


@pytest.mark.parametrize(("phase", "event"), list(product(TcpPhase, EVENTS)))
def test_each_event_in_each_phase(phase: TcpPhase, event: str) -> None:
    tcp = Tcp()
    WAYS[phase](tcp)
    assert tcp.session.phase is phase
    EVENTS[event](tcp)
    tcp.timers.turn()
    assert tcp.session.phase is MOVES.get((phase, event), phase)


def test_the_table_lists_what_follows_and_no_more() -> None:
    listed = {
        (before, after) for before, all_after in AFTER_TCP_PHASE.items() for after in all_after
    }
    assert listed == {
        (before, after) for (before, _), after in MOVES.items() if before is not after
    }


def test_a_target_that_ends_after_its_client_was_lost_is_not_waited_for() -> None:
    tcp = Tcp()
    tcp.connection.lose(Loss("reset"))
    tcp.legs[0].handler.ended()
    tcp.timers.advance(100.0)
    assert tcp.timed_out == []
