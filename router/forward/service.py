"""One service port at this site: its parts joined, its figures in one place."""

import random
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from router.balance.balancer import ServiceBalancer
from router.balance.decisions import Explanation
from router.balance.ledger import LocalLedger, Slot
from router.balance.reports import standing_target
from router.balance.retries import RetryBudget
from router.balance.waiting import queue_limit
from router.forward.admission import Admission
from router.forward.counters import ServiceCounters
from router.forward.health import HealthChecks
from router.forward.http1.terms import http_terms
from router.forward.local import LocalLeg
from router.forward.outcomes import Outcomes
from router.forward.pool import TargetPool
from router.forward.ports import LegHandler, Request, TargetConfig, TargetLeg
from router.forward.pressure import Pressure
from router.forward.protocols import http2
from router.forward.proxy_header import proxy_header
from router.forward.queueing import WaitingRoom
from router.forward.request_ids import RequestIds
from router.forward.sessions import Session, Sessions
from router.forward.target_http import HttpTargetLeg
from router.forward.target_tcp import TcpTargetLeg
from router.link.ports import StreamOpener
from router.model import limits
from router.model.addresses import split
from router.model.adverts import LoadReport, RemoteCandidate
from router.model.ids import ServiceKey, SiteId
from router.model.specs import ServiceProtocol, ServiceSpec
from router.net.ports import Network

if TYPE_CHECKING:
    from router.forward.pool_http2 import Http2Pool

SMOOTHING = 0.2
"""Weight of the newest sample in moving means."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service port of a router shares."""

    network: Network
    streams: StreamOpener
    site: SiteId
    site_name: str
    rng: random.Random
    pressure: Pressure
    load_changed: Callable[[ServiceKey], None]
    targets_changed: Callable[[], None]
    settles_until: float = 0.0
    """Until then a route that is missing may be about to be learnt."""


class Load(msgspec.Struct, frozen=True):
    """In flight at ready targets, how many those are, their stated capacity (None: none)."""

    in_flight: int
    targets_ready: int
    capacity: int | None


NO_LOAD = Load(0, 0, None)


class TargetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One target as ``service status`` shows it. ``error``: why it is not ready.

    ``ejected``: failed requests took it out, not checks.
    """

    name: str
    host: str
    port: int
    ready: bool
    in_flight: int
    capacity: int | None
    requests_total: int
    error: str
    ejected: bool = False


class Stranded(Hashable, Protocol):
    """A request whose only way broke."""

    def rerouted(self) -> None:
        """Routes changed: try again. It is no longer stranded."""


class _Remote:
    """What is remembered of a remote site beside the balancer's estimate."""

    __slots__ = ("name", "round_trip_s", "slots")

    def __init__(self, name: str) -> None:
        self.name = name
        self.slots = 1
        self.round_trip_s = 0.0


class Service:
    """The owner of a service port's ledger, balancer, queue, health checks, pools and counters.

    It may lack a listener (egress only), targets (ingress only), or a declaration elsewhere.
    """

    __slots__ = (
        "_health",
        "_http2_pools",
        "_load_moved",
        "_outcomes",
        "_pools",
        "_remotes",
        "_service_time_s",
        "_shared",
        "_site_name",
        "_stranded",
        "_targets",
        "_told",
        "admission",
        "balancer",
        "config",
        "counters",
        "has_targets",
        "http_terms",
        "key",
        "ledger",
        "pressure",
        "protocol",
        "request_ids",
        "retries",
        "room",
        "sessions",
        "site",
        "streams",
        "timers",
    )

    def __init__(self, key: ServiceKey, config: ServiceSpec, shared: Surroundings) -> None:
        self.key = key
        self.config = config
        self._shared = shared
        self.site = shared.site
        self.streams = shared.streams
        self.timers = shared.network
        self.http_terms = http_terms(config)
        """What new http connections are granted, and responses must keep to."""
        self.pressure = shared.pressure
        self.protocol: ServiceProtocol = config.protocol
        self._site_name = shared.site_name
        self._load_moved = False
        self.counters = ServiceCounters()
        self.retries = RetryBudget(config.limits.retry_percent, shared.network.now())
        self.sessions: Sessions | None = None
        """None: no affinity."""
        self.request_ids = RequestIds(shared.rng)
        self.request_ids.set_name(config.request_id)
        self.ledger = LocalLedger()
        self.balancer = ServiceBalancer(
            key, shared.site, shared.site_name, self.ledger, config.policy
        )
        self.admission = Admission(self.ledger, 0, shared.network, self._load_changed)
        self.room = WaitingRoom(
            shared.site,
            self.balancer,
            self.admission,
            shared.network,
            standing_target=self._standing_target,
            round_trip_s=self.round_trip_s,
        )
        self._health = HealthChecks(
            shared.network, shared.rng, self._target_is, config.timeouts.connect_s
        )
        self._outcomes = Outcomes(
            self._health, shared.network, shared.rng.random, self._can_spare_a_target
        )
        self._targets: Mapping[str, TargetConfig] = {}
        self._pools: dict[str, TargetPool] = {}
        self._http2_pools: dict[str, Http2Pool] = {}
        self._remotes: dict[SiteId, _Remote] = {}
        self._stranded: dict[Stranded, None] = {}
        self._service_time_s = 0.0
        self.has_targets = False
        """A connector of this site names some."""
        self._told: tuple[int, int | None] = (0, None)
        self._set_sessions()
        self._set_limit()

    # Wanted state

    def set_config(self, config: ServiceSpec) -> None:
        """Take over a changed definition. Exchanges under way go on as they began."""
        before, self.config = self.config, config
        if config.policy != before.policy:
            self.balancer.set_policy(config.policy)
        if config.timeouts != before.timeouts:
            self._health.connect_s = config.timeouts.connect_s
            self._close_pools(list(self._pools))
            for pool in self._http2_pools.values():
                pool.timeouts = config.timeouts
        if (config.affinity, config.tls_cert) != (before.affinity, before.tls_cert):
            self._set_sessions()
        self.retries.set_percent(config.limits.retry_percent)
        self.http_terms = http_terms(config)
        self.protocol = config.protocol
        self.request_ids.set_name(config.request_id)
        self._set_limit()
        self.room.reconsider()

    def set_targets(self, targets: Mapping[str, TargetConfig]) -> None:
        """Targets by ``host:port``; what they have in flight goes on."""
        self.has_targets = bool(targets)
        self.ledger.set_targets(
            {target: (config.connector, config.capacity) for target, config in targets.items()}
        )
        for target, config in targets.items():
            if config.unusable:  # At once, all of them: what follows may look for a target.
                self.ledger.set_ready(target, False)
        before, self._targets = self._targets, dict(targets)
        self._close_pools(
            [
                target
                for target in {*self._pools, *self._http2_pools}
                if target not in targets or targets[target].tls != before[target].tls
            ]
        )
        self._outcomes.set_targets(self._targets)
        self._health.set_targets(self._targets)
        self._targets_changed()

    def set_remotes(self, remotes: Sequence[RemoteCandidate]) -> None:
        """The remote candidates of the present route table."""
        for one in remotes:
            remote = self._remotes.get(one.site)
            if remote is None:
                remote = self._remotes[one.site] = _Remote(one.site_name)
            remote.name = one.site_name
            remote.slots = one.capacity if one.capacity is not None else one.targets_ready
        self.balancer.set_remotes(remotes)
        if self.sessions is not None:
            self.sessions.set_sites(self.balancer.sites)
        for request in list(self._stranded):
            request.rerouted()
        self.room.rerouted()
        self._recall_if_deserted()

    @property
    def settles_until(self) -> float:
        """Until then a request without a route waits for one."""
        return self._shared.settles_until

    def strand(self, request: Stranded) -> bool:
        """Tell ``request`` when routes change; False: too many wait for that."""
        if len(self._stranded) >= limits.REROUTES_WAITING_MAX:
            return False
        self._stranded[request] = None
        return True

    def unstrand(self, request: Stranded) -> None:
        self._stranded.pop(request, None)

    def report_load(self, report: LoadReport, site: SiteId) -> None:
        """A load report of ``site`` came; who waits may go there at once."""
        self.balancer.report_load(
            site, report.in_flight, report.targets_ready, report.capacity, self.timers.now()
        )
        self.room.reconsider()
        self._recall_if_deserted()

    def stop(self) -> None:
        """Nobody waits, nothing is checked or kept; what is in flight ends by itself."""
        self.set_remotes(())
        self.set_targets({})
        self.room.dismiss_all()

    # Legs

    def local_leg(
        self, request: Request, handler: LegHandler, slot: Slot, *, via_local: bool
    ) -> LocalLeg:
        """A started leg to a target of this site; ``slot`` is its own. See its ``is_opened``."""
        leg = LocalLeg(
            request,
            handler,
            slot,
            admission=self.admission,
            open_target=self._open_target,
            outcomes=self._outcomes,
            pressure=self.pressure,
            via_local=via_local,
        )
        leg.start()
        return leg

    # RemoteObserver (`remote`)

    def remote_opened(self, site: SiteId) -> None:
        self.balancer.opened(site)

    def remote_count(self, site: SiteId, in_flight: int) -> None:
        self.balancer.report_count(site, in_flight, self.timers.now())

    def remote_refused(self, site: SiteId, in_flight: int) -> None:
        self.balancer.refused(site, in_flight, self.timers.now())

    def remote_ended(self, site: SiteId, in_flight: int) -> None:
        self.balancer.ended(site, in_flight, self.timers.now())

    def shed_idle(self) -> int:
        """Close connections to targets that nobody uses; how many."""
        shed = sum(pool.shed_idle() for pool in self._pools.values())
        return shed + sum(pool.shed_idle() for pool in self._http2_pools.values())

    # Figures

    def name_of(self, site: SiteId) -> str:
        """A site's name as a label; its id when no name was heard."""
        if site == self.site:
            return self._site_name
        remote = self._remotes.get(site)
        return remote.name if remote is not None else site

    def note_service_time(self, seconds: float) -> None:
        """A request took that long, over all sites."""
        self._service_time_s += SMOOTHING * (seconds - self._service_time_s)

    def note_round_trip(self, site: SiteId, seconds: float) -> None:
        """A first answer of ``site`` took that long."""
        remote = self._remotes.get(site)
        if remote is not None:
            remote.round_trip_s += SMOOTHING * (seconds - remote.round_trip_s)

    def round_trip_s(self, site: SiteId) -> float:
        """The mean of those; 0.0: none was measured."""
        remote = self._remotes.get(site)
        return remote.round_trip_s if remote is not None else 0.0

    def load(self) -> Load:
        """What other sites are told."""
        ledger = self.ledger
        return Load(ledger.load, ledger.targets_ready, ledger.capacity)

    def targets(self) -> list[TargetInfo]:
        infos: list[TargetInfo] = []
        for state in self.ledger.targets():
            host, port = split(state.target)
            infos.append(
                TargetInfo(
                    name=state.name,
                    host=host,
                    port=port,
                    ready=state.ready,
                    in_flight=state.in_flight,
                    capacity=state.capacity,
                    requests_total=state.requests_total,
                    error="" if state.ready else self._health.error_of(state.target),
                    ejected=self._health.is_ejected(state.target),
                )
            )
        return infos

    def explain(self, now: float, session: Session | None = None) -> Explanation:
        """What would be decided now, for a request of ``session`` if given, and why."""
        preferred = session.site if session is not None else None
        return self.balancer.explain(now, preferred=preferred)

    # Inside

    def _open_target(
        self, request: Request, handler: LegHandler, target: str, via_local: bool
    ) -> tuple[TargetLeg, bool]:
        network, timeouts = self.timers, self.config.timeouts
        config = self._targets[target]
        if request.protocol == "tcp":
            host, port = split(target)
            preface = b""
            if config.proxy_protocol:
                preface = proxy_header(request.client, request.local)
            tcp_leg = TcpTargetLeg(
                network,
                host,
                port,
                handler,
                connect_s=timeouts.connect_s,
                tls=config.tls,
                preface=preface,
            )
            tcp_leg.start()
            return tcp_leg, False
        if request.protocol == "http2":
            return self._open_http2_target(request, handler, target, via_local)
        pool = self._pools.get(target)
        if pool is None:
            host, port = split(target)
            pool = TargetPool(network, host, port, timeouts=timeouts, tls=config.tls)
            self._pools[target] = pool
        leg = HttpTargetLeg(
            request, handler, pool, self._site_name, network, via_local, self.http_terms.heads
        )
        return leg, leg.start(tells_opened=False)

    def _open_http2_target(
        self, request: Request, handler: LegHandler, target: str, via_local: bool
    ) -> tuple[TargetLeg, bool]:
        network = self.timers
        parts = http2()
        pool = self._http2_pools.get(target)
        if pool is None:
            host, port = split(target)
            pool = self._http2_pools[target] = parts.pool(
                network,
                host,
                port,
                timeouts=self.config.timeouts,
                tls=self._targets[target].tls,
            )
        leg = parts.leg(request, handler, pool, self._site_name, network, via_local)
        return leg, leg.start(tells_opened=False)

    def _target_is(self, target: str, ready: bool) -> None:
        if ready:
            self._outcomes.returned(target)
        self.ledger.set_ready(target, ready)
        self._targets_changed()
        self._recall_if_deserted()

    def _can_spare_a_target(self) -> bool:
        """Never the last one of all, however it fails: an error is better than no answer.

        Nor more than half while no other site serves: who knows a request that makes targets fail
        shall not leave the clients of all ten with one.
        """
        if self.balancer.is_served_elsewhere:
            return True
        ready = self.ledger.targets_ready
        ejected = sum(self._health.is_ejected(target) for target in self._targets)
        return ready > 1 and 2 * ejected < ready + ejected

    def _recall_if_deserted(self) -> None:
        if not self.ledger.targets_ready and not self.balancer.is_served_elsewhere:
            self._health.recall()

    def _close_pools(self, targets: Iterable[str]) -> None:
        """Exchanges under way go on with what they have."""
        for target in targets:
            if target in self._pools:
                self._pools.pop(target).close()
            if target in self._http2_pools:
                self._http2_pools.pop(target).close()

    def _targets_changed(self) -> None:
        self._set_limit()
        self.admission.serve()
        self.room.reconsider()
        advertised = (self.ledger.targets_ready, self.ledger.capacity)
        if advertised != self._told:
            self._told = advertised
            self._shared.targets_changed()
        self._load_changed()

    def _load_changed(self) -> None:
        """Told once per turn, however many requests begin and end in it."""
        if not self._load_moved:
            self._load_moved = True
            self.timers.at_turn_end(self._tell_load_changed)

    def _tell_load_changed(self) -> None:
        self._load_moved = False
        self._shared.load_changed(self.key)

    def _set_sessions(self) -> None:
        """A changed affinity begins with no session known."""
        affinity = self.config.affinity
        if affinity is None:
            self.sessions = None
            return
        secure = self.config.tls_cert != ""
        self.sessions = Sessions(affinity, self.key, self._shared.rng, secure=secure)
        self.sessions.set_sites(self.balancer.sites)

    def _set_limit(self) -> None:
        self.room.set_limit(queue_limit(self.config.queue, self.ledger.capacity))

    def _standing_target(self, site: SiteId) -> int:
        remote = self._remotes.get(site)
        if remote is None:
            return 1
        return standing_target(remote.slots, remote.round_trip_s, self._service_time_s)
