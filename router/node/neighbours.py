"""Handles events of links: neighbors, their messages, streams. Implements `LinkOwner`."""

from collections.abc import Callable

from router.asking.desk import QuestionDesk
from router.asking.disclosure import QuestionOrigin
from router.asking.kinds import is_for_site
from router.exchange.forwarder import Forwarder
from router.link.fault import Fault
from router.link.links import Links
from router.link.neighbour import LinkPermission, Neighbour
from router.link.ports import ASKS_TARGETS, Direction, OfferedStream, OpenRequest
from router.link.routing_messages import DigestMessage, LoadMessage, LsaMessage, RoutingMessage
from router.model.errors import HandshakeRejected
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.acks import LsaAck
from router.model.messages.edges import HaveMessage, TableMessage, WishMessage
from router.model.messages.shares import SharesMessage
from router.model.own_identity import OwnIdentity
from router.model.rights.sharing import FREE, Terms
from router.net.ports import Network
from router.node.down_links import DownLinks
from router.node.news.link_news import LinkNews
from router.node.routing_run import RoutingRun
from router.node.services.load_exchange import LoadExchange
from router.node.services.services import SiteServices
from router.node.services.share_run import ShareRun
from router.node.stream_access import StreamAccess
from router.routing.core import RoutingCore
from router.routing.edges.attached import AttachedEdges
from router.routing.edges.edge import EdgeRouting, Routing
from router.routing.names import Names
from router.trust.ports import Credentials


class Neighbours:
    """Passes each event to the rooms that need it; has no state of these.

    `Links` needs this object first, so rooms that need `Links` come later, by `join`.
    """

    def __init__(
        self,
        network: Network,
        identity: OwnIdentity,
        credentials: Credentials,
        routing: Routing,
        edges: AttachedEdges,
        names: Names,
        stream_access: StreamAccess,
        leads_to: Callable[[SiteId, SiteId], bool],
    ) -> None:
        """``leads_to``: whether a cheapest way to a site begins at that neighbor site."""
        self._network, self._identity, self._credentials = network, identity, credentials
        self._routing, self._edges = routing, edges
        self._names, self._stream_access, self._leads_to = names, stream_access, leads_to
        self._refused: frozenset[SiteId] = frozenset()

    @property
    def refused(self) -> frozenset[SiteId]:
        """Sites that this one revoked: their streams are refused, by whatever path they come."""
        return self._refused

    def refuse(self, sites: frozenset[SiteId]) -> None:
        """These, and no others, are `refused` from now on."""
        self._refused = sites

    def join(
        self,
        links: Links,
        forwarder: Forwarder,
        news: LinkNews,
        down_links: DownLinks,
        run: RoutingRun,
        load: LoadExchange,
        shares: ShareRun,
        services: SiteServices,
        questions: QuestionDesk,
    ) -> None:
        """Call before the first link is dialed or accepted."""
        self._links, self._forwarder, self._news = links, forwarder, news
        self._down_links, self._take = down_links, run.take
        self._load, self._shares = load, shares
        self.known_offers = forwarder.known_offers
        self._services, self._questions = services, questions

    def admit(self, peer_certificate: bytes, neighbour: Neighbour) -> HandshakeRejected | None:
        """Judge a proven peer: it must not be revoked, nor have our own identity."""
        return self._credentials.admit(peer_certificate, neighbour)

    def permission_of(self, peer_certificate: bytes) -> LinkPermission:
        """As the certificate says."""
        return self._credentials.permission_of(peer_certificate)

    def may_pass(self, came_from: Neighbour, to: Neighbour | None, request: OpenRequest) -> bool:
        """See `LinkOwner`."""
        return self._stream_access.may_pass(came_from, to, request, self._routing.table)

    def may_bring_ours(self, came_from: Neighbour, request: OpenRequest) -> bool:
        """See `LinkOwner`. Routers of one site without a link to each other reach each other so."""
        may = self._leads_to(came_from.site, self._identity.site)
        if not may:
            settles = self._links.adjacencies.settles(came_from.router, self._network.now())
            self._stream_access.refuses_as_ours(came_from, request, settles=settles)
        return may

    def linked_elsewhere(self) -> frozenset[SiteId]:
        """As far as LSAs show: an edge sees none, and accepts no links."""
        routing = self._routing
        return routing.linked_elsewhere() if isinstance(routing, RoutingCore) else frozenset()

    def original_of(self, neighbour: Neighbour, restored: int) -> str:
        """As far as LSAs show: an edge sees none."""
        if not isinstance(self._routing, RoutingCore) or neighbour.site == self._identity.site:
            return ""
        found = self._routing.original_of(neighbour.router, neighbour.site, restored)
        return f"linked to {' and '.join(map(self._names.site, found))}" if found else ""

    def adjacency_up(
        self, neighbour: Neighbour, cost: int, name: str, direction: Direction
    ) -> None:
        """Report to routing, and send the neighbor all loads at once."""
        self._news.up(neighbour, cost, name, direction)
        now = self._network.now()
        if neighbour.is_edge:
            self._edges.up(neighbour.router, now, neighbour.site, neighbour.terms, neighbour.token)
        self._take(
            self._routing.adjacency_up(
                neighbour.router,
                neighbour.site,
                cost,
                now,
                is_edge=neighbour.is_edge,
                terms=neighbour.terms,
                compares=neighbour.compares,
                name=neighbour.name,
                token=neighbour.token,
            )
        )
        self._load.neighbour_up(neighbour.router, neighbour.holder)
        self._shares.met(neighbour.router)

    def adjacency_cost(self, router: RouterId, cost: int) -> None:
        """Report to routing."""
        self._take(self._routing.adjacency_cost(router, cost, self._network.now()))

    def adjacency_terms(self, router: RouterId, terms: Terms) -> None:
        """Report to routing, and to the edge if the router is one."""
        now = self._network.now()
        self._take([*self._edges.set_terms(router, terms, now)])
        self._take(self._routing.set_terms(router, terms, now))

    def adjacency_drain_begun(self, router: RouterId) -> None:
        """Report to operators."""
        self._news.draining(router)

    def adjacency_draining(self, router: RouterId) -> None:
        """Report to routing as down: nothing new goes that way."""
        self._edges.drain(router)
        self._take(self._routing.adjacency_down(router, self._network.now()))

    def adjacency_down(self, router: RouterId, cause: str, *, is_planned: bool) -> None:
        """Report to routing: the LSA goes out and routes change within this call."""
        self._news.down(router, cause, is_planned=is_planned)
        self._edges.down(router)
        self._load.neighbour_down(router)
        self._take(self._routing.adjacency_down(router, self._network.now()))

    def further_link_up(self, router: RouterId, name: str, direction: Direction) -> None:
        """Report it."""
        self._news.further_up(router, name, direction)

    def further_link_down(
        self, router: RouterId, name: str, direction: Direction, cause: str, *, is_planned: bool
    ) -> None:
        """Report it."""
        self._news.further_down(router, name, direction, cause, is_planned=is_planned)

    def routing_message(self, router: RouterId, message: RoutingMessage) -> None:
        """An LSA, an acknowledgement or load reports from a neighbor."""
        now = self._network.now()
        match message:
            case LsaMessage():
                self._take(self._routing.receive_lsa(router, message.signed, now, message.age_s))
            case LsaAck():
                self._take(self._routing.receive_ack(router, message, now))
            case DigestMessage():
                if isinstance(self._routing, RoutingCore):  # An edge has no database.
                    told = message.digest, message.wants_answer
                    self._take(self._routing.receive_digest(router, *told, now))
            case LoadMessage():
                self._load.received(router, message.reports, self._routing.table)
            case SharesMessage():
                self._shares.received(router, message)
            case WishMessage() | HaveMessage() | TableMessage():
                edge = self._routing if isinstance(self._routing, EdgeRouting) else self._edges
                self._take(edge.receive_edge(router, message, now))

    def path_for_edge(self, request: OpenRequest) -> tuple[RouterId, ...] | None:
        """The path in the route table to a candidate of the requested service."""
        if is_for_site(request):
            return self._routing.table.path_to(request.path[-1])
        return self._edges.path_to(ServiceKey(request.service, request.port), request.path[-1])

    def stream_offered(
        self, stream: OfferedStream, request: OpenRequest, body: bytes = b""
    ) -> None:
        """A stream that ends here: for a target, or a question."""
        rules = self._services.rules
        flags = request.flags
        if request.ingress in self._refused:
            self._stream_access.refuses(request, self._routing.table, stream.neighbour_site)
            stream.refuse("not-allowed", -1)
            return
        if flags and is_for_site(request):
            self._questions.take(
                stream,
                request,
                lambda: self._asking(stream.neighbour, request.ingress),
                rules,
                self._routing.table,
            )
            return
        # Usually there are no rules: then all sites may ask for everything.
        if not rules.limits_nothing:
            judged = isinstance(self._routing, EdgeRouting)
            vouched = judged and self._links.adjacencies.judges(stream.neighbour)
            table, sender = self._routing.table, stream.neighbour_site
            if not self._stream_access.serves(request, rules, table, sender, vouched=vouched):
                stream.refuse("not-allowed", -1)
                return
            body = b""  # It must be judged each time, by the site that asks.
        if flags & ASKS_TARGETS:
            self._questions.take_of_service(stream, request)
        else:
            self._forwarder.stream_offered(stream, request, body)

    def link_changed(self, name: str) -> None:
        """The state of a link that we dial changed."""
        self._news.changed(name)
        self._down_links.changed()

    def incoming_refused(self, peer: str, fault: Fault) -> None:
        """Report it."""
        self._news.refused(peer, fault)

    def heard_again(self, router: RouterId, silent_s: float) -> None:
        """Report it."""
        self._news.heard_again(router, silent_s)

    def _asking(self, neighbour: RouterId, site: SiteId) -> QuestionOrigin:
        """The asking site: a neighbor on its link's terms, or a site beyond it without terms."""
        known = self._links.adjacencies.neighbour(neighbour)
        is_itself = known is not None and known.site == site
        return QuestionOrigin(
            self._routing.table.party(site),
            known.terms if known is not None and is_itself else FREE,
            is_sibling=known is not None and known.is_sibling and is_itself,
        )
