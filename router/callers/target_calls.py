"""Results of requests at targets of this site, in edges like those of callers."""

from bisect import bisect_left
from collections.abc import Iterator

from router.callers.edges import Edge
from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.model.latency import FINE_BOUNDS_S

OTHER_TARGETS = ""
"""All targets of a service port that are not kept apart."""

OTHER_SITES = SiteId("")
"""All client sites that are not kept apart at a target."""

TargetKey = tuple[ServiceKey, str]
"""A service port and a target (``host:port``)."""


class ClientSiteTally:
    """Requests at one target from clients of one site: some 150 bytes."""

    __slots__ = ("_base", "_marks", "failed", "requests")

    def __init__(self) -> None:
        self.requests = self.failed = 0
        self._base = 0  # Requests when the step began.
        self._marks = ((0, 0), (0, 0))  # At the start of the last two minutes.

    def turn(self) -> None:
        """A minute ends."""
        self._marks = (self._marks[1], (self.requests, self.failed))

    def begin(self) -> bool:
        """A step begins. Returns whether the last one had a request."""
        had, self._base = self.requests != self._base, self.requests
        return had

    def lately(self) -> tuple[int, int]:
        """Requests and failures since the start of the previous minute."""
        requests, failed = self._marks[0]
        return self.requests - requests, self.failed - failed


class TargetEdge(Edge):
    """``name``: the target's name at its connector; kept after the target is gone."""

    __slots__ = ("by_client_site", "name")

    def __init__(self, step: int, name: str) -> None:
        super().__init__(step)
        self.name = name
        self.by_client_site: dict[SiteId, ClientSiteTally] = {}
        """The same requests by the site to which their clients are connected."""

    def turn(self) -> None:
        super().turn()
        for tally in self.by_client_site.values():
            tally.turn()

    def idle_client_sites(self) -> list[SiteId]:
        """A step begins. Returns sites without a request in the last one, except `OTHER_SITES`."""
        told = self.by_client_site.items()
        return [site for site, tally in told if not tally.begin() and site != OTHER_SITES]


class TargetCalls:
    """Counts by target. Its owner, `Callers`, reports the ends of minutes and steps."""

    __slots__ = ("_apart", "_edges", "_sites_apart", "_step")

    def __init__(self, step: int) -> None:
        self._step = step
        self._edges: dict[TargetKey, TargetEdge] = {}
        self._apart = 0  # Without `OTHER_TARGETS`: at most one per service port.
        self._sites_apart = 0  # Tallies of all edges, without those of `OTHER_SITES`.

    def count(
        self,
        key: ServiceKey,
        target: str,
        name: str,
        client_site: SiteId,
        failed: bool,
        seconds: float,
    ) -> None:
        """Count a request that ``target`` finished ``seconds`` after it got its slot. Hot.

        ``client_site``: the site to which the client is connected.
        """
        try:
            edge = self._edges[key, target]
            tally = edge.by_client_site[client_site]
        except KeyError:
            edge = self._edge(key, target, name)
            tally = self._tally(edge, client_site)
        edge.requests += 1
        edge.failed += failed
        edge.counts[bisect_left(FINE_BOUNDS_S, seconds)] += 1
        tally.requests += 1
        tally.failed += failed

    def _edge(self, key: ServiceKey, target: str, name: str) -> TargetEdge:
        known = self._edges.get((key, target))
        if known is None and self._apart >= limits.TARGET_EDGES_MAX:
            target = name = OTHER_TARGETS
            known = self._edges.get((key, target))
        if known is None:
            known = self._edges[key, target] = TargetEdge(self._step, name)
            self._apart += target != OTHER_TARGETS
        return known

    def _tally(self, edge: TargetEdge, client_site: SiteId) -> ClientSiteTally:
        known = edge.by_client_site.get(client_site)
        if known is None and self._sites_apart >= limits.TARGET_CLIENT_SITES_MAX:
            client_site = OTHER_SITES
            known = edge.by_client_site.get(client_site)
        if known is None:
            known = edge.by_client_site[client_site] = ClientSiteTally()
            self._sites_apart += client_site != OTHER_SITES
        return known

    def turn(self) -> None:
        """A minute ends."""
        for edge in self._edges.values():
            edge.turn()

    def begin(self, step: int) -> None:
        """A step begins. Forget targets without a request for a day, earlier if there are many.

        If there are many client sites, forget those without a request in the last step: links may
        report any site.
        """
        self._step = step
        is_full_of_sites = 4 * self._sites_apart > 3 * limits.TARGET_CLIENT_SITES_MAX
        is_crowded = 4 * self._apart > 3 * limits.TARGET_EDGES_MAX
        for key, edge in list(self._edges.items()):
            edge.begin(step)
            if edge.is_idle or (is_crowded and edge.was_idle(limits.CALLER_CROWDED_STEPS)):
                del self._edges[key]
                self._apart -= key[1] != OTHER_TARGETS
                self._sites_apart -= sum(site != OTHER_SITES for site in edge.by_client_site)
                continue
            idle = edge.idle_client_sites()
            if is_full_of_sites:
                for site in idle:
                    del edge.by_client_site[site]
                self._sites_apart -= len(idle)

    def edges(self) -> Iterator[tuple[TargetKey, TargetEdge]]:
        """All edges, unordered."""
        return iter(self._edges.items())
