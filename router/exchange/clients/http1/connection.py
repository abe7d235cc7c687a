"""A client's HTTP/1 connection, without its requests: its bytes, its deadlines, its end."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from router.exchange.clients.client_deadlines import ClientDeadlines
from router.exchange.clients.http1.client_states import ClientEvent, ClientState
from router.exchange.clients.http1.input_pause import InputPause
from router.http.http1 import render
from router.http.http1.forwarding import Forwarding
from router.http.http1.grammar import HttpError, bad_request
from router.http.http1.render import ClientFraming
from router.http.http1.request_heads import RequestHead
from router.http.http1.requests import BETWEEN, KnownRequests, RequestParser
from router.model import limits
from router.net.ports import Buffer, Connection
from router.service.http_frontend import HttpFrontend
from router.service.turn_writer import TurnWriter

TORN_BODY = bad_request("The request ended before its body was complete.")
_UNREAD_CLIENT = ClientFraming(head_only=False, old=False, close=True)

# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
IDLE = ClientState.IDLE
UNTAKEN = ClientState.UNTAKEN
ASKED = ClientState.ASKED
ANSWERING = ClientState.ANSWERING
ANSWERED = ClientState.ANSWERED
UNREAD = ClientState.UNREAD
TUNNEL = ClientState.TUNNEL
FRAMES = ClientState.FRAMES
DISMISSED = ClientState.DISMISSED
LEFT = ClientState.LEFT
CLOSING = ClientState.CLOSING
OVER = ClientState.OVER
IN_REQUEST = (ASKED, ANSWERING, ANSWERED)
RAW = (TUNNEL, FRAMES, DISMISSED)
_SERVING = (IDLE, *IN_REQUEST, UNTAKEN)
_PARSED = (*_SERVING, UNREAD)
_DROPPING = (CLOSING, LEFT)

Actions = Mapping[tuple[ClientState, ClientEvent], Callable[[Any], None]]
"""The action for a state and an event. A pair that is missing cannot occur."""


class HttpConnection(ABC):
    """The `RequestSink` of its parser. Subclasses handle requests and answers.

    ``actions``: the table for any state.
    """

    __slots__ = (
        "_actions",
        "_body_bytes",
        "_connection",
        "_ended",
        "_error",
        "_frontend",
        "_idle_s",
        "_is_last",
        "_linger_s_max",
        "_parser",
        "_pause",
        "_refused",
        "_request_id",
        "_request_ids",
        "_spare_bytes",
        "_terms",
        "_timeouts",
        "_timers",
        "_writer",
        "deadlines",
        "state",
    )

    def __init__(
        self,
        connection: Connection,
        actions: Actions,
        frontend: HttpFrontend,
        refused: Callable[[int], None],
        forwarding: Forwarding,
    ) -> None:
        self._connection = connection
        self._actions = actions
        self._frontend = frontend
        self._refused = refused
        self._timers = timers = frontend.timers
        self._terms = terms = frontend.terms
        self._timeouts = terms.timeouts
        self._idle_s = terms.timeouts.idle_s  # For writing; a tunnel has another.
        self._request_ids = frontend.request_ids
        self._writer = TurnWriter(connection, timers)
        self._parser = RequestParser(self, forwarding, terms.heads, frontend.known)
        self._pause = InputPause(connection)
        self.deadlines = ClientDeadlines(
            self._writer, timers, self._look, terms.timeouts.keep_alive_s
        )
        self.state = IDLE
        self._ended = False  # The client finished.
        self._is_last = False  # No further request is wanted on this connection.
        self._linger_s_max = inf  # Behind an answer to a request that is whole.
        self._spare_bytes: float = limits.LINGER_DISCARD_BYTES_MAX  # To drop behind our FIN.
        self._body_bytes = 0  # Received, of the last request.
        self._request_id = b""  # Of the request under way; empty: responses carry none.
        self._error = TORN_BODY

    @abstractmethod
    def request(self, head: RequestHead) -> None:
        """As in `RequestSink`, like the four that follow."""

    @abstractmethod
    def body(self, data: memoryview) -> None: ...

    @abstractmethod
    def body_trailers(self, block: bytes) -> None: ...

    @abstractmethod
    def complete(self) -> None: ...

    def failed(self, error: HttpError) -> None:
        self._error = error
        self._actions[self.state, ClientEvent.BROKEN](self)

    @abstractmethod
    def _send_on(self, data: memoryview) -> None:
        """Raw bytes of a tunnel."""

    @abstractmethod
    def _client_left(self) -> None:
        """The client finished, and no longer waits for the answer to the request under way."""

    @property
    @abstractmethod
    def _awaits_client(self) -> bool:
        """It is the client's turn to send body bytes, and no answer is out."""

    @abstractmethod
    def _refuse_request(self, error: HttpError) -> None:
        """The request under way went wrong: answer it with ``error``, if that is possible."""

    # Called by its connection.

    def client_received(self, data: memoryview) -> None:
        state = self.state
        if state in _PARSED:
            parser = self._parser
            was_in_head = parser.is_in_head
            parser.feed(data)
            if parser.held_bytes or parser.is_in_head:
                self._parsed(was_in_head)
        elif state in RAW:
            self.deadlines.touch(self._timeouts.tunnel_s)
            self._send_on(data)
        elif state in _DROPPING:
            self._spare_bytes -= len(data)
            if self._spare_bytes < 0:
                self._connection.abort()

    def client_ended(self) -> None:
        self._ended = self._is_last = True
        self._actions[self.state, ClientEvent.ENDED](self)

    def client_writable(self) -> None:
        self._writer.drained()
        self._actions[self.state, ClientEvent.WRITABLE](self)

    def client_lost(self, event: ClientEvent) -> None:
        """``event``: how its connection ended."""
        self._parser.detach()
        self.deadlines.stop()
        self._actions[self.state, event](self)

    def _ended_unread(self) -> None:
        """The client finished, and its last bytes are unread: part of a body, or a next request.

        A tunnel, and a client that is served all the same, get `client_ended` in its turn.
        """
        if not self._terms.serves_half_closed and self.state in _SERVING:
            self._ended = self._is_last = True
            if self.state in IN_REQUEST:
                self._client_left()

    # Called by its owner.

    def drain(self) -> None:
        self._is_last = True
        self._linger_s_max = limits.DEPARTURE_LINGER_S
        if self.is_idle:
            self.deadlines.touch(limits.DRAIN_IDLE_S)
        elif self.state is CLOSING and self._spare_bytes < inf:
            self.deadlines.touch(self._linger_s_max)

    @property
    def is_idle(self) -> bool:
        """No request is under way, nor a byte of one here."""
        return self.state is IDLE and self._parser.is_idle

    def close_idle(self) -> None:
        """Close it: no request is under way."""
        self._close()

    # One request after another.

    def _follow_terms(self) -> None:
        """Use the changed settings of the service from this request on."""
        frontend = self._frontend
        self._terms = terms = frontend.terms
        self._timeouts = terms.timeouts
        self._idle_s = terms.timeouts.idle_s
        is_alike = frontend.scheme == self._parser.scheme
        known = frontend.known if is_alike else KnownRequests(frontend.heads.requests)
        self._parser.set_terms(terms.heads, known)

    def _next(self) -> None:
        """Begin the next request, which may have been received already.

        Not while the client reads too slowly: answers would pile up without end.
        """
        deadlines, now, timeouts = self.deadlines, self._timers.now(), self._timeouts
        if self._writer.is_full:
            self.state = UNTAKEN
            deadlines.touch(timeouts.idle_s)
            return
        self.state = IDLE
        deadlines.deadline = deadline = now + timeouts.keep_alive_s
        if deadline < deadlines.armed_at:
            deadlines.rearm(now)
        parser = self._parser
        if parser.held_bytes or self._pause.is_on or self._is_last:
            self._take_held()
        else:
            parser.state = BETWEEN

    def _take_held(self) -> None:
        """Continue with bytes that were received already, unless this is the end of the
        connection.
        """
        if self._ended and not self._terms.serves_half_closed:
            self._close()
            return
        self._pause.release()
        parser = self._parser
        parser.proceed()
        if self.state is not IDLE and self.state not in IN_REQUEST:
            return
        if parser.held_bytes or parser.is_in_head:
            self._parsed(was_in_head=False)
        if self.state is IDLE and (self._ended or (self._is_last and parser.is_idle)):
            self._close()
        else:
            self._pause.end()

    def _parsed(self, was_in_head: bool) -> None:
        """After the parser has seen bytes: pause for held bytes, watch a head that has begun."""
        parser = self._parser
        if parser.held_bytes:
            self._pause.hold(self._ended_unread)
        elif parser.is_in_head and not was_in_head:
            self.deadlines.touch(self._timeouts.header_s)

    # Towards the client.

    def _write(self, *parts: Buffer) -> bool:
        """Write towards the client. False: `client_writable` follows."""
        now, deadlines = self._timers.now(), self.deadlines
        deadlines.deadline = deadline = now + self._idle_s
        if deadline < deadlines.armed_at:
            deadlines.rearm(now)
        return self._writer.write(*parts)

    def _write_own(self, error: HttpError, framing: ClientFraming) -> None:
        whole = render.own_answer(error, framing, self._frontend.rng)
        if self._request_ids.name:
            request_id = self._request_id or self._request_ids.fresh()
            whole = self._request_ids.on_response(whole, request_id)
        self._writer.write(whole)
        self._writer.flush()

    # Its end.

    def _close(
        self,
        linger_s: float = limits.LINGER_DISCARD_S,
        spare_bytes: float = limits.LINGER_DISCARD_BYTES_MAX,
    ) -> None:
        """FIN, then drop ``spare_bytes`` for a while: a reset may destroy our last answer."""
        if self.state is CLOSING or self.state is OVER:
            return
        self.state = CLOSING
        self._parser.close()
        self._spare_bytes = spare_bytes
        if self._pause.is_on:
            self._pause.release()
            self._pause.end()
        self._writer.flush()
        self._connection.finish()
        self.deadlines.close(self._connection, linger_s)

    def _reset(self) -> None:
        self.state = OVER
        self.deadlines.stop()
        self._parser.close()
        self._writer.drop()
        self._connection.abort()

    # Deadlines.

    def _look(self, now: float) -> None:
        """The deadline has come, or it is time to check how fast the client sends."""
        deadlines = self.deadlines
        if now < deadlines.deadline:
            if self._is_too_slow(now):
                self._parser.close()
                self._refuse_request(render.REQUEST_TIMEOUT)
            return
        deadlines.deadline = inf
        idle_s = self._timeouts.idle_s
        is_slow = self.state is not CLOSING and self._writer.untaken_bytes
        if is_slow and deadlines.takes_at_least(self._terms.body_rate_min * idle_s):
            deadlines.touch(idle_s)
        else:
            self._actions[self.state, ClientEvent.OVERDUE](self)

    def _is_too_slow(self, now: float) -> bool:
        """The client sends its body below the floor, and waits for nothing itself."""
        floor = self.deadlines.floor
        if not self._awaits_client:
            floor.restart(now, self._body_bytes)
            return False
        return floor.is_missed(now, self._body_bytes, self._terms.body_rate_min)

    # Actions of the table.

    def _refuse(self) -> None:
        """Answer input that was no request, and close."""
        self._refused(self._error.status)
        self._write_own(self._error, _UNREAD_CLIENT)
        self._close()

    def _idle_overdue(self) -> None:
        if self._parser.is_in_head:
            self._error = render.REQUEST_TIMEOUT
            self._refuse()
        else:
            self._close(min(self._terms.linger_s, self._linger_s_max))

    def _closing_overdue(self) -> None:
        """The time to close is over; but a slow reader gets the rest while it takes any of it."""
        if self.deadlines.still_reads(self._timers.now()):
            self.deadlines.touch(limits.LINGER_DISCARD_S)
        else:
            self._reset()

    def _tunnel_overdue(self) -> None:
        self._connection.abort()

    def _lost_between(self) -> None:
        self.state = OVER
