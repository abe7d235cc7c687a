"""Names of sites and routers, as far as the route table knows."""

from collections.abc import Iterable, Mapping
from itertools import groupby

from router.model.ids import RouterId, SiteId
from router.model.limits import SITE_NAMES_MAX
from router.routing.edges.edge import Routing
from router.routing.table import RouteTable


class Names:
    """Names for display. An unknown site has its id as its name, a site that is gone its last
    name."""

    __slots__ = ("_last", "_own", "_router_sites", "_routing")

    def __init__(self, routing: Routing, own: SiteId) -> None:
        self._routing, self._own = routing, own
        self._router_sites: Mapping[RouterId, SiteId] = {}
        self._last: dict[SiteId, str] = {}

    def table_changed(self, table: RouteTable) -> None:
        """The sites of routers and the names of sites may have changed."""
        self._router_sites = {
            **{route.router: site for site, route in table.sites.items()},
            **table.routers,
        }
        for site, route in table.sites.items():
            self._last.pop(site, None)  # The site that is gone longest comes first.
            self._last[site] = route.name
        while len(self._last) > SITE_NAMES_MAX:
            del self._last[next(iter(self._last))]

    def router(self, router: RouterId) -> str:
        """The name of the site that ``router`` serves, or its id if it is not known."""
        site = self._router_sites.get(router)
        return str(router) if site is None else self.site(site)

    def neighbour(self, site: SiteId, given: str) -> str:
        """The name of a ``site`` that calls itself ``given`` at a link."""
        return self._routing.table.name_of(site, given)

    def sites(self, path: Iterable[RouterId]) -> tuple[str, ...]:
        """The other sites on ``path``, each once: without their routers, and without our own
        site."""
        names = [self.router(hop) for hop in path if self._router_sites.get(hop) != self._own]
        return tuple(name for name, _ in groupby(names))

    def site(self, site: SiteId) -> str:
        """The name of ``site``, or its id if it is not known."""
        route = self._routing.table.sites.get(site)
        return self._last.get(site, str(site)) if route is None else route.name
