"""The forwarding of one router, as `node` sees it: wanted state in, figures out."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import partial
from itertools import islice

from router.balance.answer_streaks import NoAnswer
from router.balance.decisions import Decision, Explanation, NoChoice
from router.balance.demand import ScaleFigures
from router.balance.egresses import OWN_ROUTER
from router.balance.knees import LatencyLevel
from router.balance.saturation import Totals
from router.balance.site_ejection import SiteEjections, SiteNews
from router.balance.site_gate import RateState
from router.balance.spills import LocalTargets
from router.balance.target import TargetState
from router.exchange.clients.client_connection import ClientConnection
from router.exchange.clients.listeners import Listeners, ListenerState, Where
from router.exchange.clients.sessions import Session, Sessions
from router.exchange.observers import Flow, Observing
from router.exchange.ports import NoTls, TargetConfig
from router.exchange.pressure import Pressure
from router.exchange.recent_requests import RequestRecord
from router.exchange.services.figures import (
    NO_LOAD,
    Left,
    Load,
    PortReading,
    QueueNow,
    ServiceSnapshot,
    Spills,
    TargetInfo,
)
from router.exchange.services.service import Service, Surroundings
from router.exchange.services.service_figures import Stated
from router.exchange.sites.offers import Offers
from router.exchange.sites.refused_messages import RefusedMessages
from router.exchange.targets.target_answers import TargetAnswers
from router.exchange.trials import Trial, Trials
from router.exchange.under_way import UnderWay
from router.link.ports import StreamOpener
from router.model import limits
from router.model.adverts import LoadReport, RemoteCandidate
from router.model.capacity import SiteCap
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.settings import ServiceLimits
from router.model.specs import ServiceProtocol, ServiceSpec
from router.net.ports import Connection, ConnectionHandler, Network, Timer, Tls

UNDECLARED = ServiceSpec(ports=())
REST_SAMPLES = limits.DEMAND_WINDOW_S + limits.UNSERVED_S_MAX
"""As many seconds after the last stream, demand is nothing, and has left what is averaged."""
USUAL_SHARE = 0.9  # Of requests: few that hang do not make it usual.


def _nothing(key: ServiceKey) -> None:
    pass


def _nobody() -> None:
    pass


def _its_own_branch(link: SiteId, site: SiteId) -> SiteId | None:
    return site


class Forwarder:
    """Owner of listeners and services, and through `UnderWay` of all that is under way here.

    ``load_changed`` is called at the end of a turn in which in-flight or ready targets of a service
    port changed, ``targets_changed`` of one in which ready targets or stated capacity of any did.
    All wanted state is level: saying the same again changes nothing.
    """

    __slots__ = (
        "_changed",
        "_declared",
        "_drain_timer",
        "_gone",
        "_heads_forgotten_at",
        "_known_as",
        "_listeners",
        "_network",
        "_offers",
        "_pressure",
        "_removed",
        "_samples_at_rest",
        "_services",
        "_shared",
        "_stirred",
        "_targets_moved",
        "_trials",
        "_under_way",
        "known_offer",
        "load_changed",
        "observing",
        "refused_messages",
        "site_news",
        "stream_offered",
        "targets_changed",
    )

    def __init__(
        self,
        network: Network,
        streams: StreamOpener,
        *,
        site: SiteId,
        site_name: str,
        rng: random.Random,
        settles_s: float = 0.0,
        connections_max: int = limits.CLIENT_CONNECTIONS_MAX,
        router: RouterId = OWN_ROUTER,
        branch_to: Callable[[SiteId, SiteId], SiteId | None] = _its_own_branch,
        name_of: Callable[[SiteId], str] = str,
    ) -> None:
        """``router`` is this one, among those of the site.

        ``settles_s``: for so long from now on requests without a route wait for one.

        ``connections_max``: of clients, over all listeners.

        ``branch_to``: through which site beyond a neighbour the way to a site leads; it says who
        waits in which line.

        ``name_of``: what a site is called now, for people. Figures are by site.
        """
        self._network = network
        self.load_changed: Callable[[ServiceKey], None] = _nothing
        self.targets_changed: Callable[[], None] = _nobody
        self.site_news: Callable[[ServiceKey, SiteNews], None] = lambda *_: None
        """Called when a remote site is ejected from a service port, or is back."""
        self.observing = Observing()
        """Who wants to know of single requests of this site's clients."""
        self._pressure = Pressure()
        self.refused_messages = RefusedMessages(network.now)
        """Those that one end of a link did not take of the other."""
        self._shared = Surroundings(
            network=network,
            streams=streams,
            site=site,
            site_name=site_name,
            router=router,
            rng=rng,
            pressure=self._pressure,
            refused_messages=self.refused_messages,
            load_changed=self._load_changed,
            targets_changed=self._targets_changed,
            site_news=lambda key, news: self.site_news(key, news),
            name_of=name_of,
            branch_to=branch_to,
            settles_until=network.now() + settles_s,
        )
        self._services: dict[ServiceKey, Service] = {}
        self._removed: dict[ServiceKey, Service] = {}
        self._changed: set[ServiceKey] = set()  # Their protocol; clients of before may be left.
        """Not known any more, with something under way: one of that name goes on with it."""
        self._declared: set[ServiceKey] = set()
        self._known_as = site_name
        self._listeners = Listeners(
            network, self._accept, self._limits_of, connections_max, is_held=self._is_held
        )
        self._under_way = UnderWay(network, self._pressure)
        self._gone = self._client_gone  # One for all clients.
        self._offers = Offers(self._services, self._declared, self._under_way, self._pressure)
        self.stream_offered = self._offers.take
        """An OPEN that ends here (`LinkOwner.stream_offered`)."""
        self.known_offer = self._offers.get
        """See `LinkOwner.known_offer`. Whoever would judge one otherwise now: `forget_offers`."""
        self._heads_forgotten_at = network.now()
        self._targets_moved = False
        self._trials = Trials()
        self._stirred = True  # Somebody may have come since demand was sampled.
        self._samples_at_rest = 0
        self._drain_timer: Timer | None = None

    # Wanted state

    def set_service(self, key: ServiceKey, config: ServiceSpec) -> None:
        """The service port is declared somewhere, like this."""
        self._declared.add(key)
        service = self._service(key)
        if service.config == config:
            return
        protocol = service.protocol
        service.set_config(config)
        self._listeners.reconsider_one(key)
        if service.protocol != protocol:
            self._under_way.drain_clients(service)
            self._changed.add(key)

    def set_site_cap(self, key: ServiceKey, cap: SiteCap | None) -> None:
        """What this site takes of the service port; None: whatever its targets do."""
        service = self._services.get(key)
        if service is not None:
            service.set_site_cap(cap)

    def remove_service(self, key: ServiceKey) -> None:
        """Remove the service port and its targets here: sessions drain, what waits is refused.

        What is under way goes on; a service port of that name that comes meanwhile counts it.
        """
        service = self._services.pop(key, None)
        if service is None:
            return
        self._declared.discard(key)
        self.refused_messages.forget_service(key)
        self._listeners.set_targets(key, frozenset())
        self._under_way.drain_clients(service)
        self._under_way.dismiss_egress(service)
        service.stop()
        self._removed[key] = service

    def removed(self) -> dict[ServiceKey, dict[SiteId, int]]:
        """What is under way of service ports that are not known any more, by site, as of
        `Service.open_now`."""
        self._removed = {key: one for key, one in self._removed.items() if not one.is_over}
        each = ((key, service.open_now()) for key, service in self._removed.items())
        return {key: found for key, found in each if found}

    def of_former_protocol(self) -> dict[ServiceKey, Counter[str]]:
        """Clients that came before their service port changed its protocol and go on, by the
        protocol of then. O(clients) while there are some."""
        found = {key: Counter[str]() for key in self._changed}
        for client in self._under_way.clients if found else ():
            service = client.service
            if service.key in found and client.protocol != service.protocol:
                found[service.key][client.protocol] += 1
        self._changed = {key for key, count in found.items() if count}
        return {key: found[key] for key in self._changed}

    def set_targets(self, key: ServiceKey, targets: Mapping[str, TargetConfig]) -> None:
        """Targets of this site by ``host:port``.

        A service port that nobody declares can have targets too: then it is served for other
        sites only, whatever protocol they ask for.
        """
        if targets or key in self._services:
            self._service(key).set_targets(targets)
        self._listeners.set_targets(key, frozenset(targets))
        if not targets and key not in self._declared:
            self.remove_service(key)

    def set_remotes(self, key: ServiceKey, remotes: Sequence[RemoteCandidate]) -> None:
        """Remote candidates of the present route table; dropped for a service not known here."""
        service = self._services.get(key)
        if service is not None:
            service.set_remotes(remotes)

    def site_ejections(self) -> Iterator[tuple[ServiceKey, SiteEjections]]:
        """Of each service port for which some site has failed requests of late."""
        for key, service in self._services.items():
            ejections = service.balancer.ejections
            if ejections.active or ejections.suspects:
                yield key, ejections

    def set_site_name(self, name: str) -> None:
        """What policies and explanations know this site by; not its own while another claims it."""
        if name != self._known_as:
            self._known_as = name
            for service in self._services.values():
                service.balancer.set_site_name(name)

    def follow_listeners(self, may_listen: Callable[[ServiceKey, Where], bool]) -> None:
        """Listen only where ``may_listen`` says so: another process owns the ports. To be called
        whenever it says something else."""
        self._listeners.may_listen = may_listen
        self._listeners.follow()

    def set_listeners(
        self,
        wanted: Mapping[ServiceKey, tuple[str, int]],
        tls: Mapping[ServiceKey, Tls | NoTls] | None = None,
    ) -> None:
        """Where clients are accepted, and which of them by TLS (or not at all for lack of it).

        Connections of closed listeners go on.
        """
        if not self._under_way.is_draining:
            self._listeners.set_listeners(wanted, tls)

    # What links bring

    def put_out(self, sites: Set[SiteId]) -> None:
        """Reset what is under way for clients of ``sites`` here, and for ours at their targets."""
        if sites:
            self._under_way.put_out(sites)

    def introduce(self, name: str, site: SiteId) -> None:
        """``site`` newly has targets of service ``name``, and nobody vouches for its capacity."""
        for key, service in self._services.items():
            if key.name == name:
                service.balancer.ejections.introduce(site, self._network.now())

    def withdraw(self, offers: Set[tuple[str, SiteId]], calls: Set[tuple[str, SiteId]]) -> None:
        """By service and site: reset ours at these ``offers``, and theirs here of ``calls``."""
        if offers or calls:
            self._under_way.withdraw(offers, calls)

    def forget_offers(self) -> None:
        """What is remembered of OPENs was judged by rules of the past."""
        self._offers.forget()

    def report_load(self, report: LoadReport, site: SiteId) -> None:
        """A load report of ``site``, already judged by routing."""
        service = self._services.get(report.key)
        if service is not None:
            service.report_load(report, site)

    # Figures

    def stated(self) -> dict[ServiceKey, Stated]:
        """What every service port with targets here has to offer."""
        return {
            key: service.stated() for key, service in self._services.items() if service.has_targets
        }

    def load_of(self, key: ServiceKey) -> Load:
        """The load of one service port; nothing of one without targets here."""
        service = self._services.get(key)
        return service.load() if service is not None else NO_LOAD

    def rate_states(self) -> dict[ServiceKey, RateState]:
        """How each service port stands here that has a rate."""
        now = self._network.now()
        rated = {key: one.ledger for key, one in self._services.items() if one.ledger.rated}
        states = {key: ledger.rate_state(now) for key, ledger in rated.items()}
        return {key: state for key, state in states.items() if state is not None}

    def rate_state(self, key: ServiceKey) -> RateState | None:
        """How one service port stands here to its rate; None: it has none."""
        service = self._services.get(key)
        return service.ledger.rate_state(self._network.now()) if service is not None else None

    def under_way(self) -> Iterator[tuple[ServiceKey, dict[SiteId, int]]]:
        """What clients of this site have in flight, of service ports that have some: see
        `Service.under_way`. Some 0.2 µs for each idle service port."""
        for key, service in self._services.items():
            held = service.under_way()
            if held:
                yield key, held

    def in_flight_elsewhere(self, key: ServiceKey) -> Mapping[SiteId, int]:
        """What clients of this site have in flight at other sites, also at those that do not offer
        the service any more."""
        service = self._services.get(key)
        return service.balancer.under_way if service is not None else {}

    def open_of_clients(self, key: ServiceKey) -> int:
        """How many requests and connections clients have here, those that wait included."""
        service = self._services.get(key)
        if service is None:
            return 0
        return sum(service.under_way().values()) + len(service.room.line)

    def busy(self) -> Iterator[tuple[ServiceKey, int]]:
        """What targets of this site have in flight, for clients of any site, of service ports
        that have some."""
        for key, service in self._services.items():
            in_flight = service.ledger.in_flight
            if in_flight:
                yield key, in_flight

    def queued(self) -> dict[ServiceKey, int]:
        """How many requests wait for a slot, of service ports of which some do."""
        waiting = {key: service.room.queued for key, service in self._services.items()}
        return {key: count for key, count in waiting.items() if count}

    @property
    def is_at_rest(self) -> bool:
        """Nobody is connected, no stream ends here: until `on_next_activity` all stays as it is."""
        return self._under_way.is_empty

    def on_next_activity(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once, when a client or a stream comes next."""
        self._under_way.on_next_activity(callback)

    def reading_of(self, key: ServiceKey) -> PortReading | None:
        """Totals and figures of a service port; None: it is not known any more."""
        service = self._services.get(key)
        if service is None:
            return None
        ledger = service.ledger
        return PortReading(
            tally=service.counters.tally(),
            capacity=ledger.capacity,
            capacity_per_s=ledger.rate_per_s,
            targets_ready=ledger.targets_ready,
            queued=service.room.queued,
            queue_limit=service.queue_limit(),
            queue_is_full=service.room.is_full,
        )

    def config_of(self, key: ServiceKey) -> ServiceSpec | None:
        """How a service port is declared; None: it is not."""
        return self._services[key].config if key in self._declared else None

    @property
    def keys(self) -> list[ServiceKey]:
        """The service ports known here, in order."""
        return sorted(self._services)

    def totals_of(self, service: str) -> dict[ServiceKey, Totals]:
        """Of each port of ``service`` that is known here."""
        return {key: one.totals() for key, one in self._services.items() if key.name == service}

    def totals_at(self, key: ServiceKey) -> Totals | None:
        """Of one service port; None: it is not known any more."""
        service = self._services.get(key)
        return service.totals() if service is not None else None

    def sample_latency(self) -> None:
        """Time a few requests of every service port."""
        for service in self._services.values():
            service.sample_latency()

    def latencies_of(self, key: ServiceKey) -> list[tuple[TargetState, list[LatencyLevel]]]:
        """As `Service.latencies`; none of a service port that is not known here."""
        service = self._services.get(key)
        return service.latencies() if service is not None else []

    def left(self) -> dict[ServiceKey, Left]:
        """Requests that other sites serve or served since a cheaper site was full, by service
        port."""
        return {key: one.left() for key, one in self._services.items()}

    def left_without_target(self) -> dict[ServiceKey, Left]:
        """Requests that other sites serve or served while no target here was ready, as of `left`.

        A site that has no targets of a service counts there too.
        """
        return {key: one.left_without_target() for key, one in self._services.items()}

    def spills_of(self, key: ServiceKey) -> Spills:
        """`left`, `left_without_target` and more of one service port."""
        service = self._services.get(key)
        return Spills() if service is None else service.spills()

    def refused(self) -> dict[ServiceKey, Left]:
        """Requests of this site's clients that no site took, by service port and `LegFailure`
        code."""
        return {key: Left(one.counters.refused_for()) for key, one in self._services.items()}

    @property
    def heads_remembered(self) -> int:
        """Of requests and responses, in whatever form."""
        return len(self._shared.heads) + len(self._offers)

    def sample_demand(self) -> None:
        """Once a second: what is wanted of every service port."""
        if self._stirred:
            self._samples_at_rest = 0
            if self._under_way.is_empty:
                self._stirred = False
                self.on_next_activity(self._stir)
        if self._samples_at_rest <= REST_SAMPLES:  # What is not sampled then is nothing.
            self._samples_at_rest += 1
            for service in self._services.values():
                service.sample_demand()
        self.removed()  # Lets go of those that are over.
        now = self._network.now()
        if now - self._heads_forgotten_at >= limits.HEADS_FORGOTTEN_S:
            self._heads_forgotten_at = now
            self._shared.heads.forget()
            self._offers.forget()

    def _stir(self) -> None:
        self._stirred = True

    def scale_of(self, key: ServiceKey) -> ScaleFigures | None:
        """What an autoscaler goes by; None: unknown service port."""
        service = self._services.get(key)
        return service.scale() if service is not None else None

    def targets(self) -> dict[ServiceKey, list[TargetInfo]]:
        """The targets of this site, by service port."""
        return {key: service.targets() for key, service in self._services.items()}

    def standing(self) -> dict[ServiceKey, dict[str, bool]]:
        """Whether each of `targets` is ready: cheap, for who looks at all again and again."""
        return {key: service.ledger.standing() for key, service in self._services.items()}

    def full_targets(self) -> dict[tuple[ServiceKey, str], int]:
        """Ready targets of http services without a free slot: how many requests each has
        completed."""
        return {
            (key, address): ended
            for key, service in self._services.items()
            if service.protocol != "tcp"
            for address, ended in service.ledger.full_targets()
        }

    def follow_times(self, now: float) -> None:
        """Each second: take up what requests took lately, each time of some service ports."""
        turn = int(now) % limits.USUAL_SPAN_S
        for number, service in enumerate(self._services.values()):
            if number % limits.USUAL_SPAN_S == turn and service.has_targets:
                service.recent_times.look(service.counters.target_times())

    def usual_s(self, key: ServiceKey) -> float | None:
        """What nine of ten requests of one service port took at their targets lately, at most;
        None: no request has ended."""
        service = self._services.get(key)
        if service is None:
            return None
        return service.recent_times.quantile(service.counters.target_times(), USUAL_SHARE)

    def is_ready(self, key: ServiceKey, address: str) -> bool:
        """Whether a target of this site is ready."""
        service = self._services.get(key)
        return service is not None and service.ledger.standing().get(address, False)

    def used_services(self) -> set[str]:
        """Names of services that clients of this site have asked for since the start."""
        return {key.name for key, service in self._services.items() if service.counters.chosen}

    def local_targets(self, key: ServiceKey) -> LocalTargets:
        """How many targets of one service port are here, and how they stand."""
        service = self._services.get(key)
        return service.ledger.local_targets if service is not None else LocalTargets()

    def answers_of_targets(self) -> Iterator[tuple[ServiceKey, Mapping[str, TargetAnswers]]]:
        """What became of connections to the targets of each tcp service port, by address."""
        for key, service in self._services.items():
            if service.protocol == "tcp" and service.has_targets:
                yield key, service.target_ways.answers

    def answers_of(self, key: ServiceKey) -> Mapping[str, TargetAnswers]:
        """As `answers_of_targets`, of one service port of any protocol."""
        service = self._services.get(key)
        return service.target_ways.answers if service is not None else {}

    def set_unanswering(self, unanswering: Mapping[ServiceKey, Mapping[str, NoAnswer]]) -> None:
        """Targets that answer nothing, by address."""
        for key, service in self._services.items():
            service.unanswering = unanswering.get(key, {})

    def unanswering_of(self, key: ServiceKey) -> Mapping[str, NoAnswer]:
        """As `set_unanswering` has it, of one service port."""
        service = self._services.get(key)
        return service.unanswering if service is not None else {}

    def targets_of(self, key: ServiceKey) -> list[TargetInfo]:
        """The targets of one service port; none of one that is not known here."""
        service = self._services.get(key)
        return service.targets() if service is not None else []

    def explain(
        self, key: ServiceKey, now: float, session: Session | None = None
    ) -> Explanation | None:
        """What would be decided now, for a request of ``session``; None: unknown service port."""
        service = self._services.get(key)
        return service.explain(now, session) if service is not None else None

    def queue_now(self, key: ServiceKey, decision: Decision | NoChoice) -> QueueNow | None:
        """What the next request meets that finds every site full; None: one has room, or none has
        a target."""
        service = self._services.get(key)
        if service is None or not isinstance(decision, NoChoice) or decision.reason != "all-full":
            return None
        return service.queue_now(decision)

    def try_sites(
        self, key: ServiceKey, sites: list[SiteId], done: Callable[[list[Trial]], None]
    ) -> bool:
        """One request of the service port to each of ``sites``, whatever the policy says.

        ``done`` has all outcomes, later. False: too many are under way, or there is no such port.
        """
        service = self._services.get(key)
        return service is not None and self._trials.begin(service, sites, self._known_as, done)

    def past_of(self, key: ServiceKey, count: int, *, denied: bool) -> list[RequestRecord]:
        """At most ``count`` of the last requests of a service port, as `Past.last`."""
        service = self._services.get(key)
        return service.past.last(count, denied=denied) if service is not None else []

    def all_past(self) -> Iterator[tuple[ServiceKey, ServiceProtocol, list[RequestRecord]]]:
        """What is kept of the last requests of every service port; see `Past.kept`."""
        for key, service in list(self._services.items()):  # Which may change in between.
            yield key, service.protocol, service.past.kept()

    def flows(self, most: int) -> Iterator[Flow]:
        """What is under way for clients of this site, of ``most`` clients at most."""
        for client in islice(self._under_way.clients, most):
            yield from client.flows()

    def sessions_of(self, key: ServiceKey) -> Sessions | None:
        """How the service port keeps sessions; None: not at all."""
        service = self._services.get(key)
        return service.sessions if service is not None else None

    def target_of(self, key: ServiceKey, session: Session) -> str | None:
        """The target of this site (``host:port``) that is the session's; None: none has room."""
        service = self._services.get(key)
        return service.ledger.target_of(session.key) if service is not None else None

    def services_snapshot(self) -> list[ServiceSnapshot]:
        """All service ports, by key."""
        return list(self.snapshots())

    def snapshots(self) -> Iterator[ServiceSnapshot]:
        """All service ports, by key, each as of when it is asked for.

        Between two of them the router may go on: what comes meanwhile is left out, what goes too.
        """
        listeners = self._listeners.states()
        for key in self.keys:
            service = self._services.get(key)
            if service is not None:
                yield self._snapshot(service, self._network.now(), listeners.get(key))

    def listens_at(self, key: ServiceKey, port: int) -> bool:
        """Whether clients of ``key`` are accepted at ``port``."""
        return self._listeners.is_bound(key, port)

    def listener_states(self) -> dict[ServiceKey, ListenerState]:
        """Every wanted listener; ``error`` says why one is not bound."""
        return self._listeners.states()

    @property
    def sessions(self) -> int:
        """Client connections open at this site."""
        return len(self._under_way.clients)

    # Short of memory

    @property
    def held_bytes(self) -> int:
        """Of requests, kept to be sent again or for a slot; of responses that wait for credit."""
        return self._under_way.held_bytes

    @property
    def refused_total(self) -> int:
        """Requests and streams that `refuse_new` turned down."""
        return self._pressure.refused_total

    def refuse_new(self, refuse: bool) -> None:
        """Begin nothing new, until told otherwise: clients get 503, other sites ``busy``.

        Listeners of services that are not http leave new connections in their backlog.
        """
        self._pressure.is_refusing = refuse
        self._listeners.reconsider()

    def cap_clients(self, cap: bool) -> None:
        """Accept only `limits.CLIENTS_WHEN_SHORT` clients, until told otherwise."""
        self._listeners.cap(limits.CLIENTS_WHEN_SHORT if cap else None)

    def shed_idle(self) -> int:
        """Close what is idle, some clients each time and all connections to targets; how many."""
        shed = sum(service.shed_idle() for service in self._services.values())
        return shed + self._under_way.shed_idle()

    def drop_slowest(self, size_bytes: int) -> int:
        """Let go of most, until ``size_bytes`` are free or nobody holds much; how many gave way.

        What is only kept to be sent again goes first, then clients that do not read are reset.
        """
        return self._under_way.drop_slowest(size_bytes)

    # Stopping

    def drain(self, done: Callable[[], None], deadline: float | None = None) -> None:
        """Accept nothing more, let what is under way end; ``done`` once, when all has.

        At ``deadline`` (absolute seconds; None: whoever calls sees to `abort`) the rest is
        aborted. ``done`` is never called from within this call.
        """
        if self._under_way.is_draining:
            return
        self._listeners.close()
        if deadline is not None:
            self._drain_timer = self._network.call_at(deadline, self._drain_overdue)
        self._under_way.drain(partial(self._all_ended, done))

    def abort(self) -> None:
        """Reset everything now."""
        self._listeners.close()
        self._under_way.abort()
        for service in self._services.values():
            service.stop()

    # Inside

    def _service(self, key: ServiceKey) -> Service:
        service = self._services.get(key)
        if service is None:
            service = self._removed.pop(key, None)
            if service is None or not service.open_now():
                service = Service(key, UNDECLARED, self._shared)
            else:
                service.set_config(UNDECLARED)
            self._services[key] = service
            service.balancer.set_site_name(self._known_as)
        return service

    def _accept(self, key: ServiceKey, connection: Connection) -> ConnectionHandler | None:
        service = self._services.get(key)
        if service is None or self._under_way.is_draining:
            return None
        client = ClientConnection(
            connection,
            service,
            site_name=self._shared.site_name,
            network=self._network,
            rng=self._shared.rng,
            observing=self.observing,
            gone=self._gone,
        )
        under_way = self._under_way
        under_way.clients.add(client)
        if under_way.stirred is not None:
            under_way.stirred()
        if service.protocol == "http2":
            under_way.many_at_once.add(client)
        return client

    def _client_gone(self, client: ClientConnection) -> None:
        self._under_way.clients.discard(client)
        if client in self._under_way.many_at_once:
            self._under_way.many_at_once.discard(client)
        self._listeners.gone(client.service.key, client.connection)
        if self._under_way.is_draining:
            self._under_way.check_drained()

    def _limits_of(self, key: ServiceKey) -> ServiceLimits:
        service = self._services.get(key)
        return service.config.limits if service is not None else UNDECLARED.limits

    def _is_held(self, key: ServiceKey) -> bool:
        """Its clients could only be reset now."""
        service = self._services.get(key)
        return self._pressure.is_refusing and service is not None and service.protocol == "tcp"

    def _all_ended(self, done: Callable[[], None]) -> None:
        if self._drain_timer is not None:
            self._drain_timer.cancel()
        for service in self._services.values():
            service.stop()
        done()

    def _drain_overdue(self) -> None:
        """The rest is aborted; its connections tell their loss, and `done` follows."""
        self.abort()
        self._network.at_turn_end(self._under_way.check_drained)

    def _load_changed(self, key: ServiceKey) -> None:
        self.load_changed(key)

    def _targets_changed(self) -> None:
        if not self._targets_moved:
            self._targets_moved = True
            self._network.at_turn_end(self._tell_targets_changed)

    def _tell_targets_changed(self) -> None:
        self._targets_moved = False
        self.targets_changed()

    def _snapshot(
        self, service: Service, now: float, listener: ListenerState | None
    ) -> ServiceSnapshot:
        load = service.load()
        return ServiceSnapshot(
            key=service.key,
            config=service.config,
            declared=service.key in self._declared,
            has_targets=service.has_targets,
            queued=service.room.queued,
            demand=service.demanded().demand,
            load=load,
            targets=tuple(service.targets()),
            explanation=service.explain(now),
            counters=service.counters.snapshot(),
            refused_connections=self._listeners.refused[service.key],
            listener=listener,
            rate=service.ledger.rate_state(now),
            local_targets=service.ledger.local_targets,
            under_way=service.under_way(),
        )
