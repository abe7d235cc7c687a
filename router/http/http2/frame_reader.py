"""Cuts frames from the peer's bytes, and judges each by its first 9 bytes alone."""

from abc import ABC, abstractmethod

from router.http.http2 import codes
from router.http.http2.blocks import BlockError
from router.http.http2.codes import FRAME_HEADER_BYTES
from router.http.http2.frame_writer import ENDLESS
from router.http.http2.header_fragments import UnfinishedBlock
from router.model import limits
from router.model.token_bucket import TokenBucket

_DATA, _HEADERS, _CONTINUATION = codes.DATA, codes.HEADERS, codes.CONTINUATION
_WHOLE_BLOCK = (codes.END_HEADERS, codes.END_HEADERS | codes.END_STREAM)
_OF_BLOCKS = (_HEADERS, _CONTINUATION)
_END_STREAM = codes.END_STREAM
_unpack = codes.FRAME_HEADER.unpack_from
_ID_MASK = codes.LAST_STREAM_ID


def _reset_budget(now: float) -> TokenBucket:
    return TokenBucket(limits.HTTP2_RESETS_BURST, limits.HTTP2_RESETS_PER_S, now)


class FrameReader(ABC):
    """Reads one frame after another from one buffer; the subclass `Wire` interprets them.

    Floods and header blocks are bounded before any allocation for them. ``client``: the peer is a
    target. ``header_bytes`` bounds a header block.
    """

    __slots__ = (
        "_client",
        "_earned",
        "_failed",
        "_head_work",
        "_header_bytes",
        "_is_judged",
        "_is_warned",
        "_now",
        "_pending",
        "_resets",
        "_unfinished",
        "_useful",
        "_useless",
        "frame_id",
    )

    def __init__(self, *, client: bool, header_bytes: int, now: float) -> None:
        self._client = client
        self._header_bytes = header_bytes
        self._head_work = limits.HTTP2_ANSWER_WORK if client else limits.HTTP2_HEAD_WORK
        self._pending = b""
        self._is_judged = False  # The header of the incomplete frame was judged.
        self.frame_id = 0
        """The stream named by the frame under judgment; 0: none, or the connection."""
        self._unfinished: UnfinishedBlock | None = None
        self._failed = False
        self._now = now
        self._useless = TokenBucket(limits.HTTP2_USELESS_BURST, limits.HTTP2_USELESS_PER_S, now)
        # Frames that earn more useless ones, in total and already counted.
        self._useful = self._earned = 0
        self._resets = _reset_budget(now)
        self._is_warned = False  # One such budget is used up.

    @abstractmethod
    def fail(self, code: int, reason: str) -> bool:
        """End the connection. Always False."""

    @abstractmethod
    def _warn(self) -> None:
        """The client breaks off too many streams: a few more end the connection."""

    @abstractmethod
    def _take_data(self, flags: int, stream_id: int, data: memoryview, size: int) -> None:
        """A DATA frame of ``size`` bytes, outside of a header block."""

    @abstractmethod
    def _take_head(self, flags: int, stream_id: int, buffer: bytes, start: int, end: int) -> int:
        """A plain header block in one frame, at ``start``. Returns the end of the bytes taken."""

    @abstractmethod
    def _take_frame(self, kind: int, flags: int, stream_id: int, body: bytes) -> None:
        """Any other frame."""

    @property
    @abstractmethod
    def _useful_sent(self) -> int:
        """Frames of ours that serve a request."""

    @property
    def is_in_head(self) -> bool:
        """A header block has begun and is not complete."""
        pending = self._pending
        begun = len(pending) > 3 and pending[3] in _OF_BLOCKS
        return self._unfinished is not None or begun

    def receive(self, data: memoryview, now: float, work: int = ENDLESS) -> bool:
        """Report what ``data`` completes. True: there is more than ``work`` allowed; call again."""
        buffer = self._pending + data if self._pending else bytes(data)
        self._now = now
        end = len(buffer)
        try:
            at, more = self._take_frames(buffer, end, work)
        except BlockError as error:
            self.fail(error.code, str(error))
            at, more = end, False
        self._pending = b"" if at == end or self._failed else buffer[at:]
        if at == end and self._unfinished is None:
            self.frame_id = 0
        return more

    def _take_frames(self, buffer: bytes, end: int, work: int) -> tuple[int, bool]:
        """Take frames. Returns where they end, and whether a whole one is left.

        BlockError: the connection is lost.
        """
        view = memoryview(buffer)
        at = 0
        while end - at >= FRAME_HEADER_BYTES and not self._failed:
            high, low, kind, flags, stream_id = _unpack(buffer, at)
            size = high << 8 | low
            self.frame_id = stream_id = stream_id & _ID_MASK
            if self._is_judged:
                self._is_judged = False
            elif not self._judge_header(kind, flags, size):
                break
            start = at + FRAME_HEADER_BYTES
            after = start + size
            if after > end or work <= 0:
                self._is_judged = True
                return at, after <= end
            at = after
            if kind == _DATA and self._unfinished is None:
                work -= 1
                self._take_data(flags, stream_id, view[start:at], size)
            elif (
                kind == _HEADERS
                and flags in _WHOLE_BLOCK
                and stream_id
                and self._unfinished is None
            ):
                work -= self._head_work + size // limits.HTTP2_HEAD_WORK_BYTES
                at = self._take_head(flags, stream_id, buffer, start, at)
            else:
                dear = kind in _OF_BLOCKS
                work -= self._head_work + size // limits.HTTP2_HEAD_WORK_BYTES if dear else 1
                self._take_frame(kind, flags, stream_id, buffer[start:at])
        return at, False

    def _judge_header(self, kind: int, flags: int, size: int) -> bool:
        """The verdict on a frame by its first 9 bytes alone; False: the connection has failed."""
        if kind == _DATA and 0 < size <= limits.HTTP2_FRAME_BYTES_MAX:  # The usual case.
            self._useful += 1
            return True
        if size > limits.HTTP2_FRAME_BYTES_MAX:
            return self.fail(codes.FRAME_SIZE_ERROR, "a frame larger than this end accepts")
        if kind in _OF_BLOCKS:
            unfinished = self._unfinished if kind == _CONTINUATION else None
            if size <= self._header_bytes and (
                unfinished is None or unfinished.bears(size, self._header_bytes)
            ):
                return True
            return self.fail(codes.ENHANCE_YOUR_CALM, "a header block without end")
        if kind == codes.RST_STREAM:
            # Towards a target, only our own streams end, no more than we open.
            return self._client or self._count_reset()
        elif kind == _DATA:
            return bool(flags & _END_STREAM) or self._count_useless()
        elif kind != codes.GOAWAY and not (kind == codes.SETTINGS and flags & codes.ACK):
            return self._count_useless()
        return True

    def _count_reset(self) -> bool:
        """Clients whose calls time out reset many streams, and have others under way: these are
        finished if a second budget is not used up."""
        if self._resets.take(self._now):
            return True
        if self._is_warned:
            return self.fail(codes.ENHANCE_YOUR_CALM, "streams reset in a row")
        self._is_warned = True
        self._resets = _reset_budget(self._now)
        self._warn()
        return True

    def _count_useless(self) -> bool:
        useless = self._useless
        useful = self._useful + self._useful_sent
        if useful > self._earned:  # Counted late: nothing is spent in between.
            useless.earn((useful - self._earned) * limits.HTTP2_USELESS_PER_USEFUL)
            self._earned = useful
        if useless.take(self._now):
            return True
        return self.fail(codes.ENHANCE_YOUR_CALM, "frames that serve nothing")

    def blame(self) -> None:
        """A client's stream had to be reset by its fault: it may cause as many as it may reset."""
        if not self._client and not self._resets.take(self._now):
            self.fail(codes.ENHANCE_YOUR_CALM, "streams to be reset in a row")
