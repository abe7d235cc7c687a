"""Owners of names, as shown to operators: problems with them, and an operator's decision."""

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import Final

from router.admin.endpoints.names import NameView
from router.admin.ports import CommandRefused
from router.model.events import Problem, Tell
from router.model.ids import SiteId
from router.model.limits import LSA_MAX_AGE_S, OWNER_WITHDRAWN_S
from router.model.rights.owners import Owner
from router.model.rights.sharing import names_site
from router.model.wording.withdrawal import withdrawal
from router.net.ports import Network
from router.node.services.ports import SharedOwners
from router.routing.core import RoutingCore
from router.routing.declared import Claim, Declared
from router.routing.edges.edge import Routing
from router.routing.events import RoutingEvent
from router.routing.names import Names
from router.routing.table import RouteTable

SITES_NAMED: Final = 8
"""In a sentence; a member can invent any number of sites."""


class NameAdoption:
    """Carries out `sitectl service adopt`. ``take`` carries out the events that routing returns."""

    def __init__(
        self,
        network: Network,
        routing: Routing,
        names: Names,
        take: Callable[[list[RoutingEvent]], None],
        tell: Tell,
    ) -> None:
        self._network, self._routing, self._names = network, routing, names
        self._take, self._tell = take, tell
        self._shared: SharedOwners | None = None

    def share(self, shared: SharedOwners) -> None:
        """Agree with the other routers of this site on the owners of names."""
        routing = self._routing
        if isinstance(routing, RoutingCore):  # At an edge its neighbor decides.
            self._shared = shared
            shared.follow(lambda: routing.owners, self._set)

    def _set(self, owners: Mapping[str, Owner]) -> None:
        routing = self._routing
        assert isinstance(routing, RoutingCore), "no other routing shares"
        self._take(routing.set_owners(owners, self._network.now()))

    def adopt(self, service: str, given: str) -> str:
        """Make the site ``given``, a name or an id, the owner of ``service`` here.

        Returns a message for the operator. Raises CommandRefused.
        """
        routing, table = self._routing, self._routing.table
        if not isinstance(routing, RoutingCore):
            (host, *_) = (*table.adjacencies, "")
            where = self._names.router(host) if host else "the site that it is attached to"
            raise CommandRefused(
                f"this site is an edge: whose {service[:80]} counts is decided at {where}",
                f"There: sitectl service adopt {service[:80]} --from SITE",
            )
        declaring = table.declarers(service)
        if table.site in declaring:
            raise CommandRefused(
                f"service {service[:80]!r} is declared at this site, and that counts here",
                f"{withdrawal(service[:80])}, then adopt it",
            )
        found = [site for site in sorted(declaring) if names_site(given, table.party(site))]
        if not found:
            _refuse_uncounted(table, service, given)
        if len(found) != 1:
            named = ", ".join(self._names.site(site) for site in sorted(declaring))
            raise CommandRefused(
                f"no site {given[:80]!r} declares service {service[:80]!r}"
                if not found
                else f"{given[:80]!r} stands for several sites",
                f"sitectl service adopt {service[:80]} --from SITE, one of: {named}"
                if named
                else "See who declares what: sitectl service status",
            )
        (site,) = found
        name = self._names.site(site)
        owner, counting = table.owners.get(service), table.declarations.get(service)
        if owner is not None and owner.sites == (site,) and counting and counting.site == site:
            return f"{name} owns {service} already."
        self._take(routing.adopt(service, site, self._network.now()))
        if self._shared is not None:
            self._shared.adopted(service)
        self._tell("info", "service-adopted", service, f"{name} owns {service} from now on.")
        return f"{name} owns {service} from now on."

    def names(self) -> list[NameView]:
        """Every name that a site declares, sorted."""
        table = self._routing.table
        shown = [
            NameView(
                name=name,
                declared_by=self._names.site(entry.site),
                owners=self._owners(table, name),
                differing=tuple(map(self._names.site, entry.conflicts)),
            )
            for name, entry in table.declarations.items()
        ]
        shown += [
            NameView(
                name=name,
                declared_by="",
                owners=self._owners(table, name),
                differing=tuple(dict.fromkeys(self._names.site(claim.site) for claim in claims)),
            )
            for name, claims in table.idle.items()
        ]
        return sorted(shown, key=lambda view: view.name)

    def declared_elsewhere(self, name: str) -> str:
        """The other site whose declaration of ``name`` is in force here; empty: this site's is, or
        no site's."""
        table = self._routing.table
        entry = table.declarations.get(name)
        is_here = entry is None or entry.site == table.site
        return "" if is_here or entry is None else self._names.site(entry.site)

    def _owners(self, table: RouteTable, name: str) -> tuple[str, ...]:
        owner = table.owners.get(name)
        return () if owner is None else tuple(map(self._names.site, owner.sites))


def _refuse_uncounted(table: RouteTable, service: str, given: str) -> None:
    """Raise CommandRefused if ``given`` is a site that declares ``service``, and that does not
    count here: as its owner it would leave the name without a declaration."""
    name, own = service[:80], table.party(table.site).shown
    for site in table.barred.get(service, ()):
        if names_site(given, table.party(site)):
            who = table.party(site).shown
            barring = {row.by for row in table.bars if row.site == site} or {table.site}
            by = _named(table, sorted(barring))
            raise CommandRefused(
                f"{who}, which declares service {name!r}, is barred by {by}: nothing of it counts "
                "here",
                f"To let {who} in again, at {by}: sitectl token create FILE",
            )
    for site in sorted(table.all_declarers(service)):
        if names_site(given, table.party(site)):
            who = table.party(site).shown
            raise CommandRefused(
                f"the sharing rules of {own} or {who} keep its declaration of service {name!r} "
                f"from {own}",
                f"See which, at both: sitectl access {shlex.quote(name)}",
            )


def problems_of(
    table: RouteTable, removals: Mapping[str, str], edges: Sequence[SiteId]
) -> list[Problem]:
    """Problems of names that are declared differently, or unusable while their owner is away.

    ``removals``: by service, the command that removes this site's declaration where `service
    delete` refuses to. ``edges``: sites of edges that are attached here.
    """
    found: list[Problem] = []
    for name, entry in table.declarations.items():
        if entry.rivals:
            found.append(_of_rivals(table, name, entry))
        elif entry.conflicts:
            found.append(_of_conflict(table, name, entry, removals.get(name, ""), edges))
    found += [
        _of_idle(table, name, claims)
        for name, claims in table.idle.items()
        if not {*table.owners[name].sites} & {*table.refused.get(name, ())}
    ]
    return found


def _of_conflict(
    table: RouteTable, name: str, entry: Declared, removal: str, edges: Sequence[SiteId]
) -> Problem:
    others, here = _named(table, entry.conflicts), _named(table, [entry.site])
    sites = () if name not in table.owners else table.owners[name].sites
    owners = _named(table, sites)
    hint = (  # The origin of their declarations is not known here.
        f"At {others} make it alike, or delete it: {withdrawal(name, 'there')}. If it is a user's "
        "own object there, that command names the one that works"
    )
    content, own = _content(entry), "owns" if len(sites) == 1 else "own"
    if entry.site != table.site and {*sites} & {*entry.conflicts}:
        # This site is an edge: its neighbor's own declaration counts there and here.
        which = (
            f"in force here is that of {here} ({content}), which this edge follows, but {owners} "
            f"{own} the name"
        )
        give_way = withdrawal(name, "there")
        hint = f"At {here} make it alike, or leave the name to {owners}: {give_way}"
    elif entry.site != table.site:
        who = "owns the name" if entry.site in sites else f"says what {owners} said"
        which = f"in force here is that of {here}, which {who} ({content})"
    elif not sites or {*sites} & {table.site, *entry.alike}:
        which = f"this site uses its own ({content})"
    else:
        followers = [site for site in edges if site not in {*entry.conflicts, *sites}]
        attached = "its edge" if len(followers) == 1 else "its edges"
        follow = f" and {attached} {_named(table, followers)} use" if followers else " uses"
        which = (
            f"this site{follow} its own ({content}), but other sites use that of {owners}, which "
            f"{own} the name"
        )
        give_way = removal or withdrawal(name)
        hint = f"Make yours alike, or leave the name to {owners}: {give_way}"
    return Problem(
        code="SW0304",
        message=f"Service {name} is declared differently by {others}; {which}.",
        hint=hint,
    )


def _of_rivals(table: RouteTable, name: str, entry: Declared) -> Problem:
    here, others = _named(table, [entry.site]), _named(table, entry.rivals)
    return Problem(
        code="SW0340",
        message=f"Service {name} is declared differently by {here} and {others}, and this site "
        f"cannot tell who was first; in force here is the nearer one, that of {here} "
        f"({_content(entry)}).",
        hint=f"Choose: sitectl service adopt {name} --from SITE",
    )


def _of_idle(table: RouteTable, name: str, claims: Sequence[Claim]) -> Problem:
    others = _named(table, dict.fromkeys(claim.site for claim in claims))
    sites = table.owners[name].sites
    owner, adopt = _named(table, sites), f"sitectl service adopt {name} --from SITE"
    if any(site in table.sites and table.sites[site].reachable for site in sites):
        why = "does not declare it now"
        counts = f"If {owner} has just deleted it, that of {others} counts"
        when = f"within {OWNER_WITHDRAWN_S:g} s"
        if not table.partly.isdisjoint(sites):
            when = (
                f"{LSA_MAX_AGE_S / 60:g} min after its router that is out of reach was last heard: "
                "that one may declare it"
            )
        hint = f"{counts} {when}. To decide it: {adopt}"
    else:
        why, hint = "is out of reach", f"If {owner} will not come back: {adopt}"
    return Problem(
        code="SW0341",
        message=f"Service {name} is declared by {others}, but {owner} owns the name and {why}: "
        "nothing is served under it here.",
        hint=hint,
    )


def _named(table: RouteTable, sites: Collection[SiteId]) -> str:
    more = len(sites) - SITES_NAMED
    named = ", ".join(table.party(site).shown for site in islice(sites, SITES_NAMED))
    return named if more <= 0 else f"{named} and {more} more"


def _content(entry: Declared) -> str:
    spec = entry.declaration.spec
    ports = ", ".join(map(str, spec.ports))
    return f"{spec.protocol}, port {ports}, policy {spec.policy.name}"
