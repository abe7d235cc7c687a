"""What the service ports of this site say of themselves, for who shows, judges or tells it."""

from collections.abc import Callable, Iterator, Mapping, Set

import msgspec

from router.balance.deciding.decisions import Decision, Explanation, NoChoice
from router.balance.learning.demand import ScaleFigures
from router.balance.learning.knees import LatencyLevel
from router.balance.learning.saturation import Totals
from router.balance.site_gate import RateState
from router.balance.sites.site_ejection import SiteEjections
from router.balance.targets.answer_streaks import NoAnswer
from router.balance.targets.target import TargetState
from router.exchange.clients.listeners import Listeners
from router.exchange.target_readings import USUAL_SHARE, TargetReadings
from router.model.ids import ServiceKey, SiteId
from router.model.latency import quantile
from router.model.port_reading import Reading
from router.model.specs import ServiceProtocol, ServiceSpec
from router.service.figures import (
    NO_LOAD,
    Left,
    ListenerState,
    Load,
    QueueNow,
    ServiceSnapshot,
    Spills,
)
from router.service.recent_requests import RequestRecord
from router.service.service import Service
from router.service.service_figures import StatedTargets
from router.service.sessions import Session, Sessions


class Readings:
    """Figures and explanations of the service ports known here, and of their ``targets``.

    Nothing is changed by reading. Of a port that is not known here there is nothing to read: zero,
    an empty collection or None.
    """

    __slots__ = ("_declared", "_listeners", "_now", "_services", "targets")

    def __init__(
        self,
        services: Mapping[ServiceKey, Service],
        declared: Set[ServiceKey],
        listeners: Listeners,
        now: Callable[[], float],
    ) -> None:
        """``services``, ``declared``: the owner's own, which change. ``now``: monotonic seconds."""
        self._services = services
        self.targets = TargetReadings(services)
        self._declared = declared
        self._listeners = listeners
        self._now = now

    def stated(self) -> dict[ServiceKey, StatedTargets]:
        """What every service port with targets here has to offer."""
        return {
            key: service.stated()
            for key, service in self._services.items()
            if service.own_targets.are_there
        }

    def load_of(self, key: ServiceKey) -> Load:
        """The load of one service port; nothing of one without targets here."""
        service = self._services.get(key)
        return service.load() if service is not None else NO_LOAD

    def rate_states(self) -> dict[ServiceKey, RateState]:
        """How each service port stands here that has a rate."""
        now = self._now()
        rated = {key: one.ledger for key, one in self._services.items() if one.ledger.rated}
        states = {key: ledger.rate_state(now) for key, ledger in rated.items()}
        return {key: state for key, state in states.items() if state is not None}

    def rate_state(self, key: ServiceKey) -> RateState | None:
        """How one service port stands here to its rate; None: it has none."""
        service = self._services.get(key)
        return service.ledger.rate_state(self._now()) if service is not None else None

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

    def busy_elsewhere(self, least: int) -> Iterator[tuple[ServiceKey, SiteId]]:
        """Other sites with at least so many requests of clients of this one, by http service port.
        Of HTTP/2 none, see `TargetReadings.busy`."""
        for key, service in self._services.items():
            under_way = service.balancer.under_way
            if not under_way or service.protocol != "http":
                continue
            for site, count in under_way.items():
                if count >= least and site != service.site:
                    yield key, site

    def answers_elsewhere(self, key: ServiceKey) -> dict[SiteId, int]:
        """How many answers of each other site to requests of clients of this one have begun."""
        service = self._services.get(key)
        answers: dict[SiteId, int] = {}
        if service is None:
            return answers
        for one in service.balancer.routers.values():
            if one.answers and one.site != service.site:
                answers[one.site] = answers.get(one.site, 0) + one.answers
        return answers

    def usual_elsewhere_s(self, key: ServiceKey) -> float:
        """What nine of ten requests of clients of this one take at most at the other site where
        they take longest; 0.0: no other site has answered any."""
        service = self._services.get(key)
        if service is None:
            return 0.0
        times = service.counters.answer_times().items()
        return max(
            (
                quantile(counts, USUAL_SHARE) or 0.0
                for site, counts in times
                if site != service.site
            ),
            default=0.0,
        )

    def unanswering_sites_of(self, key: ServiceKey) -> Mapping[SiteId, NoAnswer]:
        """As `set_unanswering_sites` has it, of one service port."""
        service = self._services.get(key)
        return service.unanswering_sites if service is not None else {}

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

    def busy_beside(self) -> Iterator[tuple[ServiceKey, int]]:
        """As `busy`, of the other routers of this site."""
        now = self._now()
        for key, service in self._services.items():
            in_flight = service.balancer.in_flight_beside(now)
            if in_flight:
                yield key, in_flight

    def in_flight_beside(self, key: ServiceKey) -> int | None:
        """As `busy_beside`, of one service port; None: no other router of this site serves it."""
        service = self._services.get(key)
        return service.balancer.in_flight_beside(self._now()) if service is not None else None

    def queued(self) -> dict[ServiceKey, int]:
        """How many requests wait for a slot, of service ports of which some do."""
        waiting = {key: service.room.queued for key, service in self._services.items()}
        return {key: count for key, count in waiting.items() if count}

    def reading_of(self, key: ServiceKey) -> Reading | None:
        """Totals and figures of a service port; None: it is not known any more."""
        service = self._services.get(key)
        if service is None:
            return None
        service.count_ended()
        ledger = service.ledger
        return msgspec.structs.replace(
            service.counters.reading(),
            capacity=ledger.capacity,
            capacity_per_s=ledger.rate_per_s,
            targets_ready=ledger.targets_ready,
            queued=service.room.queued,
            queue_limit=service.queue_limit(),
            queue_is_full=service.room.is_full,
            under_way=sum(service.under_way().values()),
        )

    def losses(self) -> Iterator[tuple[ServiceKey, int]]:
        """`Reading.failed` and `Reading.gave_up` together, of service ports that have some. Some
        0.4 µs for each that has none."""
        for key, service in self._services.items():
            service.count_ended()
            lost = service.counters.losses()
            if lost:
                yield key, lost

    def config_of(self, key: ServiceKey) -> ServiceSpec | None:
        """How a service port is declared; None: it is not."""
        return self._services[key].config if key in self._declared else None

    def routing_key_of(self, service: str) -> str:
        """The routing key of Skupper v2 that a service carries; empty: none, or it is not known."""
        config = self.config_of(ServiceKey(service, 1))
        return "" if config is None else config.routing_key

    @property
    def keys(self) -> list[ServiceKey]:
        """The service ports known here, in order."""
        return sorted(self._services)

    def totals_of(self, service: str) -> dict[ServiceKey, Totals]:
        """Of each port of ``service`` that is known here."""
        return {
            key: self._totals(one) for key, one in self._services.items() if key.name == service
        }

    def totals_at(self, key: ServiceKey) -> Totals | None:
        """Of one service port; None: it is not known any more."""
        service = self._services.get(key)
        return self._totals(service) if service is not None else None

    def latencies_of(self, key: ServiceKey) -> list[tuple[TargetState, list[list[LatencyLevel]]]]:
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

    def scale_of(self, key: ServiceKey) -> ScaleFigures | None:
        """What an autoscaler goes by; None: unknown service port."""
        service = self._services.get(key)
        return service.scale() if service is not None else None

    @property
    def refused_clients(self) -> Mapping[ServiceKey, int]:
        """Client connections that were reset since the start, as their address had too many."""
        return self._listeners.refused

    def used_services(self) -> set[str]:
        """Names of services that clients of this site have asked for since the start."""
        return {key.name for key, service in self._services.items() if service.counters.chosen}

    def is_drained(self, key: ServiceKey) -> bool:
        """An operator lets this site take nothing new of one service port."""
        service = self._services.get(key)
        return service is not None and service.ledger.is_drained

    def explain(
        self,
        key: ServiceKey,
        now: float,
        session: Session | None = None,
        *,
        sheddable: bool = False,
    ) -> Explanation | None:
        """What would be decided now, for a request of ``session``; None: unknown service port."""
        service = self._services.get(key)
        return None if service is None else service.explain(now, session, sheddable=sheddable)

    def queue_now(
        self, key: ServiceKey, decision: Decision | NoChoice, *, sheddable: bool = False
    ) -> QueueNow | None:
        """What the next request meets that finds every site full; None: one has room, or none has
        a target."""
        service = self._services.get(key)
        if service is None or not isinstance(decision, NoChoice) or decision.reason != "all-full":
            return None
        return service.queue_now(decision, sheddable=sheddable)

    def past_of(self, key: ServiceKey, count: int, *, denied: bool) -> list[RequestRecord]:
        """At most ``count`` of the last requests of a service port, as `Past.last`."""
        service = self._services.get(key)
        return service.past.last(count, denied=denied) if service is not None else []

    def all_past(self) -> Iterator[tuple[ServiceKey, ServiceProtocol, list[RequestRecord]]]:
        """What is kept of the last requests of every service port; see `Past.kept`."""
        for key, service in list(self._services.items()):  # Which may change in between.
            yield key, service.protocol, service.past.kept()

    def sessions_of(self, key: ServiceKey) -> Sessions | None:
        """How the service port keeps sessions; None: not at all."""
        service = self._services.get(key)
        return service.sessions if service is not None else None

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
                yield self._snapshot(service, self._now(), listeners.get(key))

    def site_ejections(self) -> Iterator[tuple[ServiceKey, SiteEjections]]:
        """Of each service port for which some site has failed requests of late."""
        for key, service in self._services.items():
            ejections = service.balancer.ejections
            if ejections.active or ejections.suspects:
                yield key, ejections

    def _totals(self, service: Service) -> Totals:
        service.count_ended()
        return service.totals()

    def _snapshot(
        self, service: Service, now: float, listener: ListenerState | None
    ) -> ServiceSnapshot:
        service.count_ended()
        load = service.load()
        return ServiceSnapshot(
            key=service.key,
            config=service.config,
            declared=service.key in self._declared,
            has_targets=service.own_targets.are_there,
            queued=service.room.queued,
            demand=service.demanded().demand,
            load=load,
            targets=tuple(service.targets()),
            explanation=service.explain(now),
            counters=service.counters.snapshot(),
            refused_connections=self._listeners.refused[service.key],
            tls_failures=self._listeners.tls_failures[service.key],
            listener=listener,
            rate=service.ledger.rate_state(now),
            local_targets=service.ledger.local_targets,
            under_way=service.under_way(),
            lending=service.lending_figures(),
        )
