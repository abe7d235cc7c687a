"""Builds the whole route table from a link-state database. Pure."""

from collections.abc import Collection, Iterable, Mapping
from itertools import chain

import msgspec

from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import Declaration
from router.model.rights.grants import first_end
from router.model.rights.owners import Owner
from router.model.rights.sharing import Party, name_any
from router.routing.adverts.lsa import Node
from router.routing.adverts.lsdb import Origin
from router.routing.bars import BarRow
from router.routing.build.candidates import candidates_of
from router.routing.build.declarations import declarations_of
from router.routing.build.own import OwnRouter
from router.routing.build.sites import display_names, is_deleted, own_site, site_route
from router.routing.owners import Owners
from router.routing.sharing import SharingView
from router.routing.site_terms import SiteTerms
from router.routing.spf import Graph, Route
from router.routing.table import RouteTable


def build_table(
    own: OwnRouter,
    origins: Iterable[Origin],
    graph: Graph,
    routes: Mapping[Node, Route],
    kept: Collection[Node],
    owners: Owners,
    now: float,
    *,
    generation: int,
    standing: SiteTerms,
    bars: tuple[BarRow, ...],
    put_out: frozenset[SiteId],
    unix: float,
) -> RouteTable:
    """The table as ``own`` sees it at ``unix`` seconds of the wall clock.

    ``kept`` are the routers whose declarations still count: reachable, or lost recently. ``owners``
    learns the declarations. ``bars`` and ``put_out`` as in `RouteTable`.
    """
    others = [origin for origin in origins if origin.topology and origin.node != own.node]
    known, deleted = _other_sites(own.node.site, others, routes)
    others.sort(key=lambda origin: origin.node)
    sites = [own_site(own, graph, others)]
    sites += [site_route(known[site], graph, routes) for site in sorted(known)]
    names, name_conflicts = display_names(sites)
    next_hops, epochs = _reached(others, routes)
    view = SharingView(Party(own.node.site, names[own.node.site]), own.rules, standing, unix=unix)
    believed, void = _believed(others, put_out)
    told = declarations_of(own, believed, routes, kept, names, view, owners, now, deleted)
    view = msgspec.structs.replace(view, owners=owners.records, declared=told.in_force)
    candidates, withheld = candidates_of(believed, routes, names, view)
    return RouteTable(
        generation=generation,
        site=own.node.site,
        sites={s.site: msgspec.structs.replace(s, name=names[s.site]) for s in sites},
        candidates=candidates,
        declarations=told.in_force,
        name_conflicts=name_conflicts,
        next_hops=next_hops,
        epochs=epochs,
        adjacencies=own.adjacencies,
        routers={
            **{one.node.router: one.node.site for one in others if one.node.site not in deleted},
            own.node.router: own.node.site,
        },
        withheld=withheld,
        claims=told.claims,
        idle=told.idle,
        refused=told.refused,
        owners=owners.records,
        grants_end=_grants_end(owners.records, unix),
        terms=standing.terms,
        is_leaf=own.node.site in standing.terms,
        bars=bars,
        barred=_barred(others, routes, bars, put_out, view.party) if bars or put_out else {},
        put_out=put_out,
        void=void,
        deleted=deleted,
        partly=told.partly,
        outdated=told.outdated,
    )


def _other_sites(
    own: SiteId, others: Iterable[Origin], routes: Mapping[Node, Route]
) -> tuple[dict[SiteId, list[Origin]], frozenset[SiteId]]:
    """The routers of each other site, without deleted sites; and the deleted sites."""
    known: dict[SiteId, list[Origin]] = {}
    for origin in others:
        if origin.node.site != own:
            known.setdefault(origin.node.site, []).append(origin)
    deleted = frozenset(site for site, told in known.items() if is_deleted(told, routes))
    return {site: told for site, told in known.items() if site not in deleted}, deleted


def _believed(
    others: list[Origin], put_out: Collection[SiteId]
) -> tuple[list[Origin], tuple[Declaration, ...]]:
    """The routers of sites that were not put out, and the declarations of those that were."""
    if not put_out:
        return others, ()
    void = (one.declarations for one in others if one.node.site in put_out)
    return [one for one in others if one.node.site not in put_out], tuple(chain.from_iterable(void))


def _reached(
    others: Iterable[Origin], routes: Mapping[Node, Route]
) -> tuple[dict[RouterId, frozenset[RouterId]], dict[RouterId, int]]:
    """By reachable router: its first hops, and its epoch."""
    next_hops: dict[RouterId, frozenset[RouterId]] = {}
    epochs: dict[RouterId, int] = {}
    for origin in others:
        route = routes.get(origin.node)
        if route and origin.head:
            router = origin.node.router
            next_hops[router] = next_hops.get(router, frozenset()) | route.next_hops
            epochs[router] = max(origin.head.epoch, epochs.get(router, 0))
    return next_hops, epochs


def _barred(
    others: Iterable[Origin],
    routes: Mapping[Node, Route],
    bars: Iterable[BarRow],
    put_out: Collection[SiteId],
    own: Party,
) -> dict[str, tuple[SiteId, ...]]:
    barred, found = {row.site for row in bars}, dict[str, set[SiteId]]()
    for origin in others:
        site = origin.node.site
        if site in put_out or (site in barred and origin.node not in routes):
            for declaration in origin.declarations:
                if name_any(declaration.export_to, own):
                    found.setdefault(declaration.name, set()).add(site)
    return {name: tuple(sorted(found[name])) for name in sorted(found)}


def _grants_end(owners: Mapping[str, Owner], unix: float) -> int | None:
    granting = (owner.grants for owner in owners.values() if owner.grants)
    ends = (first_end(grants, unix) for grants in granting)
    return min((end for end in ends if end is not None), default=None)
