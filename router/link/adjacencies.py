"""The routers with a link that is up, and the reports about them to the links' owner."""

from collections.abc import Iterable

from router.link.adjacency import LinkAdjacency
from router.link.fault import CRASHED, Fault
from router.link.neighbour import Neighbour
from router.link.ports import LinkOwner
from router.link.sessions.session import LinkSession
from router.model import limits
from router.model.ids import RouterId

_GOODBYES = ("shutdown", "removed")
"""Codes of faults with which an end closes a link as planned."""


class Adjacencies:
    """Adjacent routers, ``known`` by their ids; reports to ``owner`` each that comes and goes."""

    __slots__ = ("_owner", "known")

    def __init__(self, owner: LinkOwner) -> None:
        self._owner = owner
        self.known: dict[RouterId, LinkAdjacency] = {}

    def judges(self, router: RouterId) -> bool:
        """Whether that neighbor withholds from an edge the streams that the edge may not get."""
        adjacency = self.known.get(router)
        return adjacency is not None and adjacency.neighbour.judges

    def neighbour(self, router: RouterId) -> Neighbour | None:
        """The neighbor at the other end of the links to ``router``; None: there are no links."""
        adjacency = self.known.get(router)
        return None if adjacency is None else adjacency.whole_neighbour

    @property
    def siblings(self) -> frozenset[RouterId]:
        """Other routers of our own site that have a link here."""
        known = self.known.values()
        return frozenset(
            one.neighbour.router for one in known if one.is_told and one.neighbour.is_sibling
        )

    @property
    def staying_siblings(self) -> frozenset[RouterId]:
        """The `siblings` that are not stopping."""
        return frozenset(router for router in self.siblings if not self.leaves(router))

    def leaves(self, router: RouterId) -> bool:
        """Whether that neighbor is stopping: it asked us to open no more streams on any link to it.
        It asks so on a single link when another link has replaced that one."""
        known = self.known.get(router)
        return known is not None and all(one.link_drain.peer_asked for one in known.sessions)

    def settles(self, router: RouterId, now: float) -> bool:
        """Whether a link to that neighbor came up, or began to drain, a moment ago: streams may
        come over it whose route is not known here yet, or no longer. A neighbor may drain for
        as long as it likes."""
        adjacency = self.known.get(router)
        changes = [
            at
            for one in (adjacency.sessions if adjacency is not None else ())
            for at in (one.up_at, one.link_drain.begun_at)
            if at is not None
        ]
        return any(now - at < limits.LINK_SETTLES_S for at in changes)

    @property
    def sharing(self) -> dict[RouterId, bool]:
        """For each of `siblings`: whether it reports its shares. Older versions do not."""
        return {
            one.neighbour.router: one.neighbour.tells_shares
            for one in self.known.values()
            if one.is_told and one.neighbour.is_sibling
        }

    def joined(self, session: LinkSession, neighbour: Neighbour, name: str) -> bool:
        """Add link ``name`` to ``neighbour``, which came up. True: call `tell_costs` at the turn's
        end."""
        adjacency = self.known.get(neighbour.router)
        if adjacency is not None and adjacency.boot != session.greeting.peer_boot:
            self._restarted(adjacency)
            adjacency = None
        if adjacency is None:
            adjacency = LinkAdjacency(neighbour, session.greeting.peer_boot)
            self.known[neighbour.router] = adjacency
        goes_on = _carry(adjacency.sessions, session)
        adjacency.sessions.insert(0, session)
        if adjacency.is_told:
            if not goes_on:
                self._owner.further_link_up(neighbour.router, name, session.direction)
            return True
        adjacency.tell_up(self._owner, session, name)
        return False

    def _restarted(self, adjacency: LinkAdjacency) -> None:
        """The neighbor came back before we knew that it was gone."""
        neighbour = adjacency.neighbour
        fault = Fault("restarted", f"{neighbour.name} has restarted")
        del self.known[neighbour.router]
        self._owner.adjacency_down(neighbour.router, str(fault), is_planned=not adjacency.is_told)
        for session in adjacency.sessions:
            session.abort(fault)

    def left(self, session: LinkSession, fault: Fault, name: str) -> bool:
        """Remove link ``name``, which is over; the adjacency goes with its last link. Returns as
        `joined`."""
        neighbour = session.neighbour
        adjacency = self.known.get(neighbour.router) if neighbour is not None else None
        if neighbour is None or adjacency is None or session not in adjacency.sessions:
            return False
        if session.link_drain.is_leaving:  # The peer may have asked in the turn of its goodbye.
            adjacency.tell_changes(self._owner)
        adjacency.sessions.remove(session)
        if adjacency.sessions:
            if not _carry(adjacency.sessions, session):
                self._owner.further_link_down(
                    *(neighbour.router, name, session.direction),
                    str(fault),
                    is_planned=session.link_drain.is_draining and fault.code != CRASHED,
                )
            return True
        del self.known[neighbour.router]
        is_planned = fault.code != CRASHED and (
            session.link_drain.is_leaving
            or (session.link_drain.is_draining and fault.code in _GOODBYES)
        )
        self._owner.adjacency_down(neighbour.router, str(fault), is_planned=is_planned)
        return False

    def tell_costs(self) -> None:
        """Report the changes of each adjacency."""
        for adjacency in list(self.known.values()):
            adjacency.tell_changes(self._owner)


def _carry(sessions: Iterable[LinkSession], session: LinkSession) -> bool:
    """Whether one of ``sessions`` is of the same link as ``session``: it goes on with other
    certificates, or was dialed again. Links between routers of one site may be double anyway."""
    return session.is_of_sibling or any(
        one.link_name == session.link_name and one.direction == session.direction
        for one in sessions
    )
