"""Routing at an edge: one neighbor, its table, no database and no paths of our own.

An edge attaches to one router. A `RoutingCore` that knows only this edge and has one adjacency
makes, signs and floods its LSA; all else the edge knows is the table that its neighbor sends for
its wishes. Further neighbors are standbys: when the attached one goes, or stops, the cheapest
standby takes its place. Until that one has sent its table, the last table counts: the neighbor
knows the paths, and refuses streams for anything it does not know. Services that are only in the
last table stay declared for `EDGE_FORMER_S`: a neighbor that has just started does not know them
yet.
"""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from router.model.ids import RouterId, SiteId
from router.model.limits import (
    EDGE_FORMER_S,
    EDGE_RETRANSMIT_S,
    EDGE_WISH_REFRESH_S,
    EDGE_WISHES_MAX,
    SERVICE_SYNC_TTL_S,
)
from router.model.messages.acks import LsaAck
from router.model.messages.adverts import Declaration, TargetsAdvert
from router.model.messages.edges import EdgeMessage, HaveMessage, TableMessage, WishMessage
from router.model.own_identity import OwnIdentity
from router.model.rights.grants import no_clock
from router.model.rights.owners import NOBODY, Owner
from router.model.rights.sharing import FREE, SharingRules, Terms
from router.routing.adverts.lsa import Bar, LsaFault, Node, decode_lsa
from router.routing.core import RoutingCore
from router.routing.edges.edge_rows import (
    EMPTY_EDGE_TABLE,
    EdgeRows,
    EdgeTable,
    only_former,
    with_former,
)
from router.routing.edges.edge_view import EdgeWay, edge_table
from router.routing.edges.lost_sites import LostSites
from router.routing.events import LsaRejected, RoutingEvent, SendEdge, TableChanged, ack_of
from router.routing.spf import clamp_cost
from router.routing.table import RouteTable


class EdgeRouting:
    """Replaces `RoutingCore` at an edge: the same verbs, plus `set_wishes` and `receive_edge`."""

    def __init__(
        self,
        identity: OwnIdentity,
        *,
        epoch: int,
        boot_nonce: bytes,
        version: str,
        now: float,
        service_ttl_s: float = SERVICE_SYNC_TTL_S,
        restored: int = 0,
        owners: Mapping[str, Owner] = NOBODY,
        unix: Callable[[], float] = no_clock,
        common: bool = False,
    ) -> None:
        """``owners``: stored before it became an edge; its neighbor's owners count. ``unix`` as for
        `RoutingCore`."""
        self._core = RoutingCore(
            identity,
            epoch=epoch,
            boot_nonce=boot_nonce,
            version=version,
            now=now,
            stub=True,
            restored=restored,
            owners=owners,
            unix=unix,
            common=common,
        )
        self._unix = unix
        self._node = Node(identity.router, identity.site)
        self._neighbours: dict[RouterId, EdgeWay] = {}  # As they came up.
        self._stopping: set[RouterId] = set()  # Those that stop: nothing leads across them.
        self._way: EdgeWay | None = None
        self._rows = EdgeRows()
        self._lost_sites = LostSites()
        self._told = EMPTY_EDGE_TABLE  # The last whole table.
        self._is_whole = False  # Whether `_told` comes from the attached neighbor.
        self._former = (
            EMPTY_EDGE_TABLE  # Services that only the table of the previous neighbor had.
        )
        self._expired = EMPTY_EDGE_TABLE  # The rest, once the neighbor is lost for too long.
        self._former_until = now
        self._lost_at = now
        self._ttl_s = service_ttl_s
        self._wishes: tuple[str, ...] | None = ()
        self._since = self._number = 0
        self._wish_at: float | None = None  # When to send it again.
        self._table = self._core.table
        self._rules = SharingRules()
        self._shown: tuple[RouteTable, EdgeTable, EdgeWay | None] | None = None

    # For other rooms to read.

    # As in `RoutingCore`: an edge uses its one neighbor, and lets no site in.
    held: Final[Mapping[RouterId, float]] = {}
    without_room: Final[Mapping[RouterId, str]] = {}
    edge_sites: Final[Sequence[SiteId]] = ()
    crowd: Final = ("", 0)
    held_by: Final[Sequence[RouterId]] = ()
    full_neighbours: Final[Sequence[RouterId]] = ()
    unstated: Final[Sequence[RouterId]] = ()

    @property
    def table(self) -> RouteTable:
        """The newest table; the first one knows this site only."""
        return self._table

    @property
    def adverts(self) -> tuple[TargetsAdvert, ...]:
        """Adverts of this router's targets, by service port."""
        return self._core.adverts

    @property
    def epoch(self) -> int:
        return self._core.epoch

    tokens: Mapping[SiteId, str] = {}
    """As in `RoutingCore`: no site dials an edge."""

    @property
    def owners(self) -> Mapping[str, Owner]:
        """As `RoutingCore.owners`: the stored owners, and the names that this site declares."""
        return self._core.owners

    @property
    def lsas_received(self) -> int:
        return self._core.lsas_received

    @property
    def rows_held(self) -> int:
        """Rows of the table that the neighbor sent."""
        return len(self._rows)

    @property
    def left_out(self) -> int:
        """Services that this router wants but that found no room in the table."""
        return self._told.left_out if self._is_whole else 0

    def stands_by(self, router: RouterId) -> bool:
        """Whether ``router`` is linked while this edge is attached to another neighbor."""
        return router in self._neighbours and (self._way is None or self._way.router != router)

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
        """A neighbor is up: attach to the first one, and keep others as standbys. Never an edge.

        A standby is shown that: it may hold an LSA of this edge from when it was attached to it,
        and no newer one reaches it if it is apart from the neighbor.

        An edge lets no site in, so ``terms`` and ``token`` do not matter. It has no database for
        ``compares``, and receives no LSA with a ``name``.
        """
        if is_edge:
            return []
        self._neighbours[router] = self._way_to(router, site, cost)
        self._stopping.discard(router)
        if self._way is None or self._way.router == router:
            return self._attach(self._neighbours[router], now)
        return [*self._core.show_neighbors(router, now), *self._leave_stopping(now)]

    def adjacency_cost(self, router: RouterId, cost: int, now: float) -> list[RoutingEvent]:
        """Take over a new link cost. The edge stays attached to its neighbor."""
        known = self._neighbours.get(router)
        if known is None:
            return []
        way = self._neighbours[router] = self._way_to(router, known.site, cost)
        if self._way is None or self._way.router != router:
            return []
        self._way = way
        return [*self._passed(self._core.adjacency_cost(router, cost, now)), *self._rebuild(now)]

    def adjacency_down(self, router: RouterId, now: float) -> list[RoutingEvent]:
        """A neighbor is down: attach to a standby if there is one."""
        self._neighbours.pop(router, None)
        self._stopping.discard(router)
        if self._way is None or self._way.router != router:
            return []
        events = self._detach(now)
        following = self._best()
        return events + (self._attach(following, now) if following else self._rebuild(now))

    def set_services(
        self, declarations: Iterable[Declaration], adverts: Iterable[TargetsAdvert], now: float
    ) -> list[RoutingEvent]:
        """See `RoutingCore.set_services`."""
        events = self._core.set_services(declarations, adverts, now)
        return [*self._passed(events), *self._rebuild(now)]

    def set_service_ttl(self, ttl_s: float, now: float) -> list[RoutingEvent]:
        """Set how long declarations count after the neighbor was lost."""
        self._ttl_s = ttl_s
        return self._rebuild(now)

    def set_draining(
        self, draining: bool, now: float, *, deleted: bool = False
    ) -> list[RoutingEvent]:
        """See `RoutingCore.set_draining`."""
        told = self._core.set_draining(draining, now, deleted=deleted)
        return [*self._passed(told), *self._rebuild(now)]

    def set_terms(self, router: RouterId, terms: Terms, now: float) -> list[RoutingEvent]:
        """Do nothing: an edge accepts no links."""
        return []

    def set_bars(
        self, bars: tuple[Bar, ...], refused: frozenset[SiteId], now: float
    ) -> list[RoutingEvent]:
        """Set bars. An edge lets no site in, but may have put sites out in another mode, and says
        so."""
        events = self._core.set_bars(bars, frozenset(), now)
        return [*self._passed(events), *self._rebuild(now)]

    def set_rules(self, rules: SharingRules, now: float) -> list[RoutingEvent]:
        """See `RoutingCore.set_rules`."""
        if rules == self._rules:
            return []
        self._rules, self._shown = rules, None
        return self._rebuild(now)

    def grants_ended(self, now: float) -> list[RoutingEvent]:
        """See `RoutingCore.grants_ended`."""
        self._shown = None
        return [*self._passed(self._core.grants_ended(now)), *self._rebuild(now)]

    def set_wishes(self, services: frozenset[str] | None, now: float) -> list[RoutingEvent]:
        """Set the services that this router uses; None, or too many to name: every service."""
        is_all = services is None or len(services) > EDGE_WISHES_MAX
        wishes = None if is_all or services is None else tuple(sorted(services))
        if wishes == self._wishes:
            return []
        self._wishes = wishes
        return self._wish(now) if self._way else []

    # Messages of neighbors.

    def receive_edge(
        self, from_router: RouterId, message: EdgeMessage, now: float
    ) -> list[RoutingEvent]:
        """Take a part of the table, if it comes from the attached neighbor."""
        if not isinstance(message, TableMessage):
            return [_bad(from_router, "an edge was asked for a table")]
        way = self._way
        if way is None or from_router != way.router:
            return []  # This edge left it a moment ago.
        heard = self._rows.receive(message)
        if isinstance(heard, LsaFault):
            return [_bad(from_router, heard.reason)]
        if heard == "gap":
            self._rows.begin()
            return self._wish(now, from_start=True)
        events: list[RoutingEvent] = [
            SendEdge(way.router, HaveMessage(self._rows.series, self._rows.version))
        ]
        if heard != "news" or message.wish < self._since:
            return events
        if message.wish == self._number:
            self._wish_at = now + EDGE_WISH_REFRESH_S
        self._stopping.discard(way.router)
        if message.draining:
            self._stopping.add(way.router)
            left = self._leave_stopping(now)
            if left:  # The former table leads on across the other neighbor.
                return events + left
        self._is_whole = True
        self._former = only_former(self._former, self._rows.told, self._node.site)
        self._lost_sites.table_changed(self._told, self._rows.told, self._rows.met, now)
        self._told = with_former(self._rows.told, self._former, self._lost_sites.rows)
        return events + self._rebuild(now)

    def receive_lsa(
        self, from_router: RouterId, signed: bytes, now: float, age_s: int = 0
    ) -> list[RoutingEvent]:
        """Receive an LSA of this router, maybe from before a restart, whatever its age. Others are
        faults.

        A standby may hold one, too; only the attached neighbor's has consequences.
        """
        received = decode_lsa(signed)
        if isinstance(received, LsaFault) or received.lsa.node != self._node:
            return [_bad(from_router, "an edge holds the LSA of no site but itself")]
        if self._way is not None and self._way.router == from_router:
            return [
                *self._passed(self._core.receive_lsa(from_router, signed, now)),
                *self._rebuild(now),
            ]
        return [ack_of(received, from_router)]

    def receive_ack(self, from_router: RouterId, ack: LsaAck, now: float) -> list[RoutingEvent]:
        """See `RoutingCore.receive_ack`."""
        return self._passed(self._core.receive_ack(from_router, ack, now))

    # Time.

    def next_deadline(self) -> float | None:
        """When `handle_timeout` has something to do."""
        former = self._former_until if self._is_whole and self._former.services else None
        lost = self._lost_sites.next_deadline(self._ttl_s)
        times = [self._core.next_deadline(), self._wish_at, self._kept_until(), former, lost]
        known = [time for time in times if time is not None]
        return min(known) if known else None

    def handle_timeout(self, now: float) -> list[RoutingEvent]:
        """Carry out everything due. Early, late and double calls are harmless."""
        events = self._passed(self._core.handle_timeout(now))
        if self._wish_at is not None and now >= self._wish_at:
            events += self._wish(now, repeats=True)
        if self._is_whole and self._former.services and now >= self._former_until:
            self._former = EMPTY_EDGE_TABLE
            self._told = with_former(self._rows.told, self._former, self._lost_sites.rows)
        return events + self._rebuild(now)

    @property
    def tables_built(self) -> int:
        """See `RoutingCore.tables_built`: the core's own tables only; the neighbor paces the
        others."""
        return self._core.tables_built

    def took(self, cost_s: float, now: float) -> None:
        """See `RoutingCore.took`."""
        self._core.took(cost_s, now)

    # Attaching.

    def _way_to(self, router: RouterId, site: SiteId, cost: int) -> EdgeWay:
        return EdgeWay(router, site, clamp_cost(cost, same_site=site == self._node.site))

    def _attach(self, way: EdgeWay, now: float) -> list[RoutingEvent]:
        self._way = way
        self._rows.begin()
        self._is_whole = False
        self._former = self._told if self._is_kept(now) else EMPTY_EDGE_TABLE
        self._former_until = now + EDGE_FORMER_S
        events = self._passed(self._core.adjacency_up(way.router, way.site, way.cost, now))
        return [*events, *self._wish(now, from_start=True), *self._rebuild(now)]

    def _detach(self, now: float) -> list[RoutingEvent]:
        assert self._way is not None
        router, self._way = self._way.router, None
        self._wish_at = None
        if self._is_whole:
            self._lost_at = now
        self._is_whole = False
        return self._passed(self._core.adjacency_down(router, now))

    def _best(self) -> EdgeWay | None:
        """The standby neighbor: not stopping, cheapest, first to be up."""
        ways = self._neighbours.values()
        return min(ways, key=lambda way: (way.router in self._stopping, way.cost), default=None)

    def _leave_stopping(self, now: float) -> list[RoutingEvent]:
        """Leave a neighbor that stops, if there is another one."""
        best = self._best()
        if self._way is None or best is None or self._way.router not in self._stopping:
            return []
        if best.router in self._stopping:
            return []
        return [*self._detach(now), *self._attach(best, now)]

    def _wish(
        self, now: float, *, from_start: bool = False, repeats: bool = False
    ) -> list[RoutingEvent]:
        """``from_start``: ask for the whole table. ``repeats``: the last wish may be lost."""
        assert self._way is not None
        if not repeats:
            self._number += 1
        if from_start:
            self._since = self._number
        self._wish_at = now + EDGE_RETRANSMIT_S
        met = () if self._rows.series else self._rows.met  # It holds rows: the neighbor knows them.
        wish = WishMessage(self._since, self._number, self._wishes, met)
        return [SendEdge(self._way.router, wish)]

    # The table.

    def _kept_until(self) -> float | None:
        """When the rows of the lost neighbor expire (monotonic seconds); None: they do not."""
        is_over = self._is_whole or self._shown is None or not self._shown[1].services
        return None if is_over else self._lost_at + self._ttl_s

    def _is_kept(self, now: float) -> bool:
        """True if the rows of a lost neighbor still count."""
        return now < self._lost_at + self._ttl_s

    def _rebuild(self, now: float) -> list[RoutingEvent]:
        """Build the table again; no event if it is the same as before."""
        if self._lost_sites.forget(self._ttl_s, now):
            self._told = msgspec.structs.replace(self._told, lost=self._lost_sites.rows)
        told = self._told
        if not (self._is_whole or self._is_kept(now)):
            # One object, so that an unchanged value is the same object.
            if self._expired.deleted != told.deleted:
                self._expired = msgspec.structs.replace(EMPTY_EDGE_TABLE, deleted=told.deleted)
            told = self._expired
        shown = (self._core.table, told, self._way)
        if self._shown and all(map(operator.is_, shown, self._shown)):
            return []
        self._shown = shown
        generation = self._table.generation
        table = edge_table(
            *shown,
            node=self._node,
            rules=self._rules,
            generation=generation,
            unix=self._unix(),
        )
        if table == self._table:
            return []
        self._table = msgspec.structs.replace(table, generation=generation + 1)
        return [TableChanged(self._table)]

    def _passed(self, events: list[RoutingEvent]) -> list[RoutingEvent]:
        """The core's events without its table changes: its table is a part of this edge's."""
        return [event for event in events if not isinstance(event, TableChanged)]


def _bad(router: RouterId, reason: str) -> LsaRejected:
    return LsaRejected(sender=router, code="bad-table", reason=reason)


Routing = RoutingCore | EdgeRouting
"""The table source of a router: the whole network, or, at an edge, the neighbor's rows."""
