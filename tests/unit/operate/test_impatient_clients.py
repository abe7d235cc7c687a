"""Service ports whose clients leave before they are answered."""

import msgspec

from router.history.readings import IntervalCounts
from router.model.ids import ServiceKey, SiteId
from router.operate.problems.impatient_clients import notes_of
from router.workers.recent_port_figures import RecentPortFigures

SHOP = ServiceKey("shop", 8080)


def lately(gave_up: int) -> RecentPortFigures:
    """Of 200 requests in ten seconds."""
    change = IntervalCounts(
        served={SiteId("a"): 200},
        nowhere=0,
        overflow={},
        failed=0,
        p50_s=None,
        p99_s=None,
        lasted_s=10.0,
        gave_up=gave_up,
    )
    return RecentPortFigures(key=SHOP, change=change)


def test_clients_that_leave_are_a_note_once_more_than_half_of_the_requests_lose_theirs() -> None:
    assert not list(notes_of([(SHOP, lately(100))]))
    (note,) = notes_of([(SHOP, lately(120))])
    assert (note.code, note.message) == (
        "SW0352",
        "Service shop:8080: clients gave up 12/s of 20/s requests before they were answered.",
    )
    unknown = msgspec.structs.replace(lately(120), change=None)
    assert not list(notes_of([(SHOP, unknown)]))
