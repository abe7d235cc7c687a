"""An edge's copy of its neighbor's route table: apply versioned messages and check them."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from router.model.ids import RouterId, SiteId, is_router_id, is_site_id
from router.model.limits import EDGE_DELETED_MAX, EDGE_ROWS_MAX, EDGE_UNUSED_SITES_MAX
from router.model.messages.adverts import Declaration, TargetsAdvert
from router.model.messages.edges import CandidateId, CandidateRow, ServiceRow, SiteRow, TableMessage
from router.routing.adverts.lsa import LsaFault, advert_is_bad, declaration_is_bad
from router.routing.edges.offers import declaration_of

Heard = Literal["news", "part", "known", "gap"]
"""The table changed; it is not whole yet; nothing new; or a message in between is missing."""


class EdgeTable(msgspec.Struct, frozen=True):
    """A whole table, by key. ``declarations`` are those that this version can read.

    ``former_owners``: names of sites whose services are here only through `with_former`.
    ``deleted``: sites that any neighbor reported as deleted. ``withheld``: see `TableMessage`.
    ``lost``: sites that the neighbor no longer reaches, by `LostSites`.
    """

    sites: dict[RouterId, SiteRow] = {}
    services: dict[str, ServiceRow] = {}
    declarations: dict[str, Declaration] = {}
    candidates: dict[CandidateId, CandidateRow] = {}
    left_out: int = 0
    draining: bool = False
    wish: int = 0
    former_owners: dict[SiteId, str] = {}
    deleted: frozenset[SiteId] = frozenset()
    withheld: frozenset[CandidateId] = frozenset()
    lost: dict[SiteId, SiteRow] = {}


EMPTY_EDGE_TABLE = EdgeTable()


def only_former(former: EdgeTable, told: EdgeTable, own: SiteId) -> EdgeTable:
    """The services of ``former`` that ``told`` does not have, without those of this site."""
    services = {
        name: msgspec.structs.replace(row, reachable=False)
        for name, row in former.services.items()
        if name not in told.services and row.site != own
    }
    names = former.former_owners | {row.site: row.name for row in former.sites.values()}
    owners = {row.site for row in services.values()}
    return EdgeTable(
        services=services,
        declarations={
            name: former.declarations[name] for name in services if name in former.declarations
        },
        former_owners={site: name for site, name in names.items() if site in owners},
    )


def with_former(told: EdgeTable, former: EdgeTable, lost: dict[SiteId, SiteRow]) -> EdgeTable:
    """``told`` plus the services of ``former`` and the ``lost`` sites, none of which it has."""
    return msgspec.structs.replace(
        told,
        services=told.services | former.services,
        declarations=told.declarations | former.declarations,
        former_owners=former.former_owners,
        lost=lost,
    )


class EdgeRows:
    """Applies messages in order, each once. ``told`` is the last whole table of any neighbor."""

    __slots__ = (
        "_candidates",
        "_deleted",
        "_met",
        "_services",
        "_sites",
        "_withheld",
        "series",
        "told",
        "version",
    )

    def __init__(self) -> None:
        self.told = EMPTY_EDGE_TABLE
        self._deleted: dict[SiteId, None] = {}  # The most recent ones.
        self._met: dict[SiteId, None] = {}  # Likewise.
        self.begin()

    def begin(self) -> None:
        """The neighbor changed or restarted: the next messages begin an empty table."""
        self.series = self.version = 0
        self._restart()

    def _restart(self) -> None:
        self._sites: dict[RouterId, SiteRow] = {}
        self._services: dict[str, ServiceRow] = {}
        self._candidates: dict[CandidateId, CandidateRow] = {}
        self._withheld: dict[CandidateId, None] = {}

    @property
    def met(self) -> tuple[SiteId, ...]:
        """Sites that any neighbor reported, the most recent ones."""
        return tuple(self._met)

    def __len__(self) -> int:
        rows = len(self._candidates) + len(self._withheld)
        return len(self._sites) + len(self._services) + rows

    def receive(self, message: TableMessage) -> Heard | LsaFault:
        """Apply one message. A fault changes nothing."""
        is_later = message.series > self.series
        if message.series < self.series or (not is_later and message.version <= self.version):
            return "known"
        if message.base != (0 if is_later else self.version):
            return "gap"
        fault = _fault(message)
        if fault:
            return LsaFault("bad-table", fault)
        grows = len(message.candidates) + len(message.withheld)
        grows += len(message.sites) + len(message.services)
        gone = len(message.gone_sites) + len(message.gone_services) + len(message.gone_candidates)
        if (0 if is_later else len(self)) + grows > 2 * EDGE_ROWS_MAX + gone:
            return LsaFault("bad-table", f"more than {EDGE_ROWS_MAX} rows")
        if is_later:
            self._restart()
        self._apply(message)
        self.series, self.version = message.series, message.version
        if not message.is_last:
            return "part"
        self.told = EdgeTable(
            dict(self._sites),
            dict(self._services),
            dict(_readable(self._services.values(), self.told)),
            dict(self._candidates),
            message.left_out,
            message.draining,
            message.wish,
            deleted=frozenset(self._deleted),
            withheld=frozenset(self._withheld),
        )
        return "news"

    def _apply(self, message: TableMessage) -> None:
        """Rows with invalid ids are left out: older versions pass them on."""
        _append(self._deleted, message.deleted)
        for row in message.sites:
            self._deleted.pop(row.site, None)  # It was restored from a backup.
        _append(self._met, (row.site for row in message.sites))
        for sites, most in ((self._deleted, EDGE_DELETED_MAX), (self._met, EDGE_UNUSED_SITES_MAX)):
            while len(sites) > most:
                del sites[next(iter(sites))]
        for router in message.gone_sites:
            self._sites.pop(router, None)
        for name in message.gone_services:
            self._services.pop(name, None)
        for row_id in message.gone_candidates:
            self._candidates.pop(row_id, None)
            self._withheld.pop(row_id, None)
        self._sites.update(
            (row.router, row)
            for row in message.sites
            if is_router_id(row.router) and is_site_id(row.site)
        )
        self._services.update(
            (row.name, _with_known_ids(row)) for row in message.services if is_site_id(row.site)
        )
        self._candidates.update(
            (row.id, row) for row in message.candidates if is_router_id(row.router)
        )
        for candidate in message.candidates:
            self._withheld.pop(candidate.id, None)
        self._withheld |= dict.fromkeys(one for one in message.withheld if is_router_id(one[2]))


def _append(sites: dict[SiteId, None], more: Iterable[SiteId]) -> None:
    """Make the valid ids in ``more`` the most recent ones of ``sites``."""
    for site in filter(is_site_id, more):
        sites.pop(site, None)
        sites[site] = None


def _with_known_ids(row: ServiceRow) -> ServiceRow:
    if all(map(is_site_id, (*row.conflicts, *(row.owners or ())))):
        return row
    owners = None if row.owners is None else tuple(filter(is_site_id, row.owners))
    conflicts = tuple(filter(is_site_id, row.conflicts))
    return msgspec.structs.replace(row, conflicts=conflicts, owners=owners)


def _readable(rows: Iterable[ServiceRow], before: EdgeTable) -> Iterable[tuple[str, Declaration]]:
    for row in rows:
        known = before.services.get(row.name)
        if known is not None and known.declaration == row.declaration:
            declaration = before.declarations.get(row.name)
        else:
            declaration = declaration_of(row)
        if declaration is None or declaration.name != row.name:
            continue
        if not declaration_is_bad(declaration):
            yield row.name, declaration


def _fault(message: TableMessage) -> str:
    """A fault that types cannot exclude; empty: none."""
    for site in message.sites:
        if not site.version.isprintable():
            return "version is not printable"
    for row in message.candidates:
        advert = TargetsAdvert(
            name=row.service,
            port=row.port,
            targets_ready=row.targets_ready,
            capacity=row.capacity,
            rate_per_s=row.rate_per_s,
        )
        if advert_is_bad(advert):
            return f"targets of {row.service!r:.80}"
    return ""
