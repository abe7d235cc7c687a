"""What the router tells of itself."""

import pytest

from router.link.outgoing import OutgoingSpec
from router.main.ports import PendingLink
from router.main.views import OperatorView
from router.model.specs import LinkSpec
from tests.simulation.world import SimCredentials, SimMemory, World


def test_a_refused_link_is_a_problem_of_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: SimCredentials, name: str, spec: LinkSpec) -> OutgoingSpec | PendingLink:
        return PendingLink(
            state="refused",
            error="the claim is used",
            site_name="b",
            site_id="0b" * 16,
            cost=1,
            since=2.0,
        )

    monkeypatch.setattr(SimCredentials, "outgoing", refused)
    world = World(1, "a", "b")
    a, b = world.sites.values()
    views = OperatorView(
        a.router,
        a.network,  # type: ignore[arg-type]  # Only its clock is asked here.
        SimMemory(a, 100).guard,
        dict,
        lambda name, arguments: None,
    )
    assert views.status().problems == ()
    a.link(b, cost=1)
    world.run(5)
    (link,) = views.links()
    assert (link.neighbour.name, link.neighbour.id) == ("b", "0b" * 16)
    (problem,) = views.status().problems
    assert problem.code == "SW0404"
    assert problem.message == "Link to-b was refused: the claim is used"
    assert problem.hint == "sitectl link delete to-b, then link with a new token"
