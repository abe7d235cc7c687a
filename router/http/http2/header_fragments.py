"""Header blocks as frames carry them: padded, with a priority, and in any number of fragments."""

from router.http.http2 import codes
from router.http.http2.frame_writer import Fault
from router.model import limits

_PRIORITY_BYTES = 5


class UnfinishedBlock:
    """The fragments of a header block so far, and facts from its first frame.

    ``ended``: the block ends its stream.
    """

    __slots__ = ("_fragments", "_size_bytes", "ended", "stream_id")

    def __init__(self, stream_id: int, fragment: bytes, *, size_bytes: int, ended: bool) -> None:
        """``size_bytes``: of the first frame, including bytes outside of the block."""
        self.stream_id = stream_id
        self.ended = ended
        self._fragments = [fragment]
        self._size_bytes = size_bytes

    def bears(self, size_bytes: int, bytes_max: int) -> bool:
        """Whether one more frame of this size keeps the block within its bounds."""
        in_bounds = self._size_bytes + size_bytes <= bytes_max
        return in_bounds and len(self._fragments) < limits.HTTP2_FRAGMENTS_MAX

    def add(self, fragment: bytes) -> None:
        self._fragments.append(fragment)
        self._size_bytes += len(fragment)

    def joined(self) -> bytes:
        return b"".join(self._fragments)


def fragment_of(flags: int, stream_id: int, body: bytes) -> bytes | Fault:
    """The part of a block in a HEADERS frame, without padding and priority; or its fault."""
    at, end = 0, len(body)
    if flags & codes.PADDED:
        at = 1
        end -= body[0] if body else 0
    if flags & codes.WITH_PRIORITY:
        if len(body) < at + _PRIORITY_BYTES:
            return codes.FRAME_SIZE_ERROR, "a frame that is too short"
        if _depends_on(body, at) == stream_id:
            return codes.PROTOCOL_ERROR, "a stream that depends on itself"
        at += _PRIORITY_BYTES
    if len(body) < at:
        return codes.FRAME_SIZE_ERROR, "a frame that is too short"
    if end < at:
        return codes.PROTOCOL_ERROR, "padding beyond its frame"
    return body[at:end]


def priority_fault(stream_id: int, body: bytes) -> Fault | None:
    """The fault of a PRIORITY frame, which has no effect here."""
    if not stream_id:
        return codes.PROTOCOL_ERROR, "the priority of stream 0"
    if len(body) != _PRIORITY_BYTES:
        return codes.FRAME_SIZE_ERROR, "a malformed PRIORITY"
    if _depends_on(body, 0) == stream_id:
        return codes.PROTOCOL_ERROR, "a stream that depends on itself"
    return None


def _depends_on(body: bytes, at: int) -> int:
    number: int = codes.NUMBER.unpack_from(body, at)[0]
    return number & codes.LAST_STREAM_ID
