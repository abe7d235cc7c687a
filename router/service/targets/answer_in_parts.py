"""An answer of an HTTP/1.1 target that did not come in one read: its head, its body, its end."""

from typing import Protocol

from router.http.http1 import render
from router.http.http1.heads import HeadLimits
from router.http.http1.response_heads import ResponseHead
from router.http.http1.responses import ResponseParser
from router.model.wording.other_protocol import LOOKED_AT_BYTES
from router.service.ports import LegHandler


class AnswerOwner(Protocol):
    """The connection that the answer comes on."""

    def got_status(self, status: int) -> None:
        """The final head came."""

    def switched(self) -> None:
        """101 came: all following bytes are raw."""

    def answered(self, idle_s: float) -> None:
        """The whole answer came, and is passed on next; the connection may idle for ``idle_s``."""

    def malformed(self, reason: str, first: bytes) -> None:
        """No client may get this answer. ``first``: its first bytes."""


class AnswerInParts:
    """The `ResponseSink` of its parser: passes the answer on to ``handler``, part by part.

    ``via`` is this hop's addition to Via; empty: nothing. ``head_only`` and ``upgrade`` are those
    of the request. ``asked_at``: when the request was complete; infinite: it is not.
    """

    __slots__ = ("_handler", "_keep_s", "_owner", "_parser", "_via", "asked_at", "first")

    def __init__(
        self,
        owner: AnswerOwner,
        handler: LegHandler,
        via: bytes,
        limits: HeadLimits,
        *,
        asked_at: float,
        head_only: bool = False,
        upgrade: str = "",
    ) -> None:
        self._owner = owner
        self._handler: LegHandler | None = handler
        self._via = via
        self.first = b""
        """Its first bytes, by which the target's protocol is known; none after `go_on`."""
        self._keep_s = 0.0  # How long the final head lets the connection idle.
        self._parser = ResponseParser(self, head_only=head_only, upgrade=upgrade, limits=limits)
        self.asked_at = asked_at

    @property
    def is_untouched(self) -> bool:
        """No byte of a response has arrived, or of the next one after a 1xx."""
        return self._parser.is_untouched

    @property
    def is_complete(self) -> bool:
        return self._parser.is_complete

    @property
    def has_excess(self) -> bool:
        """Bytes came after its end."""
        return self._parser.excess

    @property
    def idle_s(self) -> float:
        """How long the connection may idle, once the answer is complete."""
        return self._keep_s if self._parser.reusable else 0.0

    # Called by the connection.

    def feed(self, data: memoryview) -> None:
        if not self.first:
            self.first = bytes(data[:LOOKED_AT_BYTES])
        self._parser.feed(data)

    def go_on(self, head: ResponseHead, rest: memoryview) -> None:
        """Instead of the first `feed`: ``rest`` follows a head that was read already."""
        self._parser.go_on(head, rest)

    def end(self) -> None:
        """The target finished: this ends an answer that declares no length."""
        self._parser.end()

    def close(self) -> None:
        """The exchange is over: pass on nothing more."""
        self._handler = None
        del self._parser  # It refers to this object: break the cycle.

    # Called by the parser: `ResponseSink`.

    def whole(self, head: ResponseHead, body: memoryview) -> None:
        handler = self._handler
        if handler is None:
            return
        text = self._relayed(head)
        self._owner.got_status(head.status)
        self._owner.answered(head.idle_s)
        handler.whole(text, head.body_bytes, body)

    def response(self, head: ResponseHead) -> None:
        handler = self._handler
        if handler is None:
            return
        if head.status >= 200:
            self._keep_s = head.idle_s
            self._owner.got_status(head.status)
        elif head.status == 101:
            self._owner.switched()
        handler.head(self._relayed(head), head.body_bytes)

    def body(self, data: memoryview) -> None:
        if self._handler is not None:
            self._handler.received(data)

    def body_trailers(self, block: bytes) -> None:
        if self._handler is not None:
            self._handler.trailers(block)

    def complete(self) -> None:
        """The connection checks `is_complete` once the parser has seen all the bytes."""

    def failed(self, reason: str) -> None:
        if self._handler is not None:
            self._owner.malformed(reason, self.first)

    def _relayed(self, head: ResponseHead) -> bytes:
        return render.with_via(head.head, self._via) if self._via else head.head
