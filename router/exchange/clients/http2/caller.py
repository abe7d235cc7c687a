"""One request of an HTTP/2 client: turns the calls of its leg into frames of its stream."""

from math import inf
from typing import Protocol

from msgspec.structs import replace

from router.exchange.clients.client_deadlines import Floor
from router.exchange.clients.http1.leg_connection import CLIENT_GONE
from router.exchange.clients.http2.call_phases import BODY, ENDED, HELD, OVER, WAITING
from router.exchange.failure_answers import failure_error
from router.http.http1 import render
from router.http.http1.bytes_cache import BytesCache
from router.http.http1.canonical import STATUS_AT
from router.http.http1.grammar import HttpError
from router.http.http1.memory import AsBlock
from router.http.http2 import codes, heads
from router.http.http2.blocks import Block, encoded
from router.http.http2.grpc_timeout import timeout_s
from router.http.http2.heads import JudgedRequest, Malformed
from router.http.http2.streams import Http2Stream
from router.http.http2.written import response_block
from router.model.settings import ServiceLimits, Timeouts
from router.net.ports import Buffer
from router.service.ports import ClientLeg, LegFailure, tell_in_parts


class Http2Client(Protocol):
    """The session, as its callers see it."""

    body_rate_min: int
    bounds: ServiceLimits
    timeouts: Timeouts
    via: bytes
    blocks: BytesCache[AsBlock]

    def now(self) -> float:
        """In absolute seconds, like all deadlines."""

    def next_deadline(self) -> float:
        """The time until which a request that has just moved must move again."""

    def answer_deadline(self) -> float:
        """The time until which the response to a complete request must have begun."""

    def answered(self, leg: ClientLeg, status: int) -> None:
        """``leg`` is about to be aborted for an answer of ours."""

    def answer(
        self, stream: Http2Stream, error: HttpError, asked: JudgedRequest, request_id: bytes = b""
    ) -> None:
        """Send a whole answer of ours. ``request_id`` empty: it has none, or needs a new one."""

    def with_request_id(self, head: bytes, request_id: bytes) -> bytes:
        """A response's head with the request's id in it."""

    def misused(self, stream: Http2Stream) -> None:
        """The request is malformed after all: an error of its stream."""


_BODILESS = (b"204", b"304")
_DEADLINE_EXCEEDED = 504  # The equivalent of gRPC's status.


class Http2Caller:
    """`LegHandler` of one request and `StreamUser` of its stream.

    ``ended``: the request has no body. ``leg`` is set by the session right after opening it. A head
    without a body is held until the response's end is known, so that a response that ends with its
    head (as gRPC's errors do) also does so towards the client. ``deadline``: if nothing moves until
    then, `overdue` follows.
    """

    __slots__ = (
        "_asked",
        "_began_at",
        "_body_left",
        "_client",
        "_floor",
        "_head",
        "_left",
        "_leg_full_at",
        "_request_id",
        "_seen_bytes",
        "_stream",
        "_trailers",
        "deadline",
        "is_request_complete",
        "leg",
        "phase",
        "status",
    )

    leg: ClientLeg

    def __init__(
        self,
        client: Http2Client,
        stream: Http2Stream,
        asked: JudgedRequest,
        request_id: bytes = b"",
        *,
        ended: bool = False,
    ) -> None:
        self._client = client
        self._stream = stream
        self._asked = asked
        self._began_at = client.now() if asked.grpc else inf
        self._request_id = request_id  # Empty: responses carry none.
        self.phase = WAITING
        self._body_left = asked.body_bytes  # Of the request; -1: not declared.
        self._left = -1  # Of the response, likewise.
        self._head = b""  # Encoded, like the trailers.
        self._trailers = b""
        self._seen_bytes = 0  # Of the request's body.
        self._floor: Floor | None = None  # While the client has to send.
        self._leg_full_at = inf  # When its leg began to take no more.
        self.is_request_complete = ended
        self.status = 0
        self.deadline = client.answer_deadline() if ended else client.next_deadline()

    # Called by the stream.

    def got_head(self, fields: Block, ended: bool) -> None:
        raise AssertionError("a client sends no response")

    def got_whole(self, fields: Block, data: memoryview) -> None:
        raise AssertionError("a client sends no response")

    def got_body(self, data: memoryview) -> None:
        if self.phase is OVER or self.phase is ENDED:
            return
        self.deadline = self._client.next_deadline()
        self._seen_bytes += len(data)
        if self._body_left >= 0:
            self._body_left -= len(data)
            if self._body_left < 0:
                self._misused()
                return
        if not self.leg.send(data):
            self._leg_full_at = min(self._leg_full_at, self._client.now())
            self._stream.pause()

    def got_trailers(self, fields: Block) -> None:
        if self.phase is OVER or self.phase is ENDED:
            return
        block = heads.read_trailers(fields, self._client.bounds)
        if isinstance(block, Malformed):
            self._misused()
        elif block:
            self.leg.send_trailers(block)

    def got_end(self) -> None:
        if self.phase is OVER or self.phase is ENDED:
            return
        if self._body_left > 0:
            self._misused()
            return
        self.is_request_complete = True
        if self.phase is WAITING:
            self.deadline = self._client.answer_deadline()
        else:
            self.deadline = self._client.next_deadline()
        self.leg.finish()

    def got_room(self) -> None:
        if self.phase is not OVER and self.phase is not ENDED:
            self.deadline = self._client.next_deadline()
            self.leg.resume()

    def got_reset(self, code: int) -> None:
        self.client_gone()

    def got_broken(self, reason: str) -> None:
        self.client_gone()

    # Called by the session.

    def client_gone(self) -> None:
        """Stop: the client is gone."""
        if self._ends_unanswered():
            self.leg.client_gone()

    def dropped(self) -> None:
        """As `client_gone`, but this side ended the connection."""
        if self._ends_unanswered():
            self.leg.abort()

    def _ends_unanswered(self) -> bool:
        """Whether there is a leg to end."""
        phase, self.phase = self.phase, OVER
        if phase is OVER:
            return False
        self.status = self.status or CLIENT_GONE
        return phase is not ENDED

    @property
    def is_answered(self) -> bool:
        """The response is whole; it may wait for the client's credit."""
        return self.phase is ENDED or self.phase is OVER

    def judge(self, now: float) -> None:
        """Called periodically: stop an exchange that does not move, or moves too slowly."""
        if now >= self.deadline:
            self.deadline = self._later(now)
        if now >= self.deadline or self._is_too_slow(now):
            self.overdue()

    def _later(self, now: float) -> float:
        """Until when it may go on, though nothing came or went.

        Its leg may take nothing of the request; a client may read slowly.
        """
        timeouts = self._client.timeouts
        if not self.is_request_complete and self._leg_full_at != inf:
            return timeouts.neighbor_deadline(now, self._leg_full_at)
        return self._stream.moved_at + timeouts.idle_s

    def _is_too_slow(self, now: float) -> bool:
        """The client sends its body below the floor, over the time since the last check.

        Does not apply to gRPC, whose streams may idle between messages.
        """
        rate_min = self._client.body_rate_min
        awaited = self.phase is WAITING and not self.is_request_complete
        waits_for_100 = b"\r\nexpect:" in self._asked.head and not self._seen_bytes
        is_free = self._asked.grpc or not rate_min or self._stream.is_paused
        if is_free or not awaited or waits_for_100:
            self._floor = None
            return False
        if self._floor is None:
            self._floor = Floor(now, self._seen_bytes)
            return False
        return self._floor.is_missed(now, self._seen_bytes, rate_min)

    def overdue(self) -> None:
        """Nothing moved for too long."""
        if self.phase is ENDED:
            self._stream.reset(codes.CANCEL)
        elif self.phase is not OVER:
            waiting = self.phase is WAITING
            awaits_client = not self.is_request_complete and self._leg_full_at == inf
            if awaits_client or not waiting:
                self._stop(render.REQUEST_TIMEOUT, waiting)
            else:
                self._stop(failure_error(self.leg.overdue()), waiting)

    # Called by the leg.

    def opened(self) -> None:
        """Nothing to do: bytes were sent from the start."""

    def head(self, head: bytes, body_bytes: int) -> None:
        if self.phase is not WAITING:
            return
        status = int(head[STATUS_AT])
        if status >= 200 or not self.is_request_complete:  # A 1xx gives no time to answer.
            self.deadline = self._client.next_deadline()
        if status == 101:
            self._stop(failure_error(LegFailure("bad-response")), True)
            return
        if self._request_id:
            head = self._client.with_request_id(head, self._request_id)
        client = self._client
        block = response_block(client.blocks, head, body_bytes, client.via)
        if status < 200:
            self._stream.send_head(block)
            return
        self.status = status
        bodiless = render.is_bodiless(status, self._asked.head_only)
        self._left = 0 if bodiless else body_bytes
        if self._left == 0:
            self.phase = HELD
            self._head = block
        else:
            self.phase = BODY
            self._stream.send_head(block)

    def received(self, data: memoryview) -> None:
        size = len(data)
        if self.phase is HELD and size:
            self._tear()  # A body after a head that has none.
        if self.phase is not BODY or not size:
            return
        self.deadline = self._client.next_deadline()
        if self._left >= 0:
            self._left -= size
            if self._left < 0:
                self._tear()
                return
        if not self._stream.send(data):
            self.leg.pause()

    def trailers(self, block: bytes) -> None:
        self._trailers = encoded(heads.field_lines(block))

    def ended(self) -> None:
        phase = self.phase
        if phase is not BODY and phase is not HELD:
            return
        if self._left > 0:
            self._tear()
            return
        self.phase = ENDED
        # A client answered before it had sent everything may stop (RFC 9113, 8.1).
        reset_after = -1 if self.is_request_complete else codes.NO_ERROR
        stream = self._stream
        if phase is HELD and not self._trailers:
            stream.send_head(self._head, True)
            if reset_after >= 0:
                stream.reset(reset_after)
            return
        if phase is HELD:
            stream.send_head(self._head)
        stream.finish(self._trailers, reset_after=reset_after)

    def whole(self, head: bytes, body_bytes: int, body: Buffer) -> None:
        client = self._client
        if (
            self.phase is WAITING
            and body_bytes == len(body) > 0
            and self.is_request_complete
            and not self._request_id
            and not self._asked.head_only
            and head[STATUS_AT] not in _BODILESS
            and self._stream.send_whole(
                response_block(client.blocks, head, body_bytes, client.via), body
            )
        ):
            del self.leg  # As in `done`.
            self.status = int(head[STATUS_AT])
            self.phase = OVER
        else:
            tell_in_parts(self, head, body_bytes, body)

    def writable(self) -> None:
        if self.phase is not OVER and self.phase is not ENDED:
            self._leg_full_at = inf
            if not self.is_request_complete:
                self.deadline = self._client.next_deadline()
            self._stream.resume()

    def done(self, failure: LegFailure | None) -> None:
        del self.leg  # It refers to this object: break the cycle.
        phase = self.phase
        if phase is OVER or phase is ENDED:
            return
        if phase is WAITING:
            self.phase = OVER
            failure = failure if failure is not None else LegFailure("internal")
            self._answer(failure_error(failure))
            return
        self.phase = ENDED  # The client gets the data so far, then a reset.
        if phase is HELD:
            self._stream.send_head(self._head)
        self._stream.tear(codes.CANCEL if self._is_out_of_time() else codes.INTERNAL_ERROR)

    # Steps.

    def _is_out_of_time(self) -> bool:
        """The call's own deadline has passed.

        Servers of gRPC reset such calls, perhaps before their clients notice; clients take any
        other failure for the server's.
        """
        began_at = self._began_at
        return began_at != inf and self._client.now() - began_at >= timeout_s(self._asked.head)

    def _stop(self, error: HttpError, answerable: bool) -> None:
        self.phase = OVER
        if answerable:
            self._client.answered(self.leg, error.status)
        self.leg.abort()
        if answerable:
            self._answer(error)
        else:
            self._stream.reset(codes.CANCEL)

    def _answer(self, error: HttpError) -> None:
        if self._is_out_of_time():
            error = replace(error, status=_DEADLINE_EXCEEDED)
        self.status = error.status
        self._client.answer(self._stream, error, self._asked, self._request_id)

    def _tear(self) -> None:
        self.phase = OVER
        self.leg.abort()
        self._stream.reset(codes.INTERNAL_ERROR)

    def _misused(self) -> None:
        self.phase = OVER
        self.leg.abort()
        self._client.misused(self._stream)
