"""One stream of a lane, either end: queue, credit both ways, half-close, and its handler.

The decoder calls `receive` for each frame of the stream, the lane `fill` at the end of a turn; the
owner calls the methods of `router.link.ports.Stream`. Nothing here calls the handler from inside
one of the owner's calls: what such a call ends is told at the turn's end.
"""

import logging
import struct
from collections.abc import Callable, Collection

from router.link import frames
from router.link.frames import LaneViolation, decode_count, encode_count
from router.link.lane import REFUSALS, RESETS, StreamLane
from router.link.ports import Count, Refusal, ResetCode, StreamHandler
from router.link.send_queue import SendQueue
from router.link.stream_states import Receiving, Sending
from router.model import limits
from router.model.errors import LocalProtocolError
from router.model.ids import RouterId, SiteId
from router.net.ports import Buffer

_LOG = logging.getLogger(__name__)
_PAYLOAD_MAX = limits.FRAME_PAYLOAD_BYTES_MAX
_WINDOW_INITIAL = limits.STREAM_WINDOW_BYTES_INITIAL
_RETURN_INITIAL = _WINDOW_INITIAL // 2  # One number for all streams, who live by the thousand.
_SEND_QUEUE_BYTES = limits.STREAM_SEND_QUEUE_BYTES
_pack_header = struct.Struct(">II").pack
_HEADER_BYTES = 8
_OPEN, _OPEN_END = frames.OPEN, frames.OPEN | frames.END
_DATA_WORD = frames.DATA << 24
_ANSWER_END = frames.ANSWER | frames.END
_ANSWER_PREFIX_BYTES = frames.ANSWER_PREFIX_BYTES
_COUNT_UNKNOWN = frames.COUNT_UNKNOWN
_HEADS_MAX = limits.HEADS_PER_STREAM_MAX
_HELD_US_MAX = frames.HELD_US_MAX
_ANSWER_BYTES_MAX = limits.ANSWER_BYTES_MAX
_PLACED_BYTES_MAX = limits.LANE_QUANTUM_BYTES  # Of one stream in a turn.
_LATER = 1 << 62  # A turn that is yet to come.

# Bound once: looked up for each frame.
_OFFERED, _HELD, _OPEN_TO_SEND = Sending.OFFERED, Sending.HELD, Sending.OPEN
_FINISHING, _ALL_SENT = Sending.FINISHING, Sending.ENDED
_UNANSWERED, _OPEN_TO_RECEIVE = Receiving.UNANSWERED, Receiving.OPEN
_TRAILED, _ALL_RECEIVED = Receiving.TRAILED, Receiving.ENDED


class LaneStream:
    """Implements `router.link.ports.Stream`. Made by its lane only."""

    __slots__ = (
        "_count",
        "_credit_bytes",
        "_granted_bytes",
        "_grew_at",
        "_heads",
        "_lane",
        "_late_count",
        "_paused_s",
        "_placed_in",
        "_queue",
        "_return_at_bytes",
        "_uncredited_bytes",
        "_wants_writable",
        "_window_bytes",
        "credit_due_bytes",
        "deficit_bytes",
        "handler",
        "held_s",
        "held_since",
        "id",
        "is_over",
        "is_paused",
        "is_ready",
        "opened_here",
        "opens_in",
        "receiving",
        "sending",
    )

    handler: StreamHandler

    def __init__(
        self,
        lane: "StreamLane[LaneStream]",
        stream_id: int,
        *,
        opened_here: bool = False,
        ends: bool = False,
    ) -> None:
        """``opened_here``: its OPEN leaves in this turn. ``ends``: OPEN carries END."""
        self._lane = lane
        self.id = stream_id
        self.opened_here = opened_here
        if opened_here:
            self.sending = _ALL_SENT if ends else _OPEN_TO_SEND
            self.receiving = _UNANSWERED
        else:
            self.sending = _OFFERED
            self.receiving = _ALL_RECEIVED if ends else _OPEN_TO_RECEIVE
        self.is_over = False
        self.held_s = 0.0
        # Sending.
        self.opens_in = lane.outbox.turn if opened_here else -1  # The turn in which OPEN leaves.
        self._placed_in = -1  # The last turn in which data left at once.
        self._queue: SendQueue | None = None  # Only while something waits.
        self._credit_bytes = _WINDOW_INITIAL
        self.is_ready = False
        self.deficit_bytes = 0
        self._count: Count = -1
        self.held_since: float | None = None  # ACCEPTED is due since then.
        self._late_count: Callable[[], int] | None = None  # Asked if it is told alone.
        self._wants_writable = False
        # Receiving.
        self._window_bytes = _WINDOW_INITIAL
        self._return_at_bytes = _RETURN_INITIAL  # Read so much, credit goes back.
        self._granted_bytes = _WINDOW_INITIAL  # What the peer may still send.
        self._uncredited_bytes = 0
        self.credit_due_bytes = 0
        # Of ours it counts from ACCEPTED on; of the peer's from now, when the lane hears its OPEN.
        self._grew_at = lane.heard_at
        self.is_paused = False
        self._paused_s = 0.0  # Since credit was returned; while paused, less when that began.
        self._heads = 0

    # The owner's calls.

    @property
    def neighbour(self) -> RouterId:
        """The router at the other end of the lane."""
        return self._lane.neighbour

    @property
    def neighbour_site(self) -> SiteId:
        return self._lane.neighbour_site

    def accept(self, in_flight: int, held_s: float = 0.0) -> None:
        if self.is_over:
            return
        if self.sending is not _OFFERED:
            raise LocalProtocolError("accept", "only the egress accepts, and once")
        self.sending = _OPEN_TO_SEND
        lane = self._lane
        lane.offered -= 1
        if held_s and lane.takes_answers:
            lane.urgent(frames.encode_accepted(self.id, in_flight, held_s))
        else:
            lane.urgent(frames.encode_counted(frames.ACCEPTED, self.id, in_flight))

    def accept_soon(self, in_flight: Callable[[], int]) -> None:
        if self.is_over:
            return
        lane = self._lane
        if not lane.takes_answers:
            self.accept(in_flight())
            return
        if self.sending is not _OFFERED:
            raise LocalProtocolError("accept", "only the egress accepts, and once")
        self.sending = _HELD
        lane.offered -= 1
        self._late_count = in_flight
        self.held_since = lane.now()
        held = lane.held
        if not held:
            lane.hold_accepted()
        held.append(self)

    def tell_accepted(self) -> None:
        """ACCEPTED was held back: nothing came that would have told it."""
        since, self.held_since = self.held_since, None
        late_count, self._late_count = self._late_count, None
        if since is None or late_count is None or self.is_over:
            return
        self.sending = _OPEN_TO_SEND
        lane = self._lane
        lane.urgent(frames.encode_accepted(self.id, late_count(), lane.now() - since))

    def answer(
        self, head: bytes, body_bytes: int, body: Buffer, in_flight: Count, held_s: float = 0.0
    ) -> None:
        if self.is_over:
            return
        lane, since = self._lane, self.held_since
        head_bytes = len(head)
        size = head_bytes + len(body)
        # In transit, what came before it may have used up the credit towards the ingress. That only
        # the body takes of it does not matter: this saves a call.
        is_small = size <= _ANSWER_BYTES_MAX and size <= self._credit_bytes
        sending = self.sending
        if (
            not is_small
            or not lane.takes_answers
            or self._queue is not None
            or sending is _FINISHING
            or sending is _ALL_SENT
        ):
            if sending is _OFFERED:
                self.accept(in_flight if isinstance(in_flight, int) else in_flight.load, held_s)
            self.send_head(head, body_bytes)
            self.send(body)
            self.finish(in_flight)
            return
        if self.opened_here:
            raise LocalProtocolError("head", "the ingress sends its head with the OPEN")
        if sending is _OFFERED:
            lane.offered -= 1
        if since is not None:
            held_s = lane.now() - since
            self.held_since = self._late_count = None
        self.sending = _FINISHING
        held_us, outbox = int(held_s * 1e6), lane.outbox
        if held_us > _HELD_US_MAX:
            held_us = _HELD_US_MAX
        if size <= outbox.room_bytes:
            outbox.room_bytes -= size
            outbox.answers.append(
                (self, in_flight, held_us, body_bytes, head_bytes, size, head, bytes(body))
            )
            if not lane.turn_asked:
                lane.ask_turn()
            return
        self._count = in_flight
        self._queue_frame(_ANSWER_END, frames.answer_rest(held_us, body_bytes, head) + body)

    def refuse(self, reason: Refusal, in_flight: int) -> None:
        if self.is_over:
            return
        if self.sending is not _OFFERED:
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
        if self.sending is not _OPEN_TO_SEND:
            self._check_sendable()
        self._queue_framed(frames.HEAD, body_bytes.to_bytes(8, "big", signed=True) + head)
        if end:
            self.finish()

    def send(self, data: Buffer) -> bool:
        if self.is_over:
            return True
        if self.sending is not _OPEN_TO_SEND:
            self._check_sendable()
        lane, size = self._lane, len(data)
        outbox = lane.outbox
        if (
            size <= self._credit_bytes
            and size <= outbox.room_bytes
            and 0 < size <= _PLACED_BYTES_MAX
            and not self.is_ready
            and self._placed_in != outbox.turn
        ):  # The commonest. What follows in the turn is queued, and so shares a frame.
            self._placed_in = outbox.turn
            self._credit_bytes -= size
            outbox.room_bytes -= size
            outbox.placed.append((self, _pack_header(_DATA_WORD | size, self.id) + data))
            if not lane.turn_asked:
                lane.ask_turn()
            return True
        return self._send_later(data, size)

    def _send_later(self, data: Buffer, size: int) -> bool:
        """Queue ``data``."""
        queue = self._queue
        if not size:
            return queue is None or queue.size_bytes <= _SEND_QUEUE_BYTES
        if queue is None:
            queue = self._queue = SendQueue(self.id)
        queue.put_data(data)
        lane = self._lane
        lane.buffers.hold(size)
        if self._credit_bytes:
            self._ask_for_turn()
        if queue.size_bytes > _SEND_QUEUE_BYTES:
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
        if self.sending is not _OPEN_TO_SEND:
            self._check_sendable()
        self._count = in_flight
        outbox = self._lane.outbox
        if self.opens_in == outbox.turn != self._placed_in and self._queue is None:
            outbox.end_open(self)
            self.sending = _ALL_SENT
        else:
            self.sending = _FINISHING
            self._ask_for_turn()

    def reset(self, code: ResetCode) -> None:
        if self.is_over:
            return
        if self.held_since is not None:
            self.tell_accepted()  # It did hold a target.
        known_to_peer = not self.unsent_open
        self.over()
        if known_to_peer:
            self._lane.reset_peer(self, code)
        self._lane.end_later(self, code)

    def break_off(self, code: ResetCode) -> None:
        if self.is_over:
            return
        if self.opened_here:
            raise LocalProtocolError("break-off", "only the egress breaks a stream off")
        if self._queue is not None or self._placed_in == self._lane.outbox.turn:
            self._queue_frame(frames.RESET, bytes((RESETS.index(code),)))
        else:
            self.reset(code)

    @property
    def unsent_open(self) -> bool:
        """The peer knows nothing of it yet."""
        return self.opens_in >= self._lane.outbox.turn

    def open_later(self, payload: bytes, *, ends: bool) -> None:
        """Its OPEN, with this payload, has to wait for its turn; nothing follows it if it ``ends``
        our direction."""
        self.opens_in = _LATER
        if ends:
            self.sending = _FINISHING
        self._queue_frame(_OPEN, payload)

    @property
    def queued_bytes(self) -> int:
        """What waits to be sent."""
        queue = self._queue
        return queue.size_bytes if queue is not None else 0

    @property
    def held_bytes(self) -> int:
        """Unsent, and received without a reader that drains."""
        return self.queued_bytes + (self._uncredited_bytes if self.is_paused else 0)

    def reset_stalled(self) -> None:
        """The process holds too much; this stream has held its part longest."""
        self.reset("stalled")

    def pause(self) -> None:
        if self.is_over or self.is_paused:
            return
        self.is_paused = True
        self._paused_s -= self._lane.now()
        self._lane.buffers.hold(self._uncredited_bytes)
        self._lane.buffers.process.stalled(self)

    def resume(self) -> None:
        if self.is_over or not self.is_paused:
            return
        self.is_paused = False
        self._paused_s += self._lane.now()
        self._lane.buffers.release(self._uncredited_bytes)
        self._stall_judged()
        self._return_credit()

    # The lane's calls: sending.

    def fill(self, parts: list[Buffer], allowance_bytes: int) -> int:
        """Append frames to ``parts``, data up to ``allowance_bytes``; how many bytes they are.

        It is no longer ready then unless it can send more at once.
        """
        used = 0
        queue = self._queue
        if queue is not None:
            queued_bytes = queue.size_bytes
            used = self._fill_queued(parts, queue, allowance_bytes)
            self._lane.buffers.release(queued_bytes - queue.size_bytes)
        if self.sending is _FINISHING and self._queue is None and not self.is_over:
            parts.append(frames.encode_counted(frames.FIN, self.id, self._in_flight()))
            self.sending = _ALL_SENT
            used += _HEADER_BYTES + frames.COUNT_BYTES
        lane, queue = self._lane, self._queue
        if self.sending is _ALL_SENT:
            self.is_ready = False
            if self.receiving is _ALL_RECEIVED and not self.is_over:
                lane.finished(self)
            return used
        if self._wants_writable and self.queued_bytes <= _SEND_QUEUE_BYTES // 2:
            self._wants_writable = False
            lane.writable_due(self)
        if queue is None:
            self.is_ready = False
        elif not self._credit_bytes and queue.begins_with_data:
            self.is_ready = False  # Only credit is missing.
            lane.buffers.process.stalled(self)
        return used

    def _fill_queued(self, parts: list[Buffer], queue: SendQueue, allowance_bytes: int) -> int:
        """`fill`, of what waits; how many bytes."""
        used = 0
        while not queue.is_empty and not self.is_over:
            framed = queue.take_frame()
            if framed is not None:
                used += self._fill_frame(parts, queue, *framed)
                continue
            room = min(allowance_bytes - used, self._credit_bytes, _PAYLOAD_MAX)
            if room <= 0:
                if isinstance(self._count, int):
                    self._count = -1
                return used
            end = self._encoded_count if self.sending is _FINISHING else None
            size, end_bytes = queue.take_data(parts, room, self._credit_bytes, end)
            self._credit_bytes -= size
            used += _HEADER_BYTES + size + end_bytes
            if end_bytes:
                self.sending = _ALL_SENT
        self._queue = None
        return used

    def take_credit(self) -> int:
        """What the next WINDOW frame gives back; 0: nothing any more."""
        due, self.credit_due_bytes = self.credit_due_bytes, 0
        return 0 if self.is_over or self.receiving is _ALL_RECEIVED else due

    def over(self) -> None:
        """Let go of everything; no further call has an effect."""
        self.let_go()
        self._lane.forget(self)

    def let_go(self) -> None:
        """It is over, and holds nothing any more."""
        self.is_over = True
        buffers = self._lane.buffers
        if self.queued_bytes or self.is_paused:
            buffers.release(self.held_bytes)
        if buffers.process.stalling:
            buffers.process.drains(self)
        self._uncredited_bytes = 0
        self._queue = None

    @staticmethod
    def answers_left(streams: "Collection[LaneStream]") -> "list[LaneStream]":
        """The ANSWER of each left: those that are complete both ways, and over now."""
        for stream in streams:
            stream.sending = _ALL_SENT
        complete = [stream for stream in streams if stream.receiving is _ALL_RECEIVED]
        for stream in complete:
            if stream.is_paused or stream._lane.buffers.process.stalling:
                stream.let_go()
            stream.is_over = True
        return complete

    def tell_lost(self, cause: ResetCode | None) -> None:
        """The handler's last call; it holds us, so let no cycle wait for the collector."""
        handler = self.handler
        del self.handler
        handler.lost(cause)

    # The decoder's calls: `FrameStream`.

    def handler_failed(self) -> None:
        """What its handler raised ends this stream alone."""
        _LOG.exception("stream handler failed", extra={"lane": self._lane.neighbour})
        self.reset("internal")

    def receive(self, kind: int, payload: memoryview) -> None:
        """One frame. Raises LaneViolation, and whatever the handler raises."""
        base = kind & frames.KIND_MASK
        if base == frames.WINDOW:
            self._receive_window(int.from_bytes(payload, "big"))
        elif base == frames.RESET:
            self._receive_reset(payload[0])
        elif base == frames.OPEN:
            raise LaneViolation("stream-id", f"stream {self.id} is open already")
        elif self.receiving is _UNANSWERED:
            self._receive_answer(base, payload)
        elif base == frames.DATA:
            self._receive_last_data(payload)
        elif self.receiving is _ALL_RECEIVED:
            raise LaneViolation("after-fin", f"stream {self.id} went on after its end")
        elif base == frames.FIN:
            self._receive_fin(payload)
        else:
            self._receive_other(kind, payload)

    def receive_data(self, payload: memoryview, *, ends: bool = False) -> None:
        """DATA, the commonest: as `receive`."""
        size = len(payload)
        if self.receiving is not _OPEN_TO_RECEIVE:
            self._judge_order(size)
        if size > self._granted_bytes:
            raise LaneViolation("credit-exceeded", f"stream {self.id} sent beyond its credit")
        if not size:
            if not ends:
                self._lane.glitch()
            return
        self._granted_bytes -= size
        self.handler.received(payload)
        if self.is_over:
            return
        self._uncredited_bytes = uncredited_bytes = self._uncredited_bytes + size
        if self.is_paused:
            buffers = self._lane.buffers
            buffers.hold(size)
            buffers.process.stalled(self)
            self._lane.judge_buffers()
        elif uncredited_bytes >= self._return_at_bytes and not ends:
            self._return_credit()

    def _judge_order(self, size: int) -> None:
        """Data of ``size`` came, where nothing or no more data should."""
        if self.receiving is _UNANSWERED:
            raise LaneViolation("bad-order", f"stream {self.id} was not accepted yet")
        if self.receiving is _ALL_RECEIVED:
            raise LaneViolation("after-fin", f"stream {self.id} went on after its end")
        if size:
            raise LaneViolation("after-trailers", f"stream {self.id} sent data after trailers")

    def _receive_last_data(self, payload: memoryview) -> None:
        edge = len(payload) - frames.COUNT_BYTES
        self.receive_data(payload[:edge], ends=True)
        if not self.is_over:
            self._receive_end(decode_count(payload, edge))

    def _receive_other(self, kind: int, payload: memoryview) -> None:
        base = kind & frames.KIND_MASK
        ends = kind & frames.END != 0
        body = payload[: -frames.COUNT_BYTES] if ends else payload
        if base == frames.HEAD and self.opened_here and self.receiving is _OPEN_TO_RECEIVE:
            self._heads += 1
            if self._heads > limits.HEADS_PER_STREAM_MAX:
                self.reset("bad-message")
                return
            body_bytes = int.from_bytes(body[:8], "big", signed=True)
            if body_bytes < -1:
                raise LaneViolation("bad-head", f"stream {self.id} has {body_bytes} body bytes")
            self.handler.head(bytes(body[8:]), body_bytes, ends)
        elif base == frames.TRAILERS and self.receiving is _OPEN_TO_RECEIVE:
            self.receiving = _TRAILED
            self.handler.trailers(bytes(body))
        else:
            raise LaneViolation("bad-order", f"frame of kind {kind:#x} on stream {self.id}")
        if ends and not self.is_over:
            self._receive_end(decode_count(payload, len(payload) - frames.COUNT_BYTES))

    def receive_whole(self, payload: memoryview) -> None:
        """ANSWER: ACCEPTED unless that came, HEAD, DATA and END."""
        receiving = self.receiving
        if not self.opened_here or receiving is _TRAILED or receiving is _ALL_RECEIVED:
            raise LaneViolation("bad-order", f"ANSWER on stream {self.id}")
        count, held_us, body_bytes, head_bytes = frames.unpack_answer(payload)
        edge = _ANSWER_PREFIX_BYTES + head_bytes
        size = len(payload) - edge
        if size < 0 or body_bytes < -1:
            raise LaneViolation("bad-answer", f"ANSWER on stream {self.id} is at odds with itself")
        if size > self._granted_bytes:
            raise LaneViolation("credit-exceeded", f"stream {self.id} sent beyond its credit")
        if self._heads >= _HEADS_MAX:
            self.reset("bad-message")
            return
        self.held_s = held_us / 1e6
        self.receiving = _ALL_RECEIVED
        head = bytes(payload[_ANSWER_PREFIX_BYTES:edge])
        in_flight = -1 if count == _COUNT_UNKNOWN else count
        self.handler.answered(head, body_bytes, payload[edge:], in_flight)
        if self.sending is _ALL_SENT and not self.is_over:
            self._complete()

    def _receive_answer(self, base: int, payload: memoryview) -> None:
        self.receiving = _OPEN_TO_RECEIVE
        self._grew_at = self._lane.heard_at
        if base == frames.ACCEPTED:
            self.handler.accepted(decode_count(payload))
        elif base == frames.ACCEPTED_LATE:
            self.held_s = frames.decode_held(payload)
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
        if self._queue is not None:
            self._ask_for_turn()

    def _receive_reset(self, code: int) -> None:
        if not self.opened_here:
            self._lane.judge_reset()
        self.over()
        self.tell_lost(RESETS[code] if code < len(RESETS) else "internal")

    def _receive_fin(self, payload: memoryview) -> None:
        """FIN: as `receive`."""
        if self.receiving is not _OPEN_TO_RECEIVE:
            self._judge_order(0)
        count = frames.unpack_count(payload)[0]
        self._receive_end(-1 if count == _COUNT_UNKNOWN else count)

    def _receive_end(self, count: int) -> None:
        self.receiving = _ALL_RECEIVED
        self.handler.ended(count)
        if self.sending is _ALL_SENT and not self.is_over:
            self._complete()

    def _complete(self) -> None:
        """All is sent and received, and we stand in no call of the owner's."""
        lane = self._lane
        if self.is_paused or lane.buffers.process.stalling:
            self.let_go()
        self.is_over = True
        lane.closed(self)
        handler = self.handler
        del self.handler
        handler.lost(None)

    # Helpers.

    def _check_sendable(self) -> None:
        if self.sending is _FINISHING or self.sending is _ALL_SENT:
            raise LocalProtocolError("finished", "nothing can be sent after finish")
        if self.sending is _HELD:
            self.tell_accepted()
        elif self.sending is _OFFERED:
            raise LocalProtocolError("not-accepted", "the egress accepts before it sends")

    def _queue_framed(self, kind: int, payload: bytes) -> None:
        if len(payload) > _PAYLOAD_MAX - frames.COUNT_BYTES:
            raise LocalProtocolError("frame-too-large", f"{len(payload)} bytes for kind {kind}")
        self._queue_frame(kind, payload)

    def _queue_frame(self, kind: int, payload: bytes) -> None:
        if self._queue is None:
            self._queue = SendQueue(self.id)
        self._queue.put_frame(kind, payload)
        self._lane.buffers.hold(len(payload))
        self._ask_for_turn()

    def _ask_for_turn(self) -> None:
        """Something waits that may be sent."""
        if not self.is_ready:
            self.is_ready = True
            self._lane.ready(self)

    def _in_flight(self) -> int:
        """The count that ends our direction, as it is now."""
        count = self._count
        return count if isinstance(count, int) else count.load

    def _encoded_count(self) -> bytes:
        return encode_count(self._in_flight())

    def _fill_frame(self, parts: list[Buffer], queue: SendQueue, kind: int, payload: bytes) -> int:
        if kind == _OPEN:
            self.opens_in = -1
        if kind == frames.RESET:  # `break_off`: all before it has left.
            self.over()
            self._lane.end_later(self, RESETS[payload[0]])
        elif kind == _ANSWER_END:
            self.sending = _ALL_SENT
            payload = self._encoded_count() + payload
        elif self.sending is _FINISHING and queue.is_empty:
            self.sending = _ALL_SENT
            kind |= frames.END
            if kind != _OPEN_END:
                payload += self._encoded_count()
        parts.append(frames.header(kind, len(payload), self.id))
        parts.append(payload)
        return _HEADER_BYTES + len(payload)

    def _return_credit(self) -> None:
        """Once half the window was read; a reader that keeps up gets a larger one.

        Of one that grows no more in smaller steps: what comes over a long way comes at once, and of
        a second half that stays just below its mark nothing would go back for a round trip.
        """
        if self._uncredited_bytes < self._return_at_bytes or self.receiving is _ALL_RECEIVED:
            return
        lane = self._lane
        grant = self._uncredited_bytes
        now = lane.now()
        took_s = now - self._grew_at
        limited_by_window = took_s <= lane.window_grows_within_s()
        # What comes in bursts, as over a long way, may well have to wait a little.
        keeps_up = self._paused_s <= took_s * limits.WINDOW_GROWS_PAUSED_SHARE
        if limited_by_window and keeps_up and lane.buffers.windows_may_grow:
            larger = min(self._window_bytes * 2, limits.STREAM_WINDOW_BYTES_MAX)
            grant += larger - self._window_bytes
            self._window_bytes = larger
            is_largest = larger == limits.STREAM_WINDOW_BYTES_MAX
            self._return_at_bytes = limits.STREAM_CREDIT_STEP_BYTES if is_largest else larger // 2
        self._grew_at = now
        self._paused_s = 0.0
        self._uncredited_bytes = 0
        self._granted_bytes += grant
        if not self.credit_due_bytes:
            lane.credit_due(self)
        self.credit_due_bytes += grant

    def _stall_judged(self) -> None:
        if not self.is_paused and (self._credit_bytes or self._queue is None):
            self._lane.buffers.process.drains(self)
