"""Why a caller stops sending: each pair of states, under all events of its upload."""

from collections.abc import Callable, Mapping
from itertools import product

import pytest

from router.exchange.upload import AFTER_STOPPED, Upload, UploadPause
from router.model import limits
from router.service.pressure import Pressure


class Owner:
    def relieve(self) -> None: ...


def full_upload(pressure: Pressure) -> Upload:
    """As much is kept as may be until a target is held."""
    upload = Upload(None)
    upload.keep(b"x" * limits.REPLAY_BYTES_MAX, pressure, Owner(), False)
    return upload


def _more_comes(upload: Upload) -> None:
    upload.takes_more(False)


def _more_comes_at_a_target(upload: Upload) -> None:
    assert upload.takes_more(True)


def _leg_is_full(upload: Upload) -> None:
    upload.leg_is_full()


def _leg_has_room(upload: Upload) -> None:
    upload.leg_has_room()


def _may_go_on(upload: Upload) -> None:
    assert not upload.ceases_to_stop(False)


def _may_go_on_at_a_target(upload: Upload) -> None:
    was_stopped = upload.stopped is UploadPause.BY_KEPT
    assert upload.ceases_to_stop(True) is was_stopped


def _another_attempt_takes_all(upload: Upload) -> None:
    if upload.stopped is not UploadPause.NOT:
        upload.begins_again(takes_more=True)


def _another_attempt_is_full(upload: Upload) -> None:
    if upload.stopped is not UploadPause.NOT:
        upload.begins_again(takes_more=False)


Event = Callable[[Upload], None]
EVENTS: tuple[Event, ...] = (
    *(_more_comes, _more_comes_at_a_target, _leg_is_full, _leg_has_room),
    *(_may_go_on, _may_go_on_at_a_target),
    *(_another_attempt_takes_all, _another_attempt_is_full),
)
WAYS: Mapping[UploadPause, tuple[Event, ...]] = {
    UploadPause.NOT: (),
    UploadPause.BY_KEPT: (_more_comes,),
    UploadPause.BY_LEG: (_leg_is_full,),
}
FOLLOWS: Mapping[tuple[UploadPause, Event], UploadPause] = {
    (UploadPause.NOT, _more_comes): UploadPause.BY_KEPT,
    (UploadPause.NOT, _leg_is_full): UploadPause.BY_LEG,
    (UploadPause.BY_KEPT, _leg_is_full): UploadPause.BY_LEG,
    (UploadPause.BY_KEPT, _may_go_on_at_a_target): UploadPause.NOT,
    (UploadPause.BY_KEPT, _another_attempt_is_full): UploadPause.BY_LEG,
    (UploadPause.BY_LEG, _leg_has_room): UploadPause.BY_KEPT,
    (UploadPause.BY_LEG, _another_attempt_takes_all): UploadPause.BY_KEPT,
}
"""Else nothing changes."""


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__.strip("_"))
@pytest.mark.parametrize("before", UploadPause, ids=lambda state: state.name)
def test_each_event_in_each_state_does_what_is_listed(before: UploadPause, event: Event) -> None:
    upload = full_upload(Pressure())
    for way in WAYS[before]:
        way(upload)
    assert upload.stopped is before
    event(upload)
    assert upload.stopped is FOLLOWS.get((before, event), before)


def test_each_pair_that_the_table_lists_is_one_of_these() -> None:
    seen = {
        (before, FOLLOWS.get((before, event), before))
        for before, event in product(UploadPause, EVENTS)
    }
    listed = {(before, after) for before in UploadPause for after in AFTER_STOPPED[before]}
    assert {(before, after) for before, after in seen if before is not after} == listed


def test_what_is_kept_is_dropped_once_it_is_too_much_for_a_target_that_is_held() -> None:
    pressure = Pressure()
    upload = full_upload(pressure)
    assert upload.keep(b"y", pressure, Owner(), True) == b"y"
    assert not upload.in_hand
    assert (pressure.held_bytes, len(pressure.holders)) == (0, 0)


@pytest.mark.parametrize("is_held", [False, True])
@pytest.mark.parametrize("kept", [0, 1, 100])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_as_much_is_kept_as_the_limit_says_and_more_while_no_target_is_held(
    kept: int, more: int, is_held: bool
) -> None:
    pressure, upload = Pressure(), Upload(None)
    if kept:
        upload.keep(b"k" * kept, pressure, Owner(), False)
    upload.keep(b"m" * (limits.REPLAY_BYTES_MAX - kept + more), pressure, Owner(), is_held)
    assert upload.in_hand == (not is_held or more <= 0)
    assert pressure.held_bytes == (limits.REPLAY_BYTES_MAX + more if upload.in_hand else 0)


@pytest.mark.parametrize(("sizes", "is_over"), [((3, 2), False), ((3, 3), True)])
def test_a_body_is_no_longer_than_its_head_said(sizes: tuple[int, ...], is_over: bool) -> None:
    upload = Upload(5)
    assert [upload.counts(size) for size in sizes] == [True, not is_over]


def test_what_follows_a_switch_of_protocols_is_not_counted() -> None:
    upload = Upload(5)
    upload.goes_on()
    assert upload.body_left is None
