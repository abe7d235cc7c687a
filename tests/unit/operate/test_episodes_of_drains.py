"""Reports about a site that is drained and takes requests again."""

from datetime import UTC, datetime

from router.admin.events import EventLog
from router.exchange.readings import Readings
from router.model.ids import ServiceKey
from router.model.specs import SitePolicySpec
from router.node.problems.left_out import NOTHING
from router.operate.record.episode_news import EpisodeNews
from router.operate.record.journal import Journal
from router.service.figures import SpillCount
from tests.simulation.world import SERVICE, World

SHARE_S = 0.5
"""After a look of each second."""


class Counted:
    """The readings of a site, with requests that left it without a target as the test says."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings
        self.without_target = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._readings, name)

    def spilled_without_target(self) -> dict[ServiceKey, SpillCount]:
        by_site = {"b": self.without_target} if self.without_target else {}
        return {SERVICE: SpillCount(by_site)}


class Drained:
    """``a`` is drained of the service, and its events are followed."""

    def __init__(self) -> None:
        self.world = World(3, "a", "b")
        self.site, other = self.world.sites.values()
        self.site.link(other, cost=5)
        self.site.declare()
        for site in (self.site, other):
            site.serve(1, capacity=100, service_s=0.01)
        self.world.run(5)
        self.drain(0.0)
        self.counted = Counted(self.site.router.readings)
        self.events = EventLog()
        journal = Journal(
            self.events, lambda number, event: None, datetime.now(UTC).isoformat, lambda: 0.0
        )
        self.news = EpisodeNews(
            self.site.network,
            self.counted,  # type: ignore[arg-type]  # It has all that the readings have.
            journal,
            str,
            lambda key, lacks: NOTHING,
            str,
        )
        self.world.run(2 + SHARE_S)

    def drain(self, takes: float = 0.0) -> None:
        self.site.policies["shop"] = SitePolicySpec(service="shop", takes=takes)
        self.site.apply()

    def take_all(self) -> None:
        self.drain(1.0)

    def leave(self, seconds: int) -> None:
        """In each of the next seconds requests leave."""
        for _ in range(seconds):
            self.counted.without_target += 1
            self.world.run(1)

    def lose_all(self) -> None:
        """No connector names a target any more."""
        self.site.connectors.clear()
        self.site.apply()

    @property
    def codes(self) -> list[str]:
        return [one.code for _, one in self.events.after()]

    @property
    def told(self) -> str:
        """What the last event says."""
        return [one.message for _, one in self.events.after()][-1]


def test_a_request_that_leaves_before_the_first_check_after_a_drain_is_no_news() -> None:
    drained = Drained()
    drained.take_all()
    drained.leave(1)
    drained.world.run(3)
    assert drained.codes == []


def test_requests_that_go_on_leaving_after_a_drain_are_news() -> None:
    drained = Drained()
    drained.take_all()
    drained.leave(2)
    assert drained.codes == ["no-target-begun"]


def test_an_episode_that_ends_although_no_target_is_to_take_requests_says_why() -> None:
    """What goes on leaving then is no fault, but nor is it over."""
    drained = Drained()
    drained.take_all()
    drained.leave(2)
    drained.drain()
    drained.leave(11)
    assert drained.codes == ["no-target-begun", "no-target-ended"]
    assert drained.told.endswith(
        "for 1 s other sites took 1 request because no target was ready here: 1 to b. "
        "This site is drained of it now."
    )
    drained.take_all()
    drained.leave(3)
    drained.lose_all()
    drained.leave(11)
    assert drained.codes[2:] == ["no-target-begun", "no-target-ended"]
    assert drained.told.endswith(" to b. This site has no target of it now, ready or not.")
    drained.site.serve(1, capacity=100, service_s=0.01)
    drained.leave(3)
    drained.world.run(11)
    assert drained.codes[4:] == ["no-target-begun", "no-target-ended"]
    assert drained.told.endswith(" to b.")


def test_an_episode_that_the_end_of_the_router_ends_says_so() -> None:
    drained = Drained()
    drained.take_all()
    drained.leave(2)
    drained.lose_all()
    drained.news.close()
    assert drained.told.endswith(" to b. The router stops.")


def test_an_episode_that_ends_while_the_router_stops_says_so() -> None:
    """Its targets go before the router does: of two workers the first one waits for the other."""
    drained = Drained()
    drained.take_all()
    drained.leave(2)
    drained.news.stops()
    drained.lose_all()
    drained.world.run(11)
    assert drained.codes == ["no-target-begun", "no-target-ended"]
    assert drained.told.endswith(" to b. The router stops.")
