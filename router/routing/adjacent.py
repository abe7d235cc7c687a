"""The adjacencies of this router: cost and terms of each, and which ones SPF may use."""

from collections import Counter
from collections.abc import Collection, Mapping

import msgspec

from router.model.ids import RouterId, SiteId
from router.model.limits import ADJACENCIES_MAX
from router.model.rights.sharing import FREE, Terms
from router.routing.adverts.budgets import LsaSource
from router.routing.adverts.lsa import Adjacency, Node
from router.routing.damping import FlapDamping
from router.routing.site_terms import unstated
from router.routing.spf import clamp_cost


def is_full(count: int) -> bool:
    """Whether a router with ``count`` adjacencies has no room for another one."""
    return count >= ADJACENCIES_MAX


class LinkedRouter(msgspec.Struct, frozen=True):
    """A router with a link that is up, as given to `RoutingCore.adjacency_up`."""

    router: RouterId
    site: SiteId
    cost: int
    terms: Terms
    name: str
    is_edge: bool
    compares: bool
    token: str


class AdjacencySet:
    """This router's adjacencies. ``damping`` holds those that flap: SPF does not use them."""

    __slots__ = (
        "_adjacencies",
        "_edges",
        "_linked",
        "_own",
        "_terms",
        "_waiting",
        "damping",
    )

    def __init__(self, own: SiteId) -> None:
        self._own = own
        self._adjacencies: dict[RouterId, Adjacency] = {}
        self._terms: dict[RouterId, Terms] = {}  # Those that are let in on terms.
        # Those that are edges: each reports only itself and gets no LSA.
        self._edges: dict[RouterId, Node] = {}
        self._linked: dict[RouterId, LinkedRouter] = {}  # Each as it linked.
        self.damping = FlapDamping()
        self._waiting: dict[RouterId, LinkedRouter] = {}  # Linked and not used, oldest first.

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

    @property
    def edges(self) -> Collection[Node]:
        """The graph vertices of edges that are linked."""
        return self._edges.values()

    def name(self, router: RouterId) -> str:
        """The site name that ``router`` gave when it linked; empty: unknown."""
        one = self._linked.get(router)
        return "" if one is None else one.name

    def bringer(self, router: RouterId) -> LsaSource:
        """The neighbor whose budgets count the parts that ``router`` brings. KeyError: it is not
        adjacent."""
        one = self._linked[router]
        return LsaSource(one.site, one.token)

    def holder(self, router: RouterId) -> str:
        """The holder whose rates bound messages of ``router``; see `Neighbour.holder`. KeyError: it
        is not adjacent."""
        return self._holder(self._linked[router])

    def _holder(self, one: LinkedRouter) -> str:
        return one.router if one.site == self._own else one.token or one.site

    @property
    def tokens(self) -> dict[SiteId, str]:
        """By neighboring site, the token that let it in here; sites without a token are left
        out."""
        return {one.site: one.token for one in self._linked.values() if one.token}

    def shares(self, token: str) -> bool:
        """Whether ``token`` let in several of the sites that are linked now."""
        return sum(one == token for one in self.tokens.values()) > 1

    def counting(self) -> list[Adjacency]:
        """Adjacencies that SPF may use, sorted: all but those that flap."""
        counting = sorted(router for router in self._adjacencies if router not in self.damping)
        return [self._adjacencies[router] for router in counting]

    def unstated(self) -> list[RouterId]:
        """Sites whose terms do not fit into our LSA: other sites allow them nothing."""
        return unstated(self.counting(), self._terms)

    @property
    def without_room(self) -> dict[RouterId, str]:
        """Routers that are linked but not used, with the names of their sites."""
        return {router: one.name for router, one in self._waiting.items()}

    @property
    def crowd(self) -> tuple[str, int]:
        """The token that let in most linked routers, at least two, and how many."""
        tokens = Counter(one.token for one in self._linked.values() if one.token)
        token, count = max(tokens.items(), key=lambda of: of[1], default=("", 0))
        return (token, count) if count > 1 else ("", 0)

    def gives_way(self, one: LinkedRouter) -> RouterId | None:
        """If there is no room for ``one``: the adjacency that gives way to it, the last one of the
        holder with the most, if that holder still has as many as the holder of ``one`` then. None:
        none.

        Otherwise a neighbor with a token for many sites, or with many claimed routers, could keep
        all others out.
        """
        if one.router in self._adjacencies or not is_full(len(self._adjacencies)):
            return None
        places = Counter(map(self._holder, self._linked.values()))
        holder, most = places.most_common(1)[0]
        if most - 1 <= places[self._holder(one)]:
            return None
        return next(
            router
            for router in reversed(self._linked)
            if self._holder(self._linked[router]) == holder
        )

    def wait(self, router: RouterId) -> None:
        """Let an adjacency wait for room, behind those that already wait."""
        one, cost = self._linked[router], self._adjacencies[router].cost
        terms = self._terms.get(router, FREE)
        self.went(router)
        self._waiting[router] = msgspec.structs.replace(one, cost=cost, terms=terms)

    def came(self, one: LinkedRouter) -> bool:
        """Add an adjacency that is up. False: there is no room for it; `take_waiting` returns it
        once there is."""
        if one.router not in self._adjacencies and is_full(len(self._adjacencies)):
            self._waiting[one.router] = one
            return False
        self._waiting.pop(one.router, None)
        self._put(one.router, one.site, one.cost)
        self._linked[one.router] = one
        self._note_terms(one.router, one.terms)
        self._edges.pop(one.router, None)
        if one.is_edge:
            self._edges[one.router] = Node(one.router, one.site)
        return True

    def take_waiting(self) -> LinkedRouter | None:
        """The router that has waited longest for room, if there is room now; it no longer waits."""
        if not self._waiting or is_full(len(self._adjacencies)):
            return None
        return self._waiting.pop(next(iter(self._waiting)))

    def went(self, router: RouterId) -> bool:
        """Remove an adjacency that is down. False: it was unknown."""
        self._waiting.pop(router, None)
        if self._adjacencies.pop(router, None) is None:
            return False
        del self._linked[router]
        self._edges.pop(router, None)
        self._terms.pop(router, None)
        return True

    def set_terms(self, router: RouterId, terms: Terms) -> bool:
        """Set the adjacency's new terms. False: nothing changed."""
        if (waiting := self._waiting.get(router)) is not None:
            self._waiting[router] = msgspec.structs.replace(waiting, terms=terms)
        if router not in self._adjacencies or self._terms.get(router, FREE) == terms:
            return False
        self._note_terms(router, terms)
        return True

    def set_cost(self, router: RouterId, cost: int) -> bool:
        """Set the cost of a link to ``router`` (unitless). False: there is no such adjacency."""
        if (waiting := self._waiting.get(router)) is not None:
            self._waiting[router] = msgspec.structs.replace(waiting, cost=cost)
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
