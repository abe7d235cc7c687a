"""The routing core: told what happens, it answers with messages to send and new tables."""

from collections.abc import Iterable

import msgspec

from router.model.adverts import Declaration, TargetsAdvert
from router.model.ids import RouterId, SiteId
from router.model.limits import (
    ADJACENCIES_MAX,
    CONFLICT_REPEAT_S,
    COUNTER_MAX,
    SERVICE_SYNC_TTL_S,
)
from router.routing.events import (
    EpochRaised,
    IdentityConflict,
    LsaRejected,
    RoutingEvent,
    TableChanged,
    ack_of,
)
from router.routing.flood import Flooding
from router.routing.kept import KeptRouters
from router.routing.lsa import (
    Adjacency,
    Lsa,
    LsaFault,
    LsaKey,
    Node,
    ReceivedLsa,
    Services,
    Topology,
    decode_lsa,
    edge_fault,
    signature_fault,
    split_services,
)
from router.routing.lsdb import Change, Lsdb, Standing
from router.routing.origin import OwnOrigin
from router.routing.pace import SpfPace
from router.routing.ports import Identity
from router.routing.spf import Graph, Vertex, clamp_cost, shortest_paths, vertex
from router.routing.table import Own, RouteTable, build_table


class RoutingCore:
    """One router's part in link-state routing. Every verb returns what happened, in order.

    ``now`` is monotonic seconds. ``epoch`` comes from disk, was written before use and is at least
    the wall clock's seconds. Call `set_services` before the first `adjacency_up`: an LSA
    without services withdraws them everywhere. ``stub``: never crossed by others.
    ``service_ttl_s``: how long declarations of lost routers count; never beyond their LSA's age.
    ``restored``: Unix seconds at which the site's state came out of a backup, 0: never.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        epoch: int,
        boot_nonce: bytes,
        version: str,
        now: float,
        stub: bool = False,
        service_ttl_s: float = SERVICE_SYNC_TTL_S,
        restored: int = 0,
    ) -> None:
        self._identity = identity
        self._node = Node(identity.router, identity.site)
        self._version, self._stub = version, stub
        self._origin = OwnOrigin(
            identity,
            epoch=epoch,
            boot_nonce=boot_nonce,
            software=version,
            stub=stub,
            now=now,
            restored=restored,
        )
        self._lsdb = Lsdb(self._node)
        self._flooding = Flooding(self._lsdb)
        self._pace = SpfPace()
        self._adjacencies: dict[RouterId, Adjacency] = {}
        self._edges: dict[RouterId, Node] = {}  # Of these: who speaks of itself and is told no LSA.
        self._declarations: tuple[Declaration, ...] = ()
        self._bodies: tuple[Services, ...] = ()
        self._adverts: tuple[TargetsAdvert, ...] = ()
        self._is_draining = False
        self._has_news = False  # Our LSA says something that nobody was told yet.
        self._rival_nonce: bytes | None = None
        self._conflict_quiet_until = float("-inf")  # Told of lately.
        self._is_withdrawn = False
        self._kept = KeptRouters(service_ttl_s)
        self.lsas_received = 0
        self.lsas_rejected = 0
        self.lsas_over_budget = 0
        self.spf_runs = 0
        self.adjacencies_refused = 0
        self._graph = Graph({})
        self._routes = shortest_paths(self._new_graph(), self._node)
        self._table = self._new_table(1)

    # What others may look at.

    @property
    def table(self) -> RouteTable:
        """The newest table; the first one knows this site only."""
        return self._table

    @property
    def epoch(self) -> int:
        return self._origin.epoch

    @property
    def adverts(self) -> tuple[TargetsAdvert, ...]:
        """What this router attaches, by service port."""
        return self._adverts

    @property
    def lsas_originated(self) -> int:
        return self._origin.originated

    @property
    def retransmissions(self) -> int:
        return self._flooding.retransmissions

    def original_of(self, router: RouterId, site: SiteId, restored: int) -> tuple[SiteId, ...]:
        """Neighbours of a reachable router of ``site`` that was restored before ``restored``.

        Then ``router``, which was restored then, is a copy. Empty: there is none. O(routers).
        """
        for origin in self._lsdb.origins():
            node, topology = origin.node, origin.topology
            if node.site != site or node.router == router or topology is None:
                continue
            route = self._routes.get(node)
            if topology.restored < restored and route is not None and route.paths:
                return tuple(sorted({adjacency.site for adjacency in topology.adjacencies}))
        return ()

    def database(self) -> tuple[Lsa, ...]:
        """Every part that is held, ours included, sorted by (part, router)."""
        held = map(self._lsdb.get, self._lsdb.keys())
        return tuple(stored[0] for stored in held if stored)

    # What happens on this router.

    def adjacency_up(
        self, router: RouterId, site: SiteId, cost: int, now: float, *, is_edge: bool = False
    ) -> list[RoutingEvent]:
        """A neighbour is there: it is sent the whole database, and others hear of it.

        An edge is sent what others hold of itself, so that it overtakes a former life, and no more.
        More than `ADJACENCIES_MAX` would not fit into an LSA: the next are counted and not used.
        """
        if router not in self._adjacencies and len(self._adjacencies) >= ADJACENCIES_MAX:
            self.adjacencies_refused += 1
            return []
        is_first = not self._adjacencies
        self._flooding.remove(router)  # It may have restarted: what it acked is forgotten.
        self._adjacencies[router] = self._adjacency(router, site, cost)
        self._edges.pop(router, None)
        if is_edge:
            self._edges[router] = Node(router, site)
        self._has_news = True
        self._pace.paths_changed(now)
        events: list[RoutingEvent] = []
        if is_first:
            self._originate(now)  # Alone there was nobody to tell; the sync carries it.
        events += self._originate_if_due(now)
        events += self._flooding.add(router, now, self._edges.get(router))
        return events

    def adjacency_cost(self, router: RouterId, cost: int, now: float) -> list[RoutingEvent]:
        """The cost changed. Unknown routers are ignored: the adjacency has just gone."""
        known = self._adjacencies.get(router)
        if known is None:
            return []
        self._adjacencies[router] = self._adjacency(router, known.site, cost)
        self._has_news = True
        self._pace.paths_changed(now)
        return self._originate_if_due(now)

    def adjacency_down(self, router: RouterId, now: float) -> list[RoutingEvent]:
        """The table without it is in the returned list, and others are told at once."""
        if self._adjacencies.pop(router, None) is None:
            return []
        self._edges.pop(router, None)
        self._flooding.remove(router)
        self._has_news = True
        self._pace.paths_changed(now)
        events: list[RoutingEvent] = []
        events += self._flooding.send_now(self._originate(now), now)
        events += self._compute(now)
        return events

    def set_services(
        self,
        declarations: Iterable[Declaration],
        adverts: Iterable[TargetsAdvert],
        now: float,
    ) -> list[RoutingEvent]:
        """All that this router declares and attaches. ValueError, nothing changed: too much."""
        declared = tuple(sorted(declarations, key=lambda told: (told.name, told.declared_at_s)))
        told = tuple(adverts)
        bodies = split_services(declared, told)
        events: list[RoutingEvent] = []
        if declared != self._declarations:
            self._declarations = declared
            events += self._rebuild(now)
        if bodies != self._bodies:
            self._bodies, self._adverts = bodies, told
            self._has_news = True
            events += self._originate_if_due(now)
        return events

    def set_service_ttl(self, ttl_s: float, now: float) -> list[RoutingEvent]:
        """How long declarations of lost routers count; the table without those that do not."""
        self._kept.set_ttl(ttl_s)
        return self._rebuild(now)

    def set_draining(self, draining: bool, now: float) -> list[RoutingEvent]:
        """Whether this router takes nothing new; others are told at once."""
        if draining == self._is_draining:
            return []
        self._is_draining = draining
        self._has_news = True
        events: list[RoutingEvent] = []
        events += self._flooding.send_now(self._originate(now), now)
        events += self._rebuild(now)
        return events

    # What neighbours say.

    def receive_lsa(self, from_router: RouterId, signed: bytes, now: float) -> list[RoutingEvent]:
        """Judge, store, ack and pass on one part. Late ones of lost neighbours are ignored."""
        if from_router not in self._adjacencies:
            return []
        self.lsas_received += 1
        received = decode_lsa(signed)
        if isinstance(received, LsaFault):
            return self._rejected(from_router, received)
        lsa = received.lsa
        edge = self._edges.get(from_router)
        foreign = edge_fault(lsa, edge) if edge else None
        if foreign:
            return self._rejected(from_router, foreign)
        if lsa.node == self._node:
            return self._receive_own(from_router, received, now)
        standing = self._lsdb.standing(lsa, signed)
        if standing in (Standing.SAME, Standing.OBSOLETE):
            return self._ack(from_router, lsa, now)
        if not self._flooding.may_judge(from_router, lsa.key, now):
            self.lsas_over_budget += 1
            return []
        fault = signature_fault(received, self._identity)
        if fault:
            return self._rejected(from_router, fault)
        if standing is Standing.OLDER:
            return [*self._flooding.answer(from_router, lsa.key)]
        if not self._store(received, now):
            return []
        return [
            *self._ack(from_router, lsa, now),
            *self._flooding.flood([lsa.key], now, but=from_router),
        ]

    def receive_ack(
        self,
        from_router: RouterId,
        router: RouterId,
        part: int,
        epoch: int,
        sequence: int,
        now: float,
    ) -> list[RoutingEvent]:
        """A neighbour holds that part: it is not sent again."""
        events: list[RoutingEvent] = []
        for node in self._lsdb.nodes_of(router):
            key = LsaKey(part, node)
            events += self._flooding.has_heard(from_router, key, (epoch, sequence), now)
        return events

    # Time.

    def next_deadline(self) -> float | None:
        """When `handle_timeout` has something to do."""
        times = [
            self._flooding.next_deadline(),
            self._lsdb.next_expiry(),
            self._kept.next_deadline(),
            self._pace.at,
        ]
        if self._adjacencies and not self._is_withdrawn:
            times.append(self._origin.refresh_at)
            if self._has_news:
                times.append(self._origin.may_at)
        known = [time for time in times if time is not None]
        return min(known) if known else None

    def handle_timeout(self, now: float) -> list[RoutingEvent]:
        """Do what is due. Early, late and double calls are harmless."""
        events: list[RoutingEvent] = []
        if self._lsdb.expire(now):
            self._pace.paths_changed(now)
        events += self._originate_if_due(now)
        events += self._flooding.handle_timeout(now)
        due, kept_until = self._pace.at, self._kept.next_deadline()
        if due is not None and now >= due:
            events += self._compute(now) if self._pace.needs_paths else self._rebuild(now)
        elif kept_until is not None and now >= kept_until:
            events += self._rebuild(now)
        return events

    # Our own LSA.

    def _adjacency(self, router: RouterId, site: SiteId, cost: int) -> Adjacency:
        same_site = site == self._node.site
        return Adjacency(router, site, clamp_cost(cost, same_site=same_site))

    def _originate_if_due(self, now: float) -> list[RoutingEvent]:
        refresh_at = self._origin.refresh_at
        if refresh_at is not None and now >= refresh_at:
            return [*self._flooding.flood(self._originate(now, whole=True), now)]
        if self._has_news and now >= self._origin.may_at:
            return [*self._flooding.flood(self._originate(now), now)]
        return []

    def _originate(self, now: float, *, whole: bool = False) -> list[LsaKey]:
        """Put what changed into the database; the keys of it. Alone there is nobody to tell."""
        if not self._adjacencies or self._is_withdrawn:
            return []
        self._has_news = False
        parts = self._origin.compose(
            [self._adjacencies[router] for router in sorted(self._adjacencies)],
            self._bodies,
            now,
            draining=self._is_draining,
            whole=whole,
        )
        for lsa, signed in parts:
            self._lsdb.store(lsa, signed, now)
        return [lsa.key for lsa, _ in parts]

    def _receive_own(
        self, from_router: RouterId, received: ReceivedLsa, now: float
    ) -> list[RoutingEvent]:
        """Our own words, those of a former life, or those of a twin that lives."""
        lsa = received.lsa
        is_ours = (lsa.boot_epoch, lsa.boot_nonce) == self._origin.birth
        mine = self._lsdb.get(lsa.key)
        if mine and lsa.newness < mine[0].newness and not self._is_withdrawn:
            if not self._flooding.may_judge(from_router, lsa.key, now):
                self.lsas_over_budget += 1
                return []
            return [*self._flooding.answer(from_router, lsa.key)]
        is_past = lsa.newness < (self._origin.epoch, self._origin.sequence)
        if is_ours or self._is_withdrawn or (mine is None and is_past):
            return self._ack(from_router, lsa, now)
        if not self._flooding.may_judge(from_router, lsa.key, now):
            self.lsas_over_budget += 1
            return []
        fault = signature_fault(received, self._identity)
        if fault:
            return self._rejected(from_router, fault)
        return self._overtake(lsa, now)

    def _overtake(self, lsa: Lsa, now: float) -> list[RoutingEvent]:
        """Take a later epoch than ``lsa``, which another process with our ids has signed.

        A process that is gone cannot answer the epoch that we took because of it; one that
        does is alive, and the later started of the two goes silent.
        """
        events: list[RoutingEvent] = []
        if lsa.boot_nonce == self._rival_nonce and lsa.epoch > self._origin.epoch:
            self._is_withdrawn = self._origin.birth > (lsa.boot_epoch, lsa.boot_nonce)
            if self._is_withdrawn or now >= self._conflict_quiet_until:
                self._conflict_quiet_until = now + CONFLICT_REPEAT_S
                events.append(
                    IdentityConflict(
                        site=lsa.site,
                        router=lsa.router,
                        withdrawn=self._is_withdrawn,
                        neighbours=_neighbours(lsa),
                    )
                )
            if self._is_withdrawn:
                return [*events, *self._compute(now)]
        self._rival_nonce = lsa.boot_nonce
        self._origin.epoch = min(lsa.epoch + 1, COUNTER_MAX)
        events.append(EpochRaised(self._origin.epoch))
        events += self._flooding.send_now(self._originate(now, whole=True), now)
        return events

    # Others' LSAs.

    def _store(self, received: ReceivedLsa, now: float) -> bool:
        """Whether there is room for it."""
        if not self._lsdb.make_room(received.lsa.node, self._routes.keys()):
            self.lsas_over_budget += 1
            return False
        match self._lsdb.store(received.lsa, received.signed, now):
            case Change.TOPOLOGY:
                self._pace.paths_changed(now)
            case Change.SERVICES:
                self._pace.services_changed(now)
            case Change.NOTHING:
                pass
        return True

    def _ack(self, from_router: RouterId, lsa: Lsa, now: float) -> list[RoutingEvent]:
        return [
            ack_of(lsa, from_router),
            *self._flooding.has_heard(from_router, lsa.key, lsa.newness, now),
        ]

    def _rejected(self, from_router: RouterId, fault: LsaFault) -> list[RoutingEvent]:
        self.lsas_rejected += 1
        return [LsaRejected(sender=from_router, code=fault.code, reason=fault.reason)]

    # The table.

    def _new_graph(self) -> Graph:
        """Ours are the adjacencies of this moment, which may be newer than our LSA."""
        mine = {} if self._is_withdrawn else self._adjacencies
        reported = {Node(router, told.site): told.cost for router, told in mine.items()}
        vertices = {
            origin.node: vertex(origin.node, origin.topology)
            for origin in self._lsdb.origins()
            if origin.topology
        }
        reported.pop(self._node, None)
        vertices[self._node] = Vertex(not self._stub, reported)
        self._graph = Graph(vertices)
        return self._graph

    def _compute(self, now: float) -> list[RoutingEvent]:
        """Paths and table."""
        self.spf_runs += 1
        self._pace.has_run()
        before = self._routes
        self._routes = shortest_paths(self._new_graph(), self._node)
        self._kept.lost(before.keys() - self._routes.keys(), now)
        return self._rebuild(now)

    def _rebuild(self, now: float) -> list[RoutingEvent]:
        """The table for the paths we have; nothing if it says the same as before."""
        if not self._pace.needs_paths:
            self._pace.has_run()
        self._kept.update(self._routes.keys(), now)
        generation = self._table.generation
        table = self._new_table(generation)
        if table == self._table:
            return []
        self._table = msgspec.structs.replace(table, generation=generation + 1)
        return [TableChanged(self._table)]

    def _new_table(self, generation: int) -> RouteTable:
        own = Own(
            node=self._node,
            name=self._identity.name,
            version=self._version,
            draining=self._is_draining,
            declarations=self._declarations,
            adjacencies=tuple(sorted(self._adjacencies)),
        )
        return build_table(
            own,
            self._lsdb.origins(),
            self._graph,
            self._routes,
            self._routes.keys() | self._kept.nodes,
            generation=generation,
        )


def _neighbours(lsa: Lsa) -> tuple[SiteId, ...]:
    """The sites that its origin is linked to; none known by a part that tells services."""
    if not isinstance(lsa.body, Topology):
        return ()
    return tuple(sorted({adjacency.site for adjacency in lsa.body.adjacencies}))
