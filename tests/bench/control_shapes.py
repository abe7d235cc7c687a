"""Networks of a given number of sites: the links between them, all with cost 1."""

from collections import deque
from collections.abc import Callable
from random import Random

from router.model.limits import ADJACENCIES_MAX, PATH_ROUTERS_MAX

Links = dict[int, list[int]]
"""The neighbors of each site, sorted."""

LEAVES_OF_A_HUB = ADJACENCIES_MAX - 1  # One place is for the hub above it.


def grid(count: int) -> Links:
    """As near to a square as goes."""
    width = round(count**0.5)
    pairs = [(n, n + 1) for n in range(count - 1) if n % width < width - 1]
    return _links(count, pairs + [(n, n + width) for n in range(count - width)])


def ring(count: int) -> Links:
    return _links(count, [(n, (n + 1) % count) for n in range(count)])


def star(count: int) -> Links:
    """Leaves at one hub; more than a router can be linked to are at hubs around that."""
    if count <= ADJACENCIES_MAX + 1:
        return _links(count, [(0, n) for n in range(1, count)])
    hubs = -(-(count - 1) // (LEAVES_OF_A_HUB + 1))
    around = [(0, hub) for hub in range(1, hubs + 1)]
    return _links(count, around + [(1 + n % hubs, n) for n in range(hubs + 1, count)])


def random(count: int) -> Links:
    """Connected, three links for each site, of one seed."""
    rng = Random(count)
    pairs = {(rng.randrange(n), n) for n in range(1, count)}
    while len(pairs) < min(3 * count, count * (count - 1) // 2):
        one, other = sorted(rng.sample(range(count), 2))
        pairs.add((one, other))
    return _links(count, sorted(pairs))


SHAPES: dict[str, Callable[[int], Links]] = {
    "grid": grid,
    "ring": ring,
    "star": star,
    "random": random,
}


def hops_from(root: int, links: Links) -> dict[int, int]:
    """To each site that a path may lead to."""
    hops = {root: 0}
    frontier = deque([root])
    while frontier:
        here = frontier.popleft()
        if hops[here] == PATH_ROUTERS_MAX:
            continue
        for there in links[here]:
            if there not in hops:
                hops[there] = hops[here] + 1
                frontier.append(there)
    return hops


def _links(count: int, pairs: list[tuple[int, int]]) -> Links:
    links: Links = {n: [] for n in range(count)}
    for one, other in pairs:
        links[one].append(other)
        links[other].append(one)
    return {n: sorted(set(found)) for n, found in links.items()}
