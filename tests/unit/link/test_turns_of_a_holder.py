"""Whether the lanes of a holder are read in this turn: each state, by all that may happen."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from router.link.streams.buffers import LinkBuffers, ProcessBuffers
from router.link.streams.holder_share import AFTER_TURN, HolderShare, Turn
from router.model import limits
from tests.unit.link.wire import World


class Lane:
    """A lane of a separate link."""

    def __init__(self) -> None:
        self.buffers = LinkBuffers(ProcessBuffers())
        self.is_held = False

    def hold_reading(self) -> None:
        self.is_held = True

    def read_on(self) -> None:
        self.is_held = False


class Scene:
    def __init__(self) -> None:
        self.world = World()
        self.share = HolderShare(self.world, "token")
        self.lanes = (Lane(), Lane())
        for lane in self.lanes:
            self.share.joined(lane)

    def takes_all_time(self, lane: Lane) -> None:
        began = self.world.time
        self.share.took(lane, began, began + 2 * limits.TURN_READ_S_MAX)


Event = Callable[[Scene], None]


def _one_takes_all_time(scene: Scene) -> None:
    scene.takes_all_time(scene.lanes[0])


def _the_turn_ends(scene: Scene) -> None:
    scene.world.turn()


def _each_takes_all_time_and_the_turn_ends(scene: Scene) -> None:
    for lane in scene.lanes:
        scene.takes_all_time(lane)
    scene.world.turn()


EVENTS: Sequence[Event] = (
    _one_takes_all_time,
    _the_turn_ends,
    _each_takes_all_time_and_the_turn_ends,
)
WAYS: Mapping[Turn, Sequence[Event]] = {
    Turn.FREE: (),
    Turn.SHARED: (_one_takes_all_time, _the_turn_ends),
    Turn.OVER: (_one_takes_all_time,),
}
FOLLOWS: Mapping[tuple[Turn, Event], Turn] = {
    (Turn.FREE, _one_takes_all_time): Turn.OVER,
    (Turn.SHARED, _one_takes_all_time): Turn.OVER,
    (Turn.SHARED, _the_turn_ends): Turn.FREE,
    (Turn.OVER, _the_turn_ends): Turn.SHARED,
    (Turn.OVER, _each_takes_all_time_and_the_turn_ends): Turn.FREE,
    (Turn.SHARED, _each_takes_all_time_and_the_turn_ends): Turn.FREE,
}
"""Else nothing changes."""
HELD: Mapping[Turn, list[bool]] = {
    Turn.FREE: [False, False],
    Turn.SHARED: [True, False],
    Turn.OVER: [True, True],
}
"""The first lane took the time."""


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__.strip("_"))
@pytest.mark.parametrize("before", Turn, ids=lambda turn: turn.name)
def test_each_event_in_each_turn_does_what_is_listed(before: Turn, event: Event) -> None:
    scene = Scene()
    for way in WAYS[before]:
        way(scene)
    assert scene.share.turn is before
    event(scene)
    after = FOLLOWS.get((before, event), before)
    assert scene.share.turn is after
    assert [lane.is_held for lane in scene.lanes] == HELD[after]
    scene.world.settle()
    assert [lane.is_held for lane in scene.lanes] == [False, False]


def test_each_pair_that_the_table_lists_is_one_of_these() -> None:
    listed = {(before, after) for before in Turn for after in AFTER_TURN[before]}
    assert {(before, after) for (before, _), after in FOLLOWS.items()} == listed
