"""A follower sees the requests under way, also those that began before, over each protocol."""

from router.exchange.clients.observed_leg import WatchedLeg
from router.model import limits
from router.service.observers import Finished, Flow
from tests.unit.exchange.fakes import site_of
from tests.unit.exchange.http2_peers import GET
from tests.unit.exchange.test_forwarder_http2 import KEY, Shop
from tests.unit.exchange.test_forwarder_tcp import KEY as TCP
from tests.unit.exchange.test_forwarder_tcp import Two, serving
from tests.unit.exchange.test_http2_ingress import Site as Http2Site
from tests.unit.exchange.test_http_ingress import GET as GET_1
from tests.unit.exchange.test_http_ingress import OK as OK_1
from tests.unit.exchange.test_http_ingress import Site as HttpSite

MANY = limits.FLOWS_CLIENTS_MAX


class Looker:
    """A `Follower`."""

    def __init__(self) -> None:
        self.begun_all: list[Flow] = []
        self.ended_all: list[tuple[Flow, Finished]] = []

    def begun(self, flow: Flow) -> None:
        self.begun_all.append(flow)

    def ended(self, flow: Flow, finished: Finished) -> None:
        assert flow.record.outcome == "ok"
        self.ended_all.append((flow, finished))


def test_an_http_session_has_its_leg_while_a_request_is_under_way() -> None:
    site = HttpSite()
    assert site.session.legs == []
    site.deliver(GET_1)
    assert site.session.legs == [site.leg]
    site.leg.respond(OK_1, b"hello")
    assert site.session.legs == []


def test_an_http2_session_has_a_leg_for_each_stream_that_is_open() -> None:
    site = Http2Site()
    assert site.session.legs == []
    site.ask()
    site.ask()
    assert site.session.legs == site.legs
    site.legs[0].respond(b"HTTP/1.1 200 \r\n", b"hello")
    site.turn()
    assert site.session.legs == site.legs[1:]


def test_streams_that_began_before_and_after_are_seen_alike() -> None:
    shop = Shop(remote=False)
    shop.target.act = shop.target.hold
    shop.ask(GET)
    forwarder, looker = shop.a.forwarder, Looker()
    forwarder.observing.follow(looker)
    shop.ask(GET)
    (old, new) = sorted(forwarder.flows(MANY), key=lambda flow: flow.record.started_at)
    assert not isinstance(old, WatchedLeg) and isinstance(new, WatchedLeg)
    assert looker.begun_all == [new]
    for flow in (old, new):
        assert flow.request.protocol == "http2" and flow.request.head.startswith(b"GET /")
        assert flow.key == KEY and flow.target and flow.client and flow.record.outcome == ""
    assert list(forwarder.flows(0)) == []


def test_tcp_connections_are_counted_where_their_clients_are_and_told_with_their_bytes() -> None:
    world = Two(2, 2)
    clients = [world.client() for _ in range(3)]
    here, there = world.a.forwarder, world.b.forwarder
    assert dict(here.readings.under_way()) == {TCP: {site_of("a"): 2, site_of("b"): 1}}
    assert dict(there.readings.under_way()) == {}, "its target serves, for clients of another site"
    target = serving(world.target_a)[0]
    target.send(b"good evening")
    world.network.run()
    flows = list(here.flows(MANY))
    assert {(flow.bytes_in, flow.bytes_out) for flow in flows} == {(5, 12), (5, 0)}
    looker = Looker()
    here.observing.follow(looker)
    clients.append(world.client(b"and one more"))
    (new,) = looker.begun_all
    assert (new.bytes_in, new.bytes_out, new.request.protocol) == (12, 0, "tcp")
    for party in (*serving(world.target_a), *serving(world.target_b)):
        party.finish()
    for client in clients:
        client.finish()
    world.network.run()
    ((flow, finished),) = looker.ended_all
    assert flow is new and finished.bytes_in == 12
    assert dict(here.readings.under_way()) == dict(there.readings.under_way()) == {}
    assert list(here.flows(MANY)) == []
