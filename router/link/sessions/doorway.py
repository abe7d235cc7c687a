"""An accepted lane until its first message shows its kind: a new link, or another lane of a
link."""

from typing import Literal, Protocol

from router.link import control
from router.link.fault import Fault
from router.link.ports import OfferedStream
from router.link.streams.buffers import LinkBuffers
from router.link.streams.mux import LaneMux
from router.model import limits
from router.model.errors import HandshakeRejected, RemoteProtocolError
from router.net.ports import Connection, Timers


class DoorwayOwner(Protocol):
    """Takes the lane from here."""

    def hello_arrived(self, lane: LaneMux, payload: memoryview, certificate: bytes) -> None:
        """A control lane with its HELLO; ``certificate`` is the leaf that we showed on it."""

    def join_arrived(self, lane: LaneMux, join: control.Join, certificate: bytes) -> bool:
        """A data lane. False: of no link that is up here. Raises HandshakeRejected."""

    def doorway_left(self, doorway: "Doorway", fault: Fault | None = None) -> None:
        """Last call: the lane's kind is known, or it is gone. ``fault``: why, if that is news."""


class Doorway:
    """Owns ``lane`` for its first message, within `limits.HELLO_TIMEOUT_S`."""

    def __init__(
        self,
        owner: DoorwayOwner,
        connection: Connection,
        timers: Timers,
        buffers: LinkBuffers,
        certificate: bytes,
    ) -> None:
        self._owner = owner
        self._certificate = certificate
        self._is_astray = False  # A load balancer took it to another router than its link.
        self.lane = LaneMux(connection, timers, self, buffers, dialed=False)
        self._timer = timers.call_at(timers.now() + limits.HELLO_TIMEOUT_S, self._late)

    def close(self, fault: Fault) -> None:
        """Say why and hang up."""
        self.lane.close(fault)

    def lane_message(self, lane: LaneMux, payload: memoryview) -> None:
        """HELLO makes a link, JOIN adds to one."""
        message = control.decode(payload)
        if isinstance(message, control.GoAway):
            lane.abort(Fault(message.code, message.reason))
        elif isinstance(message, control.Hello):
            self._leave()
            self._owner.hello_arrived(lane, payload, self._certificate)
        elif isinstance(message, control.Join):
            self._join(lane, message)
        else:
            raise RemoteProtocolError("bad-order", "a lane begins with HELLO or JOIN")

    def _join(self, lane: LaneMux, join: control.Join) -> None:
        try:
            is_ours = self._owner.join_arrived(lane, join, self._certificate)
        except HandshakeRejected as rejected:
            kind: Literal["lost", "refused"]
            kind = "lost" if rejected.code == "wrong-router" else "refused"
            lane.close(Fault(rejected.code, rejected.reason, rejected.hint, kind))
            return
        if not is_ours:
            self._is_astray = True  # Its dialer tries again, until the link's router gets it.
            lane.close(Fault("wrong-router", "no such link is up at this router"))
            return
        self._leave()

    def lane_stream(self, stream: OfferedStream, body: bytes) -> None:
        """Never: the lane does not serve yet."""

    def lane_rtt(self, lane: LaneMux, rtt_s: float) -> None:
        """Ignored: this lane sent no PING."""

    def lane_drained(self, lane: LaneMux) -> None:
        """Never: the lane does not serve yet."""

    def lane_lost(self, lane: LaneMux, fault: Fault) -> None:
        """The lane ended without a message, or was refused."""
        self._leave(fault)

    def _late(self) -> None:
        seconds = f"{limits.HELLO_TIMEOUT_S:g} s"
        self.lane.close(Fault("hello-timeout", f"nothing was said within {seconds}"))

    def _leave(self, fault: Fault | None = None) -> None:
        self._timer.cancel()
        self._owner.doorway_left(self, None if self._is_astray else fault)
