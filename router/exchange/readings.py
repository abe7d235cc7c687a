"""What the service ports of this site say of themselves, for who shows, judges or tells it."""

from collections.abc import Callable, Iterator, Mapping, Set
from math import log

import msgspec

from router.balance.deciding.decisions import Decision, Explanation, NoChoice
from router.balance.learning.demand import ScaleFigures
from router.balance.learning.knees import LatencyLevel
from router.balance.learning.saturation import Totals
from router.balance.site.spills import LocalTargets
from router.balance.site_gate import RateState
from router.balance.sites.site_ejection import SiteEjections
from router.balance.targets.answer_streaks import NoAnswer
from router.balance.targets.error_answers import ErrorShare
from router.balance.targets.target import TargetState
from router.balance.targets.target_choice import TargetReport
from router.exchange.clients.listeners import Listeners
from router.model.ids import ServiceKey, SiteId
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
    TargetInfo,
)
from router.service.recent_requests import RequestRecord
from router.service.service import Service
from router.service.service_figures import StatedTargets
from router.service.sessions import Session, Sessions
from router.service.targets.target_answers import TargetAnswers

USUAL_SHARE = 0.9  # Of requests: few that hang do not make it usual.


class Readings:
    """Figures and explanations of the service ports known here. Nothing is changed by reading.

    Of a port that is not known here there is nothing to read: zero, an empty collection or None.
    """

    __slots__ = ("_declared", "_listeners", "_now", "_services")

    def __init__(
        self,
        services: Mapping[ServiceKey, Service],
        declared: Set[ServiceKey],
        listeners: Listeners,
        now: Callable[[], float],
    ) -> None:
        """``services``, ``declared``: the owner's own, which change. ``now``: monotonic seconds."""
        self._services = services
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

    def targets(self) -> dict[ServiceKey, list[TargetInfo]]:
        """The targets of this site, by service port."""
        return {key: service.targets() for key, service in self._services.items()}

    def standing(self) -> dict[ServiceKey, dict[str, bool]]:
        """Whether each of `targets` is ready: cheap, for who looks at all again and again."""
        return {key: service.ledger.standing() for key, service in self._services.items()}

    def full_targets(self) -> dict[tuple[ServiceKey, str], int]:
        """Ready targets of http services without a free slot: how often each has answered, by
        requests that it completed and by parts of answers."""
        return {
            (key, address): ended + service.parts_of(address)
            for key, service in self._services.items()
            if service.protocol != "tcp"
            for address, ended in service.ledger.full_targets()
        }

    def awaits_answers(self, key: ServiceKey, address: str) -> bool:
        """Whether one http target has a request of which no answer has begun."""
        service = self._services[key]
        begun = service.target_ways.begun_count(address)
        return begun < service.ledger.in_flight_at(address)

    def completed_by(self, key: ServiceKey, address: str) -> int | None:
        """How many requests one target has completed; None: it is not ready."""
        service = self._services.get(key)
        return service.ledger.completed_by(address) if service is not None else None

    def answered_by(self, key: ServiceKey, address: str) -> int | None:
        """As `full_targets` counts, of any http target; None: it is not ready."""
        ended = self.completed_by(key, address)
        return None if ended is None else ended + self._services[key].parts_of(address)

    def usual_s(self, key: ServiceKey) -> float | None:
        """What nine of ten requests of one service port took at their targets lately, at most;
        None: no request has ended.

        By the requests of clients of this site. Where it has none, as if the times of what other
        sites send here were exponentially distributed around the mean of the slowest target.
        """
        service = self._services.get(key)
        if service is None:
            return None
        own_s = service.recent_times.quantile(service.counters.target_times(), USUAL_SHARE)
        if own_s is not None:
            return own_s
        return service.target_ways.mean_s() * -log(1 - USUAL_SHARE) or None

    def is_ready(self, key: ServiceKey, address: str) -> bool:
        """Whether a target of this site is ready."""
        service = self._services.get(key)
        return service is not None and service.ledger.standing().get(address, False)

    @property
    def refused_clients(self) -> Mapping[ServiceKey, int]:
        """Client connections that were reset since the start, as their address had too many."""
        return self._listeners.refused

    def used_services(self) -> set[str]:
        """Names of services that clients of this site have asked for since the start."""
        return {key.name for key, service in self._services.items() if service.counters.chosen}

    def local_targets(self, key: ServiceKey) -> LocalTargets:
        """How many targets of one service port are here, and how they stand."""
        service = self._services.get(key)
        return service.ledger.local_targets if service is not None else LocalTargets()

    def is_drained(self, key: ServiceKey) -> bool:
        """An operator lets this site take nothing new of one service port."""
        service = self._services.get(key)
        return service is not None and service.ledger.is_drained

    def answers_of_targets(self) -> Iterator[tuple[ServiceKey, Mapping[str, TargetAnswers]]]:
        """What became of connections to the targets of each tcp service port, by address."""
        for key, service in self._services.items():
            if service.protocol == "tcp" and service.own_targets.are_there:
                yield key, service.target_ways.answers

    def answers_of(self, key: ServiceKey) -> Mapping[str, TargetAnswers]:
        """As `answers_of_targets`, of one service port of any protocol."""
        service = self._services.get(key)
        return service.target_ways.answers if service is not None else {}

    def unanswering_of(self, key: ServiceKey) -> Mapping[str, NoAnswer]:
        """As `set_unanswering` has it, of one service port."""
        service = self._services.get(key)
        return service.unanswering if service is not None else {}

    def errors_of_targets(self) -> dict[ServiceKey, Mapping[str, int]]:
        """Answers of 5xx since the start by address, of service ports that had some."""
        return {
            key: service.outcomes.errors
            for key, service in self._services.items()
            if service.outcomes.errors
        }

    def breaks_of_targets(self) -> dict[ServiceKey, Mapping[str, int]]:
        """Exchanges that targets broke off since the start, as `errors_of_targets`; of tcp none:
        a reset may be how its protocol ends."""
        return {
            key: service.outcomes.breaks
            for key, service in self._services.items()
            if service.outcomes.breaks and service.protocol != "tcp"
        }

    def breaks_of(self, key: ServiceKey) -> Mapping[str, int]:
        """As `breaks_of_targets`, of one service port."""
        return self.breaks_of_targets().get(key, {})

    def errors_of(self, key: ServiceKey) -> Mapping[str, int]:
        """As `errors_of_targets`, of one service port."""
        service = self._services.get(key)
        return service.outcomes.errors if service is not None else {}

    def failing_of(self, key: ServiceKey) -> Mapping[str, ErrorShare]:
        """As `set_failing` has it, of one service port."""
        service = self._services.get(key)
        return service.failing if service is not None else {}

    def targets_of(self, key: ServiceKey) -> list[TargetInfo]:
        """The targets of one service port; none of one that is not known here."""
        service = self._services.get(key)
        return service.targets() if service is not None else []

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

    def target_of(self, key: ServiceKey, session: Session) -> str | None:
        """The target of this site (``host:port``) that is the session's; None: none has room."""
        service = self._services.get(key)
        return service.ledger.target_of(session.key) if service is not None else None

    def target_reports(self, key: ServiceKey, now: float) -> list[TargetReport]:
        """Which ready target of this site would get the next request of no session, and why."""
        service = self._services.get(key)
        return service.ledger.target_reports(now) if service is not None else []

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
