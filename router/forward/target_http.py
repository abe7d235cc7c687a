"""An HTTP exchange with a target of this site: request out, response in, connection back."""

import enum
from math import inf

from router.balance.ledger import Slot
from router.forward.abandoned import GIVEN_UP, Abandoned
from router.forward.http1 import render
from router.forward.http1.messages import HEAD_END
from router.forward.http1.responses import (
    KnownResponses,
    ResponseHead,
    ResponseParser,
    keep_alive_limit_s,
)
from router.forward.local import LocalParts
from router.forward.pool import TargetConnection, TargetPool
from router.forward.ports import LegCode, LegFailure, LegHandler, Request, dial_failure
from router.forward.remotes import SMOOTHING
from router.net.ports import Buffer, Dial, DialFailure, Loss, Timers


class _State(enum.Enum):
    NEW = enum.auto()
    DIALLING = enum.auto()
    OPEN = enum.auto()  # Request and response under way.
    RAW = enum.auto()  # After 101.
    DONE = enum.auto()  # `done` is told or about to be.


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
_NEW = _State.NEW
_DIALLING = _State.DIALLING
_OPEN = _State.OPEN
_RAW = _State.RAW
_DONE = _State.DONE


class HttpTargetLeg:
    """`Leg` to a target. Begins with `start`; `done` means that the connection is back or dropped.

    For an upgrade ``finish`` is not called at the end of the request (which has no body) but is
    the end of the client's direction after 101. ``via`` is what this hop adds to Via; empty: the
    ingress is this site and has added it already.

    With a ``slot`` and the ``parts`` of its service it is a whole leg, as `LocalLeg` is: of a
    request whose connection was there at once, so that there is nothing to move on to and nothing
    to keep. Whatever becomes of it, its slot goes back, once: before its handler hears, or, of a
    request that was given up, when the target has closed its connection (`Abandoned`).
    """

    wire = None
    is_opened = True
    """Of a whole leg."""

    __slots__ = (
        "_asked_at",
        "_body_left",
        "_chunked",
        "_dial",
        "_era",
        "_failure",
        "_handler",
        "_held",
        "_idle_s",
        "_is_opened",
        "_is_paused",
        "_is_refusing",
        "_known",
        "_parser",
        "_parts",
        "_pool",
        "_request",
        "_request_complete",
        "_response_ended",
        "_slot",
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
        timers: Timers,
        via: bytes = b"",
        known: KnownResponses | None = None,
        slot: Slot | None = None,
        parts: LocalParts | None = None,
    ) -> None:
        self._request = request
        self._handler = handler
        self._pool = pool
        self._timers = timers
        self._via = via
        self._known = known if known is not None else KnownResponses()
        self._parser: ResponseParser | None = None  # Of a response that is not whole at once.
        self._state = _NEW
        self._dial: Dial | None = None
        self._target: TargetConnection | None = None
        self._chunked = request.body_bytes < 0
        self._body_left = request.body_bytes
        self._trailers = b""
        self._request_complete = request.body_bytes == 0
        self._response_ended = False
        self._is_opened = False
        self._is_paused = False
        self._is_refusing = False  # `send` said no and `writable` has not come yet.
        self._held: list[bytes] | None = None  # What was sent before there was a connection.
        self._idle_s = 0.0
        self._failure: LegFailure | None = None
        self._asked_at = inf  # Once the target has all of it; of an answer that came in parts.
        self.status = 0
        self.blames_target = False
        self.lingers: Abandoned | None = None
        self._slot = slot
        self._parts = parts
        self._era = 0 if parts is None else parts.outcomes.era

    # What the owner calls.

    def start(self, *, tells_opened: bool = True) -> bool:
        """Take a connection or dial one, and send the head. True: one is held already.

        `opened` comes later in any case, unless it is held and ``tells_opened`` is False.
        """
        assert self._state is _NEW, "a leg is started once"
        request = self._request
        target = self._pool.acquire(request.idempotent)
        if target is None:
            self._held = [render.request_to_target(request, self._via)]
            self._state = _DIALLING
            self._dial = self._pool.dial(self._connected, self._connect_failed)
            return False
        self.go(target)
        if tells_opened:
            self._is_opened = False
            self._timers.at_turn_end(self._tell_opened)
        return True

    def go(self, target: TargetConnection) -> None:
        """Instead of `start`: send the head over ``target``, which is its own from now on.

        `opened` is not told.
        """
        request, via = self._request, self._via
        if not self._request_complete or request.upgrade:
            head = render.request_to_target(request, via)
        elif via:
            known = self._known.sent  # Nothing else than the head says how it looks.
            sent = known.get(request.head)
            if sent is None:
                sent = render.request_to_target(request, via)
                known.note(request.head, sent)
            head = sent
        elif request.head[0] == render.MAY_EXPECT_BODY:
            head = render.request_to_target(request, via)
        else:
            head = request.head + b"\r\n"  # As `render.request_to_target`.
        self._is_opened = True
        if self._request_complete:  # The commonest: `_take`, in place.
            self._target = target
            self._state = _OPEN
            target.user = self
            if target.writer.waiting:
                target.writer.flush(head)
            elif not target.connection.send(head):
                target.writer.is_full = True
        else:
            self._take(target, head)

    @property
    def target(self) -> str:
        """Of a whole leg: where it is, or was."""
        assert self._slot is not None, "it is a whole leg"
        return self._slot.target

    def relieve(self) -> None:
        """Of a whole leg: it keeps nothing."""

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
        if self._parts is not None:
            self.blames_target = False  # Nor for what failed in this very turn.
        self._fail("cancelled", "the client went away")

    def pause(self) -> None:
        self._is_paused = True
        if self._target is not None:
            self._target.connection.pause()

    def resume(self) -> None:
        self._is_paused = False
        if self._target is not None:
            self._target.connection.resume()

    # Connecting.

    def _connected(self, target: TargetConnection) -> None:
        self._dial = None
        held, self._held = self._held, None
        assert held is not None, "it dialled"
        self._take(target, *held)
        self._tell_opened()
        if self._is_refusing and not target.writer.is_full:
            self.writable()

    def _connect_failed(self, failure: DialFailure) -> None:
        self._dial = None
        self._finish_with(dial_failure(failure))

    def _take(self, target: TargetConnection, *held: bytes) -> None:
        self._target = target
        self._state = _OPEN
        target.user = self
        if self._is_paused:
            target.connection.pause()
        if self._request_complete:
            target.writer.flush(*held)
            target.deadline = self._timers.now() + self._pool.response_s
        else:
            # The body's first bytes usually follow within the turn and share the write.
            target.writer.write(*held)
            target.deadline = self._timers.now() + self._pool.idle_s

    def _tell_opened(self) -> None:
        if not self._is_opened and self._state is not _DONE:
            self._is_opened = True
            self._handler.opened()

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
        if not self._is_opened:
            self._tell_opened()
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
            self._is_refusing = False
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
        parts, slot = self._parts, self._slot
        if parts is not None and slot is not None:  # `_end_slot`, in place.
            self._parts = None
            outcomes = parts.outcomes
            if self.status > outcomes.judged_above or outcomes.suspects:
                outcomes.completed(slot.target, self.status, self._era)
            parts.admission.release(slot)

    def _end_slot(self, failure: LegFailure | None) -> None:
        """Of a whole leg: tell what this end says of the target, and give the slot back."""
        parts, slot = self._parts, self._slot
        if parts is None or slot is None:
            return
        self._parts = None
        if failure is None:
            parts.outcomes.completed(slot.target, self.status, self._era)
        elif self.blames_target:
            parts.outcomes.broke_off(slot.target, failure.code, self._era)
        if self.lingers is not None:
            parts.admission.release_after(self.lingers, slot)
        else:
            parts.admission.release(slot)

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
        self._held = None
        if self._dial is not None:
            self._dial.cancel()
            self._dial = None
        target, self._target = self._target, None
        if target is not None:
            if was_open and failure is not None and failure.code in GIVEN_UP:
                self.lingers = self._pool.abandon(target, has_all=self._request_complete)
            else:
                self._pool.discard(target)
        # We may stand in a call of the handler's own: it is told at the end of the turn.
        self._timers.at_turn_end(self._tell_done)

    def _tell_done(self) -> None:
        self._end_slot(self._failure)
        self._handler.done(self._failure)
        self._parser = None  # It holds us: let no cycle wait for the collector.

    # Writing.

    def _push(self, *parts: Buffer) -> bool:
        """Send in this turn, or hold until there is a connection. False: wait for `writable`."""
        target = self._target
        if target is None:
            if self._held is not None:
                self._held.extend(map(bytes, parts))
            self._is_refusing = True
            return False
        if not self._request_complete:
            target.deadline = self._timers.now() + self._pool.idle_s
        return target.writer.write(*parts)
