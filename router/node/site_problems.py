"""The present problems of this site, gathered from its rooms for `status`."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial

from router.balance.deciding.decisions import Explanation
from router.documents import Wanted
from router.exchange.forwarder import Forwarder
from router.link.links import Links
from router.link.sessions.link_status import LinkStatus
from router.model import limits
from router.model.events import Problem
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.rights.sharing import SharingRules
from router.net.ports import Network
from router.node import name_ownership
from router.node.link_door import LinkDoors
from router.node.news.absent_sites import rows
from router.node.news.message_news import MessageNews
from router.node.news.site_news import SiteNews
from router.node.problems import listener_problems, problems, unserved
from router.node.problems.left_out import NOTHING, LeftOut
from router.node.problems.problems import KnownSites
from router.node.problems.similar_services import SimilarServices
from router.node.services import refused_declarations
from router.node.services.plan import created
from router.node.services.services import SiteServices
from router.node.time_text import short_time, short_times
from router.routing.edges.edge import Routing
from router.routing.names import Names
from router.routing.table import RouteTable
from router.trust.ports import Credentials


class SiteProblems:
    """Reads the rooms at the moment of asking."""

    __slots__ = (
        "_credentials",
        "_doors",
        "_forwarder",
        "_left_out",
        "_links",
        "_messages",
        "_names",
        "_network",
        "_news",
        "_readings",
        "_routing",
        "_services",
        "_similar",
    )

    def __init__(
        self,
        network: Network,
        routing: Routing,
        links: Links,
        forwarder: Forwarder,
        services: SiteServices,
        credentials: Credentials,
        names: Names,
        doors: LinkDoors,
        news: SiteNews,
        messages: MessageNews,
        left_out: Callable[[ServiceKey, Explanation], LeftOut],
    ) -> None:
        """``left_out``: sites that may not serve a service port, without momentary figures."""
        self._network, self._routing, self._links = network, routing, links
        self._forwarder, self._readings = forwarder, forwarder.readings
        self._services, self._credentials = services, credentials
        self._names, self._doors, self._news = names, doors, news
        self._messages = messages
        self._left_out = left_out
        self._similar = SimilarServices()

    def why_unknown(
        self, service: str, wanted: Wanted | None, utc: Callable[[float], str]
    ) -> Problem | None:
        """Why ``service`` is not known here; None: it is, or no reason is known. ``utc``: ISO 8601
        of monotonic seconds."""
        table = self._routing.table
        given = wanted.rules if wanted is not None else SharingRules()
        if service in table.declarations or service in table.idle:
            return None
        known = self._known_sites(table, wanted)
        former = (
            problems.creation_of(one, known)
            for one, _ in self._services.undeclared
            if one.service == service
        )
        last = self._news.last_declarer(service)
        owners = self._last_declarers(service, self._services.other_owners_of(service))
        return refused_declarations.problem_of(table, given, service) or problems.of_unknown(
            service,
            owners,
            known,
            next(former, created(service)),
            short_time(utc(last.since), utc(self._network.now())) if last is not None else "",
        )

    def _last_declarers(self, service: str, owners: Sequence[SiteId]) -> Sequence[SiteId]:
        """The ``owners`` of a name that no site declares for this one; if there are none, who
        declared it last: a site that gave it up, or shows it to others alone. One that is out of
        reach now would not bring it back."""
        last = self._news.last_declarer(service)
        if owners or last is None:
            return owners
        route = self._routing.table.sites.get(last.site)
        is_there = route is not None and route.reachable
        return (last.site,) if is_there or last.site in self._news.deleted else ()

    def problems(
        self, config: Sequence[Problem], wanted: Wanted | None, utc: Callable[[float], str]
    ) -> tuple[Problem, ...]:
        """All problems that need a person; ``config``: those of the documents, ``utc``: ISO 8601 of
        monotonic seconds."""
        table = self._routing.table
        rules = wanted.rules if wanted is not None else SharingRules()
        undeclared = [
            (one, self._last_declarers(one.service, owners))
            for one, owners in self._services.undeclared
        ]
        return (
            *config,
            *problems.of_undeclared(undeclared, self._known_sites(table, wanted), rules),
            *refused_declarations.problems_of(table, rules),
            *self._services.problems,
            *unserved.problems_of(self._unserved(table, utc), utc),
            *problems.of_router(
                self._doors.error,
                self._news.duplicate_identity.problem(utc) or self._links.refused_as_copy,
                self._services.untold,
            ),
            *problems.of_copies(self._links.copies_kept_out),
            *self._of_neighbours(utc),
            *self._news.faults.problems(self._network.now(), utc),
            *self._messages.problems(),
            *listener_problems.of_listeners(self._forwarder.listeners.states()),
            *listener_problems.of_listener_budgets(self._services.unlistened, self._names.site),
            *self._credentials.service_tls_problems(),
            *name_ownership.problems_of(
                table,
                wanted.service_removals if wanted is not None else {},
                self._routing.edge_sites,
            ),
            *problems.of_table(table),
            *problems.of_rules(self._services.pins.pending, table),
            *self._of_weights(wanted, table),
            *problems.of_edge(self._routing.left_out),
        )

    def _known_sites(self, table: RouteTable, wanted: Wanted | None) -> KnownSites:
        all_up = _are_up(self._links.status())
        similar = partial(self._similar.to, names=table.declarations.keys())
        ports_collide = wanted is None or wanted.inner_ports is None
        return KnownSites(
            table, self._names.site, self._news.deleted, all_up, similar, ports_collide
        )

    def _of_weights(self, wanted: Wanted | None, table: RouteTable) -> Sequence[Problem]:
        if wanted is None:
            return ()
        is_edge = wanted.site.router_mode == "edge"
        return problems.of_weights(wanted.services, table, knows_all=not is_edge)

    def _unserved(
        self, table: RouteTable, utc: Callable[[float], str]
    ) -> Iterator[unserved.UnservedPort]:
        """Service ports without a ready target that concern this site."""
        links, time = self._links.status(), short_times(utc, utc(self._network.now()))
        links_not_up = [
            line.name
            for line in map(self._news.deleted.seen, links)
            if line.direction == "outgoing"
            and line.state not in ("up", "draining")
            and line.error_code != "deleted"
        ]
        for key in self._services.unserved:
            explanation = self._readings.explain(key, self._network.now())
            left = NOTHING if explanation is None else self._left_out(key, explanation)
            remotes = [one for one in table.candidates.get(key, ()) if not one.unused]
            remotes.sort(key=lambda one: (one.path_cost, one.site))
            stopping, drained = table.taking_nothing(key)
            others = {*stopping, *drained}
            elsewhere = [one.site for one in remotes if one.site not in others]
            absent = self._news.absent.of(key)
            in_flight = self._readings.in_flight_elsewhere(key)
            planned = self._services.planned.get(key)
            is_drained = planned is not None and not planned.takes
            gone = rows(key, absent, table, links, time, in_flight, self._services.rules)
            yield unserved.UnservedPort(
                key=key,
                targets=[one for one in self._readings.targets.of(key) if not one.leaving],
                is_bound=planned is not None and planned.has_connector,
                elsewhere=self._names_of(elsewhere, table),
                stopping=self._names_of(stopping, table),
                drained=self._names_of(drained, table),
                gone=[one for one in gone if not (left.why and one.verdict == "not-allowed")],
                owners=self._names_of(self._services.owners_of(key.name), table),
                left_out=left,
                take_all=planned.way_back if planned is not None and is_drained else "",
                links_not_up=links_not_up,
                all_links_up=_are_up(links),
            )

    def _names_of(self, sites: Iterable[SiteId], table: RouteTable) -> list[str]:
        """Names of other sites, each once."""
        return [self._names.site(site) for site in dict.fromkeys(sites) if site != table.site]

    def _of_neighbours(self, utc: Callable[[float], str]) -> list[Problem]:
        routing = self._routing
        held = {self._names.router(router): at for router, at in routing.held.items()}
        held_by = map(self._names.router, self.held_by_neighbours())
        full = map(self._names.router, self.full_neighbours())
        refused = (
            name or self._names.router(router) for router, name in routing.without_room.items()
        )
        unstated = [self._names.router(router) for router in routing.unstated]
        return [
            *problems.of_flapping(held, held_by, utc),
            *problems.of_room(refused, full, *routing.crowd),
            *problems.of_terms(unstated),
        ]

    def held_by_neighbours(self) -> frozenset[RouterId]:
        """Neighbors that hold back a link that has been up for a second or longer."""
        return self._up_for_long(self._routing.held_by)

    def full_neighbours(self) -> frozenset[RouterId]:
        """Neighbors without room for the link to this router, which has been up for a second or
        longer."""
        return self._up_for_long(self._routing.full_neighbours)

    def _up_for_long(self, routers: Collection[RouterId]) -> frozenset[RouterId]:
        """Those of ``routers`` whose link here has been up for long enough to count there, and is
        heard: a silent one may be down there already."""
        if not routers:
            return frozenset()
        before = self._network.now() - limits.LINK_COUNTS_S
        up = {
            line.neighbour_router
            for line in self._links.status()
            if line.state == "up" and line.since <= before and not line.silent_s
        }
        return frozenset(router for router in routers if router in up)


def _are_up(links: Sequence[LinkStatus]) -> bool:
    """There are links, and all of them are up."""
    return bool(links) and all(line.state == "up" for line in links)
