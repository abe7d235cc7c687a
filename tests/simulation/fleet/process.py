"""One life of one router: the real parts, joined as `SiteRouter` joins them."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, cast

from router.exchange.readings import Readings
from router.exchange.service_ports import ServicePorts
from router.link.links import Links
from router.link.routing_messages import (
    DigestMessage,
    LoadMessage,
    LsaMessage,
    RoutingMessage,
)
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.acks import LsaAck
from router.model.messages.adverts import LoadReport
from router.model.messages.edges import HaveMessage, TableMessage, WishMessage
from router.net.ports import Network
from router.node.routing_run import RoutingRun
from router.node.services.load_exchange import LoadExchange
from router.node.services.ports import Keeper
from router.routing.adverts.lsa import Node
from router.routing.core import RoutingCore
from router.routing.edges.attached import AttachedEdges
from router.routing.edges.edge import EdgeRouting
from router.routing.events import (
    AdjacencyDamped,
    EdgeCaughtUp,
    EpochRaised,
    ForeignLsa,
    IdentityConflict,
    LsaRejected,
    OriginEquivocated,
    RoutingChange,
    SiteOverBudget,
    TableChanged,
)
from router.routing.table import RouteTable
from router.service.figures import NO_LOAD, Load
from tests.simulation.fleet.clock import Call
from tests.simulation.fleet.safety import Seen, computing_is_paced

if TYPE_CHECKING:
    from tests.simulation.fleet.fleet import Fleet
    from tests.simulation.fleet.places import Place


COMPUTED_MAX = 12  # Delays of 0.01 s, doubling to 1 s, leave room for 8 in a second.


class Process:
    """In place of host, links and forwarder of its parts; the owner of the tables that routing
    finds.

    Its monotonic clock began at a random moment.
    """

    def __init__(self, fleet: "Fleet", place: "Place", nonce: bytes, epoch: int) -> None:
        self.fleet = fleet
        self.place = place
        self.epoch = epoch
        self.born_at = fleet.time.now
        self._offset_s = fleet.random.uniform(0, 1e6)
        self.is_dead = self.is_frozen = self.is_withdrawn = False
        self._backlog: deque[Callable[[], None]] = deque()
        self.neighbours: dict[RouterId, str] = {}  # Places, by the router that answers there.
        self.costs: dict[Node, int] = {}
        self.spf_runs_before = 0
        self.loads: dict[ServiceKey, Load] = {}
        self.heard: dict[tuple[RouterId, ServiceKey], LoadReport] = {}
        self.seen = Seen()
        self.computed_at: deque[float] = deque(maxlen=COMPUTED_MAX)
        self.has_answered = False
        self.refused_before = 0
        self.answering: tuple[RouterId, RoutingMessage] | None = None
        self.routing = (EdgeRouting if place.is_edge else RoutingCore)(
            place.identity,
            epoch=epoch,
            boot_nonce=nonce,
            version="1",
            now=self.now(),
            service_ttl_s=fleet.service_ttl_s,
            owners=place.owners,
        )
        self.edges = AttachedEdges()
        links = cast(Links, self)
        network = cast(Network, self)
        self.run = RoutingRun(
            network,
            links,
            place.identity,
            "1",
            self.routing,
            self.edges,
            cast(Keeper, self),
        )
        self.run.follow(self.heard_of, lambda: None)
        self.load = LoadExchange(
            network,
            place.identity.router,
            links,
            cast(Readings, self),
            cast(ServicePorts, self),
            self.edges,
            epoch,
        )

        if isinstance(self.routing, EdgeRouting):
            self.run.take(self.routing.set_wishes(place.wishes, self.now()))

    # The host.

    def spent_s(self) -> float:
        return time.thread_time()  # This measures computing.

    def now(self) -> float:
        return self.fleet.time.now + self._offset_s

    def call_at(self, when: float, callback: Callable[[], None]) -> Call:
        def ring() -> None:
            if call.action is not None:  # What waits for a stopped process may be called off yet.
                callback()

        call = self.fleet.time.call_at(when - self._offset_s, lambda: self.do(ring))
        return call

    def do(self, action: Callable[[], None]) -> None:
        """Now; never once it is dead; late if it is stopped."""
        if self.is_frozen:
            self._backlog.append(action)
        elif not self.is_dead:
            self._begin()
            action()

    def _begin(self) -> None:
        """Of one turn: paths that are computed in it are those of the database at its end."""
        runs = self.routing.spf_runs if isinstance(self.routing, RoutingCore) else 0
        if runs != self.spf_runs_before:
            self.computed_at.append(self.fleet.time.now)
            computing_is_paced(self)
        self.spf_runs_before = runs

    def thaw(self) -> None:
        """All that waited happens now, in its order."""
        self.is_frozen = False
        while self._backlog and not self.is_dead and not self.is_frozen:
            self._begin()
            self._backlog.popleft()()

    def end(self) -> None:
        self.is_dead = True
        self.run.close()
        self.load.close()

    # What links do.

    @property
    def adjacent(self) -> Sequence[RouterId]:
        return tuple(self.neighbours)

    def send(self, router: RouterId, message: RoutingMessage) -> None:
        self.fleet.carry(self, router, message)

    def broadcast(self, message: RoutingMessage) -> None:
        for router in tuple(self.neighbours):
            self.send(router, message)

    def up(self, other: "Place", cost: int) -> None:
        """As `SiteRouter.adjacency_up`."""
        self._begin()
        router, now = other.identity.router, self.now()
        self.neighbours[router] = other.name
        self.costs[other.identity.node] = cost
        if other.is_edge:
            self.edges.up(router, now, other.identity.site)
        site = other.identity.site
        self.run.take(
            self.routing.adjacency_up(
                router, site, cost, now, is_edge=other.is_edge, compares=not other.is_edge
            )
        )
        self.load.neighbour_up(router, router)

    def cost(self, other: "Place", cost: int) -> None:
        self._begin()
        self.costs[other.identity.node] = cost
        self.run.take(self.routing.adjacency_cost(other.identity.router, cost, self.now()))

    def down(self, other: "Place") -> None:
        self._begin()
        router = other.identity.router
        self.neighbours.pop(router, None)
        self.costs.pop(other.identity.node, None)
        self.edges.down(router)
        self.load.neighbour_down(router)
        self.run.take(self.routing.adjacency_down(router, self.now()))
        if isinstance(self.routing, RoutingCore):
            self.spf_runs_before = self.routing.spf_runs  # A death waits for nothing.

    def hear(self, router: RouterId, message: RoutingMessage) -> None:
        """As `SiteRouter.routing_message`."""
        if router not in self.neighbours:
            return
        now = self.now()
        self.answering, self.has_answered = (router, message), False
        if isinstance(self.routing, RoutingCore):
            self.refused_before = self.routing.lsas_over_budget + self.routing.lsas_rejected
        match message:
            case LsaMessage():
                self.run.take(self.routing.receive_lsa(router, message.signed, now, message.age_s))
            case LsaAck():
                self.run.take(self.routing.receive_ack(router, message, now))
            case DigestMessage(digest=digest, wants_answer=wants_answer):
                assert isinstance(self.routing, RoutingCore)
                self.run.take(self.routing.receive_digest(router, digest, wants_answer, now))
            case WishMessage() | HaveMessage() | TableMessage():
                told = self.routing if isinstance(self.routing, EdgeRouting) else self.edges
                self.run.take(told.receive_edge(router, message, now))
            case LoadMessage():
                self.load.received(router, message.reports, self.routing.table)
            case _:
                raise AssertionError("routers of a fleet share no site")
        self.answering = None

    # What the forwarder does.

    def load_of(self, key: ServiceKey) -> Load:
        return self.loads.get(key, NO_LOAD)

    def report_load(self, report: LoadReport, site: SiteId) -> None:
        self.fleet.watch.load_reported(self, report, site)
        self.heard[report.router, report.key] = report

    def set_load(self, key: ServiceKey, load: Load) -> None:
        if key not in self.loads:
            return  # Served no more since.
        self.loads[key] = load
        self.load.changed(key)

    def set_services(self, keys: Iterable[ServiceKey]) -> None:
        """The services of this place by now, with the loads of fresh targets."""
        place = self.place
        self.loads = {
            key: self.loads.get(key) or Load(0, advert.targets_ready, advert.capacity)
            for key, advert in place.adverts.items()
        }
        self.load.set_services(keys)
        declared = place.declarations.values()
        self.run.take(self.routing.set_services(declared, place.adverts.values(), self.now()))

    # The disk.

    def keep_epoch(self, epoch: int) -> None:
        self.place.kept_epoch = max(self.place.kept_epoch, epoch)

    # What routing found.

    def heard_of(self, event: RoutingChange) -> None:
        match event:
            case TableChanged():
                self.table_changed(event.table)
            case EdgeCaughtUp():
                self.load.tell_edge(event.router, event.services, self.routing.table)
            case EpochRaised():
                self.load.epoch_raised(event.epoch)
            case IdentityConflict():
                self.identity_conflict(event)
            case AdjacencyDamped():
                until = "" if event.until is None else f" until {event.until:.3f}"
                self.fleet.say(f"{self.place.name} damps {event.router}{until}")
            case OriginEquivocated():
                self.fleet.say(
                    f"{self.place.name} found that {event.router} says two things at once"
                )
            case LsaRejected():
                self.fleet.watch.lsa_rejected(self, event)
            case ForeignLsa() | SiteOverBudget():
                raise AssertionError("nobody is in on terms here, nor tells too much")

    def table_changed(self, table: RouteTable) -> None:
        self.place.owners = table.owners
        self.load.table_changed(table)
        self.heard = {
            (router, key): report
            for (router, key), report in self.heard.items()
            if table.candidate(router, key)
        }
        self.fleet.watch.table_changed(self, table)

    def identity_conflict(self, event: IdentityConflict) -> None:
        self.fleet.watch.twin_found(self)
        self.fleet.say(f"{self.place.name} found a twin, withdrawn={event.withdrawn}")
        if event.withdrawn:
            self.is_withdrawn = True
            self.fleet.time.call_at(self.fleet.time.now, lambda: self.fleet.leave(self.place))
