"""What happened between two readings of a service port."""

from hypothesis import given
from hypothesis import strategies as st

from router.history.readings import SHED, change
from router.model.ids import SiteId
from router.model.port_reading import SERVED_NOWHERE, Reading
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
