"""How a router leaves its neighbors: each stage, by all that can happen there."""

from collections.abc import Callable, Mapping
from itertools import product
from typing import cast

import pytest

from router.link.departure import AFTER_STAGE, Departure, DepartureStage
from router.link.fault import Fault
from router.link.sessions.session import LinkSession
from router.model.ids import RouterId

STAYING, DRAINING, FINISHING, CLOSED = DepartureStage


class Session:
    """Notes how it is asked to drain."""

    def __init__(self) -> None:
        self.asked: list[tuple[Fault, bool]] = []

    def drain(self, fault: Fault, *, wholly: bool) -> None:
        self.asked.append((fault, wholly))


class Leaver:
    """A router that leaves, and its callback after it is gone."""

    def __init__(self) -> None:
        self.departure = Departure("west")
        self.told = 0

    def done(self) -> None:
        self.told += 1

    def drain(self) -> None:
        self.departure.drain()

    def finish(self) -> None:
        self.departure.finish(self.done)

    def close(self) -> None:
        self.departure.close()

    def end(self) -> None:
        self.departure.end()

    def because_deleted(self) -> None:
        self.departure.because_deleted()

    def because_crashed(self) -> None:
        self.departure.because_crashed()

    def session_drained(self) -> list[bool]:
        """How a link that comes up now is asked to drain: wholly, in part, or not at all."""
        session = Session()
        self.departure.joined_by(cast("LinkSession", session))
        assert all(fault is self.departure.farewell for fault, _ in session.asked)
        return [wholly for _, wholly in session.asked]


Event = Callable[[Leaver], None]
EVENTS: tuple[Event, ...] = (
    *(Leaver.drain, Leaver.finish, Leaver.close, Leaver.end),
    *(Leaver.because_deleted, Leaver.because_crashed),
)
WAYS: Mapping[DepartureStage, tuple[Event, ...]] = {
    STAYING: (),
    DRAINING: (Leaver.drain,),
    FINISHING: (Leaver.drain, Leaver.finish),
    CLOSED: (Leaver.close,),
}
FOLLOWS: Mapping[tuple[DepartureStage, Event], DepartureStage] = {
    (STAYING, Leaver.drain): DRAINING,
    **{(stage, Leaver.finish): FINISHING for stage in (STAYING, DRAINING)},
    **{(stage, Leaver.close): CLOSED for stage in (STAYING, DRAINING, FINISHING)},
}
"""Every other event changes nothing."""
ASKED = {STAYING: [], DRAINING: [False], FINISHING: [True], CLOSED: []}


def in_stage(stage: DepartureStage) -> Leaver:
    leaver = Leaver()
    for step in WAYS[stage]:
        step(leaver)
    assert leaver.departure.stage is stage
    return leaver


@pytest.mark.parametrize(
    ("stage", "event"),
    list(product(DepartureStage, EVENTS)),
    ids=lambda one: one.name if isinstance(one, DepartureStage) else one.__name__,
)
def test_each_event_in_each_stage_does_what_is_listed(stage: DepartureStage, event: Event) -> None:
    leaver = in_stage(stage)
    event(leaver)
    after = leaver.departure.stage
    assert after is FOLLOWS.get((stage, event), stage)
    assert leaver.session_drained() == ASKED[after]


def test_the_table_lists_what_follows_and_no_more() -> None:
    listed = {(before, after) for before, all_after in AFTER_STAGE.items() for after in all_after}
    assert listed == {(before, after) for (before, _), after in FOLLOWS.items()}


@pytest.mark.parametrize("closed", [False, True])
def test_who_waits_for_the_end_is_told_once(closed: bool) -> None:
    leaver = in_stage(FINISHING)
    if closed:
        leaver.close()
    assert leaver.departure.awaits_end
    leaver.end()
    leaver.end()
    assert leaver.told == 1 and not leaver.departure.awaits_end


def test_a_farewell_says_why() -> None:
    leaver = Leaver()
    assert str(leaver.departure.farewell) == "west was asked to stop"
    leaver.because_crashed()
    assert "the router of west was killed or crashed" in str(leaver.departure.farewell)
    leaver.because_deleted()
    assert leaver.departure.farewell.code == "removed"


A, B = RouterId("a"), RouterId("b")


def test_one_of_several_routers_does_not_say_that_its_site_stops() -> None:
    leaver = Leaver()
    leaver.departure.leave_others({A})
    assert str(leaver.departure.farewell) == "a router of west was asked to stop"
    leaver.because_deleted()
    leaver.departure.leave_others({A})
    assert str(leaver.departure.farewell) == "west was deleted"
    assert not leaver.departure.other_leaves(A)
    assert str(leaver.departure.farewell) == "west was deleted"


def test_a_router_whose_others_have_left_or_leave_says_that_its_site_stops() -> None:
    leaver = Leaver()
    leaver.departure.leave_others(())
    assert str(leaver.departure.farewell) == "west was asked to stop"
    assert not leaver.departure.other_leaves(A)
    leaver.departure.leave_others({A, B})
    assert not leaver.departure.other_leaves(A)
    assert str(leaver.departure.farewell) == "a router of west was asked to stop"
    assert leaver.departure.other_leaves(B)
    assert str(leaver.departure.farewell) == "west was asked to stop"
    assert not leaver.departure.other_leaves(B)


def test_a_worker_that_stops_with_all_others_says_that_its_site_stops() -> None:
    leaver = Leaver()
    leaver.departure.with_whole_site()
    leaver.departure.leave_others({A, B})
    assert str(leaver.departure.farewell) == "west was asked to stop"
