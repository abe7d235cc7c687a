"""One stream of a lane, either end: queue, credit both ways, half-close, and its handler.

The lane calls `receive` for each frame of the stream and `fill` at the end of a turn; the owner
calls the methods of `router.link.ports.Stream`. Nothing here calls the handler from inside one of
the owner's calls: what such a call ends is told at the turn's end.
"""

from collections import deque

from router.link import frames
from router.link.frames import LaneViolation, decode_count, encode_count
from router.link.lane import REFUSALS, RESETS, StreamLane
from router.link.ports import Count, Refusal, ResetCode, StreamHandler
from router.model import limits
from router.model.errors import LocalProtocolError
from router.model.ids import RouterId
from router.net.ports import Buffer

_COALESCE_BYTES = 4 * limits.KIB  # Smaller pieces share a buffer, so that they share a frame.
_PAYLOAD_MAX = limits.FRAME_PAYLOAD_BYTES_MAX


_Framed = tuple[int, bytes]
"""Kind and payload of a frame that waits among the data of its stream."""


class LaneStream:
    """Implements `router.link.ports.Stream`. Made by its lane only."""

    __slots__ = (
        "_answered",
        "_count",
        "_credit_bytes",
        "_finishing",
        "_granted_bytes",
        "_grew_at",
        "_heads",
        "_lane",
        "_paused",
        "_queue",
        "_queued_bytes",
        "_received_fin",
        "_sent_fin",
        "_trailed",
        "_uncredited_bytes",
        "_wants_writable",
        "_was_paused",
        "_window_bytes",
        "credit_due_bytes",
        "deficit_bytes",
        "handler",
        "id",
        "is_offered",
        "is_over",
        "is_ready",
        "opened_here",
        "unsent_open",
    )

    handler: StreamHandler

    def __init__(self, lane: StreamLane, stream_id: int, opened_here: bool) -> None:
        self._lane = lane
        self.id = stream_id
        self.opened_here = opened_here
        self.unsent_open = opened_here
        self.is_over = False
        self.is_offered = not opened_here  # Waits for our answer.
        self._answered = False  # ACCEPTED or REFUSED was sent or received.
        # Sending.
        self._queue: deque[bytes | bytearray | memoryview | _Framed] = deque()
        self._queued_bytes = 0
        self._credit_bytes = limits.STREAM_WINDOW_BYTES_INITIAL
        self.is_ready = False
        self.deficit_bytes = 0
        self._finishing = False
        self._sent_fin = False
        self._count: Count = -1
        self._wants_writable = False
        # Receiving.
        self._window_bytes = limits.STREAM_WINDOW_BYTES_INITIAL
        self._granted_bytes = limits.STREAM_WINDOW_BYTES_INITIAL  # What the peer may still send.
        self._uncredited_bytes = 0
        self.credit_due_bytes = 0
        self._grew_at = lane.now()
        self._paused = False
        self._was_paused = False
        self._received_fin = False
        self._trailed = False
        self._heads = 0

    # The owner's calls.

    @property
    def neighbour(self) -> RouterId:
        """The router at the other end of the lane."""
        return self._lane.neighbour

    def accept(self, in_flight: int) -> None:
        if self.is_over:
            return
        if self.opened_here or self._answered:
            raise LocalProtocolError("accept", "only the egress accepts, and once")
        self._answered = True
        lane = self._lane
        lane.answered(self)
        lane.urgent(frames.encode_counted(frames.ACCEPTED, self.id, in_flight))

    def refuse(self, reason: Refusal, in_flight: int) -> None:
        if self.is_over:
            return
        if self.opened_here or self._answered:
            raise LocalProtocolError("refuse", "only the egress refuses, before it accepts")
        payload = bytes((REFUSALS.index(reason),)) + encode_count(in_flight)
        self.over()
        self._lane.urgent(frames.encode(frames.REFUSED, self.id, payload))
        self._lane.end_later(self, None)

    def send_head(self, head: bytes, body_bytes: int, end: bool = False) -> None:
        if self.is_over:
            return
        if self.opened_here:
            raise LocalProtocolError("head", "the ingress sends its head with the OPEN")
        if self._finishing or not self._answered:
            self._check_sendable()
        self._queue_framed(frames.HEAD, body_bytes.to_bytes(8, "big", signed=True) + head)
        if end:
            self.finish()

    def send(self, data: Buffer) -> bool:
        if self.is_over:
            return True
        if self._finishing or not (self.opened_here or self._answered):
            self._check_sendable()
        size = len(data)
        if not size:
            return self._queued_bytes <= limits.STREAM_SEND_QUEUE_BYTES
        queue = self._queue
        if size >= _COALESCE_BYTES:
            queue.append(bytes(data))
        elif queue and type(queue[-1]) is bytearray and len(queue[-1]) < _PAYLOAD_MAX:
            queue[-1] += data
        else:
            queue.append(bytearray(data))
        self._queued_bytes += size
        self._lane.buffers.hold(size)
        if not self.is_ready and self._credit_bytes:
            self._lane.ready(self)
        if self._queued_bytes > limits.STREAM_SEND_QUEUE_BYTES:
            self._wants_writable = True
            return False
        return True

    def send_trailers(self, block: bytes) -> None:
        if not self.is_over:
            self._check_sendable()
            self._queue_framed(frames.TRAILERS, block)

    def finish(self, in_flight: Count = -1) -> None:
        if self.is_over:
            return
        if self._finishing or not (self.opened_here or self._answered):
            self._check_sendable()
        self._finishing = True
        self._count = in_flight
        if not self.is_ready:
            self._lane.ready(self)

    def reset(self, code: ResetCode) -> None:
        if self.is_over:
            return
        known_to_peer = not self.unsent_open
        self.over()
        if known_to_peer:
            self._lane.reset_peer(self, code)
        self._lane.end_later(self, code)

    @property
    def has_sent_end(self) -> bool:
        """The peer has, or will have, all of our direction."""
        return self._sent_fin

    @property
    def held_bytes(self) -> int:
        """Unsent, and received without a reader that drains."""
        return self._queued_bytes + (self._uncredited_bytes if self._paused else 0)

    def reset_stalled(self) -> None:
        """The process holds too much; this stream has held its part longest."""
        self.reset("stalled")

    def pause(self) -> None:
        if self.is_over or self._paused:
            return
        self._paused = self._was_paused = True
        self._lane.buffers.hold(self._uncredited_bytes)
        self._lane.buffers.process.stalled(self)

    def resume(self) -> None:
        if self.is_over or not self._paused:
            return
        self._paused = False
        self._lane.buffers.release(self._uncredited_bytes)
        self._stall_judged()
        self._return_credit()

    # The lane's calls: sending.

    def open(self, payload: bytes) -> None:
        """Queue the OPEN of a stream of ours."""
        self._queue_framed(frames.OPEN, payload)

    def fill(self, parts: list[Buffer], allowance_bytes: int) -> int:
        """Append frames to ``parts``, data up to ``allowance_bytes``; how many bytes they are."""
        queue = self._queue
        queued_bytes = self._queued_bytes
        used = 0
        while queue:
            item = queue[0]
            if type(item) is tuple:
                queue.popleft()
                used += self._fill_framed(parts, *item)
                continue
            room = min(allowance_bytes - used, self._credit_bytes, _PAYLOAD_MAX)
            if room <= 0:
                if isinstance(self._count, int):
                    self._count = -1
                break
            used += self._fill_data(parts, room)
        if self._finishing and not queue and not self._sent_fin:
            parts.append(frames.encode(frames.FIN, self.id, self._encoded_count()))
            self._sent_fin = True
            used += 12
        self._lane.buffers.release(queued_bytes - self._queued_bytes)
        if self._sent_fin:
            if self._received_fin and not self.is_over:
                self.over()
                self._lane.end_later(self, None)
        elif self._wants_writable and self._queued_bytes <= limits.STREAM_SEND_QUEUE_BYTES // 2:
            self._wants_writable = False
            self._lane.writable_due(self)
        return used

    def after_fill(self) -> bool:
        """Whether it can send more at once. Notes a stall when only credit is missing."""
        if self.is_over or self._sent_fin or not self._queue:
            return False
        if self._credit_bytes or type(self._queue[0]) is tuple:
            return True
        self._lane.buffers.process.stalled(self)
        return False

    def take_credit(self) -> int:
        """What the next WINDOW frame gives back; 0: nothing any more."""
        due, self.credit_due_bytes = self.credit_due_bytes, 0
        return 0 if self.is_over or self._received_fin else due

    def over(self) -> None:
        """Let go of everything; no further call has an effect."""
        self.is_over = True
        buffers = self._lane.buffers
        if self._queued_bytes or self._paused:
            buffers.release(self.held_bytes)
        buffers.process.drains(self)
        self._queued_bytes = self._uncredited_bytes = 0
        self._queue.clear()
        self._lane.forget(self)

    def tell_lost(self, cause: ResetCode | None) -> None:
        """The handler's last call; it holds us, so let no cycle wait for the collector."""
        handler = self.handler
        del self.handler
        handler.lost(cause)

    # The lane's calls: receiving.

    def receive(self, kind: int, payload: memoryview) -> None:
        """One frame. Raises LaneViolation, and whatever the handler raises."""
        base = kind & frames.KIND_MASK
        if (
            base == frames.DATA
            and not self._received_fin
            and (self._answered or not self.opened_here)
        ):
            self._receive_data(kind, payload)  # The commonest.
        elif base == frames.WINDOW:
            self._receive_window(int.from_bytes(payload, "big"))
        elif base == frames.RESET:
            self._receive_reset(payload[0])
        elif base == frames.OPEN:
            raise LaneViolation("stream-id", f"stream {self.id} is open already")
        elif self.opened_here and not self._answered:
            self._receive_answer(base, payload)
        elif self._received_fin:
            raise LaneViolation("after-fin", f"stream {self.id} went on after its end")
        else:
            self._receive_other(kind, payload)

    def _receive_data(self, kind: int, payload: memoryview) -> None:
        count = -1
        if kind & frames.END:
            edge = len(payload) - frames.COUNT_BYTES
            count = decode_count(payload, edge)
            payload = payload[:edge]
        size = len(payload)
        if self._trailed and size:
            raise LaneViolation("after-trailers", f"stream {self.id} sent data after trailers")
        if size > self._granted_bytes:
            raise LaneViolation("credit-exceeded", f"stream {self.id} sent beyond its credit")
        if size:
            self._granted_bytes -= size
            self.handler.received(payload)
            if self.is_over:
                return
            self._uncredited_bytes += size
            if self._paused:
                self._lane.buffers.hold(size)
                self._lane.buffers.process.stalled(self)
                self._lane.judge_buffers()
            elif not kind & frames.END:
                self._return_credit()
        elif not kind & frames.END:
            self._lane.glitch()
        if kind & frames.END:
            self._receive_fin(count)

    def _receive_other(self, kind: int, payload: memoryview) -> None:
        base = kind & frames.KIND_MASK
        ends = kind & frames.END != 0
        body = payload[: -frames.COUNT_BYTES] if ends else payload
        if base == frames.HEAD and self.opened_here and not self._trailed:
            self._heads += 1
            if self._heads > limits.HEADS_PER_STREAM_MAX:
                self.reset("bad-message")
                return
            body_bytes = int.from_bytes(body[:8], "big", signed=True)
            if body_bytes < -1:
                raise LaneViolation("bad-head", f"stream {self.id} has {body_bytes} body bytes")
            self.handler.head(bytes(body[8:]), body_bytes, ends)
        elif base == frames.TRAILERS and not self._trailed:
            self._trailed = True
            self.handler.trailers(bytes(body))
        elif base != frames.FIN:
            raise LaneViolation("bad-order", f"frame of kind {kind:#x} on stream {self.id}")
        if (ends or base == frames.FIN) and not self.is_over:
            self._receive_fin(decode_count(payload, len(payload) - frames.COUNT_BYTES))

    def _receive_answer(self, base: int, payload: memoryview) -> None:
        self._answered = True
        if base == frames.ACCEPTED:
            self.handler.accepted(decode_count(payload))
        elif base == frames.REFUSED:
            reason = REFUSALS[payload[0]] if payload[0] < len(REFUSALS) else "no-target"
            self.over()
            try:
                self.handler.refused(reason, decode_count(payload, 1))
            finally:
                self.tell_lost(None)
        else:
            raise LaneViolation("bad-order", f"stream {self.id} was not accepted yet")

    def _receive_window(self, increment_bytes: int) -> None:
        if increment_bytes == 0:
            raise LaneViolation("window-zero", f"empty WINDOW for stream {self.id}")
        if increment_bytes < limits.WINDOW_INCREMENT_BYTES_MIN:
            self._lane.glitch()
        self._credit_bytes += increment_bytes
        if self._credit_bytes > limits.CREDIT_BYTES_MAX:
            raise LaneViolation("window-overflow", f"stream {self.id} was given too much credit")
        self._stall_judged()
        if self._queue and not self.is_ready:
            self._lane.ready(self)

    def _receive_reset(self, code: int) -> None:
        self.over()
        self.tell_lost(RESETS[code] if code < len(RESETS) else "internal")

    def receive_end(self) -> None:
        """The OPEN had END: the ingress sends nothing more."""
        if not self.is_over:
            self._receive_fin(-1)

    def _receive_fin(self, count: int) -> None:
        self._received_fin = True
        self.handler.ended(count)
        if self._sent_fin and not self.is_over:
            self.over()
            self.tell_lost(None)

    # Helpers.

    def _check_sendable(self) -> None:
        if self._finishing:
            raise LocalProtocolError("finished", "nothing can be sent after finish")
        if not (self.opened_here or self._answered):
            raise LocalProtocolError("not-accepted", "the egress accepts before it sends")

    def _queue_framed(self, kind: int, payload: bytes) -> None:
        if len(payload) > _PAYLOAD_MAX - frames.COUNT_BYTES:
            raise LocalProtocolError("frame-too-large", f"{len(payload)} bytes for kind {kind}")
        self._queue.append((kind, payload))
        self._queued_bytes += len(payload)
        lane = self._lane
        lane.buffers.hold(len(payload))
        if not self.is_ready:
            lane.ready(self)

    def _encoded_count(self) -> bytes:
        count = self._count
        return encode_count(count if isinstance(count, int) else count())

    def _fill_framed(self, parts: list[Buffer], kind: int, payload: bytes) -> int:
        self._queued_bytes -= len(payload)
        is_open = kind == frames.OPEN
        if is_open:
            self.unsent_open = False
        if self._finishing and not self._queue:
            self._sent_fin = True
            kind |= frames.END
            if not is_open:
                payload += self._encoded_count()
        parts.append(frames.header(kind, len(payload), self.id))
        parts.append(payload)
        return 8 + len(payload)

    def _fill_data(self, parts: list[Buffer], room: int) -> int:
        queue = self._queue
        place = len(parts)
        parts.append(b"")  # The header, once the size is known.
        size = 0
        while queue and size < room:
            chunk = queue[0]
            if isinstance(chunk, tuple):
                break
            chunk_bytes = len(chunk)
            if chunk_bytes <= room - size:
                queue.popleft()
            else:
                view = memoryview(chunk)
                queue[0] = view[room - size :]
                chunk = view[: room - size]
                chunk_bytes = room - size
            parts.append(chunk)
            size += chunk_bytes
        self._credit_bytes -= size
        self._queued_bytes -= size
        kind = frames.DATA
        if self._finishing and not queue and size <= _PAYLOAD_MAX - frames.COUNT_BYTES:
            self._sent_fin = True
            kind |= frames.END
            parts.append(self._encoded_count())
            size += frames.COUNT_BYTES
        parts[place] = frames.header(kind, size, self.id)
        return 8 + size

    def _return_credit(self) -> None:
        """Once half the window was read; a reader that keeps up gets a larger one."""
        if self._uncredited_bytes * 2 < self._window_bytes or self._received_fin:
            return
        lane = self._lane
        grant = self._uncredited_bytes
        now = lane.now()
        limited_by_window = now - self._grew_at <= lane.window_grows_within_s()
        if limited_by_window and not self._was_paused and lane.buffers.windows_may_grow:
            larger = min(self._window_bytes * 2, limits.STREAM_WINDOW_BYTES_MAX)
            grant += larger - self._window_bytes
            self._window_bytes = larger
        self._grew_at = now
        self._was_paused = False
        self._uncredited_bytes = 0
        self._granted_bytes += grant
        if not self.credit_due_bytes:
            lane.credit_due(self)
        self.credit_due_bytes += grant

    def _stall_judged(self) -> None:
        if not self._paused and (self._credit_bytes or not self._queue):
            self._lane.buffers.process.drains(self)
