"""A whole network of routers, configured by its documents, that serves single requests.

While `world` builds the sites of a scenario, this takes wanted state in the form of real sites:
policies, grants, rules and terms count as in production. Targets are replaced by ones that work as
long as each request says; ports, TLS, listeners' addresses and hooks are left out.
"""

from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Final

import msgspec
from msgspec import structs

from router.documents import Wanted, capacities
from router.model.events import Severity
from router.model.ids import ServiceKey, SiteId
from router.model.rights.sharing import FREE, Terms
from router.model.settings import Timeouts
from router.model.specs import ConnectorSpec, ServiceSpec, SiteSpec, TargetSpec
from router.net.simulated.internet import SimulatedInternet
from router.node.site_router import SiteRouter
from router.node.start import RouterStart
from simulator.runs.backends import Backend
from simulator.runs.clients import Clients
from simulator.runs.measure import SimulatedRequest
from simulator.runs.virtual import LINK_PORT, MemoryKeeper, NoClaims, SimCredentials, SimIdentity
from simulator.scenarios.bounds import SETTLE_S
from simulator.scenarios.scenario import ServiceTime

LINK_RTT_S: Final = 0.002
"""Short, so that a site's view of another is up to date."""
ENDLESS_SLOTS: Final = 10_000
"""For a target without a configured capacity: requests never wait in it."""
_EACH_ITS_OWN: Final = ServiceTime(mean_s=0.0)
"""Every request defines its own duration."""
_FIRST_PORT, _FIRST_TARGET_PORT = 8_001, 20_001
_PATIENT: Final = Timeouts(response_s=3_600.0, idle_s=3_600.0)


class AssumedTargets(msgspec.Struct, frozen=True, kw_only=True):
    """Assumptions for missing values in documents: ``slots`` of a target whose capacity is learned,
    and how many ``targets`` a workload has.
    """

    slots: int = 10
    targets: int = 1


class RehearsedSite(msgspec.Struct, frozen=True, kw_only=True):
    """``links``: by name, the site each leads to. ``terms``: the terms on which others are admitted
    here.
    """

    wanted: Wanted
    site_id: str = ""
    links: dict[str, str] = {}
    terms: dict[str, Terms] = {}


class RehearsedIdentity(SimIdentity):
    """An identity whose site ID is the one that rules and grants name."""

    def __init__(self, name: str, router: str, ids: Mapping[bytes, SiteId]) -> None:
        self._ids = ids
        super().__init__(name, router)

    def site_of(self, public_key: bytes) -> SiteId:
        return self._ids.get(public_key) or super().site_of(public_key)


class _Actor:
    """One site: its router, targets and clients."""

    def __init__(self, ip: str, router: SiteRouter) -> None:
        self.ip, self.router = ip, router
        self.backends: dict[str, list[Backend]] = {}
        self.clients: dict[str, Clients] = {}


class Rehearsal:
    """The network, settled, before the first request. The same sites give the same outcome."""

    def __init__(
        self,
        sites: Mapping[str, RehearsedSite],
        assumed: Mapping[str, AssumedTargets],
        seed: int = 1,
    ) -> None:
        self._sites, self._assumed, self._seed = sites, assumed, seed
        self._work_s: list[float] = []
        declared = {name for one in sites.values() for name in one.wanted.services}
        self._ports = {name: _FIRST_PORT + i for i, name in enumerate(sorted(declared))}
        self.internet = SimulatedInternet(seed, delay_s=LINK_RTT_S / 2, cuts=False)
        self.journal: list[str] = []
        self._actors: dict[str, _Actor] = {}
        ips = {
            name: f"10.{i // 62500}.{i // 250 % 250}.{i % 250 + 1}" for i, name in enumerate(sites)
        }
        ids = {
            b"key of " + name.encode(): SiteId(one.site_id)
            for name, one in sites.items()
            if one.site_id
        }
        for name in sites:
            self._actors[name] = self._start(name, ips, ids)
        self.run(SETTLE_S)

    def _start(self, name: str, ips: Mapping[str, str], ids: Mapping[bytes, SiteId]) -> _Actor:
        site, ip, number = self._sites[name], ips[name], len(self._actors) + 1
        network = self.internet.host(ip)
        endpoints = {link: ips[other] for link, other in site.links.items()}
        credentials = SimCredentials(name, endpoints)
        for other, terms in site.terms.items():
            if terms != FREE:
                credentials.terms[b"certificate of " + other.encode()] = terms
        router = SiteRouter(
            network,
            RehearsedIdentity(name, f"{number:016x}", ids),
            credentials,
            MemoryKeeper(self.internet),
            NoClaims(),
            RouterStart(
                epoch=1,
                boot_nonce=b"1",
                version="simulated",
                is_edge=site.wanted.site.router_mode == "edge",
            ),
            rng=Random(f"{self._seed} router {name}"),
            tell=partial(self._tell, name),
        )
        actor = _Actor(ip, router)
        router.apply(self._adapted(actor, name), [])
        return actor

    def _tell(
        self,
        name: str,
        severity: Severity,
        code: str,
        subject: str,
        message: str,
        hint: str = "",
        **_: str,
    ) -> None:
        self.journal.append(
            f"{self.internet.now:.3f} {name} {severity} {code} {subject}: {message}"
        )

    def _adapted(self, actor: _Actor, name: str) -> Wanted:
        """The site's wanted state, with targets, ports and addresses of the simulation."""
        wanted, count = self._sites[name].wanted, 0
        connectors: dict[str, ConnectorSpec] = {}
        for title, spec in wanted.connectors.items():
            if spec.service not in self._ports:
                continue
            known = self._assumed.get(spec.service, AssumedTargets())
            targets: list[TargetSpec] = []
            for capacity in _capacities(spec, known):
                port = _FIRST_TARGET_PORT + count
                count += 1
                targets.append(TargetSpec("127.0.0.1", port, capacity=capacity))
                slots = capacities.of_spec(capacity).slots or ENDLESS_SLOTS
                host = self.internet.host(actor.ip)
                backend = Backend(host, port, name.encode(), slots, _EACH_ITS_OWN, self)
                actor.backends.setdefault(spec.service, []).append(backend)
            connectors[title] = structs.replace(
                spec,
                targets=tuple(targets),
                workload="",
                target_ports=(),
                capacity=None,
                tls_trust="",
                tls_server_name="",
                proxy_protocol=False,
                allow_link_local=False,
            )
        return structs.replace(
            wanted,
            site=SiteSpec(
                router_mode=wanted.site.router_mode,
                ingress=wanted.site.ingress,
                ingress_bind_ip=actor.ip,
                bind_port=LINK_PORT,
                service_sync=wanted.site.service_sync,
                listeners_per_site=wanted.site.listeners_per_site,
                sharing=wanted.site.sharing,
            ),
            services={
                title: _plain_service(spec, self._ports[title])
                for title, spec in wanted.services.items()
            },
            connectors=connectors,
            listeners={
                title: structs.replace(spec, port=None, listen="none")
                for title, spec in wanted.listeners.items()
                if spec.listen == "none"
            },
            links={title: structs.replace(spec, proxy="") for title, spec in wanted.links.items()},
            bursts={},
        )

    # `BackendWork`

    def seconds(self, number: int, spec: ServiceTime) -> float:
        """The duration passed to `ask`."""
        return self._work_s[number]

    def fails(self, number: int, share: float) -> bool:
        """Never."""
        return False

    def call(self, number: int, site: str, done: Callable[[bool], None]) -> bool:
        """Targets make no calls here."""
        return False

    # Requests

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.internet.run_until(self.internet.now + seconds)

    def kill(self, site: str) -> None:
        """The site's host dies, with everything on it."""
        for backends in self._actors[site].backends.values():
            for backend in backends:
                backend.die()
        self.internet.kill(self._actors[site].ip)

    def ask(self, site: str, service: str, work_s: float) -> SimulatedRequest:
        """A client at ``site`` asks now; the answer comes as time passes."""
        actor, now = self._actors[site], self.internet.now
        request = SimulatedRequest(len(self._work_s), site, service, now)
        self._work_s.append(work_s)
        if service not in actor.clients:
            host = self.internet.host(actor.ip)
            actor.clients[service] = Clients(host, self._ports[service], False, _hear_nothing)
        actor.clients[service].ask(request)
        return request

    def at_work(self, service: str) -> dict[str, int]:
        """Requests of ``service`` that the targets of each site have now."""
        return {
            name: sum(one.busy + one.waiting for one in actor.backends.get(service, ()))
            for name, actor in self._actors.items()
        }

    def why_not(self, site: str, service: str) -> str:
        """The rule that keeps clients of ``site`` from the service, in the router's own words;
        empty: none does.
        """
        router = self._actors[site].router
        problem = router.why_unknown(service)
        if problem is not None:
            return problem.message
        explanation = router.readings.explain(self._key(service), self.internet.now)
        return "" if explanation is None else router.left_out(self._key(service), explanation).why

    def slots(self, site: str, service: str) -> int | None:
        """How many requests the site takes at once, of its own clients and others; None: it is
        never full.
        """
        return self._actors[site].router.readings.load_of(self._key(service)).capacity

    def _key(self, service: str) -> ServiceKey:
        return ServiceKey(service, self._ports[service])


def _hear_nothing(request: SimulatedRequest) -> None:
    """The state that a request finds is not read here."""


def _plain_service(spec: ServiceSpec, port: int) -> ServiceSpec:
    """As HTTP or tcp at one port, without settings that need real clients and targets."""
    return structs.replace(
        spec,
        protocol="tcp" if spec.protocol == "tcp" else "http",
        ports=(port,),
        tls_cert="",
        headless="",
        routing_key="",
        hold_s=0.0,
        timeouts=_PATIENT,
    )


def _capacities(spec: ConnectorSpec, assumed: AssumedTargets) -> list[int | str | None]:
    """The capacity of each target, its own or its connector's; a learned one is as ``assumed``."""
    stated = [one.capacity for one in spec.targets]
    if spec.workload:
        stated = [None] * assumed.targets
    return [_learned(spec.capacity if one is None else one, assumed) for one in stated]


def _learned(capacity: int | str | None, assumed: AssumedTargets) -> int | str | None:
    found = capacities.of_spec(capacity)
    if not found.auto:
        return capacity
    return capacities.spec_value(structs.replace(found, auto=False, slots=assumed.slots))
