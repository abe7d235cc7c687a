"""The route table, in which the data path looks up routes. Immutable, swapped whole; `build` makes
it."""

from collections.abc import Mapping

import msgspec

from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import Declaration, RemoteCandidate
from router.model.paths import Path
from router.model.rights.owners import Owner
from router.model.rights.sharing import SHORT_ID_CHARS, Party, SharingRules, Terms, name_any
from router.routing.bars import BarRow
from router.routing.declared import Claim, Declared


class SiteRoute(msgspec.Struct, frozen=True, kw_only=True):
    """How a site is reached: over its cheapest reachable router.

    Our own site is in the table too: cost 0, one empty path, no next hops. Not reachable: cost None
    and no paths; ``is_too_far``: because it is beyond the longest path. ``neighbours`` are sites
    joined to it both ways, at the least cost.
    """

    site: SiteId
    name: str  # NAME, or NAME@first 8 of the id while two sites have that name.
    router: RouterId
    path_cost: int | None
    paths: tuple[Path, ...]
    next_hops: tuple[RouterId, ...]
    neighbours: tuple[tuple[SiteId, int], ...]
    version: str
    reachable: bool
    draining: bool
    is_too_far: bool = False
    is_going: bool = False
    """It reported that it is deleted, and is still reached."""


class RouteTable(msgspec.Struct, frozen=True, kw_only=True):
    """``candidates`` are remote routers with a connector, sorted by (path cost, site, router).

    ``next_hops`` has all cheapest next hops per router, ``epochs`` the epoch of each reachable
    router, ``adjacencies`` our neighbors whose link is up, ``routers`` the site of each known
    router (at an edge: of each in its neighbor's table). ``withheld`` are candidates that are not
    offered to this site. ``claims`` has all declarations of names for which other sites may see a
    different one than we do, the preferred one first. ``idle`` has the declarations of names of
    which none counts: the owner declares nothing. ``refused``: for names of which none counts, the
    sites whose declaration is offered to this one but not named by its import rule, the nearest
    first. ``terms`` of the sites that were let in on terms. ``is_leaf``: this site is one of them,
    so nothing of others leads across it. ``grants_end``: Unix seconds at which the next grant of an
    owner ends; None: none does. ``barred``: by service, the sites that declare it and are put out,
    or barred and not reached. ``deleted``: sites that reported so before they went; ``sites`` no
    longer has them. ``bars`` are those that any site publishes. ``put_out``: sites whose
    declarations and targets count for nothing here, ``void`` those declarations. ``partly``: sites
    that are reached, and one of whose routers is not and may declare what the others do not.
    ``outdated``: by service, the owners that this site knows a later declaration of.
    """

    generation: int
    site: SiteId
    sites: dict[SiteId, SiteRoute]
    candidates: dict[ServiceKey, tuple[RemoteCandidate, ...]]
    declarations: dict[str, Declared]
    name_conflicts: tuple[str, ...]
    next_hops: dict[RouterId, frozenset[RouterId]]
    epochs: dict[RouterId, int]
    adjacencies: tuple[RouterId, ...]
    routers: dict[RouterId, SiteId] = {}
    withheld: dict[ServiceKey, tuple[RemoteCandidate, ...]] = {}
    claims: dict[str, tuple[Claim, ...]] = {}
    idle: dict[str, tuple[Claim, ...]] = {}
    refused: Mapping[str, tuple[SiteId, ...]] = {}
    owners: Mapping[str, Owner] = {}
    grants_end: int | None = None
    terms: Mapping[SiteId, Terms] = {}
    is_leaf: bool = False
    bars: tuple[BarRow, ...] = ()
    barred: Mapping[str, tuple[SiteId, ...]] = {}
    put_out: frozenset[SiteId] = frozenset()
    void: tuple[Declaration, ...] = ()
    deleted: frozenset[SiteId] = frozenset()
    partly: frozenset[SiteId] = frozenset()
    outdated: Mapping[str, tuple[SiteId, ...]] = {}

    def next_hop_is_cheapest(self, origin_router: RouterId, neighbour: RouterId) -> bool:
        """Whether a cheapest path to ``origin_router`` starts at ``neighbour``."""
        return neighbour in self.next_hops.get(origin_router, ())

    @property
    def barring(self) -> frozenset[SiteId]:
        """The sites that bar this one: those that revoked its access refuse its requests."""
        return frozenset(row.by for row in self.bars if row.site == self.site)

    def bar_names(self, site: SiteId) -> list[str]:
        """Names of the sites that bar ``site``."""
        return sorted(self.party(row.by).shown for row in self.bars if row.site == site)

    def declarers(self, service: str) -> frozenset[SiteId]:
        """The sites whose declaration of ``service`` counts here, or would if they newly owned
        it."""
        counts, idle = self.declarations.get(service), self.idle.get(service, ())
        shown = () if counts is None else (counts.site, *counts.conflicts, *counts.alike)
        old = self.outdated.get(service, ())
        return frozenset((*shown, *old, *(claim.site for claim in idle)))

    def has_outdated(self, site: SiteId) -> bool:
        """Whether ``site`` has a declaration older than the one that this site knows."""
        return any(site in sites for sites in self.outdated.values())

    def all_declarers(self, service: str) -> frozenset[SiteId]:
        """The `declarers`, and the sites that declare ``service`` only for others or against this
        site's rules."""
        claims = self.claims.get(service, ())
        return self.declarers(service).union(claim.site for claim in claims)

    def has_other_protocol(self, counts: Declared) -> bool:
        """Whether any router declares the name of ``counts`` by another protocol, seen here or not:
        sites where that counts refuse requests by the one of ``counts``."""
        name, protocol = counts.declaration.name, counts.declaration.spec.protocol
        return any(
            claim.declaration.spec.protocol != protocol for claim in self.claims.get(name, ())
        )

    def declared_elsewhere(self, service: str) -> str:
        """The site that declares the service and so alone may change its settings; empty: this one
        may."""
        declared = self.declarations.get(service)
        if declared is None or self.site in (declared.site, *declared.alike):
            return ""
        return self.party(declared.site).shown

    def path_to(self, router: RouterId) -> Path | None:
        """A cheapest path to ``router``, if that router is the one by which its site is reached."""
        for route in self.sites.values():
            if route.router == router and route.paths and route.path_cost:
                return route.paths[0]
        return None

    def candidate(self, router: RouterId, key: ServiceKey) -> RemoteCandidate | None:
        """The candidate of ``router``, even if offered only to other sites; None: unknown."""
        for candidate in self.everywhere(key):
            if candidate.router == router:
                return candidate
        return None

    def taking_nothing(self, key: ServiceKey) -> tuple[list[SiteId], list[SiteId]]:
        """Other sites with targets of ``key`` that take nothing new, the cheapest first: those that
        stop, and those where an operator drained it, which send no ready targets."""
        remotes = [one for one in self.candidates.get(key, ()) if one.draining and not one.unused]
        remotes.sort(key=lambda one: (one.path_cost, one.site))
        stops = {site for site, route in self.sites.items() if route.draining}
        each = dict.fromkeys(one.site for one in remotes)
        stopping = {one.site for one in remotes if one.targets_ready or one.site in stops}
        return (
            [site for site in each if site in stopping],
            [site for site in each if site not in stopping],
        )

    def everywhere(self, key: ServiceKey) -> tuple[RemoteCandidate, ...]:
        """All candidates of ``key``, including those offered only to other sites."""
        here, withheld = self.candidates.get(key, ()), self.withheld.get(key)
        return here + withheld if withheld else here

    def name_of(self, site: SiteId, given: str) -> str:
        """The name of ``site`` in texts, unique among the sites known here.

        ``given``: the site's own name, for a site that is not known here yet. If a reached site
        has the same name, the ID is added.
        """
        route = self.sites.get(site)
        if route is not None:
            return route.name
        is_shared = any(
            one.reachable and one.name.partition("@")[0] == given for one in self.sites.values()
        )
        return f"{given}@{site[:SHORT_ID_CHARS]}" if site and is_shared else given

    def is_withheld(self, site: SiteId, service: str, rules: SharingRules) -> bool:
        """Whether only this site declares ``service``, and its ``rules`` hide that from
        ``site``."""
        declared = self.declarations.get(service)
        if declared is None or declared.site != self.site or declared.alike or site == self.site:
            return False
        return not name_any(rules.of(service).told_to, self.party(site))

    def party(self, site: SiteId) -> Party:
        """``site`` as rules see it; an unknown site can only be named by its id."""
        route = self.sites.get(site)
        return Party(site, route.name) if route else Party(site, f"@{site[:SHORT_ID_CHARS]}")
