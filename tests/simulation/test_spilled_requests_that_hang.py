"""An episode of spilled requests lasts while one of them hangs at the other site."""

from datetime import UTC, datetime

import pytest

from router.admin.events import EventLog
from router.model.limits import EPISODE_QUIET_S
from router.node.problems.left_out import NOTHING
from router.operate.record.episode_news import EpisodeNews
from router.operate.record.journal import Journal
from tests.simulation.world import SimSite, World

HANGS_S = 25.0
"""Longer than `EPISODE_QUIET_S`, and less than the time-out of an answer."""


def followed(site: SimSite) -> EventLog:
    """The events of what leaves ``site``."""
    log = EventLog()
    journal = Journal(log, lambda number, event: None, datetime.now(UTC).isoformat, lambda: 0.0)
    EpisodeNews(site.network, site.router.readings, journal, str, lambda key, lacks: NOTHING, str)
    return log


def codes(log: EventLog) -> list[str]:
    return [one.code for _, one in log.after()]


@pytest.mark.parametrize("kind", ["overflow", "no-target"])
def test_no_end_is_told_while_one_hangs_elsewhere_and_its_end_begins_nothing(kind: str) -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=5)
    a.declare()
    a.serve(1, capacity=1, service_s=HANGS_S + 3)
    b.serve(1, capacity=10, service_s=0.1)
    world.run(5)
    if kind == "no-target":
        for target in a.targets.values():
            target.listener.close()
        world.run(30)
    log = followed(a)
    if kind == "overflow":
        a.request()
    first = a.request()
    world.run(5)
    assert first.status == 200
    assert codes(log) == [f"{kind}-begun"]
    for target in b.targets.values():
        target.service_s = HANGS_S
    hung = a.request()
    world.run(HANGS_S - 2)
    assert hung.status == 0
    assert codes(log) == [f"{kind}-begun"], "one is still under way"
    world.run(5)
    assert hung.status == 200
    assert codes(log) == [f"{kind}-begun"], "it is no news"
    world.run(EPISODE_QUIET_S + 2)
    assert codes(log) == [f"{kind}-begun", f"{kind}-ended"]
    (_, (_, ended)) = log.after()
    figures = ended.overflow or ended.without_target
    assert figures is not None and figures.requests == 2
