"""Connections that are over leave nothing behind, not even for the garbage collector.

Thousands that come and go would otherwise stay until it runs, which is after many more.
"""

import gc
from collections.abc import Iterator

import pytest

from router.forward.clients import ClientConnection
from router.forward.dispatch import Dispatch
from router.forward.exchange_http import Exchange
from router.forward.http1.requests import RequestParser
from router.forward.http1.responses import ResponseParser
from router.forward.ingress_http import HttpSession
from router.forward.ingress_tcp import TcpSession
from router.forward.local import LocalLeg
from router.forward.pool import TargetConnection
from router.forward.remote import RemoteLeg
from router.forward.target_http import HttpTargetLeg
from router.forward.target_tcp import TcpTargetLeg
from router.forward.turn_writer import TurnWriter
from router.link.stream import LaneStream
from tests.simulation.storm import Storm
from tests.simulation.storm_parties import REQUESTS, SILENT, Client

PARTS = (
    ClientConnection,
    Dispatch,
    Exchange,
    HttpSession,
    HttpTargetLeg,
    LaneStream,
    LocalLeg,
    RemoteLeg,
    RequestParser,
    ResponseParser,
    TargetConnection,
    TcpSession,
    TcpTargetLeg,
    TurnWriter,
)
LEFT = ("whole", "reset", "finished")


@pytest.fixture(scope="module")
def storm() -> Iterator[Storm]:
    """Three sites, without a collector that tidies up behind them."""
    storm = Storm(1)
    gc.collect()
    gc.disable()
    yield storm
    gc.enable()


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    """One test's leavings are not the next one's."""
    yield
    gc.collect()


def alive() -> list[str]:
    """Parts of requests and connections that are still there."""
    return [type(part).__name__ for part in gc.get_objects() if isinstance(part, PARTS)]


@pytest.mark.parametrize("how", LEFT)
@pytest.mark.parametrize("kind", REQUESTS)
def test_a_connection_that_is_over_is_gone(storm: Storm, kind: str, how: str) -> None:
    for site in (storm.left, storm.middle):
        storm.numbers += 1
        client = Client(site.network, kind, storm.numbers)
        if how != "whole":
            storm.world.run(0.005)
            client.leave(politely=how == "finished")
        storm.world.run(2)
        client.leave(politely=False)
        storm.world.run(8)
    assert alive() == []


def test_a_client_that_never_asks_is_gone(storm: Storm) -> None:
    client = Client(storm.left.network, SILENT, 0)
    storm.world.run(1)
    client.leave(politely=False)
    storm.world.run(1)
    assert alive() == []
