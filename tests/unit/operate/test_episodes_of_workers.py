"""Reports about a site whose router is several processes, each with its share."""

from datetime import UTC, datetime

import pytest

from router.admin.events import EventLog
from router.exchange.readings import Readings
from router.model.events import Event
from router.model.ids import ServiceKey
from router.model.specs import ServiceProtocol
from router.node.problems.left_out import NOTHING
from router.operate.record.episode_news import EpisodeNews
from router.operate.record.journal import Journal
from router.service.figures import SpillCount
from tests.simulation.world import SERVICE, World

OWN = 1


class Counted:
    """The readings of this worker, with requests that left it as the test says."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings
        self.spilled = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._readings, name)

    def left(self) -> dict[ServiceKey, SpillCount]:
        return {SERVICE: SpillCount({"b": self.spilled})} if self.spilled else {}


def reported(
    protocol: ServiceProtocol, shares: list[int | None], after_s: float
) -> list[tuple[int, Event]]:
    """What the journal has of one request that left, so long after it."""
    world = World(3, "a", "b")
    site, other = world.sites.values()
    site.link(other, cost=5)
    site.declare(protocol=protocol)
    for one in (site, other):
        one.serve(1, capacity=OWN, service_s=0.01)
    world.run(5)
    counted, events = Counted(site.router.readings), EventLog()
    EpisodeNews(
        site.network,
        counted,  # type: ignore[arg-type]  # It has all that the readings have.
        Journal(events, lambda number, event: None, datetime.now(UTC).isoformat, lambda: 0.0),
        str,
        lambda key, lacks: NOTHING,
        str,
        lambda key: [None] * len(shares),
        lambda key: shares,
    )
    world.run(1.5)
    counted.spilled = 1
    world.run(after_s)
    return events.after()


@pytest.mark.parametrize(
    ("shares", "figures"),
    [
        ([None], "0 in flight here, and not every worker has a ready target; "),
        ([2], "0 in flight here when looked at, capacity 3; "),
        ([2, None], "0 in flight here, and not every worker has a ready target; "),
        ([0, 0], "0 in flight here when looked at, capacity 1; "),
    ],
)
def test_an_overflow_names_the_slots_of_all_workers_or_none(
    shares: list[int | None], figures: str
) -> None:
    ((_, begun),) = reported("http", shares, 1)
    assert begun.code == "overflow-begun"
    assert figures in begun.message


def test_of_a_tcp_service_the_end_counts_connections() -> None:
    events = reported("tcp", [], 30)
    ended = [event for _, event in events if event.code == "overflow-ended"]
    assert [": 1 connection, 1 to " in one.message for one in ended] == [True]
