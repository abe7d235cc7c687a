"""Edge routers as links see them: which may attach where, and whose paths are filled in."""

import pytest

from router.link import control
from router.link.ports import OpenRequest
from router.link.sessions.handshake import Abilities
from router.model import limits
from router.model.errors import RemoteProtocolError
from router.model.ids import RouterId
from router.model.messages.edges import WishMessage
from tests.unit.link.lanes import Recorder
from tests.unit.link.routers import Router
from tests.unit.link.test_handshake import Dialer
from tests.unit.link.wire import World

GOAL = RouterId("9" * 16)


def attached(world: World) -> tuple[Router, Router, Router]:
    """edge - near - far."""
    edge = Router(world, "edge", is_edge=True)
    near, far = Router(world, "near"), Router(world, "far")
    edge.link("near")
    near.link("far")
    world.settle()
    return edge, near, far


def opened(world: World, by: Router, *path: RouterId) -> Recorder:
    """A stream along ``path``; its handler, after all was said."""
    handler = Recorder()
    request = OpenRequest(path, "web", 80, "http", by.identity.site)
    handler.stream = by.links.open_stream(request, handler)
    assert handler.stream is not None
    world.settle()
    return handler


def test_an_edge_names_where_it_wants_to_go_and_its_neighbour_fills_in_the_path() -> None:
    world = World()
    edge, near, far = attached(world)
    near.owner.paths[GOAL] = (far.id,)
    opened(world, edge, near.id, GOAL)
    ((_, filled),) = far.owner.offered
    assert filled.path == (far.id,)
    assert near.owner.offered == []


def test_an_edge_without_a_way_is_refused_no_route() -> None:
    world = World()
    edge, near, far = attached(world)
    assert opened(world, edge, near.id, GOAL).calls[0] == ("refused", "no-route", -1)
    near.owner.paths[GOAL] = (far.id, edge.id)
    assert opened(world, edge, near.id, GOAL).calls[0] == ("refused", "no-route", -1)
    assert opened(world, edge, near.id, far.id).calls[0] == ("refused", "no-route", -1)
    assert far.owner.offered == []


def test_an_edge_may_not_choose_a_path_itself() -> None:
    world = World()
    edge, near, far = attached(world)
    near.owner.paths[GOAL] = (far.id,)
    handler = opened(world, edge, near.id, far.id, GOAL)
    assert handler.calls[0] == ("refused", "not-allowed", -1)


def test_paths_of_other_routers_are_not_filled_in() -> None:
    world = World()
    _, near, far = attached(world)
    near.owner.paths[GOAL] = (far.id,)
    west = Router(world, "west")
    west.link("near")
    world.settle()
    assert opened(world, west, near.id, GOAL).calls[0] == ("refused", "no-route", -1)


def test_no_stream_passes_through_an_edge() -> None:
    world = World()
    edge, near, far = attached(world)
    edge.link("far")
    world.settle()
    assert opened(world, near, edge.id, far.id).calls[0] == ("refused", "not-allowed", -1)
    assert far.owner.offered == []


def test_an_edge_serves_streams_that_end_at_it() -> None:
    world = World()
    edge, near, far = attached(world)
    opened(world, far, near.id, edge.id)
    assert [request.path for _, request in edge.owner.offered] == [(edge.id,)]


def test_an_older_neighbour_that_serves_no_edges_is_refused_with_advice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    monkeypatch.setattr("router.link.links.INTERIOR", Abilities(frozenset()))
    old, edge = Router(world, "old"), Router(world, "edge", is_edge=True)
    edge.link("old")
    world.settle()
    (line,) = edge.links.status()
    assert line.state == "refused"
    assert "edge-table" in line.error and "Upgrade the router of old" in line.error
    assert old.links.adjacent == {}


def test_an_older_edge_is_a_router_that_says_no_features() -> None:
    world = World()
    near = Router(world, "near")
    dialer = Dialer(world, near)
    dialer.say(dialer.hello())
    hello = dialer.heard[0]
    expected = ("answer", "digest", "edge-table", "renew", "shares", "sharing", "sibling")
    assert getattr(hello, "features", None) == expected
    assert getattr(hello, "required", None) == ()


def test_a_wish_of_more_names_than_allowed_is_a_bad_message() -> None:
    names = tuple(f"s{number}" for number in range(limits.EDGE_WISHES_MAX + 1))
    most = WishMessage(1, 1, names[1:])
    assert control.decode(memoryview(control.encode(most))) == most
    with pytest.raises(RemoteProtocolError):
        control.decode(memoryview(control.encode(WishMessage(1, 1, names))))


def test_two_edges_do_not_link() -> None:
    world = World()
    one, other = Router(world, "one", is_edge=True), Router(world, "other", is_edge=True)
    one.link("other")
    world.settle()
    (line,) = one.links.status()
    assert line.state == "refused"
    assert "both edge routers" in line.error and "interior" in line.error
    assert other.links.adjacent == {}
