"""The frames of HTTP/2 by h2, to compare `router.http.http2.wire` with.

The same interface, each frame judged before h2 sees it.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, cast

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import hpack
from h2.errors import ErrorCodes
from hyperframe.frame import GoAwayFrame

from router.http.http2.heads import Fields
from router.model import limits
from router.model.token_bucket import TokenBucket

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

NO_ERROR = int(ErrorCodes.NO_ERROR)
PROTOCOL_ERROR = int(ErrorCodes.PROTOCOL_ERROR)
INTERNAL_ERROR = int(ErrorCodes.INTERNAL_ERROR)
SETTINGS_TIMEOUT = int(ErrorCodes.SETTINGS_TIMEOUT)
FRAME_SIZE_ERROR = int(ErrorCodes.FRAME_SIZE_ERROR)
REFUSED_STREAM = int(ErrorCodes.REFUSED_STREAM)
CANCEL = int(ErrorCodes.CANCEL)
ENHANCE_YOUR_CALM = int(ErrorCodes.ENHANCE_YOUR_CALM)
LAST_STREAM_ID = 2**31 - 1
ENDLESS = 2**31

_HEADER_BYTES = 9
_DATA, _HEADERS, _PRIORITY, _RST, _SETTINGS, _PING, _GOAWAY, _CREDIT, _CONTINUATION = (
    0x0,
    0x1,
    0x2,
    0x3,
    0x4,
    0x6,
    0x7,
    0x8,
    0x9,
)
_END_STREAM, _ACK, _END_HEADERS = 0x1, 0x1, 0x4
_GOAWAY_BYTES_MIN = 8
_ID_MASK = 0x7FFFFFFF

_TABLE_UPDATES = re.compile(  # Integers of 5 bits and more (RFC 7541, 5.1 and 6.3).
    rb"(?:[\x20-\x3e]|\x3f[\x80-\xff]*[\x00-\x7f]){%d}" % (limits.HTTP2_TABLE_UPDATES_MAX + 1)
)
_Codes = h2.settings.SettingCodes


class _Encoder(hpack.Encoder):
    """Never uses a larger table than ours, though the peer may allow one."""

    @property
    def header_table_size(self) -> int:
        return int(self.header_table.maxsize)

    @header_table_size.setter
    def header_table_size(self, value: int) -> None:
        size = min(value, limits.HTTP2_TABLE_BYTES)
        self.header_table.maxsize = size
        if self.header_table.resized:
            changes = self.table_size_changes
            changes.append(size)
            if len(changes) > 2:  # The least and the last say it all (RFC 7541, 4.2).
                changes[:] = [min(changes), size]


class _Decoder(hpack.Decoder):
    """Keeps the fields for us; h2 is shown the status alone."""

    def __init__(self, list_bytes_max: int) -> None:
        super().__init__(list_bytes_max)
        self.fields: Fields = []

    def decode(self, data: bytes, raw: bool = False) -> Iterable[hpack.HeaderTuple]:
        if _TABLE_UPDATES.match(data) is not None:
            raise hpack.HPACKDecodingError("table size updates in a row")
        fields = list(super().decode(data, raw=True))
        self.fields = cast(Fields, fields)
        return [field for field in fields[:1] if field[0] == b":status"]


class _Connection(h2.connection.H2Connection):
    """Does not count streams each time one opens, looking at every one: their owners bound them.

    h2 also forgets closed streams while it counts: that is done now and then.
    """

    MAX_CLOSED_STREAMS = limits.HTTP2_CLOSED_STREAMS_KEPT
    _uncounted = 0

    def _open_streams(self, remainder: int) -> int:
        self._uncounted += 1
        if self._uncounted < 16:
            return 0
        self._uncounted = 0
        return int(super()._open_streams(remainder))


class Wire:
    """One end of an HTTP/2 connection, by h2: the reference for the router's own wire.

    `receive` takes the peer's bytes and calls ``sink``. Methods send; `take` returns the bytes.
    ``header_bytes`` bounds a header list by RFC 9113's count (each field counts 32 bytes more).
    A somewhat larger list still reaches the sink, which answers it; one of more than twice
    ``header_bytes`` ends the connection. The peer receives ``streams``; this end does not
    enforce it.
    """

    __slots__ = (
        "_block",
        "_block_bytes",
        "_block_fragments",
        "_calls",
        "_client",
        "_decoder",
        "_failed",
        "_h2",
        "_header_bytes",
        "_is_warned",
        "_judged",
        "_now",
        "_output",
        "_pending",
        "_resets",
        "_sink",
        "_useless",
    )

    def __init__(
        self,
        sink: Any,
        *,
        client: bool,
        streams: int,
        header_bytes: int,
        now: float,
    ) -> None:
        self._sink = sink
        self._client = client
        self._header_bytes = header_bytes
        config = h2.config.H2Configuration(
            client_side=client,
            header_encoding=None,
            validate_inbound_headers=False,
            normalize_inbound_headers=False,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self._h2 = _Connection(config)
        told = {
            _Codes.ENABLE_PUSH: 0,
            _Codes.MAX_CONCURRENT_STREAMS: streams,
            _Codes.INITIAL_WINDOW_SIZE: limits.HTTP2_WINDOW_BYTES,
            _Codes.MAX_FRAME_SIZE: limits.HTTP2_FRAME_BYTES_MAX,
            _Codes.MAX_HEADER_LIST_SIZE: header_bytes,
        }
        self._h2.local_settings = h2.settings.Settings(client, told)
        self._h2.encoder = _Encoder()
        self._decoder = _Decoder(2 * header_bytes)
        self._h2.decoder = self._decoder
        self._pending = bytearray()
        self._judged = False  # The header of the frame that is incomplete was.
        self._block = False  # Within a header block.
        self._block_bytes = 0
        self._block_fragments = 0
        self._failed = False
        self._output = bytearray()
        self._now = now
        self._useless = TokenBucket(limits.HTTP2_USELESS_BURST, limits.HTTP2_USELESS_PER_S, now)
        self._resets = TokenBucket(limits.HTTP2_RESETS_BURST, limits.HTTP2_RESETS_PER_S, now)
        self._is_warned = False
        self._calls: dict[type, Callable[[Any], None]] = {
            h2.events.RequestReceived: self._opened,
            h2.events.ResponseReceived: self._headed,
            h2.events.InformationalResponseReceived: self._headed,
            h2.events.TrailersReceived: self._trailed,
            h2.events.DataReceived: self._got_data,
            h2.events.StreamReset: self._was_reset,
            h2.events.WindowUpdated: self._got_room,
            h2.events.RemoteSettingsChanged: self._settled,
            h2.events.SettingsAcknowledged: self._agreed,
            h2.events.PingAckReceived: self._ponged,
        }
        self._h2.initiate_connection()
        # Told, not enforced: h2 would end the connection for one stream too many.
        unbound = {**told, _Codes.MAX_CONCURRENT_STREAMS: LAST_STREAM_ID}
        self._h2.local_settings = h2.settings.Settings(client, unbound)
        window = limits.HTTP2_CONNECTION_WINDOW_BYTES - self._h2.inbound_flow_control_window
        self._h2.increment_flow_control_window(window)

    # What the peer sent.

    @property
    def is_in_head(self) -> bool:
        """A header block has begun and is not complete."""
        pending = self._pending
        begun = len(pending) > 3 and pending[3] in (_HEADERS, _CONTINUATION)
        return self._block or begun

    def preface(self) -> None:
        """The client's magic bytes have been seen and are not passed to `receive`."""
        self._h2.receive_data(PREFACE)

    def receive(self, data: memoryview, now: float, work: int = ENDLESS) -> bool:
        """Tell what ``data`` completes. True: more is here than ``work`` allowed; call again."""
        pending = self._pending
        pending += data
        self._now = now
        start, end = 0, len(pending)
        more = False
        head_work = limits.HTTP2_ANSWER_WORK if self._client else limits.HTTP2_HEAD_WORK
        while not self._failed and end - start >= _HEADER_BYTES:
            size = int.from_bytes(pending[start : start + 3], "big")
            if not self._judged and not self._judge_header(pending, start, size):
                break
            self._judged = True
            after = start + _HEADER_BYTES + size
            if after > end:
                break
            if work <= 0:
                more = True
                break
            dear = pending[start + 3] in (_HEADERS, _CONTINUATION)
            work -= head_work + size // limits.HTTP2_HEAD_WORK_BYTES if dear else 1
            self._judged = False
            frame = bytes(memoryview(pending)[start:after])
            start = after
            self._take_frame(frame)
        del pending[:start]
        return more

    def _judge_header(self, pending: bytearray, start: int, size: int) -> bool:
        """The verdict on a frame by its first 9 bytes alone; False: the connection has failed."""
        kind, flags = pending[start + 3], pending[start + 4]
        if size > limits.HTTP2_FRAME_BYTES_MAX:
            return self.fail(FRAME_SIZE_ERROR, "a frame larger than this end accepts")
        if kind in (_HEADERS, _CONTINUATION):
            if kind == _HEADERS:
                self._block_bytes = self._block_fragments = 0
            self._block_bytes += size
            self._block_fragments += 1
            self._block = not flags & _END_HEADERS
            if (
                self._block_bytes > self._header_bytes
                or self._block_fragments > limits.HTTP2_FRAGMENTS_MAX
            ):
                return self.fail(ENHANCE_YOUR_CALM, "a header block without end")
            return True
        if kind == _RST:
            # Towards a target it is our streams that end: as many as we open.
            if not self._client and not self._resets.take(self._now):
                if self._is_warned:
                    return self.fail(ENHANCE_YOUR_CALM, "streams reset in a row")
                self._is_warned = True
                self._resets = TokenBucket(
                    limits.HTTP2_RESETS_BURST, limits.HTTP2_RESETS_PER_S, self._now
                )
                self._sink.warned()
        elif kind == _DATA:
            if size:
                self._useless.earn(limits.HTTP2_USELESS_PER_USEFUL)
            elif not flags & _END_STREAM:
                return self._count_useless()
        elif kind != _GOAWAY and not (kind == _SETTINGS and flags & _ACK):
            return self._count_useless()
        return True

    def _count_useless(self) -> bool:
        if self._useless.take(self._now):
            return True
        return self.fail(ENHANCE_YOUR_CALM, "frames that serve nothing")

    def blame(self) -> None:
        """A stream of a client had to be reset for its fault: it may cause so many, as resets."""
        if not self._client and not self._resets.take(self._now):
            self.fail(ENHANCE_YOUR_CALM, "streams to be reset in a row")

    def _take_frame(self, frame: bytes) -> None:
        kind = frame[3]
        if not self._block:
            if kind == _GOAWAY:
                self._take_goaway(frame)
                return
            if kind == _SETTINGS and frame[4] & _ACK and len(frame) > _HEADER_BYTES:
                on_stream = int.from_bytes(frame[5:9], "big") & _ID_MASK
                code = PROTOCOL_ERROR if on_stream else FRAME_SIZE_ERROR  # h2 has one for both.
                self.fail(code, "malformed SETTINGS")
                return
            if kind > _CONTINUATION:
                return  # Extensions are ignored (5.5).
        try:
            events = self._h2.receive_data(frame)
        except h2.exceptions.ProtocolError as error:
            self._failed = True
            self._sink.failed(int(error.error_code), f"{type(error).__name__}: {error}")
            return
        for event in events:
            call = self._calls.get(type(event))
            if call is not None and not self._failed:
                call(event)
        if not events and kind in (_HEADERS, _CONTINUATION) and frame[4] & _END_HEADERS:
            self.blame()  # The stream was reset before: h2 has reset it again.

    def _take_goaway(self, frame: bytes) -> None:
        body = frame[_HEADER_BYTES:]
        if int.from_bytes(frame[5:9], "big") & _ID_MASK:
            self.fail(PROTOCOL_ERROR, "a GOAWAY on a stream")
            return
        if len(body) < _GOAWAY_BYTES_MIN:
            self.fail(FRAME_SIZE_ERROR, "a malformed GOAWAY")
            return
        last_id = int.from_bytes(body[:4], "big") & _ID_MASK
        self._sink.going_away(last_id, int.from_bytes(body[4:8], "big"))

    def _opened(self, event: h2.events.RequestReceived) -> None:
        self._useless.earn(limits.HTTP2_USELESS_PER_USEFUL)
        self._sink.opened(event.stream_id, self._decoder.fields, event.stream_ended is not None)

    def _headed(
        self, event: h2.events.ResponseReceived | h2.events.InformationalResponseReceived
    ) -> None:
        ended = isinstance(event, h2.events.ResponseReceived) and event.stream_ended is not None
        self._sink.head(event.stream_id, self._decoder.fields, ended)

    def _trailed(self, event: h2.events.TrailersReceived) -> None:
        self._sink.trailers(event.stream_id, self._decoder.fields)

    def _got_data(self, event: h2.events.DataReceived) -> None:
        self._sink.data(
            event.stream_id,
            event.data,
            event.flow_controlled_length,
            event.stream_ended is not None,
        )

    def _was_reset(self, event: h2.events.StreamReset) -> None:
        self._sink.reset(event.stream_id, int(event.error_code))
        if not event.remote_reset:
            self.blame()  # The peer made h2 do it (MadeYouReset, CVE-2025-8671).

    def _got_room(self, event: h2.events.WindowUpdated) -> None:
        self._sink.room(event.stream_id)

    def _settled(self, event: h2.events.RemoteSettingsChanged) -> None:
        self._sink.settled()

    def _agreed(self, event: h2.events.SettingsAcknowledged) -> None:
        self._sink.agreed()

    def _ponged(self, event: h2.events.PingAckReceived) -> None:
        self._sink.pong()

    # What we send.

    @property
    def peer_streams_max(self) -> int:
        """Streams that the peer bears at once."""
        return self._h2.remote_settings.max_concurrent_streams

    @property
    def peer_header_list_bytes(self) -> int:
        """How large a header list the peer takes, by RFC 9113's count."""
        told = self._h2.remote_settings.max_header_list_size
        return ENDLESS if told is None else told

    @property
    def next_id(self) -> int:
        """Of the stream that we open next."""
        return self._h2.get_next_available_stream_id()

    def send_head(self, stream_id: int, fields: Fields, end: bool) -> None:
        """A head or trailers."""
        self._useless.earn(limits.HTTP2_USELESS_PER_USEFUL)
        self._h2.send_headers(stream_id, fields, end_stream=end)

    def send_data(self, stream_id: int, data: bytes, end: bool) -> None:
        """At most `room_of` bytes."""
        if len(data) >= limits.HTTP2_USEFUL_BYTES_MIN:
            self._useless.earn(limits.HTTP2_USELESS_PER_USEFUL)
        self._h2.send_data(stream_id, data, end_stream=end)

    def room_of(self, stream_id: int) -> int:
        """Bytes of one frame that may leave now; 0 or less: wait for the peer's credit."""
        return min(
            self._h2.local_flow_control_window(stream_id),
            self._h2.max_outbound_frame_size,
            limits.HTTP2_QUANTUM_BYTES,
        )

    @property
    def room(self) -> int:
        """What the peer takes now over all streams."""
        return self._h2.outbound_flow_control_window

    def give_back(self, credit_bytes: int, stream_id: int | None = None) -> None:
        """Credit for a stream; None: for the connection."""
        self._h2.increment_flow_control_window(credit_bytes, stream_id)

    def reset(self, stream_id: int, code: int) -> None:
        self._h2.reset_stream(stream_id, code)

    def ping(self) -> None:
        self._h2.ping(b"spillway")

    def go_away(self, last_id: int, code: int = NO_ERROR) -> None:
        """Streams above ``last_id`` are not processed; the others go on."""
        self._output += self._h2.data_to_send()
        self._output += GoAwayFrame(0, last_stream_id=last_id, error_code=code).serialize()

    def fail(self, code: int, reason: str) -> bool:
        """End the connection: GOAWAY, and nothing that comes is looked at. Always False."""
        if not self._failed:
            self._failed = True
            self.go_away(self._h2.highest_inbound_stream_id, code)
            self._sink.failed(code, reason)
        return False

    def close(self) -> None:
        """Tell nothing more."""
        self._failed = True
        self._calls.clear()

    def take(self) -> bytes:
        """Bytes to send; each is returned once."""
        data = self._h2.data_to_send()
        if self._output:
            data = bytes(self._output) + data
            self._output.clear()
        return data
