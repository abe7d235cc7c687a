"""The services of this site: plans each port, and has the forwarder follow the plan."""

from collections.abc import Callable, Collection, Mapping

from router.balance.site_gate import RateState
from router.documents import Wanted
from router.exchange.forwarder import Forwarder
from router.model.events import Note, Problem, TellOfService
from router.model.ids import ServiceKey, SiteId
from router.model.messages.adverts import Declaration
from router.model.messages.exports import Exports
from router.model.rights.owners import NOBODY, Owner
from router.model.rights.sharing import SharingRules
from router.model.specs import ServiceSpec
from router.model.ticks import next_tick
from router.net.ports import Network
from router.node.services import drain_share, exported_services, lending_notes, unresolved_targets
from router.node.services.applied_services import AppliedServices
from router.node.services.changes import ServiceChanges
from router.node.services.failing_targets import FailingTargets
from router.node.services.grant_watch import GrantWatch
from router.node.services.learned_services import LearntServices
from router.node.services.listeners import shared
from router.node.services.listeners.grants import ListenerGrants, ListenerOffice, MissingListeners
from router.node.services.listeners.switches import ListenerSwitches
from router.node.services.load_exchange import LoadExchange
from router.node.services.other_workers import OtherWorkers
from router.node.services.plan import Planner, PortPlan, Undeclared
from router.node.services.planned import PlannedService
from router.node.services.ports import Keeper
from router.node.services.refused_clients import RefusedClients
from router.node.services.refused_declarations import RefusedDeclarations
from router.node.services.reported_services import ReportedServices
from router.node.services.rule_pins import RulePins
from router.node.services.share_run import ShareRun
from router.node.services.unanswering_sites import UnansweringSites
from router.node.services.unanswering_targets import UnansweringTargets
from router.routing.edges.edge import EdgeRouting, Routing
from router.routing.events import RoutingEvent
from router.routing.sites_behind import holders
from router.routing.table import RouteTable
from router.trust.ports import Credentials

SECOND_S = 1.0


class SiteServices:
    """Owns the plan: wanted state, resolved against the declarations in force everywhere.

    ``take`` carries out routing's events on our adverts; it may call back with `resolve`.
    """

    def __init__(
        self,
        network: Network,
        site: SiteId,
        forwarder: Forwarder,
        routing: Routing,
        load: LoadExchange,
        keeper: Keeper,
        tell: TellOfService,
        take: Callable[[list[RoutingEvent]], None],
        credentials: Credentials,
        shares: ShareRun,
        *,
        service_ttl_s: float,
        listeners_max: int,
        unix: Callable[[], float],
    ) -> None:
        """``listeners_max``: for all services together. ``unix``: the wall clock's seconds."""
        self._network, self._unix = network, unix
        self._site = site
        self._forwarder, self._readings = forwarder, forwarder.readings
        self._routing = routing
        self._load = load
        self._keeper = keeper
        self._take = take
        self._shares = shares
        self._applied = AppliedServices(network, forwarder, credentials, shares)
        self._wanted: Wanted | None = None
        self.rules = SharingRules()  # A plain attribute, since it is hot.
        """This site's sharing rules; each site by its id."""
        self.pins = RulePins(keeper, tell, unix, is_edge=isinstance(routing, EdgeRouting))
        """The sites that names in the rules of the wanted state mean."""
        self._office = ListenerOffice(listeners_max, keeper)
        self._grants = ListenerGrants()
        self._planner = Planner()
        self._reported = ReportedServices(site, routing, keeper)
        self._grant_watch = GrantWatch(unix)
        self._used: set[str] = set()  # Services that may have a listener, or have a connector.
        self._connected: list[ServiceKey] = []  # Those with a connector here, in order.
        self._with_remotes: list[ServiceKey] = []
        self._plan = PortPlan({}, ())
        self._learnt = LearntServices(keeper, service_ttl_s, network.now())
        self._changes = ServiceChanges(tell, lambda key: self._plan.services[key].way_back)
        self._judges = True
        self._unanswering = UnansweringTargets(forwarder, tell)
        self._unanswering_sites = UnansweringSites(forwarder, tell)
        self._failing = FailingTargets(forwarder.readings.targets, forwarder.ports)
        self.clients = RefusedClients(
            lambda: forwarder.readings.refused_clients, tell, self._connections_per_source
        )
        self._switches = ListenerSwitches(tell)
        forwarder.entry.follow_choices(self._look_at_choice)
        self._refused = RefusedDeclarations(tell)
        self._second_timer = network.call_at(network.now(), self._each_second)
        self._draining = self._finished = False
        self._heard: tuple[dict[str, Declaration], ListenerGrants] = ({}, self._grants)
        self._exports: Exports = {}
        self._hear_declared: Callable[[Mapping[str, ServiceSpec], Exports], None] | None = None
        self._asked_in_vain: Callable[[], Collection[ServiceKey]] = tuple
        self._rates: Callable[[], Mapping[ServiceKey, RateState]] = self._readings.rate_states

    def follow_declared(self, hear: Callable[[Mapping[str, ServiceSpec], Exports], None]) -> None:
        """Call ``hear`` with the services of the network, and their exports, whenever these
        change."""
        self._hear_declared = hear

    def judge_with(self, others: OtherWorkers) -> None:
        """Judge targets, and sites that owe answers, also by the counts of this router's other
        workers."""
        self._unanswering.judge_with(others)
        self._unanswering_sites.judge_with(others)
        self._failing.judge_with(others)

    def leave_judging(self) -> None:
        """Another worker judges targets and sites."""
        self._judges = False

    def follow_refusals(self, asked_in_vain: Callable[[], Collection[ServiceKey]]) -> None:
        """``asked_in_vain``: service ports that clients recently requested without finding a
        target."""
        self._asked_in_vain = asked_in_vain

    def follow_rates(self, rates: Callable[[], Mapping[ServiceKey, RateState]]) -> None:
        """``rates``: this site's state against the rate of each service port that has one."""
        self._rates = rates

    def _connections_per_source(self, key: ServiceKey) -> int:
        service = self._plan.services.get(key)
        return service.declaration.spec.limits.connections_per_source if service else 0

    @property
    def planned(self) -> Mapping[ServiceKey, PlannedService]:
        """All service ports at this site."""
        return self._plan.services

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Parts of the wanted state that could not be met."""
        return self._plan.problems

    def notes(self) -> list[Note]:
        """Notes on targets here that come and go, or answer nothing or 5xx, on sites that owe
        answers, and on services that are drained."""
        now = self._network.now()
        return [
            *self._unanswering.notes(now),
            *self._unanswering_sites.notes(now),
            *self._failing.notes(self._routing.table.declared_elsewhere),
            *self.clients.notes(),
            *self._changes.unsteady.notes(now),
            *drain_share.notes(self.planned.values()),
            *lending_notes.notes(self.planned.values()),
            *shared.notes(self.planned),
            *unresolved_targets.notes(self.planned.values(), self._network.unresolved_s),
        ]

    @property
    def untold(self) -> str:
        """Why others do not see all services; empty: they do."""
        return self._reported.untold

    @property
    def undeclared(self) -> list[tuple[Undeclared, list[SiteId]]]:
        """Documents naming a service that no site declares, with the other sites that own the
        name."""
        return [(one, self.other_owners_of(one.service)) for one in self._plan.undeclared]

    @property
    def unserved(self) -> list[ServiceKey]:
        """Service ports without a ready target, here or at a site that may serve them.

        Targets of them are bound, and this site declares them or has some of these targets; or its
        clients recently requested them, and were refused. A site that stops misses none.
        """
        if self._draining:
            return []
        wanted = self._wanted
        asked = self._asked_in_vain()
        return [
            key
            for key, service in self._plan.services.items()
            if key in asked
            or (
                (service.has_connector or (wanted is not None and key.name in wanted.services))
                and self._is_bound(key)
            )
            if not self._is_served(key)
        ]

    @property
    def unlistened(self) -> tuple[MissingListeners, ...]:
        """Declarations of other sites beyond their budgets of listeners here."""
        return self._grants.unlistened

    def _is_bound(self, key: ServiceKey) -> bool:
        """Targets of ``key`` are bound, here or at a site that is reached and may serve it."""
        remotes = self._routing.table.candidates.get(key, ())
        return self._plan.services[key].has_connector or any(not one.unused for one in remotes)

    def _is_served(self, key: ServiceKey) -> bool:
        """A target of ``key`` is ready, here or at a site that takes requests."""
        remotes = self._routing.table.candidates.get(key, ())
        return bool(self._readings.load_of(key).targets_ready) or any(
            one.targets_ready for one in remotes if not (one.unused or one.draining)
        )

    def apply(self, wanted: Wanted) -> None:
        """Make the services of ``wanted`` true."""
        self._wanted = wanted
        self._learnt.set_ttl(wanted.site.service_sync_site_ttl_s)
        self._follow_rules(wanted)
        self._refused.look(self._routing.table, wanted.rules)
        self._keeper.keep_declared(frozenset(wanted.services.keys() - wanted.declared_at_s.keys()))
        self.advertise()

    def _follow_rules(self, wanted: Wanted) -> bool:
        """Use the rules of ``wanted`` with the ids that their names mean. False: nothing
        changed."""
        rules = self.pins.resolve(wanted.rules, self._routing.table)
        if rules == self.rules:
            return False
        self._forwarder.forget_offers()
        self.rules = rules
        self._take(self._routing.set_rules(rules, self._network.now()))
        return True

    def advertise(self) -> None:
        """Report to others the declared and ready services; resolve, since the table may follow."""
        self.resolve()
        self.targets_changed()

    def targets_changed(self) -> None:
        """Report to others the declared and ready services; the plan stays as it was."""
        if self._wanted is None:
            return
        self._look_at_changes()
        self._take(
            self._reported.report(
                self._wanted,
                self.rules,
                self._connected,
                self._readings.advertised_targets(),
                self._takes_none,
                self._network.now(),
            )
        )

    def table_changed(self, table: RouteTable) -> None:
        """Remember the declarations of others; `resolve` follows when all events are carried
        out."""
        owners, now = self._routing.owners, self._network.now()
        self._learnt.table_changed(table, owners, self._site, now)
        if self._wanted is not None:
            self._refused.look(table, self._wanted.rules)

    def follow_conflicts(self) -> None:
        """Report to others by which protocol this router serves names that sites declare
        differently, where that changed."""
        if self._reported.is_outdated(self._connected):
            self.targets_changed()

    def introduce(self, name: str, site: SiteId) -> None:
        """``site`` newly offers service ``name``: it gets few requests at first."""
        self._forwarder.ports.introduce(name, site)

    def resolve(self) -> None:
        """Plan again and let the forwarder follow: services, targets, remote sites, listeners.
        After `finish` nothing follows."""
        if self._wanted is None or self._finished:
            return
        declared = self._declared(self._wanted)
        grants = self._grants = self._office.grants(
            self._wanted,
            declared,
            self._origins(declared),
            self._owners,
            lambda: holders(self._routing.table, self._routing.tokens),
        )
        before, self._plan = self._plan, self._planner.plan(self._wanted, declared, grants)
        after = self._plan.services
        is_new = self._plan is not before  # A new table often leaves the plan as it is.
        for key in before.services.keys() - after.keys() if is_new else ():
            self._applied.remove(key)
        if is_new or self._wanted.shares is not None:
            self._shares.divide(self._wanted.shares, after)
            self.follow_shares()
        if is_new:
            self._connected = sorted(key for key, one in after.items() if one.has_connector)
            self._applied.permit(after.values())
            self._load.set_services(self._connected)
            served = {n for n, told in declared.items() if grants.listened(n, told.spec)}
            self._used = served.union(key.name for key in self._connected)
        table = self._routing.table
        candidates = table.candidates
        self._forwarder.ports.set_site_name(table.sites[self._site].name)
        for key in self._with_remotes:  # Most of very many services have none.
            if key not in candidates:
                self._forwarder.ports.set_remotes(key, ())
        self._with_remotes = [key for key in candidates if key in after]
        for key in self._with_remotes:
            self._forwarder.ports.set_remotes(key, candidates[key])
        # After all remotes match the table: a stream that is reset may retry at once.
        self._forwarder.withdraw(*self._grant_watch.look(table, self.rules))
        if is_new:
            self._applied.set_listeners(after)
        self._tell_declared(declared, grants)

    def _tell_declared(self, declared: dict[str, Declaration], grants: ListenerGrants) -> None:
        if self._hear_declared is None:
            return
        own = () if self._wanted is None else self._reported.declarations(self._wanted, self.rules)
        table = self._routing.table
        exports = exported_services.gather(self._site, own, declared, table, self.owners_of)
        if (declared, grants) != self._heard or exports != self._exports:
            self._heard, self._exports = (declared, grants), exports
            specs = {name: grants.listened(name, told.spec) for name, told in declared.items()}
            known = {name: spec for name, spec in specs.items() if spec is not None}
            self._hear_declared(known, exports)

    def follow_shares(self) -> None:
        """Apply the usable parts of shares that changed since they were applied."""
        self._applied.follow_shares(self._plan.services)

    def drain(self) -> None:
        """Report to others that nothing more is taken here."""
        self._draining = True
        self.advertise()

    def finish(self) -> None:
        """The forwarder finishes: new tables give it no sites and no targets back."""
        self._finished = True

    def close(self) -> None:
        """Stop checking and reporting."""
        self._second_timer.cancel()
        if self._wanted is not None:
            self._learnt.keep(self._network.now(), self._used)
            self._office.keep()

    def _declared(self, wanted: Wanted) -> dict[str, Declaration]:
        """Declarations in force: the table's winners, and our own until the table has them."""
        declared = {
            # The site of a remembered declaration is not known, so no rule lets it in.
            name: told
            for name, told in self._learnt.declarations().items()
            if self.rules.of(name).import_from is None
        }
        own = self._reported.declarations(wanted, self.rules)
        declared |= {one.name: one for one in own}
        for name, entry in self._routing.table.declarations.items():
            declared[name] = entry.declaration
        for one in own:
            if self._reported.is_about_to_count(one, declared[one.name]):
                declared[one.name] = one  # Plan once, not twice.
        return declared

    def _origins(self, declared: Mapping[str, Declaration]) -> dict[str, SiteId]:
        """By service, the other site whose declaration is in force."""
        table = self._routing.table.declarations
        own = self._wanted.services if self._wanted is not None else {}
        origins = {name: entry.site for name, entry in table.items() if entry.site != self._site}
        former = declared.keys() - table.keys() - own.keys()
        return origins | self._office.origins_of(former, self._owners)

    @property
    def _owners(self) -> Mapping[str, Owner]:
        """Owners of names. None at an edge: it sees no withdrawal, so its memory may be
        outdated."""
        return NOBODY if isinstance(self._routing, EdgeRouting) else self._routing.owners

    def owners_of(self, service: str) -> tuple[SiteId, ...]:
        """The sites that own the name, as far as this site knows."""
        owner = self._owners.get(service)
        return owner.sites if owner is not None else ()

    def other_owners_of(self, service: str) -> list[SiteId]:
        """Those other than this site."""
        return [site for site in self.owners_of(service) if site != self._site]

    def _takes_none(self, key: ServiceKey) -> bool:
        """This router stops, or an operator drained the service here."""
        planned = self._plan.services.get(key)
        return self._draining or (planned is not None and not planned.takes)

    def _look_at_changes(self) -> None:
        readings = self._readings
        self._changes.look(
            readings.targets.standing(),
            readings.targets.of,
            self._forwarder.listeners.states(),
        )
        self._look_at_switches()

    def _look_at_choice(self, listener: ServiceKey, chosen: ServiceKey) -> None:
        if not self._switches.knows(listener, chosen):
            self._look_at_switches()

    def _look_at_switches(self) -> None:
        if choices := self._applied.choices:
            self._switches.look(choices, self._place_of, self._forwarder.ports.is_served)

    def _place_of(self, key: ServiceKey) -> tuple[str, int] | None:
        planned = self._plan.services.get(key)
        return planned.listen if planned is not None else None

    def _each_second(self) -> None:
        """Store or expire learned declarations, sample demand, retry listeners."""
        now = self._network.now()
        self._second_timer = self._network.call_at(next_tick(now, SECOND_S), self._each_second)
        self._forwarder.sample_demand()
        if self._learnt.forget_old(now):
            self.advertise()
        if self._wanted is not None:
            self._learnt.keep(now, self._used)
            self._office.keep()
        if self.pins.may_change and self._wanted is not None and self._follow_rules(self._wanted):
            self.advertise()
        if (ends := self._routing.table.grants_end) is not None and self._unix() >= ends:
            self._take(self._routing.grants_ended(now))
        self._applied.look_at_credentials(self._plan.services)
        self._changes.look_at_rates(self._rates(), now)
        self._forwarder.sampling.follow_times(now)
        if self._judges:
            self._unanswering.look(now)
            self._unanswering_sites.look(self._routing.table, now)
            self._failing.look(now)
        self.clients.look(now)
        self._look_at_changes()
