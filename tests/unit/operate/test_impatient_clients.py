"""Service ports whose clients leave before they are answered."""

import msgspec

from router.history.readings import IntervalCounts
from router.model.ids import ServiceKey, SiteId
from router.operate.problems.impatient_clients import notes_of
from router.workers.recent_port_figures import RecentPortFigures

SHOP = ServiceKey("shop", 8080)


def lately(gave_up: int, lasted_s: float = 10.0) -> RecentPortFigures:
    """Of 200 requests."""
    change = IntervalCounts(
        served={SiteId("a"): 200},
        nowhere=0,
        overflow={},
        failed=0,
        p50_s=None,
        p99_s=None,
        lasted_s=lasted_s,
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


def test_after_a_stall_the_note_names_its_time_and_the_router() -> None:
    (note,) = notes_of([(SHOP, lately(120, lasted_s=40.0))])
    assert (note.message, note.hint) == (
        "Service shop:8080: clients gave up 3.0/s of 5.0/s requests in the last 40 s before they "
        "were answered.",
        "Compare their time-outs with the times of the targets: sitectl service status shop -v. "
        "Or they waited for this router: sitectl events --code router-stood-still",
    )
