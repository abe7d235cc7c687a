"""Consequences of routing changes: for the rooms that follow routing, and for operators."""

from router.link.links import Links
from router.model.events import Tell
from router.model.own_identity import OwnIdentity
from router.net.ports import Network
from router.node.link_door import LinkDoors
from router.node.news.duplicate_identity import UNTIL_STARTED
from router.node.news.link_news import LinkNews
from router.node.news.site_news import SiteNews
from router.node.problems import problems
from router.node.services.load_exchange import LoadExchange
from router.node.services.services import SiteServices
from router.node.stream_access import StreamAccess
from router.node.wanted_links import WantedLinks
from router.routing.edges.edge import Routing
from router.routing.events import (
    AdjacencyDamped,
    EdgeCaughtUp,
    EpochRaised,
    ForeignLsa,
    IdentityConflict,
    LsaRejected,
    OriginEquivocated,
    RoutingChange,
    SiteOverBudget,
    TableChanged,
)
from router.routing.names import Names
from router.routing.table import RouteTable


class RoutingNews:
    """Passes each change to the rooms that need it."""

    __slots__ = (
        "_doors",
        "_identity",
        "_link_news",
        "_links",
        "_load",
        "_names",
        "_network",
        "_news",
        "_routing",
        "_services",
        "_stream_access",
        "_tell",
        "_wanted_links",
    )

    def __init__(
        self,
        network: Network,
        identity: OwnIdentity,
        routing: Routing,
        links: Links,
        wanted_links: WantedLinks,
        services: SiteServices,
        load: LoadExchange,
        names: Names,
        stream_access: StreamAccess,
        doors: LinkDoors,
        link_news: LinkNews,
        news: SiteNews,
        tell: Tell,
    ) -> None:
        self._network, self._identity, self._routing = network, identity, routing
        self._links, self._wanted_links = links, wanted_links
        self._services, self._load = services, load
        self._names, self._stream_access, self._doors = names, stream_access, doors
        self._link_news, self._news, self._tell = link_news, news, tell

    def hear(self, event: RoutingChange) -> None:
        """Pass on one change."""
        match event:
            case TableChanged():
                self._table_changed(event.table)
            case EdgeCaughtUp():  # Loads of its present rows.
                self._load.tell_edge(event.router, event.services, self._routing.table)
            case EpochRaised():
                self._load.epoch_raised(event.epoch)
            case ForeignLsa():  # It counts for nothing.
                self._stream_access.foreign_lsa(self._names.router(event.sender), event.site)
            case LsaRejected():  # A glitch of that neighbor.
                self._link_news.lsa_rejected(event)
                self._links.misbehaved(event.sender)
            case AdjacencyDamped():
                if event.until is None:
                    self._link_news.stayed(event.router)
                else:
                    self._link_news.held(event.router, event.until - self._network.now())
            case OriginEquivocated() | SiteOverBudget():
                self._news.at_fault(event, self._network.now())
            case IdentityConflict():
                self._identity_conflict(event)

    def settled(self) -> None:
        """Services follow the new table; links of sites now known as copies end."""
        self._services.resolve()
        self._services.follow_conflicts()
        for service, site in self._news.offers.take_unvouched():
            self._services.introduce(service, site)
        self._links.end_copies()

    def _table_changed(self, table: RouteTable) -> None:
        """Loads and learned services follow it at once."""
        self._names.table_changed(table)
        self._news.table_changed(table, self._network.now())
        self._load.table_changed(table)
        self._services.table_changed(table)

    def _identity_conflict(self, event: IdentityConflict) -> None:
        """Report our twin, and leave if it is the older one."""
        linked_to = [self._names.site(site) for site in event.neighbours]
        text = self._news.duplicate_identity.found(event.site, linked_to, withdrawn=event.withdrawn)
        if event.withdrawn:
            self._doors.shut_out()
            self._links.departure.because_copied()
            error = self._links.departure.farewell.reason
            self._wanted_links.give_up(f"{error}; it {UNTIL_STARTED}", self._network.now())
        self._tell(
            "error",
            "identity-conflict",
            self._identity.name,
            text,
            problems.COPY_HINT,
        )
