"""What befalls a link while its successor, with newer certificates, is on its way.

Each test is run at each stage: before the next session is dialed, while it is dialed, up, or
joined, and after it took over.
"""

import pytest

from router.model import limits
from router.model.errors import HandshakeRejected
from router.net.ports import Proxy, Tls
from tests.unit.link.lanes import Recorder
from tests.unit.link.routers import Router, linked, live_wires
from tests.unit.link.test_draining import delete, serve_out, states
from tests.unit.link.test_renewal import renew_leaf
from tests.unit.link.wire import World

STAGES = range(16)
"""Turns since newer certificates were there; by the last the next session has taken over."""


def succeeding(stage: int) -> tuple[World, Router, Router, Recorder]:
    """A link with a stream that west opened, ``stage`` turns into its succession."""
    world = World()
    west, east = linked(world)
    handler = west.open(east)
    world.settle()
    renew_leaf(west, b"newer leaf of west")
    for _ in range(stage):
        world.turn()
    return world, west, east, handler


def serve_all(world: World, *sites: Router) -> None:
    for site in sites:
        for recorder, (stream, _) in zip(site.owner.recorders, site.owner.offered, strict=True):
            if not recorder.losses:
                serve_out(stream)
    world.advance(limits.LANE_LINGER_S)


def test_the_stages_reach_from_a_link_that_is_up_to_one_that_was_succeeded() -> None:
    wires = [len(live_wires(succeeding(stage)[0])) for stage in STAGES]
    assert wires[0] == 2 and wires[-1] == 4 and 3 in wires


@pytest.mark.parametrize("stage", STAGES)
def test_the_listing_shows_one_link_that_is_up_and_counts_its_bytes_on(stage: int) -> None:
    _, west, _, _ = before = succeeding(stage)
    world = before[0]
    seen = 0
    for _ in range(20):
        (line,) = west.links.status()
        assert (line.state, line.error, line.lanes, line.endpoint) == ("up", "", 1, "east:1")
        assert (line.streams, line.bytes_in >= seen) == (1, True)
        seen = line.bytes_in
        world.turn()


def test_both_ends_say_that_the_link_is_up_since_before_it_was_succeeded() -> None:
    world = World()
    west, east = linked(world)
    began = [site.links.status()[0].since for site in (west, east)]
    for leaf in (b"newer leaf of west", b"newest leaf of west"):
        world.advance(3_600.0)
        renew_leaf(west, leaf)
        world.settle()
        world.advance(limits.LANE_LINGER_S)
    assert [[one.since for one in site.links.status()] for site in (west, east)] == [
        [since] for since in began
    ]
    told = [event[0] for site in (west, east) for event in site.owner.events]
    assert not {"further up", "further down"} & {*told}, "it is one link all the time"


@pytest.mark.parametrize("stage", STAGES)
def test_a_link_deleted_meanwhile_leaves_nothing_behind(stage: int) -> None:
    world, west, east, handler = succeeding(stage)
    delete(west, "to-east")
    world.settle()
    assert states(west) == [("to-east", "draining", 1)]
    assert west.links.adjacent == east.links.adjacent == {}
    serve_all(world, east)
    assert handler.stream is not None
    handler.stream.finish()
    world.advance(limits.LANE_LINGER_S)
    assert handler.losses == [None]
    assert live_wires(world) == [] and states(west) == states(east) == []
    world.dials.clear()
    world.advance(2 * limits.SUCCEED_RETRY_MAX_S)
    assert world.dials == []


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("how", ["made again", "another proxy"])
def test_a_link_led_elsewhere_meanwhile_is_up_anew_and_keeps_its_streams(
    stage: int, how: str
) -> None:
    world, west, east, handler = succeeding(stage)
    if how == "made again":
        delete(west, "to-east")
        via = None
        west.link("east")
    else:
        via = Proxy(host="proxy", port=3128)
        west.link("east", via=via)
    world.settle()
    world.vias.clear()
    fresh = west.open(east)
    world.settle()
    assert fresh.names == handler.names == ["accepted"]
    assert states(west) == [("to-east", "draining", 1), ("to-east", "up", 1)] or states(west) == [
        ("to-east", "up", 1),
        ("to-east", "draining", 1),
    ]
    assert {line.name for line in east.links.status()} == {"west"}
    for one in (handler, fresh):
        assert one.stream is not None
        one.stream.finish()
    serve_all(world, east)
    assert handler.losses == fresh.losses == [None]
    assert [line.via for line in west.links.status()] == ["" if via is None else str(via)]
    assert len(live_wires(world)) == 2 and states(west) == [("to-east", "up", 0)]
    world.dials.clear()
    world.advance(2 * limits.SUCCEED_RETRY_MAX_S)
    assert world.dials == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_cost_changed_meanwhile_counts_at_both_ends(stage: int) -> None:
    world, west, east, _ = succeeding(stage)
    west.link("east", cost=7)
    world.settle()
    assert west.links.adjacent == {east.id: 7}
    assert east.links.adjacent == {west.id: 7}
    assert {line.cost for line in west.links.status()} == {7}


@pytest.mark.parametrize("stage", range(10))
def test_a_cost_changed_while_a_link_comes_up_counts_at_both_ends(stage: int) -> None:
    world = World()
    west, east = Router(world, "west"), Router(world, "east")
    west.link("east")
    for _ in range(stage):
        world.turn()
    west.link("east", cost=7)
    world.settle()
    assert west.links.adjacent == {east.id: 7}
    assert east.links.adjacent == {west.id: 7}


@pytest.mark.parametrize("stage", STAGES)
def test_a_dialer_revoked_meanwhile_keeps_no_lane_and_comes_back_when_it_may(stage: int) -> None:
    world, west, east, handler = succeeding(stage)
    east.owner.rejection = HandshakeRejected("revoked", "go")
    east.links.drop(west.identity.site, "revoked")
    world.settle()
    assert handler.losses == ["link-lost"]
    assert live_wires(world) == [] or all(wire.right.has_finished for wire in live_wires(world))
    assert west.links.adjacent == east.links.adjacent == {}
    world.advance(60.0)
    assert states(east) == [] and states(west)[0][1] != "up"
    east.owner.rejection = None
    world.advance(limits.RECONNECT_MAX_S + 1.0)
    assert states(west) == [("to-east", "up", 0)]
    world.advance(limits.SUCCEED_RETRY_MAX_S)
    assert len(live_wires(world)) == 2


@pytest.mark.parametrize("stage", STAGES)
def test_an_acceptor_revoked_meanwhile_keeps_no_lane(stage: int) -> None:
    world, west, east, handler = succeeding(stage)
    west.owner.rejection = HandshakeRejected("revoked", "go")
    west.links.drop(east.identity.site, "revoked")
    world.settle()
    assert handler.losses == ["link-lost"]
    assert west.links.adjacent == east.links.adjacent == {}
    assert all(wire.left.has_finished for wire in live_wires(world))


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("who", ["dialer", "acceptor"])
def test_who_stops_meanwhile_is_opened_nothing_at_and_its_links_come_to_an_end(
    stage: int, who: str
) -> None:
    world, west, east, handler = succeeding(stage)
    stops, stays = (west, east) if who == "dialer" else (east, west)
    stops.links.drain()
    world.settle()
    assert stays.links.open_stream(stays.request(stops), Recorder()) is None
    world.advance(5.0)
    assert stays.links.open_stream(stays.request(stops), Recorder()) is None
    assert handler.names == ["accepted"]
    done: list[bool] = []
    stops.links.finish(lambda: done.append(True))
    world.settle()
    assert done == [] and handler.losses == []
    assert handler.stream is not None
    handler.stream.finish()
    serve_all(world, east)
    assert handler.losses == [None] and done == [True]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("lane", ["control", "data"])
def test_a_lane_lost_meanwhile_leaves_one_link_that_is_up(stage: int, lane: str) -> None:
    world, west, east, _ = succeeding(stage)
    world.wires[0 if lane == "control" else 1].break_()
    world.advance(limits.RECONNECT_MIN_S * 2 + limits.LANE_LINGER_S)
    assert [state for _, state, _ in states(west)] == ["up"]
    fresh = west.open(east)
    world.settle()
    assert fresh.names == ["accepted"]
    assert fresh.stream is not None
    fresh.stream.finish()
    serve_all(world, east)
    world.advance(limits.SUCCEED_RETRY_MAX_S)
    newest = [wire for wire in live_wires(world) if wire.right.peer_certificate[:5] == b"newer"]
    assert len(newest) == len(live_wires(world)) or lane == "data"
    assert [state for _, state, _ in states(east)].count("up") == 1


@pytest.mark.parametrize("stage", STAGES)
def test_certificates_renewed_twice_end_with_the_newest(stage: int) -> None:
    world, west, _, handler = succeeding(stage)
    renew_leaf(west, b"newest leaf of west")
    world.advance(limits.SUCCEED_RETRY_MAX_S)
    shown = [wire.right.peer_certificate for wire in live_wires(world)]
    assert shown.count(b"newest leaf of west") == 2
    assert handler.losses == []


def test_a_deleted_link_takes_those_with_it_that_outlived_the_one_in_use() -> None:
    world, west, east, handler = succeeding(15)
    west.links.set_drain_grace(5.0)
    world.listeners.clear()
    for wire in world.wires[2:]:
        wire.break_()
    world.settle()
    assert handler.losses == [], "it is of the one before"
    delete(west, "to-east")
    world.settle()
    assert states(west) == [("to-east", "draining", 1)]
    world.advance(5.0 + limits.LANE_LINGER_S)
    assert handler.losses == ["link-lost"] and states(west) == states(east) == []


def test_a_successor_that_another_router_answers_shows_who_that_is() -> None:
    world = World()
    west, _ = linked(world)
    other = Router(world, "other", "0123456789abcdef", site="east")
    world.listeners["east", 1] = world.listeners["other", 1]
    renew_leaf(west, b"newer leaf of west")
    world.settle()
    assert west.links.adjacent == {other.id: 1}
    assert [line.neighbour_router for line in west.links.status()] == [other.id]


def test_a_successor_that_fails_costs_no_stream_however_many_were_succeeded() -> None:
    world = World()
    west, east = linked(world)
    streams = []
    for number in range(limits.LINKS_SUCCEEDED_MAX):
        streams.append(west.open(east))
        renew_leaf(west, b"leaf %d of west" % number)
        world.advance(limits.LANE_LINGER_S)
    streams.append(west.open(east))
    wires = len(world.wires)
    renew_leaf(west, b"newest leaf of west")
    while len(world.wires) == wires:
        world.turn()
    world.listeners.clear()
    world.advance(limits.SUCCEED_RETRY_MAX_S)
    assert [one.losses for one in streams] == [[]] * len(streams)


def test_a_link_deleted_while_its_neighbour_stops_ends_in_time() -> None:
    world = World()
    west, east = linked(world)
    handler = west.open(east)
    west.links.set_drain_grace(5.0)
    world.advance(2 * limits.RECONNECT_MIN_S)
    east.links.drain()
    world.settle()
    delete(west, "to-east")
    world.advance(5.0 + limits.LANE_LINGER_S)
    assert handler.losses == ["link-lost"]
    assert states(west) == [] and live_wires(world) == []


@pytest.mark.parametrize("stage", range(16))
def test_a_link_given_another_proxy_while_its_neighbour_stops_is_dialed_by_it(stage: int) -> None:
    world = World()
    west, east = linked(world)
    handler = west.open(east)
    world.advance(2 * limits.RECONNECT_MIN_S)
    east.links.drain()
    for _ in range(stage):
        world.turn()
    west.link("east", via=Proxy(host="proxy", port=3128))
    world.vias.clear()
    world.advance(limits.DRAIN_GRACE_S / 2)
    assert world.vias and None not in world.vias
    assert handler.losses == [], "the grace is not over"
    assert [line.via for line in west.links.status() if line.state == "up"] in (
        [],
        ["http://proxy:3128"],
    )


@pytest.mark.parametrize("stage", STAGES)
def test_a_renewal_of_both_ends_meanwhile_never_leaves_either_without_a_way(stage: int) -> None:
    world, west, east, handler = succeeding(stage)
    old, east.tls = east.tls.certificate, Tls(None, b"newer leaf of east", east.tls.alpn)
    world.listeners["east", 1] = (world.listeners["east", 1][0], east.tls)
    west.links.renewals.succeed_where(lambda leaf: leaf == old)
    world.advance(limits.SUCCEED_RETRY_MAX_S)
    assert handler.losses == []
    for site in (west, east):
        assert site.owner.named("down", "draining") == []
        assert len(site.links.adjacent) == 1


@pytest.mark.parametrize("stage", STAGES)
def test_a_router_that_closes_meanwhile_leaves_no_timer_that_dials(stage: int) -> None:
    world, west, _, _ = succeeding(stage)
    west.links.close()
    world.advance(limits.LANE_LINGER_S)
    assert live_wires(world) == []
    world.dials.clear()
    world.advance(2 * limits.SUCCEED_RETRY_MAX_S)
    assert world.dials == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_router_that_stops_takes_a_succeeded_link_of_another_of_its_site_for_no_stop_of_that(
    stage: int,
) -> None:
    world = World()
    one, other = Router(world, "one", site="shop"), Router(world, "other", site="shop")
    link_siblings(one)
    world.settle()
    one.open(other)  # It keeps the link that is succeeded.
    world.settle()
    one.tls = Tls(None, b"newer leaf of one", one.tls.alpn)
    link_siblings(one)
    for _ in range(stage):
        world.turn()
    other.links.drain()
    world.settle()
    assert str(other.links.departure.farewell) == "a router of shop was asked to stop"
    other.links.finish(lambda: None)
    world.settle()
    assert str(other.links.departure.farewell) == "a router of shop was asked to stop"


def link_siblings(one: Router) -> None:
    one.link("other", expected_site=one.identity.site, is_sibling=True)
