"""How each site is reached, and its name. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from router.model.ids import SiteId
from router.routing.adverts.lsa import Node
from router.routing.adverts.lsdb import Origin
from router.routing.build.own import OwnRouter
from router.routing.spf import Graph, Route
from router.routing.table import SiteRoute


def own_site(own: OwnRouter, graph: Graph, others: Sequence[Origin]) -> SiteRoute:
    site = own.node.site
    nodes = [own.node, *(origin.node for origin in others if origin.node.site == site)]
    return SiteRoute(
        site=site,
        name=own.name,
        router=own.node.router,
        path_cost=0,
        paths=((),),
        next_hops=(),
        neighbours=_neighbours(site, nodes, graph),
        version=own.version,
        reachable=True,
        draining=own.draining,
    )


def site_route(origins: Sequence[Origin], graph: Graph, routes: Mapping[Node, Route]) -> SiteRoute:
    """The route of a site's cheapest reachable router, then the lowest id."""
    reached = [
        (routes[origin.node].cost, origin.node, origin)
        for origin in origins
        if origin.node in routes and routes[origin.node].paths
    ]
    if reached:
        _, node, origin = min(reached, key=lambda entry: entry[:2])
    else:
        origin = min(origins, key=lambda origin: origin.node)
        node = origin.node
    route = routes[node] if reached else Route(0, (), frozenset())
    topology = origin.topology
    assert topology is not None, "only origins with part 0 make sites"
    return SiteRoute(
        site=node.site,
        name=topology.name,
        router=node.router,
        path_cost=route.cost if reached else None,
        paths=route.paths,
        next_hops=tuple(sorted(route.next_hops)),
        neighbours=_neighbours(node.site, [origin.node for origin in origins], graph),
        version=topology.version,
        reachable=bool(reached),
        draining=_are_draining([origin for _, _, origin in reached] or origins),
        is_too_far=not reached and any(origin.node in routes for origin in origins),
        is_going=topology.deleted,
    )


def is_deleted(origins: Iterable[Origin], routes: Mapping[Node, Route]) -> bool:
    """Whether one of a site's routers said that the site is deleted, and all are gone."""
    told = [(origin.node in routes, origin.topology) for origin in origins]
    return not any(is_reached for is_reached, _ in told) and any(
        topology is not None and topology.deleted for _, topology in told
    )


def _are_draining(origins: Iterable[Origin]) -> bool:
    """Whether a site stops. If only one of several routers stops, it is being replaced."""
    topologies = [one.topology for one in origins if one.topology is not None]
    return all(topology.draining for topology in topologies)


def _neighbours(
    site: SiteId, nodes: Iterable[Node], graph: Graph
) -> tuple[tuple[SiteId, int], ...]:
    least: dict[SiteId, int] = {}
    for node in nodes:
        for there, cost in graph.two_way(node):
            if there.site != site:
                least[there.site] = min(cost, least.get(there.site, cost))
    return tuple(sorted(least.items()))


def display_names(sites: Sequence[SiteRoute]) -> tuple[dict[SiteId, str], tuple[str, ...]]:
    """Unique names, and the names that two reachable sites claim.

    A site that is gone loses the plain name to one that is reachable.
    """
    present: dict[str, int] = {}
    claimed: dict[str, int] = {}
    for site in sites:
        claimed[site.name] = claimed.get(site.name, 0) + 1
        present[site.name] = present.get(site.name, 0) + site.reachable
    names: dict[SiteId, str] = {}
    for site in sites:
        is_only = claimed[site.name] == 1 or (site.reachable and present[site.name] == 1)
        names[site.site] = site.name if is_only else f"{site.name}@{site.site[:8]}"
    return names, tuple(sorted(name for name, count in present.items() if count > 1))
