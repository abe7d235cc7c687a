"""Which sites are behind which neighbor, to check that a stream came by a way of its own site."""

from collections.abc import Mapping

from router.model.ids import RouterId, SiteId
from router.routing.table import RouteTable


class SitesBehind:
    """Answers from the last table that it was given; O(routers) once for each table.

    Costs are the same both ways, so a site's streams come by the links that lead to it.
    """

    __slots__ = ("_branches", "_table")

    def __init__(self) -> None:
        self._table: RouteTable | None = None
        self._branches: Mapping[SiteId, Mapping[SiteId, SiteId | None]] = {}

    def has(self, table: RouteTable, neighbour: SiteId, site: SiteId) -> bool:
        """Whether a cheapest way to a router of ``site`` begins at a router of ``neighbour``."""
        return site in self._behind(table, neighbour)

    def branch_to(self, table: RouteTable, neighbour: SiteId, site: SiteId) -> SiteId | None:
        """The first site beyond ``neighbour`` on a cheapest way to ``site``; None: there is none.

        ``neighbour`` itself reports its link to that site, whatever follows behind.
        """
        return self._behind(table, neighbour).get(site)

    def _behind(self, table: RouteTable, neighbour: SiteId) -> Mapping[SiteId, SiteId | None]:
        if table is not self._table:
            self._table, self._branches = table, _branches(table)
        return self._branches.get(neighbour, {})


def holders(table: RouteTable, tokens: Mapping[SiteId, str]) -> dict[SiteId, str]:
    """The holder of each reached site: the neighboring site that a cheapest way to it begins with,
    or that site's token, which may have let in many. ``tokens``: by neighbor."""
    sites = _sites_of_routers(table)
    found: dict[SiteId, str] = {}
    for route in table.sites.values():
        way = (sites.get(router) for router in (route.paths[0] if route.paths else ()))
        first = next((site for site in way if site not in (None, table.site)), None)
        if first is not None:
            found[route.site] = tokens.get(first, first)
    return found


def _sites_of_routers(table: RouteTable) -> dict[RouterId, SiteId]:
    # An edge's table has no sites of routers, but the router of each site.
    return {one.router: one.site for one in table.sites.values()} | dict(table.routers)


def _branches(table: RouteTable) -> dict[SiteId, dict[SiteId, SiteId | None]]:
    """By neighbor, the sites behind it, each with its branch as far as a path is known."""
    sites = _sites_of_routers(table)
    found: dict[SiteId, dict[SiteId, SiteId | None]] = {}
    for router, hops in table.next_hops.items():
        for hop in hops:
            if router in sites and hop in sites:
                found.setdefault(sites[hop], {}).setdefault(sites[router])
    for route in table.sites.values():
        for path in route.paths:
            way = [sites[router] for router in path if router in sites]
            beyond = next((site for site in way if site != way[0]), None)
            if beyond is not None and len(way) == len(path):
                found.setdefault(way[0], {})[route.site] = beyond
    return found
