"""An HTTP exchange with a target of this site: request out, response in, connection back."""

import enum
from math import inf

from router.forward.abandoned import GIVEN_UP, Abandoned
from router.forward.http1 import render
from router.forward.http1.messages import HEAD_END
from router.forward.http1.responses import (
    KnownResponses,
    ResponseHead,
    ResponseParser,
    keep_alive_limit_s,
)
from router.forward.pool import TargetConnection, TargetPool
from router.forward.ports import LegCode, LegFailure, LegHandler, Request
from router.forward.remotes import SMOOTHING
from router.net.ports import Buffer, Loss, Timers


class _State(enum.Enum):
    OPEN = enum.auto()  # Request and response under way.
    RAW = enum.auto()  # After 101.
    DONE = enum.auto()  # `done` is told or about to be.


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
_OPEN = _State.OPEN
_RAW = _State.RAW
_DONE = _State.DONE


class HttpTargetLeg:
    """`ServerLeg` over a connection of its own: the head leaves as it is made. ``done`` means that
    the connection is back or dropped.

    For an upgrade ``finish`` is not called at the end of the request (which has no body) but is
    the end of the client's direction after 101. ``via`` is what this hop adds to Via; empty: the
    ingress is this site and has added it already.
    """

    wire = None

    __slots__ = (
        "_asked_at",
        "_body_left",
        "_chunked",
        "_failure",
        "_handler",
        "_idle_s",
        "_is_paused",
        "_known",
        "_parser",
        "_pool",
        "_request",
        "_request_complete",
        "_response_ended",
        "_state",
        "_target",
        "_timers",
        "_trailers",
        "_via",
        "blames_target",
        "lingers",
        "status",
    )

    def __init__(
        self,
        request: Request,
        handler: LegHandler,
        pool: TargetPool,
        target: TargetConnection,
        timers: Timers,
        via: bytes,
        known: KnownResponses,
    ) -> None:
        self._request = request
        self._handler = handler
        self._pool = pool
        self._target: TargetConnection | None = target
        self._timers = timers
        self._via = via
        self._known = known
        self._parser: ResponseParser | None = None  # Of a response that is not whole at once.
        self._state = _OPEN
        self._chunked = request.body_bytes < 0
        self._body_left = request.body_bytes
        self._trailers = b""
        self._request_complete = is_complete = request.body_bytes == 0
        self._response_ended = False
        self._is_paused = False
        self._idle_s = 0.0
        self._failure: LegFailure | None = None
        self._asked_at = inf  # Once the target has all of it; of an answer that came in parts.
        self.status = 0
        self.blames_target = False
        self.lingers: Abandoned | None = None
        target.user = self
        if not is_complete or request.upgrade:
            head = render.request_to_target(request, via)
        elif via:
            sent = known.sent.get(request.head)  # Nothing else than the head says how it looks.
            if sent is None:
                sent = render.request_to_target(request, via)
                known.sent.note(request.head, sent)
            head = sent
        elif request.head[0] == render.MAY_EXPECT_BODY:
            head = render.request_to_target(request, via)
        else:
            head = request.head + b"\r\n"  # As `render.request_to_target`.
        if not is_complete:
            # The body's first bytes usually follow within the turn and share the write.
            target.writer.write(head)
            target.deadline = timers.now() + pool.idle_s
        elif target.writer.waiting:
            target.writer.flush(head)
        elif not target.connection.send(head):
            target.writer.is_full = True

    # What the owner calls.

    def send(self, data: Buffer) -> bool:
        """Body or raw bytes. A body beyond its stated length is a torn request: it is aborted."""
        size = len(data)
        if self._state is _DONE or size == 0:
            return True
        if self._state is _RAW:
            return self._push(data)
        if self._request_complete:
            return self._torn()
        if self._chunked:
            return self._push(*render.chunk(data))
        self._body_left -= size
        return self._push(data) if self._body_left >= 0 else self._torn()

    def send_trailers(self, block: bytes) -> None:
        self._trailers = block

    def finish(self) -> None:
        state = self._state
        if state is _RAW and self._target is not None:
            self._target.writer.flush()
            self._target.connection.finish()
        if self._request_complete or state is _RAW or state is _DONE:
            return
        if self._chunked:
            self._request_complete = True
            self._push(render.last_chunk(self._trailers))
        elif self._body_left == 0:
            self._request_complete = True
        else:
            self._torn()
            return
        if self._target is not None:
            self._target.writer.flush()
            self._await_head(self._target)

    def abort(self) -> None:
        self._fail("cancelled", "the client went away")

    def pause(self) -> None:
        self._is_paused = True
        if self._target is not None:
            self._target.connection.pause()

    def resume(self) -> None:
        self._is_paused = False
        if self._target is not None:
            self._target.connection.resume()

    def _await_head(self, target: TargetConnection) -> None:
        if self._is_untouched:
            target.deadline = self._timers.now() + self._pool.response_s

    @property
    def _is_untouched(self) -> bool:
        """No byte of a response has arrived, or of the next one after a 1xx."""
        return self._parser is None or self._parser.is_untouched

    # What the connection tells.

    def received(self, data: memoryview) -> None:
        if self._state is _DONE or self._target is None:
            return
        parser, request = self._parser, self._request
        if parser is not None:
            parser.feed(data)
        elif request.head_only or request.upgrade:
            parser = self._make_parser()
            parser.feed(data)
        else:
            text = bytes(data)
            end = text.find(HEAD_END) + 4
            if end < 4:
                parser = self._make_parser()
                parser.feed(data)
            else:
                memory, head_text = self._known, text[:end]
                known = memory.store.get(head_text)
                if known is None or known.memory is not memory:
                    judged = memory.read(head_text)
                    if isinstance(judged, str):
                        self.failed(judged)
                        return
                    known = judged
                head = known.head
                if known.whole_bytes == len(text) - end:
                    # The commonest by far, all of it in one read: no parser, and one call for all.
                    self.status = head.status
                    self._give_back(known.idle_s)
                    via = self._via
                    canonical = (known.relayed or known.relay(via)) if via else head.head
                    self._handler.whole(canonical, head.body_bytes, text[end:])
                    return
                parser = self._make_parser()
                parser.go_on(head, data[end:])
        if parser.is_complete:
            self._conclude(parser)
        elif self._state is _OPEN and not parser.is_untouched:
            self._target.deadline = self._timers.now() + self._pool.idle_s

    def _make_parser(self) -> ResponseParser:
        request = self._request
        if self._request_complete and self._target is not None:
            self._asked_at = self._target.deadline - self._pool.response_s
        self._parser = parser = ResponseParser(
            self,
            head_only=request.head_only,
            upgrade=request.upgrade,
            limits=self._known.limits,
        )
        return parser

    def ended(self) -> None:
        if self._state is _RAW:
            self._response_ended = True
            self._handler.ended()
        elif self._state is _OPEN:
            parser = self._parser
            if parser is None or parser.is_untouched:
                self._reset("the target closed the connection without an answer", self._target)
                return
            parser.end()
            if parser.is_complete:
                self._conclude(parser)

    def writable(self) -> None:
        if self._state is not _DONE:
            self._handler.writable()

    def lost(self, cause: Loss | None) -> None:
        lost, self._target = self._target, None
        if self._state is _RAW and cause is None and self._response_ended:
            self._finish_with(None)
        else:
            self._reset("the connection to the target was lost", lost)

    def overdue(self) -> None:
        """Whose fault it is: who reads its answer slowly, or sends its request so, is a client."""
        target = self._target
        if self._is_paused or not self._is_untouched or not self._is_target_s_turn(target):
            self._fail("stalled", "nothing moved for too long")
        else:
            self.blames_target = True
            self._fail("target-timeout", "the target did not answer in time")

    # What the parser tells.

    def whole(self, head: ResponseHead, body: memoryview) -> None:
        if self._state is _DONE:
            return
        self._note_final(head)
        text = render.with_via(head.head, self._via) if self._via else head.head
        self._give_back(self._idle_s)
        self._handler.whole(text, head.body_bytes, body)

    def _note_final(self, head: ResponseHead) -> None:
        self.status = head.status
        self._idle_s = keep_alive_limit_s(head.keep_alive_s)

    def response(self, head: ResponseHead) -> None:
        if self._state is _DONE:
            return
        if head.status >= 200:
            self._note_final(head)
        elif head.status == 101:
            self._state = _RAW
            if self._target is not None:
                self._target.deadline = inf  # The ingress watches tunnels.
        text = render.with_via(head.head, self._via) if self._via else head.head
        self._handler.head(text, head.body_bytes)

    def body(self, data: memoryview) -> None:
        if self._state is not _DONE:
            self._handler.received(data)

    def trailers(self, block: bytes) -> None:
        if self._state is not _DONE:
            self._handler.trailers(block)

    def complete(self) -> None:
        """The response is complete; `_conclude` follows once the parser has seen all the bytes."""

    def failed(self, reason: str) -> None:
        self.blames_target = self._state is _OPEN
        self._fail("bad-response", reason)

    # Ends.

    def _conclude(self, parser: ResponseParser) -> None:
        """The response is complete: give the connection back, then tell."""
        if self._state is _DONE:
            return
        self._give_back(self._idle_s if parser.reusable else 0.0, excess=parser.excess)
        self._handler.ended()
        self._handler.done(None)

    def _give_back(self, idle_s: float, *, excess: bool = False) -> None:
        """The response is complete. The connection goes back, to idle for so long if it may."""
        target, self._target = self._target, None
        self._state = _DONE
        assert target is not None, "a response without its connection"
        if self._is_paused:
            target.connection.resume()
        if self._request_complete and not excess:
            pool = self._pool
            # How long it took, without a look at a clock: of the deadline, and of its idling.
            asked_at = target.deadline - pool.response_s
            if self._parser is not None:
                asked_at = self._asked_at
            pool.release(target, idle_s)
            took_s = target.idle_since - asked_at
            if took_s >= 0.0:
                usual_s = pool.usual_s
                pool.usual_s = usual_s + SMOOTHING * (took_s - usual_s) if usual_s else took_s
        else:
            self._pool.discard(target)

    def _torn(self) -> bool:
        """The request's body is not of the length its head stated: no target may take it."""
        self._fail("cancelled", "the request body is not of the declared length")
        return True

    def _reset(self, reason: str, target: TargetConnection | None) -> None:
        """A pooled connection may have been about to end by itself: that says nothing.

        Nor does the end of one on which the target waited for a client, who sends or reads slowly.
        """
        stale = self._is_untouched and target is not None and target.is_reused
        waited = self._is_paused or not self._is_target_s_turn(target)
        self.blames_target = self._state is _OPEN and not stale and not waited
        if stale:  # As the others may be: another attempt shall not meet one of them.
            self._pool.shed_idle()
        self._fail("target-reset", reason)

    def _is_target_s_turn(self, target: TargetConnection | None) -> bool:
        """It has all of the request, or takes no more of it."""
        return self._request_complete or (target is not None and target.writer.is_full)

    def _fail(self, code: LegCode, reason: str) -> None:
        self._finish_with(LegFailure(code, reason))

    def _finish_with(self, failure: LegFailure | None) -> None:
        if self._state is _DONE:
            return
        was_open = self._state is _OPEN
        self._state = _DONE
        self._failure = failure
        target, self._target = self._target, None
        if target is not None:
            if was_open and failure is not None and failure.code in GIVEN_UP:
                self.lingers = self._pool.abandon(target, has_all=self._request_complete)
            else:
                self._pool.discard(target)
        # We may stand in a call of the handler's own: it is told at the end of the turn.
        self._timers.at_turn_end(self._tell_done)

    def _tell_done(self) -> None:
        self._handler.done(self._failure)
        self._parser = None  # It holds us: let no cycle wait for the collector.

    # Writing.

    def _push(self, *parts: Buffer) -> bool:
        """Send in this turn, or hold until there is a connection. False: wait for `writable`."""
        target = self._target
        if target is None:
            return True  # It is over, or about to be.
        if not self._request_complete:
            target.deadline = self._timers.now() + self._pool.idle_s
        return target.writer.write(*parts)
