"""The configuration of a session, and the calls from it to its owner."""

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
    """The owner of a session. `session_down` is the last call, exactly once, up or not."""

    def session_admit(
        self, session: T_contra, certificate: bytes, neighbour: Neighbour
    ) -> HandshakeRejected | None:
        """Judge a peer that proved its identity, on its control lane and on each data lane."""

    def session_up(self, session: T_contra) -> None: ...
    def session_cost(self, session: T_contra) -> None: ...
    def session_read(self, session: T_contra, lane: LaneMux, size_bytes: int) -> None:
        """``size_bytes`` of a control message were decoded, without the LSA in it."""

    def session_message(self, session: T_contra, message: RoutingMessage) -> None: ...
    def session_stream(self, session: T_contra, stream: OfferedStream, body: bytes) -> None: ...
    def session_changed(self, session: T_contra) -> None: ...
    def session_draining(self, session: T_contra) -> None:
        """An end opens no more streams, or asks the other to open none."""

    def session_heard_again(self, session: T_contra, silent_s: float) -> None:
        """The link stays, and the neighbor was silent for ``silent_s`` or longer."""

    def session_renewal(self, session: T_contra, request: str, answer: Answer) -> None:
        """The dialer asks for another certificate. ``answer`` takes one, now or later."""

    def session_renewal_due(self, session: T_contra) -> None:
        """The acceptor says that our certificate is outdated."""

    def session_down(self, session: T_contra, fault: Fault) -> None: ...


class SessionConfig(msgspec.Struct, frozen=True):
    """The configuration of a session. ``certificate``: our leaf on the control lane, DER."""

    role: Role
    name: str  # The dialer's name for the link; empty for the acceptor.
    cost: int
    certificate: bytes
    expected_site: SiteId | None = None
