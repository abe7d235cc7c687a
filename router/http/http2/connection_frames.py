"""Frames of the peer that concern the connection as a whole: SETTINGS, PING, GOAWAY."""

from typing import Generic

from router.http.http2 import codes
from router.http.http2.frame_writer import Fault, FrameWriter
from router.http.http2.sink import WireSink
from router.http.http2.wire_streams import S
from router.model import limits

_PING_BYTES = 8
_GOAWAY_BYTES_MIN = 8


class ConnectionFrames(Generic[S]):
    """Answers frames through the ``writer`` and reports them to the ``sink``.

    Each method returns the fault for which the connection must end, or None.
    """

    __slots__ = ("_sink", "_writer")

    def __init__(self, sink: WireSink[S], writer: FrameWriter[S]) -> None:
        self._sink = sink
        self._writer = writer

    def take_settings(self, flags: int, stream_id: int, body: bytes) -> Fault | None:
        if stream_id:
            return codes.PROTOCOL_ERROR, "SETTINGS on a stream"
        if len(body) % codes.SETTING.size or (flags & codes.ACK and body):
            return codes.FRAME_SIZE_ERROR, "malformed SETTINGS"
        if flags & codes.ACK:
            self._sink.agreed()
            return None
        writer = self._writer
        told: dict[int, int] = {}  # The last value counts: windows are moved once per frame.
        for name, value in codes.SETTING.iter_unpack(body):
            told[name] = value
            if name == codes.HEADER_TABLE_SIZE and value < limits.HTTP2_TABLE_BYTES:
                writer.owe_no_table()
        for name, value in told.items():
            fault = writer.told(name, value)
            if fault is not None:
                return fault
        writer.agree()
        self._sink.settled()
        return None

    def take_ping(self, flags: int, stream_id: int, body: bytes) -> Fault | None:
        if stream_id:
            return codes.PROTOCOL_ERROR, "a ping on a stream"
        if len(body) != _PING_BYTES:
            return codes.FRAME_SIZE_ERROR, "a malformed PING"
        if flags & codes.ACK:
            self._sink.pong()
        else:
            self._writer.pong(body)
        return None

    def take_goaway(self, stream_id: int, body: bytes) -> Fault | None:
        if stream_id:
            return codes.PROTOCOL_ERROR, "a GOAWAY on a stream"
        if len(body) < _GOAWAY_BYTES_MIN:
            return codes.FRAME_SIZE_ERROR, "a malformed GOAWAY"
        last_id, code = (codes.NUMBER.unpack_from(body, at)[0] for at in (0, 4))
        self._sink.going_away(last_id & codes.LAST_STREAM_ID, code)
        return None
