"""A client's HTTP/1 connection with a request under way: the data for its leg, and its end."""

from collections.abc import Callable
from math import inf

from router.exchange.clients.http1.connection import (
    ASKED,
    IN_REQUEST,
    OVER,
    TORN_BODY,
    UNREAD,
    HttpConnection,
)
from router.exchange.clients.http1.relayed_answer import RelayedAnswer, framing_of
from router.exchange.failure_answers import failure_error
from router.http.http1 import render
from router.http.http1.grammar import HttpError
from router.http.http1.request_heads import RequestHead
from router.model import limits
from router.service.ports import ClientLeg

CLIENT_GONE = 499  # Never sent: counted when the client was gone before the answer.


class LegConnection(HttpConnection):
    """Passes the body of a request on, and ends its exchange: answered, torn, or by its client.

    Its subclass, `HttpClient`, handles the requests and their answers.
    """

    __slots__ = (
        "_answer",
        "_awaits_100",
        "_head",
        "_is_complete",
        "_status",
        "answered",
        "leg",
    )

    _head: RequestHead
    """Of the last request."""

    def _begin_idle(self) -> None:
        """No request has come yet: the part of a subclass's constructor that concerns its leg."""
        self.answered: Callable[[int], None] | None = None
        """None, nearly always: there are no observers."""
        # Of the exchange under way; between two, values left by the last one.
        self.leg: ClientLeg | None = None
        self._is_complete = True  # The request is complete.
        self._awaits_100 = False  # The client waits for 100 before it sends the body.
        self._status = 0  # Of the final head that was sent; 0: none was.
        self._answer: RelayedAnswer | None = None  # If it comes in parts.

    def tell_answers(self, answered: Callable[[int], None]) -> None:
        """See `HttpSession.tell_answers`."""
        self.answered = answered

    # Called by its parser for a body: `RequestSink`.

    def body(self, data: memoryview) -> None:
        if self.state in IN_REQUEST:
            self.deadlines.touch(self._timeouts.idle_s)
            self._send_on(data)

    def body_trailers(self, block: bytes) -> None:
        if self.leg is not None and self.state in IN_REQUEST:
            self.leg.send_trailers(block)

    def complete(self) -> None:
        if self.state is UNREAD:
            self._is_complete = True
            self._next()
        elif self.state in IN_REQUEST:
            self._is_complete = True
            if self.state is ASKED:
                self.deadlines.touch(self._terms.answer_s)
            self._finish_leg()

    # The leg.

    def _send_on(self, data: memoryview) -> None:
        """Send body of the request, or raw bytes."""
        self._body_bytes += len(data)
        self._awaits_100 = False
        if self.leg is not None and not self.leg.send(data):
            self._pause.wait_for_leg(self._timers.now(), self._ended_unread)

    def _finish_leg(self) -> None:
        """The request, or the client's direction of a tunnel, is complete."""
        if self.leg is not None:
            self.leg.finish()

    def _resume_leg(self) -> None:
        if self.leg is not None:
            self.leg.resume()

    @property
    def _awaits_client(self) -> bool:
        """It is the client's turn to send body bytes, and no answer is out."""
        waits = self.state is ASKED and not self._is_complete and not self._awaits_100
        return waits and not self._pause.is_on

    # The end of an exchange.

    def _end_exchange(self, status: int, *, close: bool) -> None:
        """The answer was sent whole."""
        self._forget_exchange(status)
        if close:
            self._close_behind_answer()
        elif self._is_complete:
            self._next()
        else:
            self.state = UNREAD
            self.deadlines.touch(limits.UNREAD_BODY_S)
            self._pause.leg_takes()

    def _close_behind_answer(self) -> None:
        """The client may still send the rest of its request, or read for a while."""
        if not self._is_complete:
            if self._parser.is_closed:
                self._close()
            else:
                self._close(limits.UNREAD_BODY_S, inf)
        elif self._pause.holds:
            self._close()
        else:
            self._close(min(limits.KEEP_ALIVE_IDLE_S, self._linger_s_max))

    def _forget_exchange(self, status: int) -> None:
        """The exchange ended with ``status`` for its client."""
        self.leg = self._answer = None
        self._request_id = b""
        if self.answered is not None:
            self.answered(status)

    def _answer_error(self, error: HttpError, *, close: bool) -> None:
        """Send an answer of ours to the request under way."""
        close = close or not self._head.keep_alive or self._is_last
        self._write_own(error, framing_of(self._head, close=close))
        self._end_exchange(error.status, close=close)

    def _refuse_request(self, error: HttpError, *, is_gone: bool = False) -> None:
        """The request went wrong after its head: answer if that is still possible.

        ``is_gone``: because the client left, as far as is known.
        """
        if self.leg is not None:
            if is_gone:
                self.leg.client_gone()
            else:
                self.leg.abort()
        if self.state is ASKED:
            self._answer_error(error, close=True)
        else:
            self._torn()

    def _tear(self) -> None:
        """The answer stops, or is longer or shorter than its head declares."""
        if self.leg is not None:
            self.leg.abort()
        self._torn()

    def _torn(self) -> None:
        """The answer cannot be completed: the client must not take it for whole."""
        self._forget_exchange(self._status or CLIENT_GONE)
        self._writer.flush()
        self._reset()

    def _client_left(self) -> None:
        """The client no longer waits for the answer, nor for those of requests behind it."""
        if self.leg is not None:
            self.leg.client_gone()
        self._forget_exchange(self._status or CLIENT_GONE)
        if self.state is ASKED:
            self._close()  # Earlier answers may be on their way.
        else:
            self._reset()  # The part already sent must not be taken for the whole.

    # Actions of the table.

    def _nothing(self) -> None:
        """The event needs no action."""

    def _ended_in_request(self) -> None:
        if not self._is_complete:
            self._parser.close()
            self._refuse_request(TORN_BODY, is_gone=True)
        elif not self._terms.serves_half_closed:
            self._client_left()

    def _writable_in_request(self) -> None:
        if self.state is not ASKED or not self._is_complete:
            self.deadlines.touch(self._timeouts.idle_s)
        self._resume_leg()

    def _refuse_rest(self) -> None:
        self._refuse_request(self._error)

    def _request_overdue(self) -> None:
        """If its leg still takes data of the request, the client or the target is too slow."""
        full_at = self._pause.leg_full_at
        if full_at is not None and not self._is_complete:
            now = self._timers.now()
            more_s = self._timeouts.neighbor_deadline(now, full_at) - now
            if more_s > 0.0:
                self.deadlines.touch(more_s)
                return
        self._parser.close()
        if self.state is not ASKED:
            self._tear()
        elif self._awaits_client:
            self._refuse_request(render.REQUEST_TIMEOUT)
        else:
            assert self.leg is not None, "its answer has not begun"
            self._refuse_request(failure_error(self.leg.overdue()))

    def _client_lost(self) -> None:
        self.state = OVER
        if self.leg is not None:
            self.leg.client_gone()
        self._forget_exchange(self._status or CLIENT_GONE)

    def _client_dropped(self) -> None:
        self.state = OVER
        if self.leg is not None:
            self.leg.abort()
        self._forget_exchange(self._status or CLIENT_GONE)
