"""Sites that were deleted, by their own report before they went."""

from collections.abc import Callable, Set

import msgspec

from router.link.sessions.link_status import LinkStatus
from router.model.events import Tell
from router.model.ids import SiteId
from router.model.limits import DELETED_EVENTS_BURST, DELETED_EVENTS_PER_S, SITE_NAMES_MAX
from router.model.token_bucket import TokenBucket
from router.routing.names import Names
from router.routing.table import RouteTable


class DeletedSites:
    """Remembers deleted sites for longer than routing does: a link to one may stay configured.
    Reports each one that was known before. All workers know the same; one ``leads`` and reports."""

    __slots__ = (
        "_budget",
        "_going",
        "_known",
        "_leads",
        "_left",
        "_names",
        "_record",
        "_sites",
        "_tell",
    )

    def __init__(
        self,
        tell: Tell,
        names: Names,
        record: Callable[[SiteId], None],
        now: float,
        *,
        leads: bool,
    ) -> None:
        """``record`` is called with each deleted site."""
        self._tell, self._names, self._leads, self._record = tell, names, leads, record
        self._sites: Set[SiteId] = frozenset()  # In the previous table.
        self._known: dict[SiteId, bool] = {}
        """Whether each was a site here until then; the oldest first."""
        self._left: dict[SiteId, None] = {}
        """Sites of earlier tables: an edge knows the sites that it uses, and learns later that one
        was deleted."""
        self._going: Set[SiteId] = frozenset()
        self._budget = TokenBucket(DELETED_EVENTS_BURST, DELETED_EVENTS_PER_S, now)

    def __contains__(self, site: object) -> bool:
        return site in self._known

    @property
    def known_before(self) -> int:
        """The number of deleted sites that this router knew as sites."""
        return sum(self._known.values())

    def seen(self, link: LinkStatus) -> LinkStatus:
        """``link``, with the reason why it stays down if it leads to a deleted site."""
        site = SiteId(link.neighbour_site)
        if link.state in ("up", "draining") or not (site in self._known or site in self._going):
            return link
        error = f"{link.neighbour_name} was deleted"
        return msgspec.structs.replace(link, error=error, error_code="deleted")

    def table_changed(self, table: RouteTable, now: float) -> None:
        """Compare with the previous table."""
        for site in self._known.keys() & table.sites.keys():
            del self._known[site]  # It was restored from a backup.
        self._left |= dict.fromkeys(self._sites - table.sites.keys())
        for site in self._left.keys() & table.sites.keys():
            del self._left[site]
        for site in sorted(table.deleted - self._known.keys()):
            self._known[site] = was_here = site in self._left
            self._left.pop(site, None)
            if self._leads:
                self._record(site)
            if self._leads and was_here and self._budget.take(now):
                name = self._names.site(site)
                self._tell("info", "site-deleted", name, f"Site {name} was deleted.")
        while len(self._known) > SITE_NAMES_MAX:
            del self._known[next(iter(self._known))]
        while len(self._left) > SITE_NAMES_MAX:
            del self._left[next(iter(self._left))]
        self._sites = table.sites.keys()
        self._going = {site for site, route in table.sites.items() if route.is_going}
