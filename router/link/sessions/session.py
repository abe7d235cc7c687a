"""One link, from HELLO to its end: the consequences of each message and of each lost lane.

`link_handshake` brings the link up. The dialer then opens a data lane, which proves by JOIN that it
belongs to this link. A link and a data lane drain before they end: each end reports that it opens
no more streams, and the last stream ends it (`link_drain`).
"""

import random
from collections.abc import Callable
from functools import partial

import msgspec

from router.link import control
from router.link.fault import Fault
from router.link.neighbour import LinkPermission, Neighbour
from router.link.ports import Direction, OfferedStream
from router.link.routing_messages import LoadMessage, LsaMessage, RoutingMessage
from router.link.sessions.greeting import Greeting, Leaves, Life
from router.link.sessions.handshake import INTERIOR, Abilities
from router.link.sessions.link_drain import LinkDrain
from router.link.sessions.link_handshake import LinkHandshake
from router.link.sessions.link_lanes import LinkLanes
from router.link.sessions.liveness import Liveness
from router.link.sessions.renewals import Renewals
from router.link.sessions.session_faults import goodbye_of, refusal_of_us
from router.link.sessions.session_owner import SessionConfig, SessionOwner
from router.link.streams.buffers import ProcessBuffers
from router.link.streams.holder_share import HolderShares
from router.link.streams.mux import LaneMux
from router.model import limits
from router.model.errors import HandshakeRejected, RemoteProtocolError
from router.model.messages.acks import LsaAck
from router.model.messages.shares import SharesMessage
from router.model.own_identity import OwnIdentity
from router.net.ports import Connection, Timers


class LinkSession:
    """One link to one neighbor: handles the messages of its lanes in the link's order
    (`LaneOwner`).

    It owns ``lanes``; ``greeting`` has what both ends said about themselves, ``link_drain`` which
    of them opens no more streams.
    """

    def __init__(
        self,
        owner: "SessionOwner[LinkSession]",
        timers: Timers,
        identity: OwnIdentity,
        process: ProcessBuffers,
        shares: HolderShares,
        rng: random.Random,
        config: SessionConfig,
        *,
        life: Life,
        abilities: Abilities = INTERIOR,
    ) -> None:
        """``life`` is the same for all sessions of this process and differs in any other."""
        self.config = config
        self.cost = config.cost
        self.neighbour: Neighbour | None = None
        self.link_name = config.name
        self.up_at: float | None = None
        self.lanes = LinkLanes(timers, process, shares)
        self.greeting = Greeting(identity, config.role, rng, abilities, life)
        self._owner = owner
        self.lane_stream: Callable[[OfferedStream, bytes], None] = partial(
            owner.session_stream, self
        )
        """The neighbor opened a stream. Each OPEN passes here: no extra call."""
        self._timers = timers
        self._handshake = LinkHandshake(timers, config, self.greeting)
        self.link_drain = LinkDrain(timers)
        self._fault: Fault | None = None
        self._closing = False
        self._awaited_acks = 0
        self._liveness = Liveness(
            timers,
            self.lanes,
            self._looked,
            lambda silent_s: owner.session_heard_again(self, silent_s),
            self.abort,
            asks=config.role == "dialler",
        )
        self._renewals = Renewals(
            timers,
            config.role,
            self._say,
            asked=lambda request, answer: owner.session_renewal(self, request, answer),
            due=lambda: owner.session_renewal_due(self),
            misbehaved=self.lanes.misbehaved,
        )

    # Calls of the owner.

    @property
    def is_up(self) -> bool:
        """Each end has proved its identity to the other and let it in."""
        return self.up_at is not None and not self._closing

    @property
    def silent_s(self) -> float:
        """Seconds since the neighbor was heard, if long enough to report; else 0."""
        return self._liveness.silent_s if self.is_up else 0.0

    @property
    def silent_since(self) -> float | None:
        """When the neighbor was heard last, if that is long ago."""
        return self._liveness.silent_since if self.is_up else None

    @property
    def direction(self) -> Direction:
        """Which end dialed the link."""
        return "incoming" if self.config.role == "acceptor" else "outgoing"

    @property
    def is_of_sibling(self) -> bool:
        """The link joins routers of one site."""
        return self.neighbour is not None and self.neighbour.is_sibling

    @property
    def leaves(self) -> Leaves:
        """The certificates shown on the control lane: ours, the peer's; empty when the lane is
        gone."""
        lane = self.lanes.control
        return self._handshake.leaves(lane) if lane is not None else (self.config.certificate, b"")

    def new_lane(self, connection: Connection) -> LaneMux:
        """A lane of this link on ``connection``, which we dialed."""
        return LaneMux(connection, self._timers, self, self.lanes.buffers, dialed=True)

    def start(self, lane: LaneMux) -> None:
        """Take ``lane`` as the control lane. The dialer says HELLO."""
        self.lanes.start(lane, self)
        self._handshake.start(self.close)
        if self.config.role == "dialler":
            self._handshake.say_hello(lane, self.cost)

    def admit_by(self, leave: LinkPermission) -> None:
        """Set the terms and token by which the neighbor is let in. Before the link is up."""
        assert self.neighbour is not None
        changes = {"terms": leave.terms, "token": leave.token}
        self.neighbour = msgspec.structs.replace(self.neighbour, **changes)

    def join(self, lane: LaneMux, certificate: bytes) -> None:
        """Dialer: offer ``lane``, whose TLS showed our leaf ``certificate``, as data lane."""
        join, answer = self.greeting.join((certificate, lane.connection.peer_certificate))
        self.lanes.data.offered(lane, answer)
        if self._closing and self._fault is not None:
            lane.abort(self._fault)  # Closing since this turn, whose end would cancel the dial.
        else:
            lane.send_control(control.encode(join))

    def joined(self, lane: LaneMux, join: control.Join, certificate: bytes) -> None:
        """Acceptor: ``lane`` asks to be a data lane of this link, which is up. Raises
        HandshakeRejected."""
        neighbour, peer_certificate = self.neighbour, lane.connection.peer_certificate
        assert neighbour is not None
        joined = self.greeting.joined(join, (certificate, peer_certificate))
        self._admit(peer_certificate, neighbour)
        lane.send_control(control.encode(joined))
        self._take_data_lane(lane)

    def set_cost(self, cost: int) -> None:
        """Dialer: the operator changed the cost. The neighbor learns it; nothing reconnects."""
        if cost != self.cost and not self.is_of_sibling:
            self.cost = cost
            self._say_cost()

    def _say_cost(self) -> None:
        if not self.is_of_sibling:
            self._say(control.CostMessage(self.cost))

    def send(self, message: RoutingMessage) -> None:
        """Send to the neighbor, if the link is up."""
        if isinstance(message, LoadMessage):
            for piece in control.split_loads(message):
                self._say(piece)
            return
        if isinstance(message, LsaMessage):
            self._awaited_acks = min(self._awaited_acks + 1, limits.LSAS_UNACKED_MAX)
        self._say(message)

    def _say(self, message: control.Message) -> None:
        if self.is_up and self.lanes.control is not None:
            self.lanes.control.send_control(control.encode(message))

    @property
    def renewals(self) -> Renewals | None:
        """How either end renews what the other holds; None: not now, or not this neighbor."""
        return self._renewals if self.is_up and self.greeting.peer_renews else None

    def drain(self, fault: Fault, *, wholly: bool, deadline: float | None = None) -> None:
        """Ask the neighbor to open no more streams here; ``wholly``: we open no more either.

        When neither does, the last stream ends the link with ``fault``; at ``deadline`` (absolute)
        it is closed whatever is left. A neighbor without draining: closed at once, or, if not
        ``wholly``, left as it is.
        """
        if wholly and self._handshake.awaits_word and self.greeting.peer_drains:
            # The acceptor may have let us in and opened streams. Our owner does not learn of it.
            self._be_up(self._handshake.since_hello_s)
        if not self.is_up or not self.greeting.peer_drains:
            if wholly:
                self.close(fault)
            return
        if deadline is not None:
            self.link_drain.end_by(deadline, lambda: self.close(fault))
        self.link_drain.ask(self.lanes.control, fault)
        if wholly:
            self.link_drain.fall_quiet(self.lanes)
        self._owner.session_draining(self)

    def close(self, fault: Fault) -> None:
        """End the link with GOAWAY. `session_down` follows at the turn's end."""
        self._finish(fault, politely=True)

    def abort(self, fault: Fault) -> None:
        """Reset all lanes at once. `session_down` follows at the turn's end."""
        self._finish(fault, politely=False)

    # LaneOwner.

    def lane_message(self, lane: LaneMux, payload: memoryview) -> None:
        """A control message on either kind of lane."""
        message = control.decode(payload, ignore_unknown=self.greeting.peer_is_newer)
        if isinstance(message, LsaAck) and self._awaited_acks:
            self._awaited_acks -= 1  # An answer, which cannot come more often than we send.
        else:
            signed_bytes = len(message.signed) if isinstance(message, LsaMessage) else 0
            self._owner.session_read(self, lane, len(payload) - signed_bytes)
        if isinstance(message, control.GoAway):
            self._goaway(lane, message)
            return
        self._heard_word()
        if isinstance(message, control.Drain | control.Last):
            self._receive_drain(lane, message)
        elif lane is not self.lanes.control:
            self.lanes.check_joined(lane, message)
            self._take_data_lane(lane)
        elif message is None or self._closing:
            return
        elif isinstance(message, control.Hello | control.Proof):
            self._receive_handshake(lane, message)
        elif self.up_at is None:
            raise RemoteProtocolError("bad-order", "a message before the handshake was done")
        elif isinstance(message, control.Renew | control.Renewed | control.RenewDue):
            self._renewals.receive(message)
        else:
            self._receive_routine(message)

    def _receive_routine(self, message: control.Message) -> None:
        if isinstance(message, control.CostMessage):
            if self.config.role == "dialler":
                raise RemoteProtocolError("bad-order", "only the dialer sets the cost")
            if not self.is_of_sibling:
                self.cost = message.cost
                self._owner.session_cost(self)
        elif not isinstance(message, RoutingMessage):
            raise RemoteProtocolError("bad-order", "JOIN on a control lane")
        elif isinstance(message, SharesMessage) and not self.is_of_sibling:
            raise RemoteProtocolError("bad-order", "shares are for routers of one site")
        else:
            self._owner.session_message(self, message)

    def lane_rtt(self, lane: LaneMux, rtt_s: float) -> None:
        """The control lane's round trip is the link's."""
        if lane is self.lanes.control:
            self.lanes.learn_rtt(rtt_s)
            self._heard_word()

    def lane_lost(self, lane: LaneMux, fault: Fault) -> None:
        """A lost data lane ends its streams, a lost control lane the link."""
        is_control = lane is self.lanes.control
        if self.lanes.lost(lane):
            if fault.kind == "violation":
                self._finish(fault, politely=True)
        elif is_control:
            told = fault if self.greeting.peer is not None else refusal_of_us(fault)
            self._finish(told, politely=True)
        if self._fault is None or not self._closing:
            self._owner.session_changed(self)
            self._close_if_drained()
        elif not self.lanes.all():
            self._owner.session_down(self, self._fault)

    # The handshake.

    def _receive_handshake(self, lane: LaneMux, message: control.Hello | control.Proof) -> None:
        try:
            if isinstance(message, control.Hello):
                self._receive_hello(lane, message)
            else:
                self._receive_proof(lane, message)
        except HandshakeRejected as rejected:
            self.close(Fault(rejected.code, rejected.reason, rejected.hint, "refused"))

    def _receive_hello(self, lane: LaneMux, hello: control.Hello) -> None:
        self.neighbour = self._handshake.hear(hello)
        if self.config.role == "acceptor":
            self.cost = hello.cost
            self.link_name = hello.link
            self._handshake.say_hello(lane, self.cost)
        if self.is_of_sibling:
            self.cost = limits.SIBLING_COST
        self._handshake.prove(lane)

    def _receive_proof(self, lane: LaneMux, proof: control.Proof) -> None:
        if self.neighbour is None or self.up_at is not None:
            raise RemoteProtocolError("bad-order", "a PROOF that is not awaited")
        self._handshake.check(proof, lane)
        self._admit(lane.connection.peer_certificate, self.neighbour)
        self.lanes.serve(lane, self.neighbour, self.greeting)
        lane.ping()
        if self.config.role == "acceptor":
            self._come_up(self._handshake.since_hello_s)
        else:
            self._handshake.await_word()
            self.lane_stream = self._first_stream

    def _admit(self, certificate: bytes, neighbour: Neighbour) -> None:
        """Ask the owner, on the control lane and on each data lane. Raises HandshakeRejected."""
        rejected = self._owner.session_admit(self, certificate, neighbour)
        if rejected is not None:
            raise rejected

    def _heard_word(self) -> None:
        """Dialer: any message after PROOF says that the acceptor let us in."""
        if self._handshake.awaits_word:
            self._come_up(self._handshake.rtt_s)

    def _first_stream(self, stream: OfferedStream, body: bytes) -> None:
        """Dialer: only an acceptor that let us in opens a stream."""
        self._heard_word()
        self.lane_stream(stream, body)

    def _come_up(self, rtt_s: float) -> None:
        """Both ends let the other in. ``rtt_s``: a round trip of the handshake."""
        self._be_up(rtt_s)
        if self.config.role == "dialler" and self.cost != self.config.cost:
            self._say_cost()  # Our HELLO had another cost: the operator changed it since.
        self._owner.session_up(self)

    def _be_up(self, rtt_s: float) -> None:
        if self._handshake.awaits_word:
            self.lane_stream = partial(self._owner.session_stream, self)
        self._handshake.stop()
        self.up_at = self._timers.now()
        self._liveness.start(rtt_s)

    # Data lanes.

    def _take_data_lane(self, lane: LaneMux) -> None:
        assert self.neighbour is not None
        self.lanes.take(lane, self, drains=self.greeting.peer_drains)
        self.lanes.serve(lane, self.neighbour, self.greeting)
        if self.link_drain.is_quiet:
            lane.open_no_more()
        self._owner.session_changed(self)

    def _goaway(self, lane: LaneMux, message: control.GoAway) -> None:
        who = self.neighbour.name if self.neighbour else "the neighbor"
        fault = goodbye_of(who, message)
        if lane is self.lanes.control:
            self._fault = self._fault or fault
        lane.abort(fault)

    # Draining.

    def _receive_drain(self, lane: LaneMux, message: control.Drain | control.Last) -> None:
        if self.up_at is None or lane in self.lanes.data.joining:
            raise RemoteProtocolError("bad-order", "a lane drains that carries no streams yet")
        if self._closing:
            return
        self.link_drain.receive(message, lane, self.lanes)
        if isinstance(message, control.Drain) and lane is self.lanes.data.current:
            self._replace_data_lane()
        self._owner.session_draining(self)

    def _replace_data_lane(self) -> None:
        """Retire the data lane. The dialer opens another; until then the control lane takes new
        streams."""
        self.lanes.retire(drains=self.greeting.peer_drains)
        self._owner.session_changed(self)

    def lane_drained(self, lane: LaneMux) -> None:
        """The dialer closes a retired lane; the end that asked to drain closes the link."""
        if self.config.role == "dialler" and self.lanes.data.close_retired(lane):
            return
        self._close_if_drained()

    def _close_if_drained(self) -> None:
        fault = self.link_drain.ends_with(self.lanes)
        if fault is not None:  # No effect if it is closing.
            self.close(fault)

    def _looked(self) -> None:
        """After a check of the lanes: replace a data lane that is worn."""
        lane = self.lanes.data.current
        if lane is not None and lane.needs_replacement and not self.link_drain.is_draining:
            self._replace_data_lane()

    # The end.

    def _finish(self, fault: Fault, *, politely: bool) -> None:
        if self._fault is None:
            self._fault = fault
        if self._closing:
            return
        self._closing = True
        self._handshake.stop()
        self.link_drain.stop()
        self._liveness.stop()
        self._renewals.stop()
        self.lanes.end(fault, politely=politely)
        # These hold us: avoid cycles that wait for the garbage collector.
        del self.lane_stream, self._liveness, self._renewals
