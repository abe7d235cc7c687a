"""Which sites lie behind which neighbour: what says whether a stream came by its site's own way."""

from collections.abc import Mapping

from router.model.ids import RouterId, SiteId
from router.routing.table import RouteTable


class SitesBehind:
    """Answers from the last table that it was asked about; O(routers) once for each table.

    Costs are the same both ways, so a site's streams come by the links that lead to it.
    """

    __slots__ = ("_behind", "_table")

    def __init__(self) -> None:
        self._table: RouteTable | None = None
        self._behind: Mapping[SiteId, set[SiteId]] = {}

    def has(self, table: RouteTable, neighbour: SiteId, site: SiteId) -> bool:
        """A cheapest way to a router of ``site`` begins at a router of ``neighbour``."""
        if table is not self._table:
            self._table, self._behind = table, _sites_behind(table)
        return site in self._behind.get(neighbour, ())


def _sites_behind(table: RouteTable) -> dict[SiteId, set[SiteId]]:
    # An edge's table has no sites of routers, but the router of each site.
    sites: dict[RouterId, SiteId] = {one.router: one.site for one in table.sites.values()}
    sites.update(table.routers)
    behind: dict[SiteId, set[SiteId]] = {}
    for router, hops in table.next_hops.items():
        for hop in hops:
            if router in sites and hop in sites:
                behind.setdefault(sites[hop], set()).add(sites[router])
    return behind
