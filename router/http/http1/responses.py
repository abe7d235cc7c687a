"""Responses as targets send them: one after another, with known heads and decoded bodies."""

import enum
from typing import Protocol

import msgspec

from router.http.http1.bytes_cache import BytesCache
from router.http.http1.chunks import ChunkDecoder
from router.http.http1.grammar import HttpError
from router.http.http1.heads import DEFAULT, HeadLimits
from router.http.http1.messages import HEAD_END, NOTHING, BodySink, MessageParser
from router.http.http1.render import with_via
from router.http.http1.response_heads import START, ResponseHead, read_response_head
from router.model.limits import HEADS_PER_STREAM_MAX, INTERIM_BYTES_MAX


class ResponseSink(BodySink, Protocol):
    """Receives a target's response: `response` for each 1xx and the final head, and so on.

    After 101 `body` gets raw bytes. A final response that came in one piece is reported by `whole`
    alone.
    """

    def response(self, head: ResponseHead) -> None: ...

    def whole(self, head: ResponseHead, body: memoryview) -> None:
        """A final head and all its body, which may be empty. No trailers."""

    def complete(self) -> None:
        """The response is complete."""

    def failed(self, reason: str) -> None:
        """Not a response that can be passed on. The last call."""


def tell_in_parts(sink: ResponseSink, head: ResponseHead, body: memoryview) -> None:
    """The calls that `ResponseSink.whole` replaces."""
    sink.response(head)
    if body:
        sink.body(body)
    sink.complete()


class _State(enum.Enum):
    HEAD = enum.auto()
    BODY = enum.auto()
    UNTIL_END = enum.auto()
    RAW = enum.auto()
    COMPLETE = enum.auto()
    FAILED = enum.auto()


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
_IN_HEAD = _State.HEAD
_IN_BODY = _State.BODY
_UNTIL_END = _State.UNTIL_END
_RAW = _State.RAW
_COMPLETE = _State.COMPLETE
_FAILED = _State.FAILED


class KnownResponse(msgspec.Struct, eq=False):
    """A head that may come again, and the verdict by the terms of ``memory``.

    ``relayed``: its form for another site, with our Via; empty: not needed yet.
    """

    memory: "KnownResponses"
    head: ResponseHead
    relayed: bytes = b""

    def relay(self, via: bytes) -> bytes:
        """Set and return ``relayed``, which never changes: a router has one name."""
        self.relayed = with_via(self.head.head, via)
        return self.relayed


class KnownResponses:
    """The heads known for the limits of one service port, among those in ``store``.

    Only for responses to requests that were neither HEAD nor for an upgrade.
    """

    __slots__ = ("limits", "store")

    def __init__(
        self, limits: HeadLimits = DEFAULT, store: BytesCache[KnownResponse] | None = None
    ) -> None:
        self.limits = limits
        self.store: BytesCache[KnownResponse] = store if store is not None else BytesCache()

    def read(self, text: bytes) -> KnownResponse | str:
        """The verdict on an unknown head, including its blank line.

        A bad head is not cached.
        """
        head = read_response_head(text, head_only=False, upgrade=b"", limits=self.limits)
        if type(head) is not ResponseHead:  # `isinstance` is slow for this kind of class.
            assert isinstance(head, str), "it is one of the two"
            return head
        known = KnownResponse(self, head)
        self.store.note(text, known)
        return known


class ResponseParser(MessageParser):
    """The response to one request, with any number of 1xx before it.

    ``head_only``: the request was HEAD. ``upgrade``: the protocol it requested; only then a 101 is
    good, and only for that protocol.
    """

    __slots__ = (
        "_head_only",
        "_interim_bytes",
        "_interims",
        "_sink",
        "_state",
        "_upgrade",
        "excess",
        "reusable",
    )

    def __init__(
        self, sink: ResponseSink, *, head_only: bool, upgrade: str, limits: HeadLimits = DEFAULT
    ) -> None:
        MessageParser.__init__(self, START, limits)  # `super` costs another call.
        self._sink = sink
        self._head_only = head_only
        self._upgrade = upgrade.lower().encode("ascii") if upgrade else b""
        self._state = _IN_HEAD
        self._interims = 0
        self._interim_bytes = 0
        self.excess = False
        """Bytes came after the end of the response: the connection cannot be used again."""
        self.reusable = False
        """Framing marked the end of the response, and the connection may stay open."""

    @property
    def is_untouched(self) -> bool:
        """No byte of a response has arrived, or of the next one after a 1xx."""
        return self._state is _IN_HEAD and not self._pending

    @property
    def is_complete(self) -> bool:
        return self._state is _COMPLETE

    def feed(self, data: memoryview) -> None:
        """Report what ``data`` completes to the sink. Dropped after `failed`."""
        while len(data) > 0:
            state = self._state
            if state is _IN_HEAD:
                data = self._feed_head(data)
                continue
            if state is _IN_BODY:
                self._take_body(data, self._sink)
            elif state is _UNTIL_END or state is _RAW:
                self._sink.body(data)
            elif state is _COMPLETE:
                self.excess = True
            return

    def go_on(self, head: ResponseHead, rest: memoryview) -> None:
        """Instead of the first `feed`: take the bytes after a head that the caller has read."""
        self._begin(head)
        self.feed(rest)

    def end(self) -> None:
        """The target finished cleanly: the end of a response without a declared length."""
        if self._state is _UNTIL_END:
            self._complete()
        elif self._state not in (_COMPLETE, _RAW):
            self._fail("the target closed the connection within the response")

    def _feed_head(self, data: memoryview) -> memoryview:
        buffer = self._pending + bytes(data) if self._pending else bytes(data)
        end = buffer.find(HEAD_END) + 4
        if end < 4:
            self._keep_head(buffer)
            return NOTHING
        if self._pending:
            self._pending = b""
            self._judge = None
        result = read_response_head(
            buffer[:end],
            head_only=self._head_only,
            upgrade=self._upgrade,
            limits=self._limits,
        )
        if isinstance(result, str):
            self._fail(result)
            return NOTHING
        # If the head came in pieces, the rest is a view of our own copy.
        rest = data[end:] if len(buffer) == len(data) else memoryview(buffer)[end:]
        if result.whole_bytes == len(rest):
            self.reusable = result.idle_s > 0
            self._state = _COMPLETE
            self._sink.whole(result, rest)
            del self._sink  # As in `_complete`.
            return NOTHING
        self._begin(result)
        return rest

    def _begin(self, head: ResponseHead) -> None:
        if head.status == 101:
            self._state = _RAW
        elif head.status < 200:
            # No reader can slow these down, and a stream to another site has the same limits.
            self._interims += 1
            self._interim_bytes += len(head.head)
            if self._interims >= HEADS_PER_STREAM_MAX or self._interim_bytes > INTERIM_BYTES_MAX:
                self._fail("the target sends interim responses without end")
                return
            self._state = _IN_HEAD
        elif not head.has_body or head.body_bytes == 0:
            self._state = _IN_BODY  # With an empty body.
            self.reusable = head.idle_s > 0
            self._sink.response(head)
            self._complete()
            return
        elif head.chunked:
            self._state = _IN_BODY
            self._chunks = ChunkDecoder(head.fields, self._limits)
            self.reusable = head.idle_s > 0
        elif head.body_bytes >= 0:
            self._state = _IN_BODY
            self._left = head.body_bytes
            self.reusable = head.idle_s > 0
        else:
            self._state = _UNTIL_END
        self._sink.response(head)

    def _whole(self, rest: memoryview) -> None:
        self._complete()
        self.excess = len(rest) > 0

    def _broken(self, error: HttpError) -> None:
        self._fail(error.sentence)

    def _complete(self) -> None:
        self._state = _COMPLETE
        self._sink.complete()
        del self._sink  # The sink refers to us: avoid a cycle that waits for the garbage collector.

    def _fail(self, reason: str) -> None:
        self._state = _FAILED
        self._pending = b""
        self._sink.failed(reason)
