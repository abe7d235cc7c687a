"""All news about other sites for operators, one owner for each kind."""

from collections.abc import Callable

from router.model.events import Tell
from router.model.ids import SiteId
from router.model.own_identity import OwnIdentity
from router.net.ports import Network
from router.node.news.absent_sites import AbsentSites
from router.node.news.bar_news import BarNews
from router.node.news.deleted_sites import DeletedSites
from router.node.news.duplicate_identity import DuplicateIdentity
from router.node.news.new_offers import NewOffers
from router.node.news.site_faults import (
    BRINGS_TOO_MUCH,
    EQUIVOCATION,
    OVER_BUDGET,
    TOKEN_OVER_BUDGET,
    SiteFaults,
)
from router.node.news.withdrawn_services import LastDeclarer, WithdrawnServices
from router.node.services.ports import Keeper
from router.routing.events import OriginEquivocated, SiteOverBudget
from router.routing.names import Names
from router.routing.table import RouteTable


class SiteNews:
    """Sites that went, were deleted or barred, that are at fault or our twin, that offer something
    new, or that no longer declare a service."""

    def __init__(
        self,
        network: Network,
        identity: OwnIdentity,
        names: Names,
        keeper: Keeper,
        tell: Tell,
        place: str,
        site_deleted: Callable[[SiteId], None],
    ) -> None:
        """``place``: where this process runs, for reports of a twin. ``site_deleted`` is called
        with each deleted site."""
        self._names, self._tell = names, tell
        self.absent = AbsentSites(network.now)
        self.deleted = DeletedSites(tell, names, site_deleted, network.now(), leads=keeper.leads)
        self.faults = SiteFaults()
        self.offers = NewOffers(keeper, tell, network)
        self.duplicate_identity = DuplicateIdentity(network, identity.name, place)
        self._bars = BarNews(tell, leads=keeper.leads)
        self._withdrawn = WithdrawnServices(tell, names, leads=keeper.leads)

    def table_changed(self, table: RouteTable, now: float) -> None:
        """Report the differences from the previous table."""
        self._bars.table_changed(table, now)
        self.deleted.table_changed(table, now)
        self._withdrawn.table_changed(table, now)
        self.offers.table_changed(table)
        self.absent.table_changed(table)

    def last_declarer(self, service: str) -> LastDeclarer | None:
        """See `WithdrawnServices.last_declarer`."""
        return self._withdrawn.last_declarer(service)

    def at_fault(self, event: OriginEquivocated | SiteOverBudget, now: float) -> None:
        """Report a site that says two things at once, or too much, when that begins."""
        name = self._names.site(event.site)
        if isinstance(event, SiteOverBudget):
            alone = TOKEN_OVER_BUDGET if event.token else OVER_BUDGET
            fault = BRINGS_TOO_MUCH if event.is_relayed else alone
            detail = f"{event.excess}, token {event.token}" if event.token else event.excess
        else:
            fault, detail = EQUIVOCATION, ""
        text = self.faults.found(fault, event.site, name, now, detail)
        if text:
            self._tell("error", fault.event, name, text, fault.hint)
