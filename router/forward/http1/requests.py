"""Requests as clients send them: heads judged, bodies decoded, one request at a time."""

import enum
from typing import Protocol

from router.forward.http1.chunks import ChunkDecoder
from router.forward.http1.grammar import HttpError
from router.forward.http1.heads import LineJudge
from router.forward.http1.request_heads import START, Forwarding, RequestHead, read_request_head


class RequestSink(Protocol):
    """Who is told what a client sent: `request`, `body`…, `trailers`, `complete`; or `failed`."""

    def request(self, head: RequestHead) -> None: ...

    def body(self, data: memoryview) -> None:
        """Body bytes, transfer coding removed; valid until this returns."""

    def trailers(self, block: bytes) -> None:
        """Lines ending in CRLF, those that may not be trailers removed. Only if any is left."""

    def complete(self) -> None:
        """The request is complete; what follows waits for `RequestParser.proceed`."""

    def failed(self, error: HttpError) -> None:
        """The stream cannot be understood any further. The last call."""


class _State(enum.Enum):
    HEAD = enum.auto()
    FIXED = enum.auto()
    CHUNKED = enum.auto()
    COMPLETE = enum.auto()
    FAILED = enum.auto()


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
_HEAD = _State.HEAD
_FIXED = _State.FIXED
_CHUNKED = _State.CHUNKED
_COMPLETE = _State.COMPLETE
_FAILED = _State.FAILED


class RequestParser:
    """The requests of one client connection, one at a time.

    Bytes after a complete request are kept, unread, until `proceed`: its owner stops feeding
    while ``held_bytes`` is not 0, so that no more than one read is ever held.
    """

    __slots__ = (
        "_chunks",
        "_forwarding",
        "_judge",
        "_left",
        "_pending",
        "_sink",
        "_skipped",
        "_state",
        "held_bytes",
        "is_in_head",
    )

    def __init__(self, sink: RequestSink, forwarding: Forwarding) -> None:
        self._sink = sink
        self._forwarding = forwarding
        self._state = _HEAD
        self._pending = b""  # An unfinished head, or what follows a complete request.
        self._judge: LineJudge | None = None
        self._skipped = False  # One empty line before a request line is forgiven (9112, 2.2).
        self._left = 0
        self._chunks: ChunkDecoder | None = None
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
        if self._state is _HEAD:
            self._feed_head(data)
        elif self._state is _COMPLETE:
            self._pending += bytes(data)
            self.held_bytes = len(self._pending)
        elif self._state is not _FAILED:
            self._feed_body(data)

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
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            self._pending = buffer
            self.is_in_head = buffer != b""
            if self._judge is None:
                self._judge = LineJudge(START)
            error = self._judge.judge(buffer) if buffer else None
            if error is not None:
                self._fail(error)
            return
        self._pending = b""
        self.is_in_head = False
        self._judge = None
        self._skipped = False
        result = read_request_head(buffer[: end + 4], self._forwarding)
        if type(result) is not RequestHead:
            assert isinstance(result, HttpError)
            self._fail(result)
        elif result.body_bytes == 0:
            self._state = _COMPLETE
            self._pending = buffer[end + 4 :]
            self.held_bytes = len(self._pending)
            self._sink.request(result)
            self._sink.complete()
        else:
            self._begin(result, memoryview(buffer)[end + 4 :])

    def _begin(self, head: RequestHead, rest: memoryview) -> None:
        """A request with a body, or the promise of one."""
        if head.body_bytes > 0:
            self._state = _FIXED
            self._left = head.body_bytes
        else:
            self._state = _CHUNKED
            self._chunks = ChunkDecoder(head.fields)
        self._sink.request(head)
        if len(rest) > 0:
            self.feed(rest)

    def _feed_body(self, data: memoryview) -> None:
        if self._state is _CHUNKED:
            self._feed_chunks(data)
            return
        left = self._left
        if len(data) < left:
            self._left = left - len(data)
            self._sink.body(data)
            return
        self._left = 0
        self._sink.body(data[:left])
        self._end(data[left:])

    def _feed_chunks(self, data: memoryview) -> None:
        chunks = self._chunks
        assert chunks is not None, "a chunked body without its decoder"
        pieces, rest = chunks.decode(data)
        if len(pieces) == 1:
            self._sink.body(pieces[0])
        elif pieces:
            self._sink.body(memoryview(b"".join(pieces)))
        if chunks.error is not None:
            self._fail(chunks.error)
        elif chunks.complete:
            self._chunks = None
            if chunks.trailers:
                self._sink.trailers(chunks.trailers)
            self._end(rest)

    def _end(self, rest: memoryview) -> None:
        if self._state is _FAILED:
            return  # The sink closed us while it took the body.
        self._state = _COMPLETE
        self._pending = bytes(rest)
        self.held_bytes = len(self._pending)
        self._sink.complete()

    def _fail(self, error: HttpError) -> None:
        if self._state is _FAILED:
            return
        self.close()
        self._sink.failed(error)
