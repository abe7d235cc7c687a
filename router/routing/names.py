"""What sites and routers are called, as far as the route table knows."""

from collections.abc import Iterable, Mapping
from itertools import groupby

from router.model.ids import RouterId, SiteId
from router.model.limits import SITE_NAMES_MAX
from router.routing.edges.edge import Routing
from router.routing.table import RouteTable


class Names:
    """For people. Whom nobody knows is called by its id, who is gone as it was called last."""

    __slots__ = ("_last", "_own", "_router_sites", "_routing")

    def __init__(self, routing: Routing, own: SiteId) -> None:
        self._routing, self._own = routing, own
        self._router_sites: Mapping[RouterId, SiteId] = {}
        self._last: dict[SiteId, str] = {}

    def table_changed(self, table: RouteTable) -> None:
        """Which router is whose may be another, and who is called what."""
        self._router_sites = {
            **{route.router: site for site, route in table.sites.items()},
            **table.routers,
        }
        for site, route in table.sites.items():
            self._last.pop(site, None)  # Who is gone for longest comes first.
            self._last[site] = route.name
        while len(self._last) > SITE_NAMES_MAX:
            del self._last[next(iter(self._last))]

    def router(self, router: RouterId) -> str:
        """The name of the site that ``router`` serves, or its id when it is not known."""
        site = self._router_sites.get(router)
        return str(router) if site is None else self.site(site)

    def neighbour(self, site: SiteId, given: str) -> str:
        """The name of a ``site`` that calls itself ``given`` at a link."""
        return self._routing.table.name_of(site, given)

    def sites(self, path: Iterable[RouterId]) -> tuple[str, ...]:
        """The other sites on ``path``, each once: not which of its routers, nor those of ours."""
        names = [self.router(hop) for hop in path if self._router_sites.get(hop) != self._own]
        return tuple(name for name, _ in groupby(names))

    def site(self, site: SiteId) -> str:
        """The name of ``site``, or its id when it is not known."""
        route = self._routing.table.sites.get(site)
        return self._last.get(site, str(site)) if route is None else route.name
