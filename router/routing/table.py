"""The route table: what the data path looks up. Immutable, swapped whole, built from the LSDB."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from router.model.adverts import Declaration, RemoteCandidate
from router.model.ids import RouterId, ServiceKey, SiteId
from router.routing.lsa import Node
from router.routing.lsdb import Origin
from router.routing.spf import Graph, Path, Route


class SiteRoute(msgspec.Struct, frozen=True, kw_only=True):
    """How a site is reached: over its cheapest reachable router.

    Our own site is in the table too: cost 0, one empty path, no next hops. Not reachable: cost
    None and no paths. ``neighbours`` are sites joined to it both ways, at the least cost.
    """

    site: SiteId
    name: str  # NAME, or NAME@first 8 of the id while two sites bear it.
    router: RouterId
    path_cost: int | None
    paths: tuple[Path, ...]
    next_hops: tuple[RouterId, ...]
    neighbours: tuple[tuple[SiteId, int], ...]
    version: str
    reachable: bool
    draining: bool


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """The declaration that counts. ``conflicts``: sites that declare the name differently."""

    declaration: Declaration
    site: SiteId
    reachable: bool
    conflicts: tuple[SiteId, ...]


class RouteTable(msgspec.Struct, frozen=True, kw_only=True):
    """``candidates`` are remote routers with a connector, sorted by (path cost, site, router).

    ``next_hops`` has all cheapest next hops per router, ``epochs`` the epoch of each reachable
    router, ``adjacencies`` our neighbours whose link is up, ``routers`` the site of each known
    router (of an edge: of none).
    """

    generation: int
    site: SiteId
    sites: dict[SiteId, SiteRoute]
    candidates: dict[ServiceKey, tuple[RemoteCandidate, ...]]
    declarations: dict[str, Declared]
    name_conflicts: tuple[str, ...]
    next_hops: dict[RouterId, frozenset[RouterId]]
    epochs: dict[RouterId, int]
    adjacencies: tuple[RouterId, ...]
    routers: dict[RouterId, SiteId] = {}

    def next_hop_is_cheapest(self, origin_router: RouterId, neighbour: RouterId) -> bool:
        """Whether a cheapest path to ``origin_router`` starts at ``neighbour``."""
        return neighbour in self.next_hops.get(origin_router, ())

    def candidate(self, router: RouterId, key: ServiceKey) -> RemoteCandidate | None:
        for candidate in self.candidates.get(key, ()):
            if candidate.router == router:
                return candidate
        return None


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """What the table says of ourselves."""

    node: Node
    name: str
    version: str
    draining: bool
    declarations: tuple[Declaration, ...]
    adjacencies: tuple[RouterId, ...]


def build_table(
    own: Own,
    origins: Iterable[Origin],
    graph: Graph,
    routes: Mapping[Node, Route],
    kept: Collection[Node],
    *,
    generation: int,
) -> RouteTable:
    """The table as ``own`` sees it.

    ``kept`` are the routers whose declarations still count: reachable, or not for long.
    """
    known: dict[SiteId, list[Origin]] = {}
    others: list[Origin] = []
    for origin in origins:
        if origin.topology and origin.node != own.node:
            others.append(origin)
            if origin.node.site != own.node.site:
                known.setdefault(origin.node.site, []).append(origin)
    others.sort(key=lambda origin: origin.node)
    sites = [_own_site(own, graph, others)]
    sites += [_site_route(known[site], graph, routes) for site in sorted(known)]
    names, name_conflicts = _display_names(sites)
    next_hops: dict[RouterId, frozenset[RouterId]] = {}
    epochs: dict[RouterId, int] = {}
    for origin in others:
        route = routes.get(origin.node)
        if route and origin.head:
            router = origin.node.router
            next_hops[router] = next_hops.get(router, frozenset()) | route.next_hops
            epochs[router] = max(origin.head.epoch, epochs.get(router, 0))
    return RouteTable(
        generation=generation,
        site=own.node.site,
        sites={s.site: msgspec.structs.replace(s, name=names[s.site]) for s in sites},
        candidates=_candidates(others, routes, names),
        declarations=_declarations(own, others, routes, kept),
        name_conflicts=name_conflicts,
        next_hops=next_hops,
        epochs=epochs,
        adjacencies=own.adjacencies,
        routers={
            **{origin.node.router: origin.node.site for origin in others},
            own.node.router: own.node.site,
        },
    )


def _own_site(own: Own, graph: Graph, others: Sequence[Origin]) -> SiteRoute:
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


def _site_route(origins: Sequence[Origin], graph: Graph, routes: Mapping[Node, Route]) -> SiteRoute:
    """Of its routers the cheapest that is reachable, then the lowest id."""
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
        draining=topology.draining,
    )


def _neighbours(
    site: SiteId, nodes: Iterable[Node], graph: Graph
) -> tuple[tuple[SiteId, int], ...]:
    least: dict[SiteId, int] = {}
    for node in nodes:
        for there, cost in graph.two_way(node):
            if there.site != site:
                least[there.site] = min(cost, least.get(there.site, cost))
    return tuple(sorted(least.items()))


def _display_names(sites: Sequence[SiteRoute]) -> tuple[dict[SiteId, str], tuple[str, ...]]:
    """Names that are unique, and those that two reachable sites claim.

    A site that has gone loses the plain name to one that is there.
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


def _candidates(
    others: Iterable[Origin], routes: Mapping[Node, Route], names: Mapping[SiteId, str]
) -> dict[ServiceKey, tuple[RemoteCandidate, ...]]:
    found: dict[ServiceKey, dict[Node, RemoteCandidate]] = {}
    for origin in others:
        route, topology = routes.get(origin.node), origin.topology
        if route is None or not route.paths or topology is None:
            continue
        for advert in origin.adverts:
            candidate = RemoteCandidate(
                site=origin.node.site,
                site_name=names[origin.node.site],
                router=origin.node.router,
                path_cost=route.cost,
                paths=route.paths,
                targets_ready=advert.targets_ready,
                capacity=advert.capacity,
                draining=advert.draining or topology.draining,
                rate_per_s=advert.rate_per_s,
            )
            found.setdefault(ServiceKey(advert.name, advert.port), {})[origin.node] = candidate
    return {
        key: tuple(sorted(found[key].values(), key=lambda c: (c.path_cost, c.site, c.router)))
        for key in sorted(found)
    }


def _declarations(
    own: Own, others: Iterable[Origin], routes: Mapping[Node, Route], kept: Collection[Node]
) -> dict[str, Declared]:
    """The oldest declaration of each name, then that of the lowest site id."""
    told: dict[str, list[tuple[float, SiteId, RouterId, bool, Declaration]]] = {}

    def add(node: Node, is_reachable: bool, declarations: Iterable[Declaration]) -> None:
        for declaration in declarations:
            told.setdefault(declaration.name, []).append(
                (declaration.declared_at_s, node.site, node.router, is_reachable, declaration)
            )

    add(own.node, True, own.declarations)
    for origin in others:
        if origin.node in kept:
            add(origin.node, origin.node in routes, origin.declarations)
    declared: dict[str, Declared] = {}
    for name in sorted(told):
        _, site, _, _, winner = min(told[name], key=lambda entry: entry[:3])
        content = _content(winner)
        different = {other for _, other, _, _, d in told[name] if _content(d) != content}
        declared[name] = Declared(
            declaration=winner,
            site=site,
            reachable=any(up for _, other, _, up, _ in told[name] if other == site),
            conflicts=tuple(sorted(different - {site})),
        )
    return declared


def _content(declaration: Declaration) -> Declaration:
    """All of it that two sites can disagree about."""
    return msgspec.structs.replace(declaration, declared_at_s=0.0)
