"""What a session is told at its birth, and what its owner is told of it from then on."""

from typing import Protocol, TypeVar

import msgspec

from router.link.fault import Fault
from router.link.neighbour import Neighbour
from router.link.ports import OfferedStream
from router.link.routing_messages import RoutingMessage
from router.link.sessions.handshake import Role
from router.link.sessions.renewals import Answer
from router.link.streams.mux import LaneMux
from router.model.errors import HandshakeRejected
from router.model.ids import SiteId

T_contra = TypeVar("T_contra", contravariant=True)


class SessionOwner(Protocol[T_contra]):
    """Who a session belongs to. `session_down` is the last call, exactly once, up or not."""

    def session_admit(
        self, session: T_contra, certificate: bytes, neighbour: Neighbour
    ) -> HandshakeRejected | None:
        """Judge a peer that proved its identity, on its control lane and on each data lane."""

    def session_up(self, session: T_contra) -> None: ...
    def session_cost(self, session: T_contra) -> None: ...
    def session_read(self, session: T_contra, lane: LaneMux, size_bytes: int) -> None:
        """So much of a control message was decoded, the LSA in it apart."""

    def session_message(self, session: T_contra, message: RoutingMessage) -> None: ...
    def session_stream(self, session: T_contra, stream: OfferedStream, body: bytes) -> None: ...
    def session_changed(self, session: T_contra) -> None: ...
    def session_draining(self, session: T_contra) -> None:
        """An end opens no more streams, or asks the other not to."""

    def session_heard_again(self, session: T_contra, silent_s: float) -> None:
        """The link stays, and nothing was heard of the neighbour for ``silent_s`` or longer."""

    def session_renewal(self, session: T_contra, request: str, answer: Answer) -> None:
        """The dialler asks for another certificate. ``answer`` takes one, now or later."""

    def session_renewal_due(self, session: T_contra) -> None:
        """The acceptor says that ours is of the past."""

    def session_down(self, session: T_contra, fault: Fault) -> None: ...


class SessionConfig(msgspec.Struct, frozen=True):
    """What a session is told at its birth. ``certificate``: our leaf on the control lane, DER."""

    role: Role
    name: str  # The dialler's name for the link; empty for the acceptor.
    cost: int
    certificate: bytes
    expected_site: SiteId | None = None
