"""Whether a target takes requests: each pair of states, by all that a ledger does to a target."""

from collections.abc import Callable, Mapping
from itertools import product

import pytest

from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Denied
from router.balance.targets.target_states import AFTER_AVAILABILITY, TargetAvailability
from router.model.capacity import TargetTerms
from tests.unit.balance.builders import take

TARGET = "t0:80"
Event = Callable[[LocalLedger], None]


def _checks_succeed(ledger: LocalLedger) -> None:
    ledger.set_ready(TARGET, True)


def _checks_fail(ledger: LocalLedger) -> None:
    ledger.set_ready(TARGET, False)


def _requests_fail(ledger: LocalLedger) -> None:
    ledger.set_ready(TARGET, False, ejected=True)


def _is_wanted(ledger: LocalLedger) -> None:
    ledger.set_targets({TARGET: TargetTerms(name="web", capacity=2)})


def _is_removed(ledger: LocalLedger) -> None:
    ledger.set_targets({})


EVENTS: tuple[Event, ...] = (
    *(_checks_succeed, _checks_fail, _requests_fail),
    *(_is_wanted, _is_removed),
)
WAYS: Mapping[TargetAvailability, Event] = {
    TargetAvailability.UNREADY: _checks_fail,
    TargetAvailability.READY: _checks_succeed,
    TargetAvailability.EJECTED: _requests_fail,
    TargetAvailability.LEAVING: _is_removed,
}
FOUND: Mapping[Event, TargetAvailability] = {
    _checks_succeed: TargetAvailability.READY,
    _checks_fail: TargetAvailability.UNREADY,
    _requests_fail: TargetAvailability.EJECTED,
}


def following(before: TargetAvailability, event: Event) -> TargetAvailability:
    """A target that leaves has no checks any more, and is checked first if it is one again."""
    if event is _is_removed:
        return TargetAvailability.LEAVING
    if before is TargetAvailability.LEAVING:
        return TargetAvailability.UNREADY if event is _is_wanted else TargetAvailability.LEAVING
    return FOUND.get(event, before)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__.strip("_"))
@pytest.mark.parametrize("before", TargetAvailability, ids=lambda state: state.name)
def test_each_event_in_each_state_does_what_is_listed(
    before: TargetAvailability, event: Event
) -> None:
    ledger = LocalLedger()
    _is_wanted(ledger)
    _checks_succeed(ledger)
    slot = take(ledger)  # In flight, or a target that is removed vanishes at once.
    WAYS[before](ledger)
    event(ledger)
    after = slot.held_of.availability
    assert after is following(before, event)
    assert after is before or after in AFTER_AVAILABILITY[before]
    is_ready = after is TargetAvailability.READY
    assert slot.is_good is is_ready
    assert (ledger.try_acquire(0.0) is Denied.NO_TARGET) is not is_ready
    (state,) = ledger.targets(0.0)
    assert (state.ready, state.leaving) == (is_ready, after is TargetAvailability.LEAVING)
    assert ledger.targets_ejected == (after is TargetAvailability.EJECTED)


def test_each_pair_that_the_table_lists_is_one_of_these() -> None:
    seen = {
        (before, following(before, event)) for before, event in product(TargetAvailability, EVENTS)
    }
    listed = {
        (before, after) for before in TargetAvailability for after in AFTER_AVAILABILITY[before]
    }
    assert {(before, after) for before, after in seen if before is not after} == listed


def test_a_target_that_left_is_forgotten_with_its_last_request() -> None:
    ledger = LocalLedger()
    _is_wanted(ledger)
    _checks_succeed(ledger)
    slots = [take(ledger), take(ledger)]
    _is_removed(ledger)
    slots[0].release(1.0)
    assert [one.target for one in ledger.targets(1.0)] == [TARGET]
    slots[1].release(1.0)
    assert ledger.targets(1.0) == []
