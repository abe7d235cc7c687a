"""Facts about this site for other sites."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from router.admin.views.history import ServiceHistory
from router.admin.views.links import LinkView
from router.admin.views.status import Status
from router.asking.figures_cache import SiteFacts
from router.node.site_router import SiteRouter

Histories = Callable[[str | None, int | None], Iterator[ServiceHistory]]


def facts_of(
    router: SiteRouter,
    own_status: Callable[[], Status],
    links: Callable[[], Sequence[LinkView]],
    histories: Histories,
) -> SiteFacts:
    """``own_status``: without findings of other routers of this site, which may name services that
    this one does not know, so cannot hide. ``histories``: of one service of this site, or of all.
    """
    return SiteFacts(
        status=own_status,
        links=links,
        service_names=partial(_service_names, router),
        site_name=router.site_name,
        snapshots=router.readings.snapshots,
        histories=histories,
    )


def _service_names(router: SiteRouter) -> frozenset[str]:
    """Names of services here, declared anywhere, or wanted."""
    wanted = router.wanted
    names = {key.name for key in router.services} | router.routing.table.declarations.keys()
    if wanted is not None:
        names |= wanted.services.keys()
        names |= {connector.service for connector in wanted.connectors.values()}
        names |= {policy.service for policy in wanted.policies.values()}
    return frozenset(names)
