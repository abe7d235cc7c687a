"""Reports of one router of several of a site: its figures are not those of the site."""

import pytest

from router.admin.events import EventLog
from router.node.problems.left_out import NOTHING
from router.operate.record.episode_news import EpisodeNews
from router.operate.record.journal import Journal
from tests.simulation.world import SERVICE, World

HERE = f"Service {SERVICE} at this router"


@pytest.fixture
def world() -> World:
    """Site a dials b; only b serves."""
    world = World(3, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=5)
    a.declare(protocol="http")
    return world


def told(world: World, *, has_siblings: bool) -> list[str]:
    """What the journal of a has of one request, in order."""
    a, events = world.sites["a"], EventLog()
    EpisodeNews(
        a.network,
        a.router.readings,
        Journal(events, lambda number, event: None, lambda: "", lambda: 0.0),
        str,
        lambda key, lacks: NOTHING,
        a.router.site_name,
        named=(lambda key: f"{key} at this router") if has_siblings else str,
    )
    world.run(2)
    a.request()
    world.run(30)
    return [event.message for _, event in events.after()]


def test_requests_that_spill_for_want_of_a_target_are_said_to_be_those_of_this_router(
    world: World,
) -> None:
    a, b = world.sites.values()
    a.serve(1, capacity=1)
    b.serve(1, capacity=1, service_s=0.01)
    world.run(5)
    for target in a.targets.values():
        target.refuse()
    world.run(5)
    begun, ended = told(world, has_siblings=True)
    assert begun.startswith(f"{HERE}: 0 of 1 target is ready here")
    assert ended.startswith(f"{HERE}: for ")


def test_an_overflow_is_said_to_be_that_of_this_router(world: World) -> None:
    a, b = world.sites.values()
    a.serve(1, capacity=1, service_s=10)
    b.serve(1, capacity=1, service_s=0.01)
    world.run(5)
    a.request()
    begun, ended = told(world, has_siblings=True)
    assert begun == f"{HERE} overflows: 1 in flight here, capacity 1; so far 1 to b."
    assert ended.startswith(f"{HERE} overflowed for ")


def test_requests_that_are_refused_are_said_to_be_those_of_this_router(world: World) -> None:
    world.run(5)
    begun, ended = told(world, has_siblings=True)
    assert begun.startswith(f"{HERE} refuses requests: so far 1 found no ready target")
    assert ended.startswith(f"{HERE} refused 1 request within")


def test_the_only_router_of_a_site_reports_for_the_site(world: World) -> None:
    world.run(5)
    assert all(" at this router" not in one for one in told(world, has_siblings=False))
