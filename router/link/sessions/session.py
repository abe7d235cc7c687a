"""One link's life, from HELLO to its end: handshake, control messages, data lane, liveness.

The dialler speaks first. On a HELLO the acceptor answers HELLO and PROOF at once, the dialler
then PROOF and PING. The acceptor is up when it has checked that PROOF and its owner let the dialler
in; the dialler when it has done likewise, and heard by PONG, or by whatever comes before it, that
the acceptor is. The dialler then brings a data lane, which proves by JOIN that it belongs here.
Streams use the data lane; while there is none they ride on the control lane. A link and a data lane
drain before they go: each end tells the other that it opens no more, and the last stream ends it.
"""

import random
from collections.abc import Callable
from functools import partial

from router.link import control
from router.link.fault import Fault
from router.link.neighbour import LinkIdentity, Neighbour
from router.link.ports import OfferedStream
from router.link.routing_messages import LoadMessage, LsaMessage, RoutingMessage
from router.link.sessions.greeting import Greeting, Leaves, Life
from router.link.sessions.handshake import INTERIOR, Abilities, join_is_proven
from router.link.sessions.liveness import Liveness
from router.link.sessions.renewals import Answer, Renewals
from router.link.sessions.session_faults import goodbye_of, printable, refusal_of_us
from router.link.sessions.session_owner import SessionConfig, SessionOwner
from router.link.streams.buffers import LinkBuffers, ProcessBuffers
from router.link.streams.data_lanes import DataLanes
from router.link.streams.mux import LaneMux
from router.model import limits
from router.model.errors import HandshakeRejected, RemoteProtocolError
from router.model.messages.shares import SharesMessage
from router.net.ports import Connection, Timer, Timers


class LinkSession:
    """The lanes to one neighbour and what is agreed with it. Owns its lanes (`LaneOwner`)."""

    def __init__(
        self,
        owner: "SessionOwner[LinkSession]",
        timers: Timers,
        identity: LinkIdentity,
        process: ProcessBuffers,
        rng: random.Random,
        config: SessionConfig,
        *,
        life: Life,
        abilities: Abilities = INTERIOR,
    ) -> None:
        """``life`` is the same for all sessions of this process and of no other."""
        self.config = config
        self.cost = config.cost
        self.buffers = LinkBuffers(process)
        self.neighbour: Neighbour | None = None
        self.link_name = config.name
        self.up_at: float | None = None
        self.rtt_s: float | None = None
        self._greeted_at = 0.0
        self._let_in: Callable[[], None] | None = None  # While the acceptor has not said so.
        self._owner = owner
        self.lane_stream: Callable[[OfferedStream, bytes], None] = partial(
            owner.session_stream, self
        )
        """The neighbour opened a stream. Each OPEN comes by here: no call more than need be."""
        self._timers = timers
        self._greeting = Greeting(identity, config.role, rng, abilities, life)
        self._control: LaneMux | None = None
        self._data = DataLanes(timers)
        self.lane: LaneMux | None = None
        """Where a new stream goes: the lane knows whether it takes any."""
        self._spent_in = self._spent_out = 0
        self._fault: Fault | None = None
        self._closing = False
        self._timer: Timer | None = None  # For the handshake, then for the end of a drain.
        self._liveness = Liveness(
            timers,
            self,
            self._looked,
            lambda silent_s: owner.session_heard_again(self, silent_s),
            asks=config.role == "dialler",
        )
        self._asked: Fault | None = None  # We asked the neighbour to open no more: why.
        self._renewals = Renewals(
            timers,
            config.role,
            self._say,
            asked=lambda request, answer: owner.session_renewal(self, request, answer),
            due=lambda: owner.session_renewal_due(self),
            misbehaved=self.misbehaved,
        )
        self._is_quiet = False  # We open no more.
        self._peer_is_quiet = False

    # What the owner does.

    @property
    def is_up(self) -> bool:
        """Each end knows who the other is."""
        return self.up_at is not None and not self._closing

    @property
    def silent_s(self) -> float:
        """How long nothing was heard of the neighbour, if that is worth a word; else 0."""
        return self._liveness.silent_s if self.is_up else 0.0

    @property
    def silent_since(self) -> float | None:
        """When the neighbour was heard last, if that is long ago."""
        return self._liveness.silent_since if self.is_up else None

    @property
    def is_joining(self) -> bool:
        """A data lane is on its way or there."""
        return bool(self._data.joining) or self._data.current is not None

    @property
    def is_of_sibling(self) -> bool:
        """Between routers of one site."""
        return self.neighbour is not None and self.neighbour.is_sibling

    @property
    def session_id(self) -> bytes:
        """What a JOIN to this link names."""
        return self._greeting.session_id

    @property
    def peer_boot(self) -> bytes:
        """The neighbour's process's life; empty before its HELLO."""
        return self._greeting.peer_boot

    @property
    def peer_born(self) -> tuple[int, int]:
        """When the neighbour's state was restored, 0: never; the epoch its process began with."""
        peer = self._greeting.peer
        return (peer.restored, peer.born) if peer is not None else (0, 0)

    @property
    def peer_place(self) -> str:
        """Where the neighbour's process runs, as far as it is known."""
        if self._control is None:
            return "an address that is gone"
        told = self._greeting.peer.place if self._greeting.peer is not None else ""
        host = self._control.connection.peer.host  # No port: who is told again is told the same.
        return f"{host} ({printable(told)})" if told else host

    @property
    def peer_renews(self) -> bool:
        """The neighbour knows the messages of renewal."""
        return self._greeting.peer_renews

    @property
    def leaves(self) -> Leaves:
        """What both ends showed on the control lane: ours, the peer's; empty when it is gone."""
        if self._control is None:
            return self.config.certificate, b""
        return self._leaves

    @property
    def data_lane(self) -> LaneMux | None:
        """The data lane for new streams."""
        return self._data.current

    @property
    def control_lane(self) -> LaneMux | None:
        """The lane of control messages, unless the link is closing."""
        return None if self._closing else self._control

    @property
    def is_draining(self) -> bool:
        """One end, at least, wants no more streams."""
        return self._asked is not None or self._is_quiet

    @property
    def peer_is_quiet(self) -> bool:
        """The neighbour opens no more, or the link is not up and never will be."""
        return self._peer_is_quiet or not self.is_up

    @property
    def is_leaving(self) -> bool:
        """Neither end uses it for anything new: it is no way any more.

        A site that stops asks for no more streams but opens its own: its link still is one.
        """
        return self._is_quiet and (self._asked is not None or self._peer_is_quiet)

    @property
    def bytes_in(self) -> int:
        """Received on all lanes, ended ones too."""
        return self._spent_in + sum(lane.bytes_in for lane in self.lanes())

    @property
    def bytes_out(self) -> int:
        """Sent on all lanes, ended ones too."""
        return self._spent_out + sum(lane.bytes_out for lane in self.lanes())

    @property
    def stream_count(self) -> int:
        """Streams open on all lanes."""
        return sum(lane.stream_count for lane in self.lanes())

    def new_lane(self, connection: Connection) -> LaneMux:
        """A lane of this link on ``connection``, which we dialled."""
        return LaneMux(connection, self._timers, self, self.buffers, dialled=True)

    def start(self, lane: LaneMux) -> None:
        """Take ``lane`` as the control lane. The dialler says HELLO."""
        self._control = self.lane = lane
        lane.owner = self
        lane.buffers = self.buffers
        self._timer = self._timers.call_at(
            self._timers.now() + limits.HELLO_TIMEOUT_S, self._hello_late
        )
        if self.config.role == "dialler":
            self._send_hello()

    def join(self, lane: LaneMux, certificate: bytes) -> None:
        """Dialler: offer ``lane``, whose TLS showed our leaf ``certificate``, as data lane."""
        join, answer = self._greeting.join((certificate, lane.connection.peer_certificate))
        self._data.offered(lane, answer)
        lane.send_control(control.encode(join))

    def joined(self, lane: LaneMux, join: control.Join, certificate: bytes) -> None:
        """Acceptor: ``lane`` asks to be a data lane. Raises HandshakeRejected."""
        neighbour, peer_certificate = self.neighbour, lane.connection.peer_certificate
        if neighbour is None or not self.is_up:
            raise HandshakeRejected("wrong-router", "JOIN of a link that is not up")
        joined = self._greeting.joined(join, (certificate, peer_certificate))
        rejected = self._owner.session_admit(self, peer_certificate, neighbour)
        if rejected is not None:
            raise rejected
        lane.owner = self
        lane.buffers = self.buffers
        lane.send_control(control.encode(joined))
        self._take_data_lane(lane)

    def set_cost(self, cost: int) -> None:
        """Dialler: the operator changed it. Told to the neighbour; nothing reconnects."""
        if cost == self.cost or self.is_of_sibling:
            return
        self.cost = cost
        self._say(control.CostMessage(cost))

    def send(self, message: RoutingMessage) -> None:
        """To the neighbour, if the link is up."""
        if isinstance(message, LoadMessage):
            for piece in control.split_loads(message):
                self._say(piece)
        else:
            self._say(message)

    def _say(self, message: control.Message) -> None:
        if self.is_up and self._control is not None:
            self._control.send_control(control.encode(message))

    def ask_renewal(self, request: str, answered: Answer) -> bool:
        """Dialler: ask for another certificate. False: not now, or not of this neighbour.

        ``answered`` hears the answer; with None, that there will be none.
        """
        if not self.is_up or self._control is None or not self.peer_renews:
            return False
        return self._renewals.ask(request, answered)

    def tell_renewal_due(self) -> bool:
        """Acceptor: what the neighbour holds of us is of the past. False: it would not know."""
        if not self.is_up or self._control is None or not self.peer_renews:
            return False
        if self.config.role != "acceptor":
            return False
        self._say(control.RenewDue())
        return True

    def misbehaved(self) -> None:
        """The neighbour sent something that is good in form and bad in content: a glitch."""
        if self._control is not None:
            self._control.misbehaved()

    def rest(self, rest_s: float) -> None:
        """Read nothing more of the control lane for so long."""
        if self._control is not None:
            self._control.rest(rest_s)

    def drain(self, fault: Fault, *, wholly: bool, deadline: float | None = None) -> None:
        """Ask the neighbour to open no more here; ``wholly``: nor do we from now on.

        When neither does, the last stream ends the link with ``fault``; at ``deadline`` (absolute)
        it is closed whatever is left. A neighbour that knows no draining: closed at once, or, if
        not ``wholly``, nothing.
        """
        if wholly and self._let_in is not None and self._greeting.peer_drains:
            # The acceptor may have let us in and opened streams. Our owner does not hear of it.
            self._be_up(self._timers.now() - self._greeted_at)
        if not self.is_up or not self._greeting.peer_drains:
            if wholly:
                self.close(fault)
            return
        self._asked = fault
        if deadline is not None:
            self._cancel_timer()
            self._timer = self._timers.call_at(deadline, lambda: self.close(fault))
        if self._control is not None:
            self._control.drain()
        if wholly:
            self._fall_quiet()
        self._owner.session_draining(self)

    def close(self, fault: Fault) -> None:
        """End it with GOAWAY. `session_down` follows at the turn's end."""
        self._finish(fault, politely=True)

    def abort(self, fault: Fault) -> None:
        """Reset all lanes at once. `session_down` follows at the turn's end."""
        self._finish(fault, politely=False)

    # LaneOwner.

    def lane_message(self, lane: LaneMux, payload: memoryview) -> None:
        """A control message of either kind of lane."""
        message = control.decode(payload, ignore_unknown=self._greeting.peer_is_newer)
        signed_bytes = len(message.signed) if isinstance(message, LsaMessage) else 0
        self._owner.session_read(self, lane, len(payload) - signed_bytes)
        if isinstance(message, control.GoAway):
            self._goaway(lane, message)
            return
        if self._let_in is not None:
            self._let_in()
        if isinstance(message, control.Drain | control.Last):
            self._receive_drain(lane, message)
        elif lane is not self._control:
            self._data_message(lane, message)
        elif message is None or self._closing:
            return
        elif isinstance(message, control.Hello):
            self._receive_hello(lane, message)
        elif isinstance(message, control.Proof):
            self._receive_proof(lane, message)
        elif self.up_at is None:
            raise RemoteProtocolError("bad-order", "a message before the handshake was done")
        elif isinstance(message, control.Renew | control.Renewed | control.RenewDue):
            self._renewals.receive(message)
        else:
            self._receive_routine(message)

    def _receive_routine(self, message: control.Message) -> None:
        if isinstance(message, control.CostMessage):
            if self.config.role == "dialler":
                raise RemoteProtocolError("bad-order", "only the dialler sets the cost")
            if not self.is_of_sibling:
                self.cost = message.cost
                self._owner.session_cost(self)
        elif isinstance(message, RoutingMessage):
            self._for_routing(message)
        else:
            raise RemoteProtocolError("bad-order", "JOIN on a control lane")

    def _for_routing(self, message: RoutingMessage) -> None:
        if isinstance(message, SharesMessage) and not self.is_of_sibling:
            raise RemoteProtocolError("bad-order", "shares are for routers of one site")
        self._owner.session_message(self, message)

    def lane_rtt(self, lane: LaneMux, rtt_s: float) -> None:
        """The control lane's is the link's; a busy data lane is never asked for its own."""
        if lane is self._control:
            self.rtt_s = rtt_s
            if self._let_in is not None:
                self._let_in()
            if self._data.current is not None:
                self._data.current.rtt_s = rtt_s

    def lane_lost(self, lane: LaneMux, fault: Fault) -> None:
        """A data lane takes its streams with it, the control lane the link."""
        self._spent_in += lane.bytes_in
        self._spent_out += lane.bytes_out
        if self._data.lost(lane):
            self.lane = self._data.current or self._control
            if fault.kind == "violation":
                self._finish(fault, politely=True)
        elif lane is self._control:
            self._control = self.lane = None
            is_early = self._greeting.peer is None
            self._finish(refusal_of_us(fault) if is_early else fault, politely=True)
        if self._fault is None or not self._closing:
            self._owner.session_changed(self)
            self._close_if_drained()
        elif not self.lanes():
            self._owner.session_down(self, self._fault)

    # The handshake.

    @property
    def _leaves(self) -> Leaves:
        assert self._control is not None
        return self.config.certificate, self._control.connection.peer_certificate

    def _send_hello(self) -> None:
        assert self._control is not None
        self._greeted_at = self._timers.now()
        hello = self._greeting.hello(cost=self.cost, link=self.config.name)
        self._control.send_control(control.encode(hello))

    def _receive_hello(self, lane: LaneMux, hello: control.Hello) -> None:
        try:
            self.neighbour = self._greeting.hear(hello, self.config.expected_site)
        except HandshakeRejected as rejected:
            self._reject(rejected)
            return
        if self.config.role == "acceptor":
            self.cost = hello.cost
            self.link_name = hello.link
            self._send_hello()
        if self.is_of_sibling:
            self.cost = limits.SIBLING_COST
        lane.send_control(control.encode(self._greeting.proof(self._leaves)))

    def _receive_proof(self, lane: LaneMux, proof: control.Proof) -> None:
        if self.neighbour is None or self.up_at is not None:
            raise RemoteProtocolError("bad-order", "a PROOF that is not awaited")
        try:
            self._greeting.check(proof, self._leaves)
            certificate = lane.connection.peer_certificate
            rejected = self._owner.session_admit(self, certificate, self.neighbour)
            if rejected is not None:
                raise rejected
        except HandshakeRejected as rejected:
            self._reject(rejected)
            return
        self._serve(lane, self.neighbour)
        lane.ping()
        rtt_s = self._timers.now() - self._greeted_at  # No PROOF without our HELLO.
        if self.config.role == "acceptor":
            self._come_up(lane, rtt_s)
            return
        self._let_in = partial(self._come_up, lane, rtt_s)
        self.lane_stream = self._first_stream

    def _first_stream(self, stream: OfferedStream, body: bytes) -> None:
        """Dialler: only an acceptor that let us in opens one."""
        if self._let_in is not None:
            self._let_in()
        self.lane_stream(stream, body)

    def _come_up(self, lane: LaneMux, rtt_s: float) -> None:
        """Both ends let the other in. ``rtt_s``: a round trip of the handshake."""
        self._be_up(rtt_s)
        self._correct_cost(lane)
        self._owner.session_up(self)

    def _be_up(self, rtt_s: float) -> None:
        if self._let_in is not None:
            self._let_in = None
            self.lane_stream = partial(self._owner.session_stream, self)
        self._cancel_timer()
        self.up_at = self._timers.now()
        self._liveness.start(rtt_s)

    def _serve(self, lane: LaneMux, neighbour: Neighbour) -> None:
        takes_answers = self._greeting.peer_takes_answers
        lane.serve(neighbour.router, neighbour.site, takes_answers=takes_answers)

    def _correct_cost(self, lane: LaneMux) -> None:
        """Dialler: our HELLO said another, if the operator changed it since."""
        changed = self.config.role == "dialler" and self.cost != self.config.cost
        if changed and not self.is_of_sibling:
            lane.send_control(control.encode(control.CostMessage(self.cost)))

    def _reject(self, rejected: HandshakeRejected) -> None:
        self.close(Fault(rejected.code, rejected.reason, rejected.hint, "refused"))

    def _hello_late(self) -> None:
        self._timer = None
        seconds = f"{limits.HELLO_TIMEOUT_S:g} s"
        self.close(Fault("hello-timeout", f"the handshake was not done within {seconds}"))

    # Data lanes.

    def _data_message(self, lane: LaneMux, message: control.Message | None) -> None:
        expected = self._data.answer_of(lane)
        if not isinstance(message, control.Joined) or expected is None:
            raise RemoteProtocolError("bad-order", "a control message on a data lane")
        if not join_is_proven(expected, message.proof):
            raise RemoteProtocolError("wrong-router", "JOINED by another site")
        self._take_data_lane(lane)

    def _take_data_lane(self, lane: LaneMux) -> None:
        assert self.neighbour is not None
        self._data.take(lane, drains=self._greeting.peer_drains)
        self.lane = lane
        lane.rtt_s = self.rtt_s or 0.0  # Its windows grow by it.
        self._serve(lane, self.neighbour)
        if self._is_quiet:
            lane.open_no_more()
        self._owner.session_changed(self)

    def _goaway(self, lane: LaneMux, message: control.GoAway) -> None:
        who = self.neighbour.name if self.neighbour else "the neighbor"
        fault = goodbye_of(who, message)
        if lane is self._control:
            self._fault = self._fault or fault
        lane.abort(fault)

    # Draining.

    def _receive_drain(self, lane: LaneMux, message: control.Drain | control.Last) -> None:
        if self.up_at is None or lane in self._data.joining:
            raise RemoteProtocolError("bad-order", "a lane drains that carries no streams yet")
        if self._closing:
            return
        if isinstance(message, control.Last):
            lane.heard_last()
            self._peer_is_quiet |= lane is self._control
        elif lane is self._control:
            self._fall_quiet()
        elif lane is self._data.current:
            self._replace_data_lane()
        self._owner.session_draining(self)

    def _fall_quiet(self) -> None:
        self._is_quiet = True
        for lane in self._serving():
            lane.open_no_more()

    def _replace_data_lane(self) -> None:
        """The dialler brings another; until then the control lane carries new streams."""
        self._data.retire(drains=self._greeting.peer_drains)
        self.lane = self._control
        self._owner.session_changed(self)

    def lane_drained(self, lane: LaneMux) -> None:
        """A retired lane is closed by who dialled it, a link by who asked to drain it."""
        if self.config.role == "dialler" and self._data.close_retired(lane):
            return
        self._close_if_drained()

    def _close_if_drained(self) -> None:
        """A lane that joins is waited for: the neighbour may have opened streams on it."""
        if self._asked is None or not self._is_quiet or self._closing or self._data.joining:
            return
        if all(one.is_drained for one in self._serving()):
            self.close(self._asked)

    def _looked(self) -> None:
        """Now and then: a data lane has done its part."""
        lane = self._data.current
        if lane is not None and lane.is_worn and not self.is_draining:
            self._replace_data_lane()

    # The end.

    def data_lanes(self) -> list[LaneMux]:
        """Those that carry streams: the one in use and those that were replaced."""
        return self._data.serving

    def _serving(self) -> list[LaneMux]:
        return ([self._control] if self._control is not None else []) + self._data.serving

    def lanes(self) -> list[LaneMux]:
        """All that are there."""
        return self._serving() + self._data.joining

    def _finish(self, fault: Fault, *, politely: bool) -> None:
        if self._fault is None:
            self._fault = fault
        if self._closing:
            return
        self._closing = True
        self._cancel_timer()
        self._liveness.stop()
        self._renewals.stop()
        for lane in self.lanes():
            if politely:
                lane.close(fault)
            else:
                lane.abort(fault)
        self._let_in = None
        # They hold us: let no cycle wait for the collector.
        del self.lane_stream, self._liveness, self._renewals

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
