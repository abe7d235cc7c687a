"""What sites and routers are called, as far as the route table knows."""

from collections.abc import Iterable, Mapping
from itertools import groupby

from router.main.ports import Routing
from router.model.ids import RouterId, SiteId
from router.routing.table import RouteTable


class Names:
    """For people. Whom nobody knows is called by its id."""

    __slots__ = ("_own", "_router_sites", "_routing")

    def __init__(self, routing: Routing, own: SiteId) -> None:
        self._routing, self._own = routing, own
        self._router_sites: Mapping[RouterId, SiteId] = {}

    def table_changed(self, table: RouteTable) -> None:
        """Which router is whose may be another."""
        self._router_sites = {
            **{route.router: site for site, route in table.sites.items()},
            **table.routers,
        }

    def router(self, router: RouterId) -> str:
        """The name of the site that ``router`` serves, or its id when it is not known."""
        site = self._router_sites.get(router)
        return str(router) if site is None else self.site(site)

    def sites(self, path: Iterable[RouterId]) -> tuple[str, ...]:
        """The other sites on ``path``, each once: not which of its routers, nor those of ours."""
        names = [self.router(hop) for hop in path if self._router_sites.get(hop) != self._own]
        return tuple(name for name, _ in groupby(names))

    def site(self, site: SiteId) -> str:
        """The name of ``site``, or its id when it is not known."""
        route = self._routing.table.sites.get(site)
        return str(site) if route is None else route.name
