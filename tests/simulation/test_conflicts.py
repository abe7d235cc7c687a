"""Sites that want different things of one name."""

from tests.simulation.world import World


def test_every_site_names_who_differs_and_whose_declaration_is_in_force() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.declare()
    world.run(1)
    b.declare(policy="balanced")
    a.link(b, cost=1)
    world.run(5)
    for site in (a, b):
        (problem,) = [p for p in site.router.problems() if p.code == "SW0304"]
        assert "declared differently by b;" in problem.message
        assert "that of a (http, port 8080, policy fill)" in problem.message
        assert problem.hint.startswith("At b make it alike")
