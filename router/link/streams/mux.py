"""One lane: many streams over one connection.

Sending is pulled: streams mark themselves ready, and at the turn's end the outbox gives one turn's
worth of frames, which leave in one `send`. While the connection has unsent bytes, it is handed
nothing more. Credit is per stream only: with a shared window, lanes of a ring could wait for each
other.
"""

import struct

from router.link import control, frames
from router.link.fault import Fault
from router.link.frames import FrameDecoder
from router.link.ports import OpenRequest, ResetCode, StreamHandler
from router.link.streams.buffers import LinkBuffers
from router.link.streams.held_accepts import HeldAccepts
from router.link.streams.holder_share import HolderShare
from router.link.streams.incoming_frames import IncomingFrames, ping
from router.link.streams.lane import LaneOwner
from router.link.streams.lane_states import Opening, PeerOpening
from router.link.streams.opened_stream import OpenedLaneStream
from router.link.streams.outbox import Outbox
from router.link.streams.peer_floods import PeerFloods
from router.link.streams.reading_pause import ReadingPause
from router.link.streams.receiving_stream import ReceivingStream
from router.link.streams.stream import LaneStream
from router.link.streams.stream_news import StreamNews
from router.link.streams.stream_states import Sending
from router.link.streams.write_flow import WriteFlow
from router.model import limits
from router.model.errors import LocalProtocolError, RemoteProtocolError
from router.model.ids import RouterId, SiteId
from router.net.ports import Buffer, Connection, Loss, Timer, Timers

_encode_open = control.encode_open
_OPEN_WORD, _OPEN_END_WORD = frames.OPEN << 24, (frames.OPEN | frames.END) << 24
_STREAM_ID_MAX, _PAYLOAD_MAX = frames.STREAM_ID_MAX, limits.FRAME_PAYLOAD_BYTES_MAX
_pack_header = struct.Struct(">II").pack
_ALLOWED = Opening.ALLOWED  # Bound once: looked up for each stream.
_VIOLATION_HINT = "Do both routers run versions that go together?"


class LaneMux:
    """Implements `ConnectionHandler` for a lane. ``dialed``: our ids are odd, else even."""

    def __init__(
        self,
        connection: Connection,
        timers: Timers,
        owner: "LaneOwner[LaneMux]",
        buffers: LinkBuffers,
        *,
        dialed: bool,
    ) -> None:
        now = timers.now()
        self.owner = owner
        self.connection = connection
        self.buffers = buffers
        self.neighbour = RouterId("")
        self.neighbour_site = SiteId("")
        self.neighbour_holder = ""
        self.bytes_in = 0
        self.bytes_out = 0
        self.heard_at = now
        self.rtt_s = 0.0
        self._timers = timers
        self.now = timers.now
        self.streams: dict[int, ReceivingStream] = {}
        """Open streams by id."""
        self.floods = PeerFloods(now)
        self._incoming = IncomingFrames(self, self.floods, parity=0 if dialed else 1)
        self._decoder = FrameDecoder(self._incoming, self.streams)
        self.next_id = 1 if dialed else 2
        self.opening = Opening.NOT_YET
        self.takes_answers = False  # The peer takes ANSWER.
        self.offered = 0  # Streams of the peer that wait for our answer.
        self.outbox: Outbox[LaneStream] = Outbox(now)
        self.held_accepts = HeldAccepts(timers)
        self._news = StreamNews()
        self.turn_asked = False  # If False, a stream with something to send must call `ask_turn`.
        self._flow = WriteFlow(connection, now)
        self._pause = ReadingPause(connection, timers)
        self._share: HolderShare | None = None
        self._fault: Fault | None = None
        self._untold_fault: Fault | None = None  # The same, until the owner knows it.
        self._reset_timer: Timer | None = None
        self._linger: Timer | None = None

    # Calls of the owner.

    @property
    def stream_count(self) -> int:
        """Streams open now, from either end."""
        return len(self.streams)

    @property
    def is_closed(self) -> bool:
        """The lane ended or is about to: no stream can be opened."""
        return self._fault is not None

    def read_within(self, share: HolderShare) -> None:
        """Charge the time of reading to ``share`` from now on."""
        if self._fault is None and share is not self._share:
            self._leave_share()
            self._share, self.neighbour_holder = share, share.holder
            share.joined(self)

    def serve(self, neighbour: RouterId, site: SiteId, *, takes_answers: bool = True) -> None:
        """The peer is known: streams may be opened from now on."""
        self.neighbour = neighbour
        self.neighbour_site = site
        self.takes_answers = takes_answers
        if self.opening is Opening.NOT_YET:
            self.opening = _ALLOWED
        self._incoming.allow()

    def belong_to(self, owner: "LaneOwner[LaneMux]", buffers: LinkBuffers) -> None:
        """``owner`` gets the calls from now on: the lane's link is known."""
        self.owner = owner
        self.buffers = buffers

    def learn_rtt(self, rtt_s: float) -> None:
        """Use the round trip that another lane of the link measured."""
        self.rtt_s = rtt_s

    def open_stream(
        self, request: OpenRequest, handler: StreamHandler, *, ends: bool = False
    ) -> OpenedLaneStream | None:
        """Open a new stream; None: the lane is full, used up, or not serving."""
        if self.opening is not _ALLOWED:
            return None
        stream_id = self.next_id
        if stream_id > _STREAM_ID_MAX or len(self.streams) >= limits.STREAMS_PER_LANE_MAX:
            return None
        payload = _encode_open(request)
        size = len(payload)
        if size > _PAYLOAD_MAX:
            raise LocalProtocolError("frame-too-large", f"an OPEN of {size} bytes")
        outbox = self.outbox
        fits = size <= outbox.room_bytes
        stream = OpenedLaneStream(self, stream_id, handler, ends and fits, outbox.turn)
        self.next_id = stream_id + 2
        self.streams[stream_id] = stream
        if fits:
            outbox.room_bytes -= size
            header = _pack_header((_OPEN_END_WORD if ends else _OPEN_WORD) | size, stream_id)
            outbox.placed.append((stream, header + payload))
            if not self.turn_asked:
                self.ask_turn()
        else:
            outbox.close_room()  # No later OPEN may overtake it.
            stream.open_later(payload, ends=ends)
        return stream

    @property
    def needs_replacement(self) -> bool:
        """So much was sent, or so many ids are used, that another lane must replace it."""
        return (
            max(self.next_id, self._incoming.highest_id) > limits.LANE_IDS_MAX
            or max(self.bytes_in, self.bytes_out) > limits.LANE_BYTES_MAX
        )

    @property
    def is_drained(self) -> bool:
        """Neither end opens more streams, and nothing is under way except perhaps to us."""
        return (
            self.opening is Opening.LAST_SENT
            and self._incoming.opening is PeerOpening.LAST_RECEIVED
            and not self.streams
            and self.outbox.is_empty
            and not self._flow.is_full
        )

    def drain(self) -> None:
        """Ask the peer to open no more streams on this lane; its LAST is the answer."""
        if self._incoming.ask_for_last():
            self.send_control(control.encode(control.Drain()))

    def open_no_more(self) -> None:
        """Open no more streams; LAST reports it, behind the last OPEN."""
        if self.opening is _ALLOWED:
            self.opening = Opening.LAST_DUE
            self.ask_turn()

    def heard_last(self) -> None:
        """The peer opens no more streams."""
        self._incoming.receive_last()
        self.ask_turn()

    def send_control(self, payload: bytes) -> None:
        """Queue a control message, ahead of all data."""
        if self._fault is not None:
            return
        if not self.outbox.control(frames.encode(frames.CONTROL, 0, payload)):
            self.abort(Fault("too-slow", "the neighbor does not read its control messages"))
        self.ask_turn()

    def ping(self) -> None:
        """Send a PING for a sign of life; it also measures the round trip."""
        self._incoming.awaited_pongs += 1
        self.urgent(ping(self.now()))

    def rest(self, rest_s: float) -> None:
        """Read nothing for ``rest_s``. Data that has arrived is still delivered."""
        if self._fault is None:
            self._pause.begin(rest_s)

    def hold_reading(self) -> None:
        """See `ReadLane`."""
        if self._fault is None:
            self._pause.hold()

    def read_on(self) -> None:
        """See `ReadLane`."""
        self._pause.let_go()

    def look(self, now: float) -> bool:
        """At each tick, limit a turn to what the connection carries. True: it stalls."""
        return self._flow.look(now, self.bytes_out)

    @property
    def alive_at(self) -> float:
        """When the peer was last heard, or its host later took something of a backlog."""
        return max(self.heard_at, self._flow.carried_at)

    def woke(self, now: float) -> None:
        """The time in which this process slept counts as no stall."""
        self._flow.woke(now)

    def close(self, fault: Fault) -> None:
        """Say why (GOAWAY), then finish. All streams are lost."""
        if self._fault is not None:
            return
        frame = frames.encode(frames.CONTROL, 0, control.encode_goaway(fault.kind, fault))
        self._end(fault)
        if not self._flow.is_full:
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
        """Bytes from the peer."""
        self.bytes_in += len(data)
        self.heard_at = began = self.now()
        share = self._share  # The data may change `_share`.
        try:
            self._decoder.receive_data(data)
        except RemoteProtocolError as error:
            self.close(Fault(error.code, error.reason or error.code, _VIOLATION_HINT, "violation"))
        ended = self.now()
        if share is not None and ended - began > share.short_s:
            share.took(self, began, ended)

    def ended(self) -> None:
        """The peer finished the lane: there is no half-closed lane."""
        if self._fault is None:
            self._end(Fault("lane-ended", "the neighbor closed the connection"))
        self.connection.finish()

    def writable(self) -> None:
        """Everything was sent; the next turn may be filled."""
        self._flow.emptied(self.now(), self.bytes_out)
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
        del self._decoder  # It holds this lane, and perhaps part of a frame.
        self._incoming.let_go()

    # Calls of `IncomingFrames`: `FrameLane`.

    def message_received(self, payload: memoryview) -> None:
        """A control message."""
        self.owner.lane_message(self, payload)

    def round_trip_measured(self, rtt_s: float) -> None:
        """A PING came back."""
        self.rtt_s = rtt_s
        self.owner.lane_rtt(self, rtt_s)

    # StreamLane.

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

    def credit_due(self, stream: LaneStream) -> None:
        """``stream`` gets a WINDOW frame."""
        self.outbox.credit(stream)
        self.ask_turn()

    def writable_due(self, stream: LaneStream) -> None:
        """After the fill that made room."""
        self._news.writables.append(stream)

    def forget(self, stream: LaneStream) -> None:
        """The stream's id is closed from here on."""
        self.streams.pop(stream.id, None)
        if stream.sending is Sending.OFFERED:
            self.offered -= 1
        if self.opening is not _ALLOWED:
            self.ask_turn()

    def end_later(self, stream: LaneStream, cause: ResetCode | None) -> None:
        """Call `lost` at the turn's end."""
        self._news.endings.append((stream, cause))
        self.ask_turn()

    def reset_own(self, stream: LaneStream, frame: bytes) -> None:
        """Send RESET of a stream that we opened, only as many as the peer allows."""
        self.outbox.resets.add(stream.id, frame, stream.sending is Sending.ENDED)
        self.ask_turn()

    def judge_buffers(self) -> None:
        """Relieve the process at the turn's end, if needed."""
        if self.buffers.process.is_above_mark:
            self.ask_turn()

    def misbehaved(self) -> None:
        """Count a glitch that the owner found outside of reading."""
        if not self.floods.allows_glitch(self.now()):
            reason = "too many messages that are refused"
            self.close(Fault("glitches", reason, _VIOLATION_HINT, "violation"))

    # The turn.

    def ask_turn(self) -> None:
        if not self.turn_asked:
            self.turn_asked = True
            self._timers.at_turn_end(self._turn_end)

    def _turn_end(self) -> None:
        self.turn_asked = False
        self.buffers.process.relieve()
        if self._fault is None and not self._flow.is_full:
            self._flush()
            if self.opening is not _ALLOWED:
                self._see_to_the_last()
        self._tell_endings()

    def _see_to_the_last(self) -> None:
        if self.opening is Opening.LAST_DUE:
            if not any(stream.unsent_open for stream in self.streams.values()):
                self.opening = Opening.LAST_SENT
                self.send_control(control.encode(control.Last()))
        elif self.is_drained:
            self.owner.lane_drained(self)

    def _flush(self) -> None:
        parts: list[Buffer] = []
        outbox = self.outbox
        used = outbox.fill(parts, self.now(), self._flow.turn_bytes)
        if outbox.ended:
            self._news.endings += [(one, None) for one in LaneStream.ends_left(outbox.ended)]
        if parts:
            self.bytes_out += used
            if not self.connection.send(*parts):
                outbox.close_room()
                self._flow.filled(self.now(), self.bytes_out)
        if outbox.has_more and not self._flow.is_full and not self.turn_asked:
            # More than one turn's worth: let the other lanes have their turn first.
            self.turn_asked = True
            self._timers.call_at(self.now(), self._turn_end)
        if outbox.resets and outbox.resets_again_at is not None and self._reset_timer is None:
            self._reset_timer = self._timers.call_at(outbox.resets_again_at, self._resets_again)
        if self._news.writables:
            self._news.tell_writables()

    def _resets_again(self) -> None:
        self._reset_timer = None
        self.ask_turn()

    def _tell_endings(self) -> None:
        # Report the loss of the lane first: handlers that reopen a stream then find routes without
        # it.
        fault = self._untold_fault
        if fault is not None:
            self._untold_fault = None
            self.owner.lane_lost(self, fault)
        if self._news.endings:
            self._news.tell_endings(self.neighbour)

    def _leave_share(self) -> None:
        share, self._share = self._share, None
        if share is not None:
            share.left(self)
            self.read_on()

    def _end(self, fault: Fault) -> None:
        self._fault = self._untold_fault = fault
        self.opening = Opening.OVER
        self._decoder.close()
        self._pause.end()  # Or the peer's goodbye is not read.
        self._leave_share()
        if self._reset_timer is not None:
            self._reset_timer.cancel()
        self.held_accepts.stop()
        self._news.end_all(list(self.streams.values()))
        self.outbox.clear()
        self.ask_turn()
