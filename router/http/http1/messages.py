"""What readers of requests and of responses have in common: a head in pieces, a body taken."""

from abc import ABC, abstractmethod
from typing import Protocol

from router.http.http1.chunks import ChunkDecoder
from router.http.http1.grammar import HttpError
from router.http.http1.heads import HeadLimits, LineJudge, StartLine

NOTHING = memoryview(b"")
HEAD_END = b"\r\n\r\n"


class BodySink(Protocol):
    """Who takes the body of a message."""

    def body(self, data: memoryview) -> None:
        """Body bytes, transfer coding removed; valid until this returns."""

    def body_trailers(self, block: bytes) -> None:
        """Lines ending in CRLF, those that may not be trailers removed. Only if any is left."""


class MessageParser(ABC):
    """The head and the body of one message at a time. A subclass says what follows from them.

    ``_left`` is what is to come of a body of stated length; of one in chunks ``_chunks`` knows.
    """

    __slots__ = ("_chunks", "_judge", "_left", "_limits", "_pending", "_start")

    def __init__(self, start: StartLine, limits: HeadLimits) -> None:
        self._start = start
        self._limits = limits
        self._pending = b""  # An unfinished head.
        self._judge: LineJudge | None = None
        self._left = 0
        self._chunks: ChunkDecoder | None = None

    @abstractmethod
    def _whole(self, rest: memoryview) -> None:
        """The message is complete; ``rest`` follows it."""

    @abstractmethod
    def _broken(self, error: HttpError) -> None:
        """It cannot be understood."""

    def _keep_head(self, buffer: bytes) -> None:
        """Its end (`HEAD_END`) is not in ``buffer``: keep it, and judge it as far as it goes."""
        self._pending = buffer
        if self._judge is None:
            self._judge = LineJudge(self._start, self._limits)
        error = self._judge.judge(buffer)
        if error is not None:
            self._broken(error)

    def _take_body(self, data: memoryview, sink: BodySink) -> None:
        """Hand over what ``data`` has of the body, and see whether that was all."""
        if self._chunks is not None:
            self._take_chunks(self._chunks, data, sink)
            return
        left, size = self._left, len(data)
        if size < left:
            self._left = left - size
            sink.body(data)
            return
        self._left = 0
        if size == left:
            sink.body(data)
            self._whole(NOTHING)
        else:
            sink.body(data[:left])
            self._whole(data[left:])

    def _take_chunks(self, chunks: ChunkDecoder, data: memoryview, sink: BodySink) -> None:
        pieces, rest = chunks.decode(data)
        if len(pieces) == 1:
            sink.body(pieces[0])
        elif pieces:
            sink.body(memoryview(b"".join(pieces)))
        if chunks.error is not None:
            self._broken(chunks.error)
        elif chunks.complete:
            self._chunks = None
            if chunks.trailers:
                sink.body_trailers(chunks.trailers)
            self._whole(rest)
