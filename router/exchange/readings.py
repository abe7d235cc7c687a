"""Figures of this site's service ports, for code that shows, judges or reports them."""

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
from router.model.requests import RequestSelection
from router.model.specs import ServiceProtocol, ServiceSpec
from router.service.figures import (
    NO_LOAD,
    ListenerState,
    Load,
    QueueNow,
    ServiceSnapshot,
    SpillCount,
    SpillTotals,
)
from router.service.recent_requests import RequestRecord
from router.service.service import Service
from router.service.service_figures import AdvertisedTargets
from router.service.sessions import Session, Sessions


class Readings:
    """Figures and explanations of the service ports known here, and of their ``targets``.

    Reading changes nothing. For a port that is not known here the result is zero, an empty
    collection or None.
    """

    __slots__ = ("_declared", "_listeners", "_now", "_services", "targets")

    def __init__(
        self,
        services: Mapping[ServiceKey, Service],
        declared: Set[ServiceKey],
        listeners: Listeners,
        now: Callable[[], float],
    ) -> None:
        """``services``, ``declared``: live collections of the owner. ``now``: monotonic seconds."""
        self._services = services
        self.targets = TargetReadings(services)
        self._declared = declared
        self._listeners = listeners
        self._now = now

    def advertised_targets(self) -> dict[ServiceKey, AdvertisedTargets]:
        """The advertised figures of every service port with targets here."""
        return {
            key: service.advertised_targets()
            for key, service in self._services.items()
            if service.own_targets.are_there
        }

    def load_of(self, key: ServiceKey) -> Load:
        """The load of one service port; zero without targets here."""
        service = self._services.get(key)
        return service.load() if service is not None else NO_LOAD

    def is_capped(self, key: ServiceKey) -> bool:
        """Whether this site's cap of slots, not its targets, is its capacity for a service port."""
        service = self._services.get(key)
        return service is not None and service.ledger.is_capped

    def rate_states(self) -> dict[ServiceKey, RateState]:
        """The state of the rate of each service port here that has one."""
        now = self._now()
        rated = {key: one.ledger for key, one in self._services.items() if one.ledger.rated}
        states = {key: ledger.rate_state(now) for key, ledger in rated.items()}
        return {key: state for key, state in states.items() if state is not None}

    def rate_state(self, key: ServiceKey) -> RateState | None:
        """The state of the rate of one service port here; None: it has none."""
        service = self._services.get(key)
        return service.ledger.rate_state(self._now()) if service is not None else None

    def under_way(self) -> Iterator[tuple[ServiceKey, dict[SiteId, int]]]:
        """Requests in flight of clients of this site, for service ports that have some: see
        `Service.under_way`. Some 0.2 µs for each idle service port.
        """
        for key, service in self._services.items():
            held = service.under_way()
            if held:
                yield key, held

    def in_flight_elsewhere(self, key: ServiceKey) -> Mapping[SiteId, int]:
        """Requests in flight of clients of this site at other sites, including those that no longer
        offer the service.
        """
        service = self._services.get(key)
        return service.balancer.under_way if service is not None else {}

    def busy_elsewhere(self, least: int) -> Iterator[tuple[ServiceKey, SiteId]]:
        """Other sites with at least ``least`` requests of clients of this one, by http service
        port.

        None for HTTP/2, see `TargetReadings.busy`.
        """
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
        """The time that nine of ten requests of clients of this one take at most, at the other site
        where they take longest; 0.0: no other site has answered any.
        """
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
        """The value of `set_unanswering_sites` for one service port."""
        service = self._services.get(key)
        return service.unanswering_sites if service is not None else {}

    def open_of_clients(self, key: ServiceKey) -> int:
        """How many requests and connections clients have here, including waiting ones."""
        service = self._services.get(key)
        return 0 if service is None else service.counters.unfinished

    def busy(self) -> Iterator[tuple[ServiceKey, int]]:
        """Requests in flight at targets of this site, for clients of any site, for service ports
        that have some.
        """
        for key, service in self._services.items():
            in_flight = service.ledger.in_flight
            if in_flight:
                yield key, in_flight

    def busy_beside(self) -> Iterator[tuple[ServiceKey, int]]:
        """As `busy`, for the other routers of this site."""
        now = self._now()
        for key, service in self._services.items():
            in_flight = service.balancer.in_flight_beside(now)
            if in_flight:
                yield key, in_flight

    def in_flight_beside(self, key: ServiceKey) -> int | None:
        """As `busy_beside`, for one service port; None: no other router of this site serves it."""
        service = self._services.get(key)
        return service.balancer.in_flight_beside(self._now()) if service is not None else None

    def queued(self) -> dict[ServiceKey, int]:
        """How many requests wait for a slot, for service ports with waiting requests."""
        waiting = {key: service.queue.queued for key, service in self._services.items()}
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
            queued=service.queue.queued,
            queue_limit=service.queue_limit(),
            queue_is_full=service.queue.is_full,
        )

    def losses(self) -> Iterator[tuple[ServiceKey, int]]:
        """`Reading.failed` and `Reading.gave_up` together, for service ports that have some. Some
        0.4 µs for each that has none.
        """
        for key, service in self._services.items():
            service.count_ended()
            lost = service.counters.losses()
            if lost:
                yield key, lost

    def config_of(self, key: ServiceKey) -> ServiceSpec | None:
        """The declaration of a service port; None: it has none."""
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
        """Totals of each port of ``service`` that is known here."""
        return {
            key: self._totals(one) for key, one in self._services.items() if key.name == service
        }

    def totals_at(self, key: ServiceKey) -> Totals | None:
        """Totals of one service port; None: it is not known any more."""
        service = self._services.get(key)
        return self._totals(service) if service is not None else None

    def latencies_of(self, key: ServiceKey) -> list[tuple[TargetState, list[list[LatencyLevel]]]]:
        """As `Service.latencies`; empty for a service port that is not known here."""
        service = self._services.get(key)
        return service.latencies() if service is not None else []

    def left(self) -> dict[ServiceKey, SpillCount]:
        """Requests that other sites serve or served since a cheaper site was full, by service
        port."""
        return {key: one.left() for key, one in self._services.items()}

    def spilled_without_target(self) -> dict[ServiceKey, SpillCount]:
        """Requests that other sites serve or served while no target here was ready, as `left`.

        A site that has no targets of a service counts there too.
        """
        return {key: one.spilled_without_target() for key, one in self._services.items()}

    def spills_of(self, key: ServiceKey) -> SpillTotals:
        """`left`, `spilled_without_target` and more of one service port."""
        service = self._services.get(key)
        return SpillTotals() if service is None else service.spills()

    def refused(self) -> dict[ServiceKey, SpillCount]:
        """Requests of this site's clients that no site took, by service port and `LegFailure`
        code."""
        return {key: SpillCount(one.counters.refused_for()) for key, one in self._services.items()}

    def scale_of(self, key: ServiceKey) -> ScaleFigures | None:
        """Figures for autoscalers; None: unknown service port."""
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
        """An operator has drained this site for one service port."""
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
        """The decision for a request of ``session`` now; None: unknown service port."""
        service = self._services.get(key)
        return None if service is None else service.explain(now, session, sheddable=sheddable)

    def queue_now(
        self, key: ServiceKey, decision: Decision | NoChoice, *, sheddable: bool = False
    ) -> QueueNow | None:
        """The queue for the next request that finds every site full; None: one has room, or none
        has a target.
        """
        service = self._services.get(key)
        if service is None or not isinstance(decision, NoChoice) or decision.reason != "all-full":
            return None
        return service.queue_now(decision, sheddable=sheddable)

    def past_of(self, key: ServiceKey, count: int, which: RequestSelection) -> list[RequestRecord]:
        """At most ``count`` of the last requests of a service port, as `RecentRequests.last`."""
        service = self._services.get(key)
        return service.recent_requests.last(count, which) if service is not None else []

    def all_past(self) -> Iterator[tuple[ServiceKey, ServiceProtocol, list[RequestRecord]]]:
        """The stored last requests of every service port; see `RecentRequests.kept`."""
        for key, service in list(self._services.items()):  # It may change in between.
            yield key, service.protocol, service.recent_requests.kept()

    def sessions_of(self, key: ServiceKey) -> Sessions | None:
        """The sessions of the service port; None: it has no affinity."""
        service = self._services.get(key)
        return service.sessions if service is not None else None

    def services_snapshot(self) -> list[ServiceSnapshot]:
        """All service ports, by key."""
        return list(self.snapshots())

    def snapshots(self) -> Iterator[ServiceSnapshot]:
        """All service ports, by key, each as of when it is asked for.

        Between two of them the router may go on: ports that come or go meanwhile are left out.
        """
        listeners = self._listeners.states()
        for key in self.keys:
            service = self._services.get(key)
            if service is not None:
                yield self._snapshot(service, self._now(), listeners.get(key))

    def site_ejections(self) -> Iterator[tuple[ServiceKey, SiteEjections]]:
        """Ejections of each service port for which some site has failed requests of late."""
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
            queued=service.queue.queued,
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
