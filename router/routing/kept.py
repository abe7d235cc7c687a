"""Routers that were reachable not long ago: what they declared counts for a while."""

from collections.abc import Collection, Iterable, Set

from router.routing.lsa import Node


class KeptRouters:
    """From when a router is lost until it is back, or for ``ttl_s``: a restart deletes nothing."""

    __slots__ = ("_lost_at", "_ttl_s")

    def __init__(self, ttl_s: float) -> None:
        self._ttl_s = ttl_s
        self._lost_at: dict[Node, float] = {}

    def set_ttl(self, ttl_s: float) -> None:
        """How long they count from now on, those that are lost already too."""
        self._ttl_s = ttl_s

    @property
    def nodes(self) -> Set[Node]:
        return self._lost_at.keys()

    def lost(self, nodes: Iterable[Node], now: float) -> None:
        """They were reachable until now."""
        for node in nodes:
            self._lost_at[node] = now

    def update(self, reachable: Collection[Node], now: float) -> None:
        """Leave out those that are back and those that have been away for too long."""
        self._lost_at = {
            node: lost_at
            for node, lost_at in self._lost_at.items()
            if node not in reachable and now < lost_at + self._ttl_s
        }

    def next_deadline(self) -> float | None:
        """When the first of them does not count any more."""
        return min(self._lost_at.values()) + self._ttl_s if self._lost_at else None
