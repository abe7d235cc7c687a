"""The receiving direction of a stream: the order of frames, credit, and delivery."""

from abc import abstractmethod

from router.link import frames
from router.link.frames import LaneViolation, decode_count
from router.link.ports import ResetCode
from router.link.streams.lane import RESETS
from router.link.streams.receive_window import ReceiveWindow
from router.link.streams.stream import LaneStream
from router.link.streams.stream_states import Receiving, Sending

_COUNT_UNKNOWN = frames.COUNT_UNKNOWN

# Bound once: looked up for each frame.
_ALL_SENT = Sending.ENDED
_UNANSWERED, _OPEN_TO_RECEIVE = Receiving.UNANSWERED, Receiving.OPEN
_TRAILED, _ALL_RECEIVED = Receiving.TRAILED, Receiving.ENDED


class ReceivingStream(LaneStream):
    """The decoder calls `receive` and its variants for each frame of the stream."""

    __slots__ = ()

    def pause(self) -> None:
        if self.is_over:
            return
        window = self._window or self._open_window()
        if not window.is_paused:
            window.pause(self._lane.now())
            self._lane.buffers.process.stalled(self)
            self._hold_more(window.uncredited_bytes)

    def resume(self) -> None:
        window = self._window
        if window is None or not window.is_paused:
            return
        window.resume(self._lane.now())
        self._lane.buffers.release(window.uncredited_bytes)
        self._stall_judged()
        if window.granted_bytes <= window.return_at_bytes:
            self._return_credit(window)

    # Calls of the lane.

    @property
    def held_bytes(self) -> int:
        """Bytes not sent yet, and bytes received whose reader does not drain."""
        window = self._window
        if window is None or not window.is_paused:
            return self.queued_bytes
        return self.queued_bytes + window.uncredited_bytes

    def take_credit(self) -> int:
        """The bytes that the next WINDOW frame gives back; 0: none any more."""
        window = self._window
        if window is None:
            return 0
        due, window.credit_due_bytes = window.credit_due_bytes, 0
        return 0 if self.receiving is _ALL_RECEIVED else due

    def let_go(self) -> None:
        """The stream is over: release everything it holds."""
        self.is_over = True
        buffers, window = self._lane.buffers, self._window
        if self._queue is not None or (window is not None and window.is_paused):
            buffers.release(self.held_bytes)
        if buffers.process.stalling:
            buffers.process.drains(self)
        self._queue = self._window = None

    def tell_lost(self, cause: ResetCode | None) -> None:
        """Make the handler's last call. The handler refers to us: avoid a cycle for the
        collector."""
        handler = self._handler
        del self._handler
        handler.lost(cause)

    # Calls of the decoder: `FrameStream`.

    def receive(self, kind: int, payload: memoryview) -> None:
        """Take one frame. Raises LaneViolation, and any exception of the handler."""
        base = kind & frames.KIND_MASK
        if base == frames.WINDOW:
            self._receive_window(int.from_bytes(payload, "big"))
        elif base == frames.RESET:
            code = payload[0]
            self._receive_reset(RESETS[code] if code < len(RESETS) else "internal")
        elif base == frames.OPEN:
            raise LaneViolation("stream-id", f"stream {self.id} is open already")
        elif self.receiving is _UNANSWERED:
            self._receive_answer(base, payload)
        elif base == frames.DATA:
            self._receive_last_data(payload)
        elif self.receiving is _ALL_RECEIVED:
            raise LaneViolation("after-fin", f"stream {self.id} went on after its end")
        elif base == frames.FIN:
            if self.receiving is not _OPEN_TO_RECEIVE:
                self._judge_order(0)
            count = frames.unpack_count(payload)[0]
            self._receive_end(-1 if count == _COUNT_UNKNOWN else count)
        else:
            self._receive_other(kind, payload)

    def receive_data(self, payload: memoryview, size: int, *, ends: bool = False) -> None:
        """Take DATA, the most common frame; otherwise as `receive`."""
        if self.receiving is not _OPEN_TO_RECEIVE:
            self._judge_order(size)
        window = self._window or self._open_window()
        if size > window.granted_bytes:
            raise LaneViolation("credit-exceeded", f"stream {self.id} sent beyond its credit")
        if not size:
            if not ends:
                self._lane.floods.glitch(self._lane.now())
            return
        window.granted_bytes -= size
        if window.is_paused:
            self._hold_more(size)
        if window.deliver(payload) is False:
            self.pause()
        if window.granted_bytes <= window.return_at_bytes and not ends:
            self._return_credit(window)

    def _hold_more(self, size: int) -> None:
        """Count ``size`` bytes that no reader takes while the stream is paused."""
        self._lane.buffers.hold(size)
        self._lane.judge_buffers()

    def _judge_order(self, size: int) -> None:
        """Raise for data of ``size`` bytes that came out of order. Trailers allow empty data."""
        if self.receiving is _UNANSWERED:
            raise LaneViolation("bad-order", f"stream {self.id} was not accepted yet")
        if self.receiving is _ALL_RECEIVED:
            raise LaneViolation("after-fin", f"stream {self.id} went on after its end")
        if size:
            raise LaneViolation("after-trailers", f"stream {self.id} sent data after trailers")

    def _receive_last_data(self, payload: memoryview) -> None:
        edge = len(payload) - frames.COUNT_BYTES
        self.receive_data(payload[:edge], edge, ends=True)
        if not self.is_over:
            self._receive_end(decode_count(payload, edge))

    def _receive_other(self, kind: int, payload: memoryview) -> None:
        base = kind & frames.KIND_MASK
        ends = kind & frames.END != 0
        body = payload[: -frames.COUNT_BYTES] if ends else payload
        if self.receiving is _TRAILED:
            raise self._out_of_order(base)
        if base == frames.HEAD:
            self._receive_head(body, ends=ends)
        elif base == frames.TRAILERS:
            self.receiving = _TRAILED
            self._tell_trailers(bytes(body))
        else:
            raise self._out_of_order(base)
        if ends and not self.is_over:
            self._receive_end(decode_count(payload, len(payload) - frames.COUNT_BYTES))

    def _receive_end(self, count: int) -> None:
        self.receiving = _ALL_RECEIVED
        self._tell_ended(count)
        if self.sending is _ALL_SENT and not self.is_over:
            self._complete()
            self.tell_lost(None)

    def _receive_answer(self, base: int, payload: memoryview) -> None:
        """The peer's first frame on a stream of ours."""
        raise self._out_of_order(base)

    def _receive_head(self, body: memoryview, *, ends: bool) -> None:
        raise self._out_of_order(frames.HEAD)

    def _out_of_order(self, base: int) -> LaneViolation:
        return LaneViolation("bad-order", f"frame of kind {base:#x} on stream {self.id}")

    @abstractmethod
    def receive_whole(self, payload: memoryview, size: int) -> None:
        """ANSWER."""

    @abstractmethod
    def _receive_reset(self, code: ResetCode) -> None:
        """The peer, or the router behind it, gave up the stream."""

    @abstractmethod
    def _tell_trailers(self, block: bytes) -> None: ...

    @abstractmethod
    def _tell_ended(self, count: int) -> None: ...

    # Helpers.

    @abstractmethod
    def _open_window(self) -> ReceiveWindow:
        """Make the window: the first data came, or the stream is being paused."""

    def _return_credit(self, window: ReceiveWindow) -> None:
        """Half the window was read: return credit, unless the stream is paused."""
        if self.is_over or window.is_paused or self.receiving is _ALL_RECEIVED:
            return
        lane = self._lane
        was_due = window.credit_due_bytes
        may_grow = lane.buffers.windows_may_grow
        window.return_credit(lane.now(), lane.window_grows_within_s(), may_grow=may_grow)
        if not was_due:
            lane.credit_due(self)
