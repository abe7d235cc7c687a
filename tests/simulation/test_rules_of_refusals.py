"""The event of refused requests names the rules that keep them from what they did not find."""

from datetime import UTC, datetime

import pytest

from router.admin.events import EventLog
from router.node.problems.left_out import LeftOut
from router.operate.record.episode_news import EpisodeNews
from router.operate.record.journal import Journal
from tests.simulation.world import World


@pytest.mark.parametrize(("targets", "lacks"), [(0, "target"), (1, "room")])
def test_rules_are_named_by_what_requests_lack(targets: int, lacks: str) -> None:
    world = World(1, "a")
    (a,) = world.sites.values()
    a.declare(queue=0)
    for _ in range(targets):
        a.serve(1, capacity=1, service_s=5)
    world.run(5)
    log = EventLog()
    journal = Journal(log, lambda number, event: None, datetime.now(UTC).isoformat, lambda: 0.0)
    EpisodeNews(
        a.network,
        a.router.readings,
        journal,
        str,
        lambda key, asked: LeftOut(f"A rule of {asked}.", f"Let in {asked}"),
        str,
    )
    for _ in range(1 + targets):
        a.request()
    world.run(2)
    (begun,) = [one for _, one in log.after() if one.code == "refusing-begun"]
    assert begun.message.endswith(f"A rule of {lacks}.")
    assert begun.hint == f"Let in {lacks}"
