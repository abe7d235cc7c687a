"""Each phase of an HTTP/2 client's connection, and each thing that may happen to it there."""

from collections.abc import Callable
from itertools import product

import pytest

from router.exchange.clients.http2.phases import AFTER_PHASE, Http2Phase
from router.net.ports import Loss
from tests.unit.exchange.http2_peers import raw
from tests.unit.exchange.test_http2_ingress import Site

PREFACE, SERVING, LEAVING, LAST, CLOSING, OVER = Http2Phase
PING, GOAWAY, ACK = 6, 7, 1


def site_in(phase: Http2Phase) -> Site:
    """With a request under way, if that is possible."""
    site = Site()
    if phase in (SERVING, LEAVING, LAST):
        site.ask()
    match phase:
        case Http2Phase.LEAVING | Http2Phase.CLOSING:
            site.session.drain()
        case Http2Phase.LAST:
            site.connection.deliver(raw(GOAWAY, 0, 0, bytes(8)))
        case Http2Phase.OVER:
            site.connection.lose(Loss("reset"))
        case _:
            pass
    return site


def deliver(data: bytes) -> Callable[[Site], None]:
    return lambda site: site.connection.deliver(data)


EVENTS: dict[str, Callable[[Site], None]] = {
    "drain": lambda site: site.session.drain(),
    "GOAWAY": deliver(raw(GOAWAY, 0, 0, bytes(8))),
    "pong": deliver(raw(PING, ACK, 0, bytes(8))),
    "garbage": deliver(raw(PING, 0, 1, bytes(8))),
    "end": lambda site: site.session.ended(),
    "loss": lambda site: site.connection.lose(Loss("reset")),
}
MOVES = {
    (PREFACE, "drain"): CLOSING,
    (SERVING, "drain"): LEAVING,
    (SERVING, "GOAWAY"): LAST,
    (LEAVING, "GOAWAY"): LAST,
    (LEAVING, "pong"): LAST,
    **{(PREFACE, frame): OVER for frame in ("GOAWAY", "pong", "garbage")},  # No HTTP/2 at all.
    **{(phase, "garbage"): CLOSING for phase in (SERVING, LEAVING, LAST)},
    **{(phase, "end"): CLOSING for phase in (PREFACE, SERVING, LEAVING, LAST)},
    **{(phase, "loss"): OVER for phase in Http2Phase},
}
"""Anything else leaves the phase as it is."""


@pytest.mark.parametrize(
    ("phase", "event"), [pair for pair in product(Http2Phase, EVENTS) if pair[0] is not OVER]
)
def test_each_event_in_each_phase(phase: Http2Phase, event: str) -> None:
    site = site_in(phase)
    assert site.session.phase is phase
    EVENTS[event](site)
    after = site.session.phase
    assert after is MOVES.get((phase, event), phase)
    assert after is phase or after in AFTER_PHASE[phase]


def test_a_connection_that_is_over_stays_so() -> None:
    site = site_in(OVER)
    site.session.drain()
    assert site.session.phase is OVER
    assert not AFTER_PHASE[OVER]
