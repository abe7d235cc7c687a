"""What a lane, its streams and its owner ask of each other, and the codes that they share."""

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
"""By their code on the wire. A code that is not known reads as ``no-target``."""

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
"""By their code on the wire. A code that is not known reads as ``internal``."""

L_contra = TypeVar("L_contra", contravariant=True)


class LaneOwner(Protocol[L_contra]):
    """Who a lane belongs to. Called in the network's turn, never from inside a lane's method."""

    def lane_message(self, lane: L_contra, payload: memoryview) -> None:
        """A control message. RemoteProtocolError closes the lane with its code."""

    def lane_stream(self, stream: OfferedStream, body: bytes) -> None:
        """The peer opened ``stream`` by an OPEN of ``body``: refuse it, or say where it leads.

        Raises RemoteProtocolError.
        """

    def lane_rtt(self, lane: L_contra, rtt_s: float) -> None:
        """A PING came back."""

    def lane_drained(self, lane: L_contra) -> None:
        """Neither end opens more on it and nothing is left. Perhaps more than once."""

    def lane_lost(self, lane: L_contra, fault: Fault) -> None:
        """Over; its streams have been told. Exactly once, the last call."""


class OpenIds(Protocol):
    """The ids of streams that are open. One that is complete both ways takes its own out."""

    def __delitem__(self, stream_id: int, /) -> None: ...


class StreamLane(Protocol[S]):
    """What a stream asks of its lane."""

    @property
    def streams(self) -> OpenIds: ...

    @property
    def opening(self) -> Opening:
        """Unless more may be opened, who closes its id asks for a turn."""

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
        """Half a window read within this time means that the window is what limits."""

    @property
    def outbox(self) -> Outbox[S]:
        """Where to put what leaves in this turn. Who does sees to it that the turn is asked."""

    @property
    def turn_asked(self) -> bool:
        """There will be an end of this turn."""

    def ask_turn(self) -> None:
        """To be called unless it is asked."""

    def ready(self, stream: S) -> None:
        """It has something to send, and says so once until it is filled."""

    def urgent(self, frame: bytes) -> None:
        """Send ahead of all data."""

    def credit_due(self, stream: S) -> None:
        """It wants a WINDOW frame; at most once until `take_credit`."""

    def writable_due(self, stream: S) -> None:
        """Tell its handler `writable` at the turn's end."""

    @property
    def heard_at(self) -> float:
        """When the peer's last bytes came: now, while a frame is received."""

    @property
    def held_accepts(self) -> HeldAccepts:
        """Who puts itself there is to `tell_accepted` in a moment, or has answered by then."""

    offered: int
    """Streams of the peer that wait for our answer: who answers counts itself out."""

    def forget(self, stream: S) -> None:
        """It is over: its id is closed from here on."""

    def end_later(self, stream: S, cause: ResetCode | None) -> None:
        """Tell its handler `lost` at the turn's end."""

    def reset_own(self, stream: S, frame: bytes) -> None:
        """Send RESET of a stream that we opened, in the budget that the peer grants."""

    @property
    def floods(self) -> PeerFloods:
        """Where to count what is useless."""

    def judge_buffers(self) -> None:
        """More is held: at the turn's end the process may be above its mark."""
