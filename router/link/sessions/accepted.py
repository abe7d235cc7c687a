"""Links that neighbors dialed: from the doorway to their end, with the names they have here."""

from collections.abc import Callable, Collection, Iterator

from router.link import control
from router.link.fault import Fault
from router.link.neighbour import LinkedDialer, Neighbour
from router.link.sessions.doorway import Doorway
from router.link.sessions.lost_links import LostLinks
from router.link.sessions.session import LinkSession
from router.link.sessions.session_owner import SessionConfig
from router.link.streams.buffers import LinkBuffers, ProcessBuffers
from router.link.streams.holder_share import UNKNOWN_HOLDER, HolderShares
from router.link.streams.mux import LaneMux
from router.model import limits
from router.net.ports import Connection, ConnectionHandler, Timers

ALPN = "spillway/1"


class AcceptedLinks:
    """Owns accepted lanes until they join a link, and records which accepted links are up."""

    def __init__(
        self,
        timers: Timers,
        process: ProcessBuffers,
        shares: HolderShares,
        new_session: Callable[[SessionConfig], LinkSession],
        refused: Callable[[str, Fault], None],
    ) -> None:
        """``refused`` is called for each lane that made no link, with the peer and the reason."""
        self.up: dict[LinkSession, str] = {}  # With the name that shows it.
        self.handshaking: set[LinkSession] = set()  # Accepted and not up yet.
        self.lost = LostLinks(timers.now)
        self._timers = timers
        self._process = process
        self._shares = shares
        self._new_session = new_session
        self._refused = refused
        self._doorways: set[Doorway] = set()
        self._closed = False

    def accept(self, connection: Connection, certificate: bytes) -> ConnectionHandler | None:
        """Accept ``connection`` for a listener, which showed our leaf ``certificate`` (DER)."""
        waiting = len(self._doorways) + len(self.handshaking)
        if self._closed or waiting >= limits.LINK_HANDSHAKES_MAX:
            return None
        if connection.alpn != ALPN or not connection.peer_certificate:
            return None
        buffers = LinkBuffers(self._process)
        doorway = Doorway(self, connection, self._timers, buffers, certificate)
        doorway.lane.read_within(self._shares.of(UNKNOWN_HOLDER))
        self._doorways.add(doorway)
        return doorway.lane

    def close(self, fault: Fault) -> None:
        """Accept no more. Sessions are closed by their owner."""
        self._closed = True
        for doorway in list(self._doorways):
            doorway.close(fault)

    # DoorwayOwner.

    def hello_arrived(self, lane: LaneMux, payload: memoryview, certificate: bytes) -> None:
        """A control lane: the neighbor dials a link."""
        session = self._new_session(SessionConfig("acceptor", "", limits.COST_MIN, certificate))
        self.handshaking.add(session)
        session.start(lane)
        session.lane_message(lane, payload)

    def join_arrived(self, lane: LaneMux, join: control.Join, certificate: bytes) -> bool:
        """A data lane. False: of no link that is up here. Raises HandshakeRejected."""
        for session in self.up:
            if session.greeting.session_id == join.session and session.is_up:
                session.joined(lane, join, certificate)
                return True
        return False

    def doorway_left(self, doorway: Doorway, fault: Fault | None = None) -> None:
        """The lane's kind is known, or the lane is gone."""
        self._doorways.discard(doorway)
        if fault is not None and not self._closed:
            self._refused(str(doorway.lane.connection.peer), fault)

    # Events of sessions.

    def came_up(self, session: LinkSession, taken: Collection[str]) -> LinkSession | None:
        """Name the link that came up, with none of the names ``taken``. Returns the link that it
        replaces, if any: the neighbor that dialed again knows that one to be dead."""
        neighbour = session.neighbour
        assert neighbour is not None
        self.handshaking.discard(session)
        known = self._same_links(session, neighbour)
        replaced = next((one for one in known if not one.link_drain.is_draining), None)
        # A draining one has a successor already, or gets it now.
        named = [self.up[one] for one in known or self._of_other_workers(session, neighbour)]
        before = self.lost.came_up(session, neighbour)
        self.up[session] = named[0] if named else self._free_name(before, neighbour.name, taken)
        if (
            replaced is not None
            and session.greeting.peer_renews
            and replaced.leaves != session.leaves
        ):
            session.up_at = replaced.up_at  # The link goes on.
            return None  # Alive: its dialer drains it now.
        return replaced

    def went_down(self, session: LinkSession, fault: Fault) -> str | None:
        """The name of the link that ended; None: it was not up, or not accepted."""
        if session in self.handshaking:
            self.handshaking.discard(session)
            if not self._closed:
                self._refused(session.neighbour.name if session.neighbour else "", fault)
        name = self.up.pop(session, None)
        if name is not None:
            self.lost.went_down(name, session, fault)
            heir = next((one for one, its_name in self.up.items() if its_name == name), None)
            if heir is not None:  # The link goes on.
                heir.lanes.count_past(session.lanes)
        return name

    def _same_links(self, session: LinkSession, neighbour: Neighbour) -> list[LinkSession]:
        """The links that are up with the dialer and the link name of ``session``."""
        alike = self._of_link_name(session.link_name)
        return [known for known, its in alike if its.router == neighbour.router]

    def _of_other_workers(self, session: LinkSession, neighbour: Neighbour) -> list[LinkSession]:
        """The same link, dialed by other workers of the router that dialed ``session``.

        Routers that are no workers of each other have number 0, so each has a separate link.
        """
        worker = session.greeting.peer_worker
        return [
            known
            for known, its in self._of_link_name(session.link_name)
            if its.site == neighbour.site and known.greeting.peer_worker != worker
        ]

    def _of_link_name(self, name: str) -> Iterator[tuple[LinkSession, Neighbour]]:
        """The links that are up and that their dialers call ``name``, with their neighbors."""
        for known in self.up:
            if known.neighbour is not None and known.link_name == name:
                yield known, known.neighbour

    def _free_name(self, before: str, wanted: str, taken: Collection[str]) -> str:
        """``before`` if it is free, else ``wanted``, with a number if needed."""
        names = {*self.up.values(), *taken, *self.lost.names}
        if before and before not in names:
            return before
        name, number = wanted, 1
        while name in names:
            number += 1
            name = f"{wanted}-{number}"
        return name

    # Dialers.

    def dialers(self) -> list[LinkedDialer]:
        """The dialers of the links that are up here."""
        return [
            LinkedDialer(
                session.neighbour,
                session.greeting.peer_renews,
                b"" if session.link_drain.is_draining else session.leaves[1],
            )
            for session in self.up
            if session.neighbour is not None and not session.neighbour.is_sibling
        ]

    def drop(self, fault: Fault) -> list[LinkSession]:
        """Abort all links that other sites dialed, in this turn; returns those that were up."""
        ended = [one for one in self.up if not one.is_of_sibling]
        for session in [*ended, *(one for one in self.handshaking if not one.is_of_sibling)]:
            session.abort(fault)
        self.lost.forget(lambda _: True)
        return ended

    def tell_renewal_due(self, whom: Callable[[Neighbour], bool]) -> int:
        """See `LinkRenewals.tell_renewal_due`."""
        renewals = [
            session.renewals
            for session in self.up
            if session.neighbour is not None
            and not session.neighbour.is_sibling
            and whom(session.neighbour)
        ]
        return sum(1 for one in renewals if one is not None and one.tell_due())

    def end_outlived(self, is_over: Callable[[bytes], bool], fault: Fault) -> list[LinkSession]:
        """The links that this ended. See `LinkRenewals.end_outlived`."""
        ended = [one for one in self.up if one.greeting.peer_renews and is_over(one.leaves[1])]
        for session in ended:
            session.close(fault)
        return ended
