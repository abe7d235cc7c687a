"""An HTTP/1 client: one exchange after another on its connection, and the time between them."""

from collections.abc import Callable

from router.exchange.clients.http1.client_states import ClientEvent, ClientState
from router.exchange.clients.http1.connection import (
    ANSWERED,
    ANSWERING,
    ASKED,
    DISMISSED,
    FRAMES,
    LEFT,
    OVER,
    RAW,
    TUNNEL,
    Actions,
)
from router.exchange.clients.http1.leg_connection import LegConnection
from router.exchange.clients.http1.relayed_answer import RelayedAnswer
from router.exchange.failure_answers import failure_error
from router.exchange.linger import Linger
from router.http.http1 import render
from router.http.http1.canonical import STATUS_AT, UPGRADE_REQUIRED
from router.http.http1.forwarding import forwarding_of
from router.http.http1.grammar import STATUSES
from router.http.http1.request_heads import RequestHead
from router.http.http1.websocket_frames import RESTARTING, WebSocketFrames
from router.model import limits
from router.model.requests import Request
from router.net.ports import Buffer, Connection
from router.service.http_frontend import HttpFrontend
from router.service.ports import ClientLeg, LegFailure, LegHandler, tell_in_parts

OUTLIVING = ClientState.OUTLIVING
_SWITCHED = 101
_IN_PARTS = (204, 304, UPGRADE_REQUIRED)  # The next answer follows the head, or fields are added.


class HttpClient(LegConnection):
    """The `LegHandler` of one exchange after another, for the whole life of a connection.

    No exchange begins before the leg of the last one is over, except where none follows. A response
    is complete only if its leg reports so and its length is the declared one.
    """

    __slots__ = (
        "_answers",
        "_failure",
        "_frames",
        "_linger",
        "_open_leg",
        "_over",
        "_requests",
        "_via",
    )

    def __init__(
        self,
        connection: Connection,
        actions: Actions,
        frontend: HttpFrontend,
        *,
        open_leg: Callable[[Request, LegHandler], ClientLeg],
        refused: Callable[[int], None],
        over: Callable[[], None],
    ) -> None:
        """``actions`` as in `HttpConnection`, all else as in `HttpSession`."""
        key, host = frontend.key, connection.peer.host
        forwarding = forwarding_of(frontend.site_name, host, frontend.scheme, key)
        super().__init__(connection, actions, frontend, refused, forwarding)
        self._begin_idle()
        self._open_leg = open_leg
        self._over = over
        self._via = b"1.1 " + forwarding.site_name
        self._answers = frontend.heads.answers
        self._requests = 0
        # Of the exchange under way; between two, values left by the last one.
        self._frames: WebSocketFrames | None = None  # Of the target's data.
        self._failure: LegFailure | None = None
        self._linger: Linger | None = None  # Only while it outlives its client.

    # Called by its owner.

    def leave(self, *, quiet: bool) -> None:
        self._is_last = True
        if self.state in RAW and not self._dismiss() and quiet:
            self.state = LEFT
            self._spare_bytes = limits.LINGER_DISCARD_BYTES_MAX
            self.deadlines.touch(self._timeouts.half_closed_s)
            self._finish_leg()
            self._finish()

    def _dismiss(self) -> bool:
        """Tell the client of a WebSocket to connect again; False: not now, or not again.

        Its data until it closes, including its Close, reaches the target, which ends the exchange;
        later data of the target is dropped.
        """
        frames = self._frames
        if self.state is not FRAMES or frames is None or not frames.is_between:
            return False
        if not frames.is_closed:
            self._write(RESTARTING)
            self._writer.flush()
        self.state = DISMISSED
        return True

    def abort(self) -> None:
        """End at once."""
        if self.state is not OUTLIVING:
            self._connection.abort()
        elif self.leg is not None:
            self.leg.abort()

    # Called by its parser: `RequestSink`.

    def request(self, head: RequestHead) -> None:
        if self._frontend.terms is not self._terms:
            self._follow_terms()
        self._requests = count = self._requests + 1
        deadlines, terms, now = self.deadlines, self._terms, self._timers.now()
        if count >= terms.requests:
            self._is_last = True
        self._is_complete = is_whole = head.body_bytes == 0
        if not is_whole:
            deadlines.floor.restart(now)
        waits = is_whole or head.expects  # For an answer, or for 100.
        allowance_s = terms.answer_s if waits else terms.timeouts.idle_s
        deadlines.deadline = deadline = now + allowance_s
        if deadline < deadlines.armed_at:
            deadlines.rearm(now)
        known = self._parser.known
        request = known.made if known is not None else None
        if self._request_ids.name:
            canonical, self._request_id = self._request_ids.on_request(head.head)
            request = self._request_of(head, canonical)
        elif request is None:
            request = self._request_of(head, head.head)
            if known is not None:
                known.made = request
        self.state = ASKED
        self._head = head
        self._awaits_100 = head.expects
        self._body_bytes = self._status = 0
        self.leg = self._open_leg(request, self)

    def _request_of(self, head: RequestHead, canonical: bytes) -> Request:
        return Request(
            key=self._frontend.key,
            protocol="http",
            head=canonical,
            body_bytes=head.body_bytes,
            idempotent=head.idempotent,
            head_only=head.head_only,
            upgrade=head.upgrade,
        )

    # Called by its leg: `LegHandler`.

    def opened(self) -> None:
        """Nothing to do: bytes were sent from the start."""

    def head(self, head: bytes, body_bytes: int) -> None:
        if self.state is not ASKED:
            return
        status = int(head[STATUS_AT])
        if status == _SWITCHED:
            self._switch(head)
        elif status >= 200:
            self._begin_answer(head, body_bytes)
        else:
            self._awaits_100 = self._awaits_100 and status != 100
            if not self._head.old:
                if not self._is_complete:  # It gives time to send a body, and none to answer.
                    self.deadlines.touch(self._timeouts.idle_s)
                self._writer.write(render.interim_to_client(head, self._via))

    def received(self, data: memoryview) -> None:
        state = self.state
        if state is ANSWERING:
            answer = self._answer
            if not data or answer is None:
                return
            parts = answer.parts(data)
            if parts is None:
                self._tear()
                return
            going = self._write(*parts)
        elif state is TUNNEL or state is FRAMES:
            if self._frames is not None:
                self._frames.feed(data)
            going = self._write(data)
        else:
            return
        if not going and self.leg is not None:
            self.leg.pause()

    def trailers(self, block: bytes) -> None:
        if self._answer is not None:
            self._answer.end_with(block)

    def ended(self) -> None:
        if self.state is ANSWERING and self._answer is not None:
            last = self._answer.last_part()
            if last is None:
                self._tear()
                return
            self.state = ANSWERED
            if last:
                self._write(last)
            self._writer.flush()
        elif self.state in RAW:
            self._finish()

    def whole(self, head: bytes, body_bytes: int, body: Buffer) -> None:
        """By far the most common answer is sent in one step; any other one in its parts."""
        if (
            self.state is not ASKED
            or body_bytes != len(body)
            or not (self._is_complete and self._head.is_usual)
            or self._request_id
            or self._is_last
        ):
            tell_in_parts(self, head, body_bytes, body)
            return
        answer, answers = None, self._answers.known
        if head in answers:
            answer = answers[head]
        if answer is None or answer[0] != body_bytes:
            status = STATUSES[head[STATUS_AT]]
            if status in _IN_PARTS:
                tell_in_parts(self, head, body_bytes, body)
                return
            answer = (body_bytes, status, render.sized_response(head, body_bytes, self._via))
            self._answers.note(head, answer)
        _, status, rendered = answer
        writer = self._writer
        if body_bytes > limits.COALESCE_BYTES_MAX or writer.waiting:
            writer.flush(rendered, body)
        elif not self._connection.send(rendered + body):
            writer.filled()
        self.leg = None
        if self.answered is not None:
            self.answered(status)
        self._next()

    def writable(self) -> None:
        if self.leg is None:
            return
        self.deadlines.floor.restart(self._timers.now(), self._body_bytes)
        if not self._is_complete:
            self.deadlines.touch(self._timeouts.idle_s)
        self._pause.leg_takes()

    def done(self, failure: LegFailure | None) -> None:
        self.leg = None  # It refers to this object: break the cycle.
        self._failure = failure
        event = ClientEvent.DONE if failure is None else ClientEvent.FAILED
        self._actions[self.state, event](self)

    # Answers.

    def _begin_answer(self, head: bytes, body_bytes: int) -> None:
        # A client refused while waiting for 100 may send the body or not: either is possible.
        closes = self._awaits_100 or self._is_last
        answer = RelayedAnswer(
            self._with_id(head), body_bytes, self._head, self._via, closes=closes
        )
        self._answer, self._status = answer, answer.status
        self.state = ANSWERING
        self._write(answer.head)
        if self._head.upgrade:
            self._finish_leg()

    def _switch(self, head: bytes) -> None:
        if not self._head.upgrade:
            if self.leg is not None:
                self.leg.abort()
            self._answer_failure(LegFailure("bad-response"), close=True)
            return
        if self._terms.ends_connections and self._head.upgrade == "websocket":
            self._frames = WebSocketFrames()
        self.state = TUNNEL if self._frames is None else FRAMES
        self._status = _SWITCHED
        self._write(render.switch_to_client(self._with_id(head), self._head.upgrade, self._via))
        self._idle_s = self._timeouts.tunnel_s
        self.deadlines.touch(self._idle_s)
        self._writer.flush()
        held = self._parser.take_held()
        self._pause.release()
        if held:
            self._send_on(memoryview(held))
        if self._ended:
            self._finish_leg()
        self._pause.end()

    def _finish(self) -> None:
        """Nothing more will be written."""
        self._writer.flush()
        self._connection.finish()

    def _with_id(self, head: bytes) -> bytes:
        """A response's head that carries the request's id."""
        if not self._request_id:
            return head
        return self._request_ids.on_response(head, self._request_id)

    def _answer_failure(self, failure: LegFailure, *, close: bool) -> None:
        self._answer_error(failure_error(failure), close=close)

    # Actions of the table.

    def _tunnel_writable(self) -> None:
        self.deadlines.touch(self._timeouts.tunnel_s)
        self._resume_leg()

    def _answer_done(self) -> None:
        answer = self._answer
        assert answer is not None, "it was answered"
        self._end_exchange(answer.status, close=answer.closes)

    def _unanswered(self) -> None:
        failure = self._failure or LegFailure("internal")
        self._answer_failure(failure, close=not self._is_complete)

    def _tunnel_done(self) -> None:
        self._end_exchange(_SWITCHED, close=True)

    def _tunnel_closed(self) -> None:
        """Both ends finished towards the client: its last bytes may still go to the target."""
        self.state = OUTLIVING
        leg = self.leg
        assert leg is not None, "it outlives its client"
        self._linger = Linger(
            self._timers,
            self._timeouts.half_closed_s,
            lambda: leg.undelivered_bytes,
            leg.abort,
            at_first=leg.undelivered_bytes,
        )

    def _tunnel_delivered(self) -> None:
        """The end of a tunnel whose client was gone already."""
        self._forget_exchange(_SWITCHED)
        linger, self._linger = self._linger, None
        assert linger is not None, "it outlives its client"
        linger.cancel()
        self.state = OVER
        self._over()
