"""One neighbor as `Links` knows it: its links that are up, and the state last reported."""

from functools import reduce
from operator import or_

import msgspec

from router.link.neighbour import Neighbour
from router.link.ports import LinkOwner
from router.link.sessions.session import LinkSession
from router.model.rights.sharing import FREE, Terms


class LinkAdjacency:
    """An adjacent router, its links that are up, and the cost last reported to the owner.

    ``boot`` identifies the neighbor's process. All sessions are with this one process: another one
    knows nothing of what this one heard. ``is_told``: our owner routes by this adjacency; False
    while all its links drain. ``terms``: the joined terms of its links, as last reported.
    """

    __slots__ = ("_drain_told", "boot", "cost", "is_told", "neighbour", "sessions", "terms")

    def __init__(self, neighbour: Neighbour, boot: bytes) -> None:
        self.neighbour = neighbour
        self.boot = boot
        self.sessions: list[LinkSession] = []
        self.cost = 0
        self.is_told = False
        self._drain_told = False
        self.terms = neighbour.terms

    def tell_up(self, owner: LinkOwner, session: LinkSession, name: str) -> None:
        """Report the adjacency to ``owner`` as usable, by link ``name``."""
        self.is_told = True
        self.cost = session.cost
        self.terms = self._terms_now()
        owner.adjacency_up(self.whole_neighbour, self.cost, name, session.direction)

    def tell_changes(self, owner: LinkOwner) -> None:
        """Report changes of cost and terms, and that the adjacency begins to drain or drains
        wholly."""
        router = self.neighbour.router
        drain_begun = all(one.link_drain.is_draining for one in self.sessions)
        if drain_begun and not self._drain_told:
            owner.adjacency_drain_begun(router)
        self._drain_told = drain_begun
        costs = [one.cost for one in self.sessions if not one.link_drain.is_leaving]
        if not self.is_told:
            return
        if not costs:
            self.is_told = False
            owner.adjacency_draining(router)
            return
        cost, terms = min(costs), self._terms_now()
        if cost != self.cost:
            self.cost = cost
            owner.adjacency_cost(router, cost)
        if terms != self.terms:
            self.terms = terms
            owner.adjacency_terms(router, terms)

    @property
    def whole_neighbour(self) -> Neighbour:
        """The neighbor with the terms in force."""
        if self.terms is self.neighbour.terms:
            return self.neighbour
        return msgspec.structs.replace(self.neighbour, terms=self.terms)

    def _terms_now(self) -> Terms:
        """Everything that at least one of the links allows."""
        terms = [one.neighbour.terms for one in self.sessions if one.neighbour is not None]
        joined = reduce(or_, terms) if terms else self.terms
        return FREE if joined == FREE else joined

    def in_order(self) -> list[LinkSession]:
        """The sessions in the order in which streams try them: least loaded lane of the cheapest
        link first."""
        sessions = self.sessions
        return sorted(sessions, key=preference) if len(sessions) > 1 else sessions


def preference(session: LinkSession) -> tuple[bool, int, int]:
    """Sort key of links for a message or stream: one that stays, then the cheapest, then the least
    loaded."""
    lane = session.lanes.opening
    return session.link_drain.is_leaving, session.cost, lane.stream_count if lane is not None else 0
