"""An HTTP/2 exchange with a target of this site: a stream of one of its connections."""

from math import inf
from typing import NamedTuple

from router.http.http1 import render
from router.http.http1.heads import HEADER_TOO_LARGE
from router.http.http2 import codes, grpc_status, heads
from router.http.http2.blocks import Block, encoded
from router.http.http2.heads import Answered, Fields, Malformed
from router.http.http2.streams import Http2Stream
from router.http.http2.written import request_block
from router.model import limits
from router.model.requests import Request
from router.model.settings import ServiceLimits
from router.net.ports import Buffer
from router.service.ports import LegCode, LegFailure, LegHandler
from router.service.targets.abandoned import GIVEN_UP, Abandoned, hold_s
from router.service.targets.http2.leg_states import AWAITED, BEGUN, COMPLETE, DONE, FULL, OPEN
from router.service.targets.http2.pool import Http2Pool
from router.service.targets.http2.session import TargetSession

RESPONSE_BOUNDS = ServiceLimits()
_TOO_LARGE = b"HTTP/1.1 %d \r\nSpillway-Error: %b\r\n" % (
    HEADER_TOO_LARGE.status,
    HEADER_TOO_LARGE.code.encode("ascii"),
)


class _Read(NamedTuple):
    """A header block read as the head of a response, and how it continues."""

    answered: Answered | Malformed
    ended: bool
    via: bytes
    head: bytes
    whole_bytes: int
    """Length of its body, if it may come whole after such a head; -1: it may not, or is not
    declared.
    """


class Http2TargetLeg:
    """`ServerLeg` to a target, and `StreamUser` there: its stream opens in the constructor.

    A stream that the target did not process (REFUSED_STREAM, or beyond its GOAWAY) fails as
    ``not-processed``: an exchange that still has all of the request may send it again. ``via`` as
    in `HttpTarget.begin`.
    """

    wire = None
    undelivered_bytes = 0

    __slots__ = (
        "_asked_at",
        "_body_left",
        "_failure",
        "_handler",
        "_interim_bytes",
        "_interims",
        "_paused_at",
        "_pool",
        "_request",
        "_response_left",
        "_session",
        "_stream",
        "_trailers",
        "_via",
        "answering",
        "asking",
        "blames_target",
        "deadline",
        "lingers",
        "status",
    )

    def __init__(
        self,
        request: Request,
        handler: LegHandler,
        pool: Http2Pool,
        session: TargetSession,
        via: bytes,
    ) -> None:
        self._request = request
        self._handler = handler
        self._pool = pool
        self._via = via
        self.asking = OPEN if request.body_bytes else COMPLETE
        self.answering = AWAITED
        self._session: TargetSession | None = None
        self._stream: Http2Stream | None = None
        self._body_left = request.body_bytes
        self._trailers: Fields = []
        self._interims = 0
        self._interim_bytes = 0
        self._response_left = -1
        self._paused_at: float | None = None
        self._failure: LegFailure | None = None
        self.deadline = inf
        """Checked by the pool's sweep."""
        self.status = 0
        self.blames_target = False
        self.lingers: Abandoned | None = None
        # Open the stream.
        body_bytes, _, _, block, list_bytes = request_block(
            pool.blocks, request.head, request.body_bytes, session.scheme
        )
        if list_bytes > session.http2.writer.peer_header_list_bytes:
            # The target might end the connection for it, and with it the streams of other clients.
            self.answering = DONE
            self.status = HEADER_TOO_LARGE.status
            pool.network.at_turn_end(self._turn_away)
            return
        self._session = session
        self._stream = session.http2.open(block, self, body_bytes == 0)
        self._touch()

    # Called by the owner.

    def send(self, data: Buffer) -> bool:
        """Body bytes. A body beyond its declared length is a torn request: it is aborted."""
        size = len(data)
        if self.answering is DONE or size == 0:
            return True
        if self.asking is COMPLETE:
            return self._torn()
        if self._body_left >= 0:
            self._body_left -= size
            if self._body_left < 0:
                return self._torn()
        if self._stream is None:
            return True  # It is over, or about to be.
        self._touch()
        if self._stream.send(data):
            return True
        self.asking = FULL
        return False

    def send_trailers(self, block: bytes) -> None:
        self._trailers = heads.field_lines(block)

    def finish(self) -> None:
        if self.asking is COMPLETE or self.answering is DONE:
            return
        if self._body_left > 0:
            self._torn()
            return
        self.asking = COMPLETE
        if self._stream is not None:
            self._touch()
            self._end_request(self._stream)

    def abort(self) -> None:
        self._fail("cancelled", "the client went away")

    def pause(self) -> None:
        if self._paused_at is None:
            self._paused_at = self._pool.network.now()
        if self._stream is not None:
            self._stream.pause()

    def resume(self) -> None:
        if self._paused_at is not None and self.answering is BEGUN:
            self._touch()  # The target could not send until now.
        self._paused_at = None
        if self._stream is not None:
            self._stream.resume()

    # Called by the pool.

    @property
    def is_awaited(self) -> bool:
        return self.asking is COMPLETE and self.answering is AWAITED

    def lost(self, code: LegCode, reason: str, *, blames: bool) -> None:
        self._stream = None
        self.blames_target = self.answering is not DONE and blames
        self._fail(code, reason)

    def not_processed(self) -> None:
        """The target's GOAWAY excluded the stream."""
        self._stream = None
        self._fail("not-processed", "the target left before it had taken the request")

    def overdue(self) -> None:
        if self.answering is DONE:
            stream, self._stream = self._stream, None
            if stream is not None:
                self._break_off(stream, codes.CANCEL)
        elif (later := self._later()) > self._pool.network.now():
            self.deadline = later
        elif self.answering is BEGUN or self.asking is OPEN:
            self._fail("stalled", "nothing moved for too long")
        else:
            self.blames_target = self._paused_at is None
            self._fail("target-timeout", "the target did not answer in time")

    # Called by the stream.

    def got_whole(self, fields: Block, data: memoryview) -> None:
        self._stream = None  # It is over already: nothing is left to reset.
        if self.answering is DONE:
            return
        read = self._read(fields, False)
        answered = read.answered
        if (
            type(answered) is not Answered  # `isinstance` is slow for this kind of class.
            or read.whole_bytes != len(data)
            or self._request.head_only
        ):
            self.got_head(fields, False)
            self.got_body(data)
            self.got_end()
            return
        self.status = answered.status
        self.answering = DONE
        self._pool.answered(self._asked_at)
        self._handler.whole(read.head, answered.body_bytes, data)

    def got_head(self, fields: Block, ended: bool) -> None:
        if self.answering is DONE:
            return
        read = self._read(fields, ended)
        answered = read.answered
        if isinstance(answered, Malformed):
            self._bad(answered.reason)
            return
        if answered.status < 200:
            # A reader cannot slow these down, and a stream to another site allows no more either.
            self._interims += 1
            self._interim_bytes += len(answered.head)
            if (
                self._interims >= limits.HEADS_PER_STREAM_MAX
                or self._interim_bytes > limits.INTERIM_BYTES_MAX
            ):
                self._bad("interim responses without end")
                return
        else:
            bodiless = render.is_bodiless(answered.status, self._request.head_only)
            self._response_left = 0 if bodiless else answered.body_bytes
            if ended and self._response_left > 0:
                self._bad("the response is shorter than its head says")
                return
            if self._response_left >= 0 and self._stream is not None:
                self._stream.expect(self._response_left)
            self.answering = BEGUN
            self.status = grpc_status.status_of_target(answered.head) or answered.status
        self._touch()
        self._handler.head(read.head, answered.body_bytes)

    def got_body(self, data: memoryview) -> None:
        if self.answering is DONE:
            return
        if self._response_left >= 0:
            self._response_left -= len(data)
            if self._response_left < 0:
                self._bad("the response is longer than its head says")
                return
        self._pool.answers.parts += 1
        self._touch()
        self._handler.received(data)

    def got_trailers(self, fields: Block) -> None:
        if self.answering is DONE:
            return
        block = heads.read_trailers(fields, RESPONSE_BOUNDS)
        if isinstance(block, Malformed):
            self._bad(block.reason)
        elif block:
            self.status = grpc_status.status_of_target(block) or self.status
            self._handler.trailers(block)

    def got_end(self) -> None:
        if self.answering is DONE:
            return
        if self._response_left > 0 or self.answering is AWAITED:
            self._bad("the response is shorter than its head says")
            return
        self.answering = DONE
        self._pool.answered(self._asked_at)
        self.deadline = inf
        stream, self._stream = self._stream, None
        if stream is not None and not stream.is_over:
            if self.asking is COMPLETE:  # The target may take the rest of it, for a while.
                self._stream = stream
                self._touch()
            else:
                self._break_off(stream, codes.CANCEL)  # The rest of the request is not read.
        self._handler.ended()
        self._handler.done(None)

    def got_room(self) -> None:
        if self.answering is not DONE:
            if self.asking is FULL:
                self.asking = OPEN
            self._touch()
            self._handler.writable()

    def got_reset(self, code: int) -> None:
        session, self._session = self._session, None
        self._stream = None
        if code == codes.NO_ERROR and self.answering is BEGUN and self._response_left == 0:
            # Node's server ends some responses so, once all declared bytes have been sent.
            self.got_end()
        elif code == codes.REFUSED_STREAM and self.answering is AWAITED:
            if session is not None:
                session.refused()
            self._fail("not-processed", "the target refused the stream")
        else:
            # A target that waits for a client, to send or to read, may well lose patience with it.
            self.blames_target = self.asking is not OPEN and self._paused_at is None
            self._fail("target-reset", f"the target reset the stream, code {code}")

    def got_broken(self, reason: str) -> None:
        self._stream = None
        self._bad(f"the target broke HTTP/2: {reason}")

    # Steps.

    def _read(self, fields: Block, ended: bool) -> _Read:
        """The verdict on a head, stored with its block."""
        read = fields.made
        if type(read) is not _Read or read.ended is not ended or read.via != self._via:
            answered = heads.read_response(fields, ended, RESPONSE_BOUNDS)
            head, whole_bytes = b"", -1
            if isinstance(answered, Answered):
                head = render.with_via(answered.head, self._via) if self._via else answered.head
                if not render.is_bodiless(answered.status, head_only=False):
                    whole_bytes = answered.body_bytes
            read = fields.made = _Read(answered, ended, self._via, head, whole_bytes)
        return read

    def _end_request(self, stream: Http2Stream) -> None:
        session, trailers = self._session, self._trailers
        assert session is not None, "a stream of a session"
        if trailers and heads.list_bytes(trailers) > session.header_list_bytes:
            self._fail("cancelled", "larger trailers than the target accepts")
        else:
            stream.finish(encoded(trailers))

    def _turn_away(self) -> None:
        """Answer in place of the target."""
        self._handler.head(_TOO_LARGE, 0)
        self._handler.ended()
        self._handler.done(None)

    def _touch(self) -> None:
        timeouts = self._pool.timeouts
        awaits_head = self.asking is COMPLETE and self.answering is AWAITED
        allowance_s = timeouts.response_s if awaits_head else timeouts.idle_s
        now = self._pool.network.now()
        self.deadline = now + allowance_s
        if self.answering is AWAITED:
            self._asked_at = now

    def _later(self) -> float:
        """Until when it may go on, though nothing came or went.

        Its client may read slowly. A target may take its request as slowly as it likes.
        """
        timeouts, paused_at, stream = self._pool.timeouts, self._paused_at, self._stream
        if paused_at is not None and self.answering is BEGUN:
            return timeouts.neighbor_deadline(self._pool.network.now(), paused_at)
        if self.asking is FULL and stream is not None:
            return stream.moved_at + timeouts.idle_s
        return -inf

    def _torn(self) -> bool:
        """The request's body does not have the length declared in its head: no target
        may take it.
        """
        self._fail("cancelled", "the request body is not of the declared length")
        return True

    def _bad(self, reason: str) -> None:
        self.blames_target = True
        self._fail("bad-response", reason, codes.PROTOCOL_ERROR)

    def _fail(self, code: LegCode, reason: str, reset: int = codes.CANCEL) -> None:
        if self.answering is DONE:
            return
        self.answering = DONE
        self.deadline = inf
        self._failure = LegFailure(code, reason)
        stream, self._stream = self._stream, None
        if stream is not None:
            self._break_off(stream, reset)
            if code in GIVEN_UP:  # The end of its work is not signaled.
                self.lingers = Abandoned(self._pool.network, hold_s(self._pool.usual_s))
        # This may run inside a call of the handler: report at the end of the turn.
        self._pool.network.at_turn_end(self._tell_done)

    def _break_off(self, stream: Http2Stream, code: int) -> None:
        stream.reset(code)
        if self._session is not None:
            self._session.broken_off()

    def _tell_done(self) -> None:
        self._handler.done(self._failure)
