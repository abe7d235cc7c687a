"""Links between whole rooms: up, lost, refused, dialed again, and what their owners hear."""

from itertools import pairwise

import pytest

from router.link import frames
from router.link.fault import Fault
from router.link.routing_messages import LoadMessage, LsaMessage, RoutingMessage
from router.link.sessions.outgoing_spec import OutgoingSpec
from router.model import limits
from router.model.errors import HandshakeRejected
from router.model.ids import RouterId
from router.model.messages.acks import LsaAck
from router.model.messages.adverts import LoadReport
from router.net.ports import DialCode, DialFailure, Loss
from tests.unit.link.lanes import Recorder, Sender
from tests.unit.link.routers import (
    FakeIdentity,
    Router,
    let_in_by_one_token,
    linked,
    live_wires,
)
from tests.unit.link.wire import Raw, World


def test_a_link_comes_up_with_a_data_lane_and_carries_streams_both_ways() -> None:
    world = World()
    west, east = linked(world, cost=5)
    assert west.owner.named("up", "admit") == [
        ("admit", b"leaf of east", "east"),
        ("up", "east", 5),
    ]
    assert east.owner.named("up") == [("up", "west", 5)]
    assert len(live_wires(world)) == 2
    (there,), (here,) = west.links.status(), east.links.status()
    assert (there.name, there.neighbour_name, there.direction) == ("to-east", "east", "outgoing")
    assert (there.state, there.cost, there.lanes, there.error) == ("up", 5, 1, "")
    assert (here.name, here.direction, here.state, here.lanes) == ("west", "incoming", "up", 1)
    assert there.bytes_out == here.bytes_in > 0 and there.rtt_s == 0.0
    data_wire = world.wires[1]
    before = len(data_wire.left.sent_log)
    outward, homeward = west.open(east), east.open(west)
    world.settle()
    assert outward.names == homeward.names == ["accepted"]
    assert len(data_wire.left.sent_log) > before


def test_routing_messages_reach_the_other_owner() -> None:
    world = World()
    west, east = linked(world)
    reports = tuple(LoadReport(west.id, i, "web", 80, 1, 1, None) for i in range(600))
    sent: list[RoutingMessage] = [LsaMessage(b"signed"), LsaAck(east.id, 0, 1, 2)]
    for message in sent:
        assert west.links.send(east.id, message)
    assert west.links.send(east.id, LoadMessage(reports))
    assert not west.links.send(RouterId("0" * 16), sent[0])
    world.settle()
    heard = [event[2] for event in east.owner.named("message")]
    assert heard[:2] == sent
    loads = [message for message in heard if isinstance(message, LoadMessage)]
    assert sum((load.reports for load in loads), ()) == reports
    assert len(loads) == 3 and len(heard) == 5


def test_the_adjacency_goes_before_its_streams_are_lost_and_in_the_same_turn() -> None:
    world = World()
    west, east = linked(world)
    handler = west.open(east)
    world.settle()
    losses_then: list[int] = []
    original = west.owner.adjacency_down

    def down(router: RouterId, cause: str, *, is_planned: bool) -> None:
        losses_then.append(len(handler.losses))
        original(router, cause, is_planned=is_planned)

    west.owner.adjacency_down = down  # type: ignore[method-assign]
    world.wires[0].break_()
    world.settle()
    assert losses_then == [0]
    assert handler.losses == ["link-lost"]
    assert west.links.adjacent == {}
    assert east.owner.recorders[0].losses == ["link-lost"]
    assert west.links.open_stream(west.request(east), Recorder()) is None


def test_a_lost_link_is_dialed_again_with_a_growing_pause() -> None:
    world = World()
    west, east = linked(world)
    assert len(world.dials) == 2
    world.dial_failure = DialFailure("refused", "east:1 refused")
    for wire in world.wires:
        wire.break_()
    world.dials.clear()
    lost_at = world.time
    world.advance(2 * limits.RECONNECT_LATELY_S)
    times = [at for at, _, _ in world.dials]
    begun = [at - lost_at for at in times[:-1]]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    for number, (at, pause) in enumerate(zip(begun, pauses, strict=True)):
        is_recent = at < limits.RECONNECT_LATELY_S
        most_s = limits.RECONNECT_LATELY_MAX_S if is_recent else limits.RECONNECT_MAX_S
        assert pause <= min(most_s, 2.0**number)
    assert max(pauses) > 2 * limits.RECONNECT_LATELY_MAX_S
    (line,) = west.links.status()
    assert line.state == "down"
    assert line.error == ("east:1 refused. Is the neighbor running, and may this host reach it?")
    assert line.neighbour_name == "east"
    world.dial_failure = None
    world.advance(limits.RECONNECT_MAX_S)
    assert [line.state for line in west.links.status()] == ["up"]
    assert east.owner.named("up", "down")[-1][0] == "up"


def test_a_link_is_down_since_it_was_lost_however_its_attempts_end() -> None:
    world = World()
    west, _ = linked(world)
    world.advance(10.0)
    world.dial_failure = DialFailure("refused", "east:1 refused")
    for wire in list(world.wires):
        wire.break_()
    lost_at = world.time
    ends: tuple[tuple[DialCode, str], ...]
    ends = (("tls", "refused"), ("refused", "down"), ("clock", "refused"))
    for code, state in ends:
        world.advance(2 * limits.RECONNECT_MAX_S)
        world.dial_failure = DialFailure(code, "it failed")
        world.advance(2 * limits.RECONNECT_MAX_S)
        (line,) = west.links.status()
        assert (line.state, line.since) == (state, lost_at)
    world.dial_failure = None
    world.advance(2 * limits.RECONNECT_MAX_S)
    (line,) = west.links.status()
    assert line.state == "up" and line.since > lost_at


@pytest.mark.parametrize("away_s", [0.0, 3.0, 10.0, 45.0, 120.0, 290.0])
def test_a_link_returns_within_six_seconds_of_its_neighbour(away_s: float) -> None:
    slowest = 0.0
    for seed in range(30):
        world = World(seed=seed)
        west, _ = linked(world)
        world.dial_failure = DialFailure("refused", "east:1 refused")
        for wire in list(world.wires):
            wire.break_()
        world.advance(away_s)
        world.dial_failure = None
        back_at = world.time
        while west.links.status()[0].state != "up" and world.time - back_at < 60.0:
            world.advance(0.1)
        slowest = max(slowest, world.time - back_at)
    assert slowest <= 4.0  # A SYN that is lost or a name that is asked again may take 2 s more.


def test_a_link_that_goes_down_at_once_is_not_dialed_at_the_short_pace_for_ever() -> None:
    world = World()
    linked(world)
    world.dials.clear()
    until = world.time + 4 * limits.RECONNECT_LATELY_S
    while world.time < until:
        world.advance(1.0)
        for wire in list(world.wires):
            wire.break_()
    late = [at for at, _, _ in world.dials if at > until - 2 * limits.RECONNECT_LATELY_S]
    pauses = [later - earlier for earlier, later in pairwise(late)]
    assert max(pauses) > 2 * limits.RECONNECT_LATELY_MAX_S


def test_a_neighbour_that_said_goodbye_is_dialed_again_at_a_short_pace() -> None:
    world = World()
    _, east = linked(world)
    east.links.close()
    world.settle()
    world.dial_failure = DialFailure("refused", "east:1 refused")
    world.dials.clear()
    world.advance(300.0)
    times = [at for at, _, _ in world.dials]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    soon = pauses[: limits.RECONNECT_SOON_TRIES]
    assert max(soon) <= limits.RECONNECT_MIN_S < max(pauses)


def test_endpoints_are_tried_in_turn_without_a_pause() -> None:
    world = World()
    west, east = Router(world, "west"), Router(world, "east")
    spec = OutgoingSpec(endpoints=(("gone", 1), ("east", 1)), tls=lambda: west.tls)
    west.links.set_links({"two": spec})
    world.settle()
    assert [host for _, host, _ in world.dials] == ["gone", "east", "east"]
    assert east.owner.named("up") == [("up", "west", 1)]


def test_a_data_lane_alone_may_go_and_comes_back() -> None:
    world = World()
    west, east = linked(world)
    on_data = west.open(east)
    world.settle()
    world.wires[1].break_()
    world.turn()
    world.turn()
    assert on_data.losses == ["link-lost"]
    on_control = west.open(east)
    world.settle()
    assert on_control.names == ["accepted"]
    world.advance(1.0)
    assert [line.lanes for line in west.links.status()] == [1]
    assert on_control.losses == [] and west.owner.named("down") == []


def test_a_data_lane_that_connects_as_its_link_ends_goes_with_it() -> None:
    world = World()
    west, east = linked(world)
    control, data = world.wires
    data.break_()
    world.settle()
    world.time = world.next_at
    while world.next_at <= world.time:
        world.fire_first()
    assert len(world.dials) == 3  # It connects in this turn.
    control.right.lose = lambda loss: None  # type: ignore[method-assign]  # East never hears of it.
    west.links.drop(lambda neighbour: True, "revoked")
    world.settle()
    assert len(world.wires) == 3
    assert west.owner.named("down") == [("down", east.id, "revoked")]
    assert live_wires(world) == []


def test_a_new_cost_does_not_reconnect() -> None:
    world = World()
    west, east = linked(world, cost=5)
    west.link("east", cost=9)
    assert west.owner.named("cost") == []
    world.settle()
    assert west.owner.named("cost") == [("cost", east.id, 9)]
    assert east.owner.named("cost") == [("cost", west.id, 9)]
    assert len(world.dials) == 2 and west.links.adjacent == {east.id: 9}
    assert [line.cost for line in east.links.status()] == [9]


def test_a_new_endpoint_reconnects_and_a_deleted_link_goes() -> None:
    world = World()
    west, east = linked(world)
    other = Router(world, "other")
    west.specs["to-east"] = OutgoingSpec(endpoints=(("other", 1),), tls=west.tls)
    west.links.set_links(west.specs)
    world.settle()
    assert west.links.adjacent == {other.id: 1}
    west.links.set_links({})
    world.advance(2.0)
    assert west.links.status() == other.links.status() == east.links.status() == []
    assert live_wires(world) == []
    assert "deleted" in str(other.owner.named("down")[0][2])


def test_a_link_that_is_kept_and_not_dialed_is_not_said_to_be_deleted() -> None:
    world = World()
    west, east = linked(world)
    west.links.set_links({}, {"to-east": Fault("changed", "the link has another token")})
    world.advance(2.0)
    assert west.links.status() == east.links.status() == []
    ((_, _, here),) = west.owner.named("down")
    ((_, _, there),) = east.owner.named("down")
    assert here == "the link has another token"
    assert there == "west closed: the link has another token"


def test_parallel_links_count_as_the_cheapest_that_is_up() -> None:
    world = World()
    west, east = linked(world, cost=5)
    west.link("east", name="cheap", cost=2)
    world.settle()
    assert west.owner.named("up", "cost") == [("up", "east", 5), ("cost", east.id, 2)]
    assert [line.name for line in east.links.status()] == ["west", "west-2"]
    cheap_data = world.wires[3]
    before = len(cheap_data.left.sent_log)
    west.open(east)
    world.settle()
    assert len(cheap_data.left.sent_log) > before
    del west.specs["cheap"]
    west.links.set_links(west.specs)
    world.settle()
    assert west.owner.named("cost", "down")[-1] == ("cost", east.id, 5)


def test_one_site_cannot_take_all_places_for_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LINKS_PER_SITE_MAX", 2)
    world = World()
    west, _ = linked(world, name="first")
    west.link("east", name="second")
    west.link("east", name="third")
    world.settle()
    states = {line.name: (line.state, line.error) for line in west.links.status()}
    assert [states[name][0] for name in ("first", "second", "third")] == ["up", "up", "refused"]
    assert "has 2 links here already" in states["third"][1]
    other = Router(world, "other")
    other.link("east")
    world.settle()
    assert [line.state for line in other.links.status()] == ["up"]


def test_sites_of_one_token_have_so_many_lanes_and_leave_places_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "LANES_PER_HOLDER_MAX", 3)
    world = World()
    east = Router(world, "east")
    fleet = let_in_by_one_token(world, east, 4)
    world.settle()
    (refused,) = (line for one in fleet for line in one.links.status() if line.state != "up")
    assert "the sites that token fleet let in have 3 connections here already" in refused.error
    other = Router(world, "other")
    other.link("east")
    world.settle()
    assert [(line.state, line.lanes) for line in other.links.status()] == [("up", 1)]
    for one in fleet[:2]:
        one.links.close()
    world.advance(2 * limits.RECONNECT_MAX_S)
    assert [line.state for one in fleet[2:] for line in one.links.status()] == ["up"] * 2


def test_a_neighbour_that_dials_anew_replaces_its_dead_link() -> None:
    world = World()
    _, east = linked(world)
    for wire in world.wires:
        wire.left.lose(Loss("reset"))
        wire.left.other.hold()
    world.settle()
    world.advance(1.0)
    assert [line.name for line in east.links.status()] == ["west"]
    assert east.owner.named("up", "down") == [("up", "west", 1)]


def test_an_idle_link_stays_up_and_a_silent_one_dies() -> None:
    world = World()
    west, east = linked(world)
    handler = west.open(east)
    world.advance(60.0)
    assert west.owner.named("down") == east.owner.named("down") == []
    assert handler.names == ["accepted"]
    for wire in live_wires(world):
        wire.left.hold()
        wire.right.hold()
    world.dial_failure = DialFailure("timeout", "east:1 did not answer")
    world.advance(limits.CONTROL_DEAD_AFTER_S + limits.PING_INTERVAL_S + 0.1)
    assert handler.losses == ["link-lost"]
    assert len(west.owner.named("down")) == len(east.owner.named("down")) == 1
    assert "nothing was heard" in str(west.owner.named("down")[0][2])


def test_a_silent_data_lane_dies_alone() -> None:
    world = World()
    west, _ = linked(world)
    world.wires[1].right.hold()
    world.advance(limits.DATA_PING_AFTER_S + limits.DATA_DEAD_AFTER_S + 3.0)
    assert world.wires[1].left.is_gone
    assert west.owner.named("down") == []
    assert [line.lanes for line in west.links.status()] == [1]


def test_a_neighbour_that_talks_and_never_reads_loses_the_lane(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "DATA_PING_AFTER_S", 100.0)
    world = World()
    west, east = linked(world)
    sender = Sender(b"s" * 400_000)
    stream = west.links.open_stream(west.request(east), sender)
    assert stream is not None
    sender.stream = stream
    world.settle()
    data_wire = world.wires[1]
    data_wire.right.capacity_bytes = 0
    sender.go()
    for second in range(int(limits.LANE_WRITE_STALL_S) + 3):
        assert not data_wire.left.is_gone or second >= limits.LANE_WRITE_STALL_S
        data_wire.right.send(frames.encode(frames.PONG, 0, bytes(8)))  # It still talks.
        world.advance(1.0)
    assert sender.losses == ["link-lost"] and data_wire.left.is_gone
    assert west.owner.named("down") == []


def test_after_a_late_wake_sockets_are_read_before_silence_is_judged() -> None:
    world = World()
    west, east = linked(world)
    world.advance(5.0)
    world.jump(30.0)
    world.advance(30.0)
    assert west.owner.named("down") == east.owner.named("down") == []


def test_dropping_a_site_aborts_all_its_lanes_in_the_same_turn() -> None:
    world = World()
    west, east = linked(world)
    handler, served = west.open(east), east.owner.recorders
    world.settle()
    assert east.links.drop(west.identity.site, "the access of west was revoked") == 1
    assert all(wire.right.is_gone for wire in world.wires)
    assert served[0].losses == []
    world.turn()
    assert served[0].losses == ["link-lost"]
    assert east.owner.named("down") == [("down", west.id, "the access of west was revoked")]
    world.settle()
    assert handler.losses == ["link-lost"]
    east.owner.rejection = HandshakeRejected(
        "revoked", "the access of west was revoked", "Ask east for a new token"
    )
    world.advance(2.0)
    (line,) = west.links.status()
    assert line.state == "refused"
    assert line.error == ("east closed: the access of west was revoked. Ask east for a new token")
    tries = len(world.dials)
    world.advance(limits.RECONNECT_MAX_S - 5.0)
    assert len(world.dials) == tries
    east.owner.rejection = None
    west.links.retry_all()
    world.settle()
    assert [line.state for line in west.links.status()] == ["up"]


def test_a_data_lane_is_judged_like_a_link() -> None:
    world = World()
    west, east = linked(world)
    east.owner.rejection = HandshakeRejected("revoked", "revoked meanwhile")
    world.wires[1].break_()
    world.advance(2.0)
    assert [line.lanes for line in west.links.status()] == [0]


def test_a_link_to_oneself_says_so() -> None:
    world = World()
    west = Router(world, "west")
    west.link("west")
    world.advance(1.0)
    (line,) = west.links.status()
    assert line.state == "refused"
    assert "leads back to west itself" in line.error and "another site" in line.error
    world.dial_failure = DialFailure("self", "connected to itself")
    world.advance(limits.RECONNECT_MAX_S)
    assert "is this router itself" in west.links.status()[0].error


def test_two_routers_with_one_identity_are_told_both_names() -> None:
    world = World()
    west, copy = Router(world, "west"), Router(world, "copy")
    copy.identity = FakeIdentity("west", router="c" * 16)
    copy.identity.name = "west-copy"
    copy.links = type(copy.links)(world, copy.identity, copy.owner, rng=world.rng)
    copy.link("west")
    world.advance(1.0)
    (line,) = copy.links.status()
    assert line.state == "refused"
    assert "west-copy" in line.error and "one identity key" in line.error
    assert west.owner.named("up") == []


def test_another_site_than_expected_is_refused_here() -> None:
    world = World()
    west, east = Router(world, "west"), Router(world, "east")
    west.link("east", expected_site=FakeIdentity("north").site)
    world.advance(1.0)
    (line,) = west.links.status()
    assert line.state == "refused" and "answers as east" in line.error
    assert east.owner.named("up") == []


@pytest.mark.parametrize("code", ["tls", "handshake"])
def test_a_certificate_that_is_not_accepted_is_a_refusal_with_advice(code: str) -> None:
    world = World()
    west = Router(world, "west")
    if code == "tls":
        world.dial_failure = DialFailure("tls", "certificate verify failed")
        west.link("east")
    else:
        world.listen("east", 1, lambda connection: Raw(), tls=west.tls)
        west.link("east")
        world.turn()  # The name,
        world.turn()  # and the dial.
        world.wires[0].left.lose(Loss("tls", "alert unknown ca"))
    world.advance(1.0)
    (line,) = west.links.status()
    assert line.state == "refused" and "new token" in line.error


def test_who_is_cut_off_before_a_word_is_not_told_of_certificates() -> None:
    world = World()
    west = Router(world, "west")
    world.listen("east", 1, lambda connection: Raw(), tls=west.tls)
    west.link("east")
    world.turn()  # The name,
    world.turn()  # and the dial.
    world.wires[0].left.lose(Loss("cut", "cut off: no close_notify"))
    world.settle()
    (line,) = west.links.status()
    assert line.state == "down" and "certificate" not in line.error
    before = len(world.dials)
    world.advance(limits.RECONNECT_MIN_S)
    assert len(world.dials) > before


def test_a_peer_that_breaks_the_protocol_waits_longest() -> None:
    world = World()
    west, _ = linked(world)
    world.wires[0].right.send(bytes(8))
    world.settle()
    (line,) = west.links.status()
    assert line.state == "down" and "unknown kind" in line.error
    tries = len(world.dials)
    world.advance(limits.RECONNECT_MAX_S - 1.0)
    assert len(world.dials) == tries
    world.advance(2.0)
    assert [line.state for line in west.links.status()] == ["up"]


def test_a_draining_router_refuses_new_streams_and_keeps_the_old() -> None:
    world = World()
    west, east = linked(world)
    old = west.open(east)
    world.settle()
    east.links.drain()
    new = west.open(east)
    world.settle()
    assert new.calls == [("refused", "draining", -1), ("lost", None)]
    assert old.names == ["accepted"]


def test_closing_says_goodbye_and_dials_no_more() -> None:
    world = World()
    west, east = linked(world)
    handler = west.open(east)
    world.settle()
    east.links.close()
    world.settle()
    assert handler.losses == ["link-lost"]
    assert "east was asked to stop" in str(west.owner.named("down")[0][2])
    assert west.links.status()[0].state == "down"
    world.dials.clear()
    west.links.close()
    world.advance(120.0)
    assert world.dials == [] and live_wires(world) == []


def test_routers_of_one_site_join_at_no_cost_and_that_is_no_link_between_sites() -> None:
    world = World()
    old, new = Router(world, "old", site="shop"), Router(world, "new", site="shop")
    new.link("old", name="router old:1", cost=5, expected_site=new.identity.site, is_sibling=True)
    world.settle()
    assert new.links.adjacent == {old.id: 0} and old.links.adjacent == {new.id: 0}
    new.link("old", name="router old:1", cost=6, expected_site=new.identity.site, is_sibling=True)
    world.settle()
    assert new.links.adjacent == {old.id: 0} and old.links.adjacent == {new.id: 0}
    for router, other in ((old, new), (new, old)):
        assert router.links.status() == [] and router.links.adjacencies.siblings == {other.id}
        assert router.links.outgoing_status("router old:1") is None
        router.open(other)


def test_a_router_that_takes_another_site_for_its_own_is_told() -> None:
    world = World()
    shop, bank = Router(world, "shop"), Router(world, "bank")
    shop.link("bank", expected_site=shop.identity.site, is_sibling=True)
    world.settle()
    assert shop.owner.named("up") == bank.owner.named("up") == []


def test_a_neighbour_that_stops_is_dialed_anew_while_its_streams_end() -> None:
    world = World()
    old, new = Router(world, "old", site="shop"), Router(world, "new", site="shop")
    west = Router(world, "west")
    west.specs["to-shop"] = OutgoingSpec(endpoints=(("old", 1), ("new", 1)), tls=west.tls)
    west.links.set_links(west.specs)
    world.settle()
    stream = west.open(old)
    world.advance(1.0)
    del world.listeners["old", 1]
    old.links.drain()
    old.links.finish(lambda: None)
    world.settle()
    states = [(line.state, line.neighbour_router) for line in west.links.status()]
    assert states == [("up", new.id), ("draining", old.id)] and stream.losses == []
    assert west.links.adjacent[new.id] == 1


def test_a_neighbour_that_stops_and_still_listens_is_not_dialed_without_end() -> None:
    world = World()
    _, east = linked(world)
    world.advance(1.0)
    east.links.drain()
    east.links.finish(lambda: None)
    dialed = len(world.wires)
    world.advance(1.0)
    assert len(world.wires) - dialed < 20


def test_a_link_settles_for_a_moment_after_it_came_up_or_began_to_drain() -> None:
    """A neighbor that drains for ever is not spared for ever."""
    world = World()
    west, east = linked(world)

    def settles() -> bool:
        return west.links.adjacencies.settles(east.id, world.now())

    assert settles()
    world.advance(limits.LINK_SETTLES_S)
    assert not settles()
    west.open(east)
    world.settle()
    east.links.drain()
    world.settle()
    assert settles() and west.links.status()[0].state == "draining"
    world.advance(limits.LINK_SETTLES_S)
    assert not settles() and west.links.status()[0].state == "draining"
    assert not west.links.adjacencies.settles(RouterId("0" * 16), world.now())


def test_a_link_whose_neighbour_stops_is_draining_until_another_is_up_or_it_is_gone() -> None:
    world = World()
    west, east = linked(world)
    stream = west.open(east)
    world.advance(1.0)
    del world.listeners["east", 1]
    east.links.drain()
    east.links.finish(lambda: None)
    world.settle()
    assert [line.state for line in west.links.status()] == ["draining"]
    world.advance(5.0)
    went_at = world.now()
    stream.stream.reset("cancelled")
    world.settle()
    (line,) = west.links.status()
    assert line.state in ("connecting", "down")
    assert line.since == went_at  # Its successor was dialed in vain before.
