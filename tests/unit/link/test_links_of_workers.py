"""A neighbor with workers dials each link once for each: here it is one link wherever they come
to."""

import msgspec
import pytest

from router.link.sessions.link_status import LinkStatus, joined
from router.net.ports import DialFailure
from tests.unit.link.routers import Router
from tests.unit.link.wire import Wire, World


def member(world: World, number: int, worker: int = 0) -> Router:
    """A router of west, which dials east."""
    found = Router(world, f"west-{number}", router=f"{number}" * 16, site="west", worker=worker)
    found.identity.name = "west"
    found.link("east")
    return found


def rows(east: Router) -> list[tuple[str, str, int]]:
    return [(line.name, line.state, line.lanes) for line in joined(east.links.status())]


def row(east: Router) -> LinkStatus:
    (line,) = joined(east.links.status())
    return line


def with_workers(world: World, count: int = 3) -> tuple[Router, list[Router]]:
    east = Router(world, "east")
    workers = [member(world, number, worker=number) for number in range(count)]
    world.settle()
    return east, workers


def cut(world: World, wires: list[Wire]) -> None:
    world.dial_failure = DialFailure("refused", "east:1 refused")
    for wire in wires:
        wire.break_()
    world.settle()


def test_connections_of_all_workers_are_one_link() -> None:
    world = World()
    east, workers = with_workers(world)
    lines = east.links.status()
    assert {line.neighbour_router for line in lines} == {one.id for one in workers}
    assert rows(east) == [("west", "up", 3)]
    workers[1].open(east)
    workers[2].open(east)
    world.settle()
    shown = row(east)
    assert shown.streams == 2
    assert shown.bytes_in == sum(line.bytes_in for line in east.links.status())


def test_routers_that_are_no_workers_of_each_other_have_a_link_each() -> None:
    world = World()
    east = Router(world, "east")
    for number in range(2):
        member(world, number)
    world.settle()
    assert rows(east) == [("west", "up", 1), ("west-2", "up", 1)]


def test_each_link_of_the_workers_has_a_row() -> None:
    world = World()
    east, workers = with_workers(world, 2)
    for one in workers:
        one.link("east", name="second")
    world.settle()
    assert rows(east) == [("west", "up", 2), ("west-2", "up", 2)]


def test_the_link_is_up_and_its_bytes_stay_while_any_worker_is_connected() -> None:
    world = World()
    east, workers = with_workers(world, 2)
    before = row(east)
    workers[0].links.set_links({})
    workers[0].links.close()
    world.settle()
    after = row(east)
    assert (after.name, after.state, after.lanes) == ("west", "up", 1)
    assert after.bytes_in >= before.bytes_in
    assert after.bytes_out >= before.bytes_out
    cut(world, list(world.wires))
    assert rows(east) == [("west", "down", 0)]
    world.dial_failure = None
    world.advance(60.0)
    assert rows(east) == [("west", "up", 1)]


def test_a_connection_that_drains_is_a_separate_row_and_the_link_counts_its_bytes() -> None:
    world = World()
    east, workers = with_workers(world, 2)
    workers[1].open(east)
    world.settle()
    workers[1].links.drain()
    world.settle()
    assert rows(east) == [("west", "up", 1), ("west", "draining", 1)]
    up, draining = joined(east.links.status())
    assert up.bytes_in > draining.bytes_in > 0


@pytest.mark.parametrize("silent_s", [(3.0, 0.0), (0.0, 3.0)])
def test_a_link_is_silent_where_one_worker_is(silent_s: tuple[float, float]) -> None:
    world = World()
    east, _ = with_workers(world, 2)
    both = zip(east.links.status(), silent_s, strict=True)
    (shown,) = joined([msgspec.structs.replace(line, silent_s=one) for line, one in both])
    assert shown.silent_s == 3.0
