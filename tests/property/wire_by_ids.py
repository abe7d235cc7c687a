"""`router.http.http2.wire` and its writer, asked and told by the numbers of streams."""

from typing import Protocol

from router.http.http2.blocks import Block
from router.http.http2.heads import Fields
from router.http.http2.stream_states import AWAITED, OPEN
from router.http.http2.wire import Wire
from router.http.http2.wire_streams import WireStream
from router.model import limits
from router.net.ports import Buffer


class SinkByIds(Protocol):
    """As `WireSink`, but for the streams."""

    def opened(self, stream_id: int, fields: Fields, ended: bool) -> None: ...
    def head(self, stream_id: int, fields: Fields, ended: bool) -> None: ...
    def whole(self, stream_id: int, fields: Fields, data: memoryview) -> None: ...
    def data(self, stream_id: int, data: memoryview, credit_bytes: int, ended: bool) -> None: ...
    def trailers(self, stream_id: int, fields: Fields) -> None: ...
    def reset(self, stream_id: int, code: int) -> None: ...
    def broken(self, stream_id: int, code: int, reason: str) -> None: ...
    def room(self, stream_id: int) -> None: ...
    def settled(self) -> None: ...
    def agreed(self) -> None: ...
    def going_away(self, last_id: int, code: int) -> None: ...
    def pong(self) -> None: ...
    def warned(self) -> None: ...
    def failed(self, code: int, reason: str) -> None: ...


class _Sink:
    def __init__(self, told: SinkByIds) -> None:
        self._told = told
        self.settled, self.agreed, self.pong = told.settled, told.agreed, told.pong
        self.going_away, self.failed = told.going_away, told.failed
        self.warned = told.warned

    def opened(self, stream: WireStream, fields: Block, ended: bool) -> None:
        self._told.opened(stream.id, fields, ended)

    def head(self, stream: WireStream, fields: Block, ended: bool) -> None:
        self._told.head(stream.id, fields, ended)

    def whole(self, stream: WireStream, fields: Block, data: memoryview) -> None:
        self._told.whole(stream.id, fields, data)

    def data(self, stream: WireStream, data: memoryview, credit_bytes: int, ended: bool) -> None:
        self._told.data(stream.id, data, credit_bytes, ended)

    def trailers(self, stream: WireStream, fields: Block) -> None:
        self._told.trailers(stream.id, fields)

    def reset_by_peer(self, stream: WireStream, code: int) -> None:
        self._told.reset(stream.id, code)

    def broken(self, stream: WireStream, code: int, reason: str) -> None:
        self._told.broken(stream.id, code, reason)

    def room(self, stream: WireStream | None) -> None:
        self._told.room(stream.id if stream is not None else 0)


class _Stream(WireStream):
    def __init__(self, stream_id: int, room: int) -> None:
        self.id, self.room = stream_id, room
        self.credit = limits.HTTP2_WINDOW_BYTES
        self.sending, self.receiving = OPEN, AWAITED


class WireByIds:
    """One end of a connection. Orders for streams that are over are dropped."""

    def __init__(
        self, told: SinkByIds, *, client: bool, streams: int, header_bytes: int, now: float
    ) -> None:
        self._wire: Wire[WireStream] = Wire(
            _Sink(told),
            _Stream,
            client=client,
            streams=streams,
            header_bytes=header_bytes,
            now=now,
        )
        self._streams, self._writer = self._wire.streams, self._wire.writer
        self.receive, self.reset = self._wire.receive, self._wire.reset
        self.take = self._writer.take

    @property
    def is_in_head(self) -> bool:
        return self._wire.is_in_head

    @property
    def peer_streams_max(self) -> int:
        return self._writer.peer_streams_max

    def send_head(self, stream_id: int, block: bytes, end: bool) -> None:
        """The first one towards a target opens the stream."""
        stream = self._streams.open.get(stream_id)
        if stream is None and stream_id == self._streams.next_id:
            stream = _Stream(stream_id, self._writer.window_bytes)
            self._streams.opened_by_us(stream)
        if stream is not None:
            self._writer.head(stream, block, end)

    def send_data(self, stream_id: int, data: bytes, end: bool) -> None:
        stream = self._streams.open.get(stream_id)
        if stream is not None:
            self._writer.data(stream, data, end)

    def send_whole(self, stream_id: int, block: bytes, body: Buffer) -> bool:
        stream = self._streams.open.get(stream_id)
        return stream is not None and self._writer.whole(stream, block, body) >= 0

    def room_of(self, stream_id: int) -> int:
        stream = self._streams.open.get(stream_id)
        return self._writer.room_of(stream) if stream is not None else 0

    def give_back(self, credit_bytes: int, stream_id: int) -> None:
        stream = self._streams.open.get(stream_id)
        if stream is not None:
            stream.credit += credit_bytes
            self._writer.give_back(credit_bytes, stream_id)
