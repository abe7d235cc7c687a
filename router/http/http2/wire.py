"""Interprets the peer's frames on one HTTP/2 connection, and reports them one by one.

The reports never depend on the cut of the stream. An error of one stream is no error of the
connection where RFC 9113 leaves the choice: the owner of a stream judges its messages. Requests are
cheap: no object per frame, cached header blocks (`blocks`), and one call for a response that comes
in one piece. `frame_writer` has our own frames.
"""

from collections.abc import Callable
from typing import Generic

from router.http.http2 import codes
from router.http.http2.blocks import Block, BlockReader
from router.http.http2.codes import FRAME_HEADER_BYTES
from router.http.http2.connection_frames import ConnectionFrames
from router.http.http2.frame_reader import FrameReader
from router.http.http2.frame_writer import WINDOW_FAULT, Fault, FrameWriter
from router.http.http2.header_fragments import UnfinishedBlock, fragment_of, priority_fault
from router.http.http2.sink import WireSink
from router.http.http2.stream_states import ALL_HEARD, AWAITED, ENDED, HEARD
from router.http.http2.wire_streams import S, WireStreams
from router.model import limits

_END_STREAM, _END_HEADERS, _PADDED = codes.END_STREAM, codes.END_HEADERS, codes.PADDED
_unpack = codes.FRAME_HEADER.unpack_from
_ID_MASK = codes.LAST_STREAM_ID
_HALF_WINDOW_BYTES = limits.HTTP2_CONNECTION_WINDOW_BYTES // 2
_AFTER_END = "a frame after the end of its stream"


class Wire(FrameReader, Generic[S]):
    """Takes the peer's bytes by `receive`, and makes calls on ``sink``.

    ``make`` makes a stream that the peer opens, from its id and the bytes that the peer takes on
    it. ``header_bytes`` bounds a header list by RFC 9113's count (each field 32 bytes more);
    somewhat larger ones are still reported, to be answered; those beyond twice that end the
    connection. ``streams`` is announced to the peer and not enforced here. The client's magic bytes
    are not passed to `receive`.
    """

    __slots__ = (
        "_credit",
        "_make",
        "_of_connection",
        "_reader",
        "_sink",
        "_taken_bytes",
        "streams",
        "writer",
    )

    def __init__(
        self,
        sink: WireSink[S],
        make: Callable[[int, int], S],
        *,
        client: bool,
        streams: int,
        header_bytes: int,
        now: float,
    ) -> None:
        FrameReader.__init__(self, client=client, header_bytes=header_bytes, now=now)
        self._sink = sink
        self._make = make
        self._reader = BlockReader(2 * header_bytes)
        self._credit = limits.HTTP2_CONNECTION_WINDOW_BYTES
        self._taken_bytes = 0  # Taken of the connection's window, and not given back yet.
        self.streams: WireStreams[S] = WireStreams(client=client)
        self.writer = FrameWriter(
            self.streams, client=client, streams=streams, header_bytes=header_bytes
        )
        self._of_connection = ConnectionFrames(sink, self.writer)

    # Frames of the peer.

    @property
    def _useful_sent(self) -> int:
        return self.writer.useful

    def _take_frame(self, kind: int, flags: int, stream_id: int, body: bytes) -> None:
        unfinished = self._unfinished
        if unfinished is not None and (
            kind != codes.CONTINUATION or stream_id != unfinished.stream_id
        ):
            self.fail(codes.PROTOCOL_ERROR, "another frame within a header block")
        elif kind == codes.HEADERS:
            self._take_other_head(flags, stream_id, body)
        elif kind == codes.CONTINUATION:
            self._take_continuation(flags, body, unfinished)
        elif kind == codes.RST_STREAM:
            self._take_reset(stream_id, body)
        elif kind == codes.SETTINGS:
            self._fail_for(self._of_connection.take_settings(flags, stream_id, body))
        elif kind == codes.PING:
            self._fail_for(self._of_connection.take_ping(flags, stream_id, body))
        elif kind == codes.GOAWAY:
            self._fail_for(self._of_connection.take_goaway(stream_id, body))
        elif kind == codes.WINDOW_UPDATE:
            self._take_credit(stream_id, body)
        elif kind == codes.PRIORITY:
            self._fail_for(priority_fault(stream_id, body))
        elif kind == codes.PUSH_PROMISE:
            self.fail(codes.PROTOCOL_ERROR, "a push that is not allowed")
        # Extension frames are ignored (5.5).

    # Header blocks.

    def _take_other_head(self, flags: int, stream_id: int, body: bytes) -> None:
        """A head in fragments, or with padding or a priority."""
        if not stream_id:
            self.fail(codes.PROTOCOL_ERROR, "a header block on stream 0")
            return
        fragment = fragment_of(flags, stream_id, body)
        if not isinstance(fragment, bytes):
            self.fail(*fragment)
            return
        ended = flags & _END_STREAM != 0
        if flags & _END_HEADERS:
            self._take_block(stream_id, self._reader.read(fragment), ended)
        else:
            self._unfinished = UnfinishedBlock(
                stream_id, fragment, size_bytes=len(body), ended=ended
            )

    def _take_continuation(
        self, flags: int, body: bytes, unfinished: UnfinishedBlock | None
    ) -> None:
        if unfinished is None:
            self.fail(codes.PROTOCOL_ERROR, "a continuation of nothing")
            return
        unfinished.add(body)
        if flags & _END_HEADERS:
            self._unfinished = None
            block = self._reader.read(unfinished.joined())
            self._take_block(unfinished.stream_id, block, unfinished.ended)

    def _take_head(self, flags: int, stream_id: int, buffer: bytes, start: int, end: int) -> int:
        """Take a whole header block; for a response also its data, if all of it is here. Returns
        the end.

        So the usual response costs its stream one call.
        """
        block = self._reader.read(buffer[start:end])
        if self._client and flags == _END_HEADERS:
            after = self._take_whole(stream_id, block, buffer, end)
            if after:
                return after
        self._take_block(stream_id, block, flags & _END_STREAM != 0)
        return end

    def _take_whole(self, stream_id: int, block: Block, buffer: bytes, end: int) -> int:
        """Take a head whose next frame has all of its data; returns the end; 0: not such a
        response."""
        at, buffered, streams = end + FRAME_HEADER_BYTES, len(buffer), self.streams.open
        if (
            at < buffered
            and stream_id in streams
            and (stream := streams[stream_id]).sending is ENDED
            and stream.receiving is AWAITED
            and not block.is_interim
        ):
            high, low, kind, flags, data_id = _unpack(buffer, end)
            size = high << 8 | low
            after: int = at + size
            if (
                kind == codes.DATA
                and flags == _END_STREAM
                and data_id == stream_id
                and after <= buffered
                and 0 < size <= limits.HTTP2_FRAME_BYTES_MAX
                and size <= stream.credit
                and size <= self._credit
            ):
                self._useful += 1  # As in `_judge_header` and `_take_data`, for the usual case.
                self._credit -= size
                self._taken_bytes += size
                if self._taken_bytes >= _HALF_WINDOW_BYTES:
                    self._give_back_taken()
                self.streams.ended_by_peer(stream)
                self._sink.whole(stream, block, memoryview(buffer)[at:after])
                return after
        return 0

    def _take_block(self, stream_id: int, block: Block, ended: bool) -> None:
        streams = self.streams
        if stream_id not in streams.open:
            is_new = not self._client and stream_id & 1 and stream_id > streams.highest_id
            if not is_new or block.is_interim:
                self._refuse_head(stream_id)
                return
            self._useful += 1
            stream = self._make(stream_id, self.writer.window_bytes)
            streams.opened_by_peer(stream, ended)
            self._sink.opened(stream, block, ended)
            return
        stream = streams.open[stream_id]
        receiving = stream.receiving
        if block.is_interim:
            if ended or receiving is not AWAITED:
                self.fail(codes.PROTOCOL_ERROR, "an interim response out of place")
            else:
                self._sink.head(stream, block, False)
        elif receiving is ALL_HEARD:
            self._reset_faulty(stream, codes.STREAM_CLOSED, _AFTER_END)
        elif receiving is AWAITED:
            if ended:
                self.streams.ended_by_peer(stream)
            else:
                stream.receiving = HEARD
            self._sink.head(stream, block, ended)
        elif not ended:
            self.fail(codes.PROTOCOL_ERROR, "trailers that do not end their stream")
        else:
            self.streams.ended_by_peer(stream)
            self._sink.trailers(stream, block)

    def _refuse_head(self, stream_id: int) -> None:
        """Refuse a head for a stream that is not open, and that opens none."""
        streams = self.streams
        if not streams.is_idle(stream_id):
            if streams.was_reset(stream_id):
                self.writer.reset(stream_id, codes.STREAM_CLOSED)
                self.blame()
            elif streams.has_ended(stream_id):
                self.fail(codes.STREAM_CLOSED, "a header block on a stream that has ended")
            else:
                self.fail(codes.PROTOCOL_ERROR, "a stream whose number was passed over")
        elif self._client or not stream_id & 1:
            self.fail(codes.PROTOCOL_ERROR, "a stream that the peer may not open")
        else:
            streams.highest_id = stream_id
            self.fail(codes.PROTOCOL_ERROR, "an interim response of a client")

    # Other frames of streams.

    def _take_data(self, flags: int, stream_id: int, data: memoryview, size: int) -> None:
        if flags & _PADDED:
            if not size:
                self.fail(codes.FRAME_SIZE_ERROR, "a frame that is too short")
                return
            if data[0] >= size:
                self.fail(codes.PROTOCOL_ERROR, "padding beyond its frame")
                return
            data = data[1 : size - data[0]]
        stream = self.streams.open.get(stream_id)
        self._credit -= size
        if stream is not None and stream.receiving is not ALL_HEARD:
            stream.credit -= size
        if self._credit < 0 or (stream is not None and stream.credit < 0):
            self.fail(codes.FLOW_CONTROL_ERROR, "more data than there was credit for")
            return
        self._taken_bytes += size
        if self._taken_bytes >= _HALF_WINDOW_BYTES:
            self._give_back_taken()
        if stream is None:
            if self.streams.is_idle(stream_id):
                self.fail(codes.PROTOCOL_ERROR, "data on a stream that is not open")
            else:
                self.writer.reset(stream_id, codes.STREAM_CLOSED)
        elif stream.receiving is ALL_HEARD:
            self._reset_faulty(stream, codes.STREAM_CLOSED, _AFTER_END)
        elif stream.receiving is AWAITED:
            self.fail(codes.PROTOCOL_ERROR, "data before a response")
        else:
            ended = flags & _END_STREAM != 0
            if ended:
                self.streams.ended_by_peer(stream)
            self._sink.data(stream, data, size, ended)

    def _take_reset(self, stream_id: int, body: bytes) -> None:
        if not stream_id:
            self.fail(codes.PROTOCOL_ERROR, "a reset of stream 0")
        elif len(body) != codes.NUMBER.size:
            self.fail(codes.FRAME_SIZE_ERROR, "a malformed RST_STREAM")
        elif self.streams.is_idle(stream_id):
            self.fail(codes.PROTOCOL_ERROR, "a reset of a stream that is not open")
        else:
            stream = self.streams.reset(stream_id)
            if stream is not None:
                self._sink.reset_by_peer(stream, codes.NUMBER.unpack(body)[0])

    def _take_credit(self, stream_id: int, body: bytes) -> None:
        if len(body) != codes.NUMBER.size:
            self.fail(codes.FRAME_SIZE_ERROR, "a malformed WINDOW_UPDATE")
            return
        credit = codes.NUMBER.unpack(body)[0] & _ID_MASK
        if not credit:
            self.fail(codes.PROTOCOL_ERROR, "credit of nothing")
        elif not stream_id:
            fault = self.writer.credited(credit)
            if fault is not None:
                self.fail(*fault)
            else:
                self._sink.room(None)
        elif self.streams.is_idle(stream_id):
            self.fail(codes.PROTOCOL_ERROR, "credit for a stream that is not open")
        else:
            stream = self.streams.open.get(stream_id)
            if stream is None:
                return
            stream.room += credit
            if stream.room > codes.WINDOW_MAX:
                self._reset_faulty(stream, *WINDOW_FAULT)
            else:
                self._sink.room(stream)

    def _reset_faulty(self, stream: S, code: int, reason: str) -> None:
        """The peer makes us reset a stream, for example by going on after its end: it is blamed
        (MadeYouReset, CVE-2025-8671)."""
        self.reset(stream.id, code)
        self._sink.broken(stream, code, reason)
        self.blame()

    # Orders.

    def reset(self, stream_id: int, code: int) -> None:
        """Drop a stream both ways. Does nothing to one that is not open."""
        if self.streams.reset(stream_id) is not None:
            self.writer.reset(stream_id, code)

    def fail(self, code: int, reason: str) -> bool:
        """End the connection: send GOAWAY, and ignore all further input. Always False."""
        if not self._failed:
            self._failed = True
            self.writer.go_away(self.streams.highest_id, code)
            self._sink.failed(code, reason)
        return False

    def _warn(self) -> None:
        self._sink.warned()

    def _fail_for(self, fault: Fault | None) -> None:
        if fault is not None:
            self.fail(*fault)

    def close(self) -> None:
        """Report nothing more."""
        self._failed = True

    def let_go(self) -> None:
        """After `close`: release the sink and all callbacks."""
        del self._sink, self._make, self._of_connection

    def forget(self) -> None:
        """Forget the remembered header blocks."""
        self._reader.forget()

    def _give_back_taken(self) -> None:
        """Give the connection's window back at once: the streams' windows bound memory."""
        credit_bytes, self._taken_bytes = self._taken_bytes, 0
        self._credit += credit_bytes
        self.writer.give_back(credit_bytes, 0)
