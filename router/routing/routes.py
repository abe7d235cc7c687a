"""Computes paths, standing and the route table from the database and our neighbors."""

from collections.abc import Callable, Collection, Iterator, Mapping

import msgspec

from router.model.ids import SiteId
from router.model.messages.adverts import Declaration
from router.model.own_identity import OwnIdentity
from router.model.rights.owners import Owner
from router.model.rights.sharing import SharingRules
from router.routing.absent_routers import AbsentRouters
from router.routing.adjacent import AdjacencySet
from router.routing.adverts.lsa import Bar, Node
from router.routing.adverts.lsdb import Lsdb, Origin
from router.routing.bars import Bars, bars_of, is_put_out, rows_of, without_barred
from router.routing.broken_path import WayStep, broken_path
from router.routing.build.own import OwnRouter
from router.routing.build.table import build_table
from router.routing.events import RoutingEvent, TableChanged
from router.routing.own_lsa import OwnLsa
from router.routing.owners import Owners
from router.routing.pace import SpfPace
from router.routing.site_terms import NO_SITE_HAS_TERMS, Statement, site_terms_of, with_terms
from router.routing.spf import Graph, Route, Vertex, shortest_paths, vertex
from router.routing.table import RouteTable


class Routes:
    """Owns the graph, the paths and the table; ``pace`` says when they are computed again."""

    __slots__ = (
        "_absent",
        "_bars",
        "_common",
        "_declarations",
        "_graph",
        "_identity",
        "_lsdb",
        "_neighbours",
        "_node",
        "_outdated_at",
        "_own",
        "_owners",
        "_refused",
        "_rules",
        "_software",
        "_standing",
        "_stub",
        "_unix",
        "pace",
        "paths",
        "runs",
        "table",
    )

    def __init__(
        self,
        identity: OwnIdentity,
        lsdb: Lsdb,
        neighbours: AdjacencySet,
        own: OwnLsa,
        *,
        software: str,
        stub: bool,
        service_ttl_s: float,
        owners: Mapping[str, Owner],
        now: float,
        unix: Callable[[], float],
        common: bool,
    ) -> None:
        self._identity = identity
        self._node = Node(identity.router, identity.site)
        self._lsdb, self._neighbours, self._own = lsdb, neighbours, own
        self._software, self._stub, self._unix = software, stub, unix
        self._common = common
        self._standing = NO_SITE_HAS_TERMS
        self._rules = SharingRules()
        self._declarations: tuple[Declaration, ...] = ()
        self._absent = AbsentRouters(service_ttl_s)
        self._owners = Owners(identity.site, owners)
        self.pace = SpfPace()
        self.runs = 0
        self._bars: Bars = {}
        self._refused: frozenset[SiteId] = frozenset()
        self._graph = Graph({})
        self._outdated_at: float | None = None  # The next listed router that is out of reach.
        self.paths: Mapping[Node, Route] = shortest_paths(self._new_graph(), self._node)
        """Paths to all reachable routers."""
        self.table = self._new_table(1, now)
        """The newest table; the first one knows this site only."""

    def set_rules(self, rules: SharingRules, now: float) -> list[RoutingEvent]:
        """Set the sharing rules of this site, and build the table again."""
        if rules == self._rules:
            return []
        self._rules = rules
        return self.rebuild(now)

    def set_refused(self, refused: frozenset[SiteId]) -> bool:
        """Set the sites that count for nothing here from the next table on; True: they changed."""
        is_change = refused != self._refused
        self._refused = refused
        self._owners.put_out(refused)
        return is_change

    @property
    def declarations(self) -> tuple[Declaration, ...]:
        """Declarations of this site, as last set."""
        return self._declarations

    def set_declarations(self, declared: tuple[Declaration, ...], now: float) -> list[RoutingEvent]:
        """Set the declarations of this site, and build the table again."""
        if declared == self._declarations:
            return []
        self._declarations = declared
        return self.rebuild(now)

    @property
    def owners(self) -> Mapping[str, Owner]:
        """Owner of each name, as this site knows it. The caller stores it for the next start."""
        return self._owners.records

    def adopt(self, name: str, site: SiteId, now: float) -> list[RoutingEvent]:
        """Make ``site`` the owner of ``name``, and build the table again."""
        self._owners.adopt(name, site)
        return self.rebuild(now)

    def set_owners(self, owners: Mapping[str, Owner], now: float) -> list[RoutingEvent]:
        """Set the owners of names, and build the table again."""
        self._owners.set(owners)
        return self.rebuild(now)

    def set_service_ttl(self, ttl_s: float, now: float) -> list[RoutingEvent]:
        """Set the seconds for which declarations of unreachable sites count; build the table."""
        self._absent.set_ttl(ttl_s)
        return self.rebuild(now)

    def next_deadline(self) -> float | None:
        """When `handle_timeout` has something to do."""
        times = (self.pace.at, self._next_end())
        return min((time for time in times if time is not None), default=None)

    def _next_end(self) -> float | None:
        """When to build the table for the next expiry, within the CPU budget; None: no expiry."""
        ends = (self._absent.next_deadline(), self._owners.next_deadline(), self._outdated_at)
        first = min((end for end in ends if end is not None), default=None)
        return None if first is None else max(first, self.pace.rested_at)

    def handle_timeout(self, now: float) -> list[RoutingEvent]:
        """Compute everything that is due."""
        due = self.pace.at
        if due is not None and now >= due:
            return self.compute(now) if self.pace.needs_paths else self.rebuild(now)
        end = self._next_end()
        return self.rebuild(now) if end is not None and now >= end else []

    def compute(self, now: float) -> list[RoutingEvent]:
        """Compute paths and table."""
        self.runs += 1
        self.pace.has_run(now)
        before, graph = self.paths, self._graph
        self.paths = shortest_paths(self._new_graph(), self._node)
        lost = before.keys() - self.paths.keys()
        if lost:
            self._absent.lost(lost, _ways(lost, before, graph), now)
        self._neighbours.damping.other_ways_went(
            lambda router: self._neighbours.node(router) in self.paths
        )
        return self._build(now)

    def rebuild(self, now: float) -> list[RoutingEvent]:
        """Build the table for the present paths; no event if it is the same as before."""
        if not self.pace.needs_paths:
            self.pace.has_run(now)
        return self._build(now)

    def _build(self, now: float) -> list[RoutingEvent]:
        self._absent.update(self.paths.keys(), now)
        generation = self.table.generation
        table = self._new_table(generation, now)
        if table == self.table:
            return []
        self.table = msgspec.structs.replace(table, generation=generation + 1)
        return [TableChanged(self.table)]

    def broken_path(self, site: SiteId) -> tuple[WayStep, ...]:
        """The last known path to an unreachable site."""
        return broken_path(self._graph, self._node, site)

    def _new_graph(self) -> Graph:
        """The graph, with our present adjacencies, which may be newer than our LSA."""
        told = () if self._own.is_withdrawn else self._neighbours.counting()
        reported = {Node(one.router, one.site): one.cost for one in told}
        vertices = {
            origin.node: vertex(origin.node, origin.topology)
            for origin in self._lsdb.origins()
            if origin.topology
        }
        reported.pop(self._node, None)
        vertices[self._node] = Vertex(not self._stub, reported)
        barring = list(self._barring())
        for node, bars in barring:
            vertices[node] = without_barred(vertices[node], bars)
        self._bars = bars_of((node.site, bars) for node, bars in barring)
        graph = Graph(vertices)
        self._standing = site_terms_of(
            self._statements(), graph, self._node.site, self._standing, self._lsdb.knows_site
        )
        self._graph = graph.with_terms(self._standing.on_terms)
        return self._graph

    def _barring(self) -> Iterator[tuple[Node, tuple[Bar, ...]]]:
        """The bars of each router, with our present ones."""
        for origin in self._lsdb.origins():
            if origin.topology and origin.topology.bars and origin.node != self._node:
                yield origin.node, origin.topology.bars
        if self._own.bars:
            yield self._node, self._own.bars

    def _put_out(self) -> frozenset[SiteId]:
        """Sites that count for nothing here: refused, or cut off by bars."""
        if not self._bars:
            return self._refused
        reached = {node.site for node in self.paths}
        return self._refused | {
            site
            for site in self._bars.keys() - reached
            if is_put_out(site, self._ways_to(site), self._bars, reached)
        }

    def _ways_to(self, site: SiteId) -> Collection[SiteId]:
        """The neighbors that last led to ``site``; if it was never reached, those in its LSA."""
        ways = self._absent.ways(site)
        if ways is not None:
            return ways
        return {
            adjacency.site
            for origin in self._lsdb.origins()
            if origin.node.site == site and origin.topology
            for adjacency in origin.topology.adjacencies
        }

    def _statements(self) -> Iterator[Statement]:
        """The published adjacencies of all routers, with our present ones as our LSA would have
        them."""
        for origin in self._lsdb.origins():
            if origin.topology and origin.node != self._node:
                yield Statement(origin.node, origin.topology.adjacencies, origin.topology.terms)
        if not self._own.is_withdrawn:
            told, stated = with_terms(self._neighbours.counting(), self._neighbours.terms)
            yield Statement(self._node, told, stated)

    def _listed(self, kept: Collection[Node], now: float) -> list[Origin]:
        """All routers but those that are not ``kept`` and sent nothing for too long. Their parts
        may be here for longer, brought by neighbors that had them when we started."""
        origins = self._lsdb.origins()
        listed = [one for one in origins if one.node in kept or now < one.outdated_at]
        ends = (one.outdated_at for one in listed if one.node not in kept)
        self._outdated_at = min(ends, default=None)
        return listed

    def _new_table(self, generation: int, now: float) -> RouteTable:
        own = OwnRouter(
            node=self._node,
            name=self._identity.name,
            version=self._software,
            draining=self._own.is_draining,
            common=self._common,
            declarations=self._declarations,
            adjacencies=tuple(one.router for one in self._neighbours.counting()),
            rules=self._rules,
        )
        kept = self.paths.keys() | self._absent.nodes
        return build_table(
            own,
            self._listed(kept, now),
            self._graph,
            self.paths,
            kept,
            self._owners,
            now,
            generation=generation,
            standing=self._standing,
            bars=rows_of(self._bars),
            put_out=self._put_out(),
            unix=self._unix(),
        )


def _ways(
    lost: Collection[Node], before: Collection[Node], graph: Graph
) -> dict[SiteId, frozenset[SiteId]]:
    """By site of ``lost``, the neighbors that joined it to ``graph``."""
    found: dict[SiteId, set[SiteId]] = {node.site: set() for node in lost}
    for node in before:
        if node.site in found:
            found[node.site] |= {there.site for there, _ in graph.two_way(node)}
    return {site: frozenset(ways) for site, ways in found.items()}
