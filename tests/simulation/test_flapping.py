"""Links that are up but unused, since a neighbor comes and goes too often or has no room: whole
routers, and their reports.
"""

import pytest

from router.model.limits import FLAPS_FREE
from router.routing import adjacent
from tests.simulation.world import World
from tests.unit.operate.views import view_of


def ring() -> World:
    world = World(5, *"wnse")
    for one, other in (("n", "w"), ("n", "e"), ("s", "w"), ("s", "e")):
        world[one].link(world[other], 1)
    world["e"].serve(1, 50, service_s=0.02)
    world["w"].declare(queue=100, queue_wait_s=10.0)
    world.run(5)
    return world


def codes(world: World, name: str) -> list[str]:
    return [problem.code for problem in world[name].router.problems(lambda at: f"{at:.0f}")]


def problems(world: World, name: str) -> list[str]:
    return [one.message for one in world[name].router.problems(lambda at: f"{at:.0f}")]


def held_back(world: World, name: str, neighbour: str) -> bool:
    """Whether `link status` and `network status` say so."""
    network = {one.name: one for one in view_of(world[name]).network()}
    reason = "the other site holds the link back: it went down too often"
    shown = not network[neighbour].reachable and network[neighbour].reason == reason
    return shown and link_error(world, name, neighbour) == reason


def link_error(world: World, name: str, neighbour: str) -> str:
    """As `link status` shows it."""
    site = world[name]
    links = view_of(site).links()
    return next(line.error for line in links if line.neighbour.name == neighbour)


def test_a_site_that_restarts_too_often_is_gone_around_until_it_stays_and_this_is_told() -> None:
    world = ring()
    for _ in range(FLAPS_FREE + 4):
        world["n"].kill()
        world.run(0.2)
        world["n"].start()
        world.run_while(lambda: len(world["n"].router.links.adjacent) < 2, 10.0)
        world.run(0.3)
    assert "SW0673" in codes(world, "w")
    world.run_while(lambda: len(world["n"].router.site_problems.held_by_neighbours()) < 2, 10.0)
    assert held_back(world, "n", "w") and held_back(world, "n", "e")
    (first, second) = [one for one in problems(world, "n") if one.startswith("The link with ")]
    assert first.startswith("The link with e is up, but e holds it back, since it went down too ")
    assert second.startswith("The link with w is up, but w holds it back, since it went down too ")
    assert any("link-flapping n:" in line for line in world.journal)
    assert link_error(world, "w", "n").startswith("flaps: counts again at 20")
    assert link_error(world, "w", "s") == ""
    west = world["w"].router
    east, north = world["e"].identity.site, world["n"].identity
    assert west.routing.table.sites[east].next_hops == (world["s"].identity.router,)
    answers = [world["w"].request() for _ in range(10)]
    world.run(1.0)
    assert {answer.status for answer in answers} == {200}
    world.run(60.0)
    assert "SW0673" not in codes(world, "w") + codes(world, "n")
    assert link_error(world, "w", "n") == ""
    assert any("link-steady n:" in line for line in world.journal)
    assert north.router in west.routing.table.sites[east].next_hops


@pytest.mark.parametrize("tenths", [0, 3, 4, 5, 8, 9])
def test_a_neighbor_that_noticed_first_that_the_link_is_cut_is_not_said_to_hold_it_back(
    tenths: int,
) -> None:
    world = World(3, *"abc")
    for one, other in (("a", "b"), ("c", "b"), ("c", "a")):
        world[one].link(world[other], 1)
    world["a"].declare()
    world["b"].serve(2, 5)
    world.run(8)
    world["a"].offer(15, 4.0)  # So that b reports its load to c.
    world.run(2 + tenths / 10)
    world.internet.cut(world["b"].ip, world["c"].ip)
    for _ in range(60):
        world.run(0.1)
        assert "SW0673" not in codes(world, "b") + codes(world, "c")


@pytest.mark.parametrize("knows_the_hub", [False, True])
def test_a_neighbor_without_room_for_a_link_is_not_said_to_hold_it_back(
    monkeypatch: pytest.MonkeyPatch, knows_the_hub: bool
) -> None:
    monkeypatch.setattr(adjacent, "ADJACENCIES_MAX", 2)
    world = World(5, *"hwex")
    for name in "we":
        world[name].link(world["h"], 1)
    world.run(5)
    if knows_the_hub:
        world["x"].link(world["w"], 1)
        world.run(5)
    world["x"].link(world["h"], 1)
    world.run(5)
    begin = "The link with h is up, but h has no room for it: a router has at most "
    assert codes(world, "x") == ["SW0694"] and problems(world, "x")[0].startswith(begin)
    assert link_error(world, "x", "h").startswith("the other site has no room for the link")
    (here,) = problems(world, "h")
    assert here.startswith("The link with x is up, but this router has no room for it")
    assert link_error(world, "h", "x").startswith("this router has no room for the link")
    row = next(one for one in view_of(world["x"]).network() if one.name == "h")
    assert row.reachable == knows_the_hub
    assert row.reason == ("" if knows_the_hub else link_error(world, "x", "h"))


def test_a_link_without_room_is_used_once_another_link_of_the_full_router_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(adjacent, "ADJACENCIES_MAX", 2)
    world = World(5, *"hwex")
    for name in "wex":
        world[name].link(world["h"], 1)
        world.run(5)
    world["x"].serve(1, 50, service_s=0.02)
    world["w"].declare()
    world.run(5)
    assert "SW0694" in codes(world, "x") and "SW0694" in codes(world, "h")
    world["e"].kill()
    world.run(15)
    assert codes(world, "x") == codes(world, "h") == []
    assert link_error(world, "h", "x") == link_error(world, "x", "h") == ""
    reached = {one.name for one in view_of(world["x"]).network() if one.reachable}
    assert reached == {"x", "h", "w"}
    answers = [world["w"].request() for _ in range(10)]
    world.run(1.0)
    assert {answer.status for answer in answers} == {200}
