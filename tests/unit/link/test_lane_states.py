"""Who may open streams on a lane: each pair of states, by all that can happen to a lane."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from router.link import control
from router.link.fault import Fault
from router.link.ports import OpenedStream
from router.link.streams.incoming_frames import IncomingFrames
from router.link.streams.lane_states import (
    AFTER_OPENING,
    AFTER_PEER_OPENING,
    Opening,
    PeerOpening,
)
from router.link.streams.peer_floods import PeerFloods
from router.model.ids import RouterId, SiteId
from tests.unit.link.lanes import Pair, Recorder, request

_Event = Callable[[Pair], object]


def _serve(pair: Pair) -> None:
    pair.left.serve(RouterId("there"), SiteId("there"))


def _open_no_more(pair: Pair) -> None:
    """LAST leaves at the turn's end."""
    pair.left.open_no_more()


def _settle(pair: Pair) -> None:
    pair.world.settle()


def _close(pair: Pair) -> None:
    pair.left.close(Fault("shutdown", "the test is over"))


def _drain(pair: Pair) -> None:
    pair.left.drain()


def _receive_last(pair: Pair) -> None:
    pair.left.heard_last()


EVENTS: tuple[_Event, ...] = (_serve, _open_no_more, _settle, _close, _drain, _receive_last)

WAYS: Mapping[Opening, tuple[_Event, ...]] = {
    Opening.NOT_YET: (),
    Opening.ALLOWED: (_serve,),
    Opening.LAST_DUE: (_serve, _open_no_more),
    Opening.LAST_SENT: (_serve, _open_no_more, _settle),
    Opening.OVER: (_serve, _close),
}
FOLLOWS: Mapping[tuple[Opening, _Event], Opening] = {
    (Opening.NOT_YET, _serve): Opening.ALLOWED,
    (Opening.ALLOWED, _open_no_more): Opening.LAST_DUE,
    (Opening.LAST_DUE, _settle): Opening.LAST_SENT,
    **{(state, _close): Opening.OVER for state in Opening},
}
"""Every other event changes nothing."""


def _opens(pair: Pair) -> OpenedStream | None:
    return pair.left.open_stream(request(), Recorder())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
@pytest.mark.parametrize("state", Opening)
def test_of_our_streams_each_event_in_each_state_does_what_is_listed(
    state: Opening, event: _Event
) -> None:
    pair = Pair(serving=False)
    pair.right.serve(RouterId("here"), SiteId("here"))
    for step in WAYS[state]:
        step(pair)
    assert pair.left.opening is state
    assert (_opens(pair) is not None) == (state is Opening.ALLOWED)
    event(pair)
    assert pair.left.opening is FOLLOWS.get((state, event), state)


def test_the_table_of_our_streams_lists_what_follows_and_no_more() -> None:
    assert _pairs(AFTER_OPENING) == {
        (before, after) for (before, _), after in FOLLOWS.items() if before is not after
    }


def _pairs(table: Mapping[Any, frozenset[Any]]) -> set[tuple[Any, Any]]:
    return {(before, after) for before, all_after in table.items() for after in all_after}


def _incoming(state: PeerOpening) -> IncomingFrames:
    pair = Pair()
    incoming = IncomingFrames(pair.left, PeerFloods(0.0), parity=0)
    for step in PEER_WAYS[state]:
        step(incoming)
    assert incoming.opening is state
    return incoming


_PeerEvent = Callable[[IncomingFrames], object]
_allow = IncomingFrames.allow
_ask = IncomingFrames.ask_for_last
_last = IncomingFrames.receive_last
PEER_WAYS: Mapping[PeerOpening, tuple[_PeerEvent, ...]] = {
    PeerOpening.NOT_YET: (),
    PeerOpening.ALLOWED: (_allow,),
    PeerOpening.ASKED: (_allow, _ask),
    PeerOpening.LAST_RECEIVED: (_allow, _last),
}
PEER_FOLLOWS: Mapping[tuple[PeerOpening, _PeerEvent], PeerOpening] = {
    (PeerOpening.NOT_YET, _allow): PeerOpening.ALLOWED,
    (PeerOpening.ALLOWED, _ask): PeerOpening.ASKED,
    (PeerOpening.ALLOWED, _last): PeerOpening.LAST_RECEIVED,
    (PeerOpening.ASKED, _last): PeerOpening.LAST_RECEIVED,
}
"""Every other event changes nothing."""


@pytest.mark.parametrize("event", [_allow, _ask, _last], ids=lambda event: event.__name__)
@pytest.mark.parametrize("state", PeerOpening)
def test_of_the_peers_streams_each_event_in_each_state_does_what_is_listed(
    state: PeerOpening, event: _PeerEvent
) -> None:
    incoming = _incoming(state)
    event(incoming)
    assert incoming.opening is PEER_FOLLOWS.get((state, event), state)


def test_the_table_of_the_peers_streams_lists_what_follows_and_no_more() -> None:
    listed = {(before, after) for (before, _), after in PEER_FOLLOWS.items()}
    assert _pairs(AFTER_PEER_OPENING) == listed


def test_a_peer_that_said_last_is_not_asked_for_it() -> None:
    pair = Pair()
    pair.left.heard_last()
    pair.left.drain()
    pair.world.settle()
    assert pair.right_owner.messages == []


def test_a_peer_is_asked_for_last_once() -> None:
    pair = Pair()
    pair.left.drain()
    pair.left.drain()
    pair.world.settle()
    assert pair.right_owner.messages == [control.Drain()]


@pytest.mark.parametrize("state", [PeerOpening.ALLOWED, PeerOpening.ASKED])
def test_what_the_peer_opens_until_last_is_taken(state: PeerOpening) -> None:
    pair = Pair()
    if state is PeerOpening.ASKED:
        pair.right.drain()
    assert _opens(pair) is not None
    pair.world.settle()
    assert len(pair.right_owner.offered) == 1 and pair.right_owner.faults == []


def test_a_lane_whose_peer_is_not_known_takes_no_stream() -> None:
    pair = Pair(serving=False)
    _serve(pair)
    assert _opens(pair) is not None
    pair.world.settle()
    assert [fault.code for fault in pair.right_owner.faults] == ["not-authenticated"]
