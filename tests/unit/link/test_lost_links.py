"""The site that accepted a link remembers the neighbor when the link breaks."""

import pytest

from router.link.links import Links
from router.link.neighbour import Neighbour
from router.link.sessions.link_status import LinkStatus, in_words
from router.model import limits
from router.net.ports import DialFailure
from tests.unit.link.routers import Router, linked
from tests.unit.link.wire import World


def cut(world: World) -> None:
    """Break all lanes; nothing can be dialed until further notice."""
    world.dial_failure = DialFailure("refused", "east:1 refused")
    for wire in list(world.wires):
        wire.break_()
    world.settle()


def line_of(links: Links) -> LinkStatus:
    (line,) = links.status()
    return line


def test_a_lost_link_stays_listed_with_its_neighbor_since_when_and_why() -> None:
    world = World()
    west, east = linked(world, cost=5)
    before = line_of(east.links)
    world.advance(3.0)
    lost_at = world.time
    cut(world)
    line = line_of(east.links)
    assert (line.name, line.direction, line.state) == ("west", "incoming", "down")
    assert (line.neighbour_name, line.neighbour_site) == ("west", before.neighbour_site)
    assert (line.cost, line.since, line.lanes, line.streams) == (5, lost_at, 0, 0)
    assert "connection was lost" in line.error
    assert line.rtt_s is None and line.bytes_in >= before.bytes_in > 0
    assert ("changed", "west") in east.owner.events
    world.dial_failure = None
    world.advance(limits.RECONNECT_MAX_S)
    assert (line_of(east.links).name, line_of(east.links).state) == ("west", "up")
    assert line_of(west.links).state == "up"


def test_it_is_forgotten_after_some_minutes() -> None:
    world = World()
    _, east = linked(world)
    cut(world)
    world.advance(limits.LOST_LINK_SHOWN_S - 1.0)
    assert line_of(east.links).state == "down"
    world.advance(2.0)
    assert east.links.status() == []


def test_a_neighbor_that_stops_is_missed_and_one_that_deletes_its_link_is_not() -> None:
    world = World()
    west, east = linked(world)
    west.links.close()
    world.settle()
    assert line_of(east.links).error == "west closed: west was asked to stop"
    world = World()
    west, east = linked(world)
    west.links.set_links({})
    world.settle()
    assert east.links.status() == []


@pytest.mark.parametrize("drains", [True, False])
def test_a_neighbor_whose_site_is_deleted_is_not_missed(drains: bool) -> None:
    world = World()
    west, east = linked(world)
    west.links.departure.because_deleted()
    assert line_of(east.links).state == "up"
    if drains:
        west.links.drain()
        west.links.finish(lambda: None)
    else:
        west.links.close()
    world.settle()
    assert west.links.adjacent == {} and east.links.status() == []


def test_a_deleted_link_is_forgotten_even_if_it_was_lost_before() -> None:
    world = World()
    west, east = linked(world)
    cut(world)
    world.dial_failure = None
    world.advance(limits.RECONNECT_MAX_S)
    west.links.set_links({})
    world.settle()
    assert east.links.status() == []


@pytest.mark.parametrize("is_up", [True, False])
@pytest.mark.parametrize("way", ["site", "neighbour", "all"])
def test_whose_access_is_revoked_is_forgotten(is_up: bool, way: str) -> None:
    world = World()
    west, east = linked(world)
    if not is_up:
        cut(world)
    west_site = west.identity.site

    def is_west(neighbour: Neighbour) -> bool:
        return neighbour.site == west_site

    if way == "all":
        east.links.renewals.drop_incoming("revoked")
    else:
        east.links.drop(west_site if way == "site" else is_west, "revoked")
    world.dial_failure = DialFailure("refused", "east:1 refused")
    world.settle()
    assert east.links.status() == []


def test_a_link_that_another_router_of_this_site_has_is_not_missing_here() -> None:
    world = World()
    west, east = linked(world)
    cut(world)
    east.owner.elsewhere = frozenset({west.identity.site})
    assert east.links.status() == []
    east.owner.elsewhere = frozenset()
    assert line_of(east.links).state == "down"


def test_another_router_of_the_site_that_has_the_link_takes_its_place_and_name() -> None:
    world = World()
    west, east = linked(world)
    cut(world)
    world.dial_failure = None
    west.links.set_links({})
    Router(world, "west-2", router="0" * 16, site="west").link("east")
    world.settle()
    line = line_of(east.links)
    assert (line.name, line.state) == ("west", "up")


def test_the_name_of_a_lost_link_is_given_to_no_other() -> None:
    world = World()
    west, east = linked(world)
    cut(world)
    west.links.set_links({})
    world.dial_failure = None
    other = Router(world, "other")
    other.identity.name = "west"
    other.link("east")
    world.settle()
    assert {(line.name, line.state) for line in east.links.status()} == {
        ("west", "down"),
        ("west-2", "up"),
    }


def test_the_memory_is_bounded_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOST_LINKS_MAX", 2)
    world = World()
    east = Router(world, "east")
    for number in range(3):
        Router(world, f"west{number}").link("east")
    world.settle()
    for wire in list(world.wires):
        wire.break_()
        world.dial_failure = DialFailure("refused", "east:1 refused")
        world.settle()
    down = [line.name for line in east.links.status()]
    assert down == ["west1", "west2"]


def test_a_link_in_words() -> None:
    assert in_words("link1", "outgoing", "west") == "link link1 to west"
    assert in_words("west", "incoming", "west") == "link west from west"
    assert in_words("link1", "outgoing", "") == "link link1"


@pytest.mark.parametrize("first_to_go", [0, 1])
def test_of_two_routers_of_a_site_that_end_the_link_of_the_one_that_is_back_has_no_number(
    first_to_go: int,
) -> None:
    world = World()
    west, east = linked(world)
    second = Router(world, "west-2", router="0" * 16, site="west")
    second.identity.name = "west"
    second.link("east")
    world.settle()
    assert [line.name for line in east.links.status()] == ["west", "west-2"]
    both = [west, second]
    for leaving in (both[first_to_go], both[1 - first_to_go]):
        leaving.links.close()
        world.settle()
    assert (line_of(east.links).name, line_of(east.links).state) == ("west", "down")
    back = Router(world, "west-3", router="1" * 16, site="west")
    back.identity.name = "west"
    back.link("east")
    world.settle()
    assert (line_of(east.links).name, line_of(east.links).state) == ("west", "up")
