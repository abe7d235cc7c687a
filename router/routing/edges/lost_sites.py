"""Sites that the neighbor of an edge lost: unreachable for a while, as anywhere."""

from collections.abc import Container

from router.model.ids import SiteId
from router.model.limits import EDGE_ROWS_MAX
from router.model.messages.edges import SiteRow
from router.routing.edges.edge_rows import EdgeTable


class LostSites:
    """Compares whole tables. Bounded: the last ones stay."""

    __slots__ = ("_lost",)

    def __init__(self) -> None:
        self._lost: dict[SiteId, tuple[SiteRow, float]] = {}

    @property
    def rows(self) -> dict[SiteId, SiteRow]:
        """The last row of each."""
        return {site: row for site, (row, _) in self._lost.items()}

    def table_changed(
        self, before: EdgeTable, after: EdgeTable, met: Container[SiteId], now: float
    ) -> None:
        """Record the sites that only ``before`` has.

        A neighbor that stops leads to no site. Another one leaves out a site that it reaches only
        if this edge does not use it, and ``met`` has more recent ones.
        """
        for row in before.sites.values():
            if after.draining or row.site in met:
                self._lost.setdefault(row.site, (row, now))
        here = after.deleted.union(row.site for row in after.sites.values())
        lost = [(site, one) for site, one in self._lost.items() if site not in here]
        self._lost = dict(lost[-EDGE_ROWS_MAX:])

    def forget(self, ttl_s: float, now: float) -> bool:
        """Forget those that were lost ``ttl_s`` ago. True: there were some."""
        kept = {site: one for site, one in self._lost.items() if now < one[1] + ttl_s}
        is_less = len(kept) < len(self._lost)
        self._lost = kept
        return is_less

    def next_deadline(self, ttl_s: float) -> float | None:
        """When `forget` has something to do."""
        return min((at + ttl_s for _, at in self._lost.values()), default=None)
