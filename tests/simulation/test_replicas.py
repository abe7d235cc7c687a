"""Several routers of one site, as when its pod is replaced by another or has a second one."""

import pytest

from router.model import limits
from router.model.ids import ServiceKey
from router.model.specs import LinkSpec, ListenerSpec
from simulator.runs.virtual import SimIdentity
from tests.simulation.world import SERVICE, SimSite, World


def site_of_two(first: str, second: str) -> tuple[World, SimSite, SimSite, SimSite]:
    """Routers ``first`` and ``second`` (ids) of site a, both linked to b, where clients are."""
    world = World(1, "a", "b", "a2")
    a, b, a2 = world.sites.values()
    for router, number in ((a, first), (a2, second)):
        router.kill()
        router.identity = SimIdentity("a", number)
        router.start()
        router.link(b, cost=1)
        router.declared_at_s = {"shop": 0.0}
        router.declare()
        router.serve(1, 2)
    world.run(5)
    return world, a, b, a2


LOW, HIGH = f"{1:016x}", f"{9:016x}"


@pytest.mark.parametrize(("first", "second"), [(LOW, HIGH), (HIGH, LOW)])
def test_while_one_router_of_a_site_drains_others_use_the_other(first: str, second: str) -> None:
    world, a, b, a2 = site_of_two(first, second)
    answers = b.offer(5, 4)
    gone: list[bool] = []
    world.run(1)
    a.stop(lambda: gone.append(True))
    world.run(10)
    assert gone and {answer.status for answer in answers} == {200}
    assert a2.served >= 14
    assert not any(site.router.problems() for site in (b, a2))


@pytest.mark.parametrize(("first", "second"), [(LOW, HIGH), (HIGH, LOW)])
def test_a_router_without_targets_of_its_own_hides_no_other_of_its_site(
    first: str, second: str
) -> None:
    world, a, b, _ = site_of_two(first, second)
    a.targets[9001].listener.close()
    world.run(3)
    answers = b.offer(5, 4)
    world.run(6)
    assert {answer.status for answer in answers} == {200}


def test_a_site_of_two_routers_is_one_site_for_others() -> None:
    world, *_ = site_of_two(LOW, HIGH)
    for router in world.sites.values():
        named = [route.name for route in router.router.routing.table.sites.values()]
        assert sorted(named) == ["a", "b"]
        assert not router.router.problems()


def test_one_of_two_routers_gives_out_slots_of_the_other_as_they_become_free() -> None:
    """Not told yet are those that became free soon after each other."""
    service_s = 2.0
    world = World(1, "a", "a2")
    a, a2 = world.sites.values()
    for router, number in ((a, LOW), (a2, HIGH)):
        router.kill()
        router.identity = SimIdentity("a", number)
        router.start()
        router.declared_at_s = {"shop": 0.0}
        router.declare()
        router.serve(1, 2, service_s=service_s)
    a2.siblings = [a]
    a2.apply()
    world.run(5)
    for first, then in ((a, a2), (a2, a)):
        early = []
        for _ in range(4):
            early.append(first.request())
            world.run(0.003)
        world.run_while(lambda early=early: not all(one.ended for one in early), 10)  # type: ignore[misc]
        late = [then.request() for _ in range(4)]
        world.run(2 * service_s)
        assert {answer.status for answer in early + late} == {200}
        assert max(answer.ended - answer.began for answer in late) < service_s + 0.1


def test_a_router_beside_another_is_ready_once_it_listens_where_services_lead_clients() -> None:
    """It learns of services declared elsewhere only from others, a moment after it reaches them."""
    world, _, a2 = site_with_a_link_at_one_router(LOW, HIGH)
    a2.kill()
    a2.inner_ports, a2.promised = {}, {SERVICE: 1024}
    a2.start()
    world.run(limits.START_LISTENS_S / 2)
    assert a2.router.routing.table.candidates, "it knows of the service by now"
    assert not a2.router.listens_where_promised
    a2.inner_ports = {SERVICE: 1024}
    a2.apply()
    assert a2.router.listens_where_promised


def test_a_router_waits_only_so_long_for_services_that_nobody_declares() -> None:
    world, _, a2 = site_with_a_link_at_one_router(LOW, HIGH)
    a2.kill()
    a2.inner_ports, a2.promised = {}, {ServiceKey("gone", 80): 1024}
    a2.start()
    world.run(limits.START_LISTENS_S - 0.1)
    assert not a2.router.listens_where_promised
    world.run(0.1)
    assert a2.router.listens_where_promised


def test_the_only_router_of_a_site_is_ready_without_services_of_other_sites() -> None:
    """No other router would serve clients of its services meanwhile."""
    world, a, _ = site_with_a_link_at_one_router(LOW, HIGH)
    a.kill()
    a.inner_ports, a.promised = {}, {ServiceKey("gone", 80): 1024}
    a.start()
    world.run(0.1)
    assert a.router.listens_where_promised


def site_with_a_link_at_one_router(first: str, second: str) -> tuple[World, SimSite, SimSite]:
    """Routers a and a2 (ids ``first`` and ``second``) of a site; b, which has the targets, dials a.

    Router a2 is not known to b, but it has dialed a.
    """
    world = World(1, "a", "b", "a2")
    a, b, a2 = world.sites.values()
    for router, number in ((a, first), (a2, second)):
        router.kill()
        router.identity = SimIdentity("a", number)
        router.start()
        router.listeners["shop"] = ListenerSpec(service="shop")
    b.link(a, cost=1)
    b.declare()
    b.serve(2, 10)
    a2.siblings = [a]
    a2.apply()
    world.run(5)
    return world, a, a2


@pytest.mark.parametrize(("first", "second"), [(LOW, HIGH), (HIGH, LOW)])
def test_a_router_reaches_other_sites_through_another_of_its_site(first: str, second: str) -> None:
    world, a, a2 = site_with_a_link_at_one_router(first, second)
    b = world["b"]
    answers = a2.offer(5, 2) + a.offer(5, 2)
    more = a.offer(5, 2)
    world.run(4)
    assert {answer.site for answer in (*answers, *more)} == {"b"}
    route = a2.router.routing.table.sites[b.identity.site]
    assert route.path_cost == 1
    assert route.paths == ((a.identity.router, b.identity.router),)
    assert a2.router.names.sites(route.paths[0]) == ("b",)
    for router in (a, a2):
        assert all(line.neighbour_name == "b" for line in router.router.links.status())
        assert len(router.router.links.adjacencies.siblings) == 1
        assert not router.router.problems()


def replaced_in_front_of(b: SimSite, a: SimSite, a2: SimSite) -> None:
    """The place that b dials leads to a or a2, whichever listens, as a Service does."""
    b.endpoints["to-a"] = f"{a.ip} {a2.ip}"
    b.links["to-a"] = LinkSpec(cost=1, disabled=True)
    b.apply()
    b.links["to-a"] = LinkSpec(cost=1)
    b.apply()
    b.world.run(2)


@pytest.mark.parametrize(("first", "second"), [(LOW, HIGH), (HIGH, LOW)])
def test_no_request_at_the_next_router_is_lost_while_the_one_with_the_links_stops(
    first: str, second: str
) -> None:
    world, a, a2 = site_with_a_link_at_one_router(first, second)
    replaced_in_front_of(world["b"], a, a2)
    answers = a2.offer(20, 6)
    gone: list[bool] = []
    world.run(2)
    assert a.router.links.status() and not a2.router.links.status()
    a.stop(lambda: gone.append(True))
    world.run(10)
    assert gone and {answer.site for answer in answers} == {"b"}
    assert [line.neighbour_name for line in a2.router.links.status()] == ["b"]


def test_a_long_request_at_a_router_that_stops_keeps_no_other_from_the_next_one() -> None:
    world, a, a2 = site_with_a_link_at_one_router(LOW, HIGH)
    b = world["b"]
    replaced_in_front_of(b, a, a2)
    for target in b.targets.values():
        target.service_s = 8.0
    long = a.request()
    world.run(0.5)
    for target in b.targets.values():
        target.service_s = 0.1
    a.stop(lambda: None, 20.0)
    world.run(0.5)
    answers = a2.offer(10, 4)
    world.run(5)
    assert {answer.site for answer in answers} == {"b"} and not long.ended
    assert max(answer.ended - answer.began for answer in answers) < 0.5
    world.run(6)
    assert long.site == "b"


def test_a_router_whose_sibling_dies_waits_for_a_link_of_its_own() -> None:
    world, a, a2 = site_with_a_link_at_one_router(LOW, HIGH)
    replaced_in_front_of(world["b"], a, a2)
    answers = a2.offer(20, 4)
    world.run(1)
    a.kill()
    world.run(8)
    assert {answer.site for answer in answers} == {"b"}


@pytest.mark.parametrize(("first", "second"), [(LOW, HIGH), (HIGH, LOW)])
def test_a_router_misses_no_link_that_another_router_of_its_site_has(
    first: str, second: str
) -> None:
    world, a, a2 = site_with_a_link_at_one_router(first, second)
    b = world["b"]
    b.link(a2, cost=1)
    world.run(3)
    world.internet.cut(a.ip, b.ip)
    world.run(20)
    assert a.router.routing.table.sites[b.identity.site].reachable
    assert a.router.links.status() == []
    world.internet.cut(a2.ip, b.ip)
    world.run(20)
    for router in (a, a2):
        (line,) = router.router.links.status()
        assert (line.name, line.direction, line.state) == ("b", "incoming", "down")
    for router in (a, a2):
        world.internet.heal(router.ip, b.ip)
    world.run(40)
    assert {router.router.links.status()[0].state for router in (a, a2)} == {"up"}
