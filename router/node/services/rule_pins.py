"""Names of sites in rules, each resolved once to the id of one site, and remembered on disk.

A site may choose any name. So once a rule's name is resolved, the rule keeps meaning the site that
had that name then. A name of no site, or of more than one, is pending and matches no site.
"""

from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from router.model.events import Note, Tell
from router.model.ids import SiteId, is_site_id
from router.model.limits import RULE_NOTES_MAX
from router.model.rights.grants import ServiceGrant, first_end, in_force
from router.model.rights.sharing import (
    ALL,
    SHORT_ID_CHARS,
    Sharing,
    SharingRules,
    names_one_site,
    pinned,
)
from router.node.services.ports import Keeper
from router.routing.table import RouteTable


class Resolved(msgspec.Struct, frozen=True):
    """``rules`` name sites by ids and patterns alone. ``pins``: the names that were given, with
    their ids. ``pending``: names without a known id, with the services whose rules name them."""

    rules: SharingRules
    pins: Mapping[str, SiteId]
    pending: Mapping[str, tuple[str, ...]]


def resolved(
    rules: SharingRules,
    pins: Mapping[str, SiteId],
    names: Mapping[str, SiteId],
    *,
    unix: float = 0.0,
    keeps_names: bool = False,
) -> Resolved:
    """``rules`` by earlier resolutions, else by the present ``names``. Pure.

    ``keeps_names``: a pending name stays in the rule instead of being dropped. Grants that ended at
    ``unix`` seconds are left out.
    """
    used: dict[str, SiteId] = {}
    pending: dict[str, list[str]] = {}

    def ids(service: str, patterns: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if patterns is None:
            return None
        found: list[str] = []
        for pattern in patterns:
            known = pinned(pattern)
            if known is not None:
                found.append(known[1])
            elif not names_one_site(pattern):
                found.append(pattern)
            elif (site := pins.get(pattern) or names.get(pattern)) is not None:
                used[pattern] = site
                found.append(site)
            else:
                if service not in pending.setdefault(pattern, []):
                    pending[pattern].append(service)
                if keeps_names:
                    found.append(pattern)
        return tuple(dict.fromkeys(found))

    def grants(service: str, given: tuple[ServiceGrant, ...]) -> tuple[ServiceGrant, ...]:
        return tuple(
            replace(grant, site=SiteId(site))
            for grant in in_force(given, unix)
            for site in ids(service, (grant.site,)) or ()
            if is_site_id(site)
        )

    services = {
        service: Sharing(
            ids(service, rule.export_to),
            ids(service, rule.import_from),
            grants(service, rule.grants),
        )
        for service, rule in sorted(rules.services.items())
    }
    return Resolved(
        SharingRules(services, rules.strict),
        used,
        {name: tuple(services) for name, services in sorted(pending.items())},
    )


def names_of(table: RouteTable) -> dict[str, SiteId]:
    """The known site that a name means: no other known site claims the name, reached or not."""
    found: dict[str, SiteId | None] = {}
    for site, route in table.sites.items():
        name = route.name.removesuffix(f"@{site[:SHORT_ID_CHARS]}")
        for one in (name, f"{name}@{site[:SHORT_ID_CHARS]}"):
            found[one] = site if one not in found else None
    return {name: site for name, site in found.items() if site is not None}


class RulePins:
    """The sites that names in the rules of this site mean."""

    __slots__ = ("_ends_at", "_is_edge", "_keeper", "_pins", "_tell", "_unix", "pending")

    def __init__(
        self, keeper: Keeper, tell: Tell, unix: Callable[[], float], *, is_edge: bool = False
    ) -> None:
        """``unix``: the wall clock's seconds. ``is_edge``: it knows only sites that it uses, and
        its neighbor judges by the rest."""
        self._keeper, self._tell, self._unix, self._is_edge = keeper, tell, unix, is_edge
        self._ends_at: int | None = None  # When the next grant ends.
        self._pins: Mapping[str, SiteId] = {}
        self.pending: Mapping[str, tuple[str, ...]] = {}
        """Names without an id, with the services whose rules name them."""

    def resolve(self, rules: SharingRules, table: RouteTable) -> SharingRules:
        """``rules`` by ids. A resolved name keeps its id as long as a rule has the name."""
        if not rules.services:
            self.pending, self._ends_at = {}, None
            self._keep({})
            return rules
        kept = self._keeper.rule_pins()
        names = names_of(table) if self._keeper.leads else {}
        unix = self._unix()
        found = resolved(rules, kept, names, unix=unix, keeps_names=self._is_edge)
        self.pending = found.pending
        for name, site in sorted(found.pins.items()):
            if name not in kept:
                text = f"In rules of this site {name} means site {site} from now on."
                self._tell("info", "rule-pinned", name, text)
        self._keep(found.pins)
        given = (grant for rule in rules.services.values() for grant in rule.grants)
        self._ends_at = first_end(given, unix)
        return found.rules

    @property
    def may_change(self) -> bool:
        """Whether `resolve` may give another result now for the same rules: a grant ended, or a
        name that no site had may belong to one by now."""
        return bool(self.pending) or (self._ends_at is not None and self._unix() >= self._ends_at)

    def sites_of(self, patterns: tuple[str, ...] | None) -> dict[str, str]:
        """By name, the id that each of ``patterns`` means; empty: it is pending."""
        found: dict[str, str] = {}
        for pattern in patterns or ():
            known = pinned(pattern)
            if known is not None:
                found[known[0]] = known[1]
            elif names_one_site(pattern):
                found[pattern] = self._pins.get(pattern, "")
        return found

    def notes(self, table: RouteTable, given: SharingRules) -> list[Note]:
        """Names that match no site, and sites with a name that means another site."""
        pending = [
            _pending(name, services)
            for name, services in (() if self._is_edge else self.pending.items())
            if name not in table.name_conflicts  # A problem instead: SW0318.
        ]
        bearers: dict[str, list[SiteId]] = {}
        for site, route in table.sites.items():
            name = route.name.removesuffix(f"@{site[:SHORT_ID_CHARS]}")
            bearers.setdefault(name, []).append(site)
        meant: dict[str, str] = {}
        for rule in given.services.values():
            meant |= self.sites_of(rule.export_to) | self.sites_of(rule.import_from)
            meant |= self.sites_of(tuple(grant.site for grant in rule.grants))
        others = [
            _other(name, site, bearer)
            for name, site in sorted(meant.items())
            for bearer in bearers.get(name, ())
            if site and bearer != site
        ]
        return [*pending, *others][:RULE_NOTES_MAX]

    def _keep(self, pins: Mapping[str, SiteId]) -> None:
        self._pins = pins
        self._keeper.keep_rule_pins(pins)


def _pending(name: str, services: tuple[str, ...]) -> Note:
    rules = ", ".join("all services" if one == ALL else one for one in services[:3])
    return Note(
        severity="warning",
        code="SW0345",
        message=f"The rules of {rules} name {name}, which is the name of no site that is known, or "
        "of several: it matches no site until one site alone bears it.",
        hint="Name it by its id: sitectl network status, then NAME@ID in the rule",
    )


def _other(name: str, site: str, bearer: SiteId) -> Note:
    short = SHORT_ID_CHARS
    return Note(
        severity="warning",
        code="SW0346",
        message=f"Site {bearer[:short]} calls itself {name}, which means site {site[:short]} in "
        "rules of this site: they do not mean the other one.",
        hint=f"If it is meant to: sitectl service set SERVICE, with {name}@{bearer}",
    )
