"""All links of a router: those it dials, those it accepts, and the adjacencies they make."""

import random
from collections.abc import Callable, Mapping
from typing import Final

from router.link import control
from router.link.adjacencies import Adjacencies
from router.link.adjacency import preference
from router.link.admission import PeerAdmission
from router.link.departure import CLOSED, STAYING, Departure
from router.link.fault import Fault
from router.link.incoming_streams import OfferedStreams
from router.link.intake import LinkIntake
from router.link.link_renewals import LinkRenewals
from router.link.neighbour import Neighbour
from router.link.ports import LinkOwner, OpenedStream, OpenRequest, StreamHandler
from router.link.routing_messages import LsaMessage, RoutingMessage
from router.link.sessions.accepted import ALPN as ALPN
from router.link.sessions.accepted import AcceptedLinks
from router.link.sessions.dialed_links import DialedLinks
from router.link.sessions.greeting import Life
from router.link.sessions.handshake import EDGE, INTERIOR, SIBLING, Abilities
from router.link.sessions.link_status import LinkStatus, listed, outgoing_status, shown_for
from router.link.sessions.lost_races import LinkState
from router.link.sessions.outgoing_spec import OutgoingSpec
from router.link.sessions.session import LinkSession
from router.link.sessions.session_owner import SessionConfig
from router.link.streams.buffers import ProcessBuffers
from router.link.streams.holder_share import HolderShares
from router.model import limits
from router.model.errors import HandshakeRejected
from router.model.ids import RouterId, SiteId
from router.model.own_identity import OwnIdentity
from router.net.ports import Connection, ConnectionHandler, FarNetwork

NO_LINKS: Final[Mapping[str, Fault]] = {}


class Links:
    """Implements `StreamOpener`, and owns all sessions.

    ``rng`` gives nonces, secrets and jitter: a `random.SystemRandom` in production, a seeded one
    in a simulation.
    """

    def __init__(
        self,
        network: FarNetwork,
        identity: OwnIdentity,
        owner: LinkOwner,
        *,
        rng: random.Random,
        is_edge: bool = False,
        born: int = 0,
        place: str = "",
        restored: int = 0,
        worker: int = 0,
    ) -> None:
        """``is_edge``: no stream passes through, and each neighbor must serve edges. ``born``: the
        epoch that this process began with. ``place``: human-readable location of the process.
        ``restored``: when its state was restored from a backup, Unix seconds, 0: never.
        ``worker``: the number of the process among the workers of one router."""
        self._drain_grace_s = limits.DRAIN_GRACE_S
        self._dialed_changed: Callable[[str, LinkState], None] = lambda name, state: None
        self._network = network
        self._identity = identity
        self._owner = owner
        self._rng = rng
        self._abilities = EDGE if is_edge else INTERIOR
        self._process = ProcessBuffers()
        self._shares = HolderShares(network)
        self._life = Life(rng.randbytes(control.NONCE_BYTES), born, place, restored, worker)
        self._dialed = DialedLinks(
            network,
            rng,
            lambda config, is_sibling: self._new_session(
                config, SIBLING if is_sibling else self._abilities
            ),
            self._link_changed,
        )
        self._accepted = AcceptedLinks(
            network,
            self._process,
            self._shares,
            lambda config: self._new_session(config, self._abilities),
            owner.incoming_refused,
        )
        self.renewals = renewals = LinkRenewals(self._dialed, self._accepted)
        self.session_renewal = renewals.session_renewal
        self.session_renewal_due = renewals.session_renewal_due
        self.adjacencies = Adjacencies(owner)
        """The neighbors of links that are up."""
        self._known = self.adjacencies.known
        self._admission = PeerAdmission(
            owner, network.now, self._known, self._accepted.up, self._shares
        )
        self._offered = OfferedStreams(
            identity.router, identity.site, owner, self._known, self, fills_paths=not is_edge
        )
        self.session_stream = self._offered.take  # Each OPEN passes here: no extra call.
        self._intake = LinkIntake(network.now)
        self.session_read = self._intake.session_read
        self._changed: dict[str, None] = {}
        self._turn_asked = False
        self.departure = Departure(identity.name)
        """How far this router is in leaving its neighbors."""

    # Called by `node`.

    def set_links(
        self, outgoing: Mapping[str, OutgoingSpec], kept: Mapping[str, Fault] = NO_LINKS
    ) -> None:
        """Dial exactly these links from now on; links that are up to other places drain.

        A new cost or credential does not reconnect. Where a link leads elsewhere now, the new way
        is dialed while the old one drains. ``kept``: links that are configured but not dialed now,
        and why; links in neither mapping were deleted.
        """
        if self.departure.stage is CLOSED:
            return
        self._dialed.set_links(outgoing, kept, self._network.now() + self._drain_grace_s)

    def follow_dialed(self, changed: Callable[[str, LinkState], None]) -> None:
        """Call ``changed`` with each link of ours whose state may have changed, and with its
        state."""
        self._dialed_changed = changed

    def remember_down(self, since: Mapping[str, float]) -> None:
        """Links that were down before this router started, by name: monotonic seconds. Those that
        the first `set_links` names are down since then, until they are up."""
        self._dialed.remember_down(since)

    def set_drain_grace(self, grace_s: float) -> None:
        """Set how long a link that is deleted from now on waits for its streams."""
        self._drain_grace_s = grace_s

    def retry_all(self) -> None:
        """Dial every waiting link at once: the reason for its failure may be gone."""
        self._dialed.retry_all()

    def acceptor(
        self, certificate: Callable[[], bytes]
    ) -> Callable[[Connection], ConnectionHandler | None]:
        """The callback of a listener for each connection. ``certificate``: its leaf now, DER."""
        return lambda connection: self._accepted.accept(connection, certificate())

    def open_stream(
        self, request: OpenRequest, handler: StreamHandler, *, ends: bool = False
    ) -> OpenedStream | None:
        """See `StreamOpener`."""
        try:
            adjacency = self._known[request.path[0]]
        except KeyError:
            return None
        sessions = adjacency.sessions
        for session in adjacency.in_order() if sessions[1:] else sessions:
            lane = session.lanes.opening
            stream = lane.open_stream(request, handler, ends=ends) if lane is not None else None
            if stream is not None:
                return stream
        return None

    @property
    def adjacent(self) -> dict[RouterId, int]:
        """Routers with links that are up, with the cost in force."""
        return {router: found.cost for router, found in self._known.items() if found.is_told}

    def send(self, router: RouterId, message: RoutingMessage) -> bool:
        """Send over the cheapest link to ``router``; False: there is none."""
        adjacency = self._known.get(router)
        if adjacency is None:
            return False
        min(adjacency.sessions, key=preference).send(message)
        return True

    def misbehaved(self, router: RouterId) -> None:
        """Count a message that no honest router sends or passes on: too many end its links."""
        adjacency = self._known.get(router)
        for session in list(adjacency.sessions) if adjacency is not None else ():
            session.lanes.misbehaved()

    def drop(self, whom: SiteId | Callable[[Neighbour], bool], reason: str) -> int:
        """Abort all lanes of these neighbors in this turn; returns how many links. For
        revocation."""
        dropped = 0

        def is_meant(neighbour: Neighbour) -> bool:
            return neighbour.site == whom if isinstance(whom, str) else whom(neighbour)

        self._accepted.lost.forget(is_meant)
        for session in self._sessions():
            if session.neighbour is not None and is_meant(session.neighbour):
                session.abort(Fault("revoked", reason, kind="refused"))
                dropped += 1
        return dropped

    @property
    def streams(self) -> int:
        """Streams open on all lanes; a stream in transit counts twice."""
        return sum(session.lanes.stream_count for session in self._sessions())

    @property
    def buffered_bytes(self) -> int:
        """Bytes held for all streams: unsent, or received and not yet credited."""
        return self._process.held_bytes

    def set_buffered_mark(self, mark_bytes: int) -> None:
        """Hold at most about this many bytes for all streams; beyond it the longest stalled are
        reset."""
        self._process.set_mark(mark_bytes)

    def drop_slowest(self, size_bytes: int) -> int:
        """Reset the streams stalled longest, until ``size_bytes`` are free; returns how many."""
        return self._process.reset_stalled(size_bytes)

    def status(self) -> list[LinkStatus]:
        """All links to other sites, by name: configured links, incoming ones that are up, and those
        lost in the last minutes."""
        accepted = self._accepted
        lost = accepted.lost.lines(accepted.up, self._owner.linked_elsewhere)
        return listed(self._dialed.wanted.values(), self._dialed.leaving, accepted.up, lost)

    def to_siblings(self) -> list[LinkStatus]:
        """The links to other routers of this site that this one dials."""
        wanted = self._dialed.wanted.values()
        return [outgoing_status(link) for link in wanted if link.spec.is_sibling]

    def drain(self) -> None:
        """This site stops: neighbors should open no more streams here; open streams go on.

        OPENs that cross this message are refused. This site still opens streams until `finish`.
        """
        self.departure.leave_others(self.adjacencies.staying_siblings)
        self.departure.drain()
        self._offered.stop()
        for session in self._sessions():
            session.drain(self.departure.farewell, wholly=False)

    def finish(self, done: Callable[[], None]) -> None:
        """After `drain`: open nothing more here either, and dial no more links.

        Each link ends with its last stream; ``done`` is called once all have, never from within
        this call. A neighbor in the middle of a handshake may think it done and have opened
        streams: it is let in, to be refused or to come too late.
        """
        self.departure.finish(done)
        self._dialed.drain(self.departure.farewell)
        for session in self._accepted.up:
            session.drain(self.departure.farewell, wholly=True)
        self._ask_turn()

    def close(self) -> None:
        """Close all links with a goodbye, and dial and accept no more."""
        self.departure.close()
        fault = self.departure.farewell
        self._dialed.stop(fault)
        for session in self._sessions():
            session.close(fault)
        self._accepted.close(fault)

    def outgoing_status(self, name: str) -> LinkStatus | None:
        """The line of one configured link to another site."""
        link = self._dialed.wanted.get(name)
        if link is None or link.spec.is_sibling:
            return None
        return outgoing_status(shown_for(link, self._dialed.leaving))

    @property
    def refused_as_copy(self) -> str:
        """Why a neighbor refuses us as a copy: it has a router with our identity. Empty: none
        does."""
        wanted = self._dialed.wanted.values()
        found = (link.error for link in wanted if link.error_code == "copy")
        return next(found, "")

    @property
    def copies_kept_out(self) -> list[str]:
        """A sentence for each neighbor whose identity has a second place, kept out here."""
        return self._admission.copies_kept_out

    # Sessions, dialed and accepted.

    def _new_session(self, config: SessionConfig, abilities: Abilities) -> LinkSession:
        return LinkSession(
            self,
            self._network,
            self._identity,
            self._process,
            self._shares,
            self._rng,
            config,
            life=self._life,
            abilities=abilities,
        )

    def _link_changed(self, name: str) -> None:
        """Report a change of link ``name`` to the owner at the turn's end, once."""
        self._changed[name] = None
        self._ask_turn()

    # SessionOwner.

    def session_admit(
        self, session: LinkSession, certificate: bytes, neighbour: Neighbour
    ) -> HandshakeRejected | None:
        """See `PeerAdmission`."""
        return self._admission.judge(session, certificate, neighbour)

    def end_copies(self) -> None:
        """End the links of copies whose originals are known by now, wherever these are."""
        self._admission.end_copies()

    def session_up(self, session: LinkSession) -> None:
        """An adjacency came up, or another link of it."""
        neighbour = session.neighbour
        assert neighbour is not None
        replaced = None
        link = self._dialed.link_of(session)
        if link is not None and link.is_to_succeed(session):
            link.next_up()
            self.departure.joined_by(session)
            return
        name = session.link_name
        if link is None:
            replaced = self._accepted.came_up(session, self._dialed.wanted)
            name = self._accepted.up[session]
            self._link_changed(name)
        if self.adjacencies.joined(session, neighbour, name):
            self._ask_turn()
        if replaced is not None:
            replaced.abort(Fault("replaced", "the neighbor dialed this link again"))
        if link is not None:
            link.session_up(session)
        self.departure.joined_by(session)

    def session_cost(self, session: LinkSession) -> None:
        """The neighbor that dialed the link changed its cost."""
        self.session_changed(session)

    def session_message(self, session: LinkSession, message: RoutingMessage) -> None:
        """Pass a message to routing. An LSA dropped here comes again, since it is not
        acknowledged."""
        neighbour = session.neighbour
        assert neighbour is not None
        if (
            isinstance(message, LsaMessage)
            and not neighbour.is_sibling
            and not self._intake.takes_lsa(session, neighbour, len(message.signed))
        ):
            return
        self._owner.routing_message(neighbour.router, message)

    def session_changed(self, session: LinkSession) -> None:
        """The lanes or the cost of a session changed."""
        link = self._dialed.link_of(session)
        if link is not None and link.is_to_succeed(session):
            if not link.next_changed():
                return
            assert session.neighbour is not None
            self.adjacencies.joined(session, session.neighbour, link.name)
            link.take_over(session)
        elif link is not None:
            link.session_changed(session)
        elif session in self._accepted.up:
            self._link_changed(self._accepted.up[session])
        self._ask_turn()

    def session_draining(self, session: LinkSession) -> None:
        """The adjacency leaves the routes with the last link that stays."""
        neighbour = session.neighbour
        if neighbour is not None and neighbour.is_sibling:
            self._sibling_drains(neighbour.router)
        self.session_changed(session)
        self._dialed.session_draining(session, may_succeed=self.departure.stage is STAYING)

    def session_heard_again(self, session: LinkSession, silent_s: float) -> None:
        """See `LinkOwner.heard_again`."""
        if session.neighbour is not None:
            self._owner.heard_again(session.neighbour.router, silent_s)

    def session_down(self, session: LinkSession, fault: Fault) -> None:
        """A session is over. The adjacency goes with the last link."""
        name = self._accepted.went_down(session, fault)
        if name is not None:
            self._link_changed(name)
        if self.adjacencies.left(session, fault, name or session.link_name):
            self._ask_turn()
        self._dialed.session_down(session, fault)
        if self.departure.awaits_end:
            self._ask_turn()

    # Helpers.

    def _sibling_drains(self, router: RouterId) -> None:
        """If the last remaining router of this site stops, say so on all links that have not ended
        yet."""
        if self.adjacencies.leaves(router) and self.departure.other_leaves(router):
            for session in self._sessions():
                session.link_drain.reword(self.departure.farewell)

    def _sessions(self) -> list[LinkSession]:
        return [*self._dialed.sessions, *self._accepted.up, *self._accepted.handshaking]

    def _ask_turn(self) -> None:
        if not self._turn_asked:
            self._turn_asked = True
            self._network.at_turn_end(self._turn_end)

    def _turn_end(self) -> None:
        """Report costs in force and changed links once a turn."""
        self._turn_asked = False
        self.adjacencies.tell_costs()
        changed, self._changed = self._changed, {}
        for name in changed:
            self._owner.link_changed(name)
            line = self.outgoing_status(name)
            if line is not None:
                self._dialed_changed(name, line.state)
        if self.departure.awaits_end and not self._sessions():
            self.departure.end()
