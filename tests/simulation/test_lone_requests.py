"""What other sites hear of requests that come alone."""

from collections.abc import Callable

import pytest

from router.link.links import Links
from router.link.routing_messages import LoadMessage
from router.model import limits
from router.model.ids import RouterId
from tests.simulation.world import SimSite, World

LASTS_S = 20.0


class Told:
    """Load reports that leave any router of a world."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        send = Links.send

        def noted(links: Links, router: RouterId, message: object) -> None:
            self.count += isinstance(message, LoadMessage)
            send(links, router, message)  # type: ignore[arg-type]

        monkeypatch.setattr(Links, "send", noted)

    def during(self, world: World, every_s: float, each: Callable[[], object]) -> int:
        """How many, while ``each`` is called again and again."""
        before = self.count
        for _ in range(round(LASTS_S / every_s)):
            each()
            world.run(every_s)
        return self.count - before


def joined(server: str, service_s: float) -> tuple[World, SimSite]:
    """Two sites; the service is at ``server``, and clients come to a."""
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    world[server].serve(1, capacity=10, service_s=service_s)
    world.run(7.5)  # Midway between two times when all loads are sent again.
    return world, a


@pytest.mark.parametrize("every_s", [0.2, 0.7, 2.0])
@pytest.mark.parametrize("server", ["a", "b"])
def test_nothing_is_told_of_requests_that_are_over_soon(
    monkeypatch: pytest.MonkeyPatch, server: str, every_s: float
) -> None:
    world, a = joined(server, 0.01)
    told = Told(monkeypatch)
    at_rest = told.during(world, every_s, lambda: None)
    assert at_rest == told.during(world, every_s, a.request) > 0, "what is told again at rest"


def test_one_that_lasts_is_told_of_and_so_is_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    service_s = 4 * limits.LOAD_LASTS_S
    world, a = joined("a", service_s)
    told = Told(monkeypatch)
    at_rest = told.during(world, 5.0, lambda: None)
    requests = round(LASTS_S / 5.0)
    assert told.during(world, 5.0, a.request) >= at_rest + 2 * requests


def test_after_several_at_once_the_last_word_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their counts travel with streams, too, and one of them may come after the last report."""
    world, a = joined("b", 0.01)
    told = Told(monkeypatch)
    at_rest = told.during(world, 5.0, lambda: None)
    both = told.during(world, 5.0, lambda: (a.request(), a.request()))
    assert both > at_rest
