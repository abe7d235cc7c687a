"""What targets of this site did with their requests, in edges like those of callers."""

from bisect import bisect_left
from collections.abc import Iterator

from router.callers.edges import Edge
from router.model import limits
from router.model.ids import ServiceKey
from router.model.latency import FINE_BOUNDS_S

OTHER_TARGETS = ""
"""Stands for the targets of a service port that are not kept apart."""

TargetKey = tuple[ServiceKey, str]
"""Which service port, and which target (``host:port``)."""


class TargetEdge(Edge):
    """``name``: as the target's connector calls it. It stays known when the target is gone."""

    __slots__ = ("name",)

    def __init__(self, step: int, name: str) -> None:
        super().__init__(step)
        self.name = name


class TargetCalls:
    """Counts by target. `Callers`, which owns it, says when a minute or a step ends."""

    __slots__ = ("_apart", "_edges", "_step")

    def __init__(self, step: int) -> None:
        self._step = step
        self._edges: dict[TargetKey, TargetEdge] = {}
        self._apart = 0  # Without those of `OTHER_TARGETS`: one of each service port, at most.

    def count(self, key: ServiceKey, target: str, name: str, failed: bool, seconds: float) -> None:
        """A request that ``target`` had is over, ``seconds`` after it got its slot. Hot."""
        try:
            edge = self._edges[key, target]
        except KeyError:
            edge = self._edge(key, target, name)
        edge.requests += 1
        edge.failed += failed
        edge.counts[bisect_left(FINE_BOUNDS_S, seconds)] += 1

    def _edge(self, key: ServiceKey, target: str, name: str) -> TargetEdge:
        if self._apart >= limits.TARGET_EDGES_MAX:
            target = name = OTHER_TARGETS
        known = self._edges.get((key, target))
        if known is None:
            known = self._edges[key, target] = TargetEdge(self._step, name)
            self._apart += target != OTHER_TARGETS
        return known

    def turn(self) -> None:
        """A minute ends."""
        for edge in self._edges.values():
            edge.turn()

    def begin(self, step: int) -> None:
        """A step begins. Targets without a request for a day are forgotten; sooner in a crowd."""
        self._step = step
        is_crowded = 4 * self._apart > 3 * limits.TARGET_EDGES_MAX
        for key, edge in list(self._edges.items()):
            edge.begin(step)
            if edge.is_idle or (is_crowded and edge.was_idle(limits.CALLER_CROWDED_STEPS)):
                del self._edges[key]
                self._apart -= key[1] != OTHER_TARGETS

    def edges(self) -> Iterator[tuple[TargetKey, TargetEdge]]:
        """What is known, in no order."""
        return iter(self._edges.items())
