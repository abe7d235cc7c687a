"""The routing core: it takes events and returns messages to send and new tables.

Its parts: `adjacent` our neighbors · `own_lsa` our LSA · `lsa_receive` LSAs of others · `flood`
sending · `routes` paths and table.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from router.model.ids import RouterId, SiteId
from router.model.limits import SERVICE_SYNC_TTL_S
from router.model.messages.acks import LsaAck
from router.model.messages.adverts import Declaration, TargetsAdvert
from router.model.own_identity import OwnIdentity
from router.model.rights.grants import no_clock
from router.model.rights.owners import NOBODY, Owner
from router.model.rights.sharing import FREE, SharingRules, Terms
from router.routing.adjacent import AdjacencySet, LinkedRouter, is_full
from router.routing.adverts.database_digest import is_digest
from router.routing.adverts.flood import Flooding
from router.routing.adverts.lsa import Bar, Lsa, LsaKey, Node, Splitter
from router.routing.adverts.lsdb import Lsdb
from router.routing.broken_path import WayStep
from router.routing.events import AdjacencyDamped, LsaRejected, RoutingEvent
from router.routing.lsa_receive import LsaReceiver
from router.routing.origin import OwnOrigin
from router.routing.own_lsa import OwnLsa
from router.routing.routes import Routes
from router.routing.table import RouteTable


class RoutingCore:
    """One router's part in link-state routing. Every verb returns its events, in order.

    ``now`` is monotonic seconds. ``epoch`` comes from disk, was written before use and is at least
    the wall clock's seconds. Call `set_services` before the first `adjacency_up`: an LSA without
    services withdraws them everywhere. ``stub``: never crossed by others. ``service_ttl_s``: how
    long declarations of lost routers count; never beyond their LSA's age. ``restored``: Unix
    seconds at which the site's state was restored from a backup, 0: never. ``owners``: the owners
    of names when `owners` was last stored. ``unix``: the wall clock, by which grants end; without
    one no grant ends. ``common``: as in `Topology`.
    """

    def __init__(
        self,
        identity: OwnIdentity,
        *,
        epoch: int,
        boot_nonce: bytes,
        version: str,
        now: float,
        stub: bool = False,
        service_ttl_s: float = SERVICE_SYNC_TTL_S,
        restored: int = 0,
        owners: Mapping[str, Owner] = NOBODY,
        unix: Callable[[], float] = no_clock,
        common: bool = False,
    ) -> None:
        origin = OwnOrigin(
            identity,
            epoch=epoch,
            boot_nonce=boot_nonce,
            software=version,
            stub=stub,
            now=now,
            restored=restored,
            common=common,
        )
        self._splitter = Splitter()
        self._lsdb = Lsdb(Node(identity.router, identity.site))
        self._flooding = Flooding(self._lsdb)
        self._neighbours = AdjacencySet(identity.site)
        self._own = OwnLsa(origin, self._lsdb, self._neighbours)
        self._routes = Routes(
            identity,
            self._lsdb,
            self._neighbours,
            self._own,
            software=version,
            stub=stub,
            common=common,
            service_ttl_s=service_ttl_s,
            owners=owners,
            now=now,
            unix=unix,
        )
        self._receiver = LsaReceiver(
            identity, self._lsdb, self._flooding, self._neighbours, self._own, self._routes
        )

    # For other rooms to read.

    @property
    def table(self) -> RouteTable:
        """The newest table; the first one knows this site only."""
        return self._routes.table

    @property
    def epoch(self) -> int:
        return self._own.epoch

    @property
    def declarations(self) -> tuple[Declaration, ...]:
        """Declarations of this router."""
        return self._routes.declarations

    @property
    def adverts(self) -> tuple[TargetsAdvert, ...]:
        """Adverts of this router's targets, by service port."""
        return self._own.adverts

    @property
    def held(self) -> dict[RouterId, float]:
        """Neighbors that flap, with the time at which paths may lead over them again."""
        return self._neighbours.damping.held

    @property
    def held_by(self) -> list[RouterId]:
        """Neighbors whose LSA does not list the link that is up here, so that no path leads over
        it, though they have room for it: they hold it back, or their LSA has not come yet.
        O(adjacencies)."""
        return [router for router, count in self._unlisted() if not is_full(count)]

    @property
    def full_neighbours(self) -> list[RouterId]:
        """Neighbors that do not use the link that is up here, since they have as many adjacencies
        as a router may have. O(adjacencies)."""
        return [router for router, count in self._unlisted() if is_full(count)]

    @property
    def edge_sites(self) -> Sequence[SiteId]:
        """The sites of edges that are attached here, each once.

        An edge may be linked here as a standby and attached to another router: its LSA says to
        which one.
        """
        linked = self._neighbours.edges
        return list(dict.fromkeys(edge.site for edge in linked if self._is_attached(edge)))

    def _is_attached(self, edge: Node) -> bool:
        origin, here = self._lsdb.origin(edge), self._lsdb.own.router
        topology = origin.topology if origin is not None else None
        return topology is not None and any(one.router == here for one in topology.adjacencies)

    @property
    def without_room(self) -> Mapping[RouterId, str]:
        """Routers that are linked but not used, since this one has as many adjacencies as it may
        have, with the names of their sites as they linked; empty: unknown."""
        return self._neighbours.without_room

    @property
    def crowd(self) -> tuple[str, int]:
        """The token that let in most linked routers, at least two, and how many."""
        return self._neighbours.crowd

    def _unlisted(self) -> list[tuple[RouterId, int]]:
        """Neighbors whose LSA does not list the link here, and how many adjacencies it lists."""
        found, here = [], self._lsdb.own.router
        for adjacency in self._neighbours.counting():
            if self._neighbours.edge(adjacency.router) is not None:
                continue  # An edge reports no adjacencies.
            origin = self._lsdb.origin(Node(adjacency.router, adjacency.site))
            topology = origin.topology if origin is not None else None
            if topology is not None and all(one.router != here for one in topology.adjacencies):
                found.append((adjacency.router, len(topology.adjacencies)))
        return found

    left_out: Final = 0
    """As in `EdgeRouting`: 0, since this table has all services."""

    def stands_by(self, router: RouterId) -> bool:
        """As in `EdgeRouting`: no neighbor does."""
        return False

    @property
    def lsas_received(self) -> int:
        return self._receiver.received

    @property
    def lsas_rejected(self) -> int:
        return self._receiver.rejected

    @property
    def lsas_over_budget(self) -> int:
        return self._receiver.over_budget

    @property
    def lsas_originated(self) -> int:
        return self._own.originated

    @property
    def retransmissions(self) -> int:
        return self._flooding.retransmissions

    @property
    def spf_runs(self) -> int:
        return self._routes.runs

    @property
    def tokens(self) -> Mapping[SiteId, str]:
        """By neighboring site, the token that let it in here; sites without a token are left
        out."""
        return self._neighbours.tokens

    @property
    def unstated(self) -> list[RouterId]:
        """Neighbors whose terms do not fit into our LSA: others allow them nothing."""
        return self._neighbours.unstated()

    @property
    def owners(self) -> Mapping[str, Owner]:
        """Owner of each name, as this site knows it. The caller stores it for the next start."""
        return self._routes.owners

    def original_of(self, router: RouterId, site: SiteId, restored: int) -> tuple[SiteId, ...]:
        """Neighbors of a reachable router of ``site`` that was restored before ``restored``.

        Then ``router``, which was restored at ``restored``, is a copy. Empty: there is none.
        O(routers).
        """
        for origin in self._lsdb.origins():
            node, topology = origin.node, origin.topology
            if node.site != site or node.router == router or topology is None:
                continue
            route = self._routes.paths.get(node)
            if topology.restored < restored and route is not None and route.paths:
                return tuple(sorted({adjacency.site for adjacency in topology.adjacencies}))
        return ()

    def linked_elsewhere(self) -> frozenset[SiteId]:
        """Sites that reachable other routers of this site are linked to. O(routers)."""
        own, found = self._lsdb.own, set[SiteId]()
        for origin in self._lsdb.origins():
            node, topology = origin.node, origin.topology
            if node.site != own.site or node == own or topology is None:
                continue
            route = self._routes.paths.get(node)
            if route is not None and route.paths:
                found.update(adjacency.site for adjacency in topology.adjacencies)
        return frozenset(found)

    def broken_path(self, site: SiteId) -> tuple[WayStep, ...]:
        """The last known way to ``site``, which is out of reach, and where it breaks; empty: none
        is known."""
        return self._routes.broken_path(site)

    def database(self) -> tuple[Lsa, ...]:
        """Every stored part, ours included, sorted by (part, router)."""
        held = map(self._lsdb.get, self._lsdb.keys())
        return tuple(stored[0] for stored in held if stored)

    # Events on this router.

    def adjacency_up(
        self,
        router: RouterId,
        site: SiteId,
        cost: int,
        now: float,
        *,
        is_edge: bool = False,
        terms: Terms = FREE,
        compares: bool = False,
        name: str = "",
        token: str = "",
    ) -> list[RoutingEvent]:
        """A neighbor came up: send it the whole database, and report it to others.

        A neighbor that ``compares`` databases by digests gets only the differences. An edge gets
        only the parts of itself that others hold, so that it overtakes a process before its
        restart. A neighbor that flaps is reported later, and no path leads over it until then.
        ``terms``: the terms on which it was let in. ``name``: of its site, as it linked; empty: not
        known. ``token``: the token that let it in here; empty: none did. More than
        `ADJACENCIES_MAX` would not fit into an LSA: further neighbors wait until others are gone,
        or take the place of one whose holder has most. They get our own part 0 once, which shows
        them why.
        """
        return self._up(
            LinkedRouter(router, site, cost, terms, name, is_edge, compares, token), now
        )

    def _up(self, one: LinkedRouter, now: float) -> list[RoutingEvent]:
        router = one.router
        is_first = not len(self._neighbours)
        events: list[RoutingEvent] = []
        gives_way = self._neighbours.gives_way(one)
        if gives_way is not None:
            self._neighbours.wait(gives_way)
        if not self._neighbours.came(one):
            return self.show_neighbors(router, now)
        self._flooding.remove(router)  # It may have restarted: its acks are forgotten.
        is_reached = Node(router, one.site) in self._routes.paths
        damping = self._neighbours.damping
        until = None if one.is_edge else damping.came(router, not is_reached, now)
        if until is None:
            self._own.has_news = True
            self._routes.pace.paths_changed(now)
        else:
            events.append(AdjacencyDamped(router, until))
        if is_first:
            self._own.originate(now)  # Without neighbors nothing was sent; the sync carries it.
        if gives_way is not None:
            events += self._lost(gives_way, now)
            events += self.show_neighbors(gives_way, now)
        events += self._tell(self._own.due(now), now)
        edge, holder = self._neighbours.edge(router), self._neighbours.holder(router)
        if one.compares and edge is None:
            events += self._flooding.compare(router, now, holder)
        else:
            events += self._flooding.add(router, now, holder, edge)
        return events

    def show_neighbors(self, router: RouterId, now: float) -> list[RoutingEvent]:
        """Send our own part 0 once to a router that is linked and no neighbor: it names those that
        are, so what ``router`` holds from before is no way to this one."""
        return [*self._flooding.answer(router, LsaKey(0, self._lsdb.own), now)]

    def set_terms(self, router: RouterId, terms: Terms, now: float) -> list[RoutingEvent]:
        """Set the neighbor's new terms, from another link; other sites learn them at once."""
        if not self._neighbours.set_terms(router, terms):
            return []
        return [*self._tell_now(now), *self._routes.compute(now)]

    def set_rules(self, rules: SharingRules, now: float) -> list[RoutingEvent]:
        """Set the sharing rules of this site; the table follows them."""
        return self._routes.set_rules(rules, now)

    def grants_ended(self, now: float) -> list[RoutingEvent]:
        """By the wall clock a grant in the table may have ended: build the table without it."""
        return self._routes.rebuild(now)

    def adjacency_cost(self, router: RouterId, cost: int, now: float) -> list[RoutingEvent]:
        """The cost changed. Unknown routers are ignored: the adjacency has just gone."""
        if not self._neighbours.set_cost(router, cost):
            return []
        self._own.has_news = True
        self._routes.pace.paths_changed(now)
        return self._tell(self._own.due(now), now)

    def adjacency_down(self, router: RouterId, now: float) -> list[RoutingEvent]:
        """The returned list has the table without the adjacency, and others learn it at once.

        If paths were computed less than `SPF_INTERVAL_S` ago, or the CPU budget for paths is used
        up (`CpuBudget`), the table follows later. The router that has waited longest for room takes
        the place.
        """
        if not self._neighbours.went(router):
            return []
        events = self._lost(router, now)
        waiting = self._neighbours.take_waiting()
        return events if waiting is None else [*events, *self._up(waiting, now)]

    def _lost(self, router: RouterId, now: float) -> list[RoutingEvent]:
        """The adjacency is over: report it to others, and lead no path over it."""
        self._flooding.remove(router)
        if self._neighbours.damping.went(router, now):
            return []  # No router knew of it.
        events = self._tell_now(now)
        if self._routes.pace.neighbour_lost(now):
            events += self._routes.compute(now)
        return events

    def set_services(
        self, declarations: Iterable[Declaration], adverts: Iterable[TargetsAdvert], now: float
    ) -> list[RoutingEvent]:
        """Set all declarations and adverts of this router. ValueError, nothing changed: too
        much."""
        declared = tuple(sorted(declarations, key=lambda told: (told.name, told.declared_at_s)))
        told = tuple(adverts)
        if declared == self._routes.declarations and told == self._own.adverts:
            return []  # Called often: comparing a thousand is far cheaper than encoding them.
        declares = declared != self._routes.declarations
        bodies = self._splitter.split(declared, told)
        events = self._routes.set_declarations(declared, now)
        if self._own.set_bodies(bodies, told, declares=declares):
            events += self._tell(self._own.due(now), now)
        return events

    def adopt(self, name: str, site: SiteId, now: float) -> list[RoutingEvent]:
        """Make ``site`` the owner of ``name`` here, by the operator's decision."""
        return self._routes.adopt(name, site, now)

    def set_owners(self, owners: Mapping[str, Owner], now: float) -> list[RoutingEvent]:
        """The routers of this site agreed on ``owners``; names learned since then join them."""
        return self._routes.set_owners(owners, now)

    def set_service_ttl(self, ttl_s: float, now: float) -> list[RoutingEvent]:
        """Set how long declarations of lost routers count; the table drops those beyond it."""
        return self._routes.set_service_ttl(ttl_s, now)

    def set_draining(
        self, draining: bool, now: float, *, deleted: bool = False
    ) -> list[RoutingEvent]:
        """Set whether this router takes nothing new; others learn it at once. ``deleted``: its site
        will not come back."""
        if draining == self._own.is_draining:
            return []
        self._own.is_draining, self._own.is_deleted = draining, deleted
        return [*self._tell_now(now), *self._routes.rebuild(now)]

    def set_bars(
        self, bars: tuple[Bar, ...], refused: frozenset[SiteId], now: float
    ) -> list[RoutingEvent]:
        """Set the sites that this one put out, at most `BARS_MAX`; others learn it at once.

        ``refused`` sites count for nothing here, by whatever path they are reached.
        """
        is_refusal = self._routes.set_refused(refused)
        if bars == self._own.bars:
            return self._routes.rebuild(now) if is_refusal else []
        self._own.bars = bars
        return [*self._tell_now(now), *self._routes.compute(now)]

    # Messages of neighbors.

    def receive_lsa(
        self, from_router: RouterId, signed: bytes, now: float, age_s: int = 0
    ) -> list[RoutingEvent]:
        """Judge, store, ack and pass on one part. Late parts of lost neighbors are ignored.

        ``age_s``: how long ago its router sent it, as the neighbor says. An old part shortens how
        long an unreachable router is shown, and nothing else: the neighbor may lie.
        """
        return self._receiver.receive_lsa(from_router, signed, now, age_s)

    def receive_ack(self, from_router: RouterId, ack: LsaAck, now: float) -> list[RoutingEvent]:
        """A neighbor holds that part: it is not sent again."""
        events: list[RoutingEvent] = []
        for node in self._lsdb.nodes_of(ack.router):
            heard = (ack.epoch, ack.sequence), ack.checksum
            events += self._flooding.is_acked(from_router, LsaKey(ack.part, node), *heard, now)
        return events

    def receive_digest(
        self, from_router: RouterId, digest: bytes, wants_answer: bool, now: float
    ) -> list[RoutingEvent]:
        """Compare a neighbor's digest and send the parts that differ."""
        if from_router not in self._neighbours:
            return []
        if not is_digest(digest):
            reason = f"a digest of {len(digest)} bytes"
            return [LsaRejected(sender=from_router, code="bad-value", reason=reason)]
        return [*self._flooding.receive_digest(from_router, digest, wants_answer, now)]

    # Time.

    def next_deadline(self) -> float | None:
        """When `handle_timeout` has something to do."""
        times = (
            self._flooding.next_deadline(),
            self._lsdb.next_expiry(),
            self._routes.next_deadline(),
            self._neighbours.damping.next_deadline(),
            self._own.next_deadline(),
        )
        return min((time for time in times if time is not None), default=None)

    def handle_timeout(self, now: float) -> list[RoutingEvent]:
        """Carry out everything due. Early, late and double calls are harmless."""
        events: list[RoutingEvent] = []
        if self._lsdb.expire(now):
            self._routes.pace.paths_changed(now)
        for router in self._neighbours.damping.due(now):
            self._own.has_news = True
            self._routes.pace.paths_changed(now)
            events.append(AdjacencyDamped(router, None))
        events += self._tell(self._own.due(now), now)
        events += self._flooding.handle_timeout(now)
        events += self._routes.handle_timeout(now)
        return events

    @property
    def tables_built(self) -> int:
        """The number of tables built so far, including those equal to the previous one."""
        return self._routes.pace.runs

    def took(self, cost_s: float, now: float) -> None:
        """The last table and its consequences took ``cost_s`` of CPU time.

        The next tables are spaced by it; without this call, by fixed times alone.
        """
        self._routes.pace.took(cost_s, now)

    # Sending.

    def _tell(self, keys: list[LsaKey], now: float) -> list[RoutingEvent]:
        return [*self._flooding.flood(keys, now)] if keys else []

    def _tell_now(self, now: float) -> list[RoutingEvent]:
        """Send changes of this router's parts before everything that waits."""
        return [*self._flooding.send_now(self._own.originate(now), now)]
