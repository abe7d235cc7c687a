"""The handshake of one link in its order and time: HELLO, PROOF, and the word of being let in.

The dialler speaks first. On a HELLO the acceptor answers HELLO and PROOF at once, the dialler
then PROOF and PING. The acceptor is up when it has checked that PROOF and its owner let the dialler
in; the dialler when it has done likewise, and heard by PONG, or by whatever comes before it, that
the acceptor is.
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
    """It is done when each end knows that the other let it in, or late after a while.

    Between its PROOF and that word a dialler ``awaits_word``. `Greeting` has what is said and
    proved.
    """

    __slots__ = ("_config", "_greeted_at", "_greeting", "_timer", "_timers", "awaits_word", "rtt_s")

    def __init__(self, timers: Timers, config: SessionConfig, greeting: Greeting) -> None:
        self.awaits_word = False
        self.rtt_s = 0.0  # Of HELLO and PROOF, while it waits.
        self._timers = timers
        self._config = config
        self._greeting = greeting
        self._greeted_at = 0.0
        self._timer: Timer | None = None

    def start(self, late: Callable[[Fault], None]) -> None:
        """``late`` hears that it took too long, unless `stop` came."""
        seconds = f"{limits.HELLO_TIMEOUT_S:g} s"
        fault = Fault("hello-timeout", f"the handshake was not done within {seconds}")
        self._timer = self._timers.call_at(
            self._timers.now() + limits.HELLO_TIMEOUT_S, lambda: late(fault)
        )

    def leaves(self, lane: LaneMux) -> Leaves:
        """What both ends showed on ``lane``: ours, the peer's."""
        return self._config.certificate, lane.connection.peer_certificate

    def say_hello(self, lane: LaneMux, cost: int) -> None:
        """On the control lane, with what the link costs."""
        self._greeted_at = self._timers.now()
        hello = self._greeting.hello(cost=cost, link=self._config.name)
        lane.send_control(control.encode(hello))

    def hear(self, hello: control.Hello) -> Neighbour:
        """Who the peer says it is. Raises HandshakeRejected, RemoteProtocolError."""
        return self._greeting.hear(hello, self._config.expected_site)

    def prove(self, lane: LaneMux) -> None:
        """That we own our identity key."""
        lane.send_control(control.encode(self._greeting.proof(self.leaves(lane))))

    def check(self, proof: control.Proof, lane: LaneMux) -> None:
        """The peer's proof. Raises HandshakeRejected."""
        self._greeting.check(proof, self.leaves(lane))

    @property
    def since_hello_s(self) -> float:
        """At the peer's PROOF a round trip: none comes without our HELLO."""
        return self._timers.now() - self._greeted_at

    def await_word(self) -> None:
        """Dialler: both have proved who they are."""
        self.awaits_word = True
        self.rtt_s = self.since_hello_s

    def stop(self) -> None:
        """It is done, or the link ends."""
        self.awaits_word = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
