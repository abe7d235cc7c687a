"""What a router has to tell edges, service by service: rows made of its route table, shared."""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from router.model.adverts import Declaration, TargetsAdvert
from router.model.edges import CandidateRow, ServiceRow, SiteRow
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.limits import EDGE_CONFLICTS_MAX
from router.routing.table import Declared, RouteTable

_ENCODER = msgspec.msgpack.Encoder()
_DECLARATION = msgspec.msgpack.Decoder(Declaration)


class Offer(msgspec.Struct, frozen=True):
    """All rows of one service. ``service`` None: nobody declares it now."""

    service: ServiceRow | None
    candidates: tuple[CandidateRow, ...]


class Offers(msgspec.Struct, frozen=True):
    """What there is to tell: offers by service, and the routers that they speak of."""

    services: Mapping[str, Offer]
    sites: Mapping[RouterId, SiteRow]


class Teller(msgspec.Struct, frozen=True, kw_only=True):
    """The router that tells, with its own targets; its table has those of others only."""

    router: RouterId
    site: SiteId
    name: str
    version: str
    epoch: int
    adverts: tuple[TargetsAdvert, ...]


def make_offers(
    teller: Teller, table: RouteTable, names: Collection[str] | None, before: Offers
) -> Offers:
    """Offers of the services ``names`` (None: all), as the very objects of ``before`` if alike.

    While the teller stops nothing leads across it: only its own targets are offered.
    """
    is_stopping = table.sites[table.site].draining
    rows: dict[str, list[CandidateRow]] = {}
    sites = {teller.router: _own_site(teller)}
    for key, candidates in table.candidates.items():
        if is_stopping or not _is_wanted(key.name, names):
            continue
        for candidate in candidates:
            router = candidate.router
            sites[router] = SiteRow(
                router,
                candidate.site,
                candidate.site_name,
                table.sites[candidate.site].version,
                candidate.path_cost,
                table.epochs.get(router, 0),
            )
            row = CandidateRow(
                key.name,
                key.port,
                router,
                candidate.targets_ready,
                candidate.capacity,
                candidate.draining,
                candidate.rate_per_s,
            )
            rows.setdefault(key.name, []).append(row)
    for advert in teller.adverts:
        if _is_wanted(advert.name, names):
            rows.setdefault(advert.name, []).append(_own_candidate(teller, advert))
    declared = {n: d for n, d in table.declarations.items() if _is_wanted(n, names)}
    services = {
        name: _same(
            before.services.get(name),
            Offer(_service(name, declared.get(name)), tuple(rows.get(name, ()))),
        )
        for name in rows.keys() | declared.keys()
    }
    return Offers(services, {r: _same_site(before.sites.get(r), site) for r, site in sites.items()})


NOTHING = Offers({}, {})


def declaration_of(row: ServiceRow) -> Declaration | None:
    """What a row declares; None: this version cannot read it."""
    try:
        return _DECLARATION.decode(row.declaration)
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError):
        return None


def wanted_names(
    table: RouteTable, adverts: Iterable[TargetsAdvert], names: frozenset[str] | None
) -> frozenset[str]:
    """``names``, or all that there are."""
    if names is not None:
        return names
    attached = {key.name for key in table.candidates} | {advert.name for advert in adverts}
    return frozenset(attached | table.declarations.keys())


def routes_by_candidate(
    table: RouteTable,
) -> dict[tuple[ServiceKey, RouterId], tuple[tuple[RouterId, ...], ...]]:
    """The source routes to each candidate of each service port."""
    return {
        (key, candidate.router): candidate.paths
        for key, candidates in table.candidates.items()
        for candidate in candidates
    }


def _is_wanted(name: str, names: Collection[str] | None) -> bool:
    return names is None or name in names


def _own_site(teller: Teller) -> SiteRow:
    return SiteRow(teller.router, teller.site, teller.name, teller.version, 0, teller.epoch)


def _own_candidate(teller: Teller, advert: TargetsAdvert) -> CandidateRow:
    return CandidateRow(
        advert.name,
        advert.port,
        teller.router,
        advert.targets_ready,
        advert.capacity,
        advert.draining,
        advert.rate_per_s,
    )


def _service(name: str, declared: Declared | None) -> ServiceRow | None:
    if declared is None:
        return None
    return ServiceRow(
        name,
        _ENCODER.encode(declared.declaration),
        declared.site,
        declared.reachable,
        declared.conflicts[:EDGE_CONFLICTS_MAX],
    )


def _same(before: Offer | None, now: Offer) -> Offer:
    return before if before is not None and before == now else now


def _same_site(before: SiteRow | None, now: SiteRow) -> SiteRow:
    return before if before is not None and before == now else now
