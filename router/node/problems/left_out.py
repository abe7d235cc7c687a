"""Sites with room that may not serve a service port: the rule that leaves each out, and the command
that lets it in.

Every surface that says that no site has room says this too. Pure.
"""

import shlex
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Final, Literal

import msgspec

from router.balance.deciding.decisions import CandidateReport, Explanation, NoChoice
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import LoadReport, RemoteCandidate
from router.model.rights.sharing import SharingRules, any_matches, name_any
from router.model.wording.withdrawal import withdrawal
from router.routing.sharing import counting_word
from router.routing.table import RouteTable

SITES_NAMED = 3
"""Named for one rule; the others are only counted."""


class LeftOut(msgspec.Struct, frozen=True):
    """``why``: the rules and the sites that they leave out, in sentences. ``let_in``: the commands
    that let those in. Both are empty if no rule leaves out a site with room."""

    why: str = ""
    let_in: str = ""


NOTHING: Final = LeftOut()


Lack = Literal["room", "target"]
"""Requests found no site with room, or none with a ready target."""


class LeftOutFacts(msgspec.Struct, frozen=True, kw_only=True):
    """``rules`` are this site's, by ids; ``imports`` its import rule as configured.

    ``lacks``: for want of a ready target, no rule is to blame that lets in the nearest site with
    one. ``heard``: the last load report of another router; None: there was none. ``shows_room``:
    show how much a site would take now, which changes with each request. ``removal``: the command
    that removes this site's declaration where `service delete` refuses to.
    """

    key: ServiceKey
    table: RouteTable
    explanation: Explanation
    rules: SharingRules = SharingRules()
    imports: tuple[str, ...] = ()
    heard: Callable[[RouterId], LoadReport | None] = lambda router: None
    shows_room: bool = True
    removal: str = ""
    lacks: Lack = "room"

    def shown(self, name: str, free: int | None) -> str:
        """``far (50 free)``. ``free`` None: no capacity is configured there."""
        if not self.shows_room:
            return name
        return f"{name} ({'no capacity configured' if free is None else f'{free} free'})"


class _Site(msgspec.Struct, frozen=True):
    """``shown``: its name and its free room."""

    site: SiteId
    name: str
    shown: str


def why_not(report: CandidateReport, explanation: Explanation) -> str:
    """Why a site with targets may not serve the next request; empty: it may, or waits its turn."""
    stands_by = report.verdict == "dearer" and isinstance(explanation.decision, NoChoice)
    return report.reason if stands_by or report.verdict == "excluded" else ""


def left_out(facts: LeftOutFacts) -> LeftOut:
    """The rules and commands in words. O(candidates of the service port)."""
    found = [
        *_by_own_rules(facts),
        *_by_others(facts),
        *_by_bars(facts),
        *_by_policy(facts),
        *_by_isolation(facts),
    ]
    return LeftOut(
        " ".join(f"{one.why}." for one in found),
        ". ".join(dict.fromkeys(one.let_in for one in found)),
    )


def _by_own_rules(facts: LeftOutFacts) -> Iterator[LeftOut]:
    """Sites that offer targets to this one, which does not use them."""
    table, service = facts.table, facts.key.name
    own = table.party(table.site).shown
    unused = {
        one.site: one
        for one in table.candidates.get(facts.key, ())
        if one.unused and not one.draining
    }
    found = list(_with_room(facts, unused))
    imports = facts.rules.of(service).import_from
    barred = [one for one in found if not name_any(imports, table.party(one.site))]
    if barred:
        named = ",".join((*facts.imports, *(one.name for one in barred)))
        command = f"sitectl service set {service} --import-from {shlex.quote(named)}"
        yield LeftOut(
            f"importFrom of {own} leaves out {_listed(barred)}", f"{_let_in(barred)}: {command}"
        )
    for one in found[:SITES_NAMED]:
        if one not in barred:
            yield _unused(facts, one, unused[one.site])


def _unused(facts: LeftOutFacts, one: _Site, candidate: RemoteCandidate) -> LeftOut:
    table, service = facts.table, facts.key.name
    declared, owner = table.declarations.get(service), table.owners.get(service)
    if not candidate.barred:
        protocol = declared.declaration.spec.protocol if declared is not None else "PROTOCOL"
        alike = f"At {one.name}: sitectl service set {service} --protocol {protocol}"
        alike_too = {
            other.site
            for other in table.candidates[facts.key]
            if other.serves
            == protocol  # At an edge, `conflicts` has sites that its neighbor names.
        }
        rivals = {*declared.conflicts} - alike_too if declared is not None else set()
        if declared is not None and owner is not None and {*owner.sites} & rivals:
            theirs = ", ".join(table.party(site).shown for site in owner.sites)
            if declared.site == table.site:
                alike = f"Leave the name to {theirs}: {facts.removal or withdrawal(service)}"
            elif declared.site not in owner.sites:  # The neighbor, which this edge follows.
                at = table.party(declared.site).shown
                alike = f"At {at} leave the name to {theirs}: {withdrawal(service, 'there')}"
        return LeftOut(f"{one.shown} is left out: {candidate.differs}", alike)
    owners = counting_word(table.site, owner, declared)[0] or (table.site,)
    named = ", ".join(table.party(site).shown for site in owners)
    command = f"sitectl service grant {service} --site {one.name} --offer"
    return LeftOut(
        f"Strict sharing leaves out {one.shown}: {named} owns {service} and has not granted it",
        f"At {named}: {command}" if owners != (table.site,) else f"{_let_in([one])}: {command}",
    )


def _with_room(
    facts: LeftOutFacts, sites: Container[SiteId], verdict: str = "excluded"
) -> Iterator[_Site]:
    """The ``sites`` with room that the balancer passed over for ``verdict``."""
    for one in facts.explanation.candidates:
        if one.site in sites and one.verdict == verdict and one.targets_ready and one.free != 0:
            yield _Site(one.site, one.site_name, facts.shown(one.site_name, one.free))


def _by_others(facts: LeftOutFacts) -> Iterator[LeftOut]:
    """Sites that have targets but do not offer them to this one."""
    table, service = facts.table, facts.key.name
    own = table.party(table.site)
    withheld = [one for one in table.withheld.get(facts.key, ()) if one.targets_ready]
    found: dict[SiteId, _Site] = {}
    for one in withheld:
        free = _free(one, facts.heard(one.router))
        if not one.draining and not name_any(one.export_to, own) and free != 0:
            shown = facts.shown(one.site_name, free)
            found.setdefault(one.site, _Site(one.site, one.site_name, shown))
    for site in list(found.values())[:SITES_NAMED]:
        yield LeftOut(
            f"exportTo of {site.shown} leaves out {own.shown}",
            f"At {site.name}: sitectl service grant {service} --site {own.shown} --call",
        )
    terms = table.terms.get(table.site)
    if terms is not None and not any_matches(terms.import_, service) and withheld:
        yield LeftOut(
            f"The token that let {own.shown} in does not allow {service}: other sites have targets",
            "At the site that made that token: sitectl token create FILE --allow-services "
            f"{service}",
        )


def _by_bars(facts: LeftOutFacts) -> Iterator[LeftOut]:
    """Sites with room that bar this one. If one revoked this site's access, it also refuses
    requests that come by another way; only that site knows."""
    table = facts.table
    barring = table.barring
    if not barring:
        return
    own = table.party(table.site).shown
    found = [
        _Site(one.site, one.site_name, facts.shown(one.site_name, one.free))
        for one in facts.explanation.candidates
        if one.site in barring
        and one.verdict in ("chosen", "dearer", "not-chosen")
        and one.targets_ready
        and one.free != 0
    ]
    for one in found[:SITES_NAMED]:
        yield LeftOut(
            f"{one.shown} bars {own}",
            f"To let {own} in again, on {one.name} run: sitectl token create FILE",
        )


def _free(candidate: RemoteCandidate, heard: LoadReport | None) -> int | None:
    """Free room by its last report; a site without a report has all of its capacity free."""
    if heard is None:
        return candidate.capacity
    if not heard.targets_ready:
        return 0
    slots = None if heard.capacity is None else max(0, heard.capacity - heard.in_flight)
    if heard.rate is None:
        return slots
    return heard.rate.permits if slots is None else min(slots, heard.rate.permits)


def _by_policy(facts: LeftOutFacts) -> Iterator[LeftOut]:
    """Sites that are on standby under `failover`."""
    if facts.explanation.policy != "failover" or facts.lacks == "target":
        return
    sites = {one.site for one in facts.explanation.candidates}
    found = list(_with_room(facts, sites, "dearer"))
    if found:
        yield LeftOut(
            f"Policy failover leaves out {_listed(found)} while a nearer site has a ready target",
            f"{_where_declared(facts, found)}: sitectl service set {facts.key.name} --policy fill",
        )


def _by_isolation(facts: LeftOutFacts) -> Iterator[LeftOut]:
    """Sites that isolation closes to requests of this site's clients (`PolicySpec.isolation`)."""
    table, service = facts.table, facts.key.name
    declared = table.declarations.get(service)
    isolation = "none" if declared is None else declared.declaration.spec.policy.isolation
    if isolation == "none" or (isolation == "nearest" and facts.lacks == "target"):
        return
    offered = table.candidates.get(facts.key, ())
    found = list(_with_room(facts, {one.site for one in offered if not one.unused}))
    if found:
        yield LeftOut(
            f"Isolation {isolation} leaves out {_listed(found)}",
            f"{_where_declared(facts, found)}: sitectl service set {service} --isolation none",
        )


def _listed(sites: Sequence[_Site]) -> str:
    """``far (50 free), hub (3 free) and 2 more sites``."""
    shown = ", ".join(one.shown for one in sites[:SITES_NAMED])
    more = len(sites) - SITES_NAMED
    return shown if more <= 0 else f"{shown} and {more} more site{'s' if more > 1 else ''}"


def _where_declared(facts: LeftOutFacts, sites: Sequence[_Site]) -> str:
    """The start of a hint: the command works only at the site that declares the service."""
    elsewhere = facts.table.declared_elsewhere(facts.key.name)
    return f"At {elsewhere}" if elsewhere else _let_in(sites)


def _let_in(sites: Sequence[_Site]) -> str:
    return f"Let {sites[0].name} in" if len(sites) == 1 else "Let them in"
