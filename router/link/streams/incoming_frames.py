"""Frames of a lane outside its open streams: OPEN, frames of the lane itself, and late frames."""

import logging
import struct
from typing import Protocol

from router.link import control, frames
from router.link.frames import LaneViolation
from router.link.ports import OfferedStream
from router.link.streams.lane import StreamLane
from router.link.streams.lane_states import PeerOpening
from router.link.streams.offered_stream import OfferedLaneStream
from router.link.streams.peer_floods import PeerFloods
from router.link.streams.receiving_stream import ReceivingStream
from router.link.streams.stream import NOBODY, LaneStream
from router.model import limits
from router.model.errors import RemoteProtocolError

_LOG = logging.getLogger(__name__)
_OPEN, _OPEN_END = frames.OPEN, frames.OPEN | frames.END
_STREAM_ID_MAX = frames.STREAM_ID_MAX
_TIME = struct.Struct(">d")
# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
_ALLOWED = PeerOpening.ALLOWED


def ping(now: float) -> bytes:
    """A PING whose answer measures the round trip."""
    return frames.encode(frames.PING, 0, _TIME.pack(now))


class StreamTaker(Protocol):
    """The owner of a lane, for the streams that its peer opens."""

    def lane_stream(self, stream: OfferedStream, body: bytes) -> None:
        """See `LaneOwner`."""


class FrameLane(StreamLane[LaneStream], Protocol):
    """Interface of the lane for `IncomingFrames`, in addition to that for streams."""

    @property
    def owner(self) -> StreamTaker: ...

    @property
    def streams(self) -> dict[int, ReceivingStream]: ...

    @property
    def next_id(self) -> int:
        """The id of the next stream that this end opens."""

    def message_received(self, payload: memoryview) -> None:
        """A control message."""

    def round_trip_measured(self, rtt_s: float) -> None:
        """A PING came back."""


class IncomingFrames:
    """Implements `FrameSink`. Records which streams the peer opened, and whether it may open
    more."""

    __slots__ = ("_floods", "_lane", "_parity", "awaited_pongs", "highest_id", "opening")

    def __init__(self, lane: FrameLane, floods: PeerFloods, parity: int) -> None:
        """``parity``: of the ids that the peer uses, 0 or 1."""
        self._lane = lane
        self._floods = floods
        self._parity = parity
        self.highest_id = 0
        """The highest id of a stream that the peer opened."""
        self.awaited_pongs = 0
        """Our PINGs that are not answered yet."""
        self.opening = PeerOpening.NOT_YET

    # Calls of the lane.

    def allow(self) -> None:
        """The peer is known, and may open streams."""
        if self.opening is PeerOpening.NOT_YET:
            self.opening = PeerOpening.ALLOWED

    def ask_for_last(self) -> bool:
        """The peer should open no more streams; True: ask it now."""
        is_news = self.opening is PeerOpening.ALLOWED
        if is_news:
            self.opening = PeerOpening.ASKED
        return is_news

    def receive_last(self) -> None:
        """The peer opens no more streams."""
        if self.opening is not PeerOpening.NOT_YET:
            self.opening = PeerOpening.LAST_RECEIVED

    def let_go(self) -> None:
        """The lane is gone: no frame follows."""
        del self._lane

    # FrameSink.

    def frame(self, kind: int, stream_id: int, payload: memoryview) -> None:
        """Take one frame of no open stream: nearly always an OPEN."""
        if stream_id == 0:
            self._lane_frame(kind, payload)
            return
        ends = kind == _OPEN_END
        if not ends and kind != _OPEN:
            self._closed_frame(kind, stream_id)
            return
        if self.opening is not _ALLOWED:
            self._judge_opening(stream_id)
        if stream_id & 1 != self._parity or stream_id > _STREAM_ID_MAX:
            raise LaneViolation("stream-id", f"stream {stream_id} is not the peer's to open")
        if stream_id <= self.highest_id:
            raise LaneViolation("stream-id", f"stream {stream_id} was used before")
        self.highest_id = stream_id
        lane = self._lane
        stream = OfferedLaneStream(lane, stream_id, NOBODY, ends)
        streams = lane.streams
        streams[stream_id] = stream
        lane.offered = offered = lane.offered + 1
        if offered > limits.STREAMS_OPENING_MAX or len(streams) > limits.STREAMS_PER_LANE_MAX:
            control.decode_open(payload)  # An undecodable OPEN is a protocol error, which is worse.
            stream.refuse("busy", -1)
            return
        try:
            lane.owner.lane_stream(stream, bytes(payload))
        except RemoteProtocolError:
            raise
        except Exception:
            _LOG.exception("stream could not be taken", extra={"lane": lane.neighbour})
            stream.reset("internal")

    def _judge_opening(self, stream_id: int) -> None:
        if self.opening is PeerOpening.NOT_YET:
            raise LaneViolation("not-authenticated", "OPEN before the handshake was done")
        if self.opening is PeerOpening.LAST_RECEIVED:
            raise LaneViolation("after-last", f"stream {stream_id} was opened after LAST")

    def _lane_frame(self, kind: int, payload: memoryview) -> None:
        lane = self._lane
        if kind == frames.CONTROL:
            lane.message_received(payload)
        elif kind == frames.PING:
            self._floods.ping(lane.outbox.turn)
            lane.urgent(frames.encode(frames.PONG, 0, bytes(payload)))
        elif kind == frames.PONG:
            rtt_s = lane.now() - float(_TIME.unpack(payload)[0])
            if not rtt_s >= 0.0:  # Also false for NaN.
                raise LaneViolation("bad-pong", "a PONG that answers no PING of ours")
            if not self.awaited_pongs:
                self._floods.glitch(lane.now())
                return
            self.awaited_pongs -= 1
            if rtt_s < limits.RTT_MAX_S:  # Otherwise one end slept meanwhile.
                lane.round_trip_measured(rtt_s)
        else:
            raise LaneViolation("stream-zero", f"frame of kind {kind:#x} on stream 0")

    def _closed_frame(self, kind: int, stream_id: int) -> None:
        """Judge a frame of no open stream: no fault if its stream ended meanwhile, else a
        violation."""
        if kind == frames.CONTROL or kind in (frames.PING, frames.PONG):
            raise LaneViolation("stream-nonzero", f"frame of kind {kind:#x} on a stream")
        lane = self._lane
        peers = stream_id & 1 == self._parity
        if stream_id > self.highest_id if peers else stream_id >= lane.next_id:
            raise LaneViolation("unknown-stream", f"stream {stream_id} was never opened")
        resets = lane.outbox.resets
        if stream_id in resets:
            base = kind & frames.KIND_MASK
            over = base in (frames.RESET, frames.REFUSED)
            if over or kind & frames.END or base == frames.FIN:
                resets.peer_ended(stream_id, wholly=over)
