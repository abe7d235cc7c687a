"""Links and lanes that go with their last stream: deleted, of a site that stops, replaced."""

import pytest

from router.link import control, frames, links
from router.link.ports import Stream, ToldCount
from router.link.sessions.handshake import INTERIOR, RENEWS, Abilities
from router.model import limits
from router.net.ports import Tls
from tests.unit.link.lanes import Pair, Recorder, request
from tests.unit.link.routers import Router, linked, live_wires
from tests.unit.link.test_transit import chain
from tests.unit.link.wire import World, frames_of


def delete(site: Router, name: str) -> None:
    """Want the link no more."""
    del site.specs[name]
    site.links.set_links(site.specs)


def serve_out(stream: Stream, *ends: Recorder) -> None:
    """The egress answers and ends; the ingress has ended, or does now."""
    stream.send(b"answer")
    stream.finish(ToldCount(0))
    for end in ends:
        assert end.stream is not None
        end.stream.finish()


def states(site: Router) -> list[tuple[str, str, int]]:
    return [(line.name, line.state, line.streams) for line in site.links.status()]


def test_a_lane_is_drained_when_both_ends_open_no_more_and_nothing_is_left() -> None:
    pair = Pair()
    stream, _, far, _ = pair.opened()
    pair.left.open_no_more()
    assert pair.left.open_stream(pair.right_owner.offered[0][1], Recorder()) is None
    pair.world.settle()
    assert pair.right_owner.messages == [control.Last()]
    pair.right.heard_last()
    pair.right.open_no_more()
    pair.world.settle()
    pair.left.heard_last()
    pair.world.settle()
    assert [pair.left.is_drained, pair.right.is_drained] == [False, False]
    stream.finish()
    far.finish(ToldCount(0))
    pair.world.settle()
    assert [pair.left.is_drained, pair.right.is_drained] == [True, True]
    assert pair.left_owner.drained and pair.right_owner.drained


def test_last_follows_every_open_though_control_overtakes_data() -> None:
    pair = Pair()
    for _ in range(3):
        pair.open(Recorder())
    pair.left.open_no_more()
    pair.world.settle()
    kinds = [kind & frames.KIND_MASK for kind, _, _ in frames_of(pair.wire.left.sent_log)]
    assert kinds == [frames.OPEN] * 3 + [frames.CONTROL]


def test_last_waits_for_opens_that_take_more_than_one_turn() -> None:
    pair = Pair()
    head = b"x" * 40_000
    count = 2 * limits.LANE_TURN_BYTES_MAX // len(head) + 1
    for _ in range(count):
        pair.open(Recorder(), request(head))
    pair.left.open_no_more()
    pair.world.settle()
    kinds = [kind & frames.KIND_MASK for kind, _, _ in frames_of(pair.wire.left.sent_log)]
    assert kinds == [frames.OPEN] * count + [frames.CONTROL]


def test_an_open_after_last_ends_the_lane() -> None:
    pair = Pair()
    pair.right.heard_last()
    pair.open(Recorder())
    pair.world.settle()
    assert [fault.code for fault in pair.right_owner.faults] == ["after-last"]


@pytest.mark.parametrize("who", ["ingress here", "egress here"])
def test_a_deleted_link_leaves_the_routes_at_once_and_goes_with_its_last_stream(who: str) -> None:
    world = World()
    west, east = linked(world)
    handler = west.open(east) if who == "ingress here" else east.open(west)
    world.settle()
    delete(west, "to-east")
    world.settle()
    assert west.links.adjacent == east.links.adjacent == {}
    assert west.owner.named("draining") == [("draining", east.id)]
    assert east.owner.named("draining") == [("draining", west.id)]
    assert west.links.open_stream(west.request(east), Recorder()) is None
    assert east.links.open_stream(east.request(west), Recorder()) is None
    assert states(west) == [("to-east", "draining", 1)]
    assert states(east) == [("west", "draining", 1)]
    assert handler.names == ["accepted"]
    far = (east if who == "ingress here" else west).owner.offered[0][0]
    serve_out(far, handler)
    world.settle()
    assert handler.names == ["accepted", "ended", "lost"] and handler.losses == [None]
    assert bytes(handler.data) == b"answer"
    world.advance(limits.LANE_LINGER_S)
    assert states(west) == states(east) == [] and live_wires(world) == []
    assert east.owner.named("down") == [
        ("down", west.id, "west closed: the link was deleted"),
    ]
    world.dials.clear()
    world.advance(60.0)
    assert world.dials == []


def test_a_deleted_link_without_streams_is_gone_at_once() -> None:
    world = World()
    west, east = linked(world)
    delete(west, "to-east")
    world.settle()
    assert states(west) == states(east) == []


def test_streams_that_cross_the_word_of_a_deletion_are_served() -> None:
    world = World()
    west, east = linked(world)
    crossing = east.open(west)
    delete(west, "to-east")
    world.settle()
    assert crossing.names == ["accepted"]
    serve_out(west.owner.offered[0][0], crossing)
    world.settle()
    assert crossing.losses == [None]


def test_a_deleted_link_is_closed_at_its_deadline_whatever_is_left() -> None:
    world = World()
    west, east = linked(world)
    handler = west.open(east)
    world.settle()
    west.links.set_drain_grace(5.0)
    delete(west, "to-east")
    world.advance(4.9)
    assert handler.losses == []
    world.advance(0.2)
    assert handler.losses == ["link-lost"]
    assert east.owner.recorders[0].losses == ["link-lost"]


def test_transit_streams_finish_over_a_deleted_link() -> None:
    world = World()
    west, middle, east = chain(world, "west", "middle", "east")
    handler = west.open(middle, east)
    world.settle()
    delete(middle, "to-east")
    world.settle()
    assert handler.names == ["accepted"]
    late = west.open(middle, east)
    world.settle()
    assert late.calls == [("refused", "no-route", -1), ("lost", None)]
    serve_out(east.owner.offered[0][0], handler)
    world.settle()
    assert handler.losses == [None]
    assert states(east) == []


def test_of_two_links_to_a_neighbour_only_the_deleted_one_drains() -> None:
    world = World()
    west, east = linked(world, cost=1)
    west.link("east", name="second", cost=7)
    world.settle()
    on_first = west.open(east)
    world.settle()
    delete(west, "to-east")
    world.settle()
    assert west.links.adjacent == {east.id: 7} and east.links.adjacent == {west.id: 7}
    assert west.owner.named("draining", "down") == []
    assert states(west) == [("second", "up", 0), ("to-east", "draining", 1)]
    on_second = west.open(east)
    world.settle()
    assert on_second.names == ["accepted"]
    serve_out(east.owner.offered[0][0], on_first)
    world.settle()
    assert on_first.losses == [None] and on_second.losses == []
    assert states(west) == [("second", "up", 1)]


def test_a_link_made_again_while_the_old_one_drains_is_a_way_at_once() -> None:
    world = World()
    west, east = linked(world)
    old = west.open(east)
    world.settle()
    delete(west, "to-east")
    world.settle()
    west.link("east", cost=3)
    world.settle()
    assert west.links.adjacent == {east.id: 3} and east.links.adjacent == {west.id: 3}
    assert states(west) == [("to-east", "up", 0), ("to-east", "draining", 1)]
    assert old.losses == []
    serve_out(east.owner.offered[0][0], old)
    world.settle()
    assert old.losses == [None] and states(west) == [("to-east", "up", 0)]
    assert west.owner.named("down") == []


def test_a_site_that_stops_takes_nothing_new_and_still_opens_its_own() -> None:
    world = World()
    west, east = linked(world)
    old = west.open(east)
    world.settle()
    assert len(east.owner.known) == 1, "what is remembered makes no difference"
    east.links.drain()
    crossing = west.open(east)
    world.settle()
    assert crossing.calls == [("refused", "draining", -1), ("lost", None)]
    assert west.links.open_stream(west.request(east), Recorder()) is None
    assert west.links.adjacent and east.links.adjacent, "it is still a way for the one that stops"
    assert west.owner.named("drain begun", "draining") == [("drain begun", east.id)]
    assert east.owner.named("drain begun", "draining") == [("drain begun", west.id)]
    own = east.open(west)
    world.settle()
    assert own.names == ["accepted"]
    done: list[bool] = []
    east.links.finish(lambda: done.append(True))
    world.settle()
    assert east.links.open_stream(east.request(west), Recorder()) is None
    assert not done and old.losses == own.losses == []
    assert west.owner.named("drain begun", "draining")[1:] == [("draining", east.id)]
    serve_out(east.owner.offered[0][0], old)
    serve_out(west.owner.offered[0][0], own)
    world.settle()
    assert done == [True]
    assert old.losses == own.losses == [None]
    assert "east was asked to stop" in str(west.owner.named("down")[0][2])


def test_the_links_of_a_site_that_has_stopped_are_down_until_its_process_ends() -> None:
    """The process still answers its operator for a moment: a console may be open."""
    world = World()
    west, _ = linked(world)
    up_since = west.links.status()[0].since
    west.links.drain()
    assert states(west) == [("to-east", "draining", 0)]
    world.advance(1.0)
    west.links.finish(lambda: None)
    world.settle()
    assert states(west) == [("to-east", "down", 0)]
    assert west.links.status()[0].since == world.now() > up_since
    assert west.links.status()[0].error == "", "it is no problem"


@pytest.mark.parametrize("first", ["control", "data"])
def test_a_site_that_stops_opens_its_own_whichever_lane_is_faster(first: str) -> None:
    world = World()
    west, east = linked(world)
    west.open(east)
    world.settle()
    for wire in world.wires:
        wire.right.hold()
    east.links.drain()
    world.settle()
    for wire in world.wires if first == "control" else world.wires[::-1]:
        wire.right.release()
        world.settle()
    own = east.open(west)
    world.settle()
    assert own.names == ["accepted"]


def test_transit_streams_finish_at_a_site_that_stops_before_its_links_go() -> None:
    world = World()
    west, middle, east = chain(world, "west", "middle", "east")
    handler = west.open(middle, east)
    world.settle()
    done: list[bool] = []
    middle.links.drain()
    late = west.links.open_stream(west.request(middle, east), Recorder())
    middle.links.finish(lambda: done.append(True))
    world.settle()
    assert not done and handler.losses == [] and late is not None
    serve_out(east.owner.offered[0][0], handler)
    world.settle()
    assert done == [True] and handler.losses == [None]


def test_a_site_without_links_has_drained_at_once() -> None:
    world = World()
    east = Router(world, "east")
    done: list[bool] = []
    east.links.drain()
    east.links.finish(lambda: done.append(True))
    assert done == []
    world.settle()
    assert done == [True]


def test_two_sites_that_stop_at_once_both_come_to_an_end() -> None:
    world = World()
    west, east = linked(world)
    streams = [west.open(east), east.open(west)]
    world.settle()
    done: list[str] = []
    for site in (west, east):
        site.links.drain()
    for site in (west, east):
        site.links.finish(lambda name=site.name: done.append(name))  # type: ignore[misc]
    world.settle()
    assert done == []
    serve_out(east.owner.offered[0][0], streams[0])
    serve_out(west.owner.offered[0][0], streams[1])
    world.settle()
    assert sorted(done) == ["east", "west"]
    assert [stream.losses for stream in streams] == [[None], [None]]


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> None:
    """Routers that know nothing of renewal."""
    monkeypatch.setattr(links, "INTERIOR", Abilities(INTERIOR.features - {RENEWS}))


@pytest.mark.usefixtures("older")
def test_a_new_leaf_opens_another_data_lane_and_the_old_one_goes_with_its_last_stream() -> None:
    world = World()
    west, east = linked(world)
    old = west.open(east)
    world.settle()
    west.tls = Tls(None, b"newer leaf of west", west.tls.alpn)
    west.link("east")
    world.settle()
    assert len(live_wires(world)) == 3
    new = west.open(east)
    world.settle()
    assert new.names == old.names == ["accepted"]
    old_wire, new_wire = world.wires[1:]
    assert new_wire.right.peer_certificate == b"newer leaf of west"
    serve_out(east.owner.offered[0][0], old)
    world.advance(limits.LANE_LINGER_S)
    assert old.losses == [None] and new.losses == []
    assert old_wire.left.is_gone and not new_wire.left.is_gone
    assert states(west) == [("to-east", "up", 1)]
    assert west.owner.named("down", "draining") == []


@pytest.mark.parametrize("end", ["dialer", "acceptor"])
def test_a_lane_that_has_carried_enough_is_replaced_without_loss(
    end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    west, east = linked(world)
    here, there = (west, east) if end == "dialer" else (east, west)
    olds = [here.open(there) for _ in range(3)]
    world.settle()
    with monkeypatch.context() as small:
        small.setattr(limits, "LANE_IDS_MAX", 2)
        world.advance(limits.LIVENESS_TICK_S)
        meanwhile = here.open(there)
        world.settle()
    world.advance(1.0)
    assert len(live_wires(world)) == 3
    assert states(west) == [("to-east", "up", 4)]
    for (stream, _), handler in zip(there.owner.offered, [*olds, meanwhile], strict=True):
        serve_out(stream, handler)
    world.advance(limits.LANE_LINGER_S)
    assert [handler.losses for handler in (*olds, meanwhile)] == [[None]] * 4
    assert len(live_wires(world)) == 2 and states(east) == [("west", "up", 0)]


@pytest.mark.usefixtures("older")
def test_lanes_that_were_replaced_are_kept_in_a_bounded_number() -> None:
    world = World()
    west, east = linked(world)
    streams: list[Recorder] = []
    for number in range(2 * limits.LANES_RETIRED_MAX):
        streams.append(west.open(east))
        west.tls = Tls(None, b"leaf %d of west" % number, west.tls.alpn)
        west.link("east")
        world.advance(limits.LANE_LINGER_S)
    assert len(live_wires(world)) == limits.LANES_RETIRED_MAX + 2
    lost = [stream for stream in streams if stream.losses]
    assert lost == streams[: limits.LANES_RETIRED_MAX], "the oldest"
    assert {line.state for line in west.links.status()} == {"up"}


def test_a_neighbour_that_cannot_drain_is_closed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    with monkeypatch.context() as older:
        older.setattr(control, "MINOR", 0)
        west, _ = linked(world)
    delete(west, "to-east")
    world.settle()
    assert states(west) == []
    assert not any(
        b"\xa5drain" in payload
        for wire in world.wires
        for _, _, payload in frames_of(wire.left.sent_log)
    )
