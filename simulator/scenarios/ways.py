"""Cheapest paths between the sites of a scenario. Pure."""

from heapq import heappop, heappush

from simulator.scenarios.scenario import Scenario


def paths(scenario: Scenario, root: str) -> dict[str, tuple[int, str]]:
    """(cost, first site on the path) of every other site in reach, the cheapest first.

    Equal costs by name, one path each (Dijkstra).
    """
    neighbours: dict[str, dict[str, int]] = {site: {} for site in scenario.sites}
    for link in scenario.links:
        first, second = link.between
        neighbours[first][second] = neighbours[second][first] = link.cost
    found: dict[str, tuple[int, str]] = {}
    heap: list[tuple[int, str, str]] = [(0, root, "")]
    while heap:
        cost, here, via = heappop(heap)
        if here in found or (here == root and via):
            continue
        if via:
            found[here] = (cost, via)
        for there, hop in neighbours[here].items():
            if there not in found and there != root:
                heappush(heap, (cost + hop, there, via or there))
    return found
