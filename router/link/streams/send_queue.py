"""The waiting data and frames of one stream, in order."""

import struct
from collections import deque
from collections.abc import Callable
from typing import Final

from router.link import frames
from router.model import limits
from router.net.ports import Buffer

_COALESCE_BYTES: Final = 4 * limits.KIB
"""Smaller pieces share a buffer, so that they share a frame."""
_PAYLOAD_MAX: Final = limits.FRAME_PAYLOAD_BYTES_MAX
_WHOLE_BYTES_MIN: Final = _PAYLOAD_MAX // 2  # A larger DATA frame is not joined with others.
_HEADER_BYTES: Final = 8
_DATA_WORD: Final = frames.DATA << 24
_pack_header = struct.Struct(">II").pack

Framed = tuple[int, bytes]
"""Kind and payload of a frame that waits among the data of its stream."""

_Piece = bytes | bytearray | memoryview


class SendQueue:
    """Created by a stream when something has to wait, and dropped when nothing waits any more."""

    __slots__ = ("_items", "_stream_id", "is_awaited", "size_bytes")

    def __init__(self, stream_id: int) -> None:
        self._items: deque[_Piece | Framed] = deque()  # ``bytes`` are a whole DATA frame.
        self._stream_id = stream_id
        self.size_bytes = 0
        """Size of the data and of the payloads of frames."""
        self.is_awaited = False
        """The sender waits until there is room."""

    @property
    def is_empty(self) -> bool:
        """Nothing waits."""
        return not self._items

    @property
    def begins_with_data(self) -> bool:
        """The next item needs credit."""
        return bool(self._items) and type(self._items[0]) is not tuple

    def put_frame(self, kind: int, payload: bytes) -> None:
        """Queue a frame."""
        self._items.append((kind, payload))
        self.size_bytes += len(payload)

    def put_data(self, data: Buffer) -> None:
        """Queue a copy of ``data``; small pieces share a buffer."""
        items, size = self._items, len(data)
        last = items[-1] if items else None
        if size > _PAYLOAD_MAX:
            view = memoryview(data)
            for at in range(0, size, _PAYLOAD_MAX):
                part = view[at : at + _PAYLOAD_MAX]
                items.append(_pack_header(_DATA_WORD | len(part), self._stream_id) + part)
        elif size >= _COALESCE_BYTES:
            items.append(_pack_header(_DATA_WORD | size, self._stream_id) + data)
        elif type(last) is bytearray and len(last) < _PAYLOAD_MAX:
            last += data
        else:
            items.append(bytearray(data))
        self.size_bytes += size

    def take_frame(self) -> Framed | None:
        """The next item if it is a frame; None: data, or nothing."""
        item = self._items[0] if self._items else None
        if not isinstance(item, tuple):
            return None
        self._items.popleft()
        self.size_bytes -= len(item[1])
        return item

    def take_data(
        self,
        parts: list[Buffer],
        room_bytes: int,
        credit_bytes: int,
        end: Callable[[], bytes] | None,
    ) -> tuple[int, int]:
        """Append one DATA frame to ``parts``, with about ``room_bytes`` (at least 1) of data.

        ``end``: nothing follows the queue; the callable gives the payload of END. Returns the bytes
        of data, and the bytes of END: 0 if the frame does not end the stream.
        """
        items = self._items
        item = items[0]
        if type(item) is bytes and (len(items) == 1 or len(item) > _WHOLE_BYTES_MIN):
            size = len(item) - _HEADER_BYTES
            # A little more than the room, rather than cutting this frame and all that follow.
            fits = size <= room_bytes + limits.LANE_QUANTUM_BYTES and size <= credit_bytes
            if fits and not (end is not None and len(items) == 1):
                items.popleft()  # As it is: joining it with the next costs more than a frame.
                self.size_bytes -= size
                parts.append(item)
                return size, 0
        place = len(parts)
        parts.append(b"")  # The header, once the size is known.
        size = self._join(parts, room_bytes)
        self.size_bytes -= size
        if end is None or items or size > _PAYLOAD_MAX - frames.COUNT_BYTES:
            parts[place] = _pack_header(_DATA_WORD | size, self._stream_id)
            return size, 0
        word = _DATA_WORD | frames.END << 24 | size + frames.COUNT_BYTES
        parts[place] = _pack_header(word, self._stream_id)
        parts.append(end())
        return size, frames.COUNT_BYTES

    def _join(self, parts: list[Buffer], room_bytes: int) -> int:
        """Append at most ``room_bytes`` of data from as many pieces as needed; returns the
        bytes."""
        items, size = self._items, 0
        while items and size < room_bytes:
            piece = items[0]
            if isinstance(piece, tuple):
                break
            if type(piece) is bytes:
                if size and len(piece) > _WHOLE_BYTES_MIN:
                    break  # It leaves unchanged, next.
                piece = memoryview(piece)[_HEADER_BYTES:]
            piece_bytes, left_bytes = len(piece), room_bytes - size
            if piece_bytes <= left_bytes:
                items.popleft()
            else:
                view = memoryview(piece)
                items[0] = view[left_bytes:]
                piece, piece_bytes = view[:left_bytes], left_bytes
            parts.append(piece)
            size += piece_bytes
        return size
