"""The adjacencies of this router: cost and terms of each, and which ones SPF may use."""

from collections.abc import Mapping

from router.model.ids import RouterId, SiteId
from router.model.limits import ADJACENCIES_MAX
from router.model.rights.sharing import FREE, Terms
from router.routing.adverts.lsa import Adjacency, Node
from router.routing.damping import FlapDamping
from router.routing.leaves import unstated
from router.routing.spf import clamp_cost


def is_full(count: int) -> bool:
    """Whether a router with ``count`` adjacencies has no room for another one."""
    return count >= ADJACENCIES_MAX


class AdjacencySet:
    """This router's adjacencies. ``damping`` holds those that flap: SPF does not use them."""

    __slots__ = (
        "_adjacencies",
        "_edges",
        "_names",
        "_own",
        "_terms",
        "damping",
        "refused",
        "without_room",
    )

    def __init__(self, own: SiteId) -> None:
        self._own = own
        self._adjacencies: dict[RouterId, Adjacency] = {}
        self._terms: dict[RouterId, Terms] = {}  # Of these: who is in on terms.
        self._edges: dict[RouterId, Node] = {}  # Of these: who speaks of itself and is told no LSA.
        self._names: dict[RouterId, str] = {}  # Of these: as each linked.
        self.damping = FlapDamping()
        self.refused = 0
        self.without_room: dict[RouterId, str] = {}  # Linked and not used, with the site's name.

    def __contains__(self, router: RouterId) -> bool:
        return router in self._adjacencies

    def __len__(self) -> int:
        return len(self._adjacencies)

    @property
    def terms(self) -> Mapping[RouterId, Terms]:
        """Terms by router, without routers that are free to do everything."""
        return self._terms

    def node(self, router: RouterId) -> Node:
        """The graph vertex of an adjacency. KeyError: there is no such adjacency."""
        return Node(router, self._adjacencies[router].site)

    def edge(self, router: RouterId) -> Node | None:
        """The graph vertex of ``router`` if it is an edge; None: it is not, or is unknown."""
        return self._edges.get(router)

    def name(self, router: RouterId) -> str:
        """The site name that ``router`` gave when it linked; empty: unknown."""
        return self._names.get(router, "")

    def counting(self) -> list[Adjacency]:
        """Adjacencies that SPF may use, sorted: all but those that flap."""
        counting = sorted(router for router in self._adjacencies if router not in self.damping)
        return [self._adjacencies[router] for router in counting]

    def unstated(self) -> list[RouterId]:
        """Sites whose terms do not fit into our LSA: other sites allow them nothing."""
        return unstated(self.counting(), self._terms)

    def came(
        self, router: RouterId, site: SiteId, cost: int, terms: Terms, name: str, *, is_edge: bool
    ) -> bool:
        """Add an adjacency that is up. False: there is no room for it; the refusal is counted."""
        if router not in self._adjacencies and is_full(len(self._adjacencies)):
            self.refused += 1
            self.without_room[router] = name
            return False
        self.without_room.pop(router, None)
        self._put(router, site, cost)
        self._names[router] = name
        self._note_terms(router, terms)
        self._edges.pop(router, None)
        if is_edge:
            self._edges[router] = Node(router, site)
        return True

    def went(self, router: RouterId) -> bool:
        """Remove an adjacency that is down. False: it was unknown."""
        self.without_room.pop(router, None)
        if self._adjacencies.pop(router, None) is None:
            return False
        self._names.pop(router, None)
        self._edges.pop(router, None)
        self._terms.pop(router, None)
        return True

    def set_terms(self, router: RouterId, terms: Terms) -> bool:
        """Set the adjacency's new terms. False: nothing changed."""
        if router not in self._adjacencies or self._terms.get(router, FREE) == terms:
            return False
        self._note_terms(router, terms)
        return True

    def set_cost(self, router: RouterId, cost: int) -> bool:
        """Set the cost of a link to ``router`` (unitless). False: there is no such adjacency."""
        known = self._adjacencies.get(router)
        if known is None:
            return False
        self._put(router, known.site, cost)
        return True

    def _put(self, router: RouterId, site: SiteId, cost: int) -> None:
        clamped = clamp_cost(cost, same_site=site == self._own)
        self._adjacencies[router] = Adjacency(router, site, clamped)

    def _note_terms(self, router: RouterId, terms: Terms) -> None:
        self._terms.pop(router, None)
        if terms != FREE:
            self._terms[router] = terms
