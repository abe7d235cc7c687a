"""Rows for edges, service by service, made from the route table and shared by all edges."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.limits import EDGE_CONFLICTS_MAX, EDGE_OWNERS_MAX
from router.model.messages import packed
from router.model.messages.adverts import Declaration, RemoteCandidate, TargetsAdvert
from router.model.messages.edges import CandidateRow, ServiceRow, SiteRow
from router.model.rights.owners import Owner
from router.model.rights.sharing import Party, name_any
from router.routing.declared import Claim, Declared, in_force
from router.routing.table import RouteTable

NO_OWNER = Owner((), "")
Offered = TypeVar("Offered", "EdgeOffer", SiteRow)


class EdgeOffer(msgspec.Struct, frozen=True):
    """All rows of one service. ``service`` None: no site declares it now.

    If edges may see different parts: ``export_to`` of each candidate, and ``claims``, the
    declarations, of which each edge prefers its own. ``owner``: of the name. ``withheld``: targets
    that are not for the edge (`seen_by`).
    """

    service: ServiceRow | None
    candidates: tuple[CandidateRow, ...]
    export_to: tuple[tuple[str, ...] | None, ...] = ()
    claims: tuple[Claim, ...] = ()
    owner: Owner = NO_OWNER
    withheld: tuple[CandidateRow, ...] = ()

    @property
    def is_limited(self) -> bool:
        """Edges may see different parts of it."""
        return bool(self.export_to or self.claims)

    def names(self, party: Party, router: RouterId) -> bool:
        """Whether the candidates at ``router`` are offered to ``party``."""
        rules = zip(self.candidates, self.export_to, strict=False)
        return all(name_any(rule, party) for row, rule in rules if row.router == router)


class EdgeOffers(msgspec.Struct, frozen=True):
    """Content for edges: offers by service, the routers that they name and those through which the
    other sites are ``reached``; sites that are ``deleted``, for all edges."""

    services: Mapping[str, EdgeOffer]
    sites: Mapping[RouterId, SiteRow]
    reached: Mapping[SiteId, RouterId] = {}
    deleted: frozenset[SiteId] = frozenset()


class EdgeTableSource(msgspec.Struct, frozen=True, kw_only=True):
    """The sending router, with its own targets; its table has only those of others."""

    router: RouterId
    site: SiteId
    version: str
    epoch: int
    adverts: tuple[TargetsAdvert, ...]


def seen_by(offer: EdgeOffer, party: Party) -> EdgeOffer:
    """The part of ``offer`` that is for ``party``: usually all of it, as the same object."""
    if not offer.is_limited:
        return offer
    rules = offer.export_to or (None,) * len(offer.candidates)
    candidates: list[CandidateRow] = []
    withheld: list[CandidateRow] = []
    for row, rule in zip(offer.candidates, rules, strict=True):
        (candidates if name_any(rule, party) else withheld).append(row)
    service = offer.service
    if offer.claims:
        told = [
            claim
            for claim in offer.claims
            if claim.site == party.site or name_any(claim.declaration.export_to, party)
        ]
        # A site's own declaration counts there.
        told.sort(key=lambda claim: claim.site != party.site)
        name = offer.claims[0].declaration.name
        declared = in_force(told, told[0], None) if told else None
        service = _service(name, declared, offer.owner)
    return EdgeOffer(service, tuple(candidates), withheld=tuple(withheld))


def make_offers(
    source: EdgeTableSource, table: RouteTable, names: Collection[str] | None, before: EdgeOffers
) -> EdgeOffers:
    """Offers of the services ``names`` (None: all), reusing equal objects of ``before``.

    While the sending router stops, or is let in on terms, nothing leads across it: only its own
    targets are offered.
    """
    is_stopping = table.sites[table.site].draining or table.is_leaf
    rows: dict[str, list[CandidateRow]] = {}
    sites = {source.router: _own_site(source, table)}
    rules: dict[str, list[tuple[str, ...] | None]] = {}
    for key in {**table.candidates, **table.withheld}:
        if is_stopping or not _is_wanted(key.name, names):
            continue
        for candidate in table.everywhere(key):
            router = candidate.router
            sites[router] = _site_row(
                table, router, candidate.site, candidate.site_name, candidate.path_cost
            )
            row = _candidate_row(key.name, key.port, router, candidate)
            rows.setdefault(key.name, []).append(row)
            rules.setdefault(key.name, []).append(candidate.export_to)
    for advert in source.adverts:
        if _is_wanted(advert.name, names):
            row = _candidate_row(advert.name, advert.port, source.router, advert)
            rows.setdefault(advert.name, []).append(row)
            rules.setdefault(advert.name, []).append(advert.export_to)
    declared = {n: d for n, d in table.declarations.items() if _is_wanted(n, names)}
    claims = {n: told for n, told in table.claims.items() if _is_wanted(n, names)}
    reached: dict[SiteId, RouterId] = {}
    for site, route in table.sites.items():
        if is_stopping or site == table.site or route.path_cost is None:
            continue
        reached[site] = route.router
        if route.router not in sites:
            sites[route.router] = _site_row(table, route.router, site, route.name, route.path_cost)
    services = {
        name: _same(
            before.services.get(name),
            EdgeOffer(
                _service(name, declared.get(name), table.owners.get(name, NO_OWNER)),
                tuple(rows.get(name, ())),
                _rules(rules.get(name, ())),
                claims.get(name, ()),
                table.owners.get(name, NO_OWNER),
            ),
        )
        for name in rows.keys() | declared.keys() | claims.keys()
    }
    rows_of_sites = {r: _same(before.sites.get(r), site) for r, site in sites.items()}
    return EdgeOffers(services, rows_of_sites, reached, table.deleted)


NOTHING = EdgeOffers({}, {})


def _site_row(
    table: RouteTable, router: RouterId, site: SiteId, name: str, path_cost: int
) -> SiteRow:
    epoch, route = table.epochs.get(router, 0), table.sites[site]
    return SiteRow(router, site, name, route.version, path_cost, epoch, route.draining)


def declaration_of(row: ServiceRow) -> Declaration | None:
    """The declaration in a row; None: this version cannot read it."""
    try:
        return packed.read(row.declaration, Declaration)
    except packed.Unreadable:
        return None


def wanted_names(
    table: RouteTable, adverts: Iterable[TargetsAdvert], names: frozenset[str] | None
) -> frozenset[str]:
    """``names``, or all names."""
    if names is not None:
        return names
    attached = {key.name for key in {**table.candidates, **table.withheld}}
    attached |= {advert.name for advert in adverts}
    return frozenset(attached | table.declarations.keys() | table.claims.keys())


def routes_by_candidate(
    table: RouteTable,
) -> dict[tuple[ServiceKey, RouterId], tuple[tuple[RouterId, ...], ...]]:
    """The source routes to each candidate of each service port."""
    return {
        (key, candidate.router): candidate.paths
        for key in {**table.candidates, **table.withheld}
        for candidate in table.everywhere(key)
    }


def _rules(rules: Sequence[tuple[str, ...] | None]) -> tuple[tuple[str, ...] | None, ...]:
    """Empty if no candidate has a rule."""
    return () if all(rule is None for rule in rules) else tuple(rules)


def _is_wanted(name: str, names: Collection[str] | None) -> bool:
    return names is None or name in names


def _own_site(source: EdgeTableSource, table: RouteTable) -> SiteRow:
    name = table.sites[table.site].name  # Another site may have it, too.
    return SiteRow(source.router, source.site, name, source.version, 0, source.epoch)


def _candidate_row(
    name: str, port: int, router: RouterId, targets: TargetsAdvert | RemoteCandidate
) -> CandidateRow:
    return CandidateRow(
        name,
        port,
        router,
        targets.targets_ready,
        targets.capacity,
        targets.draining,
        targets.rate_per_s,
        targets.shares_targets,
        targets.reserved,
        targets.most_for_one,
        targets.serves,
    )


def _service(name: str, declared: Declared | None, owner: Owner) -> ServiceRow | None:
    if declared is None:
        return None
    return ServiceRow(
        name,
        packed.pack(declared.declaration),
        declared.site,
        declared.reachable,
        declared.conflicts[:EDGE_CONFLICTS_MAX],
        owner.sites[:EDGE_OWNERS_MAX],
        owner.grants,
    )


def _same(before: Offered | None, now: Offered) -> Offered:
    return before if before is not None and before == now else now
