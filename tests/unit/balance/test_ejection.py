"""Failures in a row put a target out, each time for longer; good requests clear it."""

from collections.abc import Callable, Mapping

import pytest

from router.balance.targets.ejection import (
    AFTER_STANDING,
    Cause,
    Ejection,
    Ejections,
    TargetStanding,
)
from router.model import limits

TARGET = "10.0.0.1:80"


def ejections() -> Ejections:
    return Ejections(lambda: 0.0)


def fail(records: Ejections, times: int = 1, cause: Cause = "reset") -> list[bool]:
    return [records.failed(TARGET, cause, 5, 0.0) for _ in range(times)]


def test_it_is_due_after_so_many_failures_in_a_row() -> None:
    records = ejections()
    assert fail(records, 5) == [False, False, False, False, True]
    ejection = records.eject(TARGET)
    assert ejection == Ejection(2.0, 2.0, "5 requests in a row were reset")
    assert ejection.reason == "ejected for 2 s: 5 requests in a row were reset"
    assert records.standing(TARGET) is TargetStanding.EJECTED


def test_a_success_restarts_the_count_and_ends_the_record_once_failures_are_past() -> None:
    records = ejections()
    fail(records, 4)
    records.succeeded(TARGET, limits.EJECT_SHARE_S - 1.0)
    assert records.suspects
    assert not any(fail(records, 4))
    records.succeeded(TARGET, 2.0 * limits.EJECT_SHARE_S)
    assert not records.suspects


def test_most_of_twenty_answers_make_it_due_and_the_reason_counts_them() -> None:
    records, now, due = ejections(), 0.0, False
    for number in range(100):
        now += 0.25
        if number % 5 == 4:
            records.succeeded(TARGET, now)
        elif due := records.failed(TARGET, "503", 5, now):
            break
    assert due
    assert now <= 21 * 0.25
    words = "17 of the last 21 requests failed, at last a request was answered 503"
    assert records.eject(TARGET).reason == f"ejected for 2 s: {words}"


def test_a_longer_row_asks_for_more_answers() -> None:
    records, now = ejections(), 0.0
    for number in range(79):
        now += 0.1
        if number % 2:
            assert not records.failed(TARGET, "503", 20, now)
        else:
            records.succeeded(TARGET, now)
    now += 0.1
    due = [records.failed(TARGET, "503", 20, now) for _ in range(2)]
    assert due[-1]


@pytest.mark.parametrize("after", [3, 5, 6, 20])
def test_most_answers_make_it_due_from_as_many_on_as_the_row_asks_for(after: int) -> None:
    records = ejections()
    least = max(limits.EJECT_SHARE_ANSWERS_MIN, limits.EJECT_SHARE_ANSWERS_PER_FAILURE * after)
    for number in range(1, least + 3):
        now = number * (limits.EJECT_SHARE_S - 1) / (least + 3)
        if number % 3:
            assert records.failed(TARGET, "503", after, now) is (number >= least)
        else:
            records.succeeded(TARGET, now)


def test_what_could_not_be_ejected_and_serves_again_is_no_longer_due() -> None:
    records, now = ejections(), 0.0
    for _ in range(30):
        now += 0.1
        records.failed(TARGET, "503", 5, now)
    assert records.suspects[TARGET].due
    for _ in range(40):
        now += 0.1
        records.succeeded(TARGET, now)
    assert not records.suspects[TARGET].due


def test_who_may_not_eject_it_now_is_told_again_at_the_next_failure() -> None:
    records = ejections()
    assert fail(records, 7)[4:] == [True, True, True]


def test_on_probation_one_failure_is_enough_and_the_time_doubles_up_to_its_limit() -> None:
    records = ejections()
    fail(records, 5)
    seconds = [records.eject(TARGET).seconds]
    for _ in range(7):
        records.returned(TARGET, 0.0)
        assert fail(records) == [True]
        ejection = records.eject(TARGET)
        seconds.append(ejection.seconds)
    assert seconds == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    assert ejection.reason == "ejected for 60 s: a request was reset again"


def test_good_requests_over_a_while_clear_it_and_sooner_ones_do_not() -> None:
    records = ejections()
    fail(records, 5)
    records.eject(TARGET)
    records.returned(TARGET, 100.0)
    records.succeeded(TARGET, 100.0 + limits.EJECT_FORGET_S - 1)
    assert records.standing(TARGET) is TargetStanding.PROBATION
    records.succeeded(TARGET, 100.0 + limits.EJECT_FORGET_S)
    assert records.standing(TARGET) is TargetStanding.IN_SERVICE
    assert not records.suspects


def test_what_was_under_way_when_it_was_ejected_changes_nothing() -> None:
    records = ejections()
    fail(records, 5)
    records.eject(TARGET)
    assert not any(fail(records, 9))
    records.succeeded(TARGET, 1e9)
    assert records.standing(TARGET) is TargetStanding.EJECTED


def test_with_none_stated_nothing_is_ever_held_against_a_target() -> None:
    records = ejections()
    assert not any(records.failed(TARGET, "reset", 0, 0.0) for _ in range(100))
    assert not records.suspects


def test_a_removed_target_is_forgotten() -> None:
    records = ejections()
    fail(records, 5)
    records.eject(TARGET)
    records.keep(["10.0.0.2:80"])
    assert records.standing(TARGET) is TargetStanding.IN_SERVICE


@pytest.mark.parametrize(
    ("causes", "words"),
    [
        (("503", "503"), "2 requests in a row were answered 503"),
        (("timeout", "timeout"), "2 requests in a row got no answer in time"),
        (("503", "reset"), "2 requests in a row failed"),
        (("503", "reset", "reset"), "3 requests in a row failed"),
        (("connect", "connect"), "2 connections in a row were refused"),
    ],
)
def test_the_reason_says_what_happened(causes: tuple[Cause, ...], words: str) -> None:
    records = ejections()
    for cause in causes:
        records.failed(TARGET, cause, len(causes), 0.0)
    assert records.eject(TARGET).reason == f"ejected for 2 s: {words}"


def test_the_time_is_spread_and_never_longer_than_told() -> None:
    records = Ejections(lambda: 1.0)
    fail(records, 5)
    assert records.eject(TARGET).seconds == pytest.approx(2.0 * (1 - limits.EJECT_JITTER))


def test_a_failure_happened_again_only_if_one_of_its_kind_came_before() -> None:
    records = ejections()
    fail(records, 5, cause="timeout")
    records.eject(TARGET)
    reasons = []
    for cause in ("reset", "reset", "timeout", "503"):
        records.returned(TARGET, 0.0)
        fail(records, cause=cause)
        reasons.append(records.eject(TARGET).reason.partition(": ")[2])
    assert reasons == [
        "a request was reset",
        "a request was reset again",
        "a request got no answer in time again",
        "a request was answered 503",
    ]


def test_of_two_that_broke_together_after_a_return_the_reason_names_their_kind() -> None:
    records = ejections()
    fail(records, 5, cause="timeout")
    records.eject(TARGET)
    records.returned(TARGET, 0.0)
    records.failed(TARGET, "reset", 5, 0.0, one_event=True)
    assert records.eject(TARGET).reason.endswith(": a request was reset")


# How a record stands: each standing, by all that can happen to its target.

Event = Callable[[Ejections, float], None]


def _fails(records: Ejections, now: float) -> None:
    records.failed(TARGET, "reset", 5, now)


def _is_ejected_if_due(records: Ejections, now: float) -> None:
    if records.failed(TARGET, "reset", 1, now):
        records.eject(TARGET)


def _is_found_good(records: Ejections, now: float) -> None:
    records.returned(TARGET, now)


def _serves(records: Ejections, now: float) -> None:
    records.succeeded(TARGET, now)


def _serves_after_a_while(records: Ejections, now: float) -> None:
    records.succeeded(TARGET, now + 2 * limits.EJECT_FORGET_S)


EVENTS: tuple[Event, ...] = (
    *(_fails, _is_ejected_if_due, _is_found_good, _serves, _serves_after_a_while),
)
WAYS: Mapping[TargetStanding, tuple[Event, ...]] = {
    TargetStanding.IN_SERVICE: (_fails,),
    TargetStanding.EJECTED: (_is_ejected_if_due,),
    TargetStanding.PROBATION: (_is_ejected_if_due, _is_found_good),
}
FOLLOWS: Mapping[tuple[TargetStanding, Event], TargetStanding] = {
    (TargetStanding.IN_SERVICE, _is_ejected_if_due): TargetStanding.EJECTED,
    (TargetStanding.EJECTED, _is_found_good): TargetStanding.PROBATION,
    (TargetStanding.PROBATION, _is_ejected_if_due): TargetStanding.EJECTED,
    (TargetStanding.PROBATION, _serves_after_a_while): TargetStanding.IN_SERVICE,
}
"""Else nothing changes: one that is ejected hears of no request, and no check ejects."""


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__.strip("_"))
@pytest.mark.parametrize("before", TargetStanding, ids=lambda standing: standing.name)
def test_each_event_in_each_standing_does_what_is_listed(
    before: TargetStanding, event: Event
) -> None:
    records = ejections()
    for way in WAYS[before]:
        way(records, 0.0)
    assert records.standing(TARGET) is before
    event(records, 1.0)
    assert records.standing(TARGET) is FOLLOWS.get((before, event), before)


def test_each_pair_that_the_table_lists_is_one_of_these() -> None:
    listed = {(before, after) for before in WAYS for after in AFTER_STANDING[before]}
    assert {(before, after) for (before, _), after in FOLLOWS.items()} == listed
