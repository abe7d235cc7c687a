"""Connections that are over leave nothing behind, not even for the garbage collector.

Thousands that come and go would otherwise stay until it runs, which is after many more.
"""

import gc
from collections import Counter
from collections.abc import Iterator

import pytest

from router.exchange.clients.client_connection import ClientConnection
from router.exchange.clients.http1.client import HttpClient
from router.exchange.clients.http1.session import HttpSession
from router.exchange.clients.ingress_tcp import TcpSession
from router.exchange.exchange import Exchange
from router.exchange.sites.remote import RemoteLeg
from router.http.http1.requests import RequestParser
from router.http.http1.responses import ResponseParser
from router.link.frames import FrameDecoder
from router.link.sessions.link_drain import LinkDrain
from router.link.sessions.link_handshake import LinkHandshake
from router.link.sessions.link_lanes import LinkLanes
from router.link.sessions.liveness import Liveness
from router.link.sessions.renewals import Renewals
from router.link.sessions.session import LinkSession
from router.link.streams.buffers import LinkBuffers
from router.link.streams.incoming_frames import IncomingFrames
from router.link.streams.mux import LaneMux
from router.link.streams.outbox import Outbox
from router.link.streams.stream import LaneStream
from router.service.targets.answer_in_parts import AnswerInParts
from router.service.targets.target_http import HttpTarget
from router.service.targets.target_tcp import TcpTargetLeg
from router.service.turn_writer import TurnWriter
from tests.simulation.storm import Storm
from tests.simulation.storm_parties import REQUESTS, SILENT, Client

PARTS = (
    AnswerInParts,
    ClientConnection,
    Exchange,
    HttpClient,
    HttpSession,
    HttpTarget,
    LaneStream,
    RemoteLeg,
    RequestParser,
    ResponseParser,
    TcpSession,
    TcpTargetLeg,
    TurnWriter,
)
LINK_PARTS = (
    FrameDecoder,
    IncomingFrames,
    LaneMux,
    LinkBuffers,
    LinkDrain,
    LinkHandshake,
    LinkLanes,
    LinkSession,
    Liveness,
    Outbox,
    Renewals,
)
SILENCE_S = 20.0  # Both ends give the link up.
DEATHS = 3
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


@pytest.mark.parametrize("death", ["reset", "silence"])
def test_a_link_that_died_under_open_streams_is_gone_and_so_are_they(
    storm: Storm, death: str
) -> None:
    before = link_parts()
    assert set(before) == {part.__name__ for part in LINK_PARTS}
    for _ in range(DEATHS):
        clients = []
        for kind in REQUESTS:
            storm.numbers += 1
            clients.append(Client(storm.left.network, kind, storm.numbers))
        storm.world.run(0.02)
        assert any(isinstance(part, LaneStream) for part in gc.get_objects())
        die(storm, death)
        storm.world.run(30)
        for client in clients:
            client.leave(politely=False)
    storm.world.run(30)
    assert link_parts() == before
    assert alive() == []


def die(storm: Storm, death: str) -> None:
    """The link of the left site, which comes back."""
    internet, ends = storm.world.internet, (storm.left.ip, storm.middle.ip)
    if death == "reset":
        internet.reset_all(*ends)
    else:
        internet.cut(*ends)
        storm.world.run(SILENCE_S)
        internet.heal(*ends)


def link_parts() -> Counter[str]:
    """Parts of all links that are there."""
    return Counter(type(part).__name__ for part in gc.get_objects() if isinstance(part, LINK_PARTS))
