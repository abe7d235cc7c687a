"""The interfaces between a lane, its streams and its owner, and the codes that they share."""

from typing import Protocol, TypeVar

from router.link.fault import Fault
from router.link.ports import OfferedStream, Refusal, ResetCode
from router.link.streams.buffers import LinkBuffers
from router.link.streams.held_accepts import HeldAccepts
from router.link.streams.lane_states import Opening
from router.link.streams.outbox import Outbox, S
from router.link.streams.peer_floods import PeerFloods
from router.model.ids import RouterId, SiteId

REFUSALS: tuple[Refusal, ...] = (
    "busy",
    "no-target",
    "connect-failed",
    "draining",
    "not-allowed",
    "no-route",
    "bad-head",
)
"""By their code on the wire. An unknown code reads as ``no-target``."""

RESETS: tuple[ResetCode, ...] = (
    "cancelled",
    "target-reset",
    "target-timeout",
    "bad-message",
    "stalled",
    "link-lost",
    "internal",
    "bad-response",
)
"""By their code on the wire. An unknown code reads as ``internal``."""

L_contra = TypeVar("L_contra", contravariant=True)


class LaneOwner(Protocol[L_contra]):
    """The owner of a lane. Called in the network's turn, never from inside a lane's method."""

    def lane_message(self, lane: L_contra, payload: memoryview) -> None:
        """A control message. RemoteProtocolError closes the lane with its code."""

    def lane_stream(self, stream: OfferedStream, body: bytes) -> None:
        """The peer opened ``stream`` by an OPEN of ``body``: refuse it, or set where it leads.

        Raises RemoteProtocolError.
        """

    def lane_rtt(self, lane: L_contra, rtt_s: float) -> None:
        """A PING came back."""

    def lane_drained(self, lane: L_contra) -> None:
        """Neither end opens more streams on it and none is left. May be called more than once."""

    def lane_lost(self, lane: L_contra, fault: Fault) -> None:
        """The lane is over; its streams know it. Exactly once, the last call."""


class OpenIds(Protocol):
    """The ids of open streams. A stream that is complete both ways deletes its own."""

    def __delitem__(self, stream_id: int, /) -> None: ...


class StreamLane(Protocol[S]):
    """Interface of the lane for its streams."""

    @property
    def streams(self) -> OpenIds: ...

    @property
    def opening(self) -> Opening:
        """If this is not ALLOWED, a stream that ends asks for a turn."""

    @property
    def neighbour(self) -> RouterId: ...
    @property
    def neighbour_site(self) -> SiteId: ...
    @property
    def neighbour_holder(self) -> str: ...
    @property
    def buffers(self) -> LinkBuffers: ...

    @property
    def takes_answers(self) -> bool:
        """The peer knows ANSWER and ACCEPTED-LATE."""

    def now(self) -> float: ...

    def window_grows_within_s(self) -> float:
        """If half a window is read within this time, the window is the limit."""

    @property
    def outbox(self) -> Outbox[S]:
        """Holds the frames that leave in this turn. A stream that adds to it makes sure of
        `ask_turn`."""

    @property
    def turn_asked(self) -> bool:
        """This turn's end is scheduled."""

    def ask_turn(self) -> None:
        """Schedule the turn's end; not needed if `turn_asked`."""

    def ready(self, stream: S) -> None:
        """``stream`` has something to send; called once until it is filled."""

    def urgent(self, frame: bytes) -> None:
        """Send ``frame`` ahead of all data."""

    def credit_due(self, stream: S) -> None:
        """``stream`` needs a WINDOW frame; called at most once until `take_credit`."""

    def writable_due(self, stream: S) -> None:
        """Call `writable` of the stream's handler at the turn's end."""

    @property
    def heard_at(self) -> float:
        """When the peer's last bytes came: now, while a frame is received."""

    @property
    def held_accepts(self) -> HeldAccepts:
        """Streams in it get `tell_accepted` in a moment, unless they have answered by then."""

    offered: int
    """Streams of the peer that wait for our answer. A stream that answers decrements it."""

    def forget(self, stream: S) -> None:
        """``stream`` is over: its id is closed from here on."""

    def end_later(self, stream: S, cause: ResetCode | None) -> None:
        """Call `lost` of the stream's handler at the turn's end."""

    def reset_own(self, stream: S, frame: bytes) -> None:
        """Send RESET of a stream that we opened, within the budget that the peer grants."""

    @property
    def floods(self) -> PeerFloods:
        """Counts useless frames."""

    def judge_buffers(self) -> None:
        """More is held: check the process's mark at the turn's end."""
