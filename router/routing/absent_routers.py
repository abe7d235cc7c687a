"""Routers that were reachable recently: their declarations count for a while."""

from collections.abc import Collection, Iterable, Mapping, Set

from router.model.ids import SiteId
from router.routing.adverts.lsa import Node


class AbsentRouters:
    """Lost routers, until each is back, or for ``ttl_s``: a restart deletes nothing."""

    __slots__ = ("_lost_at", "_ttl_s", "_ways")

    def __init__(self, ttl_s: float) -> None:
        self._ttl_s = ttl_s
        self._lost_at: dict[Node, float] = {}
        self._ways: dict[SiteId, frozenset[SiteId]] = {}

    def set_ttl(self, ttl_s: float) -> None:
        """Set how long lost routers count, including those lost already."""
        self._ttl_s = ttl_s

    @property
    def nodes(self) -> Set[Node]:
        return self._lost_at.keys()

    def lost(
        self, nodes: Iterable[Node], ways: Mapping[SiteId, frozenset[SiteId]], now: float
    ) -> None:
        """These routers are no longer reachable; ``ways`` has the neighbors that led to their
        sites."""
        for node in nodes:
            self._lost_at[node] = now
            self._ways[node.site] = ways[node.site]

    def ways(self, site: SiteId) -> frozenset[SiteId] | None:
        """The neighbors that last led to ``site``; None: none of its routers is here."""
        return self._ways.get(site)

    def update(self, reachable: Collection[Node], now: float) -> None:
        """Remove routers that are back and those that have been away for too long."""
        self._lost_at = {
            node: lost_at
            for node, lost_at in self._lost_at.items()
            if node not in reachable and now < lost_at + self._ttl_s
        }
        sites = {node.site for node in self._lost_at}
        self._ways = {site: ways for site, ways in self._ways.items() if site in sites}

    def next_deadline(self) -> float | None:
        """When the first of them stops counting."""
        return min(self._lost_at.values()) + self._ttl_s if self._lost_at else None
