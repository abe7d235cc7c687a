"""Shortest paths over routers (Dijkstra; RFC 2328, 16.1)."""

from collections.abc import Iterator, Mapping
from heapq import heappop, heappush, nsmallest

import msgspec

from router.model.ids import RouterId
from router.model.limits import COST_MAX, COST_MIN, EQUAL_PATHS_MAX, PATH_ROUTERS_MAX
from router.routing.lsa import Node, Topology

Path = tuple[RouterId, ...]
"""A source route: the routers after the root, the destination last."""


class Route(msgspec.Struct, frozen=True):
    """``paths`` sorted, at most `EQUAL_PATHS_MAX`; ``next_hops`` are those of all paths."""

    cost: int
    paths: tuple[Path, ...]
    next_hops: frozenset[RouterId]


class Vertex(msgspec.Struct, frozen=True):
    """A router's side of the graph: whether paths may lead across it, and what it reports."""

    is_crossable: bool
    reported: dict[Node, int]


class Graph:
    """What routers report of each other. Owned by its maker; `spf` only reads it."""

    __slots__ = ("_vertices",)

    def __init__(self, vertices: Mapping[Node, Vertex]) -> None:
        self._vertices = vertices

    def is_crossable(self, node: Node) -> bool:
        return self._vertices[node].is_crossable

    def two_way(self, here: Node) -> Iterator[tuple[Node, int]]:
        """Adjacencies of ``here`` that both ends report, at the larger of the two costs."""
        vertex = self._vertices.get(here)
        for there, cost in vertex.reported.items() if vertex else ():
            other = self._vertices.get(there)
            cost_back = other.reported.get(here) if other else None
            if cost_back is not None:
                yield there, max(cost, cost_back)


def vertex(node: Node, topology: Topology) -> Vertex:
    """The vertex that part 0 of ``node`` describes. Told costs are clamped, never trusted."""
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

    All equal-cost paths are kept, up to the first `EQUAL_PATHS_MAX` by router ids. Among equal
    costs fewer hops of cost 0 are better, so that no tie runs in a ring inside a site. A router
    that is not crossable is reached but never crossed. O(A log A) for A adjacencies.
    """
    routes: dict[Node, Route] = {}
    nearest: dict[Node, tuple[int, int]] = {root: (0, 0)}
    reached_from: dict[Node, list[Node]] = {root: []}
    frontier = [(0, 0, root)]
    while frontier:
        cost, free_hops, here = heappop(frontier)
        if here in routes:
            continue  # A stale entry: it was reached cheaper.
        # Each hop makes (cost, free hops) greater, so all that lead here are settled already.
        routes[here] = _joined(cost, here, [(node, routes[node]) for node in reached_from[here]])
        if here != root and not graph.is_crossable(here):
            continue
        for there, hop_cost in graph.two_way(here):
            distance = (cost + hop_cost, free_hops + (hop_cost == 0))
            known = nearest.get(there)
            if known is None or distance < known:
                nearest[there] = distance
                reached_from[there] = [here]
                heappush(frontier, (*distance, there))
            elif distance == known:
                reached_from[there].append(here)
    return routes


def _joined(cost: int, here: Node, before: list[tuple[Node, Route]]) -> Route:
    """The route to ``here`` over all that precede it."""
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
    return Route(cost, tuple(nsmallest(EQUAL_PATHS_MAX, longer)), frozenset(next_hops))
