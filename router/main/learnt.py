"""Declarations of other sites that outlive our restart.

A site that restarts while the declaring site is out of reach keeps its listener and its targets,
until the declaration would have ended without the restart (`service-sync-site-ttl`).
"""

from collections.abc import Mapping

from router.main.ports import Keeper
from router.model.adverts import Declaration
from router.model.ids import SiteId
from router.routing.table import RouteTable

AGE_KEPT_S = 60.0


class Learnt:
    """What was kept by the last life, as long as it counts; and what to keep for the next."""

    __slots__ = ("_former", "_former_until", "_keeper", "_kept", "_kept_at")

    def __init__(self, keeper: Keeper, ttl_s: float, now: float) -> None:
        self._keeper = keeper
        former, age_s = keeper.learnt()
        self._former = {declaration.name: declaration for declaration in former}
        self._former_until = now + ttl_s - age_s
        self._kept: tuple[Declaration, ...] | None = None
        self._kept_at = 0.0

    def until(self) -> float | None:
        """When what is left of the last life ends; None: nothing is left."""
        return self._former_until if self._former else None

    def declarations(self, now: float) -> Mapping[str, Declaration]:
        """Of the last life, what the table has not told about yet."""
        if now >= self._former_until:
            self._former = {}
        return self._former

    def table_changed(self, table: RouteTable, own: SiteId, now: float) -> None:
        """Keep what the table has; what it tells about, the last life no longer does."""
        for name in table.declarations:
            self._former.pop(name, None)
        learnt = tuple(
            entry.declaration
            for _, entry in sorted(table.declarations.items())
            if entry.site != own and entry.reachable
        )
        if learnt != self._kept or (learnt and now - self._kept_at > AGE_KEPT_S):
            if learnt or self._kept:
                self._keeper.keep_learnt(learnt)
            self._kept, self._kept_at = learnt, now
