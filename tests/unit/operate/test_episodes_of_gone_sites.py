"""Reports about requests that passed over a site which is gone when they end."""

from datetime import UTC, datetime

from router.admin.events import EventLog
from router.node.problems.left_out import NOTHING
from router.operate.record.episode_news import EpisodeNews
from router.operate.record.journal import Journal
from tests.simulation.world import World


def test_a_site_without_targets_does_not_say_that_it_was_full_once_the_full_site_is_gone() -> None:
    world = World(3, "a", "b", "c")
    a, b, c = world.sites.values()
    a.link(b, cost=2)
    a.link(c, cost=5)
    a.declare()
    b.serve(1, capacity=1, service_s=60.0)
    c.serve(1, capacity=100, service_s=0.1)
    world.run(5)
    events = EventLog()
    journal = Journal(events, lambda number, event: None, datetime.now(UTC).isoformat, lambda: 0.0)
    router = a.router
    EpisodeNews(
        a.network, router.readings, journal, str, lambda key, lacks: NOTHING, router.site_name
    )
    world.run(2)
    for _ in range(5):
        a.request()
    world.run(2)
    b.kill()
    world.run(30)
    begun, ended = (event.message for _, event in events.after())
    assert begun.endswith(" overflows: b is full (1 in flight, its capacity is 1); so far 4 to c.")
    assert ended.endswith("4 to c; a cheaper site was full or at a higher level.")
