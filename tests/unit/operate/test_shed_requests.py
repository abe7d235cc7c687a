"""Service ports of which sheddable requests make way for others."""

import msgspec

from router.history.readings import IntervalCounts
from router.model.ids import ServiceKey, SiteId
from router.operate.problems.shed_requests import notes_of
from router.workers.recent_port_figures import RecentPortFigures

SHOP = ServiceKey("shop", 8080)


def lately(shed: int, lasted_s: float = 10.0) -> RecentPortFigures:
    """Of 200 requests."""
    change = IntervalCounts(
        served={SiteId("a"): 200 - shed},
        nowhere=shed,
        overflow={},
        failed=shed,
        failed_for={"shed": shed},
        p50_s=None,
        p99_s=None,
        lasted_s=lasted_s,
    )
    return RecentPortFigures(key=SHOP, change=change)


def test_requests_that_are_shed_are_an_info_above_one_in_twenty() -> None:
    assert not list(notes_of([(SHOP, lately(10))]))
    (note,) = notes_of([(SHOP, lately(60))])
    assert (note.severity, note.code, note.message) == (
        "info",
        "SW0357",
        "Service shop:8080: 6.0/s of 20/s requests are shed: sheddable requests make way for "
        "others, as configured.",
    )
    assert not list(notes_of([(SHOP, msgspec.structs.replace(lately(60), change=None))]))


def test_after_a_stall_the_info_names_its_time() -> None:
    (note,) = notes_of([(SHOP, lately(60, lasted_s=40.0))])
    assert note.message == (
        "Service shop:8080: 1.5/s of 5.0/s requests were shed in the last 40 s: sheddable requests "
        "made way for others, as configured."
    )
