"""The links of several workers as those of one router."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from router.admin.views.links import LinkAtWorker, LinkView, SiteName
from router.workers.link_uses import (
    LinkKey,
    LinkUse,
    bytes_alone,
    state_of,
    uses_together,
    with_states,
    with_uses,
)

TO_FAR: LinkKey = ("outgoing", "link1", "id-far")
KEYS = st.sampled_from((TO_FAR, ("incoming", "far", "id-far")))
COUNTS = st.integers(0, 2**40)
USES = st.builds(LinkUse, key=KEYS, lanes=COUNTS, streams=COUNTS, bytes_in=COUNTS, bytes_out=COUNTS)


def view(state: str = "up") -> LinkView:
    return LinkView(
        name="link1",
        neighbour=SiteName("far", "id-far"),
        direction="outgoing",
        cost=1,
        state=state,
        since="",
        rtt_ms=None,
        lanes=1,
        streams=2,
        error="",
        error_code="",
        certificate_expires=None,
        bytes_in_total=3,
        bytes_out_total=4,
    )


@given(st.lists(USES, max_size=6), st.integers(0, 6))
def test_sums_do_not_depend_on_how_the_parts_are_grouped(uses: list[LinkUse], cut: int) -> None:
    parts = [*uses_together(uses[:cut]).values(), *uses_together(uses[cut:]).values()]
    assert uses_together(parts) == uses_together(uses)


def test_a_link_has_what_the_others_carry_and_one_that_drains_beside_it_has_not() -> None:
    other = LinkUse(key=TO_FAR, lanes=1, streams=5, bytes_in=10, bytes_out=20)
    unknown = LinkUse(key=("incoming", "far", "id-far"), lanes=1)
    first, second = with_uses([view(), view("draining")], [other, unknown, bytes_alone(other)])
    assert (first.lanes, first.streams) == (2, 7)
    assert (first.bytes_in_total, first.bytes_out_total) == (23, 44)
    assert second == view("draining")


def changed(state: str, **fields: object) -> LinkView:
    return msgspec.structs.replace(view(state), **fields)


def at(worker: int, one: LinkView) -> LinkAtWorker:
    return LinkAtWorker(worker=worker, state=one.state, since=one.since, error=one.error)


def test_a_link_that_another_worker_lost_is_up_and_says_so() -> None:
    lost = changed("down", since="then", error="refused")
    (shown,) = with_states([view()], {1: [state_of(view())], 2: [state_of(lost)]})
    assert (shown.state, shown.error, shown.workers) == ("up", "worker 2: refused", 3)
    assert shown.workers_down == (at(2, lost),)


def test_a_link_that_only_another_worker_has_is_up_since_then() -> None:
    lost = changed("refused", since="then", error="no", error_code="clock")
    other = changed("up", since="now", rtt_ms=2.0)
    (shown,) = with_states([lost], {1: [state_of(other)]})
    assert (shown.state, shown.since, shown.rtt_ms) == ("up", "now", 2.0)
    assert (shown.error, shown.error_code) == ("worker 0: no", "")
    assert shown.workers_down == (at(0, lost),)


def test_a_link_that_no_worker_has_is_as_the_first_one_says() -> None:
    lost = changed("down", error="refused")
    (shown,) = with_states([lost], {1: [state_of(changed("down", error="reset"))]})
    assert shown == msgspec.structs.replace(lost, workers=2)


def test_a_link_that_has_just_begun_at_a_worker_has_no_error() -> None:
    (shown,) = with_states([view()], {1: [state_of(view("connecting"))]})
    assert (shown.error, [one.state for one in shown.workers_down]) == ("", ["connecting"])


def test_a_link_that_drains_beside_its_successor_does_not_count() -> None:
    old, new = view("draining"), view()
    each = {1: [state_of(old), state_of(new)], 2: [state_of(old)]}
    assert with_states([new, old], each) == [changed("up", workers=2), old]


def test_a_link_that_others_dial_is_up_wherever_it_came_to() -> None:
    lost = changed("down", direction="incoming", name="far", error="lost")
    there = changed("up", direction="incoming", name="far", since="now")
    second = changed("up", direction="incoming", name="far-2")
    gone = changed("down", direction="incoming", name="far-3")
    each = {1: [state_of(there), state_of(gone)], 2: [state_of(second)]}
    shown = with_states([lost], each)
    states = [(one.name, one.state, one.workers, one.workers_down) for one in shown]
    assert states == [("far", "up", 0, ()), ("far-3", "down", 0, ()), ("far-2", "up", 0, ())]


def test_a_link_that_only_another_worker_still_dials_is_not_shown() -> None:
    assert with_states([], {1: [state_of(view())]}) == []
