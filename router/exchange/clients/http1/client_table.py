"""The actions of an HTTP/1 client, by state and event."""

from collections.abc import Callable
from typing import Final

from router.exchange.clients.http1.client import HttpClient
from router.exchange.clients.http1.client_states import ClientEvent, ClientState
from router.exchange.clients.http1.connection import IN_REQUEST, RAW, Actions

_IDLE, _UNTAKEN, _UNREAD = ClientState.IDLE, ClientState.UNTAKEN, ClientState.UNREAD
_ASKED, _ANSWERING, _ANSWERED = IN_REQUEST
_TUNNELS = (*RAW, ClientState.LEFT)
_OUTLIVING, _CLOSING, _OVER = ClientState.OUTLIVING, ClientState.CLOSING, ClientState.OVER
_BETWEEN = (_IDLE, _UNTAKEN, _UNREAD, _CLOSING, _OVER)

_ROWS: Final[list[tuple[ClientEvent, Callable[[HttpClient], None], tuple[ClientState, ...]]]] = [
    (ClientEvent.ENDED, HttpClient._close, (_IDLE, _UNREAD)),
    (ClientEvent.ENDED, HttpClient._nothing, (_UNTAKEN, _CLOSING, _OVER)),
    (ClientEvent.ENDED, HttpClient._ended_in_request, IN_REQUEST),
    (ClientEvent.ENDED, HttpClient._finish_leg, _TUNNELS),
    (ClientEvent.WRITABLE, HttpClient._nothing, (_IDLE, _UNREAD, _CLOSING, _OVER)),
    (ClientEvent.WRITABLE, HttpClient._next, (_UNTAKEN,)),
    (ClientEvent.WRITABLE, HttpClient._writable_in_request, IN_REQUEST),
    (ClientEvent.WRITABLE, HttpClient._tunnel_writable, _TUNNELS),
    (ClientEvent.CLOSED, HttpClient._lost_between, _BETWEEN),
    (ClientEvent.CLOSED, HttpClient._client_lost, IN_REQUEST),
    (ClientEvent.CLOSED, HttpClient._tunnel_closed, _TUNNELS),
    (ClientEvent.LOST, HttpClient._lost_between, _BETWEEN),
    (ClientEvent.LOST, HttpClient._client_lost, (*IN_REQUEST, *_TUNNELS)),
    (ClientEvent.DROPPED, HttpClient._lost_between, _BETWEEN),
    (ClientEvent.DROPPED, HttpClient._client_dropped, (*IN_REQUEST, *_TUNNELS)),
    (ClientEvent.OVERDUE, HttpClient._idle_overdue, (_IDLE, _UNTAKEN, _UNREAD)),
    (ClientEvent.OVERDUE, HttpClient._request_overdue, IN_REQUEST),
    (ClientEvent.OVERDUE, HttpClient._tunnel_overdue, _TUNNELS),
    (ClientEvent.OVERDUE, HttpClient._closing_overdue, (_CLOSING,)),
    (ClientEvent.DONE, HttpClient._unanswered, (_ASKED,)),
    (ClientEvent.DONE, HttpClient._torn, (_ANSWERING,)),
    (ClientEvent.DONE, HttpClient._answer_done, (_ANSWERED,)),
    (ClientEvent.DONE, HttpClient._tunnel_done, _TUNNELS),
    (ClientEvent.DONE, HttpClient._tunnel_delivered, (_OUTLIVING,)),
    (ClientEvent.DONE, HttpClient._nothing, (_CLOSING, _OVER)),
    (ClientEvent.FAILED, HttpClient._unanswered, (_ASKED,)),
    (ClientEvent.FAILED, HttpClient._torn, (_ANSWERING, *_TUNNELS)),
    (ClientEvent.FAILED, HttpClient._answer_done, (_ANSWERED,)),
    (ClientEvent.FAILED, HttpClient._tunnel_delivered, (_OUTLIVING,)),
    (ClientEvent.FAILED, HttpClient._nothing, (_CLOSING, _OVER)),
    (ClientEvent.BROKEN, HttpClient._refuse, (_IDLE,)),
    (ClientEvent.BROKEN, HttpClient._refuse_rest, IN_REQUEST),
    (ClientEvent.BROKEN, HttpClient._close, (_UNREAD,)),
]

TABLE: Final[Actions] = {
    (state, event): action for event, action, states in _ROWS for state in states
}
"""A pair that is missing cannot occur."""
