"""One lane: many streams over one connection.

Sending is pulled: streams mark themselves ready, and at the turn's end the outbox gives one turn's
worth of frames, which leave in one `send`. While the connection has unsent bytes nothing more is
handed to it. Credit is per stream only: a shared window lets lanes of a ring wait for each other.
"""

import logging
import struct

from router.link import control, frames
from router.link.fault import Fault
from router.link.frames import FrameDecoder, LaneViolation
from router.link.ports import OpenRequest, ResetCode, StreamHandler
from router.link.streams.buffers import LinkBuffers
from router.link.streams.lane import HeldAccept, LaneOwner
from router.link.streams.offered_stream import OfferedLaneStream
from router.link.streams.opened_stream import OpenedLaneStream
from router.link.streams.outbox import Outbox
from router.link.streams.receiving_stream import ReceivingStream
from router.link.streams.stream import NOBODY, LaneStream
from router.link.streams.stream_states import Sending
from router.model import limits
from router.model.errors import LocalProtocolError, RemoteProtocolError
from router.model.ids import RouterId, SiteId
from router.model.token_bucket import TokenBucket
from router.net.ports import Buffer, Connection, Loss, Timer, Timers

_LOG = logging.getLogger(__name__)
_encode_open = control.encode_open
_OPEN, _OPEN_END = frames.OPEN, frames.OPEN | frames.END
_OPEN_WORD, _OPEN_END_WORD = _OPEN << 24, _OPEN_END << 24
_STREAM_ID_MAX = frames.STREAM_ID_MAX
_PAYLOAD_MAX = limits.FRAME_PAYLOAD_BYTES_MAX
_pack_header = struct.Struct(">II").pack
_TIME = struct.Struct(">d")


class LaneMux:
    """Implements `ConnectionHandler` for a lane. ``dialled``: our ids are odd, else even."""

    def __init__(
        self,
        connection: Connection,
        timers: Timers,
        owner: "LaneOwner[LaneMux]",
        buffers: LinkBuffers,
        *,
        dialled: bool,
    ) -> None:
        now = timers.now()
        self.owner = owner
        self.connection = connection
        self.buffers = buffers
        self.neighbour = RouterId("")
        self.neighbour_site = SiteId("")
        self.bytes_in = 0
        self.bytes_out = 0
        self.heard_at = now
        self.rtt_s = 0.0
        self._timers = timers
        self.now = timers.now
        self.streams: dict[int, ReceivingStream] = {}
        """Those that are open, by id."""
        self._decoder = FrameDecoder(self, self.streams)
        self._next_id = 1 if dialled else 2
        self._peer_parity = 0 if dialled else 1
        self._peer_id = 0  # The highest that the peer used.
        self._serving = False  # Streams are allowed.
        self.takes_answers = False  # The peer does: ANSWER.
        self._asked_to_drain = False
        self.is_last = False
        """This side opens no more streams. The peer hears of it after the last OPEN."""
        self._said_last = self._heard_last = False
        self.offered = 0  # Streams of the peer that wait for our answer.
        self.outbox: Outbox[LaneStream] = Outbox(now)
        # Streams whose ACCEPTED is held back: since the last look, and since the one before.
        self.held: list[HeldAccept] = []
        self._held_longer: list[HeldAccept] = []
        self._held_timer: Timer | None = None
        self._pongs = 0  # In the outbox.
        self._writables: list[LaneStream] = []
        self._endings: list[tuple[LaneStream, ResetCode | None]] = []
        self._resets_in = TokenBucket(limits.RESETS_BURST, limits.RESETS_PER_S, now)
        self._glitches = TokenBucket(limits.GLITCHES_MAX, limits.GLITCHES_PER_S, now)
        self.turn_asked = False  # Else who has something to send must `ask_turn`.
        self._blocked = False
        self._unsent_bytes = 0  # When it was last looked at.
        self._moved_at = now
        self._fault: Fault | None = None
        self._told = False
        self._reset_timer: Timer | None = None
        self._rest_timer: Timer | None = None
        self._linger: Timer | None = None
        connection.set_high_mark(0)

    # What the owner does.

    @property
    def stream_count(self) -> int:
        """Streams open now, of either end."""
        return len(self.streams)

    @property
    def is_closed(self) -> bool:
        """It ended or is about to: no stream can be opened."""
        return self._fault is not None

    def serve(self, neighbour: RouterId, site: SiteId, *, takes_answers: bool = True) -> None:
        """The peer is known: streams may be opened from now on."""
        self.neighbour = neighbour
        self.neighbour_site = site
        self.takes_answers = takes_answers
        self._serving = True

    def belong_to(self, owner: "LaneOwner[LaneMux]", buffers: LinkBuffers) -> None:
        """``owner`` hears of it from now on: it is known which link the lane is of."""
        self.owner = owner
        self.buffers = buffers

    def learn_rtt(self, rtt_s: float) -> None:
        """As another lane of the link measured it."""
        self.rtt_s = rtt_s

    def open_stream(
        self, request: OpenRequest, handler: StreamHandler, *, ends: bool = False
    ) -> OpenedLaneStream | None:
        """A new stream; None: the lane is full, used up, or not serving."""
        if not self._serving or self.is_last:
            return None
        stream_id = self._next_id
        if stream_id > _STREAM_ID_MAX or len(self.streams) >= limits.STREAMS_PER_LANE_MAX:
            return None
        payload = _encode_open(request)
        size = len(payload)
        if size > _PAYLOAD_MAX:
            raise LocalProtocolError("frame-too-large", f"an OPEN of {size} bytes")
        outbox = self.outbox
        fits = size <= outbox.room_bytes
        stream = OpenedLaneStream(self, stream_id, handler, ends and fits, outbox.turn)
        self._next_id = stream_id + 2
        self.streams[stream_id] = stream
        if fits:
            outbox.room_bytes -= size
            header = _pack_header((_OPEN_END_WORD if ends else _OPEN_WORD) | size, stream_id)
            outbox.placed.append((stream, header + payload))
            if not self.turn_asked:
                self.ask_turn()
        else:
            outbox.room_bytes = 0  # No later one may overtake it.
            stream.open_later(payload, ends=ends)
        return stream

    @property
    def is_worn(self) -> bool:
        """So much was sent, or so many ids are used, that another lane has to take over."""
        return (
            max(self._next_id, self._peer_id) > limits.LANE_IDS_MAX
            or max(self.bytes_in, self.bytes_out) > limits.LANE_BYTES_MAX
        )

    @property
    def is_drained(self) -> bool:
        """Neither end opens more on it, and nothing is under way but perhaps to us."""
        return (
            self._said_last
            and self._heard_last
            and not self.streams
            and self.outbox.is_empty
            and not self._blocked
        )

    def drain(self) -> None:
        """Ask the peer to open no more streams on it; its LAST is the answer."""
        if not self._asked_to_drain:
            self._asked_to_drain = True
            self.send_control(control.encode(control.Drain()))

    def open_no_more(self) -> None:
        """No stream of ours follows; LAST tells the peer so, behind the last OPEN."""
        if not self.is_last:
            self.is_last = True
            self.ask_turn()

    def heard_last(self) -> None:
        """The peer opens no more."""
        self._heard_last = True
        self.ask_turn()

    def send_control(self, payload: bytes) -> None:
        """Queue a control message, ahead of all data."""
        if self._fault is not None:
            return
        if not self.outbox.control(frames.encode(frames.CONTROL, 0, payload)):
            self.abort(Fault("too-slow", "the neighbor does not read its control messages"))
        self.ask_turn()

    def ping(self) -> None:
        """Ask for a sign of life; it also measures the round trip."""
        self.urgent(frames.encode(frames.PING, 0, _TIME.pack(self.now())))

    def rest(self, rest_s: float) -> None:
        """Read nothing for so long. What came already is still delivered."""
        if self._rest_timer is None and self._fault is None:
            self.connection.pause()
            self._rest_timer = self._timers.call_at(self.now() + rest_s, self._end_rest)

    def _end_rest(self) -> None:
        if self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None
            self.connection.resume()

    def is_stalled(self, now: float) -> bool:
        """Nothing that waits has left for `limits.LANE_WRITE_STALL_S`. To be asked each second."""
        unsent_bytes = self.connection.buffered_bytes
        if not self._blocked or unsent_bytes != self._unsent_bytes:
            self._unsent_bytes = unsent_bytes
            self.woke(now)
        return now - self._moved_at >= limits.LANE_WRITE_STALL_S

    def woke(self, now: float) -> None:
        """Time in which we slept is nobody's stall."""
        self._moved_at = now

    def close(self, fault: Fault) -> None:
        """Say why (GOAWAY), then finish. All streams are lost."""
        if self._fault is not None:
            return
        frame = frames.encode(frames.CONTROL, 0, control.encode_goaway(fault.kind, fault))
        self._end(fault)
        if not self._blocked:
            self.connection.send(self.outbox.last_words(frame))
            self.connection.finish()
            self._linger = self._timers.call_at(
                self.now() + limits.LANE_LINGER_S, self.connection.abort
            )
        else:
            self.connection.abort()

    def abort(self, fault: Fault) -> None:
        """Reset the connection at once. All streams are lost."""
        if self._fault is None:
            self._end(fault)
            self.connection.abort()

    # ConnectionHandler.

    def received(self, data: memoryview) -> None:
        """Bytes of the peer."""
        self.bytes_in += len(data)
        self.heard_at = self.now()
        try:
            self._decoder.receive_data(data)
        except RemoteProtocolError as error:
            hint = "Do both routers run versions that go together?"
            self.close(Fault(error.code, error.reason or error.code, hint, "violation"))

    def ended(self) -> None:
        """The peer finished the lane: there is no half-closed lane."""
        if self._fault is None:
            self._end(Fault("lane-ended", "the neighbor closed the connection"))
        self.connection.finish()

    def writable(self) -> None:
        """Everything has left; the next turn may be filled."""
        self._blocked = False
        self.ask_turn()

    def lost(self, cause: Loss | None) -> None:
        """The connection is gone."""
        if self._fault is None:
            code = f"connection-{cause.code}" if cause else "lane-ended"
            why = f" ({cause.reason or cause.code})" if cause else ""
            self._end(Fault(code, f"the connection was lost{why}"))
        if self._linger is not None:
            self._linger.cancel()
        self._tell_endings()
        del self._decoder  # It held us, and perhaps a part of a frame.

    # FrameSink.

    def frame(self, kind: int, stream_id: int, payload: memoryview) -> None:
        """Take one frame of no open stream: an OPEN, nearly always."""
        if stream_id == 0:
            self._lane_frame(kind, payload)
            return
        ends = kind == _OPEN_END
        if not ends and kind != _OPEN:
            self._closed_frame(kind, stream_id)
            return
        if not self._serving:
            raise LaneViolation("not-authenticated", "OPEN before the handshake was done")
        if stream_id & 1 != self._peer_parity or stream_id > _STREAM_ID_MAX:
            raise LaneViolation("stream-id", f"stream {stream_id} is not the peer's to open")
        if self._heard_last:
            raise LaneViolation("after-last", f"stream {stream_id} was opened after LAST")
        if stream_id <= self._peer_id:
            raise LaneViolation("stream-id", f"stream {stream_id} was used before")
        self._peer_id = stream_id
        stream = OfferedLaneStream(self, stream_id, NOBODY, ends)
        self.streams[stream_id] = stream
        self.offered += 1
        if (
            self.offered > limits.STREAMS_OPENING_MAX
            or len(self.streams) > limits.STREAMS_PER_LANE_MAX
        ):
            control.decode_open(payload)  # What is none is worse.
            stream.refuse("busy", -1)
            return
        try:
            self.owner.lane_stream(stream, bytes(payload))
        except RemoteProtocolError:
            raise
        except Exception:
            _LOG.exception("stream could not be taken", extra={"lane": self.neighbour})
            stream.reset("internal")

    def _lane_frame(self, kind: int, payload: memoryview) -> None:
        if kind == frames.CONTROL:
            self.owner.lane_message(self, payload)
        elif kind == frames.PING:
            self._pongs += 1
            if self._pongs > limits.PING_QUEUE_MAX:
                raise LaneViolation("ping-flood", "more PINGs than answers can be sent")
            self.urgent(frames.encode(frames.PONG, 0, bytes(payload)))
        elif kind == frames.PONG:
            rtt_s = self.now() - float(_TIME.unpack(payload)[0])
            if not rtt_s >= 0.0:  # NaN neither.
                raise LaneViolation("bad-pong", "a PONG that answers no PING of ours")
            if rtt_s < limits.RTT_MAX_S:  # Else one of us slept meanwhile.
                self.rtt_s = rtt_s
                self.owner.lane_rtt(self, rtt_s)
        else:
            raise LaneViolation("stream-zero", f"frame of kind {kind:#x} on stream 0")

    def _closed_frame(self, kind: int, stream_id: int) -> None:
        """A frame under way when its stream ended is no fault; one for no stream ever is."""
        if kind == frames.CONTROL or kind in (frames.PING, frames.PONG):
            raise LaneViolation("stream-nonzero", f"frame of kind {kind:#x} on a stream")
        peers = stream_id & 1 == self._peer_parity
        if stream_id > self._peer_id if peers else stream_id >= self._next_id:
            raise LaneViolation("unknown-stream", f"stream {stream_id} was never opened")
        if stream_id in self.outbox.resets:
            base = kind & frames.KIND_MASK
            over = base in (frames.RESET, frames.REFUSED)
            if over or kind & frames.END or base == frames.FIN:
                self.outbox.resets.peer_ended(stream_id, wholly=over)

    # StreamLane.

    def judge_reset(self) -> None:
        """The peer resets a stream that it opened."""
        if not self._resets_in.take(self.now()):
            raise LaneViolation("reset-flood", "too many streams were opened and reset")

    def window_grows_within_s(self) -> float:
        """Four round trips, at least a few milliseconds."""
        return max(4 * self.rtt_s, limits.WINDOW_GROWS_WITHIN_S)

    def ready(self, stream: LaneStream) -> None:
        """``stream`` takes part in the next fill."""
        self.outbox.ready.append(stream)
        if not self.turn_asked:
            self.ask_turn()

    def urgent(self, frame: bytes) -> None:
        """Send ``frame`` ahead of all data."""
        if self._fault is not None:
            return
        if not self.outbox.urgent(frame):
            self.abort(Fault("too-slow", "the neighbor does not read our answers"))
        if not self.turn_asked:
            self.ask_turn()

    def hold_accepted(self) -> None:
        """One timer for all: each is held for once to twice `limits.ACCEPT_HELD_S`."""
        if self._held_timer is None:
            at = self.now() + limits.ACCEPT_HELD_S
            self._held_timer = self._timers.call_at(at, self._tell_accepted)

    def _tell_accepted(self) -> None:
        self._held_timer = None
        due, self._held_longer, self.held = self._held_longer, self.held, []
        for stream in due:
            if stream.sending is Sending.HELD:
                stream.tell_accepted()
        if self._held_longer:
            at = self.now() + limits.ACCEPT_HELD_S
            self._held_timer = self._timers.call_at(at, self._tell_accepted)

    def credit_due(self, stream: LaneStream) -> None:
        """``stream`` gets a WINDOW frame."""
        self.outbox.credit(stream)
        self.ask_turn()

    def writable_due(self, stream: LaneStream) -> None:
        """After the fill that made room."""
        self._writables.append(stream)

    def forget(self, stream: LaneStream) -> None:
        """The id is closed from here on."""
        self.streams.pop(stream.id, None)
        if stream.sending is Sending.OFFERED:
            self.offered -= 1
        if self.is_last:
            self.ask_turn()

    def end_later(self, stream: LaneStream, cause: ResetCode | None) -> None:
        """`lost` at the turn's end."""
        self._endings.append((stream, cause))
        if not self.turn_asked:
            self.ask_turn()

    def reset_own(self, stream: LaneStream, frame: bytes) -> None:
        """RESET of a stream that we opened: only as many as the peer bears."""
        self.outbox.resets.add(stream.id, frame, stream.sending is Sending.ENDED)
        self.ask_turn()

    def judge_buffers(self) -> None:
        """Relieve the process at the turn's end, if need be."""
        if self.buffers.process.is_above_mark:
            self.ask_turn()

    def misbehaved(self) -> None:
        """Count a glitch that the owner found, outside of reading."""
        if not self._glitches.take(self.now()):
            self.close(Fault("glitches", "too many messages that are refused", kind="violation"))

    def glitch(self) -> None:
        """Count something useless."""
        if not self._glitches.take(self.now()):
            raise LaneViolation("glitches", "too many empty frames or tiny windows")

    # The turn.

    def ask_turn(self) -> None:
        if not self.turn_asked:
            self.turn_asked = True
            self._timers.at_turn_end(self._turn_end)

    def _turn_end(self) -> None:
        self.turn_asked = False
        self.buffers.process.relieve()
        if self._fault is None and not self._blocked:
            self._flush()
            if self.is_last:
                self._see_to_the_last()
        self._tell_endings()

    def _see_to_the_last(self) -> None:
        if not self._said_last:
            if not any(stream.unsent_open for stream in self.streams.values()):
                self._said_last = True
                self.send_control(control.encode(control.Last()))
        elif self.is_drained:
            self.owner.lane_drained(self)

    def _flush(self) -> None:
        parts: list[Buffer] = []
        outbox = self.outbox
        self._pongs = 0
        used = outbox.fill(parts, self.now())
        if outbox.ended:
            heard = LaneStream.ends_left(outbox.ended)
            self._endings += [(stream, None) for stream in heard]
        if parts:
            self.bytes_out += used
            self._blocked = not self.connection.send(*parts)
            if self._blocked:
                outbox.room_bytes = 0
        if outbox.has_more and not self._blocked and not self.turn_asked:
            # More than one turn's worth: let the others have theirs first.
            self.turn_asked = True
            self._timers.call_at(self.now(), self._turn_end)
        if outbox.resets and outbox.resets_again_at is not None and self._reset_timer is None:
            self._reset_timer = self._timers.call_at(outbox.resets_again_at, self._resets_again)
        self._tell_writables()

    def _resets_again(self) -> None:
        self._reset_timer = None
        self.ask_turn()

    def _tell_writables(self) -> None:
        if not self._writables:
            return
        streams, self._writables = self._writables, []
        for stream in streams:
            if stream.is_over:
                continue
            try:
                stream.tell_writable()
            except Exception:
                stream.handler_failed()

    def _tell_endings(self) -> None:
        # The loss of the lane first: who opens a stream anew finds the routes without it.
        if self._fault is not None and not self._told:
            self._told = True
            self.owner.lane_lost(self, self._fault)
        while self._endings:
            endings, self._endings = self._endings, []
            for stream, cause in endings:
                try:
                    stream.tell_lost(cause)
                except Exception:
                    _LOG.exception("stream handler failed", extra={"lane": self.neighbour})

    def _end(self, fault: Fault) -> None:
        self._fault = fault
        self._serving = False
        self._decoder.close()
        self._end_rest()  # Or the peer's goodbye is not read.
        if self._reset_timer is not None:
            self._reset_timer.cancel()
        if self._held_timer is not None:
            self._held_timer.cancel()
        self.held.clear()
        self._held_longer.clear()
        self._writables.clear()
        for stream in list(self.streams.values()):
            stream.over()
            self._endings.append((stream, "link-lost"))
        self.outbox.clear()
        self.ask_turn()
