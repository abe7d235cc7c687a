"""Updates of an edge's rows: the differences, in messages of bounded size."""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any, TypeVar

import msgspec

from router.model.ids import RouterId, SiteId
from router.model.limits import EDGE_DELETED_MAX, EDGE_TABLE_BYTES_MAX, EDGE_UNUSED_SITES_MAX
from router.model.messages import packed
from router.model.messages.edges import CandidateId, CandidateRow, ServiceRow, SiteRow, TableMessage
from router.routing.edges.offers import EdgeOffer, EdgeOffers

_Id = TypeVar("_Id", RouterId, SiteId)


class RowChanges:
    """Rows to set and rows that are gone, collected for one update."""

    __slots__ = (
        "candidates",
        "deleted",
        "gone_candidates",
        "gone_services",
        "gone_sites",
        "services",
        "sites",
        "withheld",
    )

    def __init__(self) -> None:
        self.sites: list[SiteRow] = []
        self.services: list[ServiceRow] = []
        self.candidates: list[CandidateRow] = []
        self.gone_sites: list[RouterId] = []
        self.gone_services: list[str] = []
        self.gone_candidates: list[CandidateId] = []
        self.deleted: list[SiteId] = []
        self.withheld: list[CandidateId] = []

    @property
    def is_empty(self) -> bool:
        return not any(getattr(self, name) for name in self.__slots__)


class Rows:
    """The rows of one edge. Offers are shared by all edges; the edge's own rows are left out."""

    __slots__ = ("_count", "_is_first", "_met", "_named", "_offers", "_sites", "_uses")

    def __init__(self, met: Iterable[SiteId] = ()) -> None:
        """``met``: sites that the edge knew before it held any row."""
        self._offers: dict[str, EdgeOffer] = {}
        self._sites: dict[RouterId, SiteRow] = {}
        self._uses: Counter[RouterId] = Counter()  # By candidates, those withheld too.
        # By services: the site that declares one, or owns its name.
        self._named: Counter[SiteId] = Counter()
        self._count = 0
        self._met = dict.fromkeys(met)
        """Sites that the edge knows, the most recent ones, until they are deleted."""
        self._is_first = True

    def __len__(self) -> int:
        """Rows of services and candidates, and sites."""
        return self._count + len(self._sites)

    def touches(self, routers: set[RouterId], sites: set[SiteId]) -> bool:
        """Whether the edge holds a row of any of ``routers``, or it knows one of ``sites`` or its
        services name one, which may be reached again."""
        return not (
            routers.isdisjoint(self._sites)
            and sites.isdisjoint(self._named)
            and sites.isdisjoint(self._met)
        )

    def has_met(self, sites: Collection[SiteId]) -> bool:
        """Whether the edge knows any of ``sites``."""
        return bool(sites) and not self._met.keys().isdisjoint(sites)

    def has_room(self, name: str, offer: EdgeOffer, rows_max: int) -> bool:
        """Whether replacing the present rows of ``name`` with ``offer`` leaves at most
        ``rows_max``."""
        grows = self.growth(name, offer)
        return grows <= 0 or len(self) + grows <= rows_max

    def growth(self, name: str, offer: EdgeOffer | None) -> int:
        """How many rows more it takes to replace the present ones of ``name`` with ``offer``."""
        before = self._offers.get(name)
        return (_size(offer) if offer else 0) - (_size(before) if before else 0)

    def set_offer(
        self, name: str, offer: EdgeOffer | None, own: RouterId, changes: RowChanges
    ) -> None:
        """Replace the rows of the service ``name``; ``own``: the edge that receives them."""
        before = self._offers.get(name)
        if offer is before:
            return
        old = _candidates(before, own)
        new = _candidates(offer, own)
        old_withheld, new_withheld = _withheld(before, own), _withheld(offer, own)
        told, tells = old.keys() | old_withheld, new.keys() | new_withheld
        for _, _, router in told - tells:
            _count(self._uses, router, -1)
        for _, _, router in tells - told:
            _count(self._uses, router, 1)
        changes.gone_candidates += sorted((old.keys() | old_withheld - new_withheld) - new.keys())
        changes.withheld += sorted(new_withheld - old_withheld)
        for row_id, row in new.items():
            if old.get(row_id) != row:
                changes.candidates.append(row)
        old_service = before.service if before is not None else None
        new_service = offer.service if offer is not None else None
        for service, by in ((old_service, -1), (new_service, 1)):
            for site in _named_by(service):
                _count(self._named, site, by)
        if new_service is None and old_service is not None:
            changes.gone_services.append(name)
        elif new_service is not None and new_service != old_service:
            changes.services.append(new_service)
        self._count += self.growth(name, offer)
        if offer is None:
            self._offers.pop(name, None)
        else:
            self._offers[name] = offer

    def set_sites(
        self, offers: EdgeOffers, sender: RouterId, own: RouterId, changes: RowChanges
    ) -> None:
        """Set the rows of all routers that candidates need, of sites that services name, and of
        ``sender``; ``own``: the edge that receives them.

        Import rules and messages of the edge name declaring sites, whether these have targets or
        not. A site that the edge no longer uses is reported while it is reached: it is not lost.
        """
        named = (offers.reached.get(site, own) for site in self._named)
        needed = dict.fromkeys((sender, *self._uses, *named))
        used = {row.site for row in map(offers.sites.get, needed) if row is not None}
        unused = [
            offers.reached[one] for one in self._met if one not in used and one in offers.reached
        ]
        needed |= dict.fromkeys(unused[max(0, len(unused) - EDGE_UNUSED_SITES_MAX) :])
        needed.pop(own, None)
        for router in needed:
            row = offers.sites.get(router)
            if row is not None and self._sites.get(router) is not row:
                if self._sites.get(router) != row:
                    changes.sites.append(row)
                self._sites[router] = row
        for router in self._sites.keys() - needed.keys():
            del self._sites[router]
            changes.gone_sites.append(router)
        self._tell_deleted(offers.deleted, changes)

    def _tell_deleted(self, deleted: frozenset[SiteId], changes: RowChanges) -> None:
        """Report deleted sites known to the edge; at first all, since another router may have named
        them."""
        met = self._met
        news = deleted if self._is_first else deleted & met.keys()
        self._is_first = False
        changes.deleted += sorted(news)[:EDGE_DELETED_MAX]
        for site in changes.deleted:
            met.pop(site, None)
        for row in changes.sites:
            met.pop(row.site, None)  # So that it becomes the most recent one.
            met[row.site] = None
        while len(met) > EDGE_DELETED_MAX:
            del met[next(iter(met))]


def messages(head: TableMessage, changes: RowChanges) -> list[TableMessage]:
    """``changes`` in messages of bounded size, one version each; ``head`` is the first, empty.

    Only the last completes the table. There is at least one.
    """
    pieces: list[dict[str, list[Any]]] = [{}]
    filled = 0
    for name in RowChanges.__slots__:
        for row in getattr(changes, name):
            size = len(packed.pack(row))
            if filled and filled + size > EDGE_TABLE_BYTES_MAX:
                pieces.append({})
                filled = 0
            pieces[-1].setdefault(name, []).append(row)
            filled += size
    return [
        msgspec.structs.replace(
            head,
            base=head.base + number,
            version=head.version + number,
            is_last=number + 1 == len(pieces),
            **{name: tuple(rows) for name, rows in piece.items()},
        )
        for number, piece in enumerate(pieces)
    ]


def _named_by(service: ServiceRow | None) -> set[SiteId]:
    return set() if service is None else {service.site, *service.conflicts, *(service.owners or ())}


def _count(uses: Counter[_Id], one: _Id, by: int) -> None:
    """Add ``by`` to the uses of ``one``, and remove it from ``uses`` at 0."""
    uses[one] += by
    if not uses[one]:
        del uses[one]


def _candidates(offer: EdgeOffer | None, own: RouterId) -> dict[CandidateId, CandidateRow]:
    if offer is None:
        return {}
    return {row.id: row for row in offer.candidates if row.router != own}


def _withheld(offer: EdgeOffer | None, own: RouterId) -> set[CandidateId]:
    return set() if offer is None else {row.id for row in offer.withheld if row.router != own}


def _size(offer: EdgeOffer) -> int:
    return len(offer.candidates) + len(offer.withheld) + 1
