"""In which order targets serve: each pair of states, by all that can change it."""

from collections.abc import Callable, Mapping

import pytest

from router.balance.site.ledger import LocalLedger
from router.balance.targets.target_order import AFTER_ORDER, TargetOrder
from router.model.capacity import TargetTerms

_Event = Callable[[LocalLedger], None]


def _time(ledger: LocalLedger) -> None:
    """A request was timed."""
    for _ in range(50):
        ledger.answered("a:1", 0.01, 1, 1.0)


def _serve_in_turn(ledger: LocalLedger) -> None:
    ledger.set_in_turn(True)


def _serve_the_least_loaded(ledger: LocalLedger) -> None:
    ledger.set_in_turn(False)


EVENTS: tuple[_Event, ...] = (_time, _serve_in_turn, _serve_the_least_loaded)

WAYS: Mapping[str, tuple[TargetOrder, tuple[_Event, ...]]] = {
    "least loaded": (TargetOrder.LEAST_LOADED, ()),
    "cold first": (TargetOrder.COLD_FIRST, (_time,)),
    "in turn": (TargetOrder.IN_TURN, (_serve_in_turn,)),
    "in turn, once timed": (TargetOrder.IN_TURN, (_time, _serve_in_turn)),
}
FOLLOWS: Mapping[tuple[str, _Event], TargetOrder] = {
    ("least loaded", _time): TargetOrder.COLD_FIRST,
    ("least loaded", _serve_in_turn): TargetOrder.IN_TURN,
    ("cold first", _serve_in_turn): TargetOrder.IN_TURN,
    ("in turn", _serve_the_least_loaded): TargetOrder.LEAST_LOADED,
    ("in turn, once timed", _serve_the_least_loaded): TargetOrder.COLD_FIRST,
}
"""Every other event changes nothing."""


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
@pytest.mark.parametrize("way", WAYS)
def test_each_event_in_each_state_does_what_is_listed(way: str, event: _Event) -> None:
    ledger = LocalLedger()
    ledger.set_targets(
        {"a:1": TargetTerms(name="", capacity=4), "b:1": TargetTerms(name="", capacity=4)}
    )
    for target in ("a:1", "b:1"):
        ledger.set_ready(target, True)
    state, steps = WAYS[way]
    for step in steps:
        step(ledger)
    assert ledger.order is state
    event(ledger)
    assert ledger.order is FOLLOWS.get((way, event), state)


def test_the_table_lists_what_follows_and_no_more() -> None:
    seen = {(WAYS[way][0], after) for (way, _), after in FOLLOWS.items()}
    assert seen == {(before, one) for before, after in AFTER_ORDER.items() for one in after}
