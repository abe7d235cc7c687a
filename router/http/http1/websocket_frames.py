"""Where a WebSocket frame ends in a stream of bytes, and our own frame that ends a connection.

RFC 6455: 5.2 the frame, 5.4 control frames between fragments, 7.4.1 and the registry of IANA the
codes.
"""

RESTARTING = b"\x88\x02\x03\xf4"
"""A Close from a server with code 1012, service restart: its client should connect again."""

_CLOSE = 8
_LEAST_BYTES = 2
_LENGTH_BYTES = {126: 2, 127: 8}
_MASK_BYTES = 4
_HEAD_BYTES_MAX = 14


class WebSocketFrames:
    """Follows one direction of a connection. It stores no payload and refuses nothing."""

    __slots__ = ("_head", "_left", "is_closed")

    def __init__(self) -> None:
        self._head = b""  # The start of an incomplete frame head.
        self._left = 0  # Payload bytes of the present frame that are still to come.
        self.is_closed = False
        """A Close was seen: nothing of the protocol follows."""

    @property
    def is_between(self) -> bool:
        """The last frame is complete, and no other has begun."""
        return not self._head and not self._left

    def feed(self, data: bytes | memoryview) -> None:
        """Take the next bytes."""
        at, size = 0, len(data)
        while at < size:
            if self._left:
                step = min(self._left, size - at)
                self._left -= step
                at += step
                continue
            known = len(self._head)
            head = self._head + bytes(data[at : at + _HEAD_BYTES_MAX - known])
            head_bytes, payload_bytes = _head_of(head)
            at += (head_bytes or len(head)) - known
            self._head = b"" if head_bytes else head
            if head_bytes:
                self._left = payload_bytes
                self.is_closed = self.is_closed or head[0] & 15 == _CLOSE


def _head_of(data: bytes) -> tuple[int, int]:
    """Bytes of the head at the start of ``data``, and of its payload; 0, 0: it is incomplete."""
    if len(data) < _LEAST_BYTES:
        return 0, 0
    length = data[1] & 127
    extra = _LENGTH_BYTES.get(length, 0)
    size = _LEAST_BYTES + extra + (_MASK_BYTES if data[1] & 128 else 0)
    if len(data) < size:
        return 0, 0
    if extra:
        length = int.from_bytes(data[_LEAST_BYTES : _LEAST_BYTES + extra])
    return size, length
