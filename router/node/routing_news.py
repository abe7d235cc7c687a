"""Consequences of routing changes: for the rooms that follow routing, and for people."""

from router.link.links import Links
from router.model.events import Tell
from router.model.own_identity import OwnIdentity
from router.net.ports import Network
from router.node.link_door import LinkDoors
from router.node.news.absent_sites import AbsentSites
from router.node.news.bar_news import BarNews
from router.node.news.deleted_sites import DeletedSites
from router.node.news.duplicate_identity import Twin
from router.node.news.link_news import LinkNews
from router.node.news.new_offers import NewOffers
from router.node.news.site_faults import (
    BRINGS_TOO_MUCH,
    EQUIVOCATION,
    OVER_BUDGET,
    TOKEN_OVER_BUDGET,
    SiteFaults,
)
from router.node.problems import problems
from router.node.services.load_exchange import LoadExchange
from router.node.services.services import SiteServices
from router.node.stream_access import Guard
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
    """Passes each on to the rooms that it is for."""

    __slots__ = (
        "_absent",
        "_bars",
        "_deleted",
        "_doors",
        "_faults",
        "_guard",
        "_identity",
        "_links",
        "_load",
        "_names",
        "_network",
        "_news",
        "_offers",
        "_routing",
        "_services",
        "_tell",
        "_twin",
    )

    def __init__(
        self,
        network: Network,
        identity: OwnIdentity,
        routing: Routing,
        links: Links,
        services: SiteServices,
        load: LoadExchange,
        names: Names,
        guard: Guard,
        news: LinkNews,
        doors: LinkDoors,
        twin: Twin,
        faults: SiteFaults,
        bars: BarNews,
        offers: NewOffers,
        absent: AbsentSites,
        deleted: DeletedSites,
        tell: Tell,
    ) -> None:
        self._network, self._identity, self._routing = network, identity, routing
        self._links, self._services, self._load = links, services, load
        self._names, self._guard, self._news = names, guard, news
        self._doors, self._twin, self._faults, self._tell = doors, twin, faults, tell
        self._bars, self._offers, self._absent = bars, offers, absent
        self._deleted = deleted

    def hear(self, event: RoutingChange) -> None:
        """Pass it on."""
        match event:
            case TableChanged():
                self._table_changed(event.table)
            case EdgeCaughtUp():  # Loads of the rows that it has now.
                self._load.tell_edge(event.router, event.services, self._routing.table)
            case EpochRaised():
                self._load.epoch_raised(event.epoch)
            case ForeignLsa():  # It counts for nothing.
                self._guard.foreign_lsa(self._names.router(event.sender), event.site)
            case LsaRejected():  # A glitch of that neighbour.
                self._news.lsa_rejected(event)
                self._links.misbehaved(event.sender)
            case AdjacencyDamped():
                if event.until is None:
                    self._news.stayed(event.router)
                else:
                    self._news.held(event.router, event.until - self._network.now())
            case OriginEquivocated() | SiteOverBudget():
                self._site_at_fault(event)
            case IdentityConflict():
                self._identity_conflict(event)

    def settled(self) -> None:
        """Services follow the new table; who turns out to be a copy leaves it."""
        self._services.resolve()
        for service, site in self._offers.take_unvouched():
            self._services.introduce(service, site)
        self._links.end_copies()

    def _site_at_fault(self, event: OriginEquivocated | SiteOverBudget) -> None:
        """Tell of a site that says two things at once, or too much, when it begins."""
        name, now = self._names.site(event.site), self._network.now()
        if isinstance(event, SiteOverBudget):
            alone = TOKEN_OVER_BUDGET if event.token else OVER_BUDGET
            fault = BRINGS_TOO_MUCH if event.is_brought else alone
            detail = f"{event.excess}, token {event.token}" if event.token else event.excess
        else:
            fault, detail = EQUIVOCATION, ""
        text = self._faults.found(fault, event.site, name, now, detail)
        if text:
            self._tell("error", fault.event, name, text, fault.hint)

    def _table_changed(self, table: RouteTable) -> None:
        """Loads and learnt services follow it at once."""
        now = self._network.now()
        self._names.table_changed(table)
        self._bars.table_changed(table, now)
        self._deleted.table_changed(table, now)
        self._offers.table_changed(table)
        self._absent.table_changed(table)
        self._load.table_changed(table)
        self._services.table_changed(table)

    def _identity_conflict(self, event: IdentityConflict) -> None:
        """Tell of our twin, and leave if it is the older one."""
        linked_to = [self._names.site(site) for site in event.neighbours]
        text = self._twin.found(event.site, linked_to, withdrawn=event.withdrawn)
        if event.withdrawn:
            self._doors.shut_out()
            self._links.departure.because_copied()
            self._links.set_links({})
            self._links.close()
        self._tell(
            "error",
            "identity-conflict",
            self._identity.name,
            text,
            problems.COPY_HINT,
        )
