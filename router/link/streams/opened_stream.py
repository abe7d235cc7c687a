"""A stream that we opened: it receives ACCEPTED or REFUSED, then an answer."""

from collections.abc import Callable

from router.link import frames
from router.link.frames import LaneViolation, decode_count
from router.link.ports import NOT_TOLD, ResetCode, StreamHandler
from router.link.streams.lane import REFUSALS
from router.link.streams.receive_window import ReceiveWindow
from router.link.streams.receiving_stream import ReceivingStream
from router.link.streams.send_queue import SendQueue
from router.link.streams.stream_states import Receiving, Sending
from router.model import limits
from router.net.ports import Buffer

_ANSWER_PREFIX_BYTES = frames.ANSWER_PREFIX_BYTES
_COUNT_UNKNOWN = frames.COUNT_UNKNOWN
_HEADS_MAX = limits.HEADS_PER_STREAM_MAX
_LATER = 1 << 62  # A turn that is still to come.

# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
_FINISHING, _ALL_SENT = Sending.FINISHING, Sending.ENDED
_UNANSWERED, _OPEN_TO_RECEIVE = Receiving.UNANSWERED, Receiving.OPEN
_ALL_RECEIVED = Receiving.ENDED


class OpenedLaneStream(ReceivingStream):
    """Implements `router.link.ports.OpenedStream`."""

    __slots__ = ("_heads", "held_s")

    BEGINS = ((Sending.OPEN, _UNANSWERED), (_ALL_SENT, _UNANSWERED))
    _handler: StreamHandler
    _heads: int
    """The number of heads in its answer, once it is accepted."""
    held_s: float
    """Set once it is accepted or answered."""

    def hand_to(self, reader: Callable[[memoryview], None]) -> None:
        window = self._window or self._open_window()
        window.deliver = reader

    # Calls of the lane.

    def open_later(self, payload: bytes, *, ends: bool) -> None:
        """Queue its OPEN, with this payload, for a later turn; ``ends``: the OPEN ends our
        direction."""
        self._opens_in = _LATER
        if ends:
            self.sending, self._count = _FINISHING, NOT_TOLD
        self._queue_frame(frames.OPEN, payload)

    def tell_writable(self) -> None:
        self._handler.writable()

    def _fill_frame(self, parts: list[Buffer], queue: SendQueue, kind: int, payload: bytes) -> int:
        if kind == frames.OPEN:
            self._opens_in = -1
        return ReceivingStream._fill_frame(self, parts, queue, kind, payload)

    def _reset_peer(self, frame: bytes) -> None:
        self._lane.reset_own(self, frame)

    # Frames from the peer.

    def _receive_answer(self, base: int, payload: memoryview) -> None:
        self.receiving = _OPEN_TO_RECEIVE
        self._heads = 0
        self.held_s = 0.0
        if base == frames.ACCEPTED:
            self._handler.accepted(decode_count(payload))
        elif base == frames.ACCEPTED_LATE:
            self.held_s = frames.decode_held(payload)
            self._handler.accepted(decode_count(payload))
        elif base == frames.REFUSED:
            reason = REFUSALS[payload[0]] if payload[0] < len(REFUSALS) else "no-target"
            self.over()
            try:
                self._handler.refused(reason, decode_count(payload, 1))
            finally:
                self.tell_lost(None)
        else:
            raise LaneViolation("bad-order", f"stream {self.id} was not accepted yet")

    def receive_whole(self, payload: memoryview, size: int) -> None:
        """ANSWER: ACCEPTED (unless it came before), HEAD, DATA and END."""
        if self.receiving is not _UNANSWERED and not self._may_answer():
            return
        window = self._window
        count, held_us, body_bytes, head_bytes = frames.unpack_answer(payload)
        edge = _ANSWER_PREFIX_BYTES + head_bytes
        if size < edge or body_bytes < -1:
            raise LaneViolation("bad-answer", f"ANSWER on stream {self.id} is at odds with itself")
        if window is not None and size - edge > window.granted_bytes:
            raise LaneViolation("credit-exceeded", f"stream {self.id} sent beyond its credit")
        self.held_s = held_us / 1e6
        self.receiving = _ALL_RECEIVED
        head = bytes(payload[_ANSWER_PREFIX_BYTES:edge])
        in_flight = -1 if count == _COUNT_UNKNOWN else count
        self._handler.answered(head, body_bytes, payload[edge:], in_flight)
        if self.sending is _ALL_SENT and not self.is_over:
            self._complete()
            del self._handler  # `answered` was the last call.

    def _may_answer(self) -> bool:
        """ACCEPTED came before, and perhaps heads. False: too many heads."""
        if self.receiving is not _OPEN_TO_RECEIVE:
            raise self._out_of_order(frames.ANSWER)
        if self._heads >= _HEADS_MAX:
            self.reset("bad-message")
            return False
        return True

    def _receive_head(self, body: memoryview, *, ends: bool) -> None:
        self._heads += 1
        if self._heads > _HEADS_MAX:
            self.reset("bad-message")
            return
        body_bytes = int.from_bytes(body[:8], "big", signed=True)
        if body_bytes < -1:
            raise LaneViolation("bad-head", f"stream {self.id} has {body_bytes} body bytes")
        self._handler.head(bytes(body[8:]), body_bytes, ends)

    def _receive_reset(self, code: ResetCode) -> None:
        self.over()
        self.tell_lost(code)

    def _open_window(self) -> ReceiveWindow:
        self._window = window = ReceiveWindow(self._handler.received, self._lane.heard_at)
        return window

    def _tell_trailers(self, block: bytes) -> None:
        self._handler.trailers(block)

    def _tell_ended(self, count: int) -> None:
        self._handler.ended(count)
