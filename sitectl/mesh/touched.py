"""The part of a mesh that can matter for a sentence about one service. Pure.

Each router receives data on each site, so a whole network costs the square of its sites. A sentence
needs only some of them: those that it names, that declare the service or have targets of it, and
those on the cheapest paths between them. The other sites do not influence these.
"""

from collections.abc import Iterable, Iterator, Set
from heapq import heappop, heappush

from msgspec import structs

from router.model.limits import COST_MIN
from router.model.rights.sharing import FREE
from sitectl.mesh.expanding import site_document
from sitectl.mesh.values import Mesh, MeshLink

_Neighbours = dict[str, dict[str, int]]
"""Of each site the sites that it is linked with, and at what cost."""


def touched(mesh: Mesh, service: str, named: Iterable[str], dead: Set[str]) -> Mesh:
    """The mesh without the sites that cannot matter. ``dead``: sites that die meanwhile.

    All of it where a link has terms: what a site may do then depends on all of its neighbors, and
    the cheapest way may be closed to some.
    """
    if any(link.allow != FREE for link in mesh.links):
        return mesh
    wanted = {*named, *dead, *_concerned(mesh, service)}
    neighbours = _neighbours(mesh)
    ends = {one for one in mesh.sites if not _is_crossable(mesh, one)}
    kept = _on_cheapest_ways(neighbours, wanted, ends)
    if dead:
        kept |= _on_cheapest_ways(neighbours, wanted, ends, dead)
    return _only(mesh, kept)


def _concerned(mesh: Mesh, service: str) -> Iterator[str]:
    """Sites that declare the service, or have a connector of it."""
    if service in mesh.services:
        yield mesh.services[service].owner
        yield from mesh.services[service].also
    for name, site in mesh.sites.items():
        if service in site.services or any(
            spec.service == service for spec in site.connectors.values()
        ):
            yield name


def _neighbours(mesh: Mesh) -> _Neighbours:
    found: _Neighbours = {name: {} for name in mesh.sites}
    for link in mesh.links:
        if not link.disabled:
            cost = min(_cost(link), found[link.from_].get(link.to, _cost(link)))
            found[link.from_][link.to] = found[link.to][link.from_] = cost
    return found


def _cost(link: MeshLink) -> int:
    """Of both directions: the site that dials says it."""
    return COST_MIN if link.cost is None else link.cost


def _is_crossable(mesh: Mesh, name: str) -> bool:
    spec = site_document(mesh, name).spec
    return getattr(spec, "router_mode", "interior") != "edge"


def _on_cheapest_ways(
    neighbours: _Neighbours, wanted: Set[str], ends: Set[str], without: Set[str] = frozenset()
) -> set[str]:
    """``wanted``, and all sites on a cheapest way between two of them. ``ends`` are not crossed."""
    found = set(wanted)
    for root in wanted - without:
        distances: dict[str, int] = {root: 0}
        before: dict[str, list[str]] = {root: []}
        frontier = [(0, root)]
        while frontier:
            distance, here = heappop(frontier)
            if distance > distances[here] or (here in ends and here != root):
                continue
            for there, cost in neighbours[here].items():
                if there in without:
                    continue
                known = distances.get(there)
                if known is None or distance + cost < known:
                    distances[there], before[there] = distance + cost, [here]
                    heappush(frontier, (distance + cost, there))
                elif distance + cost == known:
                    before[there].append(here)
        waiting, seen = [one for one in wanted if one in before], {root}
        while waiting:
            if (here := waiting.pop()) not in seen:
                seen.add(here)
                waiting += before[here]
        found |= seen
    return found


def _only(mesh: Mesh, kept: Set[str]) -> Mesh:
    if len(kept) == len(mesh.sites):
        return mesh
    return structs.replace(
        mesh,
        sites={name: site for name, site in mesh.sites.items() if name in kept},
        links=tuple(link for link in mesh.links if link.from_ in kept and link.to in kept),
    )
