"""Whole routers in one process on the simulated network: sites, targets, clients, faults.

One seed, one history. Identities are hashes and certificates are values: TLS and keys have separate
tests.
"""

import random
import time
from collections.abc import Callable
from math import inf
from typing import Any, Final

import msgspec

from router.documents import CapacityDivision, Wanted
from router.documents.division import WHOLE, divided
from router.model import limits
from router.model.events import Severity
from router.model.ids import ServiceKey
from router.model.limits import DRAIN_GRACE_S
from router.model.settings import Affinity
from router.model.specs import (
    ConnectorSpec,
    LinkSpec,
    ListenerSpec,
    PolicySpec,
    ServiceProtocol,
    ServiceSpec,
    SitePolicySpec,
    SiteSpec,
    TargetSpec,
)
from router.net.ports import (
    Connection,
    ConnectionHandler,
    DialFailure,
    Listener,
    Loss,
    Network,
)
from router.net.simulated.internet import SimulatedInternet
from router.node.memory_guard import MemoryGuard, MemoryUse
from router.node.parts import WHOLE as WHOLE_PART
from router.node.site_router import SiteRouter
from router.node.start import RouterStart
from router.node.wall_clock import JUMP_S, LOOK_S, STEADY_S
from simulator.runs.virtual import LINK_PORT, MemoryKeeper, NoClaims, SimCredentials, SimIdentity

SERVICE = ServiceKey("shop", 8080)
SERVICE_S = 0.1
DAY_S: Final = 86_400.0
STOP_S = 0.2  # What a process takes to end once it has drained: its goodbyes leave.


class Target:
    """An HTTP server that takes `service_s` for each request and counts them.

    ``status`` is the status of its answers; 0: it resets.
    """

    def __init__(
        self,
        network: Network,
        port: int,
        name: str,
        service_s: float,
        all_seen: list[bytes],
        host: str = "127.0.0.1",
        service: ServiceKey = SERVICE,
    ) -> None:
        self._host = host
        self.service = service
        self._network = network
        self.all_seen = all_seen
        self.name = name
        self.port = port
        self.service_s = service_s
        self.knee = 10**9  # With more in hand all are slower, as when they share a processor.
        self.streams = False  # Each answer begins at once, and ends after `service_s`.
        self.works_on = False  # Also on requests whose client has left.
        self.times: Callable[[], float] | None = None  # Of each request, in means.
        self.status = 200
        self.refuses = False
        self.in_hand = self.most_in_hand = self.least_in_hand = self.served = 0
        self.answered_at: list[float] = []
        self.seen: list[bytes] = []
        self.begun_at: list[float] = []
        self.listen()

    def again(self, network: Network) -> "Target":
        """One like it, well, on another host or after a restart."""
        return Target(
            network, self.port, self.name, self.service_s, self.all_seen, self._host, self.service
        )

    def listen(self) -> None:
        """Take connections, again after ``listener`` was closed."""
        self.refuses = False
        self.listener = self._network.listen(self._host, self.port, self._accept)

    def refuse(self) -> None:
        """Take no new connections."""
        self.listener.close()
        self.refuses = True

    def let_go(self, count: int) -> None:
        """So many requests ended."""
        self.in_hand -= count
        self.least_in_hand = min(self.least_in_hand, self.in_hand)

    def _accept(self, connection: Connection) -> ConnectionHandler:
        return _TargetConnection(self, self._network, connection)


class _TargetConnection:
    def __init__(self, target: Target, network: Network, connection: Connection) -> None:
        self._target, self._network, self._connection = target, network, connection
        self._head = b""
        self._is_last = False
        self._working = 0
        self._lost = False

    def received(self, data: memoryview) -> None:
        self._head += data
        while (end := self._head.find(b"\r\n\r\n")) >= 0:
            request, self._head = self._head[: end + 4], self._head[end + 4 :]
            self._begin(request)

    def _begin(self, request: bytes) -> None:
        target = self._target
        target.seen.append(request)
        target.begun_at.append(self._network.now())
        target.all_seen.append(request)
        self._is_last = b"Connection: close" in request  # As it comes through a tcp service.
        target.in_hand += 1
        target.most_in_hand = max(target.most_in_hand, target.in_hand)
        self._working += 1
        if target.streams:
            self._connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        slower = max(1.0, target.in_hand / target.knee)
        if target.times is not None:
            slower *= target.times()
        self._network.call_at(self._network.now() + target.service_s * slower, self._done)

    def _done(self) -> None:
        if self._working:
            self._working -= 1
            self._target.let_go(1)
            if self._lost:
                return
            self._target.answered_at.append(self._network.now())
            if not self._target.status:
                self._connection.abort()
                return
            self._target.served += 1
            if self._target.streams:
                self._connection.send(b"0\r\n\r\n")
                return
            body = self._target.name.encode()
            self._connection.send(
                b"HTTP/1.1 %d Whatever\r\nX-Target: %d\r\nContent-Length: %d\r\n\r\n%s"
                % (self._target.status, self._target.port, len(body), body)
            )
            if self._is_last:
                self._connection.finish()

    def ended(self) -> None:
        self._connection.finish()

    def writable(self) -> None:
        pass

    def lost(self, cause: Loss | None) -> None:
        self._lost = True
        if not self._target.works_on:
            self._target.let_go(self._working)
            self._working = 0


LEFT: Final = "left"
"""The error of a request whose client gave up."""


class Answer:
    """What became of one request: the site that served it, or the status, or how it was lost."""

    def __init__(self, began: float, line: str = "GET /") -> None:
        self.began = began
        self.line = line
        self.ended = 0.0
        self.status = 0
        self.site = ""
        self.fields: dict[str, str] = {}
        self.error = ""
        self.leave: Callable[[], None] = _is_not_there
        """Its client resets its connection."""

    def give_up(self, now: float) -> None:
        """Its client leaves without an answer, if it is connected."""
        if self.leave is not _is_not_there:
            self.leave()
            self.error, self.ended = LEFT, now

    @property
    def target(self) -> str:
        """Site and port of the target that served it."""
        return f"{self.site}:{self.fields.get('X-Target')}"


def _is_not_there() -> None:
    raise AssertionError("it is not connected")


class _Client:
    """One connection, one request."""

    def __init__(
        self, network: Network, connection: Connection, answer: Answer, fields: bytes
    ) -> None:
        self._network, self._connection, self._answer = network, connection, answer
        answer.leave = connection.abort
        self._bytes = b""
        head = f"{answer.line} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n"
        connection.send(head.encode() + fields + b"Content-Length: 0\r\n\r\n")

    def received(self, data: memoryview) -> None:
        self._bytes += data

    def ended(self) -> None:
        head, _, body = self._bytes.partition(b"\r\n\r\n")
        answer = self._answer
        if head:
            answer.status = int(head.split(b" ")[1])
            lines = (line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
            answer.fields = {name: value for name, value in lines}
            if answer.status == 200:
                answer.site = body.decode()
            else:
                answer.error = body.decode().strip()
        answer.ended = self._network.now()
        self._connection.finish()

    def writable(self) -> None:
        pass

    def lost(self, cause: Loss | None) -> None:
        if cause is not None and not self._answer.ended:
            self._answer.error = cause.code
            self._answer.ended = self._network.now()


class Passive:
    """Says nothing on a connection, and ends it when its peer does: as a program that has the port
    of a service, or one that answers by what it overrides."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def received(self, data: memoryview) -> None:
        pass

    def ended(self) -> None:
        self._connection.finish()

    def writable(self) -> None:
        pass

    def lost(self, cause: Loss | None) -> None:
        pass


class SimSite:
    """One site: its host, router and targets."""

    def __init__(self, world: "World", number: int, name: str) -> None:
        self.world = world
        self.name = self._key = name  # The name changes when it joins another site.
        self.ip = f"10.0.0.{number}"
        self.identity = SimIdentity(name, f"{number:016x}")
        self._ahead_s = 0.0
        """Of its wall clock."""
        self._clocks = [(-inf, 0.0)]
        """Since when its router shows times by a clock that is how far ahead."""
        self.keeper = MemoryKeeper(world.internet, self.unix)
        self.endpoints: dict[str, str] = {}
        self.links: dict[str, LinkSpec] = {}
        self.services: dict[str, ServiceSpec] = {}
        self.connectors: dict[str, ConnectorSpec] = {}
        self.targets: dict[int, Target] = {}
        self.declared_at_s: dict[str, float] = {}
        self.siblings: list[SimSite] = []
        """Other routers of the same site, which this one dials."""
        self.division = WHOLE
        """Which of them it is: its share of the configured capacity, as under Kubernetes."""
        self.shares: CapacityDivision | None = None
        """The agreement that it needs before it uses a larger share; None: it needs none."""
        self.part = WHOLE_PART
        """Which worker of its router it is; each is on a host of its own here."""
        self.service_ttl_s = limits.SERVICE_SYNC_TTL_S
        self.service_sync = True
        self.inner_ports: dict[ServiceKey, int] | None = None
        self.promised: dict[ServiceKey, int] = {}
        self.listeners: dict[str, ListenerSpec] = {}
        self.policies: dict[str, SitePolicySpec] = {}
        self.restored = 0
        self.taken: dict[int, Listener | None] = {}
        """Ports that another program of this host has, or will have before the router starts."""
        self.told: list[Callable[[str, str, str], None]] = []
        """Who hears code, subject and message of each event of its router."""
        self.lives = 0
        self.start()

    def unix(self) -> float:
        """The seconds of the wall clock of its host."""
        return self.world.unix() + self._ahead_s

    def set_clock(self, by_s: float) -> None:
        """Set the wall clock of its host forward, or back: a little, as a clock that is slewed, and
        the router shows earlier times by the new clock, too, once they differ by enough.
        """
        self._ahead_s += by_s
        step_s = self._ahead_s - self._clocks[-1][1]
        if abs(step_s) > JUMP_S:
            self._clocks.append((self.world.internet.now, self._ahead_s))
        elif abs(step_s) > STEADY_S:
            self._clocks = [(since, ahead + step_s) for since, ahead in self._clocks]

    def age_s(self, shown: float, *, of_day: bool = False) -> float:
        """How long ago the moment was that its router shows as ``shown``, Unix seconds, or the
        seconds of some day; below 0: it comes.
        """
        for _, ahead_s in reversed(self._clocks):
            age_s = self.world.unix() + ahead_s - shown
            if of_day:
                age_s = (age_s + DAY_S / 2) % DAY_S - DAY_S / 2
            if self._is_shown(self.world.internet.now - age_s, ahead_s):
                return age_s
        return inf

    def _is_shown(self, at: float, ahead_s: float) -> bool:
        """Whether a moment may be shown by a clock that is so far ahead: by the clock of the
        moment, or of the next look, and if it was set back later, by that.
        """
        ends = [*[since for since, _ in self._clocks[1:]], inf]
        clocks = [(until, ahead) for until, (_, ahead) in zip(ends, self._clocks, strict=True)]
        return any(
            ahead_s == min(ahead for until, ahead in clocks if until > by)
            for by in (at, at + LOOK_S)
        )

    def start(self) -> None:
        """Make the host and its router, again after a kill."""
        self.lives += 1
        self._clocks.append((self.world.internet.now, self._ahead_s))
        self.network = self.world.internet.host(self.ip)
        self.keeper.keep_epoch(self.keeper.epoch + 1)
        self.credentials = SimCredentials(self.name, self.endpoints)
        self.router = SiteRouter(
            self.network,
            self.identity,
            self.credentials,
            self.keeper,
            NoClaims(),
            RouterStart(
                epoch=self.keeper.epoch,
                boot_nonce=b"%d" % self.lives,
                version="simulated",
                is_edge=self.name in self.world.edges,
                service_ttl_s=self.service_ttl_s,
                restored=self.restored,
                common=self.world.common,
                has_inner_door=self.part.count > 1,
                worker=self.part.index,
                life=self.lives,
            ),
            rng=random.Random(f"{self.world.seed} {self._key} {self.lives}"),
            tell=self._tell,
            unix=self.unix,
        )
        for port, old in list(self.targets.items()):
            self.targets[port] = old.again(self.network)
        for port in self.taken:
            self.taken[port] = self.network.listen("127.0.0.1", port, Passive)
        self.apply()

    def free_ports(self) -> None:
        """The other program ends."""
        for listener in self.taken.values():
            if listener is not None:
                listener.close()
        self.taken.clear()

    def _tell(
        self, severity: Severity, code: str, subject: str, message: str, hint: str = "", **_: str
    ) -> None:
        self.world.tell(severity, code, subject, message, hint)
        for hear in self.told:
            hear(code, subject, message)

    def apply(self) -> None:
        """Hand the wanted state to the router."""
        wanted = Wanted(
            name=self.name,
            site=SiteSpec(
                router_mode="edge" if self.name in self.world.edges else "interior",
                ingress_bind_ip=self.ip,
                bind_port=LINK_PORT,
                service_sync=self.service_sync,
                service_sync_site_ttl_s=self.service_ttl_s,
            ),
            services=dict(self.services),
            connectors=dict(self.connectors),
            listeners=dict(self.listeners),
            links=dict(self.links),
            policies=dict(self.policies),
            declared_at_s=dict(self.declared_at_s),
            siblings=tuple(f"{other.ip}:{LINK_PORT}" for other in self.siblings),
            shares=self.shares,
            inner_ports=self.inner_ports,
            promised=self.promised,
        )
        self.router.apply(divided(wanted, self.division), [])

    def link(self, other: "SimSite", cost: int) -> None:
        """Dial ``other``, instead of another router of its site that this one dialed."""
        name = f"to-{other.name}"
        if name in self.links and self.endpoints[name] != other.ip:
            self.unlink(other)
        self.endpoints[name] = other.ip
        self.links[name] = LinkSpec(cost=cost)
        self.apply()

    def declare(
        self,
        policy: str = "fill",
        affinity: Affinity | None = None,
        weights: dict[str, int] | None = None,
        protocol: ServiceProtocol = "http",
        sheddable: str = "",
        service: ServiceKey = SERVICE,
        **fields: float,
    ) -> None:
        """Declare the service."""
        self.services[service.name] = ServiceSpec(
            protocol=protocol,
            ports=(service.port,),
            policy=PolicySpec(name=policy, weights=weights or {}),
            queue=int(fields["queue"]) if "queue" in fields else None,
            queue_wait_s=fields.get("queue_wait_s", 1.0),
            affinity=affinity,
            sheddable=sheddable,
            sheddable_share=fields.get("sheddable_share", limits.SHEDDABLE_SHARE),
        )
        self.apply()

    def serve(
        self,
        count: int,
        capacity: int | str | None,
        service_s: float = SERVICE_S,
        resume: str = "",
        service: ServiceKey = SERVICE,
    ) -> None:
        """Start ``count`` targets of ``capacity`` each and connect them."""
        for _ in range(count):
            port = 9001 + len(self.targets)
            self.targets[port] = Target(
                self.network, port, self.name, service_s, self.world.seen, service=service
            )
        ports = [port for port, target in self.targets.items() if target.service == service]
        self.connectors["here" if service == SERVICE else f"here-{service.name}"] = ConnectorSpec(
            service=service.name,
            targets=tuple(TargetSpec("127.0.0.1", port) for port in ports),
            capacity=capacity,
            resume=resume,
        )
        self.apply()

    def cap(self, site_capacity: int | str | None, **fields: Any) -> None:
        """This site's cap for the service; None: all that its targets do."""
        self.policies.clear()
        if site_capacity is not None:
            self.policies["shop"] = SitePolicySpec(
                service="shop", site_capacity=site_capacity, **fields
            )
        self.apply()

    def request(self, *fields: str, line: str = "GET /", service: ServiceKey = SERVICE) -> Answer:
        """A client of this site asks once, now. ``line``: method and path; and header fields."""
        answer = Answer(self.network.now(), line)
        lines = b"".join(field.encode() + b"\r\n" for field in fields)

        def connected(connection: Connection) -> ConnectionHandler:
            return _Client(self.network, connection, answer, lines)

        def failed(failure: DialFailure) -> None:
            answer.error, answer.ended = failure.code, self.network.now()

        self.network.dial("127.0.0.1", service.port, connected, failed, timeout_s=5.0)
        return answer

    def offer(
        self, rate: float, seconds: float, *fields: str, service: ServiceKey = SERVICE
    ) -> list[Answer]:
        """Requests evenly over the coming ``seconds``; the list fills as they begin. ``fields``: of
        each."""
        answers: list[Answer] = []

        def ask() -> None:
            answers.append(self.request(*fields, service=service))

        begin = self.network.now()
        for number in range(round(rate * seconds)):
            self.network.call_at(begin + number / rate, ask)
        return answers

    def poisson(self, rate: float, seconds: float, seed: str, *fields: str) -> list[Answer]:
        """As `offer`, but at random; the same for one ``seed``. ``fields``: of each request."""
        chance, answers = random.Random(seed), list[Answer]()
        at = begin = self.network.now()
        while (at := at + chance.expovariate(rate)) < begin + seconds:
            self.network.call_at(at, lambda: answers.append(self.request(*fields)))
        return answers

    def join(self, first: "SimSite") -> None:
        """Restart as another router of the site of ``first``, which it dials."""
        self.kill()
        self.identity = SimIdentity(first.name, self.identity.router)
        self.name = first.name
        self.siblings = [first]
        self.start()

    def become_another_router(self) -> None:
        """Start again with another router id: as a pod in the place of one that ended."""
        self.identity = SimIdentity(self.name, self._next_router(), self.identity.generation)
        self.start()

    def become_another_site(self) -> None:
        """Start again as another site of the same name: with another key, without documents or
        state. Its targets are there.
        """
        self.identity = SimIdentity(self.name, self._next_router(), self.identity.generation + 1)
        self.keeper = MemoryKeeper(self.world.internet, self.unix)
        for documents in (self.links, self.services, self.connectors, self.policies):
            documents.clear()
        self.declared_at_s.clear()
        self.start()

    def _next_router(self) -> str:
        """An id that no router of this world had."""
        return f"{int(self.identity.router, 16) + 0x100:016x}"

    def unlink(self, other: "SimSite") -> None:
        """Delete the link to ``other``: it drains."""
        del self.links[f"to-{other.name}"]
        self.apply()

    def stop(
        self,
        stopped: Callable[[], None],
        grace_s: float = DRAIN_GRACE_S,
        stop_s: float = STOP_S,
    ) -> None:
        """SIGTERM: drain, at most for ``grace_s``, then end; ``stopped`` when it is gone."""
        network, router = self.network, self.router

        def drained() -> None:
            overdue.cancel()
            router.close()
            network.call_at(network.now() + stop_s, ended)

        def ended() -> None:
            self.kill()
            stopped()

        overdue = network.call_at(network.now() + grace_s, drained)
        router.drain(drained)

    def kill(self) -> None:
        """The host dies: neighbors see resets."""
        self.world.internet.kill(self.ip)

    @property
    def served(self) -> int:
        """Answers of all targets."""
        return sum(target.served for target in self.targets.values())


class SimMemory:
    """The memory of a site's process, which a test fills and empties.

    The bytes of requests that its forwarder buffers come on top of that.
    """

    def __init__(self, site: SimSite, limit_bytes: int) -> None:
        self.use = MemoryUse(resident_bytes=0, buffered_bytes=0)
        self._forwarder = site.router.forwarder
        self.trims = self.reads = 0
        self.guard = MemoryGuard(
            site.network, limit_bytes, self._read, site.router.relief, site.world.tell, self._trim
        )

    def _read(self) -> MemoryUse:
        self.reads += 1
        return msgspec.structs.replace(self.use, resident_bytes=self.resident_bytes)

    @property
    def resident_bytes(self) -> int:
        """Of this moment."""
        return self.use.resident_bytes + self._forwarder.memory.held_bytes

    def _trim(self, thoroughly: bool) -> None:
        self.trims += 1


class World:
    """An internet with sites in it."""

    def __init__(
        self,
        seed: int,
        *names: str,
        delay_s: float = 0.001,
        edges: frozenset[str] = frozenset(),
        common: bool = False,
    ) -> None:
        """``common``: routers of one site read the same documents, as in a namespace."""
        self.seed = seed
        self.edges, self.common = edges, common
        self.internet = SimulatedInternet(seed, delay_s=delay_s)
        self._began_unix = time.time()
        self.journal: list[str] = []
        self.seen: list[bytes] = []  # Request heads at all targets, those of former lives too.
        self.sites = {
            name: SimSite(self, number, name) for number, name in enumerate(names, start=1)
        }

    def tell(
        self, severity: Severity, code: str, subject: str, message: str, hint: str = "", **_: str
    ) -> None:
        """Note all that a router journals, for a person who looks at a seed."""
        self.journal.append(f"{self.internet.now:.6f} {severity} {code} {subject}: {message}")

    def __getitem__(self, name: str) -> SimSite:
        return self.sites[name]

    def unix(self) -> float:
        """The seconds of a wall clock that is right: it goes with virtual time."""
        return self._began_unix + self.internet.now

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.internet.run_until(self.internet.now + seconds)

    def run_while(self, condition: Callable[[], bool], limit_s: float) -> None:
        """Until ``condition`` is false; AssertionError when it stays true for ``limit_s``."""
        self.internet.run_while(condition, limit_s)
        assert not condition(), f"still so after {limit_s} virtual seconds"
