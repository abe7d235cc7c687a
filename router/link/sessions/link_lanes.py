"""All lanes of one link: the control lane, its data lanes, and which of them a new stream takes."""

from router.link import control
from router.link.fault import Fault
from router.link.neighbour import Neighbour
from router.link.sessions.greeting import Greeting
from router.link.sessions.handshake import join_is_proven
from router.link.streams.buffers import LinkBuffers, ProcessBuffers
from router.link.streams.data_lanes import DataLanes
from router.link.streams.holder_share import HolderShares
from router.link.streams.lane import LaneOwner
from router.link.streams.mux import LaneMux
from router.model.errors import RemoteProtocolError
from router.net.ports import Timers


class LinkLanes:
    """A new stream takes ``opening``: the data lane, or the control lane while there is none.

    Without a control lane there is no link, and ``opening`` is None. ``data`` manages the lanes
    that join; a lane enters and leaves use by `take`, `retire` and `lost` here. Counters add up all
    lanes, ended ones too.
    """

    __slots__ = (
        "_bytes_in_past",
        "_bytes_out_past",
        "_shares",
        "buffers",
        "control",
        "data",
        "opening",
        "rtt_s",
    )

    def __init__(self, timers: Timers, process: ProcessBuffers, shares: HolderShares) -> None:
        self._shares = shares
        self.buffers = LinkBuffers(process)
        self.control: LaneMux | None = None
        self.opening: LaneMux | None = None
        """A plain attribute, without a call: each stream that we open reads it."""
        self.data = DataLanes(timers)
        self.rtt_s: float | None = None  # A busy data lane is never asked for its round trip.
        self._bytes_in_past = self._bytes_out_past = 0

    @property
    def is_joining(self) -> bool:
        """A data lane is in use or joining."""
        return bool(self.data.joining) or self.data.current is not None

    @property
    def bytes_in(self) -> int:
        """Bytes received on all lanes."""
        return self._bytes_in_past + sum(lane.bytes_in for lane in self.all())

    @property
    def bytes_out(self) -> int:
        """Bytes sent on all lanes."""
        return self._bytes_out_past + sum(lane.bytes_out for lane in self.all())

    @property
    def stream_count(self) -> int:
        """Streams open on all lanes."""
        return sum(lane.stream_count for lane in self.all())

    def serving(self) -> list[LaneMux]:
        """The control lane and the data lanes that carry streams."""
        return ([self.control] if self.control is not None else []) + self.data.serving

    def all(self) -> list[LaneMux]:
        """The serving lanes, and those that join."""
        return self.serving() + self.data.joining

    def start(self, lane: LaneMux, owner: LaneOwner[LaneMux]) -> None:
        """``lane`` is the control lane, ``owner`` the link's session."""
        self.control = self.opening = lane
        lane.belong_to(owner, self.buffers)

    def check_joined(self, lane: LaneMux, message: control.Message | None) -> None:
        """Check that this ``message`` lets ``lane`` join. Raises RemoteProtocolError."""
        expected = self.data.answer_of(lane)
        if not isinstance(message, control.Joined) or expected is None:
            raise RemoteProtocolError("bad-order", "a control message on a data lane")
        if not join_is_proven(expected, message.proof):
            raise RemoteProtocolError("wrong-router", "JOINED by another site")

    def serve(self, lane: LaneMux, neighbour: Neighbour, greeting: Greeting) -> None:
        """Allow streams on ``lane`` from now on, with the features of its peer's ``greeting``."""
        takes_answers = greeting.peer_takes_answers
        lane.serve(neighbour.router, neighbour.site, takes_answers=takes_answers)
        lane.read_within(self._shares.of(neighbour.holder))

    def take(self, lane: LaneMux, owner: LaneOwner[LaneMux], *, drains: bool) -> None:
        """``lane`` is the data lane from now on. ``drains``: the peer knows draining."""
        lane.belong_to(owner, self.buffers)
        self.data.take(lane, drains=drains)
        self.opening = lane
        lane.learn_rtt(self.rtt_s or 0.0)  # Its windows grow by the round trip.

    def retire(self, *, drains: bool) -> None:
        """The data lane goes with its last stream; there is none until another one joins."""
        self.data.retire(drains=drains)
        self.opening = self.control

    def learn_rtt(self, rtt_s: float) -> None:
        """Use the control lane's round trip for all lanes."""
        self.rtt_s = rtt_s
        if self.data.current is not None:
            self.data.current.learn_rtt(rtt_s)

    def rest(self, rest_s: float) -> None:
        """Do not read the control lane for ``rest_s``."""
        if self.control is not None:
            self.control.rest(rest_s)

    def misbehaved(self) -> None:
        """The neighbor sent a message that is well-formed but invalid: a glitch."""
        if self.control is not None:
            self.control.misbehaved()

    def lost(self, lane: LaneMux) -> bool:
        """``lane`` is gone. Returns whether it was a data lane with streams."""
        self._bytes_in_past += lane.bytes_in
        self._bytes_out_past += lane.bytes_out
        if self.data.lost(lane):
            self.opening = self.data.current or self.control
            return True
        if lane is self.control:
            self.control = self.opening = None
        return False

    def count_past(self, before: "LinkLanes") -> None:
        """Add the bytes of ``before``: these lanes carry its link on."""
        self._bytes_in_past += before.bytes_in
        self._bytes_out_past += before.bytes_out

    def end(self, fault: Fault, *, politely: bool) -> None:
        """Close all lanes with a goodbye, or reset them."""
        for lane in self.all():
            if politely:
                lane.close(fault)
            else:
                lane.abort(fault)
