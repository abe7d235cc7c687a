"""Who may declare, offer and call which service, on whose authority and until when: `sitectl
access`.

`rows` is pure: it reads the route table, the rules of this site and the wall clock.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from router.admin.endpoints.access import AccessRow, AccessView, May, State
from router.model.ids import SiteId, is_site_id
from router.model.limits import ACCESS_ROWS_MAX
from router.model.messages.adverts import RemoteCandidate
from router.model.rights.grants import CALL, OFFER, OWN, REDECLARE, ServiceGrant, ceiling
from router.model.rights.owners import Owner
from router.model.rights.sharing import (
    ALL,
    FREE,
    NOTHING,
    OPEN,
    SharingRules,
    Terms,
    matches,
    name_any,
    names_one_site,
    pinned,
)
from router.node.site_router import SiteRouter
from router.node.time_text import utc_of
from router.routing.sharing import counting_word
from router.routing.table import RouteTable

OWNER, OWN_WORD, OWN_TARGETS = "owns the name", "its own word", "own targets"
EXPORT, IMPORT = "this site's exportTo", "this site's importFrom"
OPEN_MODE, STRICT_MODE = "open mode", "strict mode"
BY_TERMS = "terms of its token"
_VERBS: Final[tuple[May, ...]] = (OFFER, CALL, REDECLARE, OWN)
_MAY_ORDER: Final = ("declare", *_VERBS)
_STATE_ORDER: Final = (
    *("in use", "allowed", "conflicts", "not-approved", "pending name", "ended", "not known"),
    "barred",
)


_Offer = tuple[int, RemoteCandidate]
"""The port of the service, and a router with targets there."""


class AccessFacts(msgspec.Struct, frozen=True, kw_only=True):
    """``given``: the rules as documents have them; ``rules``: the same by ids. ``meant``: the id
    that each name in them means, empty for none yet.

    ``targets_of``: services with targets here. ``terms`` by site. ``unix``: seconds.
    """

    table: RouteTable
    given: SharingRules = SharingRules()
    rules: SharingRules = SharingRules()
    meant: Mapping[str, str] = {}
    targets_of: Collection[str] = ()
    terms: Mapping[SiteId, Terms] = {}
    is_edge: bool = False
    unix: float = 0.0


def rows(facts: AccessFacts, service: str | None = None) -> list[AccessRow]:
    """All permissions, or those that concern ``service``, sorted. O(offers + grants)."""
    table, given = facts.table, facts.given.services
    offers: dict[str, list[_Offer]] = {}
    for key, candidates in table.candidates.items():
        offers.setdefault(key.name, []).extend((key.port, one) for one in candidates)
    names = {*offers, *facts.targets_of, *table.declarations, *table.idle, *given} - {ALL}
    if service is not None:
        names &= {service}
    found: dict[tuple[str, str, str, str], AccessRow] = {}

    def add(some: Iterable[AccessRow]) -> None:
        """Keep the first of two rows that say the same: it is the more exact one."""
        for row in some:
            found.setdefault((row.service, row.site_id or row.site, row.may, row.by), row)

    for name in names:
        add(_Service(facts, name, offers.get(name, ())).rows())
    usual = _Service(facts, ALL, ())
    if service is None or given.get(service, OPEN).import_from is None:
        add(usual.imports())
    if service is None:
        add(usual.exports())
    add(_by_terms(facts, service))
    add(_barred(facts.table))
    return sorted(found.values(), key=_order)


def access_of(router: SiteRouter, service: str | None, unix: float | None = None) -> AccessView:
    """A bounded number of rows, of all services or of one, as ``router`` knows them."""
    found = rows(_facts(router, time.time() if unix is None else unix), service)
    return AccessView(
        sharing="strict" if router.site_services.rules.strict else "open",
        rows=tuple(found[:ACCESS_ROWS_MAX]),
        left_out=max(0, len(found) - ACCESS_ROWS_MAX),
    )


def _facts(router: SiteRouter, unix: float) -> AccessFacts:
    table = router.routing.table
    given = router.wanted.rules if router.wanted is not None else SharingRules()
    patterns: set[str] = set()
    for rule in given.services.values():
        patterns |= {*(rule.export_to or ()), *(rule.import_from or ())}
        patterns |= {grant.site for grant in rule.grants}
    terms = dict(table.terms)
    if router.is_edge:  # An edge has no routing data about its own terms; its link has them.
        for link in router.links.status():
            if link.held != FREE:
                terms[table.site] = terms.get(table.site, NOTHING) | link.held
    return AccessFacts(
        table=table,
        given=given,
        rules=router.site_services.rules,
        meant=router.site_services.pins.sites_of(tuple(sorted(patterns))),
        targets_of={key.name for key, one in router.services.items() if one.has_connector},
        terms=terms,
        is_edge=router.is_edge,
        unix=unix,
    )


class _Service:
    """The rows of one service; for `ALL`: the rules for services without their own rules."""

    def __init__(self, facts: AccessFacts, name: str, offers: Iterable[_Offer]) -> None:
        self._facts, self._name, self._offers = facts, name, offers
        self._table, self._strict = facts.table, facts.rules.strict
        self._rule = facts.given.services.get(name, OPEN)
        self._usual = facts.given.services.get(ALL, OPEN)
        own, owner = facts.table.site, _owner(facts.table, name)
        declared = facts.table.declarations.get(name)
        self._ports = None if declared is None else declared.declaration.spec.ports
        self._owners = () if owner is None else owner.sites
        # Besides this site, the sites whose word on offers counts here.
        self._word, granted = counting_word(own, owner, declared)
        self._grants = [(own, grant) for grant in self._rule.grants]
        self._grants += [(site, grant) for site in self._word if site != own for grant in granted]
        self._idle_grants: list[tuple[SiteId, ServiceGrant]] = []
        if owner is not None and not self._word and own not in owner.sites:
            # This site declares the name too: the owner's grants count elsewhere.
            self._idle_grants = [(site, grant) for site in owner.sites for grant in owner.grants]

    def rows(self) -> Iterator[AccessRow]:
        """All rows of the service, the most exact first."""
        declared = self._table.declarations.get(self._name)
        declaring = (
            () if declared is None else (declared.site, *declared.alike, *declared.conflicts)
        )
        yield from self._declarations()
        yield from self._offers_there_are()
        yield from self._granted()
        is_here = self._table.site in declaring or self._name in self._facts.targets_of
        if is_here or self._rule.export_to is not None:
            yield from self.exports()
        if self._rule.import_from is not None:
            yield from self.imports()

    def exports(self) -> Iterator[AccessRow]:
        """Who may use this site's part of the service, by rule."""
        rule = self._usual.export_to if self._rule.export_to is None else self._rule.export_to
        if rule is not None:
            yield from self._by_rule("call", rule, EXPORT)
        elif not self._strict and self._name != ALL:
            yield self._row(ALL, "call", OPEN_MODE, "allowed")

    def imports(self) -> Iterator[AccessRow]:
        """Whose targets and declarations count here, by rule. A strict site also requires a grant
        of the owner before it uses targets."""
        verbs: tuple[May, ...] = ("declare",) if self._strict else ("declare", "offer")
        for may in verbs:
            if self._rule.import_from is not None:
                yield from self._by_rule(may, self._rule.import_from, IMPORT)
            elif not self._strict:
                yield self._row(ALL, may, OPEN_MODE, "allowed")

    def _by_rule(self, may: May, rule: tuple[str, ...], by: str) -> Iterator[AccessRow]:
        for pattern in rule:
            yield self._row(pattern, may, by, "allowed")

    def _declarations(self) -> Iterator[AccessRow]:
        declared = self._table.declarations.get(self._name)
        told: dict[SiteId, State] = {}
        if declared is not None:
            told = dict.fromkeys(declared.conflicts, "conflicts")
            told |= dict.fromkeys(declared.alike, "allowed")
            told[declared.site] = "in use"
        for claim in self._table.idle.get(self._name, ()):
            told[claim.site] = "conflicts"
        for site, state in told.items():
            granted = self._grants_to(site, REDECLARE)
            if site in self._owners:
                yield self._row(site, "declare", OWNER, state)
            elif granted:
                yield self._by_grant("declare", *granted[0], state)
            else:
                yield self._row(site, "declare", OWN_WORD, state)
        for site in self._owners:
            if site not in told:  # Out of reach for a long time, and still the owner.
                yield self._row(site, "own", OWNER, "allowed")

    def _offers_there_are(self) -> Iterator[AccessRow]:
        if self._name in self._facts.targets_of:
            yield self._row(self._table.site, "offer", OWN_TARGETS, "in use")
        of_sites: dict[SiteId, list[_Offer]] = {}
        for port, one in self._offers:
            of_sites.setdefault(one.site, []).append((port, one))
        for site, parts in of_sites.items():
            there = [one for port, one in parts if self._has_port(port)]
            if not all(one.unused for one in there):
                yield self._offer(site)
            elif any(one.barred for _, one in parts):
                yield self._barred(site)
            elif there:
                yield self._row(site, "offer", f"serves it as {there[0].serves}", "conflicts")
            else:
                ports = ", ".join(sorted({str(port) for port, _ in parts}))
                yield self._row(site, "offer", f"serves it at port {ports}", "conflicts")
        yield from self._calls_elsewhere()

    def _has_port(self, port: int) -> bool:
        """Whether the declaration in force here has the port: no listener leads to another one."""
        return self._ports is None or port in self._ports

    def _calls_elsewhere(self) -> Iterator[AccessRow]:
        """Sites that may use other sites' parts, by the rules published with their targets."""
        for _, one in self._offers:
            by = f"exportTo of {self._shown(one.site)}"
            if self._facts.is_edge:  # Its table has no rules of other sites.
                yield self._row(ALL, "call", by, "not known")
            elif one.export_to is None:
                yield self._row(ALL, "call", f"open mode of {self._shown(one.site)}", "allowed")
            else:
                for pattern in one.export_to:
                    yield self._row(pattern, "call", by, "allowed")

    def _offer(self, site: SiteId) -> AccessRow:
        granted = self._grants_to(site, OFFER)
        if site in self._word:
            row = self._row(site, "offer", OWNER, "in use")
        elif granted:
            row = self._by_grant("offer", *granted[0], "in use")
        else:
            by = OPEN_MODE if self._imported is None else IMPORT
            row = self._row(site, "offer", by, "in use")
        most = ceiling([grant for _, grant in granted], site)
        return msgspec.structs.replace(row, capacity=most)

    def _barred(self, site: SiteId) -> AccessRow:
        """The row of a site whose targets this site does not use, with the rule that bars them."""
        if not name_any(self._facts.rules.of(self._name).import_from, self._table.party(site)):
            by = STRICT_MODE if self._imported is None else IMPORT
        else:
            by = f"no grant of {', '.join(map(self._shown, self._word or (self._table.site,)))}"
        return self._row(site, "offer", by, "not-approved")

    @property
    def _imported(self) -> tuple[str, ...] | None:
        rule = self._rule.import_from
        return self._usual.import_from if rule is None else rule

    def _granted(self) -> Iterator[AccessRow]:
        for granter, grant in self._grants:
            for may in _VERBS:
                if may not in grant.verbs:
                    continue
                yield self._by_grant(may, granter, grant, self._grant_state(may, granter, grant))
        for granter, grant in self._idle_grants:
            for may in _VERBS:
                if may in grant.verbs:
                    yield self._by_grant(may, granter, grant, "conflicts")

    def _grant_state(self, may: May, granter: SiteId, grant: ServiceGrant) -> State:
        """Whether a grant that this site may use counts."""
        if may in (OFFER, CALL) or not self._owners or granter in self._owners:
            return "allowed"
        if may == OWN and self._site_of(grant.site) in self._owners:
            return "in use"  # Transferred; the former owner still lists the grant.
        return "not-approved"

    def _grants_to(self, site: SiteId, verb: str) -> list[tuple[SiteId, ServiceGrant]]:
        """Grants of ``verb`` to ``site`` in force, each with the site that gave it."""
        return [
            (granter, msgspec.structs.replace(grant, site=site))
            for granter, grant in self._grants
            if verb in grant.verbs
            and grant.holds(self._facts.unix)
            and self._site_of(grant.site) == site
        ]

    def _by_grant(self, may: May, granter: SiteId, grant: ServiceGrant, state: State) -> AccessRow:
        row = self._row(grant.site, may, f"grant of {self._shown(granter)}", state)
        return msgspec.structs.replace(
            row,
            until=utc_of(grant.until) if grant.until else None,
            capacity=grant.max_capacity if may == OFFER else None,
            state=row.state if grant.holds(self._facts.unix) else "ended",
        )

    def _row(self, pattern: str, may: May, by: str, state: State) -> AccessRow:
        """``pattern``: the site's name in a rule, or its id."""
        site = self._site_of(pattern)
        if not site and names_one_site(pattern):
            state = "pending name"
        known = pinned(pattern)
        name = known[0] if known is not None else pattern
        return AccessRow(
            service=self._name,
            site=self._shown(site) if site in self._table.sites else name,
            site_id=site,
            may=may,
            by=by,
            until=None,
            capacity=None,
            state=state,
        )

    def _site_of(self, pattern: str) -> str:
        """The id of the site that ``pattern`` means; empty: no site yet, or several."""
        known = pinned(pattern)
        if known is not None:
            return known[1]
        return pattern if is_site_id(pattern) else self._facts.meant.get(pattern, "")

    def _shown(self, site: str) -> str:
        return _name(self._table, SiteId(site))


def _owner(table: RouteTable, name: str) -> Owner | None:
    """The owner of a name. An edge knows no other owners and uses the site whose declaration
    counts.
    """
    owner, declared = table.owners.get(name), table.declarations.get(name)
    if owner is not None or declared is None:
        return owner
    return Owner((declared.site,), "", declared.declaration.grants)


def _by_terms(facts: AccessFacts, service: str | None) -> Iterator[AccessRow]:
    """The permissions of sites on terms: services by pattern, or whether ``service`` is among
    them."""
    for site, terms in facts.terms.items():
        ways: tuple[tuple[May, tuple[str, ...] | None], ...] = (
            ("declare", terms.declare),
            (OFFER, terms.export),
            (CALL, terms.import_),
        )
        for may, patterns in ways:
            allowed = (ALL,) if patterns is None else patterns
            if service is not None:
                allowed = tuple(one for one in allowed if matches(one, service))
            for pattern in allowed or (service or ALL,):
                yield AccessRow(
                    service=pattern,
                    site=_name(facts.table, site),
                    site_id=site,
                    may=may,
                    by=BY_TERMS,
                    until=None,
                    capacity=None,
                    state="allowed" if allowed else "not-approved",
                )


def _barred(table: RouteTable) -> Iterator[AccessRow]:
    """Barred sites: this site ignores their declarations and offers."""
    ways: tuple[May, ...] = ("declare", OFFER)
    for site in table.put_out:
        bars = [bar for bar in table.bars if bar.site == site]
        for may in ways:
            yield AccessRow(
                service=ALL,
                site=_name(table, site),
                site_id=site,
                may=may,
                by=f"barred by {', '.join(sorted(_name(table, bar.by) for bar in bars))}",
                until=utc_of(max(bar.until for bar in bars)) if bars else None,
                capacity=None,
                state="barred",
            )


def _name(table: RouteTable, site: SiteId) -> str:
    route = table.sites.get(site)
    return site if route is None else route.name


def _order(row: AccessRow) -> tuple[object, ...]:
    may, state = _MAY_ORDER.index(row.may), _STATE_ORDER.index(row.state)
    return row.service, may, state, row.site, row.site_id, row.by
