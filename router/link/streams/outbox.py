"""The frames that leave a lane at the end of a turn, and their order.

Answers and control messages come first. Then, if earlier turns left nothing behind, frames that
fit, in order of arrival: see `Outbox.placed`. Then waiting data by deficit round-robin (Shreedhar
and Varghese, 1995).
"""

from collections import deque
from typing import Generic, Protocol, TypeVar

from router.link import frames
from router.link.ports import Counting
from router.link.streams.resets import ResetQueue
from router.model import limits
from router.net.ports import Buffer

_QUANTUM_BYTES = limits.LANE_QUANTUM_BYTES
_FRAME_BYTES = 8 + limits.FRAME_PAYLOAD_BYTES_MAX
_PLACED_BYTES_MAX = limits.LANE_PLACED_BYTES_MAX
_ANSWER_WORD, _ANSWER_HEADER_BYTES = frames.ANSWER_WORD, 8 + frames.ANSWER_PREFIX_BYTES
_pack_answer = frames.pack_answer
_COUNT_UNKNOWN = frames.COUNT_UNKNOWN
FIN_BYTES = 8 + frames.COUNT_BYTES


class Sender(Protocol):
    """A stream, as the outbox sees it."""

    id: int
    is_ready: bool
    """The stream has something that waits."""
    deficit_bytes: int
    """Bytes it was not given in its last turn. Owned by the outbox."""

    @property
    def queued_bytes(self) -> int: ...

    @property
    def is_over(self) -> bool: ...

    @property
    def unsent_open(self) -> bool:
        """Its OPEN was not sent yet: streams open in the order of their ids."""

    def fill(self, parts: list[Buffer], allowance_bytes: int) -> int:
        """Append frames, data up to ``allowance_bytes``; returns the number of bytes."""

    def take_credit(self) -> int:
        """The bytes that its WINDOW frame gives back; 0: none any more."""


S = TypeVar("S", bound=Sender)
_Answer = tuple[S, Counting, int, int, int, int, bytes, bytes]
"""Stream; its count; microseconds since ACCEPTED was due; declared length of the body; size of the
head; size of both; head; body."""


class Outbox(Generic[S]):
    """``ready`` are streams with data that arrived since their last turn. Those with little data go
    first, up to their part of a turn: at most 16 KiB of each in a round of the others. Those with
    much data wait in turn, each once.

    ``placed`` are whole frames of this turn (``turn`` is its number), ``answers`` become ANSWERs as
    they leave, ``fins`` are streams whose FIN follows their placed data, with their counts. Streams
    add to these without asking, as long as ``room_bytes`` allows. The state of a stream when the
    turn ends counts: nothing is sent for one that is over. ``ended``: streams whose last frame left
    in the last `fill`.

    ``resets_again_at``: when RESETs that wait for the peer's budget may leave; None: none wait.
    """

    __slots__ = (
        "_ahead",
        "_control",
        "_control_bytes",
        "_credits",
        "_in_turn",
        "_round_left",
        "_urgent",
        "_urgent_bytes",
        "answers",
        "ended",
        "fins",
        "placed",
        "ready",
        "resets",
        "resets_again_at",
        "room_bytes",
        "turn",
    )

    def __init__(self, now: float) -> None:
        self.turn = 0
        self.room_bytes = _PLACED_BYTES_MAX
        self.placed: list[tuple[S, bytes]] = []
        self.answers: list[_Answer[S]] = []
        self.fins: list[tuple[S, Counting]] = []
        self.ended: list[S] = []
        self.ready: deque[S] = deque()
        self._in_turn: deque[S] = deque()
        self._ahead: dict[int, int] = {}  # Bytes sent as new in this round, by id of the stream.
        self._round_left = 0  # The streams in turn still to serve until the next round.
        self.resets = ResetQueue(now)
        self.resets_again_at: float | None = None
        self._urgent: list[bytes] = []
        self._urgent_bytes = 0
        self._control: deque[bytes] = deque()
        self._control_bytes = 0
        self._credits: list[S] = []

    @property
    def is_empty(self) -> bool:
        """Nothing waits except perhaps data of open streams."""
        return not (self._urgent or self._control or self.resets)

    @property
    def has_more(self) -> bool:
        """After `fill`: there was more than one turn's worth."""
        return bool(self.ready or self._in_turn or self._control)

    def urgent(self, frame: bytes) -> bool:
        """Send ``frame`` ahead of all else. False: the peer lets too much of this wait."""
        self._urgent.append(frame)
        self._urgent_bytes += len(frame)
        return self._urgent_bytes <= limits.LANE_URGENT_BYTES_MAX

    def control(self, frame: bytes) -> bool:
        """Send ``frame`` ahead of all data. False: the peer lets too much of this wait."""
        self._control.append(frame)
        self._control_bytes += len(frame)
        return self._control_bytes <= limits.LANE_CONTROL_BYTES_MAX

    def credit(self, stream: S) -> None:
        """Send a WINDOW frame for ``stream``."""
        self._credits.append(stream)

    def last_words(self, goaway: bytes) -> bytes:
        """``goaway`` behind a handshake's messages; behind more messages it would only be late."""
        waiting = b"".join(self._control)
        return waiting + goaway if len(waiting) < 4096 else goaway

    def close_room(self) -> None:
        """Place nothing more in this turn."""
        self.room_bytes = 0

    def fill(self, parts: list[Buffer], now: float, turn_bytes: int) -> int:
        """Append one turn's worth of frames, about ``turn_bytes``; returns the number of bytes."""
        self.turn += 1
        room = turn_bytes - self._fill_first(parts, now, turn_bytes)
        self.ended = []
        if self.placed or self.answers or self.fins:
            room -= self._fill_placed(parts)
        if self.ready:
            room = self._fill_new(parts, room)
        in_turn = self._in_turn
        first_round = len(in_turn)
        while in_turn and room > 0:
            stream = in_turn.popleft()
            first_round -= 1
            if stream.is_over:
                continue
            allowance = room
            if in_turn:
                deficit = stream.deficit_bytes + _QUANTUM_BYTES
                if deficit < _FRAME_BYTES and stream.queued_bytes > deficit:
                    # Little data goes first. Much data waits for the second round, or at most some
                    # turns, and then leaves in whole frames: each costs the receiver a system call.
                    if first_round >= 0:
                        stream.deficit_bytes = deficit
                        in_turn.append(stream)
                        continue
                    deficit = _FRAME_BYTES
                stream.deficit_bytes = deficit
                allowance = deficit if deficit < room else room
            used = stream.fill(parts, allowance)
            room -= used
            self._round_left -= 1
            if stream.is_ready:
                # At most one frame: a turn's end cuts off streams that always have more.
                stream.deficit_bytes = min(max(0, stream.deficit_bytes - used), _FRAME_BYTES)
                in_turn.append(stream)
            else:
                stream.deficit_bytes = 0
            if self._round_left <= 0:
                self._ahead.clear()
                self._round_left = len(in_turn)
        self.room_bytes = 0
        if not (self.ready or in_turn):
            self.room_bytes = turn_bytes if turn_bytes < _PLACED_BYTES_MAX else _PLACED_BYTES_MAX
        return turn_bytes - room

    def _fill_new(self, parts: list[Buffer], room: int) -> int:
        """Send ``ready`` streams with little data, and OPENs, in order; returns the remaining room.

        Over a slow path a turn of all streams with much data takes seconds: no new stream waits
        that long, nor an OPEN for the body before it. The waiting streams get half of the room, or,
        if more new ones are ready, an equal part for each.
        """
        ready, in_turn = self.ready, self._in_turn
        waiting = len(in_turn)
        least = room * waiting // (waiting + max(waiting, len(ready)))
        ahead = self._ahead
        while ready and room > least:
            stream = ready.popleft()
            if stream.is_over:
                continue
            queued_bytes, allowance = stream.queued_bytes, room - least
            ahead_bytes = ahead.get(stream.id, 0)
            is_little = ahead_bytes + queued_bytes <= _QUANTUM_BYTES
            if is_little or stream.unsent_open:
                used = stream.fill(parts, allowance if is_little else 0)
                room -= used
                if waiting and len(ahead) < limits.STREAMS_PER_LANE_MAX:
                    ahead[stream.id] = ahead_bytes + used
            if not stream.is_ready:
                continue
            if is_little and queued_bytes > allowance:
                ready.appendleft(stream)
            else:
                in_turn.append(stream)
        return room

    def _fill_placed(self, parts: list[Buffer]) -> int:
        """Append the frames of this turn whose streams are not over; returns the number of
        bytes."""
        placed = [frame for stream, frame in self.placed if not stream.is_over]
        self.placed.clear()
        parts += placed
        used = sum(map(len, placed))
        ended: list[S] = []
        for stream, count, held_us, body_bytes, head_bytes, size, head, body in self.answers:
            if stream.is_over:
                continue
            ended.append(stream)
            in_flight = count.load
            if not 0 <= in_flight < _COUNT_UNKNOWN:
                in_flight = _COUNT_UNKNOWN
            prefix = _pack_answer(
                _ANSWER_WORD + size, stream.id, in_flight, held_us, body_bytes, head_bytes
            )
            parts += (prefix, head, body)
            used += size
        self.answers.clear()
        used += len(ended) * _ANSWER_HEADER_BYTES
        self.ended = ended
        if self.fins:
            used += self._fill_fins(parts, ended)
        return used

    def _fill_fins(self, parts: list[Buffer], ended: list[S]) -> int:
        """Append FINs. A RESET that waits for its turn replaces a FIN."""
        fins = [fin for fin in self.fins if not (fin[0].is_over or fin[0].is_ready)]
        self.fins.clear()
        parts += [
            frames.encode_counted(frames.FIN, stream.id, count.load) for stream, count in fins
        ]
        ended += [fin[0] for fin in fins]
        return len(fins) * FIN_BYTES

    def clear(self) -> None:
        """The lane is over. Control messages stay for `last_words`."""
        self.ready.clear()
        self._in_turn.clear()
        self._ahead.clear()
        self._credits.clear()
        self.ended.clear()
        self.placed.clear()
        self.answers.clear()
        self.fins.clear()
        self.room_bytes = 0
        self._urgent.clear()
        self.resets.clear()

    def _fill_first(self, parts: list[Buffer], now: float, turn_bytes: int) -> int:
        """Append answers, credit and control messages; returns the number of bytes."""
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
        while self._control and used < turn_bytes:
            frame = self._control.popleft()
            self._control_bytes -= len(frame)
            parts.append(frame)
            used += len(frame)
        if self.resets:
            reset_bytes, self.resets_again_at = self.resets.fill(parts, now)
            used += reset_bytes
        return used
