"""A stream that the peer opened: accepted or refused, then answered."""

from collections.abc import Callable

from router.link import frames
from router.link.frames import encode_count
from router.link.ports import Counting, Refusal, ResetCode, StreamLeg
from router.link.streams.lane import REFUSALS, RESETS
from router.link.streams.receive_window import ReceiveWindow
from router.link.streams.receiving_stream import ReceivingStream
from router.link.streams.send_queue import SendQueue
from router.link.streams.stream import NOBODY
from router.link.streams.stream_states import Receiving, Sending
from router.model import limits
from router.model.errors import LocalProtocolError
from router.net.ports import Buffer

_ANSWER_END = frames.ANSWER | frames.END
_ANSWER_BYTES_MAX = limits.ANSWER_BYTES_MAX
_HELD_US_MAX = frames.HELD_US_MAX

# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
_OFFERED, _HELD, _OPEN_TO_SEND = Sending.OFFERED, Sending.HELD, Sending.OPEN
_FINISHING, _ALL_SENT = Sending.FINISHING, Sending.ENDED
_OPEN_TO_RECEIVE, _ALL_RECEIVED = Receiving.OPEN, Receiving.ENDED


class OfferedLaneStream(ReceivingStream):
    """Implements `router.link.ports.OfferedStream`. It leads nowhere until `lead_to`."""

    __slots__ = ("_held_since", "_late_count")

    BEGINS = ((_OFFERED, _OPEN_TO_RECEIVE), (_OFFERED, _ALL_RECEIVED))
    _handler: StreamLeg
    _held_since: float
    """While it is held: when ACCEPTED was due."""
    _late_count: Callable[[], int]
    """While it is held: gives the count for a separate ACCEPTED."""

    # Calls of the owner.

    def lead_to(self, leg: StreamLeg) -> None:
        self._handler = leg
        if self._window is not None:
            self._window.deliver = leg.send

    @property
    def is_complete(self) -> bool:
        return self.receiving is _ALL_RECEIVED

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
        self._held_since = lane.now()
        held = lane.held_accepts
        if not held.waiting:
            held.start()
        held.waiting.append(self)

    def tell_accepted(self) -> None:
        """Send the ACCEPTED that was held back, since no answer came in time."""
        late_count = self._late_count
        del self._late_count  # It refers to our leg.
        if self.is_over:
            return
        self.sending = _OPEN_TO_SEND
        lane, held_s = self._lane, self._lane.now() - self._held_since
        lane.urgent(frames.encode_accepted(self.id, late_count(), held_s))

    def answer(
        self, head: bytes, body_bytes: int, body: Buffer, in_flight: Counting, held_s: float = 0.0
    ) -> bool:
        if self.is_over:
            return False
        lane = self._lane
        head_bytes = len(head)
        size = head_bytes + len(body)
        sending = self.sending
        is_first = sending is _HELD or sending is _OFFERED  # Nothing was sent before it.
        # In transit, earlier data may have used up the credit towards the ingress. Only the body
        # takes credit, but comparing the whole size does no harm and saves a call.
        if (
            size > _ANSWER_BYTES_MAX
            or size > self._credit_bytes
            or not lane.takes_answers
            or not (is_first or (sending is _OPEN_TO_SEND and self._queue is None))
        ):
            if sending is _OFFERED:
                self.accept(in_flight.load, held_s)
            self.send_head(head, body_bytes)
            self.send(body)
            self.finish(in_flight)
            return False
        if sending is _OFFERED:
            lane.offered -= 1
        elif sending is _HELD:
            held_s = lane.now() - self._held_since
            del self._late_count  # It refers to our leg.
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
            if self.receiving is not _ALL_RECEIVED:
                return False
            self._handler = NOBODY
            return True
        self._count = in_flight
        self._queue_frame(_ANSWER_END, frames.answer_rest(held_us, body_bytes, head) + body)
        return False

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
        if self.sending is not _OPEN_TO_SEND:
            self._check_sendable()
        self._queue_framed(frames.HEAD, body_bytes.to_bytes(8, "big", signed=True) + head)
        if end:
            self.finish()

    def break_off(self, code: ResetCode) -> None:
        if self.is_over:
            return
        if self._queue is not None or self._placed_in == self._lane.outbox.turn:
            self._queue_frame(frames.RESET, bytes((RESETS.index(code),)))
        else:
            self.reset(code)

    def reset(self, code: ResetCode) -> None:
        if self.sending is _HELD and not self.is_over:
            self.tell_accepted()  # It did hold a target.
        ReceivingStream.reset(self, code)

    # Calls of the lane.

    def tell_writable(self) -> None:
        self._handler.resume()

    def _check_sendable(self) -> None:
        if self.sending is _HELD:
            self.tell_accepted()
        elif self.sending is _OFFERED:
            raise LocalProtocolError("not-accepted", "the egress accepts before it sends")
        ReceivingStream._check_sendable(self)

    def _fill_frame(self, parts: list[Buffer], queue: SendQueue, kind: int, payload: bytes) -> int:
        if kind == frames.RESET:  # `break_off`: everything before it was sent.
            self.over()
            self._lane.end_later(self, RESETS[payload[0]])
            return self._append_frame(parts, kind, payload)
        if kind == _ANSWER_END:
            self.sending = _ALL_SENT
            return self._append_frame(parts, kind, self._encoded_count() + payload)
        return ReceivingStream._fill_frame(self, parts, queue, kind, payload)

    def _reset_peer(self, frame: bytes) -> None:
        self._lane.urgent(frame)

    # Frames from the peer.

    def receive_whole(self, payload: memoryview, size: int) -> None:
        raise self._out_of_order(frames.ANSWER)

    def _receive_reset(self, code: ResetCode) -> None:
        self._lane.floods.reset(self._lane.now())
        self.over()
        self.tell_lost(code)

    def _open_window(self) -> ReceiveWindow:
        self._window = window = ReceiveWindow(self._handler.send, self._lane.heard_at)
        return window

    def _tell_trailers(self, block: bytes) -> None:
        self._handler.send_trailers(block)

    def _tell_ended(self, count: int) -> None:
        self._handler.finish()
