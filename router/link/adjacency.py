"""What `Links` knows of one neighbour: the links to it that are up, and what was told of them."""

from functools import reduce
from operator import or_

import msgspec

from router.link.neighbour import Neighbour
from router.link.ports import LinkOwner
from router.link.sessions.session import LinkSession
from router.model.rights.sharing import FREE, Terms


class LinkAdjacency:
    """A router that links lead to, with those that are up, and the cost that was told.

    ``boot`` is its process's life. All sessions are of one life: another one knows nothing of what
    this one was told. ``is_told``: our owner routes by it; not so when all its links drain.
    ``terms``: those of its links together, as they were told.
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

    def tell_up(self, owner: LinkOwner, cost: int) -> None:
        """It is to be routed by, at ``cost``."""
        self.is_told = True
        self.cost = cost
        self.terms = self._terms_now()
        owner.adjacency_up(self.whole_neighbour, cost)

    def tell_changes(self, owner: LinkOwner) -> None:
        """Cost and terms in force, and whether it begins to drain, or does wholly."""
        router = self.neighbour.router
        drain_begun = all(one.draining.is_draining for one in self.sessions)
        if drain_begun and not self._drain_told:
            owner.adjacency_drain_begun(router)
        self._drain_told = drain_begun
        costs = [one.cost for one in self.sessions if not one.draining.is_leaving]
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
        """With the terms in force."""
        if self.terms is self.neighbour.terms:
            return self.neighbour
        return msgspec.structs.replace(self.neighbour, terms=self.terms)

    def _terms_now(self) -> Terms:
        """What any of its links allows."""
        terms = [one.neighbour.terms for one in self.sessions if one.neighbour is not None]
        joined = reduce(or_, terms) if terms else self.terms
        return FREE if joined == FREE else joined

    def in_order(self) -> list[LinkSession]:
        """The order in which streams try them: the least loaded lane of the cheapest link first."""
        sessions = self.sessions
        return sorted(sessions, key=preference) if len(sessions) > 1 else sessions


def preference(session: LinkSession) -> tuple[bool, int, int]:
    """What a message or stream takes first: a link that stays, the cheapest, the least loaded."""
    lane = session.lanes.opening
    return session.draining.is_leaving, session.cost, lane.stream_count if lane is not None else 0
