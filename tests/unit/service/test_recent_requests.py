"""Records of the last requests of a service port."""

from math import inf

import pytest

from router.model import limits
from router.service.recent_requests import Grounds, RecentRequests, RequestRecord, TurnedAway


def test_the_last_requests_are_told_newest_first_and_no_more_of_them_are_kept() -> None:
    past = RecentRequests()
    for number in range(3 * limits.DECISIONS_KEPT):
        past.begun(RequestRecord(float(number)))
    last = past.last(1_000, "all")
    newest = 3 * limits.DECISIONS_KEPT - 1
    assert [one.started_at for one in last] == [newest - n for n in range(limits.DECISIONS_KEPT)]
    assert past.last(2, "all") == last[:2]
    assert past.last(2, "denied") == []


def test_who_was_denied_late_stands_where_it_began() -> None:
    past = RecentRequests()
    first, second = (RequestRecord(now) for now in (1.0, 2.0))
    past.denied(second)  # At once, while the first was still waiting.
    past.denied(first)
    assert past.last(9, "denied") == [second, first]


def test_who_failed_at_a_site_is_listed_with_the_denied_that_failed_and_not_displaced_by_them() -> (
    None
):
    past = RecentRequests()
    past.failed(broken := RequestRecord(1.0, outcome="target-reset"))
    past.denied(gone := RequestRecord(2.0, code_class="client-gone", outcome="client-gone"))
    past.denied(refused := RequestRecord(3.0, outcome="all-full"))
    assert past.last(9, "failed") == [refused, broken]
    assert past.last(1, "failed") == [refused]
    assert past.last(9, "denied") == [refused, gone]
    assert past.last(9, "all") == [], "these rings are separate"
    for number in range(2 * limits.DECISIONS_KEPT):
        past.denied(RequestRecord(10.0 + number))
    assert len(past.last(1_000, "failed")) == 1 + limits.DECISIONS_KEPT
    for number in range(2 * limits.DECISIONS_KEPT):
        past.failed(RequestRecord(100.0 + number, code_class="error"))
    assert len(past.last(1_000, "failed")) == 2 * limits.DECISIONS_KEPT
    assert len(past.kept()) == 2 * limits.DECISIONS_KEPT


def test_one_that_is_kept_twice_is_listed_once_and_one_that_looks_like_it_too() -> None:
    past = RecentRequests()
    same, alike = RequestRecord(1.0), RequestRecord(1.0)
    for record in (same, alike):
        past.begun(record)
    past.denied(same)
    assert sorted(map(id, past.kept())) == sorted(map(id, (same, alike)))


@pytest.mark.parametrize(
    ("begun_at", "held_at", "parts"),
    [
        (inf, inf, (3.0, 0.0, 0.0)),  # It never went anywhere.
        (3.0, inf, (2.0, 1.0, 0.0)),  # It was on its way still.
        (1.5, 2.0, (0.5, 0.5, 2.0)),
        (1.0, 1.0, (0.0, 0.0, 3.0)),
    ],
)
def test_the_time_of_a_request_is_that_in_the_queue_on_its_way_and_at_the_target(
    begun_at: float, held_at: float, parts: tuple[float, float, float]
) -> None:
    record = RequestRecord(1.0, begun_at=begun_at, held_at=held_at)
    assert record.times(4.0) == (3.0, *parts)
    record.rest()
    assert record.times(4.0) == (3.0, 3.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("travel_s", "waited_s"), [(0.0, 2.5), (1.0, 1.5), (2.5, 0.0), (3.0, None)]
)
def test_a_wait_begins_where_the_request_waits_and_waits_are_added(
    travel_s: float, waited_s: float | None
) -> None:
    record = RequestRecord(0.0)
    record.waits(0.25)
    assert record.ends_wait(1.0) == 0.75
    record.travels(9.0)
    assert record.waited_since is None, "it does not wait"
    record.waits(1.0)
    record.travels(travel_s)
    assert record.ends_wait(3.5) == waited_s
    assert record.waited_s == 0.75 + (waited_s or 0.0)
    record.waits(5.0)
    record.never_waited()
    assert record.waited_since is None


def test_what_happens_later_keeps_why_a_request_went_where_it_did() -> None:
    record = RequestRecord(100.0, grounds=Grounds("full", "full", "above-mark"))
    record.note_reason("reset")
    assert (record.reason, record.overflow_reason, record.spill_reason) == (
        "reset",
        "full",
        "above-mark",
    )
    assert not isinstance(record.grounds, TurnedAway)
    record.note_turned_away("all-full")
    assert record.grounds == TurnedAway("all-full", "full", "above-mark")


def test_of_a_request_that_begins_nothing_has_happened() -> None:
    record = RequestRecord(100.0)
    assert (record.attempts, record.in_flight, record.session, record.number) == (0, 0, 0, 0)
    assert (record.waited_s, record.total_s, record.reason) == (0.0, 0.0, "")
