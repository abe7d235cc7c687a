"""The way to a site that is out of reach, as the database remembers it, and where it is broken.

A link counts as broken when only one end reports it. The database has the last LSA of a router that
is gone. So the way is the one with the fewest breaks, then the cheapest.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Literal

import msgspec

from router.model.ids import SiteId
from router.model.limits import PATH_ROUTERS_MAX
from router.routing.adverts.lsa import Node
from router.routing.spf import Graph

Fault = Literal["", "here-silent", "there-silent", "no-transit", "on-terms"]
"""The fault of a step: this end or the other does not report the link; or no traffic of others
leads across this end, since it drains or is an edge, or is let in on terms."""


class WayStep(msgspec.Struct, frozen=True):
    """One link of the path, in its order."""

    here: Node
    there: Node
    cost: int
    fault: Fault


def broken_path(graph: Graph, root: Node, site: SiteId) -> tuple[WayStep, ...]:
    """The steps from ``root`` to the nearest router of ``site``; empty: none is remembered.

    O(A log A) for A reported adjacencies.
    """
    links = _links(graph)
    nearest: dict[Node, tuple[int, int]] = {}
    came_by: dict[Node, WayStep] = {}
    frontier: list[tuple[int, int, Node]] = [(0, 0, root)]
    done: set[Node] = set()
    while frontier:
        breaks, cost, here = heappop(frontier)
        if here in done:
            continue
        done.add(here)
        if here.site == site:
            return _steps(came_by, root, here)
        for step in _onward(graph, links, here, root):
            distance = (breaks + bool(step.fault), cost + step.cost)
            known = nearest.get(step.there)
            if step.there not in done and (known is None or distance < known):
                nearest[step.there] = distance
                came_by[step.there] = step
                heappush(frontier, (*distance, step.there))
    return ()


_Links = dict[Node, dict[Node, tuple[int | None, int | None]]]
"""By both ends: the cost that the first reports, and the cost that the second reports."""


def _links(graph: Graph) -> _Links:
    links: _Links = {}
    for here, there, cost in graph.reports():
        ours = links.setdefault(here, {})
        ours[there] = (cost, ours.get(there, (None, None))[1])
        theirs = links.setdefault(there, {})
        theirs[here] = (theirs.get(here, (None, None))[0], cost)
    return links


def _onward(graph: Graph, links: _Links, here: Node, root: Node) -> Iterator[WayStep]:
    for there, (ours, theirs) in sorted(links.get(here, {}).items()):
        cost = max(ours or 0, theirs or 0)
        fault: Fault = ""
        if ours is None:
            fault = "here-silent"
        elif theirs is None:
            fault = "there-silent"
        elif here != root and not graph.is_crossable(here):
            fault = "no-transit"
        elif graph.leads_on((here, False), there, root) is None:
            fault = "on-terms"
        yield WayStep(here, there, cost, fault)


def _steps(came_by: dict[Node, WayStep], root: Node, end: Node) -> tuple[WayStep, ...]:
    steps: list[WayStep] = []
    while end != root:
        steps.append(came_by[end])
        end = steps[-1].here
    return tuple(reversed(steps[-PATH_ROUTERS_MAX:]))
