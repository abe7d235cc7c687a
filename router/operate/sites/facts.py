"""Facts about this site for other sites: implements `asking.figures_cache.SiteFacts`."""

from collections.abc import Callable, Iterator, Sequence

from router.admin.ports import RouterView
from router.admin.views.history import ServiceHistory
from router.admin.views.links import LinkView
from router.admin.views.status import Status
from router.model.ids import SiteId
from router.node.site_router import SiteRouter
from router.service.figures import ServiceSnapshot

Histories = Callable[[str | None, int | None], Iterator[ServiceHistory]]


class OwnFacts:
    """``histories``: of a service of this site, or of all."""

    def __init__(self, router: SiteRouter, view: RouterView, histories: Histories) -> None:
        self._router = router
        self._view = view
        self._histories = histories

    def status(self) -> Status:
        """The site in a few figures."""
        return self._view.status()

    def links(self) -> Sequence[LinkView]:
        """Its links."""
        return self._view.links()

    def service_names(self) -> frozenset[str]:
        """Of those here, declared anywhere, or wanted."""
        router, wanted = self._router, self._router.wanted
        names = {key.name for key in router.services} | router.routing.table.declarations.keys()
        if wanted is not None:
            names |= wanted.services.keys()
            names |= {connector.service for connector in wanted.connectors.values()}
            names |= {policy.service for policy in wanted.policies.values()}
        return frozenset(names)

    def site_name(self, site: SiteId) -> str:
        """What a site is called now, or was called last."""
        return self._router.site_name(site)

    def snapshots(self) -> Iterator[ServiceSnapshot]:
        """Its service ports."""
        return self._router.readings.snapshots()

    def histories(self, service: str | None, port: int | None) -> Iterator[ServiceHistory]:
        """The last quarter of an hour."""
        return self._histories(service, port)
