"""The edges attached to this router: wishes, sent rows and next rows of each.

Sending is stop and wait: one message, its acknowledgement, the next. Changes in the meantime are
joined, so a slow edge costs no more than its table. All edges share the rows.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import cycle

from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.limits import (
    ADJACENCIES_MAX,
    EDGE_RETRANSMIT_S,
    EDGE_ROWS_MAX,
    EDGE_TABLE_INTERVAL_S,
    EDGE_WISHES_BURST,
    EDGE_WISHES_PER_S,
)
from router.model.messages.adverts import LoadReport
from router.model.messages.edges import EdgeMessage, HaveMessage, TableMessage, WishMessage
from router.model.paths import Path, in_turn
from router.model.rights.sharing import FREE, SHORT_ID_CHARS, Party, Terms, any_matches
from router.model.token_bucket import TokenBucket, TokenBuckets
from router.routing.edges.edge_updates import RowChanges, Rows, messages
from router.routing.edges.offers import (
    NOTHING,
    EdgeOffer,
    EdgeTableSource,
    make_offers,
    routes_by_candidate,
    seen_by,
    wanted_names,
)
from router.routing.events import EdgeCaughtUp, LsaRejected, RoutingEvent, SendEdge
from router.routing.table import RouteTable

Routes = dict[tuple[ServiceKey, RouterId], Iterator[Path]]


class _Attached:
    """One edge. It holds ``rows`` once it acked all of ``outbox``, whose first message was sent at
    ``sent_at``."""

    sent_at: float

    __slots__ = (
        "budget",
        "dirty",
        "holder",
        "left_out",
        "may_at",
        "names",
        "news",
        "number",
        "outbox",
        "owes",
        "party",
        "rows",
        "sent_at",
        "series",
        "since",
        "terms",
        "version",
    )

    def __init__(self, now: float, party: Party, terms: Terms, holder: str) -> None:
        self.party, self.terms, self.holder = party, terms, holder
        self.budget = TokenBucket(EDGE_WISHES_BURST, EDGE_WISHES_PER_S, now)
        self.since: int | None = None
        self.number = 0
        self.names: frozenset[str] | None = frozenset()
        self.series = self.version = 0
        self.rows = Rows()
        self.dirty: set[str] = set()  # Services to check.
        self.left_out: set[str] = set()
        self.owes = False  # A message is due, whether rows changed or not.
        self.outbox: deque[TableMessage] = deque()
        self.news: frozenset[str] = frozenset()  # Those with candidates in the outbox.
        self.may_at = now

    @property
    def has_news(self) -> bool:
        """Whether the edge asked for the table and lacks rows of it."""
        return self.since is not None and (bool(self.dirty) or self.owes)

    def wants(self, service: str) -> bool:
        is_wished = self.names is None or service in self.names
        return is_wished and any_matches(self.terms.import_, service)


class AttachedEdges:
    """Sends each attached edge the rows of the route table that it uses. Pure, as `RoutingCore`."""

    def __init__(self) -> None:
        self._edges: dict[RouterId, _Attached] = {}
        self._leaving: set[RouterId] = set()
        """Edges whose links drain: they may not know it yet."""
        self._table: RouteTable | None = None
        self._source: EdgeTableSource | None = None
        self._offers = NOTHING
        self._made_for: tuple[EdgeTableSource, RouteTable, frozenset[str] | None] | None = None
        self._series = 0
        self._tables = TokenBuckets(EDGE_WISHES_BURST, EDGE_WISHES_PER_S, ADJACENCIES_MAX)
        self._routes: Routes = {}
        self._routes_of: RouteTable | None = None

    def __len__(self) -> int:
        return len(self._edges)

    @property
    def rows_held(self) -> int:
        """Rows of ours that all edges hold together."""
        return sum(len(edge.rows) for edge in self._edges.values())

    # Events on this router.

    def up(
        self, router: RouterId, now: float, site: SiteId, terms: Terms = FREE, token: str = ""
    ) -> None:
        """Add an edge that linked on ``terms``, let in by ``token``; empty: by none. It gets rows
        after its first wish."""
        self._leaving.discard(router)
        self._edges[router] = _Attached(now, self._party(site), terms, token or site)

    def set_terms(self, router: RouterId, terms: Terms, now: float) -> list[RoutingEvent]:
        """Set the edge's new terms; ignore routers that are not edges."""
        edge = self._edges.get(router)
        if edge is None:
            return []
        edge.terms = terms
        edge.dirty |= self._names(edge.names)
        return self._send(router, edge, now)

    def _party(self, site: SiteId) -> Party:
        return self._table.party(site) if self._table else Party(site, f"@{site[:SHORT_ID_CHARS]}")

    def drain(self, router: RouterId) -> None:
        """Send the edge nothing more, and ignore its messages until `down`; ignore routers that are
        not edges."""
        if self._edges.pop(router, None) is not None:
            self._leaving.add(router)

    def down(self, router: RouterId) -> None:
        """Remove the edge; ignore routers that are not edges."""
        self._edges.pop(router, None)
        self._leaving.discard(router)

    def update(self, source: EdgeTableSource, table: RouteTable, now: float) -> list[RoutingEvent]:
        """Take over a new route table. An unchanged one costs nothing."""
        if table is self._table and source == self._source:
            return []
        was_stopping = self._table is not None and _is_stopping(self._table)
        self._table, self._source = table, source
        if was_stopping != _is_stopping(table):
            for edge in self._edges.values():
                edge.owes = True
        return self._look(now)

    def path_to(self, key: ServiceKey, router: RouterId) -> tuple[RouterId, ...] | None:
        """A path for an edge's stream: the routers after this one. None: no such candidate.

        Next hops of equal cost get equal shares.
        """
        if self._table is None:
            return None
        if self._routes_of is not self._table:
            self._routes = {
                wanted: cycle(in_turn(paths))
                for wanted, paths in routes_by_candidate(self._table).items()
            }
            self._routes_of = self._table
        turns = self._routes.get((key, router))
        return next(turns) if turns is not None else None

    def wanted(self, router: RouterId, reports: Sequence[LoadReport]) -> tuple[LoadReport, ...]:
        """Reports that ``router`` needs: all, unless it is an edge."""
        edge = self._edges.get(router)
        if edge is None:
            return tuple(reports)
        return tuple(
            report
            for report in reports
            if report.router != router
            and edge.wants(report.service)
            and self._is_for(edge.party, report)
        )

    def _is_for(self, party: Party, report: LoadReport) -> bool:
        """Whether the reported targets are offered to the edge's site."""
        offer = self._offers.services.get(report.service)
        return offer is None or offer.names(party, report.router)

    # Messages of edges.

    def receive_edge(
        self, router: RouterId, message: EdgeMessage, now: float
    ) -> list[RoutingEvent]:
        """Apply a wish or an acknowledgement of an edge; reject every other message or sender."""
        edge = self._edges.get(router)
        if router in self._leaving and not isinstance(message, TableMessage):
            return []
        if edge is None or isinstance(message, TableMessage):
            return [_fault(router, "only an edge has wishes, and none tells of a table")]
        if isinstance(message, WishMessage):
            return self._wish(router, edge, message, now)
        return self._have(router, edge, message, now)

    def _wish(
        self, router: RouterId, edge: _Attached, wish: WishMessage, now: float
    ) -> list[RoutingEvent]:
        is_new = wish.since != edge.since
        if wish.number < edge.number or wish.since > wish.number:
            return []  # A later one overtook it.
        if not edge.budget.take(now):
            return []  # It asks again.
        is_other = is_new or wish.number != edge.number
        if is_other and not self._tables.take(edge.holder, now) and edge.since is not None:
            # It asks again. The first wish of each gets a table: many edges may come up at once.
            return []
        edge.owes = True
        if is_new:
            self._begin(edge, wish)
        elif not is_other:
            return self._send(router, edge, now)
        names = None if wish.services is None else frozenset(wish.services)
        edge.dirty |= self._names(edge.names) | self._names(names)
        edge.number, edge.names = wish.number, names
        return self._look(now)

    def _begin(self, edge: _Attached, wish: WishMessage) -> None:
        """Start with an edge that holds no rows."""
        self._series += 1
        edge.series, edge.version, edge.since = self._series, 0, wish.since
        edge.rows = Rows(wish.met)
        edge.outbox.clear()
        edge.left_out.clear()
        edge.news = frozenset()

    def _have(
        self, router: RouterId, edge: _Attached, have: HaveMessage, now: float
    ) -> list[RoutingEvent]:
        if not edge.outbox:
            return []
        first = edge.outbox[0]
        if (have.series, have.version) != (first.series, first.version):
            return []
        edge.outbox.popleft()
        if edge.outbox:
            return [self._sent(router, edge, now)]
        news, edge.news = edge.news, frozenset()
        told: list[RoutingEvent] = [EdgeCaughtUp(router, news)] if news else []
        return told + self._send(router, edge, now)

    # Time.

    def next_deadline(self) -> float | None:
        """When `handle_timeout` has something to do."""
        times = [
            edge.sent_at + EDGE_RETRANSMIT_S if edge.outbox else edge.may_at
            for edge in self._edges.values()
            if edge.outbox or edge.has_news
        ]
        return min(times) if times else None

    def handle_timeout(self, now: float) -> list[RoutingEvent]:
        """Carry out everything due. Early, late and double calls are harmless."""
        events: list[RoutingEvent] = []
        for router, edge in self._edges.items():
            if edge.outbox:
                if now >= edge.sent_at + EDGE_RETRANSMIT_S:
                    events.append(self._sent(router, edge, now))
            else:
                events += self._send(router, edge, now)
        return events

    # Helpers.

    def _names(self, names: frozenset[str] | None) -> frozenset[str]:
        if self._table is None or self._source is None:
            return names or frozenset()
        return wanted_names(self._table, self._source.adverts, names)

    def _look(self, now: float) -> list[RoutingEvent]:
        """Make the offers again, and send each edge the rows that changed for it."""
        if self._table is None or self._source is None:
            return []
        before = self._offers
        self._make_offers(self._source, self._table)
        changed = {
            name
            for name in before.services.keys() | self._offers.services.keys()
            if before.services.get(name) is not self._offers.services.get(name)
        }
        changed_sites = [
            site
            for router, site in self._offers.sites.items()
            if before.sites.get(router) is not site
        ]
        sites = {site.site for site in changed_sites}
        routers = {site.router for site in changed_sites}
        routers |= before.sites.keys() - self._offers.sites.keys()
        deleted = self._offers.deleted - before.deleted
        events: list[RoutingEvent] = []
        for router, edge in self._edges.items():
            if edge.since is None:
                continue
            party = self._party(edge.party.site)
            if party != edge.party:  # Other rules may name it now.
                edge.party = party
                edge.dirty |= self._names(edge.names)
            edge.dirty |= changed if edge.names is None else changed & edge.names
            edge.owes |= edge.rows.touches(routers, sites) or edge.rows.has_met(deleted)
            events += self._send(router, edge, now)
        return events

    def _make_offers(self, source: EdgeTableSource, table: RouteTable) -> None:
        """Make the offers of all services that any edge wants, unless they are made already."""
        wishes = [edge.names for edge in self._edges.values() if edge.since is not None]
        if not wishes:
            self._offers, self._made_for = NOTHING, None
            return
        named = [names for names in wishes if names is not None]
        names = frozenset[str]().union(*named) if len(named) == len(wishes) else None
        made_for = (source, table, names)
        known = self._made_for
        if known and known[:2] == made_for[:2] and known[2] == names:
            return
        self._made_for = made_for
        self._offers = make_offers(source, table, names, self._offers)

    def _send(self, router: RouterId, edge: _Attached, now: float) -> list[RoutingEvent]:
        """Send the next rows if the edge acknowledged the last ones."""
        if edge.outbox or not edge.has_news or now < edge.may_at or self._table is None:
            return []
        left_out = len(edge.left_out)
        changes = self._changes(router, edge)
        is_needed = edge.owes or not changes.is_empty or len(edge.left_out) != left_out
        edge.dirty, edge.owes = set(), False
        if not is_needed:
            return []
        edge.may_at = now + EDGE_TABLE_INTERVAL_S
        edge.news = frozenset(row.service for row in changes.candidates)
        head = TableMessage(
            series=edge.series,
            base=edge.version,
            version=edge.version + 1,
            wish=edge.number,
            is_last=True,
            left_out=len(edge.left_out),
            draining=_is_stopping(self._table),
        )
        edge.outbox.extend(messages(head, changes))
        edge.version = edge.outbox[-1].version
        return [self._sent(router, edge, now)]

    def _changes(self, router: RouterId, edge: _Attached) -> RowChanges:
        """The changes from the rows that the edge holds to those that it should hold; records the
        latter."""
        changes = RowChanges()
        offers: dict[str, EdgeOffer | None] = {}
        for name in sorted(edge.dirty | edge.left_out):
            known = self._offers.services.get(name) if edge.wants(name) else None
            offers[name] = seen_by(known, edge.party) if known is not None else None
        # First those that give room to others.
        for name in sorted(offers, key=lambda one: edge.rows.growth(one, offers[one]) > 0):
            offer = offers[name]
            edge.left_out.discard(name)
            if offer is not None and not edge.rows.has_room(name, offer, EDGE_ROWS_MAX):
                edge.left_out.add(name)
                offer = None
            edge.rows.set_offer(name, offer, router, changes)
        assert self._source is not None
        edge.rows.set_sites(self._offers, self._source.router, router, changes)
        return changes

    def _sent(self, router: RouterId, edge: _Attached, now: float) -> SendEdge:
        edge.sent_at = now
        return SendEdge(router, edge.outbox[0])


def _fault(router: RouterId, reason: str) -> LsaRejected:
    return LsaRejected(sender=router, code="bad-table", reason=reason)


def _is_stopping(table: RouteTable) -> bool:
    return table.sites[table.site].draining
