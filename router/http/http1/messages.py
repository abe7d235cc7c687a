"""The common part of readers of requests and responses: collecting a head, taking a body."""

from abc import ABC, abstractmethod
from typing import Protocol

from router.http.http1.chunks import ChunkDecoder
from router.http.http1.grammar import HttpError
from router.http.http1.heads import HeadLimits, LineJudge, StartLine

NOTHING = memoryview(b"")
HEAD_END = b"\r\n\r\n"


class BodySink(Protocol):
    """Takes the body of a message."""

    def body(self, data: memoryview) -> None:
        """Body bytes, transfer coding removed; valid until this returns."""

    def body_trailers(self, block: bytes) -> None:
        """Lines ending in CRLF, without those that may not be trailers. Called only if any is
        left."""


class MessageParser(ABC):
    """The head and the body of one message at a time. A subclass handles the results.

    ``_left`` is the rest of a body with a declared length; for a chunked body ``_chunks`` counts.
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
        """The message cannot be parsed."""

    def _keep_head(self, buffer: bytes) -> None:
        """Keep ``buffer``, which does not contain the end of the head (`HEAD_END`), and judge it so
        far."""
        self._pending = buffer
        if self._judge is None:
            self._judge = LineJudge(self._start, self._limits)
        error = self._judge.judge(buffer)
        if error is not None:
            self._broken(error)

    def _take_body(self, data: memoryview, sink: BodySink) -> None:
        """Hand over the body bytes in ``data``, and check whether the body is complete."""
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
