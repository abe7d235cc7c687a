"""The terms on which sites were let in, as the sites that let them in publish in their LSAs.

A router that accepted a link on terms publishes them with that adjacency, so all routers of a
network find the same: a site may do what any of its adjacencies to other sites allows, and one
without terms allows everything. Nothing of others leads across a site by an adjacency on terms.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import reduce
from operator import or_

import msgspec

from router.model.ids import RouterId, SiteId
from router.model.limits import LSA_TERMS_BYTES_MAX
from router.model.messages import packed
from router.model.rights.sharing import FREE, NOTHING, Terms
from router.routing.adverts.lsa import Adjacency, Node
from router.routing.spf import Graph, Hop


class SiteTerms(msgspec.Struct, frozen=True):
    """``terms`` by site, without free sites; ``on_terms``: adjacencies by which the first router
    lets the second in on any terms."""

    terms: Mapping[SiteId, Terms] = {}
    on_terms: frozenset[Hop] = frozenset()

    def of(self, site: SiteId) -> Terms:
        """The terms of ``site``; a site without terms may do everything."""
        return self.terms.get(site, FREE)


NO_SITE_HAS_TERMS = SiteTerms()


class Statement(msgspec.Struct, frozen=True):
    """A router's published adjacencies; ``terms`` are those that they name."""

    node: Node
    adjacencies: tuple[Adjacency, ...]
    terms: tuple[Terms, ...]


def site_terms_of(
    statements: Iterable[Statement],
    graph: Graph,
    own: SiteId,
    before: SiteTerms,
    is_known: Callable[[SiteId], bool],
) -> SiteTerms:
    """The standing that follows from ``statements``, using only two-way adjacencies of ``graph``.

    A site without any now keeps its standing from ``before`` while it is known: its declarations
    count for a while, and must not gain permissions.
    """
    stated = list(statements)
    if not before.terms and not any(one.terms for one in stated):
        return NO_SITE_HAS_TERMS
    told_by: dict[SiteId, list[tuple[SiteId, Terms]]] = {}
    on_terms: set[Hop] = set()
    for one in stated:
        for adjacency in one.adjacencies:
            there = Node(adjacency.router, adjacency.site)
            if there.site == one.node.site or not graph.is_two_way(one.node, there):
                continue
            told = one.terms[adjacency.terms - 1] if adjacency.terms else FREE
            told_by.setdefault(one.node.site, []).append((there.site, told))
            if told != FREE:
                on_terms.add((one.node, there))
    terms = _given(told_by, own)
    kept = {
        site: told for site, told in before.terms.items() if site not in terms and is_known(site)
    }
    limited = {site: told for site, told in terms.items() if told != FREE}
    return SiteTerms(kept | limited, frozenset(on_terms))


def _given(
    told_by: Mapping[SiteId, list[tuple[SiteId, Terms]]], own: SiteId
) -> dict[SiteId, Terms]:
    """The terms of each site joined to ``own``, as published by sites that are free themselves.

    A site on terms gives no more than it has. For ``own`` all neighbors count: it can be on terms
    at each of them, and it is where the search starts.
    """
    terms: dict[SiteId, Terms] = {}
    sayers, seen = [own], {own}
    while sayers:
        sayer = sayers.pop()
        for site, told in told_by.get(sayer, ()):
            terms[site] = joined = terms.get(site, told) | told
            if joined == FREE and site not in seen:
                seen.add(site)
                sayers.append(site)
    behind = sorted(terms.keys() - seen)
    while behind:
        sayer = behind.pop(0)
        for site, _ in told_by.get(sayer, ()):
            if site not in terms:
                terms[site] = terms[sayer]
                behind.append(site)
    of_own = [told for told_all in told_by.values() for site, told in told_all if site == own]
    return terms | ({own: reduce(or_, of_own)} if of_own else {})


def with_terms(
    adjacencies: Collection[Adjacency], terms: Mapping[RouterId, Terms]
) -> tuple[tuple[Adjacency, ...], tuple[Terms, ...]]:
    """``adjacencies`` and the terms that they refer to, as they fit into part 0.

    Terms that do not fit are published as `NOTHING`, which allows nothing.
    """
    numbers: dict[Terms, int] = {}
    filled = 0
    told: list[Adjacency] = []
    for adjacency in adjacencies:
        stated = terms.get(adjacency.router)
        if stated is None:
            told.append(adjacency)
            continue
        size = len(packed.pack(stated))
        if stated not in numbers and filled + size > LSA_TERMS_BYTES_MAX:
            stated = NOTHING
        if stated not in numbers:
            numbers[stated] = len(numbers) + 1
            filled += size
        told.append(msgspec.structs.replace(adjacency, terms=numbers[stated]))
    return tuple(told), tuple(numbers)


def unstated(adjacencies: Collection[Adjacency], terms: Mapping[RouterId, Terms]) -> list[RouterId]:
    """Adjacencies whose terms do not fit into the LSA: they are published as `NOTHING`."""
    told, stated = with_terms(adjacencies, terms)
    return [one.router for one in told if one.terms and stated[one.terms - 1] != terms[one.router]]
