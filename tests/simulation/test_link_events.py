"""What people hear of a link that does not come up."""

from tests.simulation.world import World


def codes(world: World, subject: str) -> list[str]:
    return [line.split()[2] for line in world.journal if f" {subject}: " in line]


def test_a_link_to_a_dead_host_is_told_of_once_and_again_after_it_was_up() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    b.kill()
    a.link(b, cost=1)
    world.run(30)
    assert codes(world, "to-b") == ["link-failing"]
    b.start()
    world.run(60)
    assert a.router.links.adjacent
    b.kill()
    world.run(30)
    assert codes(world, "to-b").count("link-failing") >= 2
