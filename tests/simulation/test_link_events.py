"""What people hear of a link that does not come up."""

import pytest

from router.model.specs import LinkSpec
from tests.simulation.world import SimSite, World


def codes(world: World, subject: str) -> list[str]:
    return [line.split()[2] for line in world.journal if f" {subject}: " in line]


def test_a_link_to_a_dead_host_is_told_of_once_and_again_after_it_was_up() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    b.kill()
    a.link(b, cost=1)
    world.run(30)
    assert codes(world, "to-b") == ["link-failing"]
    assert any("to-b: Link to-b is not up: " in line for line in world.journal)
    b.start()
    world.run(60)
    assert a.router.links.adjacent
    b.kill()
    world.run(30)
    assert codes(world, "to-b").count("link-failing") >= 2


def test_a_link_that_comes_up_beside_another_to_its_site_is_told_of_if_its_failure_was() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    world.run(10)
    a.links["second"] = a.links["to-b"]
    a.endpoints["second"] = "10.99.99.99"  # No router is there.
    a.apply()
    world.run(30)
    assert codes(world, "second") == ["link-failing"]
    a.endpoints["second"] = b.ip
    a.links["second"] = LinkSpec(cost=2)
    a.apply()
    world.run(60)
    assert [line.state for line in a.router.links.status()] == ["up", "up"]
    told = [line.partition(" b: ")[2] for line in world.journal if "link-up b: " in line]
    assert told == ["Linked to b, cost 1.", "Link second to b is up."]


def test_both_ends_are_told_of_a_further_link_that_comes_and_goes() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    world.run(10)
    here: list[str] = []
    there: list[str] = []
    a.told.append(lambda code, subject, text: here.append(text))
    b.told.append(lambda code, subject, text: there.append(text))
    a.endpoints["second"], a.links["second"] = b.ip, LinkSpec(cost=2)
    a.apply()
    world.run(10)
    assert (here, there) == (["Link second to b is up."], ["Link a-2 from a is up."])
    del a.links["second"]
    a.apply()
    world.run(60)
    assert [line.name for line in a.router.links.status()] == ["to-b"]
    assert here[1:] == ["Link second to b went down: the link was deleted."]
    assert there[1:] == ["Link a-2 from a went down: a closed: the link was deleted."]


def test_a_neighbour_that_stops_as_planned_is_no_failure_until_it_is_back_and_dies() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    world.run(60)
    gone: list[bool] = []
    b.stop(lambda: gone.append(True))
    world.run_while(lambda: not gone, 30)
    world.run(30)
    told = [line.partition(" b: ")[2] for line in world.journal if "link-down b: " in line]
    assert told == ["The last link to b went down: b closed: b was asked to stop."]
    assert codes(world, "to-b") == []
    b.start()
    world.run(60)
    assert a.router.links.adjacent
    b.kill()
    world.run(30)
    assert "link-failing" in codes(world, "to-b")


def test_a_neighbour_that_stops_once_its_last_request_is_answered_stops_in_order() -> None:
    """It says that it opens no more streams, and that the link ends, in one breath."""
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    b.serve(1, 1, service_s=3.0)
    world.run(20)
    answer = a.request()
    world.run(1)
    gone: list[bool] = []
    b.stop(lambda: gone.append(True))
    world.run_while(lambda: not gone, 30)
    world.run(5)
    assert answer.status == 200
    told = [line.split(" ", 1)[1] for line in world.journal if "link-down b: " in line]
    assert told == [
        "info link-down b: The last link to b went down: b closed: b was asked to stop."
    ]


@pytest.mark.parametrize("is_busy", [False, True])
def test_a_worker_that_drains_because_its_router_died_does_not_end_its_links_as_planned(
    is_busy: bool,
) -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    b.serve(1, 1, service_s=3.0)
    world.run(20)
    if is_busy:
        a.request()
        world.run(1)
    gone: list[bool] = []
    b.router.links.departure.because_crashed()
    b.stop(lambda: gone.append(True))
    world.run_while(lambda: not gone, 30)
    world.run(5)
    told = [line.split(" ", 1)[1] for line in world.journal if "link-down b: " in line]
    assert told == [
        "warning link-down b: The last link to b went down: b closed: the router of b was killed "
        "or crashed."
    ]


@pytest.mark.parametrize("client", ["a", "b"])
def test_a_neighbour_whose_drain_runs_out_stops_in_order_too(client: str) -> None:
    """Requests that are cut are reported where they are counted: the link ends as planned."""
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    (b if client == "a" else a).serve(1, 1, service_s=60.0)
    world.run(20)
    answer = world[client].request()
    world.run(1)
    gone: list[bool] = []
    b.stop(lambda: gone.append(True), grace_s=5.0)
    world.run_while(lambda: not gone, 30)
    world.run(5)
    assert answer.status != 200
    told = [line.split(" ", 1)[1] for line in world.journal if "link-down b: " in line]
    assert told == [
        "info link-down b: The last link to b went down: b closed: b was asked to stop."
    ]


def with_two_routers() -> tuple[World, SimSite, SimSite]:
    """A site `b` of two routers, both linked to `a`; its routers."""
    world = World(1, "a", "b", "c")
    a, b, other = world.sites.values()
    other.join(b)
    for site in (b, other):
        site.endpoints["to-a"] = a.ip
        site.link(a, cost=1)
    world.run(20)
    return world, b, other


def test_one_of_two_routers_that_stops_is_not_taken_for_its_site() -> None:
    world, _, other = with_two_routers()
    gone: list[bool] = []
    other.stop(lambda: gone.append(True))
    world.run_while(lambda: not gone, 30)
    world.run(5)
    told = [line.partition(" b: ")[2] for line in world.journal if "link-down b: " in line]
    of_site = "One of the links to b went down: b closed: a router of b was asked to stop."
    of_sibling = "The link to another router of this site, b, went down: "
    assert of_site in told
    assert f"{of_sibling}b closed: a router of b was asked to stop." in told
    assert not any("b was asked to stop" in one.replace("a router of b", "") for one in told)


def links_lost_to_b(world: World) -> list[str]:
    """What the other sites, and other routers of b, hear of the ends of links to it."""
    return [line.partition(" b: ")[2] for line in world.journal if "link-down b: " in line]


def test_a_site_whose_routers_all_stop_is_said_to_stop_by_each_of_them() -> None:
    world, b, other = with_two_routers()
    gone: list[bool] = []
    other.stop(lambda: gone.append(True))
    b.stop(lambda: gone.append(True))
    world.run_while(lambda: len(gone) < 2, 30)
    world.run(5)
    told = [one for one in links_lost_to_b(world) if "of this site" not in one]
    assert told == [
        "One of the links to b went down: b closed: b was asked to stop.",
        "The last link to b went down: b closed: b was asked to stop.",
    ]


def test_of_two_routers_that_stop_one_after_the_other_the_last_one_stops_the_site() -> None:
    world, b, other = with_two_routers()
    for site in (other, b):
        gone: list[bool] = []
        site.stop(lambda: gone.append(True))  # noqa: B023
        world.run_while(lambda: not gone, 30)  # noqa: B023
        world.run(5)
    told = [one for one in links_lost_to_b(world) if "of this site" not in one]
    assert told == [
        "One of the links to b went down: b closed: a router of b was asked to stop.",
        "The last link to b went down: b closed: b was asked to stop.",
    ]
