"""What happened between two readings of a service port."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from router.history.readings import SHED, change
from router.model.ids import SiteId
from router.model.port_reading import NONE_SPILLED, SERVED_NOWHERE, Reading, Spills
from tests.examples import histories

FAR = SiteId("far")


def test_connections_that_last_are_seen_as_soon_as_they_are_spilled() -> None:
    before = Reading(served={FAR: 3}, spilled_to={FAR: 3})
    after = Reading(served={FAR: 3}, spilled_to={FAR: 23}, unfinished=20)
    opened = change(before, after, 5.0)
    assert (opened.requests, opened.seen, opened.spilled_to) == (0, 20, {FAR: 20})
    assert change(after, after, 5.0).seen == 0, "they were seen before"
    ended = Reading(served={FAR: 23}, spilled_to={FAR: 23})
    assert (change(after, ended, 5.0).seen, change(after, ended, 5.0).spilled_to) == (20, {})
    assert (opened.begun, change(after, ended, 5.0).begun) == (20, 0)


def test_slots_that_were_added_and_taken_away_since_are_counted() -> None:
    none, two, eight = Reading(), Reading(capacity=2), Reading(capacity=8, unfinished=1)
    assert change(two, eight, 5.0).more_slots == 6
    assert change(eight, two, 5.0).more_slots == -6
    assert change(none, eight, 5.0).more_slots == 8, "there was no target"


def test_what_is_served_nowhere_and_neither_fails_nor_is_given_up_is_rejected() -> None:
    served = {FAR: 3, SERVED_NOWHERE: 9}
    after = Reading(served=served, failed=4, failed_for={SHED: 1, "all-full": 3}, gave_up=2)
    found = change(Reading(), after, 1.0)
    assert (found.rejected, found.failures, found.shed, found.gave_up) == (3, 3, 1, 2)
    at_far = change(Reading(), Reading(served={FAR: 3}, failed=3), 1.0)
    assert at_far.rejected == 0, "what fails at a site is not served nowhere"


def test_a_request_spills_once_and_when_another_site_has_it_not_when_its_answer_begins() -> None:
    none, there = Reading(), Reading(pending=spills(1), unfinished=1)
    begun = change(none, there, 5.0)
    assert (begun.begun, begun.spilled, begun.spilled_to) == (1, {"full": 1}, {FAR: 1})
    assert (begun.overflow, begun.overflow_begun) == ({}, {FAR: 1})
    counted = {"overflow": {FAR: 1}, "spilled": {"full": 1}, "spilled_to": {FAR: 1}}
    answered = msgspec.convert({**counted, "unfinished": 1}, Reading)
    began = change(there, answered, 5.0)
    assert (began.spilled, began.spilled_to, began.overflow_begun) == ({}, {}, {})
    assert began.overflow == {FAR: 1}, "what is kept counts each when its answer begins"
    assert change(none, answered, 5.0).spilled_to == {FAR: 1}
    tried_here = change(there, Reading(unfinished=1), 5.0)
    assert (tried_here.spilled_to, tried_here.overflow_begun) == ({}, {})


def spills(count: int) -> Spills:
    return Spills(overflow={FAR: count}, spilled={"full": count}, spilled_to={FAR: count})


@given(histories(st.sampled_from(["ask", "answer", "end"]), 60), st.integers(0, 60))
def test_all_that_began_has_spilled_however_long_its_answer_takes(
    steps: list[str], first: int
) -> None:
    """Of a service whose requests all go to another site."""
    pending = answering = ended = 0
    looks = [Reading()]
    for step in steps:
        pending += step == "ask"
        if step == "answer" and pending:
            pending, answering = pending - 1, answering + 1
        elif step == "end" and answering:
            answering, ended = answering - 1, ended + 1
        begun = answering + ended
        looks.append(
            Reading(
                served={FAR: ended},
                spilled_to={FAR: begun},
                pending=spills(pending) if pending else NONE_SPILLED,
                unfinished=pending + answering,
            )
        )
    since = change(looks[min(first, len(steps))], looks[-1], 1.0)
    assert since.begun == sum(since.spilled_to.values())


@given(histories(st.sampled_from(["begin", "end"]), 40), st.integers(0, 40))
def test_no_more_spills_than_is_seen_whenever_one_looks(steps: list[str], first: int) -> None:
    """Of a service of which every connection goes to another site."""
    begun = ended = 0
    looks = [Reading()]
    for step in steps:
        begun += step == "begin"
        ended = min(begun, ended + (step == "end"))
        looks.append(
            Reading(served={FAR: ended}, spilled_to={FAR: begun}, unfinished=begun - ended)
        )
    since = change(looks[min(first, len(steps))], looks[-1], 1.0)
    assert max(since.requests, sum(since.spilled_to.values())) <= since.seen
    assert since.begun == sum(since.spilled_to.values()), "its share is the whole"
