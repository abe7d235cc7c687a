"""Requests as clients send them: heads judged, bodies decoded, one request at a time."""

import enum
from typing import Protocol

from router.forward.http1.chunks import ChunkDecoder
from router.forward.http1.grammar import HttpError
from router.forward.http1.heads import DEFAULT, HeadLimits
from router.forward.http1.messages import HEAD_END, BodySink, MessageParser
from router.forward.http1.request_heads import START, Forwarding, RequestHead, read_request_head
from router.model.limits import HEAD_REMEMBERED_BYTES_MAX


class RequestSink(BodySink, Protocol):
    """Who is told what a client sent: `request`, `body`…, `trailers`, `complete`; or `failed`."""

    def request(self, head: RequestHead) -> None: ...

    def complete(self) -> None:
        """The request is complete; what follows waits for `RequestParser.proceed`."""

    def failed(self, error: HttpError) -> None:
        """The stream cannot be understood any further. The last call."""


class _State(enum.Enum):
    HEAD = enum.auto()
    BODY = enum.auto()
    COMPLETE = enum.auto()
    FAILED = enum.auto()


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
_HEAD = _State.HEAD
_BODY = _State.BODY
_COMPLETE = _State.COMPLETE
_FAILED = _State.FAILED


class RequestParser(MessageParser):
    """The requests of one client connection, one at a time.

    Bytes after a complete request are kept, unread, until `proceed`: its owner stops feeding
    while ``held_bytes`` is not 0, so that no more than one read is ever held.
    """

    __slots__ = (
        "_forwarding",
        "_known",
        "_known_text",
        "_sink",
        "_skipped",
        "_state",
        "held_bytes",
        "is_in_head",
    )

    def __init__(
        self, sink: RequestSink, forwarding: Forwarding, limits: HeadLimits = DEFAULT
    ) -> None:
        MessageParser.__init__(self, START, limits)
        # What follows a complete request is pending as well.
        self._sink = sink
        self._forwarding = forwarding
        self._state = _HEAD
        self._known_text = b""  # The last small head that was good, and its verdict.
        self._known: RequestHead | None = None
        self._skipped = False  # One empty line before a request line is forgiven (9112, 2.2).
        self.held_bytes = 0
        """Bytes received after the request under way."""
        self.is_in_head = False
        """A head has begun and is not complete."""

    @property
    def is_idle(self) -> bool:
        """Between requests, with no byte of the next one."""
        return self._state is _HEAD and not self._pending

    def feed(self, data: memoryview) -> None:
        """Tell the sink what ``data`` completes. Dropped after `failed`."""
        state = self._state
        if state is _HEAD:
            self._feed_head(data)
        elif state is _BODY:
            self._take_body(data, self._sink)
        elif state is _COMPLETE:
            self._pending += bytes(data)
            self.held_bytes = len(self._pending)

    def proceed(self) -> None:
        """Begin the next request, with the bytes kept for it. Only after `complete`."""
        assert self._state is _COMPLETE, "proceed within a request"
        self._state = _HEAD
        if self.held_bytes:
            held, self._pending = self._pending, b""
            self.held_bytes = 0
            self._feed_head(memoryview(held))

    def take_held(self) -> bytes:
        """The bytes after a complete request, for another protocol: after 101. Ends parsing."""
        held = self._pending
        self.close()
        return held

    def close(self) -> None:
        """Drop whatever comes from now on."""
        self._state = _FAILED
        self._pending = b""
        self.held_bytes = 0
        self.is_in_head = False

    def detach(self) -> None:
        """The connection is gone: `close`, and let go of the sink, which holds us."""
        self.close()
        del self._sink

    def _feed_head(self, data: memoryview) -> None:
        buffer = self._pending + bytes(data) if self._pending else bytes(data)
        if not self._skipped and buffer.startswith(b"\r\n"):
            self._skipped = True
            buffer = buffer[2:]
            if not buffer:
                self._pending = b""
                self.is_in_head = False
                return
        end = buffer.find(HEAD_END) + 4
        if end < 4:
            self._keep_head(buffer)
            self.is_in_head = self._state is _HEAD
            return
        if self._pending:
            self._pending = b""
            self._judge = None
            self.is_in_head = False
        self._skipped = False
        text = buffer[:end]
        known = self._known
        if known is None or text != self._known_text:
            verdict = read_request_head(text, self._forwarding, self._limits)
            if isinstance(verdict, HttpError):
                self._broken(verdict)
                return
            known = verdict
            if end <= HEAD_REMEMBERED_BYTES_MAX:  # Who keeps a connection often asks the same.
                self._known_text, self._known = text, known
        if known.body_bytes == 0:
            self._state = _COMPLETE
            self._pending = buffer[end:]
            self.held_bytes = len(self._pending)
            self._sink.request(known)
            self._sink.complete()
        else:
            self._begin(known, memoryview(buffer)[end:])

    def _begin(self, head: RequestHead, rest: memoryview) -> None:
        """A request with a body, or the promise of one."""
        self._state = _BODY
        if head.body_bytes > 0:
            self._left = head.body_bytes
        else:
            self._chunks = ChunkDecoder(head.fields, self._limits)
        self._sink.request(head)
        if len(rest) > 0:
            self.feed(rest)

    def _whole(self, rest: memoryview) -> None:
        if self._state is _FAILED:
            return  # The sink closed us while it took the body.
        self._state = _COMPLETE
        self._pending = bytes(rest)
        self.held_bytes = len(self._pending)
        self._sink.complete()

    def _broken(self, error: HttpError) -> None:
        if self._state is _FAILED:
            return
        self.close()
        self._sink.failed(error)
