"""The actions of a connection to an HTTP/1.1 target, by state and event."""

from typing import Final

from router.service.targets.target_connection import Actions
from router.service.targets.target_http import HttpTarget
from router.service.targets.wire_states import WireEvent, WireState

TABLE: Final[Actions] = {
    (WireState.IDLE, WireEvent.ENDED): HttpTarget._closed_while_idle,
    (WireState.IDLE, WireEvent.WRITABLE): HttpTarget._nothing,
    (WireState.IDLE, WireEvent.CLOSED): HttpTarget._lost_while_idle,
    (WireState.IDLE, WireEvent.LOST): HttpTarget._lost_while_idle,
    (WireState.ASKED, WireEvent.ENDED): HttpTarget._answer_ended,
    (WireState.ASKED, WireEvent.WRITABLE): HttpTarget._takes_more,
    (WireState.ASKED, WireEvent.CLOSED): HttpTarget._broke_off,
    (WireState.ASKED, WireEvent.LOST): HttpTarget._broke_off,
    (WireState.ASKED, WireEvent.OVERDUE): HttpTarget._answer_overdue,
    (WireState.RAW, WireEvent.ENDED): HttpTarget._raw_ended,
    (WireState.RAW, WireEvent.WRITABLE): HttpTarget._tell_writable,
    (WireState.RAW, WireEvent.CLOSED): HttpTarget._broke_off,
    (WireState.RAW, WireEvent.LOST): HttpTarget._broke_off,
    (WireState.RAW_ENDED, WireEvent.WRITABLE): HttpTarget._tell_writable,
    (WireState.RAW_ENDED, WireEvent.CLOSED): HttpTarget._raw_closed,
    (WireState.RAW_ENDED, WireEvent.LOST): HttpTarget._broke_off,
    (WireState.GIVEN_UP, WireEvent.ENDED): HttpTarget._reset_and_release,
    (WireState.GIVEN_UP, WireEvent.WRITABLE): HttpTarget._nothing,
    (WireState.GIVEN_UP, WireEvent.CLOSED): HttpTarget._release_slot,
    (WireState.GIVEN_UP, WireEvent.LOST): HttpTarget._release_slot,
    (WireState.LEAVING, WireEvent.ENDED): HttpTarget._nothing,
    (WireState.LEAVING, WireEvent.WRITABLE): HttpTarget._nothing,
    (WireState.LEAVING, WireEvent.CLOSED): HttpTarget._lost_while_idle,
    (WireState.LEAVING, WireEvent.LOST): HttpTarget._lost_while_idle,
    (WireState.LEAVING, WireEvent.OVERDUE): HttpTarget._reset_connection,
    (WireState.OVER, WireEvent.ENDED): HttpTarget._nothing,
    (WireState.OVER, WireEvent.WRITABLE): HttpTarget._nothing,
    (WireState.OVER, WireEvent.CLOSED): HttpTarget._nothing,
    (WireState.OVER, WireEvent.LOST): HttpTarget._nothing,
}
"""A pair that is missing cannot occur."""
