"""The route table of an edge: its neighbor's rows, and itself."""

from collections.abc import Iterable, Mapping
from typing import get_args

import msgspec

from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import RemoteCandidate
from router.model.messages.edges import CandidateRow, ServiceRow, SiteRow
from router.model.rights.grants import first_end
from router.model.rights.owners import Owner
from router.model.rights.sharing import SHORT_ID_CHARS, Party, SharingRules
from router.model.specs import ServiceProtocol
from router.routing.adverts.lsa import Node
from router.routing.build.candidates import differing
from router.routing.declared import Claim, Declared, differ, exports_of
from router.routing.edges.edge_rows import EdgeTable
from router.routing.sharing import SharingView
from router.routing.table import RouteTable, SiteRoute


class EdgeWay(msgspec.Struct, frozen=True):
    """The neighbor that an edge is attached to, and the cost to reach it."""

    router: RouterId
    site: SiteId
    cost: int


def edge_table(
    own: RouteTable,
    told: EdgeTable,
    way: EdgeWay | None,
    *,
    node: Node,
    rules: SharingRules,
    generation: int,
    unix: float,
) -> RouteTable:
    """``own`` knows this edge alone. ``way`` None: nothing can be reached now. ``unix``: seconds of
    the wall clock, by which grants end."""
    rows = {row.router: row for row in told.sites.values() if way and row.site != node.site}
    sites = _own_sites(own, told, way) | {site.site: site for site in _sites(told, way, node)}
    owners = _owners(told)
    view = SharingView(Party(own.site, sites[own.site].name), rules, unix=unix)
    declared, refused = _declarations(own, told, view, sites, is_attached=way is not None)
    view = msgspec.structs.replace(view, owners=owners, declared=declared)
    return RouteTable(
        generation=generation,
        site=own.site,
        sites=sites,
        candidates=_candidates(told, way, rows, view),
        withheld=_withheld(told, way, rows),
        declarations=declared,
        name_conflicts=(),  # The neighbor sees conflicts, and sends names that differ.
        next_hops={router: frozenset({way.router}) for router in rows} if way else {},
        epochs={router: row.epoch for router, row in rows.items()},
        adjacencies=(way.router,) if way else (),
        routers={router: row.site for router, row in rows.items()},
        refused=refused,
        owners={**own.owners, **owners},
        deleted=told.deleted - sites.keys(),
        grants_end=first_end((grant for owner in owners.values() for grant in owner.grants), unix),
    )


def _owners(told: EdgeTable) -> dict[str, Owner]:
    """Owners as the neighbor remembers them; from an older one, the site whose declaration it
    uses."""
    return {
        name: Owner((row.site,), "", told.declarations[name].grants)
        if row.owners is None
        else Owner(row.owners, "", row.grants)
        for name, row in told.services.items()
        if name in told.declarations
    }


def _own_sites(own: RouteTable, told: EdgeTable, way: EdgeWay | None) -> dict[SiteId, SiteRoute]:
    mine = own.sites[own.site]
    # The form in which the neighbor sends a site with the name of this site.
    as_others_are = f"{mine.name}@"
    if way and any(row.name.startswith(as_others_are) for row in told.sites.values()):
        mine = msgspec.structs.replace(mine, name=f"{as_others_are}{mine.site[:SHORT_ID_CHARS]}")
    neighbours = ((way.site, way.cost),) if way else ()
    return {own.site: msgspec.structs.replace(mine, neighbours=neighbours)}


def _path(way: EdgeWay, router: RouterId) -> tuple[RouterId, ...]:
    """The neighbor fills in the routers in between."""
    return (router,) if router == way.router else (way.router, router)


def _sites(told: EdgeTable, attached: EdgeWay | None, node: Node) -> Iterable[SiteRoute]:
    """The cheapest router of each site, and the last one of those that are lost."""
    cheapest: dict[SiteId, SiteRow] = {}
    for row in sorted(told.sites.values(), key=lambda row: (row.path_cost, row.router)):
        cheapest.setdefault(row.site, row)
    for site, row in sorted((told.lost | cheapest).items()):
        if site == node.site:
            continue
        way = attached if site in cheapest else None
        is_neighbour = way is not None and site == way.site
        yield SiteRoute(
            site=site,
            name=row.name,
            router=row.router,
            path_cost=way.cost + row.path_cost if way else None,
            paths=(_path(way, row.router),) if way else (),
            next_hops=(way.router,) if way else (),
            neighbours=((node.site, way.cost),) if way and is_neighbour else (),
            version=row.version,
            reachable=way is not None,
            draining=row.draining or (told.draining and row.path_cost == 0),  # The neighbor itself.
        )


def _withheld(
    told: EdgeTable, way: EdgeWay | None, rows: dict[RouterId, SiteRow]
) -> dict[ServiceKey, tuple[RemoteCandidate, ...]]:
    """Without figures: this edge cannot use the targets, so its neighbor sends none."""
    if way is None:
        return {}
    found: dict[ServiceKey, list[RemoteCandidate]] = {}
    for service, port, router in sorted(told.withheld):
        site = rows.get(router)
        if site is not None:
            withheld = RemoteCandidate(
                site=site.site,
                site_name=site.name,
                router=router,
                path_cost=way.cost + site.path_cost,
                paths=(_path(way, router),),
                targets_ready=0,
                capacity=None,
                draining=False,
                export_to=(),
            )
            found.setdefault(ServiceKey(service, port), []).append(withheld)
    return {key: tuple(found[key]) for key in found}


def _candidates(
    told: EdgeTable, way: EdgeWay | None, rows: dict[RouterId, SiteRow], view: SharingView
) -> dict[ServiceKey, tuple[RemoteCandidate, ...]]:
    if way is None:
        return {}
    found: dict[ServiceKey, list[RemoteCandidate]] = {}
    for row in told.candidates.values():
        site = rows.get(row.router)
        if site is None:
            continue
        candidate = RemoteCandidate(
            site=site.site,
            site_name=site.name,
            router=row.router,
            path_cost=way.cost + site.path_cost,
            paths=(_path(way, row.router),),
            targets_ready=row.targets_ready,
            capacity=row.capacity,
            draining=row.draining,
            rate_per_s=row.rate_per_s,
            shares_targets=row.shares_targets,
            reserved=row.reserved,
            most_for_one=row.most_for_one,
            differs=_differs(row, site, told.services.get(row.service), view),
            serves=row.serves,
            barred=view.why_barred(Party(site.site, site.name), row.service),
        )
        found.setdefault(ServiceKey(row.service, row.port), []).append(candidate)
    return {
        key: view.believed(
            key.name, tuple(sorted(found[key], key=lambda c: (c.path_cost, c.site, c.router)))
        )
        for key in sorted(found)
    }


def _differs(row: CandidateRow, at: SiteRow, service: ServiceRow | None, view: SharingView) -> str:
    """Why targets refuse this edge, as for other routers, which know who follows whom."""
    declared = view.declared.get(row.service)
    if declared is None or row.serves not in get_args(ServiceProtocol):
        return ""  # Not known, or of a later version.
    is_declarer = service is not None and at.site in (service.site, *service.conflicts)
    said = f"{at.name} {'declares' if is_declarer else 'serves'} it as {row.serves}"
    return differing(said, row.serves, declared.declaration.spec.protocol)


def _declarations(
    own: RouteTable,
    told: EdgeTable,
    view: SharingView,
    sites: Mapping[SiteId, SiteRoute],
    *,
    is_attached: bool,
) -> tuple[dict[str, Declared], dict[str, tuple[SiteId, ...]]]:
    """Declarations in force, as found by the neighbor; our present ones count here. Then the sites
    whose declaration the import rule refuses, as in `RouteTable`."""
    declared: dict[str, Declared] = dict(own.declarations)
    refused: dict[str, tuple[SiteId, ...]] = {}
    for name, declaration in told.declarations.items():
        row, mine = told.services[name], own.declarations.get(name)
        if row.site == own.site and not is_attached:
            continue  # Our own earlier declaration; no neighbor is there to withdraw it.
        known = sites.get(row.site)
        unknown = f"@{row.site[:SHORT_ID_CHARS]}"  # A site without targets has no row.
        shown = known.name if known else told.former_owners.get(row.site, unknown)
        if not view.takes_from(Party(row.site, shown), name):
            if mine is None:
                refused[name] = (row.site,)
            continue
        theirs = Declared(
            declaration=declaration,
            site=row.site,
            reachable=is_attached and row.reachable,
            conflicts=row.conflicts,
            exports=exports_of([Claim(declaration, row.site, RouterId(""), None)]),
        )
        declared[name] = theirs if mine is None else _ours(mine, theirs)
    return {name: declared[name] for name in sorted(declared)}, dict(sorted(refused.items()))


def _ours(mine: Declared, theirs: Declared) -> Declared:
    """A site's own declaration counts there, even if others declare the name too."""
    if mine.site == theirs.site:
        return msgspec.structs.replace(mine, conflicts=theirs.conflicts)
    both = {one.site: one for one in (*mine.exports, *theirs.exports)}
    mine = msgspec.structs.replace(mine, exports=tuple(both[site] for site in sorted(both)))
    conflicts, alike = {*theirs.conflicts} - {mine.site}, [theirs.site]
    if differ(mine.declaration, theirs.declaration):
        # Others that differ from theirs may declare it as this site does.
        conflicts, alike = {theirs.site}, []
    return msgspec.structs.replace(mine, conflicts=tuple(sorted(conflicts)), alike=tuple(alike))
