"""The declaration of each name that counts at this site, and the use of the others. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from router.model.ids import SiteId
from router.model.rights.owners import Owner
from router.model.rights.sharing import Party, name_any
from router.routing.adverts.lsa import Node
from router.routing.adverts.lsdb import Origin
from router.routing.build.own import OwnRouter
from router.routing.declared import Claim, Declared, counting, in_force, in_order
from router.routing.owners import Owners
from router.routing.sharing import SharingView
from router.routing.spf import Route


class ToldDeclarations(msgspec.Struct, frozen=True):
    """For each name the declaration that counts; the others as in `RouteTable`."""

    in_force: dict[str, Declared]
    claims: dict[str, tuple[Claim, ...]]
    idle: dict[str, tuple[Claim, ...]]
    refused: dict[str, tuple[SiteId, ...]]
    partly: frozenset[SiteId]
    outdated: Mapping[str, tuple[SiteId, ...]]


def declarations_of(
    own: OwnRouter,
    others: Iterable[Origin],
    routes: Mapping[Node, Route],
    kept: Collection[Node],
    names: Mapping[SiteId, str],
    view: SharingView,
    owners: Owners,
    now: float,
    deleted: Collection[SiteId],
) -> ToldDeclarations:
    """``deleted`` sites have withdrawn their declarations.

    A lost router's do not count where another one of its site is reached that reads the same
    documents (`Topology.common`): the lost one's knowledge is older. Routers of a site on hosts
    have separate documents.
    """
    told: dict[str, list[Claim]] = {}
    seen: dict[str, list[Claim]] = {}
    refused: dict[str, list[Claim]] = {}
    outdated: dict[str, set[SiteId]] = {}
    for declaration in own.declarations:
        claim = Claim(declaration, own.node.site, own.node.router, 0)
        told.setdefault(declaration.name, []).append(claim)
        seen.setdefault(declaration.name, []).append(claim)
    replaced = _replaced(own, others, routes)
    versions = {origin.node: origin.head.newness for origin in others if origin.head}
    for origin in others:
        is_over = origin.node.site in deleted or origin.node in replaced
        if origin.node not in kept or is_over:
            continue
        party = Party(origin.node.site, names[origin.node.site])
        cost = routes[origin.node].cost if origin.node in routes else None
        version = versions[origin.node]
        for declaration in origin.declarations:
            if not view.may_declare(party.site, declaration.name):
                continue
            if owners.is_old(declaration, origin.node, version):
                if view.is_told(party, declaration):
                    outdated.setdefault(declaration.name, set()).add(party.site)
                continue
            claim = Claim(declaration, party.site, origin.node.router, cost)
            told.setdefault(declaration.name, []).append(claim)
            if view.is_told(party, declaration):
                seen.setdefault(declaration.name, []).append(claim)
            elif view.is_offered(party.site, declaration.name, declaration.export_to):
                refused.setdefault(declaration.name, []).append(claim)
    there = [one for one in others if one.node in routes and one.node.site != own.node.site]
    living = [origin for origin in others if origin.node not in replaced]
    heard, partly = _heard(living, routes, view)
    heard |= {site: set() for site in deleted}
    owners.learn(seen, heard, now, versions, unix=view.unix, is_alone=not there)
    declared, idle = _in_force_or_idle(seen, own.node.site, owners.records, view.unix)
    return ToldDeclarations(
        declared,
        _limited(told, seen, owners.records),
        idle,
        {
            name: tuple(dict.fromkeys(claim.site for claim in in_order(refused[name])))
            for name in sorted(refused.keys() - declared.keys())
        },
        partly,
        {name: tuple(sorted(outdated[name])) for name in sorted(outdated)},
    )


def _replaced(own: OwnRouter, others: Iterable[Origin], routes: Mapping[Node, Route]) -> set[Node]:
    """Lost routers of which another one of the site, that reads the same documents, is reached."""
    common = [one for one in others if one.topology is not None and one.topology.common]
    present = {one.node.site for one in common if one.is_whole and one.node in routes}
    if own.common:
        present.add(own.node.site)
    return {one.node for one in common if one.node not in routes and one.node.site in present}


def _limited(
    told: Mapping[str, list[Claim]], seen: Mapping[str, list[Claim]], records: Mapping[str, Owner]
) -> dict[str, tuple[Claim, ...]]:
    """All claims of each name of which some site does not see every claim: this one or, by the
    exports of a claim, another."""
    return {
        name: tuple(_owner_first(told[name], records.get(name)))
        for name in sorted(told)
        if len(seen.get(name, ())) < len(told[name])
        or any(claim.declaration.export_to is not None for claim in told[name])
    }


def _in_force_or_idle(
    seen: Mapping[str, list[Claim]], own: SiteId, records: Mapping[str, Owner], unix: float
) -> tuple[dict[str, Declared], dict[str, tuple[Claim, ...]]]:
    """By name: the declaration that counts here; or, where none does, all that this site sees."""
    declared: dict[str, Declared] = {}
    idle: dict[str, tuple[Claim, ...]] = {}
    for name in sorted(seen):
        owner = records.get(name)
        count = counting(seen[name], own, owner, unix)
        if count:
            declared[name] = in_force(seen[name], count[0], owner)
        else:
            idle[name] = tuple(in_order(seen[name]))
    return declared, idle


def _heard(
    others: Iterable[Origin], routes: Mapping[Node, Route], view: SharingView
) -> tuple[dict[SiteId, set[str]], frozenset[SiteId]]:
    """Sites whose declarations are fully known, with the names they declare for us; and sites that
    are reached, but not by all of their routers.

    Only their own signed LSAs count: rules or terms of others that hide a declaration from us do
    not withdraw it. All routers of a site must be reached: one may declare what another does not.
    """
    heard: dict[SiteId, set[str]] = {}
    unknown: set[SiteId] = set()
    lost: set[SiteId] = set()
    for origin in others:
        site = origin.node.site
        if origin.node not in routes:
            lost.add(site)
            continue
        if not origin.is_whole:
            unknown.add(site)
            continue
        names = heard.setdefault(site, set())
        for told in origin.declarations:
            if name_any(told.export_to, view.party):
                names.add(told.name)
    in_part = lost | unknown
    whole = {site: names for site, names in heard.items() if site not in in_part}
    return whole, frozenset(heard.keys() & lost)


def _owner_first(claims: Sequence[Claim], owner: Owner | None) -> list[Claim]:
    owners = () if owner is None else owner.sites
    return sorted(in_order(claims), key=lambda claim: claim.site not in owners)
