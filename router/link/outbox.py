"""What waits to leave a lane, and in which order.

Answers and control first, then data by deficit round-robin (Shreedhar and Varghese, 1995), at most
`limits.LANE_TURN_BYTES_MAX` at a time.
"""

from collections import deque

from router.link import frames
from router.link.resets import ResetQueue
from router.link.stream import LaneStream
from router.model import limits
from router.net.ports import Buffer

_QUANTUM_BYTES = limits.LANE_QUANTUM_BYTES
_FRAME_BYTES = 8 + limits.FRAME_PAYLOAD_BYTES_MAX


class Outbox:
    """``ready`` are the streams with something to send, each once, in turn.

    ``resets_again_at``: when RESETs that had to wait for the peer's budget may leave; None: none
    wait.
    """

    __slots__ = (
        "_control",
        "_control_bytes",
        "_credits",
        "_urgent",
        "_urgent_bytes",
        "ready",
        "resets",
        "resets_again_at",
    )

    def __init__(self, now: float) -> None:
        self.ready: deque[LaneStream] = deque()
        self.resets = ResetQueue(now)
        self.resets_again_at: float | None = None
        self._urgent: list[bytes] = []
        self._urgent_bytes = 0
        self._control: deque[bytes] = deque()
        self._control_bytes = 0
        self._credits: list[LaneStream] = []

    @property
    def is_empty(self) -> bool:
        """Nothing waits but perhaps data of streams that are open."""
        return not (self._urgent or self._control or self.resets)

    @property
    def has_more(self) -> bool:
        """After `fill`: it was more than one turn's worth."""
        return bool(self.ready or self._control)

    def urgent(self, frame: bytes) -> bool:
        """Ahead of all else. False: the peer lets too much of it wait."""
        self._urgent.append(frame)
        self._urgent_bytes += len(frame)
        return self._urgent_bytes <= limits.LANE_URGENT_BYTES_MAX

    def control(self, frame: bytes) -> bool:
        """Ahead of all data. False: the peer lets too much of it wait."""
        self._control.append(frame)
        self._control_bytes += len(frame)
        return self._control_bytes <= limits.LANE_CONTROL_BYTES_MAX

    def credit(self, stream: LaneStream) -> None:
        """A WINDOW frame for ``stream``."""
        self._credits.append(stream)

    def last_words(self, goaway: bytes) -> bytes:
        """``goaway`` behind a handshake's messages; behind more it would only be late."""
        waiting = b"".join(self._control)
        return waiting + goaway if len(waiting) < 4096 else goaway

    def fill(self, parts: list[Buffer], now: float) -> int:
        """Append one turn's worth of frames; how many bytes."""
        room = limits.LANE_TURN_BYTES_MAX - self._fill_first(parts, now)
        ready = self.ready
        first_round = len(ready)
        while ready and room > 0:
            stream = ready.popleft()
            first_round -= 1
            if stream.is_over:
                continue
            allowance = room
            if ready:
                deficit = stream.deficit_bytes + _QUANTUM_BYTES
                if deficit < _FRAME_BYTES and stream.queued_bytes > deficit:
                    # Little first. Much waits for the second round, or some turns at most, and then
                    # leaves in whole frames: each costs the receiver a call of the system.
                    # OPENs keep their order.
                    if first_round >= 0 and not stream.unsent_open:
                        stream.deficit_bytes = deficit
                        ready.append(stream)
                        continue
                    deficit = _FRAME_BYTES
                stream.deficit_bytes = deficit
                allowance = deficit if deficit < room else room
            used = stream.fill(parts, allowance)
            room -= used
            if stream.is_ready:
                stream.deficit_bytes = max(0, stream.deficit_bytes - used)
                ready.append(stream)
            else:
                stream.deficit_bytes = 0
        return limits.LANE_TURN_BYTES_MAX - room

    def clear(self) -> None:
        """The lane is over."""
        self.ready.clear()
        self._urgent.clear()
        self.resets.clear()

    def _fill_first(self, parts: list[Buffer], now: float) -> int:
        """Answers, credit and control; how many bytes."""
        used = self._urgent_bytes
        parts += self._urgent
        self._urgent.clear()
        self._urgent_bytes = 0
        for stream in self._credits:
            due = stream.take_credit()
            if due:
                parts.append(frames.encode(frames.WINDOW, stream.id, due.to_bytes(4, "big")))
                used += 12
        self._credits.clear()
        while self._control and used < limits.LANE_TURN_BYTES_MAX:
            frame = self._control.popleft()
            self._control_bytes -= len(frame)
            parts.append(frame)
            used += len(frame)
        if self.resets:
            reset_bytes, self.resets_again_at = self.resets.fill(parts, now)
            used += reset_bytes
        return used
