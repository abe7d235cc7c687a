"""Whole routers, backends and clients of a scenario on one simulated internet."""

from collections.abc import Callable
from random import Random

from router.documents import Wanted
from router.model import limits
from router.model.events import Severity
from router.model.specs import ConnectorSpec, LinkSpec, ServiceSpec, SiteSpec
from router.net.simulated.internet import SimulatedInternet
from router.node.site_router import SiteRouter
from router.node.start import RouterStart
from simulator.runs import wanted
from simulator.runs.backends import Backend, BackendWork
from simulator.runs.bursts import BurstMoment, SiteBursts
from simulator.runs.measure import key_of
from simulator.runs.virtual import LINK_PORT, MemoryKeeper, NoClaims, SimCredentials, SimIdentity
from simulator.scenarios.scenario import Scenario, ScenarioBurst, ScenarioService, ScenarioTargets

_FIRST_PORT = 10_000
_CLOCK_IP = "192.0.2.1"  # Of no site: it outlives them all.
_STRANGERS_S = 0.001  # One way, between sites without a link: they never communicate.


class Group:
    """The backends of one `ScenarioTargets` of the scenario."""

    __slots__ = ("backends", "count", "spec", "stopped")

    def __init__(self, spec: ScenarioTargets) -> None:
        self.spec = spec
        self.count = 0 if spec.asleep else spec.count
        """How many there are when its site starts."""
        self.backends: list[Backend] = []
        self.stopped: list[Backend] = []

    def stop(self, count: int) -> None:
        """Stop the first ``count`` backends that run."""
        for backend in self.backends[:count]:
            if backend not in self.stopped:
                self.stopped.append(backend)
                backend.stop()

    def start(self, count: int) -> None:
        """Start the first ``count`` of the stopped backends."""
        for backend in self.stopped[:count]:
            self.stopped.remove(backend)
            backend.start()


class SimulatedSite:
    """One site: its host, its router, its backends."""

    def __init__(self, world: "World", number: int, name: str) -> None:
        self._world = world
        self.name = name
        self.ip = f"10.0.{number // 250}.{number % 250 + 1}"
        self.network = world.internet.host(self.ip)
        self._identity = SimIdentity(name, f"{number + 1:016x}")
        self._keeper = MemoryKeeper(world.internet)
        self._endpoints: dict[str, str] = {}
        self._links: dict[str, LinkSpec] = {}
        self._ports = 0
        self.groups = [Group(spec) for spec in world.scenario.targets if spec.site == name]
        self.everyone: list[tuple[str, Backend]] = []
        """All backends so far, with their service."""
        self.alive = False

    def start(self) -> None:
        """Create its host and router, again after it was killed."""
        self.network = self._world.internet.host(self.ip)
        self._ports = 0  # All are free again.
        self._keeper.keep_epoch(self._keeper.epoch + 1)
        life = self._keeper.epoch
        self.router = SiteRouter(
            self.network,
            self._identity,
            SimCredentials(self.name, self._endpoints),
            self._keeper,
            NoClaims(),
            RouterStart(epoch=life, boot_nonce=b"%d" % life, version="simulated"),
            rng=Random(f"{self._world.scenario.seed} router {self.name} {life}"),
            tell=self._world.tell,
        )
        for group in self.groups:
            count = len(group.backends) or group.count
            group.backends, group.stopped = [], []
            self.add(group, count)
        self.alive = True
        self.apply()
        bursts = [one for one in self._world.scenario.bursts if one.site == self.name]
        if bursts:
            self._look(SiteBursts(self._world, self.router.forwarder, bursts))

    def _look(self, hooks: SiteBursts) -> None:
        """Check the hooks repeatedly, as long as this host lives."""
        now = self.network.now()
        hooks.look(now)
        self.network.call_at(now + limits.BURST_SAMPLE_S, lambda: self._look(hooks))

    def kill(self) -> None:
        """Kill the host, including backends and clients."""
        self.alive = False
        for _, backend in self.everyone:
            backend.die()
        self._world.internet.kill(self.ip)

    def add(self, group: Group, count: int) -> None:
        """Start ``count`` more backends; `apply` passes them to the router."""
        spec = group.spec
        assert spec.slots is not None, "the reader fills it in"
        for _ in range(count):
            port = _FIRST_PORT + self._ports
            self._ports += 1
            name, work = self.name.encode(), self._world.work
            backend = Backend(self.network, port, name, spec.slots, spec.service_time, work)
            group.backends.append(backend)
            self.everyone.append((spec.service, backend))

    def wake(self, service: str) -> None:
        """The sleeping targets of a service are up, now and after a restart."""
        for group in self._sleepers(service):
            if not group.backends:
                group.count = group.spec.count
                if self.alive:
                    self.add(group, group.count)
        self.apply()

    def sleep(self, service: str) -> None:
        """The woken targets go; requests that they work on end."""
        for group in self._sleepers(service):
            group.count = 0
            group.backends, group.stopped = [], []
        self.apply()

    def _sleepers(self, service: str) -> list[Group]:
        return [one for one in self.groups if one.spec.asleep and one.spec.service == service]

    def dial(self, other: "SimulatedSite", cost: int) -> None:
        """Link to ``other``, or change that link's cost."""
        self._endpoints[f"to-{other.name}"] = other.ip
        self._links[f"to-{other.name}"] = LinkSpec(cost=cost)

    def apply(self) -> None:
        """Pass the wanted state to the router."""
        if not self.alive:
            return
        self.router.apply(
            Wanted(
                name=self.name,
                site=SiteSpec(ingress_bind_ip=self.ip, bind_port=LINK_PORT),
                services={name: self._world.declared(name) for name in self._world.names},
                connectors={f"c{i}": self._connector(group) for i, group in enumerate(self.groups)},
                links=dict(self._links),
                policies={
                    f"p{i}": wanted.site_policy_spec(spec)
                    for i, spec in enumerate(self._world.scenario.policies)
                    if spec.site == self.name
                },
            ),
            [],
        )

    def _connector(self, group: Group) -> ConnectorSpec:
        places = [("127.0.0.1", one.port) for one in group.backends]
        return wanted.connector_spec(group.spec, places)

    def backends_of(self, service: str) -> list[Backend]:
        """The running backends of one service."""
        return [
            backend
            for group in self.groups
            if group.spec.service == service
            for backend in group.backends
            if backend not in group.stopped
        ]


class World:
    """All sites of a scenario, from before the first link to the end."""

    def __init__(self, scenario: Scenario, work: BackendWork) -> None:
        self.scenario, self.work = scenario, work
        self.names = tuple(service.name for service in scenario.services)
        self.services: dict[str, ScenarioService] = {one.name: one for one in scenario.services}
        self.internet = SimulatedInternet(scenario.seed, delay_s=_STRANGERS_S, cuts=False)
        self.journal: list[str] = []
        self.moments: list[BurstMoment] = []
        self._clock = self.internet.host(_CLOCK_IP)
        self.sites = {name: SimulatedSite(self, i, name) for i, name in enumerate(scenario.sites)}
        for link in scenario.links:
            first, second = (self.sites[name] for name in link.between)
            self.internet.set_delay(first.ip, second.ip, link.rtt_s / 2.0)
            first.dial(second, link.cost)
        asleep = {one.wakes for one in scenario.bursts if one.starts == "router"}
        for name, site in self.sites.items():
            if name not in asleep:
                site.start()

    @property
    def now(self) -> float:
        """The network's clock, in seconds."""
        return self.internet.now

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Run ``action`` at ``when`` of the network's clock, even if sites are dead."""
        self._clock.call_at(when, action)

    def set_service(self, service: ScenarioService) -> None:
        """Declare the service like this from now on, at all sites."""
        self.services[service.name] = service
        for site in self.sites.values():
            site.apply()

    def wake(self, burst: ScenarioBurst) -> None:
        """Start the sleeping targets of a burst, with their router if it does not run."""
        site = self.sites[burst.wakes]
        if burst.starts == "router" and not site.alive:
            site.start()
        site.wake(burst.service)

    def sleep(self, burst: ScenarioBurst) -> None:
        """Take the targets away again; the router stays."""
        self.sites[burst.wakes].sleep(burst.service)

    def tell(
        self, severity: Severity, code: str, subject: str, message: str, hint: str = "", **_: str
    ) -> None:
        """Record a journal entry of any router."""
        self.journal.append(f"{self.internet.now:.6f} {severity} {code} {subject}: {message}")

    def declared(self, name: str) -> ServiceSpec:
        """The declaration of a service, the same at all sites."""
        return wanted.service_spec(self.services[name], key_of(self.names, name).port)
