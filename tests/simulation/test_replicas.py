"""Several routers of one site, as when its pod is replaced by another or has a second one."""

import pytest

from tests.simulation.world import SimIdentity, SimSite, World


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
