"""A connection to an HTTP target of this site, used by one exchange after another."""

from math import inf

from router.http.http1 import render
from router.http.http1.messages import HEAD_END
from router.http.http1.responses import KnownResponses
from router.model.requests import Request
from router.model.wording.other_protocol import spoken
from router.net.ports import Buffer, Connection, Timers
from router.service.ports import LegCode, LegFailure, LegHandler
from router.service.targets.abandoned import GIVEN_UP
from router.service.targets.answer_in_parts import AnswerInParts
from router.service.targets.body_framing import BodyFraming
from router.service.targets.connection_home import ConnectionHome
from router.service.targets.target_connection import (
    ASKED,
    IDLE,
    IN_USE,
    RAW,
    RAW_ENDED,
    Actions,
    TargetConnection,
)

_LOOKS_PER_LIMIT = 4
"""How often a full target is checked within its time-out ``idle``."""


class HttpTarget(TargetConnection):
    """A `ConnectionHandler` for its whole life, and the `ServerLeg` of the exchange that has it.

    In use from `begin` until its handler gets `whole` or `done`: after that it may serve another
    exchange, and the former one must not touch it. For an upgrade ``finish`` is not called at the
    end of the request (which has no body) but at the end of the client's direction after 101.
    """

    wire = None

    __slots__ = (
        "_answer",
        "_failure",
        "_framing",
        "_handler",
        "_known",
        "_paused_at",
        "_quiet_looks",
        "_via",
        "blames_target",
        "status",
    )

    def __init__(
        self,
        home: "ConnectionHome[HttpTarget]",
        connection: Connection,
        address: str,
        timers: Timers,
        actions: Actions,
    ) -> None:
        """``actions`` and all else as in `TargetConnection`."""
        TargetConnection.__init__(self, home, connection, address, timers, actions)
        # Of the exchange under way; between two, values left by the last one.
        self._handler: LegHandler | None = None
        self._known: KnownResponses | None = None
        self._via = b""
        self._framing: BodyFraming | None = None  # Of the body; None: the request is complete.
        self._paused_at: float | None = None
        self._answer: AnswerInParts | None = None  # Of a response that may not be whole at once.
        self._failure: LegFailure | None = None
        self.blames_target = False

    def begin(
        self, request: Request, handler: LegHandler, via: bytes, known: KnownResponses, now: float
    ) -> None:
        """Send the head of ``request``: this connection is its leg, of ``handler``.

        ``via`` is this hop's addition to Via of the answer; empty: the ingress is this site.
        """
        self.state = ASKED
        self._handler = handler
        self._known = known
        self._via = via
        self.status = 0
        is_complete = request.body_bytes == 0
        if request.head_only or request.upgrade:  # Its response is framed in another way.
            asked_at = now if is_complete else inf
            self._answer = AnswerInParts(
                self,
                handler,
                via,
                known.limits,
                asked_at=asked_at,
                head_only=request.head_only,
                upgrade=request.upgrade,
            )
        if not is_complete or request.upgrade or request.head[0] == render.MAY_EXPECT_BODY:
            head = render.request_to_target(request)
        else:
            head = request.head + b"\r\n"  # As `render.request_to_target`.
        writer = self._writer
        if not is_complete:
            self._framing = BodyFraming(request.body_bytes)
            self._quiet_looks = 0  # In a row: it is full, and took nothing.
            # The body's first bytes usually follow within the turn and share the write.
            writer.write(head)
            self.deadline = now + self._home.idle_s
            return
        self.deadline = now + self._home.response_s
        if writer.waiting:
            writer.flush(head)
        elif not self._connection.send(head):
            writer.filled()

    # Called by its exchange: `ServerLeg`.

    def send(self, data: Buffer) -> bool:
        """Body or raw bytes. A body beyond its declared length is a torn request: it is aborted."""
        size, state = len(data), self.state
        if size == 0 or state not in IN_USE:
            return True
        if state is not ASKED:
            return self._push(data)
        framing = self._framing
        parts = framing.framed(data) if framing is not None else None
        return self._push(*parts) if parts is not None else self._torn()

    def send_trailers(self, block: bytes) -> None:
        if self._framing is not None:
            self._framing.end_with(block)

    def finish(self) -> None:
        if self.state is ASKED:
            self._finish_request()
        elif self.state in IN_USE:
            self._writer.flush()
            self._connection.finish()

    def _finish_request(self) -> None:
        framing = self._framing
        if framing is None:
            return
        last = framing.last()
        if last is None:
            self._torn()
            return
        self._framing = None
        self._writer.flush(*last)
        if self._is_untouched:
            self.deadline = self._timers.now() + self._home.response_s

    def abort(self) -> None:
        self._fail("cancelled", "the client went away")

    def pause(self) -> None:
        if self.state in IN_USE:
            if self._paused_at is None:
                self._paused_at = self._timers.now()
            self._connection.pause()

    def resume(self) -> None:
        if self.state in IN_USE:
            if self._paused_at is not None and self.state is ASKED:
                # The target could not send until now.
                self.deadline = self._timers.now() + self._home.idle_s
            self._paused_at = None
            self._connection.resume()

    @property
    def undelivered_bytes(self) -> int:
        return self._connection.undelivered_bytes

    @property
    def _is_untouched(self) -> bool:
        """No byte of a response has arrived, or of the next one after a 1xx."""
        return self._answer is None or self._answer.is_untouched

    @property
    def is_awaited(self) -> bool:
        """The target has a request in full, or takes no more of it, and has not begun to answer."""
        waits = self._framing is None or self._quiet_looks > 0
        return waits and self.state is ASKED and self._is_untouched

    def _push(self, *parts: Buffer) -> bool:
        """Send in this turn. False: wait for `writable`."""
        takes = self._writer.write(*parts)
        if self._framing is not None:
            idle_s = self._home.idle_s
            self._quiet_looks = 0
            self.deadline = self._timers.now() + (idle_s if takes else idle_s / _LOOKS_PER_LIMIT)
        return takes

    def _torn(self) -> bool:
        """The request's body does not have the length declared in its head: no target
        may take it.
        """
        self._fail("cancelled", "the request body is not of the declared length")
        return True

    # Called by the connection.

    def received(self, data: memoryview) -> None:
        if self.state not in IN_USE:
            self._received_unasked(len(data))
            return
        answer = self._answer
        if answer is not None:
            answer.feed(data)
        else:
            text = bytes(data)
            end = text.find(HEAD_END) + 4
            if end < 4:
                answer = self._answer = self._answer_in_parts()
                answer.feed(data)
            else:
                memory, head_text = self._known, text[:end]
                assert memory is not None, "it was asked"
                known, heads = None, memory.store.known
                if head_text in heads:
                    known = heads[head_text]
                if known is None or known.memory is not memory:
                    judged = memory.read(head_text)
                    if isinstance(judged, str):
                        self.malformed(judged, head_text)
                        return
                    known = judged
                head = known.head
                if head.whole_bytes == len(text) - end:
                    # By far the most common, all of it in one read: no parser, and one call for
                    # all.
                    self.status = head.status
                    handler, via = self._handler, self._via
                    assert handler is not None, "it was asked"
                    self.answered(head.idle_s)
                    canonical = (known.relayed or known.relay(via)) if via else head.head
                    handler.whole(canonical, head.body_bytes, text[end:])
                    return
                answer = self._answer = self._answer_in_parts()
                answer.go_on(head, data[end:])
        if self._answer is not answer:
            return  # The exchange is over, and the next request may be under way.
        if answer.is_complete:
            self._conclude(answer)
        elif not answer.is_untouched:
            self._home.answers.parts += 1
            if self.state is ASKED:
                self.deadline = self._timers.now() + self._home.idle_s

    def _answer_in_parts(self) -> AnswerInParts:
        """For the usual request: neither HEAD nor an upgrade."""
        handler, known = self._handler, self._known
        assert handler is not None and known is not None, "it was asked"
        # The deadline implies when the request was complete, since nothing of the answer came
        # before: so no clock is read for that.
        asked_at = self.deadline - self._home.response_s if self._framing is None else inf
        return AnswerInParts(self, handler, self._via, known.limits, asked_at=asked_at)

    # Called by an answer in parts: `AnswerOwner`.

    def got_status(self, status: int) -> None:
        self.status = status

    def switched(self) -> None:
        self.state = RAW
        self.deadline = inf  # The ingress watches tunnels.

    def malformed(self, reason: str, first: bytes) -> None:
        self.blames_target = self.state is ASKED
        self._note_spoken(first)
        self._fail("bad-response", reason)

    # The response is complete.

    def _conclude(self, answer: AnswerInParts) -> None:
        handler = self._handler
        assert handler is not None, "it was asked"
        self.answered(answer.idle_s, excess=answer.has_excess)
        handler.ended()
        handler.done(None)

    def answered(self, idle_s: float, *, excess: bool = False) -> None:
        """The exchange is over; the connection idles for ``idle_s``, if it may be used again."""
        self._handler = None
        if self._paused_at is not None:
            self._paused_at = None
            self._connection.resume()
        if excess or self._framing is not None:
            self._answer = None
            self._reset_connection()
            return
        asked_at = self.deadline - self._home.response_s  # As `_answer_in_parts`.
        if self._answer is not None:
            asked_at = self._answer.asked_at
            self._answer = None
        self.state = IDLE
        self._is_reused = True
        self.deadline = inf
        self.idle_since = now = self._timers.now()
        self.expires = now + idle_s
        if not self._home.keep(self, idle_s, now - asked_at):
            self.retire()

    # The response did not complete.

    def _answer_ended(self) -> None:
        """The target finished: perhaps that is the end of its response."""
        answer = self._answer
        if answer is None or answer.is_untouched:
            self._end_broken("the target closed the connection without an answer")
            return
        answer.end()
        if self._answer is answer and answer.is_complete:
            self._conclude(answer)

    def _raw_ended(self) -> None:
        assert self._handler is not None, "it was asked"
        self.state = RAW_ENDED
        self._handler.ended()

    def _takes_more(self) -> None:
        if self._framing is not None:
            self._quiet_looks = 0
            self.deadline = self._timers.now() + self._home.idle_s
        self._tell_writable()

    def _tell_writable(self) -> None:
        if self._handler is not None:
            self._handler.writable()

    def _raw_closed(self) -> None:
        self._finish_with(None)

    def _broke_off(self) -> None:
        self._end_broken("the connection to the target was lost")

    def _end_broken(self, reason: str) -> None:
        """Judge how the connection ended, then end the exchange.

        The end of a reused connection without a single byte does not count against the target: it
        may have been about to close it. Nor does the end of a connection on which the target waited
        for a client that sends or reads slowly.
        """
        stale = self._is_untouched and self._is_reused
        waited = self._paused_at is not None or not self._awaits_target
        self.blames_target = self.state is ASKED and not stale and not waited
        if self.blames_target:
            self._note_spoken(self._answer.first if self._answer is not None else b"")
        if stale:  # As the others may be: a retry must not meet one of them.
            self._home.shed_idle()
        self._fail("target-reset", reason)

    @property
    def _awaits_target(self) -> bool:
        """The target has all of the request, or takes no more of it."""
        return self._framing is None or self._writer.is_full

    def _answer_overdue(self) -> None:
        """Decide whose fault it is: a client may be slow to send its request or read its answer.

        A target may take its request as slowly as it likes.
        """
        now, timeouts, paused_at = self._timers.now(), self._home.timeouts, self._paused_at
        if paused_at is not None and (later := timeouts.neighbor_deadline(now, paused_at)) > now:
            self.deadline = later
        elif self._may_take_more():
            self.deadline = now + timeouts.idle_s / _LOOKS_PER_LIMIT
        elif paused_at is not None or not self._is_untouched or not self._awaits_target:
            self._fail("stalled", "nothing moved for too long")
        else:
            self.blames_target = True
            self._note_spoken(b"")
            self._fail("target-timeout", "the target did not answer in time")

    def _note_spoken(self, first: bytes) -> None:
        """Note the target's protocol. ``first``: the first bytes of the answer."""
        self._home.answers.spoken = "HTTP/1" if self.status else spoken(first)

    def _may_take_more(self) -> bool:
        """The target is full, and took something within the time-out ``idle``, or that time is not
        over.
        """
        if self._framing is None or not self._writer.is_full:
            return False
        took = self._writer.taken_bytes() > 0
        self._quiet_looks = 0 if took else self._quiet_looks + 1
        return self._quiet_looks < _LOOKS_PER_LIMIT

    def _fail(self, code: LegCode, reason: str) -> None:
        self._finish_with(LegFailure(code, reason))

    def _finish_with(self, failure: LegFailure | None) -> None:
        if self.state not in IN_USE:
            return
        self._failure = failure
        if self._answer is not None:
            self._answer.close()
            self._answer = None
        if self.state is ASKED and failure is not None and failure.code in GIVEN_UP:
            self._give_up_request(is_complete=self._framing is None)
        else:
            self._reset_connection()
        # This may run inside a call of the handler: report at the end of the turn.
        self._timers.at_turn_end(self._tell_done)

    def _tell_done(self) -> None:
        handler, self._handler = self._handler, None
        assert handler is not None, "told once"
        handler.done(self._failure)
