"""Shortest paths over routers (Dijkstra; RFC 2328, 16.1)."""

from collections.abc import Iterator, Mapping
from heapq import heappop, heappush

import msgspec

from router.model.ids import RouterId
from router.model.limits import COST_MAX, COST_MIN, EQUAL_PATHS_MAX, PATH_ROUTERS_MAX
from router.model.paths import Path, kept
from router.routing.adverts.lsa import Node, Topology


class Route(msgspec.Struct, frozen=True):
    """``paths`` sorted, at most `EQUAL_PATHS_MAX`; ``next_hops`` are those of all paths."""

    cost: int
    paths: tuple[Path, ...]
    next_hops: frozenset[RouterId]


class Vertex(msgspec.Struct, frozen=True):
    """A router's side of the graph: whether paths may lead across it, and its reported
    adjacencies."""

    is_crossable: bool
    reported: dict[Node, int]


Hop = tuple[Node, Node]
State = tuple[Node, bool]
"""The end of a path, and whether the path must end in that site, since it came in on terms."""


class Graph:
    """The reported adjacencies of all routers. Owned by its maker; `spf` only reads it."""

    __slots__ = ("_on_terms", "_vertices")

    def __init__(
        self, vertices: Mapping[Node, Vertex], on_terms: frozenset[Hop] = frozenset()
    ) -> None:
        """``on_terms``: adjacencies by which the first lets the second in on terms. Only paths to
        the second's own site use them: nothing of others leads across it that way."""
        self._vertices = vertices
        self._on_terms = on_terms

    def with_terms(self, on_terms: frozenset[Hop]) -> "Graph":
        """This graph, with the adjacencies ``on_terms``."""
        return Graph(self._vertices, on_terms)

    def is_two_way(self, here: Node, there: Node) -> bool:
        """Whether each reports the other."""
        ours, theirs = self._vertices.get(here), self._vertices.get(there)
        return bool(ours and theirs and there in ours.reported and here in theirs.reported)

    def leads_on(self, here: State, there: Node, root: Node) -> bool | None:
        """Whether a path from ``root`` must end in the site of ``there`` once it goes on to it.

        None: it may not go on to ``there``.
        """
        node, is_inside = here
        if is_inside:
            return True if there.site == node.site else None
        if not self._on_terms:
            return False
        if (there, node) in self._on_terms and node.site != root.site:
            return None
        return (node, there) in self._on_terms

    def is_crossable(self, node: Node) -> bool:
        return self._vertices[node].is_crossable

    def reports(self) -> Iterator[tuple[Node, Node, int]]:
        """Each adjacency that one end reports, with its reported cost."""
        for here, vertex in self._vertices.items():
            for there, cost in vertex.reported.items():
                yield here, there, cost

    def two_way(self, here: Node) -> Iterator[tuple[Node, int]]:
        """Adjacencies of ``here`` that both ends report, at the larger of the two costs."""
        vertex = self._vertices.get(here)
        for there, cost in vertex.reported.items() if vertex else ():
            other = self._vertices.get(there)
            cost_back = other.reported.get(here) if other else None
            if cost_back is not None:
                yield there, max(cost, cost_back)


def vertex(node: Node, topology: Topology) -> Vertex:
    """The vertex that part 0 of ``node`` describes. Reported costs are clamped, never trusted."""
    reported: dict[Node, int] = {}
    for adjacency in topology.adjacencies:
        there = Node(adjacency.router, adjacency.site)
        if there != node:
            cost = clamp_cost(adjacency.cost, same_site=there.site == node.site)
            reported[there] = max(cost, reported.get(there, 0))
    return Vertex(not (topology.stub or topology.draining), reported)


def clamp_cost(cost: int, *, same_site: bool) -> int:
    """Only routers of one site may be joined at cost 0."""
    return min(max(cost, 0 if same_site else COST_MIN), COST_MAX)


def shortest_paths(graph: Graph, root: Node) -> dict[Node, Route]:
    """Cheapest route from ``root`` to each reachable router, the root itself at cost 0.

    All equal-cost paths are kept, up to `EQUAL_PATHS_MAX`: the first by router ids of each next
    hop, next hops in turn. Among equal costs fewer hops of cost 0 are better, so that no tie runs
    in a ring inside a site. A router that is not crossable is reached but never crossed; one that
    is let in on terms is not crossed that way by other sites. O(A log A) for A adjacencies.
    """
    routes: dict[State, Route] = {}
    start: State = (root, False)
    nearest: dict[State, tuple[int, int]] = {start: (0, 0)}
    reached_from: dict[State, list[State]] = {start: []}
    frontier = [(0, 0, start)]
    while frontier:
        cost, free_hops, here = heappop(frontier)
        if here in routes:
            continue  # A stale entry: a cheaper path reached it.
        # Each hop makes (cost, free hops) greater, so all that lead here are already final.
        node = here[0]
        routes[here] = _joined(
            cost, node, [(state[0], routes[state]) for state in reached_from[here]]
        )
        if node != root and not graph.is_crossable(node):
            continue
        for there, hop_cost in graph.two_way(node):
            is_inside = graph.leads_on(here, there, root)
            if is_inside is None:
                continue
            distance = (cost + hop_cost, free_hops + (hop_cost == 0))
            state = (there, is_inside)
            known = nearest.get(state)
            if known is None or distance < known:
                nearest[state] = distance
                reached_from[state] = [here]
                heappush(frontier, (*distance, state))
            elif distance == known:
                reached_from[state].append(here)
    return _best(routes, nearest)


def _best(
    routes: Mapping[State, Route], nearest: Mapping[State, tuple[int, int]]
) -> dict[Node, Route]:
    """Of the ways into a site, on terms or not, the nearest; both if they are equal."""
    best: dict[Node, Route] = {}
    for state, route in routes.items():
        node, is_inside = state
        other = (node, not is_inside)
        if other not in routes or nearest[state] < nearest[other]:
            best[node] = route
        elif nearest[state] == nearest[other] and not is_inside:
            paths = kept({*route.paths, *routes[other].paths}, EQUAL_PATHS_MAX)
            best[node] = Route(route.cost, paths, route.next_hops | routes[other].next_hops)
    return best


def _joined(cost: int, here: Node, before: list[tuple[Node, Route]]) -> Route:
    """The route to ``here`` over all its predecessors."""
    if not before:
        return Route(cost, ((),), frozenset())
    longer = (
        (*path, here.router)
        for _, route in before
        for path in route.paths
        if len(path) < PATH_ROUTERS_MAX
    )
    next_hops: set[RouterId] = set()
    for _, route in before:
        next_hops |= route.next_hops or {here.router}
    return Route(cost, kept(longer, EQUAL_PATHS_MAX), frozenset(next_hops))
