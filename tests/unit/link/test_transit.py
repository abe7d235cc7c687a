"""Streams through a middle router: relayed whole, reset whole, and never in a circle."""

from itertools import pairwise

import pytest

from router.link.ports import ToldCount
from router.link.transit import brought
from router.model import limits
from router.model.ids import RouterId, SiteId
from tests.unit.link.lanes import Recorder, Sender
from tests.unit.link.routers import Router, live_wires
from tests.unit.link.wire import World


def chain(world: World, *names: str) -> list[Router]:
    routers = [Router(world, name) for name in names]
    for left, right in pairwise(routers):
        left.link(right.name)
    world.settle()
    return routers


def test_a_request_passes_three_routers_there_and_back() -> None:
    world = World()
    west, middle, east = chain(world, "west", "middle", "east")
    handler = west.open(middle, east)
    assert handler.stream is not None
    handler.stream.send(b"question")
    handler.stream.send_trailers(b"t: 1\r\n")
    handler.stream.finish()
    world.settle()
    (stream, request), seen = east.owner.offered[0], east.owner.recorders[0]
    assert request.path == (east.id,) and middle.owner.offered == []
    assert stream.neighbour == middle.id
    assert bytes(seen.data) == b"question"
    assert seen.names == ["trailers", "ended"]
    stream.send_head(b"HTTP/1.1 103 x\r\n\r\n", 0)
    stream.send_head(b"HTTP/1.1 200 OK\r\n\r\n", 6)
    stream.send(b"answer")
    stream.send_trailers(b"t: 2\r\n")
    stream.finish(ToldCount(4))
    world.settle()
    assert bytes(handler.data) == b"answer"
    assert handler.names == ["accepted", "head", "head", "trailers", "ended", "lost"]
    assert handler.calls[0] == ("accepted", 1) and handler.calls[-2] == ("ended", 4)
    assert handler.losses == seen.losses == [None]


def test_megabytes_cross_with_a_slow_reader_in_bounded_memory() -> None:
    world = World()
    west, middle, east = chain(world, "west", "middle", "east")
    total = bytes(range(256)) * 16_000
    sender = Sender(total)
    stream = west.links.open_stream(west.request(middle, east), sender)
    assert stream is not None
    sender.stream = stream
    world.settle()
    seen = east.owner.recorders[0]
    seen.pause_at = 1
    sender.go()
    world.settle()
    held = len(seen.data)
    assert held <= limits.STREAM_WINDOW_BYTES_INITIAL
    assert sender.sent <= held + 6 * limits.STREAM_WINDOW_BYTES_INITIAL
    seen.pause_at = None
    assert seen.stream is not None
    seen.stream.resume()
    world.settle()
    assert bytes(seen.data) == total and seen.names == ["ended"]


def test_a_refusal_and_a_reset_pass_through() -> None:
    world = World()
    west, middle, east = chain(world, "west", "middle", "east")
    east.owner.accept = False
    refused, reset, cancelled = (west.open(middle, east) for _ in range(3))
    world.settle()
    streams = [stream for stream, _ in east.owner.offered]
    streams[0].refuse("no-target", 3)
    streams[1].accept(1)
    streams[1].reset("target-reset")
    assert cancelled.stream is not None
    cancelled.stream.reset("cancelled")
    world.settle()
    assert refused.calls == [("refused", "no-target", 3), ("lost", None)]
    assert reset.names == ["accepted", "lost"] and reset.losses == ["target-reset"]
    assert east.owner.recorders[2].losses == ["cancelled"]


def test_what_was_sent_before_a_break_passes_through_before_the_reset() -> None:
    world = World()
    west, middle, east = chain(world, "west", "middle", "east")
    handler = west.open(middle, east)
    world.settle()
    stream, _ = east.owner.offered[0]
    sent = bytes(range(256)) * 2_000
    stream.send_head(b"HTTP/1.1 200 OK\r\n\r\n", -1)
    stream.send(sent)
    stream.break_off("target-reset")
    world.settle()
    assert bytes(handler.data) == sent
    assert handler.losses == ["target-reset"]


def test_a_missing_link_is_no_route_and_nothing_reached_a_target() -> None:
    world = World()
    west, middle, east = chain(world, "west", "middle", "east")
    far = Router(world, "far")
    handler = west.open(middle, far)
    world.settle()
    assert handler.calls == [("refused", "no-route", -1), ("lost", None)]
    assert east.owner.offered == []


def test_a_path_in_a_circle_too_long_or_not_ours_is_not_allowed() -> None:
    world = World()
    west, middle, east = chain(world, "west", "middle", "east")
    request = west.request(middle, east)
    lane = west.links.open_stream
    many = tuple(RouterId(f"{number:016x}") for number in range(limits.PATH_ROUTERS_MAX))
    for path in (
        (middle.id, east.id, middle.id),
        (middle.id, west.id),
        (middle.id, *many),
    ):
        handler = Recorder()
        asked = type(request)(path, "web", 80, "tcp", west.identity.site)
        assert lane(asked, handler) is not None
        world.settle()
        assert handler.calls == [("refused", "not-allowed", -1), ("lost", None)]


@pytest.mark.parametrize(
    "ingress", ["", "a" * 31, "A" * 32, "\x1b[31m" + "a" * 27, "a" * 32 + "\n"]
)
def test_an_open_whose_ingress_is_no_site_s_id_is_not_allowed(ingress: str) -> None:
    world = World()
    west, middle, east = chain(world, "west", "middle", "east")
    for path in ((middle.id,), (middle.id, east.id)):
        handler = Recorder()
        asked = type(west.request(middle, east))(path, "web", 80, "tcp", SiteId(ingress))
        assert west.links.open_stream(asked, handler) is not None
        world.settle()
        assert handler.calls == [("refused", "not-allowed", -1), ("lost", None)]
    assert middle.owner.offered == east.owner.offered == []


@pytest.mark.parametrize("goes_on", [False, True])
def test_another_site_opens_no_stream_in_our_name_unless_it_leads_to_us(goes_on: bool) -> None:
    world = World()
    west, middle, east = chain(world, "west", "middle", "east")
    path = (middle.id, east.id) if goes_on else (middle.id,)
    asked = type(west.request(middle))(path, "web", 80, "tcp", middle.identity.site)
    end = east if goes_on else middle
    for brings_ours in (False, True):
        middle.owner.brings_ours = brings_ours
        handler, before = Recorder(), len(end.owner.offered)
        assert west.links.open_stream(asked, handler) is not None
        world.settle()
        assert len(end.owner.offered) == before + brings_ours
        assert (handler.calls[0] == ("refused", "no-route", -1)) is not brings_ours


def test_a_router_that_stops_refuses_streams_in_its_name_as_any_other_without_a_word() -> None:
    world = World()
    west, middle, _ = chain(world, "west", "middle", "east")
    keeps_it_up = west.open(middle)
    world.settle()
    asked = type(west.request(middle))((middle.id,), "web", 80, "tcp", middle.identity.site)
    handler, offered = Recorder(), len(middle.owner.offered)
    assert west.links.open_stream(asked, handler) is not None
    middle.links.drain()
    world.settle()
    assert keeps_it_up.names == ["accepted"]
    assert handler.calls[0] == ("refused", "draining", -1)
    assert not middle.owner.named("may bring ours")
    assert len(middle.owner.offered) == offered


def test_a_router_of_our_own_site_opens_streams_in_our_name() -> None:
    world = World()
    west = Router(world, "west", router="a" * 16, site="one")
    east = Router(world, "east", router="b" * 16, site="one")
    west.link("east", is_sibling=True)
    world.settle()
    west.open(east)
    world.settle()
    assert [asked.ingress for _, asked in east.owner.offered] == [east.identity.site]
    assert not east.owner.named("may bring ours")


def test_a_stream_goes_on_to_a_router_of_our_own_site_with_the_neighbor_that_brought_it() -> None:
    """Whatever that neighbor writes into its OPEN, only our own routers are believed."""
    world = World()
    west = Router(world, "west")
    first = Router(world, "first", router="a" * 16, site="one")
    second = Router(world, "second", router="b" * 16, site="one")
    west.link("first")
    first.link("second", is_sibling=True)
    world.settle()
    victim = first.identity.site
    lies = brought(west.request(first, second), victim)
    for asked in (west.request(first, second), lies, brought(west.request(first), victim)):
        assert west.links.open_stream(asked, Recorder()) is not None
        world.settle()
    told = [getattr(asked, "brought_by", "") for _, asked in second.owner.offered]
    assert told == [west.identity.site] * 2
    assert [getattr(asked, "brought_by", "") for _, asked in first.owner.offered] == [""]
    first.open(second)
    world.settle()
    assert getattr(second.owner.offered[-1][1], "brought_by", "") == ""


@pytest.mark.parametrize("which", ["first", "second"])
def test_a_lost_link_of_the_path_ends_both_ends_in_error(which: str) -> None:
    world = World()
    west, middle, east = chain(world, "west", "middle", "east")
    handler = west.open(middle, east)
    world.settle()
    # Both links came up side by side: control lanes, then data lanes.
    for wire in live_wires(world)[which == "second" :: 2]:
        wire.break_()
    world.settle()
    assert handler.losses == ["link-lost"]
    expected = "cancelled" if which == "first" else "link-lost"
    assert east.owner.recorders[0].losses == [expected]


def test_a_slow_client_of_a_download_holds_up_its_own_stream_alone() -> None:
    world = World()
    west, middle, east = chain(world, "west", "middle", "east")
    slow, fast = west.open(middle, east), west.open(middle, east)
    slow.pause_at = 1
    world.settle()
    total = b"d" * 3_000_000
    senders = []
    for (stream, _), seen in zip(east.owner.offered, east.owner.recorders, strict=True):
        sender = Sender(total)
        sender.stream = stream
        seen.writable = sender.go  # type: ignore[method-assign]
        senders.append(sender)
        sender.go()
    world.settle()
    assert bytes(fast.data) == total and fast.names == ["accepted", "ended"]
    assert len(slow.data) <= limits.STREAM_WINDOW_BYTES_INITIAL
    assert senders[0].sent < len(total) // 4
    slow.pause_at = None
    assert slow.stream is not None
    slow.stream.resume()
    world.settle()
    assert bytes(slow.data) == total and slow.names == ["accepted", "ended"]
