"""Declarations learned from other sites, and the part that outlives a restart.

A site that restarts while the declaring site is out of reach keeps its listener and its targets,
until the declaration would have ended without the restart (`service-sync-site-ttl`). The owner of a
name is remembered permanently.
"""

from collections.abc import Container, Mapping

from router.model.ids import SiteId
from router.model.messages.adverts import Declaration
from router.model.rights.owners import Owner
from router.node.services.ports import Keeper, KnownDeclaration
from router.routing.table import RouteTable

AGE_KEPT_S = 60.0


class LearntServices:
    """Declarations stored before the last restart, while they count; and those to store next."""

    __slots__ = (
        "_former",
        "_keeper",
        "_kept",
        "_kept_at",
        "_kept_owners",
        "_known",
        "_lost_at",
        "_owners",
        "_ttl_s",
    )

    def __init__(self, keeper: Keeper, ttl_s: float, now: float) -> None:
        self._keeper = keeper
        self._ttl_s = ttl_s
        kept = keeper.learnt()
        self._known = {one.declaration.name: one.declaration for one in kept}
        self._former = set(self._known)  # From before the restart, not seen since.
        self._lost_at = {one.declaration.name: now - one.lost_for_s for one in kept}
        self._kept = (dict(self._known), dict(self._lost_at))
        self._kept_at = now
        self._owners = self._kept_owners = keeper.owners()

    def set_ttl(self, ttl_s: float) -> None:
        """Set how long a stored declaration counts after its site was lost."""
        self._ttl_s = ttl_s

    def declarations(self) -> Mapping[str, Declaration]:
        """Stored declarations of services that the route table does not have yet."""
        return {name: self._known[name] for name in self._former}

    def forget_old(self, now: float) -> bool:
        """Forget stored declarations that expired. True: there were some."""
        old = {name for name in self._former if now >= self._lost_at[name] + self._ttl_s}
        self._former -= old
        for name in old:
            del self._known[name], self._lost_at[name]
        return bool(old)

    def table_changed(
        self, table: RouteTable, owners: Mapping[str, Owner], own: SiteId, now: float
    ) -> None:
        """Learn the table's declarations; they replace those from before the restart. ``owners``
        are those that this router itself knows."""
        self._owners = owners
        self._former -= table.declarations.keys() | table.claims.keys()
        # A stored declaration has no known site. But declarations of a site that was put out are
        # known.
        self._former -= {told.name for told in table.void if self._known.get(told.name) == told}
        known = {name: self._known[name] for name in self._former}
        for name, entry in table.declarations.items():
            if entry.site == own:
                continue
            known[name] = entry.declaration
            if entry.reachable:
                self._lost_at.pop(name, None)
            else:
                self._lost_at.setdefault(name, now)
        self._known = known
        self._lost_at = {name: at for name, at in self._lost_at.items() if name in known}

    def keep(self, now: float, used: Container[str]) -> None:
        """Store declarations that changed or were stored long ago.

        Separate from learning: a write waits for the disk, and tables follow each other closely
        while a network comes together. Only services that are ``used`` here are stored: other sites
        may declare hundreds of thousands of ports, and change them all the time.
        """
        known = {name: told for name, told in self._known.items() if name in used}
        lost_at = {name: at for name, at in self._lost_at.items() if name in known}
        is_old = len(known) > len(lost_at) and now - self._kept_at > AGE_KEPT_S
        if is_old or (known, lost_at) != self._kept:
            self._keeper.keep_learnt(
                tuple(
                    KnownDeclaration(declaration, now - lost_at.get(name, now))
                    for name, declaration in sorted(known.items())
                )
            )
            self._kept, self._kept_at = (known, lost_at), now
        if self._owners is not self._kept_owners:
            self._keeper.keep_owners(self._owners)
            self._kept_owners = self._owners
