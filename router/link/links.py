"""All links of a router: those it dials, those it accepts, and the adjacencies they make."""

import random
from collections.abc import Callable, Mapping

from router.link import control
from router.link.adjacencies import Adjacencies
from router.link.adjacency import (
    LinkStatus,
    incoming_status,
    outgoing_status,
    preference,
)
from router.link.buffers import LinkBuffers, ProcessBuffers
from router.link.doorway import Doorway
from router.link.greeting import Life
from router.link.handshake import EDGE, INTERIOR, SIBLING, Abilities
from router.link.lane import NOBODY, Fault
from router.link.mux import LaneMux
from router.link.outgoing import OutgoingLink, OutgoingSpec
from router.link.ports import (
    Identity,
    LinkOwner,
    Neighbour,
    OpenRequest,
    Refusal,
    RoutingMessage,
    Stream,
    StreamHandler,
)
from router.link.session import LinkSession, SessionConfig
from router.link.transit import fill_path, judge_path, relay
from router.link.twins import Copies, is_original, living_twins
from router.model import limits
from router.model.errors import HandshakeRejected
from router.model.ids import RouterId, SiteId
from router.net.ports import Connection, ConnectionHandler, Network

ALPN = "spillway/1"


class Links:
    """Implements `StreamOpener`, and owns all sessions.

    ``rng`` gives nonces, secrets and jitter: a `random.SystemRandom` in production, a seeded one
    in a simulation.
    """

    def __init__(
        self,
        network: Network,
        identity: Identity,
        owner: LinkOwner,
        *,
        rng: random.Random,
        is_edge: bool = False,
        born: int = 0,
        place: str = "",
        restored: int = 0,
    ) -> None:
        """``is_edge``: no stream passes through, and each neighbour must serve edges. ``born``:
        the epoch that this process began with; ``place``: where it runs, for people;
        ``restored``: when its state came out of a backup, Unix seconds, 0: never."""
        self.drain_grace_s = limits.DRAIN_GRACE_S
        """How long a link that is deleted waits for its streams."""
        self.incoming_refused: Callable[[str, Fault], None] = lambda peer, fault: None
        """Told of each accepted lane that made no link: who it was, if it said so, and why."""
        self._network = network
        self._identity = identity
        self._owner = owner
        self._rng = rng
        self._abilities = EDGE if is_edge else INTERIOR
        self._process = ProcessBuffers()
        self._life = Life(rng.randbytes(control.NONCE_BYTES), born, place, restored)
        self._outgoing: dict[str, OutgoingLink] = {}
        self._leaving: dict[OutgoingLink, None] = {}  # Wanted no more, and their streams go on.
        self._link_of: dict[LinkSession, OutgoingLink] = {}
        self._incoming: dict[LinkSession, str] = {}  # Up, with the name it is shown by.
        self._handshaking: set[LinkSession] = set()  # Accepted and not up yet.
        self._copies = Copies()
        self._doorways: set[Doorway] = set()
        self._adjacencies = Adjacencies(owner)
        self._known = self._adjacencies.known
        self._changed: dict[str, None] = {}
        self._turn_asked = False
        self._draining = False
        self._drained: Callable[[], None] | None = None
        self._closed = False

    # What `main` does.

    def set_links(self, outgoing: Mapping[str, OutgoingSpec]) -> None:
        """Dial exactly these from now on; what is up to others drains.

        A new cost or credential does not reconnect. Where a link leads elsewhere now, the new way
        is dialled while the old one drains.
        """
        if self._closed:
            return
        for name in [name for name in self._outgoing if name not in outgoing]:
            self._let_go(name, Fault("removed", "the link was deleted"))
        for name, spec in outgoing.items():
            link = self._outgoing.get(name)
            if link is not None and link.spec.needs_reconnect(spec):
                self._let_go(name, Fault("changed", "the link was configured anew"))
                link = None
            if link is None:
                link = OutgoingLink(name, spec, self._network, self, self._rng)
                self._outgoing[name] = link
                self._start(link)
            else:
                link.update(spec)
            self.link_changed(name)

    def _let_go(self, name: str, fault: Fault) -> None:
        link = self._outgoing.pop(name)
        self.link_changed(name)
        if link.session is not None:
            self._leaving[link] = None
        link.drain(fault, self._network.now() + self.drain_grace_s)

    def _start(self, link: OutgoingLink | None) -> None:
        """Dial ``link``, unless another of its name drains and the neighbour may not know it yet:
        a link dialled anew is taken for one that its dialler has lost."""
        if link is not None and not link.has_started:
            awaited = (old.session for old in self._leaving if old.name == link.name)
            if all(session is None or session.peer_is_quiet for session in awaited):
                link.start()

    def retry_now(self, name: str) -> None:
        """Dial link ``name`` at once if it is waiting."""
        link = self._outgoing.get(name)
        if link is not None:
            link.retry_now()

    def retry_all(self) -> None:
        """Dial every link that waits at once: what kept them from coming up may be over."""
        for link in self._outgoing.values():
            link.retry_now()

    def acceptor(
        self, certificate: Callable[[], bytes]
    ) -> Callable[[Connection], ConnectionHandler | None]:
        """What a listener calls for each connection. ``certificate``: its leaf now, DER."""
        return lambda connection: self._accept(connection, certificate())

    def open_stream(self, request: OpenRequest, handler: StreamHandler) -> Stream | None:
        """See `StreamOpener`."""
        adjacency = self._known.get(request.path[0])
        return adjacency.open_stream(request, handler) if adjacency is not None else None

    @property
    def adjacent(self) -> dict[RouterId, int]:
        """Routers that links are up to, with the cost in force."""
        return {router: found.cost for router, found in self._known.items() if found.is_told}

    def send(self, router: RouterId, message: RoutingMessage) -> bool:
        """Over the cheapest link to ``router``; False: there is none."""
        adjacency = self._known.get(router)
        if adjacency is None:
            return False
        min(adjacency.sessions, key=preference).send(message)
        return True

    def misbehaved(self, router: RouterId) -> None:
        """``router`` sent what no honest router sends or passes on: its links bear only so many."""
        adjacency = self._known.get(router)
        for session in list(adjacency.sessions) if adjacency is not None else ():
            session.misbehaved()

    def broadcast(self, message: RoutingMessage, but: RouterId | None = None) -> None:
        """To every adjacent router except ``but``."""
        for router in self.adjacent:
            if router != but:
                self.send(router, message)

    def drop(self, whom: SiteId | Callable[[Neighbour], bool], reason: str) -> int:
        """Abort all lanes of these neighbours in this turn; how many links. For revocation."""
        dropped = 0
        for session in self._sessions():
            neighbour = session.neighbour
            if neighbour is None:
                continue
            if neighbour.site == whom if isinstance(whom, str) else whom(neighbour):
                session.abort(Fault("revoked", reason, kind="refused"))
                dropped += 1
        return dropped

    @property
    def streams(self) -> int:
        """Open on all lanes, those in transit twice."""
        return sum(session.stream_count for session in self._sessions())

    @property
    def buffered_bytes(self) -> int:
        """Held for all streams: unsent, or received and not yet credited."""
        return self._process.held_bytes

    def set_buffered_mark(self, mark_bytes: int) -> None:
        """Hold at most about this much for all streams; beyond it the longest stalled are reset."""
        self._process.set_mark(mark_bytes)

    def drop_slowest(self, size_bytes: int) -> int:
        """Reset the streams stalled longest, until ``size_bytes`` are free; how many."""
        return self._process.reset_stalled(size_bytes)

    def status(self) -> list[LinkStatus]:
        """All links to other sites: those configured and incoming ones that are up, by name.

        One whose neighbour stops drains: its successor is a line of its own only once it is up.
        """
        lines = [
            outgoing_status(link)
            for link in (*self._outgoing.values(), *self._leaving)
            if not link.spec.is_sibling and self._shown(link) is link
        ]
        lines += [
            incoming_status(name, session)
            for session, name in self._incoming.items()
            if session.neighbour is None or not session.neighbour.is_sibling
        ]
        return sorted(lines, key=lambda line: (line.name, line.direction, line.state == "draining"))

    def drain(self) -> None:
        """This site stops: neighbours shall open no more streams here; those open go on.

        OPENs that cross that are refused. Streams of this site are opened until `finish`.
        """
        self._draining = True
        for session in self._sessions():
            session.drain(self._stopping(), wholly=False)

    def finish(self, done: Callable[[], None]) -> None:
        """After `drain`: nothing more is opened here either, and links are dialled no more.

        Each link goes with its last stream; ``done`` comes once all have, never from in here. Who
        is in the middle of a handshake may take it for done and have opened streams: it is let in
        to be refused, or late.
        """
        self._drained = done
        for link in (*self._outgoing.values(), *self._leaving):
            link.drain(self._stopping())
        for session in self._incoming:
            session.drain(self._stopping(), wholly=True)
        self._ask_turn()

    def _stopping(self) -> Fault:
        return Fault("shutdown", f"{self._identity.name} is stopping")

    def close(self) -> None:
        """Say goodbye on all links, dial and accept no more."""
        self._closed = True
        fault = self._stopping()
        for link in (*self._outgoing.values(), *self._leaving):
            link.stop(fault)
        for session in self._sessions():
            session.close(fault)
        for doorway in list(self._doorways):
            doorway.close(fault)

    def outgoing_status(self, name: str) -> LinkStatus | None:
        """The line of one configured link to another site."""
        link = self._outgoing.get(name)
        if link is None or link.spec.is_sibling:
            return None
        return outgoing_status(self._shown(link))

    @property
    def refused_as_copy(self) -> str:
        """Why a neighbour does not take us, which has a router of our identity; or empty."""
        found = (link.error for link in self._outgoing.values() if link.is_refused_as_copy)
        return next(found, "")

    @property
    def copies_kept_out(self) -> list[str]:
        """A sentence for each neighbour whose identity has a second place, kept out here."""
        return self._copies.seen(self._network.now())

    def _shown(self, link: OutgoingLink) -> OutgoingLink:
        """``link``, or what it is to succeed and that still drains: the neighbour may come back."""
        before = link.predecessor
        is_awaited = before is not None and before in self._leaving and link.state != "up"
        return before if before is not None and is_awaited else link

    @property
    def siblings(self) -> frozenset[RouterId]:
        """Other routers of our own site that links are up to."""
        known = self._known.values()
        return frozenset(
            one.neighbour.router for one in known if one.is_told and one.neighbour.is_sibling
        )

    # Accepting.

    def _accept(self, connection: Connection, certificate: bytes) -> ConnectionHandler | None:
        waiting = len(self._doorways) + len(self._handshaking)
        if self._closed or waiting >= limits.LINK_HANDSHAKES_MAX:
            return None
        if connection.alpn != ALPN or not connection.peer_certificate:
            return None
        buffers = LinkBuffers(self._process)
        doorway = Doorway(self, connection, self._network, buffers, certificate)
        self._doorways.add(doorway)
        return doorway.lane

    # DoorwayOwner.

    def hello_arrived(self, lane: LaneMux, payload: memoryview, certificate: bytes) -> None:
        """A control lane: the neighbour dials a link."""
        config = SessionConfig("acceptor", "", limits.COST_MIN, certificate)
        session = self._new_session(config, self._abilities)
        self._handshaking.add(session)
        session.start(lane)
        session.lane_message(lane, payload)

    def join_arrived(self, lane: LaneMux, join: control.Join, certificate: bytes) -> None:
        """A data lane. Raises HandshakeRejected."""
        for session in self._incoming:
            if session.session_id == join.session:
                session.joined(lane, join, certificate)
                return
        raise HandshakeRejected("wrong-router", "no such link is up at this router")

    def doorway_left(self, doorway: Doorway, fault: Fault | None = None) -> None:
        """It is known what the lane is, or it is gone."""
        self._doorways.discard(doorway)
        if fault is not None and not self._closed:
            self.incoming_refused(str(doorway.lane.connection.peer), fault)

    def _new_session(self, config: SessionConfig, abilities: Abilities) -> LinkSession:
        return LinkSession(
            self,
            self._network,
            self._identity,
            self._process,
            self._rng,
            config,
            life=self._life,
            abilities=abilities,
        )

    # OutgoingOwner.

    def make_session(self, link: OutgoingLink, config: SessionConfig) -> LinkSession:
        """See `OutgoingOwner`."""
        session = self._new_session(config, SIBLING if link.spec.is_sibling else self._abilities)
        self._link_of[session] = link
        return session

    def link_changed(self, name: str) -> None:
        """Tell the owner at the turn's end, once."""
        self._changed[name] = None
        self._ask_turn()

    # SessionOwner.

    def session_admit(
        self, session: LinkSession, certificate: bytes, neighbour: Neighbour
    ) -> HandshakeRejected | None:
        """See `LinkOwner.admit`. A router id belongs to one site: streams are routed by it."""
        known = self._known.get(neighbour.router)
        if known is not None and known.neighbour.site != neighbour.site:
            return HandshakeRejected(
                "router-conflict",
                f"{neighbour.name} ({neighbour.site[:8]}) uses the router id of "
                f"{known.neighbour.name} ({known.neighbour.site[:8]}), which is linked here",
                "Was a state directory copied? If not, revoke it: sitectl link delete",
            )
        links = sum(
            1
            for known in self._incoming
            if known is not session and known.neighbour and known.neighbour.site == neighbour.site
        )
        if links >= limits.LINKS_PER_SITE_MAX:
            return HandshakeRejected(
                "too-many-links", f"{neighbour.name} has {links} links here already"
            )
        rejected = self._owner.admit(certificate, neighbour)
        return rejected if rejected is not None or session.is_up else self._judge_twins(session)

    def _judge_twins(self, session: LinkSession) -> HandshakeRejected | None:
        """A copy beside its original is refused; an original that comes back ends its copies."""
        others = (one for adjacency in self._known.values() for one in adjacency.sessions)
        now = self._network.now()
        twins = living_twins(session, others, now)
        for twin in twins:
            if not is_original(session, twin):
                return self._copies.refusal(session, f"linked here from {twin.peer_place}", now)
        for twin in twins:
            self._end_copy(twin, f"linked here from {session.peer_place}")
        there = self._original_elsewhere(session)
        return self._copies.refusal(session, there, now) if there else None

    def end_copies(self) -> None:
        """End the links of copies whose originals are known of by now, wherever they are."""
        for adjacency in list(self._known.values()):
            for session in list(adjacency.sessions):
                there = self._original_elsewhere(session)
                if there:
                    self._end_copy(session, there)

    def _end_copy(self, session: LinkSession, there: str) -> None:
        told = self._copies.refusal(session, there, self._network.now())
        session.close(Fault(told.code, told.reason, told.hint, "refused"))

    def _original_elsewhere(self, session: LinkSession) -> str:
        neighbour, (restored, _) = session.neighbour, session.peer_born
        if not restored or neighbour is None or neighbour.is_sibling:
            return ""  # Nearly always: only what was restored can be a copy that is known as one.
        return self._owner.original_of(neighbour, restored)

    def session_up(self, session: LinkSession) -> None:
        """An adjacency, or one more link to it."""
        neighbour = session.neighbour
        assert neighbour is not None
        self._handshaking.discard(session)
        replaced = None
        link = self._link_of.get(session)
        if link is None:
            replaced = self._same_link(session)
            name = self._incoming[replaced] if replaced else self._free_name(neighbour.name)
            self._incoming[session] = name
            self.link_changed(name)
        if self._adjacencies.joined(session, neighbour):
            self._ask_turn()
        if replaced is not None:
            replaced.abort(Fault("replaced", "the neighbour dialled this link anew"))
        if link is not None:
            link.session_up()
        if self._draining:
            session.drain(self._stopping(), wholly=self._drained is not None)

    def session_cost(self, session: LinkSession) -> None:
        """The neighbour that dialled it changed the cost."""
        self.session_changed(session)

    def session_message(self, session: LinkSession, message: RoutingMessage) -> None:
        """For routing."""
        assert session.neighbour is not None
        self._owner.routing_message(session.neighbour.router, message)

    def session_stream(
        self, session: LinkSession, stream: Stream, request: OpenRequest
    ) -> StreamHandler:
        """Ends here, goes on, or is turned down."""
        if not judge_path(request.path, self._identity.router, stream.neighbour):
            stream.refuse("not-allowed", -1)
            return NOBODY
        if self._draining:  # It crossed our DRAIN: nothing of it was touched.
            stream.refuse("draining" if len(request.path) == 1 else "no-route", -1)
            return NOBODY
        if len(request.path) == 1:
            return self._owner.stream_offered(stream, request)
        onward = self._whole(stream.neighbour, request)
        if not isinstance(onward, OpenRequest):
            stream.refuse(onward, -1)
            return NOBODY
        return relay(stream, onward, self)

    def _whole(self, neighbour: RouterId, request: OpenRequest) -> OpenRequest | Refusal:
        """``request``, with its whole path if an edge has left that to us."""
        if self._abilities is EDGE:
            return "not-allowed"
        adjacency = self._known.get(neighbour)
        if adjacency is None or not adjacency.neighbour.is_edge:
            return request
        return fill_path(request, neighbour, self._owner.path_for_edge)

    def session_changed(self, session: LinkSession) -> None:
        """Its lanes or its cost."""
        link = self._link_of.get(session)
        if link is not None:
            link.session_changed()
        elif session in self._incoming:
            self.link_changed(self._incoming[session])
        self._ask_turn()

    def session_draining(self, session: LinkSession) -> None:
        """With the last link that stays the adjacency leaves the routes."""
        self.session_changed(session)
        link = self._link_of.get(session)
        if link is not None and link in self._leaving:
            self._start(self._outgoing.get(link.name))
        elif link is not None and session.is_draining and not self._draining and not self._closed:
            self._succeed(link)

    def _succeed(self, link: OutgoingLink) -> None:
        """The neighbour stops: another router may answer for it there while its streams end."""
        if link.spec.is_sibling or self._outgoing.get(link.name) is not link:
            return
        left = [old.neighbour for old in self._leaving if old.name == link.name]
        is_new = self._network.now() - link.since < limits.RECONNECT_MIN_S
        if is_new or link.neighbour in left:  # Who stops still listens: wait for its end.
            return
        link.retire()
        self._leaving[link] = None
        successor = OutgoingLink(link.name, link.spec, self._network, self, self._rng)
        successor.predecessor = link
        self._outgoing[link.name] = successor
        successor.expect_soon()
        successor.start()

    def session_down(self, session: LinkSession, fault: Fault) -> None:
        """Over. With the last link the adjacency goes."""
        if session in self._handshaking:
            self._handshaking.discard(session)
            if not self._closed:
                peer = session.neighbour.name if session.neighbour is not None else ""
                self.incoming_refused(peer, fault)
        name = self._incoming.pop(session, None)
        if name is not None:
            self.link_changed(name)
        if self._adjacencies.left(session, fault):
            self._ask_turn()
        link = self._link_of.pop(session, None)
        if link is not None:
            if link in self._leaving:
                del self._leaving[link]
                self.link_changed(link.name)
                successor = self._outgoing.get(link.name)
                if successor is not None and successor.predecessor is link:
                    successor.predecessor = None
                self._start(successor)
                if successor is not None and fault.code == "shutdown":
                    successor.expect_soon()
            link.session_down(fault)
        if self._drained is not None:
            self._ask_turn()

    # Helpers.

    def _sessions(self) -> list[LinkSession]:
        return [*self._link_of, *self._incoming, *self._handshaking]

    def _same_link(self, session: LinkSession) -> LinkSession | None:
        """The incoming link that ``session`` is dialled anew for: the peer knows it is dead."""
        assert session.neighbour is not None
        for known in self._incoming:
            if (
                known.neighbour is not None
                and known.neighbour.router == session.neighbour.router
                and known.link_name == session.link_name
                and not known.is_draining
            ):
                return known
        return None

    def _free_name(self, wanted: str) -> str:
        taken = {*self._incoming.values(), *self._outgoing}
        name, number = wanted, 1
        while name in taken:
            number += 1
            name = f"{wanted}-{number}"
        return name

    def _ask_turn(self) -> None:
        if not self._turn_asked:
            self._turn_asked = True
            self._network.at_turn_end(self._turn_end)

    def _turn_end(self) -> None:
        """Costs in force and changed links are told once a turn."""
        self._turn_asked = False
        self._adjacencies.tell_costs()
        changed, self._changed = self._changed, {}
        for name in changed:
            self._owner.link_changed(name)
        if self._drained is not None and not self._sessions():
            done, self._drained = self._drained, None
            done()
