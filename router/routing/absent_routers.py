"""Routers that were reachable not long ago: what they declared counts for a while."""

from collections.abc import Collection, Iterable, Mapping, Set

from router.model.ids import SiteId
from router.routing.adverts.lsa import Node


class KeptRouters:
    """From when a router is lost until it is back, or for ``ttl_s``: a restart deletes nothing."""

    __slots__ = ("_lost_at", "_ttl_s", "_ways")

    def __init__(self, ttl_s: float) -> None:
        self._ttl_s = ttl_s
        self._lost_at: dict[Node, float] = {}
        self._ways: dict[SiteId, frozenset[SiteId]] = {}

    def set_ttl(self, ttl_s: float) -> None:
        """How long they count from now on, those that are lost already too."""
        self._ttl_s = ttl_s

    @property
    def nodes(self) -> Set[Node]:
        return self._lost_at.keys()

    def lost(
        self, nodes: Iterable[Node], ways: Mapping[SiteId, frozenset[SiteId]], now: float
    ) -> None:
        """They were reachable until now, their sites by these neighbours."""
        for node in nodes:
            self._lost_at[node] = now
            self._ways[node.site] = ways[node.site]

    def ways(self, site: SiteId) -> frozenset[SiteId] | None:
        """The neighbours by which ``site`` was reached last; None: none of its routers is here."""
        return self._ways.get(site)

    def update(self, reachable: Collection[Node], now: float) -> None:
        """Leave out those that are back and those that have been away for too long."""
        self._lost_at = {
            node: lost_at
            for node, lost_at in self._lost_at.items()
            if node not in reachable and now < lost_at + self._ttl_s
        }
        sites = {node.site for node in self._lost_at}
        self._ways = {site: ways for site, ways in self._ways.items() if site in sites}

    def next_deadline(self) -> float | None:
        """When the first of them does not count any more."""
        return min(self._lost_at.values()) + self._ttl_s if self._lost_at else None
