"""One HTTP/2 connection's frames: read from one buffer, judged, told one by one; and written.

What is told never depends on the cut of the stream. Floods and header blocks are bounded by a
frame's header, before anything is allocated for it. An error of one stream is no error of the
connection where RFC 9113 leaves the choice: what a message says is judged by its stream's owner.

What costs a request little: no object per frame, header blocks that are known (`blocks`), and a
response that comes in one piece is told in one call, and sent in one.
"""

from collections import deque

from router.exchange.http2 import codes
from router.exchange.http2.blocks import Block, BlockError, BlockReader, OversizedBlockError
from router.exchange.http2.codes import FRAME_HEADER_BYTES, frame
from router.exchange.http2.sink import WireSink
from router.model import limits
from router.model.token_bucket import TokenBucket
from router.net.ports import Buffer

ENDLESS = 2**31

_DATA, _HEADERS, _CONTINUATION = codes.DATA, codes.HEADERS, codes.CONTINUATION
_WHOLE_BLOCK = (codes.END_HEADERS, codes.END_HEADERS | codes.END_STREAM)
_OF_BLOCKS = (_HEADERS, _CONTINUATION)
_END_STREAM, _END_HEADERS, _PADDED = codes.END_STREAM, codes.END_HEADERS, codes.PADDED
_unpack, _pack = codes.FRAME_HEADER.unpack_from, codes.FRAME_HEADER.pack
_ID_MASK = codes.LAST_STREAM_ID
_PRIORITY_BYTES = 5
_PING_BYTES = 8
_GOAWAY_BYTES_MIN = 8
_NO_TABLE = b"\x20"  # A dynamic table of no size (RFC 7541, 6.3).
_HALF_WINDOW_BYTES = limits.HTTP2_CONNECTION_WINDOW_BYTES // 2
_AFTER_END = "a frame after the end of its stream"


def _is_interim(block: Block) -> bool:
    """A response head of 1xx. No client may send one."""
    return bool(block) and block[0][0] == b":status" and block[0][1][:1] == b"1"


class _Flow:
    """A stream that is not closed: its windows, which directions have ended."""

    __slots__ = ("credit", "is_heard", "local_ended", "remote_ended", "room")

    def __init__(self, room: int, *, is_heard: bool, remote_ended: bool) -> None:
        self.room = room
        """What the peer takes of it now; below 0 after the peer made windows smaller."""
        self.credit = limits.HTTP2_WINDOW_BYTES
        """What the peer may send of it now."""
        self.is_heard = is_heard
        """The peer's head has come, and it was not an interim one."""
        self.local_ended = False
        self.remote_ended = remote_ended


class Wire:
    """Bytes of the peer in by `receive`, calls on ``sink`` out; orders in, bytes by `take` out.

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
        "_ended",
        "_failed",
        "_flows",
        "_fragments",
        "_frame_bytes_max",
        "_head_work",
        "_header_bytes",
        "_highest_id",
        "_is_judged",
        "_now",
        "_output",
        "_owes_no_table",
        "_peer_window_bytes",
        "_pending",
        "_reader",
        "_reset",
        "_resets",
        "_sink",
        "_taken_bytes",
        "_useful",
        "_useless",
        "frame_id",
        "next_id",
        "peer_header_list_bytes",
        "peer_streams_max",
        "room",
    )

    def __init__(
        self,
        sink: WireSink,
        *,
        client: bool,
        streams: int,
        header_bytes: int,
        now: float,
    ) -> None:
        self._sink = sink
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
        self._useful = 0  # Frames that buy some of these, not yet told to the budget.
        self._resets = TokenBucket(limits.HTTP2_RESETS_BURST, limits.HTTP2_RESETS_PER_S, now)
        self._flows: dict[int, _Flow] = {}
        self._highest_id = 0  # Of the peer's.
        self.next_id = 1
        """Of the stream that we open next, towards a target."""
        # How streams closed lately, to judge late frames.
        self._reset: dict[int, None] = {}
        self._ended: deque[int] = deque(maxlen=limits.HTTP2_CLOSED_STREAMS_KEPT)
        self._credit = limits.HTTP2_CONNECTION_WINDOW_BYTES
        self._taken_bytes = 0  # Of the connection's window, not given back yet.
        self.room = codes.FIRST_WINDOW_BYTES
        """What the peer takes now over all streams."""
        self.peer_streams_max = codes.STREAMS_UNBOUNDED
        """Streams that the peer bears at once."""
        self.peer_header_list_bytes = ENDLESS
        """How large a header list the peer takes, by RFC 9113's count."""
        self._peer_window_bytes = codes.FIRST_WINDOW_BYTES
        self._frame_bytes_max = codes.FIRST_FRAME_BYTES_MAX
        self._owes_no_table = False
        told = {
            codes.ENABLE_PUSH: 0,
            codes.MAX_CONCURRENT_STREAMS: streams,
            codes.INITIAL_WINDOW_SIZE: limits.HTTP2_WINDOW_BYTES,
            codes.MAX_FRAME_SIZE: limits.HTTP2_FRAME_BYTES_MAX,
            codes.MAX_HEADER_LIST_SIZE: header_bytes,
        }
        settings = b"".join(codes.SETTING.pack(name, value) for name, value in told.items())
        window = codes.NUMBER.pack(self._credit - codes.FIRST_WINDOW_BYTES)
        self._output = [
            codes.PREFACE if client else b"",
            frame(codes.SETTINGS, 0, 0, settings),
            frame(codes.WINDOW_UPDATE, 0, 0, window),
        ]

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
        view = memoryview(buffer)
        self._now = now
        at, end = 0, len(buffer)
        more = False
        while end - at >= FRAME_HEADER_BYTES and not self._failed:
            high, low, kind, flags, stream_id = _unpack(buffer, at)
            size = high << 8 | low
            self.frame_id = stream_id = stream_id & _ID_MASK
            if self._is_judged:
                self._is_judged = False
            elif not self._judge_header(kind, flags, size):
                break
            start = at + FRAME_HEADER_BYTES
            at = start + size
            if at > end or work <= 0:
                self._is_judged = True
                more = at <= end
                at = start - FRAME_HEADER_BYTES
                break
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
        self._pending = b"" if at == end or self._failed else buffer[at:]
        if at == end and self._fragments is None:
            self.frame_id = 0
        return more

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
        if self._useful:  # Told late: nothing is spent between.
            useless.earn(self._useful * limits.HTTP2_USELESS_PER_USEFUL)
            self._useful = 0
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
            block = self._read(body)
            if block is not None:
                self._take_block(stream_id, block, ended)
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
            block = self._read(b"".join(fragments))
            if block is not None:
                self._take_block(self._block_id, block, self._block_ended)

    def _read(self, data: bytes) -> Block | None:
        """The fields of a whole header block; None: the connection has failed."""
        try:
            return self._reader.read(data)
        except OversizedBlockError as error:
            self.fail(codes.ENHANCE_YOUR_CALM, str(error))
        except BlockError as error:
            self.fail(codes.COMPRESSION_ERROR, str(error))
        return None

    def _take_head(self, flags: int, stream_id: int, buffer: bytes, start: int, end: int) -> int:
        """A whole header block; of a response its data too, if that is here as well, and all of it.

        Where it ends. What a response usually is thus costs its stream one call.
        """
        block = self._read(buffer[start:end])
        if block is None:
            return end
        if self._client and flags == _END_HEADERS:
            after = self._take_whole(stream_id, block, buffer, end)
            if after:
                return after
        self._take_block(stream_id, block, flags & _END_STREAM != 0)
        return end

    def _take_whole(self, stream_id: int, block: Block, buffer: bytes, end: int) -> int:
        """A head, and all of its data in the next frame: where that ends; 0: it is not so."""
        at = end + FRAME_HEADER_BYTES
        flow = self._flows.get(stream_id)
        if (
            at < len(buffer)
            and flow is not None
            and flow.local_ended
            and not flow.is_heard
            and not _is_interim(block)
        ):
            high, low, kind, flags, data_id = _unpack(buffer, end)
            size = high << 8 | low
            after: int = at + size
            if (
                kind == _DATA
                and flags == _END_STREAM
                and data_id == stream_id
                and after <= len(buffer)
                and 0 < size <= min(limits.HTTP2_FRAME_BYTES_MAX, flow.credit, self._credit)
            ):
                self._useful += 1  # As `_judge_header` and `_take_data`, of the usual.
                self._credit -= size
                self._taken_bytes += size
                if self._taken_bytes >= _HALF_WINDOW_BYTES:
                    self._give_back_taken()
                self._note_ended(stream_id)
                self._sink.whole(stream_id, block, memoryview(buffer)[at:after])
                return after
        return 0

    def _take_block(self, stream_id: int, block: Block, ended: bool) -> None:
        is_interim = _is_interim(block)
        flow = self._flows.get(stream_id)
        if flow is None:
            self._take_first_head(stream_id, block, ended, is_interim)
        elif is_interim:
            if ended or flow.remote_ended or flow.is_heard:
                self.fail(codes.PROTOCOL_ERROR, "an interim response out of place")
            else:
                self._sink.head(stream_id, block, False)
        elif flow.remote_ended:
            self._reset_faulty(stream_id, codes.STREAM_CLOSED, _AFTER_END)
        elif not flow.is_heard:
            flow.is_heard = True
            if ended:
                self._end_remote(stream_id, flow)
            self._sink.head(stream_id, block, ended)
        elif not ended:
            self.fail(codes.PROTOCOL_ERROR, "trailers that do not end their stream")
        else:
            self._end_remote(stream_id, flow)
            self._sink.trailers(stream_id, block)

    def _take_first_head(self, stream_id: int, block: Block, ended: bool, is_interim: bool) -> None:
        """A head for a stream that is not open: a request, or one that comes too late."""
        if not self._is_idle(stream_id):
            if stream_id in self._reset:
                self._write_reset(stream_id, codes.STREAM_CLOSED)
                self.blame()
            elif stream_id in self._ended:
                self.fail(codes.STREAM_CLOSED, "a header block on a stream that has ended")
            else:
                self.fail(codes.PROTOCOL_ERROR, "a stream whose number was passed over")
        elif self._client or not stream_id & 1:
            self.fail(codes.PROTOCOL_ERROR, "a stream that the peer may not open")
        else:
            self._highest_id = stream_id
            if is_interim:
                self.fail(codes.PROTOCOL_ERROR, "an interim response of a client")
                return
            self._useful += 1
            self._flows[stream_id] = _Flow(
                self._peer_window_bytes, is_heard=True, remote_ended=ended
            )
            self._sink.opened(stream_id, block, ended)

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
        flow = self._flows.get(stream_id)
        self._credit -= size
        if flow is not None and not flow.remote_ended:
            flow.credit -= size
        if self._credit < 0 or (flow is not None and flow.credit < 0):
            self.fail(codes.FLOW_CONTROL_ERROR, "more data than there was credit for")
            return
        self._taken_bytes += size
        if self._taken_bytes >= _HALF_WINDOW_BYTES:
            self._give_back_taken()
        if flow is None:
            if self._is_idle(stream_id):
                self.fail(codes.PROTOCOL_ERROR, "data on a stream that is not open")
            else:
                self._write_reset(stream_id, codes.STREAM_CLOSED)
        elif flow.remote_ended:
            self._reset_faulty(stream_id, codes.STREAM_CLOSED, _AFTER_END)
        elif not flow.is_heard:
            self.fail(codes.PROTOCOL_ERROR, "data before a response")
        else:
            ended = flags & _END_STREAM != 0
            if ended:
                self._end_remote(stream_id, flow)
            self._sink.data(stream_id, data, size, ended)

    def _take_reset(self, stream_id: int, body: bytes) -> None:
        if not stream_id:
            self.fail(codes.PROTOCOL_ERROR, "a reset of stream 0")
        elif len(body) != codes.NUMBER.size:
            self.fail(codes.FRAME_SIZE_ERROR, "a malformed RST_STREAM")
        elif self._is_idle(stream_id):
            self.fail(codes.PROTOCOL_ERROR, "a reset of a stream that is not open")
        elif self._flows.pop(stream_id, None) is not None:
            self._note_reset(stream_id)
            self._sink.reset(stream_id, codes.NUMBER.unpack(body)[0])

    def _take_credit(self, stream_id: int, body: bytes) -> None:
        if len(body) != codes.NUMBER.size:
            self.fail(codes.FRAME_SIZE_ERROR, "a malformed WINDOW_UPDATE")
            return
        credit = codes.NUMBER.unpack(body)[0] & _ID_MASK
        if not credit:
            self.fail(codes.PROTOCOL_ERROR, "credit of nothing")
        elif not stream_id:
            self.room += credit
            if self.room > codes.WINDOW_MAX:
                self.fail(codes.FLOW_CONTROL_ERROR, "a window above its bound")
            else:
                self._sink.room(0)
        elif self._is_idle(stream_id):
            self.fail(codes.PROTOCOL_ERROR, "credit for a stream that is not open")
        else:
            flow = self._flows.get(stream_id)
            if flow is None:
                return
            flow.room += credit
            if flow.room > codes.WINDOW_MAX:
                self._reset_faulty(stream_id, codes.FLOW_CONTROL_ERROR, "a window above its bound")
            else:
                self._sink.room(stream_id)

    def _take_priority(self, stream_id: int, body: bytes) -> None:
        if not stream_id:
            self.fail(codes.PROTOCOL_ERROR, "the priority of stream 0")
        elif len(body) != _PRIORITY_BYTES:
            self.fail(codes.FRAME_SIZE_ERROR, "a malformed PRIORITY")
        elif codes.NUMBER.unpack_from(body)[0] & _ID_MASK == stream_id:
            self.fail(codes.PROTOCOL_ERROR, "a stream that depends on itself")

    def _is_idle(self, stream_id: int) -> bool:
        """Nobody has opened it, or nobody may: stream 0, and what the other end numbers."""
        if self._client:
            return not stream_id & 1 or stream_id >= self.next_id
        return not stream_id & 1 or stream_id > self._highest_id

    def _end_remote(self, stream_id: int, flow: _Flow) -> None:
        flow.remote_ended = True
        if flow.local_ended:
            self._note_ended(stream_id)

    def _end_local(self, stream_id: int, flow: _Flow) -> None:
        flow.local_ended = True
        if flow.remote_ended:
            self._note_ended(stream_id)

    def _note_ended(self, stream_id: int) -> None:
        del self._flows[stream_id]
        self._ended.append(stream_id)

    def _note_reset(self, stream_id: int) -> None:
        reset = self._reset
        reset[stream_id] = None
        if len(reset) > limits.HTTP2_CLOSED_STREAMS_KEPT:
            del reset[next(iter(reset))]

    def _reset_faulty(self, stream_id: int, code: int, reason: str) -> None:
        """The peer makes us reset a stream, as by going on after its end: it is blamed
        (MadeYouReset, CVE-2025-8671)."""
        self.reset(stream_id, code)
        self._sink.broken(stream_id, code, reason)
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
                # A table that shrinks must be agreed to, even if it grows again at once; we use
                # none, and say so (RFC 7541, 4.2).
                self._owes_no_table = True
        for name, value in told.items():
            if not self._set(name, value):
                return
        self._output.append(frame(codes.SETTINGS, codes.ACK, 0))
        self._sink.settled()

    def _set(self, name: int, value: int) -> bool:
        """One setting of the peer. False: the connection has failed."""
        if name == codes.INITIAL_WINDOW_SIZE:
            return self._set_window(value)
        if name == codes.MAX_FRAME_SIZE:
            if not codes.FIRST_FRAME_BYTES_MAX <= value <= codes.FRAME_BYTES_MAX:
                return self.fail(codes.PROTOCOL_ERROR, "a frame size beyond its bounds")
            self._frame_bytes_max = value
        elif name == codes.MAX_CONCURRENT_STREAMS:
            self.peer_streams_max = value
        elif name == codes.MAX_HEADER_LIST_SIZE:
            self.peer_header_list_bytes = value
        elif name == codes.ENABLE_PUSH or name == codes.ENABLE_CONNECT_PROTOCOL:
            most = 0 if name == codes.ENABLE_PUSH and self._client else 1
            if value > most:
                return self.fail(codes.PROTOCOL_ERROR, "a setting beyond its bounds")
        return True

    def _set_window(self, value: int) -> bool:
        if value > codes.WINDOW_MAX:
            return self.fail(codes.FLOW_CONTROL_ERROR, "a window above its bound")
        more = value - self._peer_window_bytes
        self._peer_window_bytes = value
        for flow in self._flows.values():
            flow.room += more
            if flow.room > codes.WINDOW_MAX:
                return self.fail(codes.FLOW_CONTROL_ERROR, "a window above its bound")
        return True

    def _take_ping(self, flags: int, stream_id: int, body: bytes) -> None:
        if stream_id:
            self.fail(codes.PROTOCOL_ERROR, "a ping on a stream")
        elif len(body) != _PING_BYTES:
            self.fail(codes.FRAME_SIZE_ERROR, "a malformed PING")
        elif flags & codes.ACK:
            self._sink.pong()
        else:
            self._output.append(frame(codes.PING, codes.ACK, 0, body))

    def _take_goaway(self, stream_id: int, body: bytes) -> None:
        if stream_id:
            self.fail(codes.PROTOCOL_ERROR, "a GOAWAY on a stream")
            return
        if len(body) < _GOAWAY_BYTES_MIN:
            self.fail(codes.FRAME_SIZE_ERROR, "a malformed GOAWAY")
            return
        last_id, code = (codes.NUMBER.unpack_from(body, at)[0] for at in (0, 4))
        self._sink.going_away(last_id & _ID_MASK, code)

    # What we send.

    def send_head(self, stream_id: int, block: bytes, end: bool) -> None:
        """A head or trailers (`blocks.encoded`); towards a target the first one of `next_id`
        opens it."""
        self._useful += 1
        flow = self._flows.get(stream_id)
        if flow is None:
            if not self._client or stream_id != self.next_id:
                return  # It is over.
            self.next_id = stream_id + 2
            self._flows[stream_id] = flow = _Flow(
                self._peer_window_bytes, is_heard=False, remote_ended=False
            )
        if self._owes_no_table:
            block = self._with_table_size(block)
        size = len(block)
        flags = _END_HEADERS | _END_STREAM if end else _END_HEADERS
        if size <= self._frame_bytes_max:
            self._output.append(_pack(size >> 8, size & 0xFF, _HEADERS, flags, stream_id))
            self._output.append(block)
        else:
            self._write_in_fragments(stream_id, block, end)
        if end:
            self._end_local(stream_id, flow)

    def send_data(self, stream_id: int, data: bytes, end: bool) -> None:
        """At most `room_of` bytes."""
        flow = self._flows.get(stream_id)
        if flow is None:
            return
        size = len(data)
        if size >= limits.HTTP2_USEFUL_BYTES_MIN:
            self._useful += 1
        self.room -= size
        flow.room -= size
        flags = _END_STREAM if end else 0
        self._output.append(_pack(size >> 8, size & 0xFF, _DATA, flags, stream_id))
        self._output.append(data)
        if end:
            self._end_local(stream_id, flow)

    def send_whole(self, stream_id: int, block: bytes, body: Buffer) -> bool:
        """A head, a body and the end in one piece. False: they do not fit, or not now."""
        flow = self._flows.get(stream_id)
        head_size, size = len(block), len(body)
        if (
            flow is None
            or self._owes_no_table
            or head_size > self._frame_bytes_max
            or size > min(self.room, flow.room, self._frame_bytes_max, limits.HTTP2_QUANTUM_BYTES)
        ):
            return False
        self._useful += 1 if size < limits.HTTP2_USEFUL_BYTES_MIN else 2
        self.room -= size
        self._output += (
            _pack(head_size >> 8, head_size & 0xFF, _HEADERS, _END_HEADERS, stream_id),
            block,
            _pack(size >> 8, size & 0xFF, _DATA, _END_STREAM, stream_id),
            bytes(body),
        )
        self._end_local(stream_id, flow)
        return True

    def room_of(self, stream_id: int) -> int:
        """Bytes of one frame that may leave now; 0 or less: wait for the peer's credit."""
        flow = self._flows.get(stream_id)
        room = flow.room if flow is not None else 0
        return min(self.room, room, self._frame_bytes_max, limits.HTTP2_QUANTUM_BYTES)

    def give_back(self, credit_bytes: int, stream_id: int) -> None:
        """Credit for a stream."""
        flow = self._flows.get(stream_id)
        if flow is not None:
            flow.credit += credit_bytes
            credit = codes.NUMBER.pack(credit_bytes)
            self._output.append(frame(codes.WINDOW_UPDATE, 0, stream_id, credit))

    def reset(self, stream_id: int, code: int) -> None:
        if self._flows.pop(stream_id, None) is not None:
            self._note_reset(stream_id)
            self._write_reset(stream_id, code)

    def ping(self) -> None:
        self._output.append(frame(codes.PING, 0, 0, b"spillway"))

    def go_away(self, last_id: int, code: int = codes.NO_ERROR) -> None:
        """Streams above ``last_id`` are not processed; the others go on."""
        body = codes.NUMBER.pack(last_id) + codes.NUMBER.pack(code)
        self._output.append(frame(codes.GOAWAY, 0, 0, body))

    def fail(self, code: int, reason: str) -> bool:
        """End the connection: GOAWAY, and nothing that comes is looked at. Always False."""
        if not self._failed:
            self._failed = True
            self.go_away(self._highest_id, code)
            self._sink.failed(code, reason)
        return False

    def close(self) -> None:
        """Tell nothing more."""
        self._failed = True

    def let_go(self) -> None:
        """After `close`: hold nobody who could be told."""
        del self._sink

    def forget(self) -> None:
        """What is remembered of header blocks."""
        self._reader.forget()

    def take(self) -> bytes:
        """What is to be sent, once."""
        data = b"".join(self._output)
        self._output.clear()
        return data

    def _give_back_taken(self) -> None:
        """The connection's window is given back at once: what bounds memory are the streams."""
        credit_bytes, self._taken_bytes = self._taken_bytes, 0
        self._credit += credit_bytes
        credit = codes.NUMBER.pack(credit_bytes)
        self._output.append(frame(codes.WINDOW_UPDATE, 0, 0, credit))

    def _write_reset(self, stream_id: int, code: int) -> None:
        self._output.append(frame(codes.RST_STREAM, 0, stream_id, codes.NUMBER.pack(code)))

    def _with_table_size(self, block: bytes) -> bytes:
        self._owes_no_table = False
        return _NO_TABLE + block

    def _write_in_fragments(self, stream_id: int, block: bytes, end: bool) -> None:
        kind, flags = _HEADERS, _END_STREAM if end else 0
        most = self._frame_bytes_max
        for at in range(0, len(block), most):
            if at + most >= len(block):
                flags |= _END_HEADERS
            self._output.append(frame(kind, flags, stream_id, block[at : at + most]))
            kind, flags = _CONTINUATION, 0
