"""Cheapest paths by relaxing everything until nothing changes: slow, plain, and not our `spf`."""

from collections.abc import Mapping

from router.model.ids import RouterId
from router.model.limits import COST_MAX, EQUAL_PATHS_MAX
from router.routing.adverts.lsa import Node

Reports = Mapping[Node, Mapping[Node, int]]
"""Each router's report of its adjacent routers, with their costs."""

Distance = tuple[int, int]
"""Cost, and hops that cost nothing."""


def edges_of(reports: Reports) -> dict[Node, dict[Node, int]]:
    """What both ends report, at the larger cost, clamped."""
    return {
        here: {
            there: max(clamped(here, there, cost), clamped(there, here, reports[there][here]))
            for there, cost in told.items()
            if there != here and here in reports.get(there, {})
        }
        for here, told in reports.items()
    }


def clamped(here: Node, there: Node, cost: int) -> int:
    return max(0 if here.site == there.site else 1, min(cost, COST_MAX))


def distances(reports: Reports, root: Node, uncrossable: set[Node]) -> dict[Node, Distance]:
    """From ``root``; no path continues across an ``uncrossable`` node."""
    edges = edges_of(reports)
    best: dict[Node, Distance] = {root: (0, 0)}
    changed = True
    while changed:
        changed = False
        for here, told in edges.items():
            if here not in best or (here in uncrossable and here != root):
                continue
            for there, cost in told.items():
                found = (best[here][0] + cost, best[here][1] + (cost == 0))
                if there not in best or found < best[there]:
                    best[there] = found
                    changed = True
    return best


def paths(
    reports: Reports, root: Node, uncrossable: set[Node]
) -> dict[Node, list[tuple[RouterId, ...]]]:
    """All cheapest paths to each, the first few by router ids."""
    edges, best = edges_of(reports), distances(reports, root, uncrossable)
    found: dict[Node, list[tuple[RouterId, ...]]] = {root: [()]}
    for here in sorted(best, key=lambda node: (best[node], node)):
        if here == root:
            continue
        found[here] = sorted(
            (*path, here.router)
            for before, cost in edges[here].items()
            if before in found and (before == root or before not in uncrossable)
            if best[here] == (best[before][0] + cost, best[before][1] + (cost == 0))
            for path in found[before]
        )[:EQUAL_PATHS_MAX]
    return found
