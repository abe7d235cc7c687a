"""One stream of a lane, either end: its state, and its sending direction within the peer's credit.

Small data leaves at once (`Outbox.placed`); data that has to wait is in a `SendQueue`, and the lane
calls `fill` at the end of a turn. The receiving direction is in `receiving_stream`, the parts of
each end in `opened_stream` and `offered_stream`. Nothing here calls the handler from inside one of
the owner's calls: if such a call ends the stream, the handler learns it at the turn's end.
"""

import logging
import struct
from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import ClassVar

from router.link import frames
from router.link.frames import LaneViolation, encode_count
from router.link.ports import (
    NOT_TOLD,
    Counting,
    DeadEnd,
    ResetCode,
    StreamHandler,
    StreamLeg,
    ToldCount,
)
from router.link.streams.lane import RESETS, StreamLane
from router.link.streams.lane_states import Opening
from router.link.streams.outbox import FIN_BYTES
from router.link.streams.receive_window import ReceiveWindow
from router.link.streams.send_queue import SendQueue
from router.link.streams.stream_states import Receiving, Sending
from router.model import limits
from router.model.errors import LocalProtocolError
from router.model.ids import RouterId, SiteId
from router.net.ports import Buffer

_LOG = logging.getLogger(__name__)
_PAYLOAD_MAX = limits.FRAME_PAYLOAD_BYTES_MAX
_CREDIT_INITIAL = limits.STREAM_WINDOW_BYTES_INITIAL
_SEND_QUEUE_BYTES = limits.STREAM_SEND_QUEUE_BYTES
_PLACED_BYTES_MAX = limits.LANE_QUANTUM_BYTES  # For one stream in a turn.
_pack_header = struct.Struct(">II").pack
_HEADER_BYTES = 8
_DATA_WORD = frames.DATA << 24
_OPEN_END = frames.OPEN | frames.END

# Bound once: looked up for each frame.
_OPEN_TO_SEND, _FINISHING, _ALL_SENT = Sending.OPEN, Sending.FINISHING, Sending.ENDED
_ALL_RECEIVED = Receiving.ENDED
_ALLOWED = Opening.ALLOWED

NOBODY = DeadEnd()
"""The handler of a stream that leads nowhere: not taken yet, or its leg gets no more calls."""


class LaneStream(ABC):
    """Made by its lane only. Its subclasses implement `router.link.ports.Stream`."""

    __slots__ = (
        "_count",
        "_credit_bytes",
        "_handler",
        "_lane",
        "_opens_in",
        "_placed_in",
        "_queue",
        "_window",
        "deficit_bytes",
        "id",
        "is_over",
        "is_ready",
        "receiving",
        "sending",
    )

    BEGINS: ClassVar[tuple[tuple[Sending, Receiving], tuple[Sending, Receiving]]]
    """Its initial states: where more follows its OPEN, and where the OPEN is all."""
    _handler: StreamHandler | StreamLeg
    _count: Counting
    """The count to send with its end; set by `finish`."""
    deficit_bytes: int
    """Set while it is ready."""

    def __init__(
        self,
        lane: "StreamLane[LaneStream]",
        stream_id: int,
        handler: StreamHandler | StreamLeg,
        ends: bool,
        opens_in: int = -1,
    ) -> None:
        """``ends``: its OPEN carries END. ``opens_in``: the turn in which an OPEN of ours
        leaves."""
        self._lane = lane
        self.id = stream_id
        self._handler = handler
        self.sending, self.receiving = self.BEGINS[ends]
        self.is_over = False
        self._opens_in = opens_in
        self._placed_in = -1  # The last turn in which data left at once.
        self._queue: SendQueue | None = None  # Only while something waits.
        self._credit_bytes = _CREDIT_INITIAL
        self.is_ready = False
        self._window: ReceiveWindow | None = None  # None: the initial window, as the peer knows it.

    @property
    def neighbour(self) -> RouterId:
        """The router at the other end of the lane."""
        return self._lane.neighbour

    @property
    def neighbour_site(self) -> SiteId:
        return self._lane.neighbour_site

    @property
    def neighbour_holder(self) -> str:
        return self._lane.neighbour_holder

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
        ):  # The usual case. Later data of the same turn is queued, and so shares a frame.
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
            queue.is_awaited = True
            return False
        return True

    def send_trailers(self, block: bytes) -> None:
        if not self.is_over:
            self._check_sendable()
            self._queue_framed(frames.TRAILERS, block)

    def finish(self, in_flight: Counting = NOT_TOLD) -> None:
        if self.is_over:
            return
        if self.sending is not _OPEN_TO_SEND:
            self._check_sendable()
        self._count = in_flight
        self.sending = _FINISHING
        lane = self._lane
        outbox = lane.outbox
        if self._queue is not None or outbox.room_bytes < FIN_BYTES:
            self._ask_for_turn()
            return
        outbox.room_bytes -= FIN_BYTES
        outbox.fins.append((self, in_flight))
        if not lane.turn_asked:
            lane.ask_turn()

    def reset(self, code: ResetCode) -> None:
        if self.is_over:
            return
        known_to_peer = not self.unsent_open
        self.over()
        if known_to_peer:
            self._reset_peer(frames.encode(frames.RESET, self.id, bytes((RESETS.index(code),))))
        self._lane.end_later(self, code)

    # Calls of the lane.

    @property
    def unsent_open(self) -> bool:
        """The peer does not know this stream yet."""
        return self._opens_in >= self._lane.outbox.turn

    @property
    @abstractmethod
    def held_bytes(self) -> int:
        """Bytes not sent yet, and bytes received whose reader does not drain."""

    def reset_stalled(self) -> None:
        """Reset: the process holds too much, and this stream has stalled longest."""
        self.reset("stalled")

    def over(self) -> None:
        """Release everything; further calls have no effect."""
        self.let_go()
        self._lane.forget(self)

    @abstractmethod
    def let_go(self) -> None:
        """The stream is over: release everything it holds."""

    @abstractmethod
    def take_credit(self) -> int:
        """The bytes that the next WINDOW frame gives back; 0: none any more."""

    @abstractmethod
    def tell_writable(self) -> None:
        """The handler may send again."""

    @abstractmethod
    def tell_lost(self, cause: ResetCode | None) -> None:
        """The handler's last call."""

    def handler_failed(self) -> None:
        """An exception of its handler ends this stream alone."""
        _LOG.exception("stream handler failed", extra={"lane": self._lane.neighbour})
        self.reset("internal")

    @abstractmethod
    def _reset_peer(self, frame: bytes) -> None:
        """Send RESET."""

    def _complete(self) -> None:
        """All is sent and received: the stream is over, and its id is closed from here on."""
        lane = self._lane
        if lane.buffers.process.stalling:  # Paused streams stall, and this may be one.
            self.let_go()
        self.is_over = True
        self._window = None  # It holds the handler.
        del lane.streams[self.id]
        if lane.opening is not _ALLOWED:
            lane.ask_turn()

    @staticmethod
    def ends_left(streams: "Collection[LaneStream]") -> "list[LaneStream]":
        """The last frame of each was sent. Ends those that are complete both ways; returns those
        whose handler must learn it."""
        heard: list[LaneStream] = []
        for stream in streams:
            stream.sending = _ALL_SENT
            if stream.receiving is _ALL_RECEIVED and not stream.is_over:
                stream._complete()
                if stream._handler is not NOBODY:
                    heard.append(stream)
        return heard

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait to be sent."""
        queue = self._queue
        return queue.size_bytes if queue is not None else 0

    def fill(self, parts: list[Buffer], allowance_bytes: int) -> int:
        """Append frames to ``parts``, data up to ``allowance_bytes``; returns the number of bytes.

        Afterwards it is ready only if it can send more at once.
        """
        used = 0
        queue = self._queue
        if queue is not None:
            queued_bytes = queue.size_bytes
            used = self._fill_queued(parts, queue, allowance_bytes)
            self._lane.buffers.release(queued_bytes - queue.size_bytes)
        if self.sending is _FINISHING and self._queue is None and not self.is_over:
            parts.append(frames.encode_counted(frames.FIN, self.id, self._count.load))
            self.sending = _ALL_SENT
            used += _HEADER_BYTES + frames.COUNT_BYTES
        lane = self._lane
        if self.sending is _ALL_SENT:
            self.is_ready = False
            lane.outbox.ended.append(self)
            return used
        if queue is not None and queue.is_awaited and queue.size_bytes <= _SEND_QUEUE_BYTES // 2:
            queue.is_awaited = False
            lane.writable_due(self)
        queue = self._queue
        if queue is None:
            self.is_ready = False
        elif not self._credit_bytes and queue.begins_with_data:
            self.is_ready = False  # Only credit is missing.
            lane.buffers.process.stalled(self)
        return used

    def _fill_queued(self, parts: list[Buffer], queue: SendQueue, allowance_bytes: int) -> int:
        """`fill` from the queue; returns the number of bytes."""
        used = 0
        while not queue.is_empty and not self.is_over:
            framed = queue.take_frame()
            if framed is not None:
                used += self._fill_frame(parts, queue, *framed)
                continue
            room = min(allowance_bytes - used, self._credit_bytes, _PAYLOAD_MAX)
            if room <= 0:
                if self.sending is _FINISHING and isinstance(self._count, ToldCount):
                    self._count = NOT_TOLD
                return used
            end = self._encoded_count if self.sending is _FINISHING else None
            size, end_bytes = queue.take_data(parts, room, self._credit_bytes, end)
            self._credit_bytes -= size
            used += _HEADER_BYTES + size + end_bytes
            if end_bytes:
                self.sending = _ALL_SENT
        self._queue = None
        return used

    def _receive_window(self, increment_bytes: int) -> None:
        if increment_bytes == 0:
            raise LaneViolation("window-zero", f"empty WINDOW for stream {self.id}")
        if increment_bytes < limits.WINDOW_INCREMENT_BYTES_MIN:
            self._lane.floods.glitch(self._lane.now())
        self._credit_bytes += increment_bytes
        if self._credit_bytes > limits.CREDIT_BYTES_MAX:
            raise LaneViolation("window-overflow", f"stream {self.id} was given too much credit")
        self._stall_judged()
        if self._queue is not None:
            self._ask_for_turn()

    # Helpers.

    def _check_sendable(self) -> None:
        """Raise unless more may be sent now."""
        if self.sending is _FINISHING or self.sending is _ALL_SENT:
            raise LocalProtocolError("finished", "nothing can be sent after finish")

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
        """Mark the stream ready: something waits that may be sent."""
        if not self.is_ready:
            self.is_ready = True
            self.deficit_bytes = 0
            self._lane.ready(self)

    def _encoded_count(self) -> bytes:
        """The count that ends our direction, at its present value."""
        return encode_count(self._count.load)

    def _fill_frame(self, parts: list[Buffer], queue: SendQueue, kind: int, payload: bytes) -> int:
        """Append a frame that waited; returns its bytes."""
        if self.sending is _FINISHING and queue.is_empty:
            self.sending = _ALL_SENT
            kind |= frames.END
            if kind != _OPEN_END:
                payload += self._encoded_count()
        return self._append_frame(parts, kind, payload)

    def _append_frame(self, parts: list[Buffer], kind: int, payload: bytes) -> int:
        parts.append(frames.header(kind, len(payload), self.id))
        parts.append(payload)
        return _HEADER_BYTES + len(payload)

    def _stall_judged(self) -> None:
        is_paused = self._window is not None and self._window.is_paused
        if not is_paused and (self._credit_bytes or self._queue is None):
            self._lane.buffers.process.drains(self)
