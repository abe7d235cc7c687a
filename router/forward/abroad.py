"""Streams of one service port that end at other routers, and what they say of these."""

from collections.abc import Callable

from router.balance.balancer import ServiceBalancer
from router.model.ids import RouterId, SiteId


class Abroad:
    """The `RemoteObserver` of a service port: once or twice per request, hence straight to the
    estimate of the router it is about."""

    __slots__ = ("_balancer", "_now", "under_way")

    def __init__(self, balancer: ServiceBalancer, now: Callable[[], float]) -> None:
        self._balancer = balancer
        self._now = now
        self.under_way: dict[SiteId, int] = {}
        """Streams of ours, by the site they end at."""

    def remote_opened(self, site: SiteId, router: RouterId) -> None:
        remote = self._balancer.routers.get(router)
        if remote is not None:
            remote.open()
        self.under_way[site] = self.under_way.get(site, 0) + 1

    def remote_count(self, site: SiteId, router: RouterId, in_flight: int) -> None:
        remote = self._balancer.routers.get(router)
        if remote is not None:
            remote.hear(in_flight, self._now())

    def remote_refused(self, site: SiteId, router: RouterId, in_flight: int) -> None:
        remote = self._balancer.routers.get(router)
        if remote is not None:
            remote.refuse(in_flight, self._now())

    def remote_ended(self, site: SiteId, router: RouterId, in_flight: int) -> None:
        remote = self._balancer.routers.get(router)
        if remote is not None:
            remote.end(in_flight, self._now())
        left = self.under_way[site] - 1
        if left:
            self.under_way[site] = left
        else:
            del self.under_way[site]
