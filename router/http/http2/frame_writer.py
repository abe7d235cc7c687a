"""Frames that we send on one HTTP/2 connection: orders in, bytes by `take` out."""

from functools import lru_cache
from typing import Generic

from router.http.http2 import codes
from router.http.http2.codes import frame
from router.http.http2.stream_states import ALL_HEARD, ENDED
from router.http.http2.wire_streams import S, WireStreams
from router.model import limits
from router.net.ports import Buffer

ENDLESS = 2**31

_DATA, _HEADERS, _CONTINUATION = codes.DATA, codes.HEADERS, codes.CONTINUATION
_END_STREAM, _END_HEADERS = codes.END_STREAM, codes.END_HEADERS
_pack = codes.FRAME_HEADER.pack
Fault = tuple[int, str]
"""An error code and a reason with which the connection must end."""
WINDOW_FAULT: Fault = (codes.FLOW_CONTROL_ERROR, "a window above its bound")

_NO_TABLE = b"\x20"  # A dynamic table of size 0 (RFC 7541, 6.3).


@lru_cache(maxsize=64)
def _greeting(client: bool, streams: int, header_bytes: int) -> bytes:
    """The start of a connection: our settings, and the connection's window.

    Services have few different terms, so a new connection nearly always finds it cached.
    """
    settings = {
        codes.ENABLE_PUSH: 0,
        codes.MAX_CONCURRENT_STREAMS: streams,
        codes.INITIAL_WINDOW_SIZE: limits.HTTP2_WINDOW_BYTES,
        codes.MAX_FRAME_SIZE: limits.HTTP2_FRAME_BYTES_MAX,
        codes.MAX_HEADER_LIST_SIZE: header_bytes,
    }
    body = b"".join(codes.SETTING.pack(name, value) for name, value in settings.items())
    more_bytes = limits.HTTP2_CONNECTION_WINDOW_BYTES - codes.FIRST_WINDOW_BYTES
    return b"".join(
        (
            codes.PREFACE if client else b"",
            frame(codes.SETTINGS, 0, 0, body),
            frame(codes.WINDOW_UPDATE, 0, 0, codes.NUMBER.pack(more_bytes)),
        )
    )


class FrameWriter(Generic[S]):
    """Writes our frames, as far as the peer's settings and windows allow.

    It begins with our settings, which include ``streams`` and ``header_bytes``.
    """

    __slots__ = (
        "_client",
        "_frame_bytes_max",
        "_output",
        "_owes_no_table",
        "_streams",
        "peer_header_list_bytes",
        "peer_streams_max",
        "queued_bytes",
        "room",
        "useful",
        "window_bytes",
    )

    def __init__(
        self, known: WireStreams[S], *, client: bool, streams: int, header_bytes: int
    ) -> None:
        self._streams = known
        self._client = client
        self._frame_bytes_max = codes.FIRST_FRAME_BYTES_MAX
        self._owes_no_table = False
        self.room = codes.FIRST_WINDOW_BYTES
        """Bytes that the peer takes now over all streams."""
        self.window_bytes = codes.FIRST_WINDOW_BYTES
        """Bytes that the peer takes on a new stream."""
        self.peer_streams_max = codes.STREAMS_UNBOUNDED
        """The most streams that the peer allows at once."""
        self.peer_header_list_bytes = ENDLESS
        """The largest header list that the peer takes, by RFC 9113's count."""
        self.useful = 0
        """Frames so far that serve a request."""
        self.queued_bytes = 0
        """Bytes of bodies queued by streams, and not in a frame yet."""
        self._output = [_greeting(client, streams, header_bytes)]

    def take(self) -> bytes:
        """The bytes to send, each once."""
        data = b"".join(self._output)
        self._output.clear()
        return data

    # Streams.

    def room_of(self, stream: S) -> int:
        """Bytes of one frame that may leave now; 0 or less: wait for the peer's credit."""
        return min(self.room, stream.room, self._frame_bytes_max, limits.HTTP2_QUANTUM_BYTES)

    def head(self, stream: S, block: bytes, end: bool) -> None:
        """Write a head or trailers (`blocks.encoded`)."""
        self.useful += 1
        if self._owes_no_table:
            self._owes_no_table = False
            block = _NO_TABLE + block
        size = len(block)
        flags = _END_HEADERS | _END_STREAM if end else _END_HEADERS
        if size <= self._frame_bytes_max:
            self._output += (_pack(size >> 8, size & 0xFF, _HEADERS, flags, stream.id), block)
        else:
            self._write_in_fragments(stream.id, block, end)
        if end and stream.receiving is ALL_HEARD:
            self._streams.ended_by_us(stream)
        elif end:  # Usually a request: its answer is still to come.
            stream.sending = ENDED

    def queue(self, size_bytes: int) -> None:
        """A stream has ``size_bytes`` more of its body to send, by `data`, or not at all
        (`drop`)."""
        self.queued_bytes += size_bytes

    def drop(self, size_bytes: int) -> None:
        """``size_bytes`` of the queued bytes will not be sent."""
        self.queued_bytes -= size_bytes

    def data(self, stream: S, data: bytes, end: bool) -> None:
        """Write at most `room_of` bytes of those queued."""
        size = len(data)
        self.queued_bytes -= size
        if size >= limits.HTTP2_USEFUL_BYTES_MIN:
            self.useful += 1
        self.room -= size
        stream.room -= size
        flags = _END_STREAM if end else 0
        self._output += (_pack(size >> 8, size & 0xFF, _DATA, flags, stream.id), data)
        if end:
            self._streams.ended_by_us(stream)

    def whole(self, stream: S, block: bytes, body: Buffer) -> int:
        """Write a head, a body and the end in one piece; returns the body's size. -1: they do not
        fit, or not now."""
        head_size, size = len(block), len(body)
        if (
            self._owes_no_table
            or head_size > self._frame_bytes_max
            or size > self.room
            or size > stream.room
            or size > self._frame_bytes_max
            or size > limits.HTTP2_QUANTUM_BYTES
        ):
            return -1
        self.useful += 1 if size < limits.HTTP2_USEFUL_BYTES_MIN else 2
        self.room -= size
        self._output += (
            _pack(head_size >> 8, head_size & 0xFF, _HEADERS, _END_HEADERS, stream.id),
            block,
            _pack(size >> 8, size & 0xFF, _DATA, _END_STREAM, stream.id),
            bytes(body),
        )
        self._streams.ended_by_us(stream)
        return size

    def give_back(self, credit_bytes: int, stream_id: int) -> None:
        """Give credit for a stream; 0: for the connection."""
        credit = codes.NUMBER.pack(credit_bytes)
        self._output.append(frame(codes.WINDOW_UPDATE, 0, stream_id, credit))

    def reset(self, stream_id: int, code: int) -> None:
        """Reset a stream. The caller makes sure that the peer knows it."""
        self._output.append(frame(codes.RST_STREAM, 0, stream_id, codes.NUMBER.pack(code)))

    # The connection.

    def agree(self) -> None:
        """Acknowledge the peer's settings."""
        self._output.append(frame(codes.SETTINGS, codes.ACK, 0))

    def ping(self) -> None:
        """Send a ping, which the peer answers."""
        self._output.append(frame(codes.PING, 0, 0, b"spillway"))

    def pong(self, body: bytes) -> None:
        """Answer a ping of the peer."""
        self._output.append(frame(codes.PING, codes.ACK, 0, body))

    def go_away(self, last_id: int, code: int = codes.NO_ERROR) -> None:
        """Streams above ``last_id`` are not processed; the others go on."""
        body = codes.NUMBER.pack(last_id) + codes.NUMBER.pack(code)
        self._output.append(frame(codes.GOAWAY, 0, 0, body))

    # The peer's credit and settings.

    def credited(self, credit_bytes: int) -> Fault | None:
        """The peer gave credit for all streams. Returns a fault if that is too much."""
        self.room += credit_bytes
        return WINDOW_FAULT if self.room > codes.WINDOW_MAX else None

    def told(self, name: int, value: int) -> Fault | None:
        """Take a setting of the peer; returns its fault."""
        if name == codes.INITIAL_WINDOW_SIZE:
            return self._set_window(value)
        if name == codes.MAX_FRAME_SIZE:
            if not codes.FIRST_FRAME_BYTES_MAX <= value <= codes.FRAME_BYTES_MAX:
                return codes.PROTOCOL_ERROR, "a frame size beyond its bounds"
            self._frame_bytes_max = value
        elif name == codes.MAX_CONCURRENT_STREAMS:
            self.peer_streams_max = value
        elif name == codes.MAX_HEADER_LIST_SIZE:
            self.peer_header_list_bytes = value
        elif name == codes.ENABLE_PUSH or name == codes.ENABLE_CONNECT_PROTOCOL:
            most = 0 if name == codes.ENABLE_PUSH and self._client else 1
            if value > most:
                return codes.PROTOCOL_ERROR, "a setting beyond its bounds"
        return None

    def owe_no_table(self) -> None:
        """The peer shrank its table, which must be agreed to, even if it grows again at once. We
        use none, and say so with the next head (RFC 7541, 4.2)."""
        self._owes_no_table = True

    def _set_window(self, value: int) -> Fault | None:
        if value > codes.WINDOW_MAX:
            return WINDOW_FAULT
        more = value - self.window_bytes
        self.window_bytes = value
        for stream in self._streams.open.values():
            stream.room += more
            if stream.room > codes.WINDOW_MAX:
                return WINDOW_FAULT
        return None

    def _write_in_fragments(self, stream_id: int, block: bytes, end: bool) -> None:
        kind, flags = _HEADERS, _END_STREAM if end else 0
        most = self._frame_bytes_max
        for at in range(0, len(block), most):
            if at + most >= len(block):
                flags |= _END_HEADERS
            self._output.append(frame(kind, flags, stream_id, block[at : at + most]))
            kind, flags = _CONTINUATION, 0
