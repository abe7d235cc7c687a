"""Frames of a lane: the 8-byte header, the kinds and their lengths, and the decoder.

A header is two big-endian u32: kind << 24 | payload length, then the stream id. Bit 7 of the kind
is END: this frame completes the sender's direction of the stream. docs/design/link-protocol.md
describes every payload.
"""

import struct
from collections.abc import Mapping
from typing import Final, Protocol

from router.model import limits
from router.model.errors import RemoteProtocolError

OPEN = 1
ACCEPTED = 2
REFUSED = 3
HEAD = 4
DATA = 5
TRAILERS = 6
FIN = 7
RESET = 8
WINDOW = 9
PING = 10
PONG = 11
CONTROL = 12
ANSWER = 13  # Only with END. These two kinds go only to peers that take them (feature `answer`).
ACCEPTED_LATE = 14

END = 0x80
KIND_MASK = 0x7F
COUNT_BYTES = 4  # The in-flight count that ends every END frame but OPEN.
COUNT_UNKNOWN = 0xFFFF_FFFF
STREAM_ID_MAX = (1 << 30) - 1  # A lane that has used these ids is replaced.

_HEADER = struct.Struct(">II")
_COUNT = struct.Struct(">I")
unpack_count = _COUNT.unpack_from
_COUNTED = struct.Struct(">III")
HELD_US_MAX = 0xFFFF_FFFF
_LATE = struct.Struct(">IIII")
pack_answer = struct.Struct(">IIIIqI").pack
"""An ANSWER before its head: `ANSWER_WORD` + size of head and body, stream, count, microseconds
since ACCEPTED was due (at most `HELD_US_MAX`), declared length of the body, size of the head."""
_ANSWER_REST = struct.Struct(">IqI")
_ANSWER_PREFIX = struct.Struct(">IIqI")
unpack_answer = _ANSWER_PREFIX.unpack_from
"""The fields of an ANSWER: count, microseconds since ACCEPTED was due, declared length of the body,
size of the head that begins at `ANSWER_PREFIX_BYTES`."""
ANSWER_PREFIX_BYTES = _ANSWER_PREFIX.size
ANSWER_WORD = (ANSWER | END) << 24 | ANSWER_PREFIX_BYTES
_LENGTH_MASK = 0xFF_FFFF
_PAYLOAD_MAX = limits.FRAME_PAYLOAD_BYTES_MAX
_DATA_WORD = DATA << 24
_ANSWER_END = ANSWER | END
_GATHERED_BYTES_MIN = 16 * limits.KIB

_LENGTHS: dict[int, tuple[int, int]] = {
    OPEN: (1, _PAYLOAD_MAX),
    OPEN | END: (1, _PAYLOAD_MAX),
    ACCEPTED: (4, 4),
    REFUSED: (5, 5),
    HEAD: (8, _PAYLOAD_MAX),
    HEAD | END: (8 + COUNT_BYTES, _PAYLOAD_MAX),
    DATA: (0, _PAYLOAD_MAX),
    DATA | END: (COUNT_BYTES, _PAYLOAD_MAX),
    TRAILERS: (0, _PAYLOAD_MAX),
    TRAILERS | END: (COUNT_BYTES, _PAYLOAD_MAX),
    FIN: (4, 4),
    RESET: (1, 1),
    WINDOW: (4, 4),
    PING: (8, 8),
    PONG: (8, 8),
    CONTROL: (1, _PAYLOAD_MAX),
    ANSWER | END: (ANSWER_PREFIX_BYTES, _PAYLOAD_MAX),
    ACCEPTED_LATE: (8, 8),
}
# By kind byte. An unknown kind allows no length at all.
_LENGTH_MIN = tuple(_LENGTHS.get(kind, (1 << 24, -1))[0] for kind in range(256))
_LENGTH_MAX = tuple(_LENGTHS.get(kind, (1 << 24, -1))[1] for kind in range(256))


class LaneViolation(RemoteProtocolError):
    """The peer broke a rule of the lane: the lane closes with this code."""


class FrameStream(Protocol):
    """Takes the frames of one open stream. ``payload`` is valid until the call returns, and
    ``size`` is its length."""

    def receive_data(self, payload: memoryview, size: int) -> None:
        """DATA without END."""

    def receive_whole(self, payload: memoryview, size: int) -> None:
        """ANSWER."""

    def receive(self, kind: int, payload: memoryview) -> None:
        """Any other frame."""

    def handler_failed(self) -> None:
        """One of these three calls just raised something other than a LaneViolation."""


NO_STREAMS: Final[Mapping[int, FrameStream]] = {}


class FrameSink(Protocol):
    """Takes the frames that belong to no open stream."""

    def frame(self, kind: int, stream_id: int, payload: memoryview) -> None:
        """One frame, ``kind`` with its END bit. ``payload`` is valid until this returns."""


class FrameDecoder:
    """Delivers each frame of a byte stream, however the bytes are cut: to its stream, else to
    ``sink``.

    ``streams`` are the streams open at any moment, by id. Payloads are views of the data received;
    only a frame that a cut divides is copied. Consecutive large DATA frames of one stream are
    delivered as one, which may be longer than a frame: in writable data, later payloads are moved
    up behind the first. A kind or length out of bounds raises `LaneViolation` as soon as its header
    is complete: nothing is ever allocated for a claimed length.
    """

    __slots__ = ("_closed", "_sink", "_streams", "_tail")

    def __init__(self, sink: FrameSink, streams: Mapping[int, FrameStream] = NO_STREAMS) -> None:
        self._sink = sink
        self._streams = streams
        self._tail = bytearray()
        self._closed = False

    def close(self) -> None:
        """Deliver nothing more, not even from the data at hand."""
        self._closed = True

    def receive_data(self, data: memoryview) -> None:
        """Deliver the frames that ``data`` completes. Raises LaneViolation, which closes the
        decoder."""
        if self._closed:
            return
        position = self._complete_tail(data) if self._tail else 0
        size = len(data)
        streams = self._streams
        while size - position >= 8 and not self._closed:
            word, stream_id = _HEADER.unpack_from(data, position)
            length = word & _LENGTH_MASK
            kind = word >> 24
            if length > _LENGTH_MAX[kind] or length < _LENGTH_MIN[kind]:
                raise self._violation(kind, length)
            body = position + 8
            end = body + length
            if end > size:
                break
            position = end
            if length >= _GATHERED_BYTES_MIN and kind == DATA and not data.readonly:
                end, position = _gathered(data, end, stream_id)
            payload = data[body:end]
            if stream_id not in streams:
                self._sink.frame(kind, stream_id, payload)
                continue
            stream = streams[stream_id]
            try:
                if kind == DATA:
                    stream.receive_data(payload, end - body)
                elif kind == _ANSWER_END:
                    stream.receive_whole(payload, length)
                else:
                    stream.receive(kind, payload)
            except LaneViolation:
                raise
            except Exception:
                stream.handler_failed()
        if position < size and not self._closed:
            self._tail += data[position:]

    def _complete_tail(self, data: memoryview) -> int:
        """Add the missing bytes of the divided frame and deliver it if complete; returns the bytes
        used."""
        tail = self._tail
        used = 0
        if len(tail) < 8:
            used = min(8 - len(tail), len(data))
            tail += data[:used]
            if len(tail) < 8:
                return used
        word, _ = _HEADER.unpack_from(tail)
        length = word & _LENGTH_MASK
        kind = word >> 24
        if length > _LENGTH_MAX[kind] or length < _LENGTH_MIN[kind]:
            raise self._violation(kind, length)
        rest = data[used : used + 8 + length - len(tail)]
        tail += rest
        used += len(rest)
        if len(tail) == 8 + length:
            self._tail = bytearray()
            self.receive_data(memoryview(tail))
        return used

    def _violation(self, kind: int, length: int) -> LaneViolation:
        self._closed = True
        if kind not in _LENGTHS:
            return LaneViolation("unknown-frame", f"frame of unknown kind {kind:#x}")
        code = "frame-too-large" if length > _LENGTH_MAX[kind] else "frame-too-small"
        return LaneViolation(code, f"frame of kind {kind:#x} claims {length} bytes of payload")


def _gathered(data: memoryview, position: int, stream_id: int) -> tuple[int, int]:
    """Join the payloads of large DATA frames from ``position`` on to the payload that ends there.

    Returns the end of the joined payload and the start of the next frame. Each delivery costs a
    system call: for hundreds of kilobytes, moving them within the cache is cheaper.
    """
    end, size = position, len(data)
    while size - position >= 8:
        word, next_id = _HEADER.unpack_from(data, position)
        length = word - _DATA_WORD
        after = position + 8 + length
        if next_id != stream_id or not _GATHERED_BYTES_MIN <= length <= _PAYLOAD_MAX:
            break
        if after > size:
            break
        data[end : end + length] = data[position + 8 : after]
        end += length
        position = after
    return end, position


def header(kind: int, length: int, stream_id: int) -> bytes:
    """The eight bytes before ``length`` bytes of payload."""
    return _HEADER.pack(kind << 24 | length, stream_id)


def encode(kind: int, stream_id: int, payload: bytes = b"") -> bytes:
    """A whole small frame in one piece."""
    return _HEADER.pack(kind << 24 | len(payload), stream_id) + payload


def encode_counted(kind: int, stream_id: int, count: int) -> bytes:
    """A whole frame whose payload is an in-flight count; negative: not known."""
    if not 0 <= count < COUNT_UNKNOWN:
        count = COUNT_UNKNOWN
    return _COUNTED.pack(kind << 24 | COUNT_BYTES, stream_id, count)


def encode_count(count: int) -> bytes:
    """An in-flight count; negative: not known."""
    return _COUNT.pack(count if 0 <= count < COUNT_UNKNOWN else COUNT_UNKNOWN)


def decode_count(payload: memoryview, offset: int = 0) -> int:
    """The in-flight count at ``offset``; -1: not known."""
    count: int = _COUNT.unpack_from(payload, offset)[0]
    return -1 if count == COUNT_UNKNOWN else count


def encode_accepted(stream_id: int, count: int, held_s: float) -> bytes:
    """An ACCEPTED that was due ``held_s`` ago."""
    word = ACCEPTED_LATE << 24 | 2 * COUNT_BYTES
    held_us = int(held_s * 1e6)
    if held_us > HELD_US_MAX:
        held_us = HELD_US_MAX
    if not 0 <= count < COUNT_UNKNOWN:
        count = COUNT_UNKNOWN
    return _LATE.pack(word, stream_id, count, held_us)


def decode_held(payload: memoryview) -> float:
    """How long ago ACCEPTED was due, in seconds."""
    return float(_COUNT.unpack_from(payload, COUNT_BYTES)[0]) / 1e6


def answer_rest(held_us: int, body_bytes: int, head: bytes) -> bytes:
    """The payload of an ANSWER without its count and body. ``held_us``: time since ACCEPTED was
    due."""
    return _ANSWER_REST.pack(held_us, body_bytes, len(head)) + head
