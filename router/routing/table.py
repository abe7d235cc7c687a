"""The route table: what the data path looks up. Immutable, swapped whole, built from the LSDB."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import Declaration, RemoteCandidate
from router.model.paths import Path
from router.model.rights.grants import first_end
from router.model.rights.owners import Owner
from router.model.rights.sharing import SHORT_ID_CHARS, Party, SharingRules, Terms, name_any
from router.routing.adverts.lsa import Node
from router.routing.adverts.lsdb import Origin
from router.routing.bars import BarRow
from router.routing.declared import Claim, Declared, counting, in_force, in_order
from router.routing.leaves import EVERYBODY_IS_FREE, LeafStanding
from router.routing.owners import Owners
from router.routing.sharing import SharingView
from router.routing.spf import Graph, Route


class SiteRoute(msgspec.Struct, frozen=True, kw_only=True):
    """How a site is reached: over its cheapest reachable router.

    Our own site is in the table too: cost 0, one empty path, no next hops. Not reachable: cost
    None and no paths; ``is_too_far``: since it is farther than a path may be long. ``neighbours``
    are sites joined to it both ways, at the least cost.
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
    is_too_far: bool = False
    is_going: bool = False
    """It said that it is deleted, and is still reached."""


class RouteTable(msgspec.Struct, frozen=True, kw_only=True):
    """``candidates`` are remote routers with a connector, sorted by (path cost, site, router).

    ``next_hops`` has all cheapest next hops per router, ``epochs`` the epoch of each reachable
    router, ``adjacencies`` our neighbours whose link is up, ``routers`` the site of each known
    router (of an edge: of each that its neighbour tells of).

    ``withheld`` are candidates that are not offered to this site. ``claims`` has all declarations
    of the names of which other sites may see another one than we, the first to count first.
    ``idle`` has the declarations of names that none counts of: the owner says nothing.
    ``refused``: of names that none counts of, the sites whose declaration is offered to this one
    and which its import rule does not name, the nearest first.
    ``terms`` of the sites that were let in on some. ``is_leaf``: this site is one of them, so
    nothing of others leads across it.
    ``grants_end``: Unix seconds at which the next grant of an owner ends; None: none does.
    ``barred``: by service the sites that declare it and are put out, or barred and not reached.
    ``deleted``: sites that said so before they went; ``sites`` has them no more.
    ``bars`` are those that any site tells of. ``put_out``: sites whose declarations and targets
    count for nothing here, ``void`` those declarations.
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
    withheld: dict[ServiceKey, tuple[RemoteCandidate, ...]] = {}
    claims: dict[str, tuple[Claim, ...]] = {}
    idle: dict[str, tuple[Claim, ...]] = {}
    refused: Mapping[str, tuple[SiteId, ...]] = {}
    owners: Mapping[str, Owner] = {}
    grants_end: int | None = None
    terms: Mapping[SiteId, Terms] = {}
    is_leaf: bool = False
    bars: tuple[BarRow, ...] = ()
    barred: Mapping[str, tuple[SiteId, ...]] = {}
    put_out: frozenset[SiteId] = frozenset()
    void: tuple[Declaration, ...] = ()
    deleted: frozenset[SiteId] = frozenset()

    def next_hop_is_cheapest(self, origin_router: RouterId, neighbour: RouterId) -> bool:
        """Whether a cheapest path to ``origin_router`` starts at ``neighbour``."""
        return neighbour in self.next_hops.get(origin_router, ())

    @property
    def barring(self) -> frozenset[SiteId]:
        """The sites that bar this one: those that revoked its access refuse what it asks for."""
        return frozenset(row.by for row in self.bars if row.site == self.site)

    def path_to(self, router: RouterId) -> Path | None:
        """A cheapest path to ``router``, if its site is reached by it; None: it is not."""
        for route in self.sites.values():
            if route.router == router and route.paths and route.path_cost:
                return route.paths[0]
        return None

    def candidate(self, router: RouterId, key: ServiceKey) -> RemoteCandidate | None:
        """The candidate of ``router``, also if it is offered only to other sites; None: unknown."""
        for candidate in self.everywhere(key):
            if candidate.router == router:
                return candidate
        return None

    def everywhere(self, key: ServiceKey) -> tuple[RemoteCandidate, ...]:
        """All candidates of ``key``, those that are offered only to other sites included."""
        here, withheld = self.candidates.get(key, ()), self.withheld.get(key)
        return here + withheld if withheld else here

    def party(self, site: SiteId) -> Party:
        """``site`` as rules see it; of one that is not known the id alone can be named."""
        route = self.sites.get(site)
        return Party(site, route.name) if route else Party(site, f"@{site[:SHORT_ID_CHARS]}")


Candidates = dict[ServiceKey, tuple[RemoteCandidate, ...]]


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """Fields of the table about this router and its site."""

    node: Node
    name: str
    version: str
    draining: bool
    declarations: tuple[Declaration, ...]
    adjacencies: tuple[RouterId, ...]
    rules: SharingRules = SharingRules()


def build_table(
    own: Own,
    origins: Iterable[Origin],
    graph: Graph,
    routes: Mapping[Node, Route],
    kept: Collection[Node],
    owners: Owners,
    now: float,
    *,
    generation: int,
    standing: LeafStanding = EVERYBODY_IS_FREE,
    bars: tuple[BarRow, ...] = (),
    put_out: frozenset[SiteId] = frozenset(),
    unix: float = 0.0,
) -> RouteTable:
    """The table as ``own`` sees it at ``unix`` seconds of the wall clock.

    ``kept`` are the routers whose declarations still count: reachable, or not for long. ``owners``
    learn what is declared. ``bars`` and ``put_out`` as in `RouteTable`.
    """
    known: dict[SiteId, list[Origin]] = {}
    others: list[Origin] = []
    for origin in origins:
        if origin.topology and origin.node != own.node:
            others.append(origin)
            if origin.node.site != own.node.site:
                known.setdefault(origin.node.site, []).append(origin)
    others.sort(key=lambda origin: origin.node)
    deleted = frozenset(site for site, told in known.items() if _is_deleted(told, routes))
    for site in deleted:
        del known[site]
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
    view = SharingView(Party(own.node.site, names[own.node.site]), own.rules, standing, unix=unix)
    believed = others
    if put_out:
        believed = [origin for origin in others if origin.node.site not in put_out]
    told = _declarations(own, believed, routes, kept, names, view, owners, now, deleted)
    view = msgspec.structs.replace(view, owners=owners.records, declared=told.in_force)
    candidates, withheld = _candidates(believed, routes, names, view)
    return RouteTable(
        generation=generation,
        site=own.node.site,
        sites={s.site: msgspec.structs.replace(s, name=names[s.site]) for s in sites},
        candidates=candidates,
        declarations=told.in_force,
        name_conflicts=name_conflicts,
        next_hops=next_hops,
        epochs=epochs,
        adjacencies=own.adjacencies,
        routers={
            **{one.node.router: one.node.site for one in others if one.node.site not in deleted},
            own.node.router: own.node.site,
        },
        withheld=withheld,
        claims=told.claims,
        idle=told.idle,
        refused=told.refused,
        owners=owners.records,
        grants_end=_grants_end(owners.records, unix),
        terms=standing.terms,
        is_leaf=own.node.site in standing.terms,
        bars=bars,
        barred=_barred(others, routes, bars, put_out, view.party) if bars or put_out else {},
        put_out=put_out,
        void=tuple(
            declaration
            for origin in (others if put_out else ())
            if origin.node.site in put_out
            for declaration in origin.declarations
        ),
        deleted=deleted,
    )


def _is_deleted(origins: Iterable[Origin], routes: Mapping[Node, Route]) -> bool:
    """Whether one of a site's routers said so, and all are gone."""
    told = [(origin.node in routes, origin.topology) for origin in origins]
    return not any(is_reached for is_reached, _ in told) and any(
        topology is not None and topology.deleted for _, topology in told
    )


def _barred(
    others: Iterable[Origin],
    routes: Mapping[Node, Route],
    bars: Iterable[BarRow],
    put_out: Collection[SiteId],
    own: Party,
) -> dict[str, tuple[SiteId, ...]]:
    barred, found = {row.site for row in bars}, dict[str, set[SiteId]]()
    for origin in others:
        site = origin.node.site
        if site in put_out or (site in barred and origin.node not in routes):
            for declaration in origin.declarations:
                if name_any(declaration.export_to, own):
                    found.setdefault(declaration.name, set()).add(site)
    return {name: tuple(sorted(found[name])) for name in sorted(found)}


def _grants_end(owners: Mapping[str, Owner], unix: float) -> int | None:
    granting = (owner.grants for owner in owners.values() if owner.grants)
    ends = (first_end(grants, unix) for grants in granting)
    return min((end for end in ends if end is not None), default=None)


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


def _are_draining(origins: Iterable[Origin]) -> bool:
    """Whether a site stops: of several routers one that goes is only replaced."""
    topologies = [one.topology for one in origins if one.topology is not None]
    return all(topology.draining for topology in topologies)


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
        draining=_are_draining([origin for _, _, origin in reached] or origins),
        is_too_far=not reached and any(origin.node in routes for origin in origins),
        is_going=topology.deleted,
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
    others: Iterable[Origin],
    routes: Mapping[Node, Route],
    names: Mapping[SiteId, str],
    view: SharingView,
) -> tuple[Candidates, Candidates]:
    """Candidates that are offered to this site, and those that are offered only to others."""
    found: dict[ServiceKey, dict[Node, RemoteCandidate]] = {}
    withheld: dict[ServiceKey, dict[Node, RemoteCandidate]] = {}
    for origin in others:
        route, topology = routes.get(origin.node), origin.topology
        if route is None or not route.paths or topology is None:
            continue
        party = Party(origin.node.site, names[origin.node.site])
        # Of a port that is told twice the last counts.
        adverts = {ServiceKey(told.name, told.port): told for told in origin.adverts}
        for key, advert in adverts.items():
            if not view.may_export(party.site, key.name):
                continue
            is_ours = view.is_offered(party.site, key.name, advert.export_to)
            declared = view.declared.get(key.name)
            candidate = RemoteCandidate(
                site=party.site,
                site_name=party.shown,
                router=origin.node.router,
                path_cost=route.cost,
                paths=route.paths,
                targets_ready=advert.targets_ready,
                capacity=advert.capacity,
                draining=advert.draining or topology.draining,
                rate_per_s=advert.rate_per_s,
                shares_targets=advert.shares_targets,
                export_to=advert.export_to,
                reserved=advert.reserved,
                most_for_one=advert.most_for_one,
                barred=view.why_barred(party, key.name) if is_ours else "",
                differs=(
                    _other_protocol(origin, party, declared.declaration)
                    if declared is not None and party.site in declared.conflicts
                    else ""
                ),
            )
            (found if is_ours else withheld).setdefault(key, {})[origin.node] = candidate
    return _in_order(found, view), _in_order(withheld, view)


def _other_protocol(origin: Origin, party: Party, here: Declaration) -> str:
    """That the site declares it as another protocol than is in force here; empty: it does not.

    A site's own declaration counts at that site: it refuses what is asked for by another protocol.
    """
    counts = here.spec.protocol
    for own in origin.declarations:
        if own.name == here.name and own.spec.protocol != counts:
            return f"{party.shown} declares it as {own.spec.protocol}, and {counts} counts here"
    return ""


def _in_order(
    found: Mapping[ServiceKey, Mapping[Node, RemoteCandidate]], view: SharingView
) -> Candidates:
    return {
        key: view.believed(
            key.name,
            tuple(sorted(found[key].values(), key=lambda c: (c.path_cost, c.site, c.router))),
        )
        for key in sorted(found)
    }


class _Declarations(msgspec.Struct, frozen=True):
    """Of each name the declaration that counts; the others as in `RouteTable`."""

    in_force: dict[str, Declared]
    claims: dict[str, tuple[Claim, ...]]
    idle: dict[str, tuple[Claim, ...]]
    refused: dict[str, tuple[SiteId, ...]]


def _declarations(
    own: Own,
    others: Iterable[Origin],
    routes: Mapping[Node, Route],
    kept: Collection[Node],
    names: Mapping[SiteId, str],
    view: SharingView,
    owners: Owners,
    now: float,
    deleted: Collection[SiteId],
) -> _Declarations:
    """``deleted`` sites have withdrawn what they declared."""
    told: dict[str, list[Claim]] = {}
    seen: dict[str, list[Claim]] = {}
    refused: dict[str, list[Claim]] = {}
    for declaration in own.declarations:
        claim = Claim(declaration, own.node.site, own.node.router, 0)
        told.setdefault(declaration.name, []).append(claim)
        seen.setdefault(declaration.name, []).append(claim)
    versions = {origin.node: origin.head.newness for origin in others if origin.head}
    for origin in others:
        if origin.node not in kept or origin.node.site in deleted:
            continue
        party = Party(origin.node.site, names[origin.node.site])
        cost = routes[origin.node].cost if origin.node in routes else None
        version = versions[origin.node]
        for declaration in origin.declarations:
            if not view.may_declare(party.site, declaration.name):
                continue
            if owners.is_old(declaration, origin.node, version):
                continue
            claim = Claim(declaration, party.site, origin.node.router, cost)
            told.setdefault(declaration.name, []).append(claim)
            if view.is_told(party, declaration):
                seen.setdefault(declaration.name, []).append(claim)
            elif view.is_offered(party.site, declaration.name, declaration.export_to):
                refused.setdefault(declaration.name, []).append(claim)
    there = [one for one in others if one.node in routes and one.node.site != own.node.site]
    heard = _heard(others, routes, view) | {site: set() for site in deleted}
    owners.learn(seen, heard, now, versions, unix=view.unix, is_alone=not there)
    claims = {
        name: tuple(_owner_first(told[name], owners.records.get(name)))
        for name in sorted(told)
        if len(seen.get(name, ())) < len(told[name])
        or any(claim.declaration.export_to is not None for claim in told[name])
    }
    declared: dict[str, Declared] = {}
    idle: dict[str, tuple[Claim, ...]] = {}
    for name in sorted(seen):
        owner = owners.records.get(name)
        count = counting(seen[name], own.node.site, owner, view.unix)
        if count:
            declared[name] = in_force(seen[name], count[0], owner)
        else:
            idle[name] = tuple(in_order(seen[name]))
    return _Declarations(
        declared,
        claims,
        idle,
        {
            name: tuple(dict.fromkeys(claim.site for claim in in_order(refused[name])))
            for name in sorted(refused.keys() - declared.keys())
        },
    )


def _heard(
    others: Iterable[Origin], routes: Mapping[Node, Route], view: SharingView
) -> dict[SiteId, set[str]]:
    """Sites that have told all that they declare, with the names of it that are for us.

    By their own signed words: whom rules or the terms of others keep from us has withdrawn nothing.
    Of a site with several routers all are reached: one may declare what another does not.
    """
    heard: dict[SiteId, set[str]] = {}
    partly: set[SiteId] = set()
    for origin in others:
        site = origin.node.site
        if not origin.is_whole or origin.node not in routes:
            partly.add(site)
            continue
        names = heard.setdefault(site, set())
        for told in origin.declarations:
            if name_any(told.export_to, view.party):
                names.add(told.name)
    return {site: names for site, names in heard.items() if site not in partly}


def _owner_first(claims: Sequence[Claim], owner: Owner | None) -> list[Claim]:
    owners = () if owner is None else owner.sites
    return sorted(in_order(claims), key=lambda claim: claim.site not in owners)
