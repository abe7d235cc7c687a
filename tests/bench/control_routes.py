"""What routes cost: convergence of many real routing cores, and one core in a large network."""

import time
import tracemalloc
from collections.abc import Callable
from heapq import heappop, heappush

import msgspec

from router.link import control
from router.link.routing_messages import LsaMessage
from router.model.ids import RouterId
from router.model.limits import CONTROL_DEAD_AFTER_S, LIVENESS_TICK_S
from router.model.messages.acks import LsaAck, checksum_of
from router.routing.adverts.lsa import PartRef, Services
from router.routing.core import RoutingCore
from router.routing.events import RoutingEvent, SendAck, SendLsa
from router.routing.spf import Graph, Vertex, shortest_paths
from tests.bench.control_shapes import Links, hops_from
from tests.unit.routing.fakes import FakeIdentity, advert, declare, make_lsa, signed

DELAY_S = 0.002
SILENCE_S = CONTROL_DEAD_AFTER_S + LIVENESS_TICK_S  # Until a neighbor that says nothing is lost.
BOOT_S = 30.0
Message = SendLsa | SendAck


class OneRouter(msgspec.Struct, frozen=True, kw_only=True):
    """A router in a network of so many: milliseconds of CPU, bytes a second of one link."""

    spf_ms: float
    change_ms: float  # From a service change of another site to the new table.
    memory_mib: float
    rest_bytes_per_s: float
    churn_bytes_per_s: float  # One service change of each site each minute.
    churn_cpu_share: float


class Cores:
    """All sites of a network, their lanes and timers, in virtual time."""

    def __init__(self, links: Links) -> None:
        self.links = links
        self.now = 0.0
        self.identities = [FakeIdentity(f"site {number}") for number in links]
        self.numbers = {who.router: number for number, who in enumerate(self.identities)}
        self.cores = [
            RoutingCore(who, epoch=1, boot_nonce=b"n", version="1", now=0.0)
            for who in self.identities
        ]
        self.dead: set[int] = set()
        self._wrong: dict[int, dict[int, int]] = {}  # What those sites should hold and do not.
        self._count = 0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        for number in links:
            self._take(number, self.cores[number].set_services([], [advert("shop")], self.now))
            for other in links[number]:
                self._up(number, other)

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> None:
        """That long, or until it is so."""
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            self.now, _, call = heappop(self._queue)
            call()
            if until is not None and until():
                return
        self.now = end

    def kill(self, victim: int, *, is_silent: bool) -> float:
        """Seconds until every site goes around ``victim``, or knows that it is gone."""
        self.dead.add(victim)
        began = self.now
        if is_silent:
            self.run(SILENCE_S)
        for other in self.links[victim]:
            router = self.identities[victim].router
            self._take(other, self.cores[other].adjacency_down(router, self.now))
        around = {
            number: [other for other in near if other != victim]
            for number, near in self.links.items()
            if number != victim
        }
        self._wrong = {number: hops_from(number, around) for number in around}
        self.run(30.0, until=self._is_right)
        assert not self._wrong, f"{len(self._wrong)} sites are wrong after 30 s"
        return self.now - began

    def _is_right(self) -> bool:
        for number in list(self._wrong):
            sites = self.cores[number].table.sites
            hops = self._wrong[number]
            costs = {
                other: sites[self.identities[other].site].path_cost
                for other in hops
                if self.identities[other].site in sites
            }
            if costs != hops:
                return False
            gone = sum(route.reachable for route in sites.values())
            if gone != len(hops):
                return False
            del self._wrong[number]
        return True

    def _up(self, here: int, there: int) -> None:
        peer = self.identities[there]
        self._take(here, self.cores[here].adjacency_up(peer.router, peer.site, 1, self.now))

    def _take(self, number: int, events: list[RoutingEvent]) -> None:
        for event in events:
            if isinstance(event, SendLsa | SendAck):
                self._post(number, self.numbers[event.to], event)
        at = self.cores[number].next_deadline()
        if at is not None:
            self._at(at, lambda: self._wake(number))

    def _wake(self, number: int) -> None:
        at = self.cores[number].next_deadline()
        if number not in self.dead and at is not None and at <= self.now:
            self._take(number, self.cores[number].handle_timeout(self.now))

    def _post(self, sender: int, to: int, event: Message) -> None:
        self._at(self.now + DELAY_S, lambda: self._deliver(sender, to, event))

    def _deliver(self, sender: int, to: int, event: Message) -> None:
        if sender in self.dead or to in self.dead:
            return
        core, router = self.cores[to], self.identities[sender].router
        if isinstance(event, SendLsa):
            self._take(to, core.receive_lsa(router, event.signed, self.now))
        else:
            self._take(to, core.receive_ack(router, event.ack, self.now))

    def _at(self, when: float, call: Callable[[], None]) -> None:
        self._count += 1
        heappush(self._queue, (when, self._count, call))


def convergence(links: Links, victim: int) -> tuple[float, float]:
    """Virtual seconds until all tables are right: when ``victim`` closes, and when it is silent."""
    took = []
    for is_silent in (False, True):
        cores = Cores(links)
        cores.run(BOOT_S)
        took.append(cores.kill(victim, is_silent=is_silent))
    return took[0], took[1]


class Fed:
    """One core; all others' LSAs come from its first neighbor."""

    def __init__(self, links: Links, here: int = 0) -> None:
        self.links, self.here = links, here
        self.identities = [FakeIdentity(f"site {number}") for number in links]
        me = self.identities[here]
        self.core = RoutingCore(me, epoch=1, boot_nonce=b"n", version="1", now=0.0)
        self.core.set_services([], [advert("shop")], 0.0)
        self.sent_bytes: dict[RouterId, int] = {}
        self.feeder = self.identities[links[here][0]].router
        for other in links[here]:
            peer = self.identities[other]
            self.take(self.core.adjacency_up(peer.router, peer.site, 1, 0.0), 0.0)
        self.sequence = 1
        for number in links:
            if number != here:
                self.change(number, 1, 0.001 * number)
        self.settle(0.001 * len(links) + 5.0)

    def change(self, number: int, ready: int, now: float) -> None:
        """Site ``number`` says that so many of its targets are ready."""
        who, self.sequence = self.identities[number], self.sequence + 2
        services = Services((declare("shop"),), (advert("shop", ready=ready),))
        part = make_lsa(who, part=1, sequence=self.sequence, services=services)
        head = make_lsa(
            who,
            sequence=self.sequence + 1,
            neighbours=tuple((self.identities[other], 1) for other in self.links[number]),
            parts=(PartRef(1, self.sequence),),
        )
        for lsa in (part, head):
            self.take(self.core.receive_lsa(self.feeder, signed(lsa, who), now), now)

    def settle(self, until: float) -> None:
        """Let the core do the work that is due."""
        while (at := self.core.next_deadline()) is not None and at <= until:
            self.take(self.core.handle_timeout(at), at)

    def take(self, events: list[RoutingEvent], now: float) -> None:
        """Count what goes out; neighbors ack each LSA at once."""
        for event in events:
            if isinstance(event, SendLsa):
                self._count(event.to, len(control.encode(LsaMessage(event.signed))))
                lsa = msgspec.msgpack.decode(msgspec.msgpack.decode(event.signed)[0])
                router, part, epoch, sequence = lsa[0], lsa[2], lsa[3], lsa[4]
                told = LsaAck(RouterId(router), part, epoch, sequence, checksum_of(event.signed))
                self.take(self.core.receive_ack(event.to, told, now), now)
            elif isinstance(event, SendAck):
                self._count(event.to, len(control.encode(event.ack)))

    def _count(self, to: RouterId, size: int) -> None:
        self.sent_bytes[to] = self.sent_bytes.get(to, 0) + size + 96


def one_router(links: Links) -> OneRouter:
    """A core in the middle of things: the one with the most neighbors."""
    here = max(links, key=lambda number: (len(links[number]), -number))
    spf_ms = _least_ms(_spf(links, here))
    tracemalloc.start()
    fed = Fed(links, here)
    memory_bytes = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    identities_bytes = 1_000 * len(links)  # Of the fakes, which hold keys as text.
    others = [number for number in links if number != here]
    now, took = 100.0, []
    for turn in range(5):
        began = time.thread_time()
        fed.change(others[turn % len(others)], 2 + turn, now)
        fed.settle(now + 2.0)
        took.append(time.thread_time() - began)
        now += 5.0
    fed.sent_bytes.clear()
    began_at, seconds, began = now, 60.0, time.process_time()
    for turn, number in enumerate(others):
        at = began_at + turn * seconds / len(others)
        fed.settle(at)
        fed.change(number, 20 + turn % 2, at)
    fed.settle(began_at + seconds)
    cpu_s = time.process_time() - began
    churn = max(fed.sent_bytes.values(), default=0) / seconds
    # A refresh says the same bytes each 300 s that one change of each site says each 60 s.
    return OneRouter(
        spf_ms=spf_ms,
        change_ms=min(took) * 1_000,
        memory_mib=(memory_bytes - identities_bytes) / 2**20,
        rest_bytes_per_s=churn * 60 / 300,
        churn_bytes_per_s=churn,
        churn_cpu_share=cpu_s / seconds,
    )


def _spf(links: Links, here: int) -> Callable[[], object]:
    nodes = [FakeIdentity(f"site {number}").node for number in links]
    graph = Graph(
        {
            nodes[number]: Vertex(True, {nodes[other]: 1 for other in near})
            for number, near in links.items()
        }
    )
    return lambda: shortest_paths(graph, nodes[here])


def _least_ms(call: Callable[[], object]) -> float:
    took = []
    for _ in range(7):
        began = time.thread_time()
        call()
        took.append(time.thread_time() - began)
    return min(took) * 1_000
