"""The handshake of one link, in order and time: HELLO, PROOF, and the confirmation of admission.

The dialer speaks first. The acceptor answers a HELLO with HELLO and PROOF at once, the dialer then
sends PROOF and PING. The acceptor is up when it has checked that PROOF and its owner let the dialer
in. The dialer is up when it has done the same and knows from the PONG, or from any earlier message,
that the acceptor is up.
"""

from collections.abc import Callable

from router.link import control
from router.link.fault import Fault
from router.link.neighbour import Neighbour
from router.link.sessions.greeting import Greeting, Leaves
from router.link.sessions.session_owner import SessionConfig
from router.link.streams.mux import LaneMux
from router.model import limits
from router.net.ports import Timer, Timers


class LinkHandshake:
    """Done when each end knows that the other let it in, or failed after a time limit.

    Between its PROOF and the acceptor's confirmation a dialer ``awaits_word``. `Greeting` has the
    messages and proofs.
    """

    __slots__ = ("_config", "_greeted_at", "_greeting", "_timer", "_timers", "awaits_word", "rtt_s")

    def __init__(self, timers: Timers, config: SessionConfig, greeting: Greeting) -> None:
        self.awaits_word = False
        self.rtt_s = 0.0  # Of HELLO and PROOF, while waiting.
        self._timers = timers
        self._config = config
        self._greeting = greeting
        self._greeted_at = 0.0
        self._timer: Timer | None = None

    def start(self, late: Callable[[Fault], None]) -> None:
        """Call ``late`` if the handshake takes too long, unless `stop` came before."""
        seconds = f"{limits.HELLO_TIMEOUT_S:g} s"
        fault = Fault("hello-timeout", f"the handshake was not done within {seconds}")
        self._timer = self._timers.call_at(
            self._timers.now() + limits.HELLO_TIMEOUT_S, lambda: late(fault)
        )

    def leaves(self, lane: LaneMux) -> Leaves:
        """The certificates shown on ``lane``: ours, the peer's."""
        return self._config.certificate, lane.connection.peer_certificate

    def say_hello(self, lane: LaneMux, cost: int) -> None:
        """Send HELLO on the control lane, with the cost of the link."""
        self._greeted_at = self._timers.now()
        hello = self._greeting.hello(cost=cost, link=self._config.name)
        lane.send_control(control.encode(hello))

    def hear(self, hello: control.Hello) -> Neighbour:
        """The identity that the peer claims. Raises HandshakeRejected, RemoteProtocolError."""
        return self._greeting.hear(hello, self._config.expected_site)

    def prove(self, lane: LaneMux) -> None:
        """Send the proof that we own our identity key."""
        lane.send_control(control.encode(self._greeting.proof(self.leaves(lane))))

    def check(self, proof: control.Proof, lane: LaneMux) -> None:
        """Check the peer's proof. Raises HandshakeRejected."""
        self._greeting.check(proof, self.leaves(lane))

    @property
    def since_hello_s(self) -> float:
        """Seconds since our HELLO; a round trip when the peer's PROOF comes, which answers it."""
        return self._timers.now() - self._greeted_at

    def await_word(self) -> None:
        """Dialer: both ends have proved their identity; wait for the acceptor's confirmation."""
        self.awaits_word = True
        self.rtt_s = self.since_hello_s

    def stop(self) -> None:
        """The handshake is done, or the link ends."""
        self.awaits_word = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
