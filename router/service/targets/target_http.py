"""A connection to an HTTP target of this site: one exchange after another, and what is between."""

from collections.abc import Callable, Mapping
from math import inf
from typing import Final

from router.http.http1 import render
from router.http.http1.messages import HEAD_END
from router.http.http1.response_heads import ResponseHead
from router.http.http1.responses import KnownResponses, ResponseParser
from router.model import limits
from router.model.requests import Request
from router.net.ports import Buffer, Connection, Loss, Timers
from router.service.ports import LegCode, LegFailure, LegHandler
from router.service.targets.abandoned import GIVEN_UP, Abandoned, hold_s
from router.service.targets.body_framing import BodyFraming
from router.service.targets.connection_home import ConnectionHome
from router.service.targets.wire_states import WireEvent, WireState
from router.service.turn_writer import TurnWriter

# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
_IDLE = WireState.IDLE
_ASKED = WireState.ASKED
_RAW = WireState.RAW
_RAW_ENDED = WireState.RAW_ENDED
_GIVEN_UP = WireState.GIVEN_UP
_LEAVING = WireState.LEAVING
_OVER = WireState.OVER
_IN_USE = (_ASKED, _RAW, _RAW_ENDED)


class HttpTarget:
    """A `ConnectionHandler` for its whole life, and the `ServerLeg` of the exchange that has it.

    In use from `begin` until its handler hears `whole` or `done`: after that it may serve another
    exchange, and the former one must not touch it.
    For an upgrade ``finish`` is not called at the end of the request (which has no body) but is
    the end of the client's direction after 101.

    ``deadline`` (absolute seconds) is judged by the sweep of its `ConnectionHome`, so that no
    request costs a timer: late by at most `POOL_SWEEP_S` and by `POOL_SWEEP_SHARE` of the shortest
    timeout.
    """

    wire = None

    __slots__ = (
        "_asked_at",
        "_connection",
        "_failure",
        "_framing",
        "_handler",
        "_home",
        "_is_paused",
        "_is_reused",
        "_keep_s",
        "_known",
        "_parser",
        "_timers",
        "_unread_bytes",
        "_via",
        "_writer",
        "address",
        "blames_target",
        "deadline",
        "expires",
        "idle_since",
        "lingers",
        "state",
        "status",
    )

    def __init__(
        self,
        home: "ConnectionHome[HttpTarget]",
        connection: Connection,
        address: str,
        timers: Timers,
    ) -> None:
        self._home = home
        self._connection = connection
        self._timers = timers
        self._writer = TurnWriter(connection, timers)
        self.address = address
        """Where it leads if the target is given by a name, else empty."""
        self.state = _IDLE
        self.deadline = inf
        self.idle_since = self.expires = 0.0
        self._is_reused = False
        self._unread_bytes = 0  # Of a response that nobody waits for.
        # Of the exchange under way; between two, what the last one left.
        self._handler: LegHandler | None = None
        self._known: KnownResponses | None = None
        self._via = b""
        self._framing: BodyFraming | None = None  # Of the body; the request is complete without.
        self._is_paused = False
        self._parser: ResponseParser | None = None  # Of a response that may not be whole at once.
        self._keep_s = 0.0  # It may idle so long after it.
        self._asked_at = inf  # When the request was complete; set if there is a parser.
        self._failure: LegFailure | None = None
        self.status = 0
        self.blames_target = False
        self.lingers: Abandoned | None = None

    def begin(
        self, request: Request, handler: LegHandler, via: bytes, known: KnownResponses, now: float
    ) -> None:
        """Send the head of ``request``: this connection is its leg, of ``handler``.

        ``via`` is what this hop adds to Via of the answer; empty: the ingress is this site.
        """
        self.state = _ASKED
        self._handler = handler
        self._known = known
        self._via = via
        self.status = 0
        is_complete = request.body_bytes == 0
        if request.head_only or request.upgrade:  # Its response is framed in another way.
            asked_at = now if is_complete else inf
            self._parser = self._make_parser(asked_at, request.head_only, request.upgrade)
        if not is_complete or request.upgrade or request.head[0] == render.MAY_EXPECT_BODY:
            head = render.request_to_target(request)
        else:
            head = request.head + b"\r\n"  # As `render.request_to_target`.
        writer = self._writer
        if not is_complete:
            self._framing = BodyFraming(request.body_bytes)
            # The body's first bytes usually follow within the turn and share the write.
            writer.write(head)
            self.deadline = now + self._home.idle_s
            return
        self.deadline = now + self._home.response_s
        if writer.waiting:
            writer.flush(head)
        elif not self._connection.send(head):
            writer.is_full = True

    # What its exchange calls: `ServerLeg`.

    def send(self, data: Buffer) -> bool:
        """Body or raw bytes. A body beyond its stated length is a torn request: it is aborted."""
        size, state = len(data), self.state
        if size == 0 or state not in _IN_USE:
            return True
        if state is not _ASKED:
            return self._push(data)
        framing = self._framing
        parts = framing.framed(data) if framing is not None else None
        return self._push(*parts) if parts is not None else self._torn()

    def send_trailers(self, block: bytes) -> None:
        if self._framing is not None:
            self._framing.end_with(block)

    def finish(self) -> None:
        if self.state is _ASKED:
            self._finish_request()
        elif self.state in _IN_USE:
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
        if self.state in _IN_USE:
            self._is_paused = True
            self._connection.pause()

    def resume(self) -> None:
        if self.state in _IN_USE:
            self._is_paused = False
            self._connection.resume()

    @property
    def _is_untouched(self) -> bool:
        """No byte of a response has arrived, or of the next one after a 1xx."""
        return self._parser is None or self._parser.is_untouched

    def _push(self, *parts: Buffer) -> bool:
        """Send in this turn. False: wait for `writable`."""
        if self._framing is not None:
            self.deadline = self._timers.now() + self._home.idle_s
        return self._writer.write(*parts)

    def _torn(self) -> bool:
        """The request's body is not of the length its head stated: no target may take it."""
        self._fail("cancelled", "the request body is not of the declared length")
        return True

    # What the connection tells.

    def received(self, data: memoryview) -> None:
        if self.state not in _IN_USE:
            self._received_unasked(len(data))
            return
        parser = self._parser
        if parser is not None:
            parser.feed(data)
        else:
            text = bytes(data)
            end = text.find(HEAD_END) + 4
            if end < 4:
                parser = self._parser = self._make_parser(self._complete_at)
                parser.feed(data)
            else:
                memory, head_text = self._known, text[:end]
                assert memory is not None, "it was asked"
                known, heads = None, memory.store.known
                if head_text in heads:
                    known = heads[head_text]
                if known is None or known.memory is not memory:
                    judged = memory.read(head_text)
                    if isinstance(judged, str):
                        self.failed(judged)
                        return
                    known = judged
                head = known.head
                if head.whole_bytes == len(text) - end:
                    # The commonest by far, all of it in one read: no parser, and one call for all.
                    self.status = head.status
                    handler, via = self._handler, self._via
                    assert handler is not None, "it was asked"
                    self._return_home(head.idle_s)
                    canonical = (known.relayed or known.relay(via)) if via else head.head
                    handler.whole(canonical, head.body_bytes, text[end:])
                    return
                parser = self._parser = self._make_parser(self._complete_at)
                parser.go_on(head, data[end:])
        if self._parser is not parser:
            return  # It told the whole response, and the next request may be under way.
        if parser.is_complete:
            self._conclude(parser)
        elif self.state is _ASKED and not parser.is_untouched:
            self.deadline = self._timers.now() + self._home.idle_s

    def _received_unasked(self, size_bytes: int) -> None:
        """No request is under way: of one that was given up the answer is discarded, bounded."""
        if self.state is _GIVEN_UP:
            self._unread_bytes += size_bytes
            if self._unread_bytes > limits.LINGER_DISCARD_BYTES_MAX:
                self._reset_and_release()
        else:
            self._home.remove(self)
            self._reset_connection()

    @property
    def _complete_at(self) -> float:
        """When the request was complete, as nothing of its answer came before; infinite: it is not.

        The deadline tells, so no clock is read for that.
        """
        return self.deadline - self._home.response_s if self._framing is None else inf

    def _make_parser(
        self, asked_at: float, head_only: bool = False, upgrade: str = ""
    ) -> ResponseParser:
        known = self._known
        assert known is not None, "it was asked"
        self._asked_at = asked_at
        return ResponseParser(self, head_only=head_only, upgrade=upgrade, limits=known.limits)

    def ended(self) -> None:
        TABLE[self.state, WireEvent.ENDED](self)

    def writable(self) -> None:
        self._writer.drained()
        TABLE[self.state, WireEvent.WRITABLE](self)

    def lost(self, cause: Loss | None) -> None:
        self._home.forget(self)
        TABLE[self.state, WireEvent.CLOSED if cause is None else WireEvent.LOST](self)

    def overdue(self) -> None:
        """The deadline has passed."""
        self.deadline = inf
        TABLE[self.state, WireEvent.OVERDUE](self)

    # What the parser tells: `ResponseSink`.

    def whole(self, head: ResponseHead, body: memoryview) -> None:
        handler = self._handler
        if handler is None or self.state is not _ASKED:
            return
        self._note_final(head)
        text = render.with_via(head.head, self._via) if self._via else head.head
        self._return_home(self._keep_s)
        handler.whole(text, head.body_bytes, body)

    def _note_final(self, head: ResponseHead) -> None:
        self.status = head.status
        self._keep_s = head.idle_s

    def response(self, head: ResponseHead) -> None:
        handler = self._handler
        if handler is None or self.state not in _IN_USE:
            return
        if head.status >= 200:
            self._note_final(head)
        elif head.status == 101:
            self.state = _RAW
            self.deadline = inf  # The ingress watches tunnels.
        text = render.with_via(head.head, self._via) if self._via else head.head
        handler.head(text, head.body_bytes)

    def body(self, data: memoryview) -> None:
        if self._handler is not None and self.state in _IN_USE:
            self._handler.received(data)

    def body_trailers(self, block: bytes) -> None:
        if self._handler is not None and self.state in _IN_USE:
            self._handler.trailers(block)

    def complete(self) -> None:
        """The response is complete; `_conclude` follows once the parser has seen all the bytes."""

    def failed(self, reason: str) -> None:
        self.blames_target = self.state is _ASKED
        self._fail("bad-response", reason)

    # The response is complete.

    def _conclude(self, parser: ResponseParser) -> None:
        handler = self._handler
        if handler is None or self.state not in _IN_USE:
            return
        self._return_home(self._keep_s if parser.reusable else 0.0, excess=parser.excess)
        handler.ended()
        handler.done(None)

    def _return_home(self, idle_s: float, *, excess: bool = False) -> None:
        """The exchange is over; the connection idles for so long, if it may be used again."""
        self._handler = None
        if self._is_paused:
            self._is_paused = False
            self._connection.resume()
        if excess or self._framing is not None:
            self._parser = None
            self._reset_connection()
            return
        asked_at = self.deadline - self._home.response_s  # As `_complete_at`.
        if self._parser is not None:
            self._parser = None  # It holds us: let no cycle wait for the collector.
            asked_at = self._asked_at
        self.state = _IDLE
        self._is_reused = True
        self.deadline = inf
        self.idle_since = now = self._timers.now()
        self.expires = now + idle_s
        if not self._home.keep(self, idle_s, now - asked_at):
            self.retire()

    # The response did not complete.

    def _answer_ended(self) -> None:
        """The target finished: perhaps that is the end of its response."""
        parser = self._parser
        if parser is None or parser.is_untouched:
            self._end_broken("the target closed the connection without an answer")
            return
        parser.end()
        if parser.is_complete:
            self._conclude(parser)

    def _raw_ended(self) -> None:
        assert self._handler is not None, "it was asked"
        self.state = _RAW_ENDED
        self._handler.ended()

    def _tell_writable(self) -> None:
        if self._handler is not None:
            self._handler.writable()

    def _raw_closed(self) -> None:
        self._finish_with(None, is_lost=True)

    def _broke_off(self) -> None:
        self._end_broken("the connection to the target was lost", is_lost=True)

    def _end_broken(self, reason: str, *, is_lost: bool = False) -> None:
        """Judge how the connection ended, then end the exchange.

        The end of a reused connection on which not one byte came does not count against the
        target: it may have been about to close it. Nor does that of one on which the target waited
        for a client, who sends or reads slowly.
        """
        stale = self._is_untouched and self._is_reused
        waited = self._is_paused or not self._awaits_target
        self.blames_target = self.state is _ASKED and not stale and not waited
        if stale:  # As the others may be: another attempt shall not meet one of them.
            self._home.shed_idle()
        self._finish_with(LegFailure("target-reset", reason), is_lost=is_lost)

    @property
    def _awaits_target(self) -> bool:
        """It has all of the request, or takes no more of it."""
        return self._framing is None or self._writer.is_full

    def _answer_overdue(self) -> None:
        """Whose fault it is: who reads its answer slowly, or sends its request so, is a client."""
        if self._is_paused or not self._is_untouched or not self._awaits_target:
            self._fail("stalled", "nothing moved for too long")
        else:
            self.blames_target = True
            self._fail("target-timeout", "the target did not answer in time")

    def _fail(self, code: LegCode, reason: str) -> None:
        self._finish_with(LegFailure(code, reason))

    def _finish_with(self, failure: LegFailure | None, *, is_lost: bool = False) -> None:
        if self.state not in _IN_USE:
            return
        self._failure = failure
        if is_lost:
            self.state = _OVER
        elif self.state is _ASKED and failure is not None and failure.code in GIVEN_UP:
            self._give_up_request()
        else:
            self._reset_connection()
        # We may stand in a call of the handler's own: it is told at the end of the turn.
        self._timers.at_turn_end(self._tell_done)

    def _tell_done(self) -> None:
        handler, self._handler = self._handler, None
        assert handler is not None, "told once"
        handler.done(self._failure)
        self._parser = None  # It holds us: let no cycle wait for the collector.

    # Nobody waits any more.

    def _give_up_request(self) -> None:
        """Say to the target that nobody waits, and let the slot wait until it knows.

        A target that has all of the request may answer by closing its side. One that has not is
        reset: what it has must not look whole. So are all where many connections are open.
        """
        home, seconds = self._home, hold_s(self._home.usual_s)
        if self._framing is not None or home.is_crowded:
            self._reset_connection()
            self.lingers = Abandoned(self._timers, seconds)
            return
        self.state = _GIVEN_UP
        self.deadline = inf
        self.lingers = Abandoned(self._timers, seconds, self._reset_connection)
        self._writer.drop()
        self._connection.resume()
        self._connection.finish()

    def _reset_and_release(self) -> None:
        """The target is done with what nobody waits for, or says too much."""
        self._reset_connection()
        self._release_slot()

    def _release_slot(self) -> None:
        self.state = _OVER
        if self.lingers is not None:
            self.lingers.end()

    def retire(self) -> None:
        """Close it: nothing is under way on it."""
        self.state = _LEAVING
        self.deadline = self._timers.now() + limits.LINGER_DISCARD_S
        self._connection.finish()

    def _closed_while_idle(self) -> None:
        """The target closed it while it was idle."""
        self._home.remove(self)
        self.retire()

    def _reset_connection(self) -> None:
        """Reset it."""
        self.state = _OVER
        self.deadline = inf
        self._writer.drop()
        self._connection.abort()

    def _lost_while_idle(self) -> None:
        self._home.remove(self)
        self.state = _OVER

    def _nothing(self) -> None:
        """It says nothing new."""


Action = Callable[[HttpTarget], None]
TABLE: Final[Mapping[tuple[WireState, WireEvent], Action]] = {
    (WireState.IDLE, WireEvent.ENDED): HttpTarget._closed_while_idle,
    (WireState.IDLE, WireEvent.WRITABLE): HttpTarget._nothing,
    (WireState.IDLE, WireEvent.CLOSED): HttpTarget._lost_while_idle,
    (WireState.IDLE, WireEvent.LOST): HttpTarget._lost_while_idle,
    (WireState.ASKED, WireEvent.ENDED): HttpTarget._answer_ended,
    (WireState.ASKED, WireEvent.WRITABLE): HttpTarget._tell_writable,
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
"""The action for a state and an event. A pair that is missing cannot occur."""
