"""One HTTP/2 connection's frames of the peer: read from one buffer, judged, told one by one.

What is told never depends on the cut of the stream. Floods and header blocks are bounded by a
frame's header, before anything is allocated for it. An error of one stream is no error of the
connection where RFC 9113 leaves the choice: what a message says is judged by its stream's owner.

What costs a request little: no object per frame, header blocks that are known (`blocks`), and a
response that comes in one piece is told in one call. What we send is `frame_writer`'s.
"""

from collections.abc import Callable
from typing import Generic

from router.http.http2 import codes
from router.http.http2.blocks import Block, BlockError, BlockReader
from router.http.http2.codes import FRAME_HEADER_BYTES
from router.http.http2.frame_writer import ENDLESS, WINDOW_FAULT, FrameWriter
from router.http.http2.sink import WireSink
from router.http.http2.wire_streams import S, WireStreams
from router.model import limits
from router.model.token_bucket import TokenBucket

_DATA, _HEADERS, _CONTINUATION = codes.DATA, codes.HEADERS, codes.CONTINUATION
_WHOLE_BLOCK = (codes.END_HEADERS, codes.END_HEADERS | codes.END_STREAM)
_OF_BLOCKS = (_HEADERS, _CONTINUATION)
_END_STREAM, _END_HEADERS, _PADDED = codes.END_STREAM, codes.END_HEADERS, codes.PADDED
_unpack = codes.FRAME_HEADER.unpack_from
_ID_MASK = codes.LAST_STREAM_ID
_PRIORITY_BYTES = 5
_PING_BYTES = 8
_GOAWAY_BYTES_MIN = 8
_HALF_WINDOW_BYTES = limits.HTTP2_CONNECTION_WINDOW_BYTES // 2
_AFTER_END = "a frame after the end of its stream"


class Wire(Generic[S]):
    """Bytes of the peer in by `receive`, calls on ``sink`` out.

    ``make`` makes a stream that the peer opens, of its id and what the peer takes of it.
    ``header_bytes`` bounds a header list by RFC 9113's count (each field 32 bytes more); somewhat
    larger ones are still told, to be answered; those beyond twice that end the connection.
    ``streams`` is told to the peer and not enforced here. The client's magic bytes are not passed
    to `receive`.
    """

    __slots__ = (
        "_block_bytes",
        "_block_ended",
        "_block_fragments",
        "_block_id",
        "_client",
        "_credit",
        "_earned",
        "_failed",
        "_fragments",
        "_head_work",
        "_header_bytes",
        "_is_judged",
        "_make",
        "_now",
        "_pending",
        "_reader",
        "_resets",
        "_sink",
        "_taken_bytes",
        "_useful",
        "_useless",
        "frame_id",
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
        self._sink = sink
        self._make = make
        self._client = client
        self._header_bytes = header_bytes
        self._head_work = limits.HTTP2_ANSWER_WORK if client else limits.HTTP2_HEAD_WORK
        self._reader = BlockReader(2 * header_bytes)
        self._pending = b""
        self._is_judged = False  # The header of the frame that is incomplete was.
        self.frame_id = 0
        """The stream that the frame under judgment names; 0: none does, or it is the connection."""
        self._block_bytes = 0
        self._block_fragments = 0
        self._fragments: list[bytes] | None = None  # Of a header block that goes on.
        self._block_id = 0
        self._block_ended = False
        self._failed = False
        self._now = now
        self._useless = TokenBucket(limits.HTTP2_USELESS_BURST, limits.HTTP2_USELESS_PER_S, now)
        self._useful = self._earned = 0  # Frames that buy some of these; told to the budget.
        self._resets = TokenBucket(limits.HTTP2_RESETS_BURST, limits.HTTP2_RESETS_PER_S, now)
        self._credit = limits.HTTP2_CONNECTION_WINDOW_BYTES
        self._taken_bytes = 0  # Of the connection's window, not given back yet.
        self.streams: WireStreams[S] = WireStreams(client=client)
        self.writer = FrameWriter(
            self.streams, client=client, streams=streams, header_bytes=header_bytes
        )

    # What the peer sent.

    @property
    def is_in_head(self) -> bool:
        """A header block has begun and is not complete."""
        pending = self._pending
        begun = len(pending) > 3 and pending[3] in _OF_BLOCKS
        return self._fragments is not None or begun

    def receive(self, data: memoryview, now: float, work: int = ENDLESS) -> bool:
        """Tell what ``data`` completes. True: more is here than ``work`` allowed; call again."""
        buffer = self._pending + data if self._pending else bytes(data)
        self._now = now
        end = len(buffer)
        try:
            at, more = self._take_frames(buffer, end, work)
        except BlockError as error:
            self.fail(error.code, str(error))
            at, more = end, False
        self._pending = b"" if at == end or self._failed else buffer[at:]
        if at == end and self._fragments is None:
            self.frame_id = 0
        return more

    def _take_frames(self, buffer: bytes, end: int, work: int) -> tuple[int, bool]:
        """Where the frames that were taken end; whether a whole one is left.

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
            if kind == _DATA and self._fragments is None:
                work -= 1
                self._take_data(flags, stream_id, view[start:at], size)
            elif (
                kind == _HEADERS and flags in _WHOLE_BLOCK and stream_id and self._fragments is None
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
        if kind == _DATA and 0 < size <= limits.HTTP2_FRAME_BYTES_MAX:  # The commonest.
            self._useful += 1
            return True
        if size > limits.HTTP2_FRAME_BYTES_MAX:
            return self.fail(codes.FRAME_SIZE_ERROR, "a frame larger than this end accepts")
        if kind in _OF_BLOCKS:
            if kind == _HEADERS:
                self._block_bytes = self._block_fragments = 0
            self._block_bytes += size
            self._block_fragments += 1
            if (
                self._block_bytes > self._header_bytes
                or self._block_fragments > limits.HTTP2_FRAGMENTS_MAX
            ):
                return self.fail(codes.ENHANCE_YOUR_CALM, "a header block without end")
            return True
        if kind == codes.RST_STREAM:
            # Towards a target it is our streams that end: as many as we open.
            if not self._client and not self._resets.take(self._now):
                return self.fail(codes.ENHANCE_YOUR_CALM, "streams reset in a row")
        elif kind == _DATA:
            return bool(flags & _END_STREAM) or self._count_useless()
        elif kind != codes.GOAWAY and not (kind == codes.SETTINGS and flags & codes.ACK):
            return self._count_useless()
        return True

    def _count_useless(self) -> bool:
        useless = self._useless
        useful = self._useful + self.writer.useful
        if useful > self._earned:  # Told late: nothing is spent between.
            useless.earn((useful - self._earned) * limits.HTTP2_USELESS_PER_USEFUL)
            self._earned = useful
        if useless.take(self._now):
            return True
        return self.fail(codes.ENHANCE_YOUR_CALM, "frames that serve nothing")

    def blame(self) -> None:
        """A stream of a client had to be reset for its fault: it may cause so many, as resets."""
        if not self._client and not self._resets.take(self._now):
            self.fail(codes.ENHANCE_YOUR_CALM, "streams to be reset in a row")

    def _take_frame(self, kind: int, flags: int, stream_id: int, body: bytes) -> None:
        if self._fragments is not None and (kind != _CONTINUATION or stream_id != self._block_id):
            self.fail(codes.PROTOCOL_ERROR, "another frame within a header block")
        elif kind == _HEADERS:
            self._take_other_head(flags, stream_id, body)
        elif kind == _CONTINUATION:
            self._take_continuation(flags, body)
        elif kind == codes.RST_STREAM:
            self._take_reset(stream_id, body)
        elif kind == codes.SETTINGS:
            self._take_settings(flags, stream_id, body)
        elif kind == codes.PING:
            self._take_ping(flags, stream_id, body)
        elif kind == codes.GOAWAY:
            self._take_goaway(stream_id, body)
        elif kind == codes.WINDOW_UPDATE:
            self._take_credit(stream_id, body)
        elif kind == codes.PRIORITY:
            self._take_priority(stream_id, body)
        elif kind == codes.PUSH_PROMISE:
            self.fail(codes.PROTOCOL_ERROR, "a push that is not allowed")
        # Extensions are ignored (5.5).

    # Header blocks.

    def _take_other_head(self, flags: int, stream_id: int, body: bytes) -> None:
        """A head in fragments, or with padding or a priority."""
        if not stream_id:
            self.fail(codes.PROTOCOL_ERROR, "a header block on stream 0")
            return
        if flags & (_PADDED | codes.WITH_PRIORITY):
            inner = self._without_extras(flags, stream_id, body)
            if inner is None:
                return
            body = inner
        ended = flags & _END_STREAM != 0
        if flags & _END_HEADERS:
            self._take_block(stream_id, self._reader.read(body), ended)
        else:
            self._fragments = [body]
            self._block_id = stream_id
            self._block_ended = ended

    def _without_extras(self, flags: int, stream_id: int, body: bytes) -> bytes | None:
        """The fragment without padding and priority; None: the connection has failed."""
        at, end = 0, len(body)
        if flags & _PADDED:
            at = 1
            end -= body[0] if body else 0
        if flags & codes.WITH_PRIORITY:
            if len(body) < at + _PRIORITY_BYTES:
                self.fail(codes.FRAME_SIZE_ERROR, "a frame that is too short")
                return None
            if codes.NUMBER.unpack_from(body, at)[0] & _ID_MASK == stream_id:
                self.fail(codes.PROTOCOL_ERROR, "a stream that depends on itself")
                return None
            at += _PRIORITY_BYTES
        if len(body) < at:
            self.fail(codes.FRAME_SIZE_ERROR, "a frame that is too short")
            return None
        if end < at:
            self.fail(codes.PROTOCOL_ERROR, "padding beyond its frame")
            return None
        return body[at:end]

    def _take_continuation(self, flags: int, body: bytes) -> None:
        fragments = self._fragments
        if fragments is None:
            self.fail(codes.PROTOCOL_ERROR, "a continuation of nothing")
            return
        fragments.append(body)
        if flags & _END_HEADERS:
            self._fragments = None
            block = self._reader.read(b"".join(fragments))
            self._take_block(self._block_id, block, self._block_ended)

    def _take_head(self, flags: int, stream_id: int, buffer: bytes, start: int, end: int) -> int:
        """A whole header block; of a response its data too, if that is here as well, and all of it.

        Where it ends. What a response usually is thus costs its stream one call.
        """
        block = self._reader.read(buffer[start:end])
        if self._client and flags == _END_HEADERS:
            after = self._take_whole(stream_id, block, buffer, end)
            if after:
                return after
        self._take_block(stream_id, block, flags & _END_STREAM != 0)
        return end

    def _take_whole(self, stream_id: int, block: Block, buffer: bytes, end: int) -> int:
        """A head, and all of its data in the next frame: where that ends; 0: it is not so."""
        at, buffered, streams = end + FRAME_HEADER_BYTES, len(buffer), self.streams.open
        if (
            at < buffered
            and stream_id in streams
            and (stream := streams[stream_id]).local_ended
            and not stream.is_heard
            and not block.is_interim
        ):
            high, low, kind, flags, data_id = _unpack(buffer, end)
            size = high << 8 | low
            after: int = at + size
            if (
                kind == _DATA
                and flags == _END_STREAM
                and data_id == stream_id
                and after <= buffered
                and 0 < size <= limits.HTTP2_FRAME_BYTES_MAX
                and size <= stream.credit
                and size <= self._credit
            ):
                self._useful += 1  # As `_judge_header` and `_take_data`, of the usual.
                self._credit -= size
                self._taken_bytes += size
                if self._taken_bytes >= _HALF_WINDOW_BYTES:
                    self._give_back_taken()
                self.streams.end(stream, remote=True)
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
        if block.is_interim:
            if ended or stream.remote_ended or stream.is_heard:
                self.fail(codes.PROTOCOL_ERROR, "an interim response out of place")
            else:
                self._sink.head(stream, block, False)
        elif stream.remote_ended:
            self._reset_faulty(stream, codes.STREAM_CLOSED, _AFTER_END)
        elif not stream.is_heard:
            stream.is_heard = True
            if ended:
                self.streams.end(stream, remote=True)
            self._sink.head(stream, block, ended)
        elif not ended:
            self.fail(codes.PROTOCOL_ERROR, "trailers that do not end their stream")
        else:
            self.streams.end(stream, remote=True)
            self._sink.trailers(stream, block)

    def _refuse_head(self, stream_id: int) -> None:
        """A head for a stream that is not open, and opens none."""
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
        if stream is not None and not stream.remote_ended:
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
        elif stream.remote_ended:
            self._reset_faulty(stream, codes.STREAM_CLOSED, _AFTER_END)
        elif not stream.is_heard:
            self.fail(codes.PROTOCOL_ERROR, "data before a response")
        else:
            ended = flags & _END_STREAM != 0
            if ended:
                self.streams.end(stream, remote=True)
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

    def _take_priority(self, stream_id: int, body: bytes) -> None:
        if not stream_id:
            self.fail(codes.PROTOCOL_ERROR, "the priority of stream 0")
        elif len(body) != _PRIORITY_BYTES:
            self.fail(codes.FRAME_SIZE_ERROR, "a malformed PRIORITY")
        elif codes.NUMBER.unpack_from(body)[0] & _ID_MASK == stream_id:
            self.fail(codes.PROTOCOL_ERROR, "a stream that depends on itself")

    def _reset_faulty(self, stream: S, code: int, reason: str) -> None:
        """The peer makes us reset a stream, as by going on after its end: it is blamed
        (MadeYouReset, CVE-2025-8671)."""
        self.reset(stream.id, code)
        self._sink.broken(stream, code, reason)
        self.blame()

    # Frames of the connection.

    def _take_settings(self, flags: int, stream_id: int, body: bytes) -> None:
        if stream_id:
            self.fail(codes.PROTOCOL_ERROR, "SETTINGS on a stream")
            return
        if len(body) % codes.SETTING.size or (flags & codes.ACK and body):
            self.fail(codes.FRAME_SIZE_ERROR, "malformed SETTINGS")
            return
        if flags & codes.ACK:
            self._sink.agreed()
            return
        told: dict[int, int] = {}  # The last one counts: windows are moved once a frame.
        for name, value in codes.SETTING.iter_unpack(body):
            told[name] = value
            if name == codes.HEADER_TABLE_SIZE and value < limits.HTTP2_TABLE_BYTES:
                self.writer.owe_no_table()
        for name, value in told.items():
            fault = self.writer.told(name, value)
            if fault is not None:
                self.fail(*fault)
                return
        self.writer.agree()
        self._sink.settled()

    def _take_ping(self, flags: int, stream_id: int, body: bytes) -> None:
        if stream_id:
            self.fail(codes.PROTOCOL_ERROR, "a ping on a stream")
        elif len(body) != _PING_BYTES:
            self.fail(codes.FRAME_SIZE_ERROR, "a malformed PING")
        elif flags & codes.ACK:
            self._sink.pong()
        else:
            self.writer.pong(body)

    def _take_goaway(self, stream_id: int, body: bytes) -> None:
        if stream_id:
            self.fail(codes.PROTOCOL_ERROR, "a GOAWAY on a stream")
            return
        if len(body) < _GOAWAY_BYTES_MIN:
            self.fail(codes.FRAME_SIZE_ERROR, "a malformed GOAWAY")
            return
        last_id, code = (codes.NUMBER.unpack_from(body, at)[0] for at in (0, 4))
        self._sink.going_away(last_id & _ID_MASK, code)

    # Orders.

    def reset(self, stream_id: int, code: int) -> None:
        """Drop a stream both ways. One that is not open is let alone."""
        if self.streams.reset(stream_id) is not None:
            self.writer.reset(stream_id, code)

    def fail(self, code: int, reason: str) -> bool:
        """End the connection: GOAWAY, and nothing that comes is looked at. Always False."""
        if not self._failed:
            self._failed = True
            self.writer.go_away(self.streams.highest_id, code)
            self._sink.failed(code, reason)
        return False

    def close(self) -> None:
        """Tell nothing more."""
        self._failed = True

    def let_go(self) -> None:
        """After `close`: hold nobody who could be told."""
        del self._sink, self._make

    def forget(self) -> None:
        """What is remembered of header blocks."""
        self._reader.forget()

    def _give_back_taken(self) -> None:
        """The connection's window is given back at once: what bounds memory are the streams."""
        credit_bytes, self._taken_bytes = self._taken_bytes, 0
        self._credit += credit_bytes
        self.writer.give_back(credit_bytes, 0)
