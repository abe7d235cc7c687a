"""What load reports cost on links: the real exchange of each site, joined in virtual time."""

import gc
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import cast
from unittest.mock import patch

import msgspec

from router.exchange.readings import Readings
from router.exchange.service_ports import ServicePorts
from router.link import control
from router.link.links import Links as RouterLinks
from router.link.routing_messages import LoadMessage
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.limits import (
    LOAD_LINK_BURST_BYTES,
    LOAD_LINK_BYTES_PER_S,
    LOAD_MESSAGE_BYTES,
    LOAD_REFRESH_BYTES_PER_S,
    LOADS_PER_MESSAGE_MAX,
)
from router.model.messages.adverts import LoadReport, RemoteCandidate
from router.net.ports import Network, Timer
from router.node.services.load_exchange import LoadExchange
from router.routing import load_pace
from router.routing.edges.attached import AttachedEdges
from router.routing.table import RouteTable
from router.service.figures import Load
from tests.bench.control_shapes import Links, hops_from

KEY = ServiceKey("shop", 8080)
DELAY_S = 0.002
CAPACITY = 10
EPOCH = 1_790_000_000  # Of everybody.
CHANGES_PER_S = 10.0  # Of each site's load under churn, at random times.


class LoadFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes a second of one link and direction; real CPU of one site.

    ``behind``: for how long something newer was under way of an origin than what a site held of
    it; ``far``: of those nearly as far away as any is, which is ``far_hops``.
    """

    mean_bytes_per_s: float
    most_bytes_per_s: float
    most_bytes_in_a_second: float
    behind_median_s: float
    behind_p99_s: float
    far_hops: int
    far_median_s: float
    far_p99_s: float
    flip_median_s: float
    flip_near_p99_s: float
    cpu_share: float


class Clock:
    """All timers and messages of the network."""

    def __init__(self) -> None:
        self.time = 1_000.0
        self.count = 0
        self.heap: list[tuple[float, int, Callable[[], None] | None]] = []

    def call_at(self, when: float, call: Callable[[], None]) -> "Alarm":
        alarm = Alarm(call)
        self.count += 1
        heappush(self.heap, (max(when, self.time), self.count, alarm.ring))
        return alarm

    def run_until(self, until: float) -> None:
        while self.heap and self.heap[0][0] <= until:
            self.time, _, call = heappop(self.heap)
            if call is not None:
                call()
        self.time = until


class Alarm:
    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def ring(self) -> None:
        if self.call is not None:
            self.call()

    def cancel(self) -> None:
        self.call = None


class Window:
    """Bytes of the last second."""

    def __init__(self) -> None:
        self.sent: deque[tuple[float, float]] = deque()
        self.sum = 0.0

    def add(self, now: float, size: float) -> float:
        """The sum with these."""
        self.sent.append((now, size))
        self.sum += size
        while self.sent[0][0] < now - 1.0:
            self.sum -= self.sent.popleft()[1]
        return self.sum


class Site:
    """A stand-in for its network, links and forwarder."""

    def __init__(self, world: "World", number: int) -> None:
        self.world = world
        self.number = number
        self.router = world.routers[number]
        self.in_flight = 0
        self.adjacent = dict.fromkeys((world.routers[n] for n in world.links[number]), 1)
        self.table = world.table_of(number)
        self.is_changing = True
        self.start()

    def start(self) -> None:
        """A new life, that has heard of nothing."""
        self.exchange = LoadExchange(
            cast(Network, self),
            self.router,
            cast(RouterLinks, self),
            cast(Readings, self),
            cast(ServicePorts, self),
            AttachedEdges(),
            EPOCH,
        )
        self.exchange.set_services([KEY] if self.number in self.world.serving else [])
        self.exchange.table_changed(self.table)

    # Of the network.

    def now(self) -> float:
        return self.world.clock.time

    def call_at(self, when: float, call: Callable[[], None]) -> Timer:
        return self.world.clock.call_at(when, call)

    # Of links.

    def send(self, router: RouterId, message: LoadMessage) -> bool:
        self.world.sent(self, router, message)
        return True

    def misbehaved(self, router: RouterId) -> None:
        raise AssertionError("an honest site is above its budget")

    # Of the forwarder.

    def load_of(self, key: ServiceKey) -> Load:
        return Load(targets_ready=1, capacity=CAPACITY, used=self.in_flight)

    def report_load(self, report: LoadReport, site: SiteId) -> None:
        self.world.heard(self, report)

    def change(self) -> None:
        """One request more or less; half of them around full."""
        if not self.is_changing:
            return
        world = self.world
        was_full = self.in_flight >= CAPACITY
        step = world.rng.choice((-1, 1))
        self.in_flight = min(max(self.in_flight + step, CAPACITY - 3), CAPACITY)
        if was_full != (self.in_flight >= CAPACITY):
            world.flipped[self.router] = world.clock.time
        self.exchange.changed(KEY)
        self.call_at(self.now() + world.rng.expovariate(CHANGES_PER_S), self.change)


class World:
    """Sites whose routes are known and do not change. Each ``every``th of them serves."""

    def __init__(self, links: Links, seed: int = 7, every: int = 1) -> None:
        self.links = links
        self.serving = range(0, len(links), every)
        self.rng = Random(seed)
        self.clock = Clock()
        self.routers = [RouterId(f"{number:016x}") for number in links]
        self.numbers = {router: number for number, router in enumerate(self.routers)}
        self.hops = {number: hops_from(number, links) for number in links}
        self._candidates: dict[tuple[int, int], RemoteCandidate] = {}
        self._next_hops: dict[frozenset[RouterId], frozenset[RouterId]] = {}
        self.flipped: dict[RouterId, float] = {}
        self.states: dict[tuple[int, RouterId], bool] = {}  # Full or not, as heard.
        self.flip_delays: list[tuple[int, float]] = []
        self.held: dict[tuple[int, RouterId], LoadReport] = {}
        self.told: dict[RouterId, list[tuple[int, float]]] = {}  # Sequence numbers, and when.
        self.bytes: dict[tuple[int, RouterId], float] = {}
        self.windows: dict[tuple[int, RouterId], Window] = {}
        self.most_in_a_second = 0.0
        self.sites = [Site(self, number) for number in links]
        for site in self.sites:
            for router in site.adjacent:
                site.exchange.neighbour_up(router, router)

    def table_of(self, number: int) -> RouteTable:
        """What routing would make of it, as far as loads look at it."""
        mine, routers = self.hops[number], self.routers
        found: list[RemoteCandidate] = []
        next_hops: dict[RouterId, frozenset[RouterId]] = {}
        for other, hops in mine.items():
            if other == number or other not in self.serving:
                continue
            found.append(self._candidate(other, hops))
            towards = frozenset(
                routers[near]
                for near in self.links[number]
                if self.hops[near].get(other, hops) == hops - 1
            )
            next_hops[routers[other]] = self._next_hops.setdefault(towards, towards)
        return RouteTable(
            generation=1,
            site=SiteId(routers[number]),
            sites={},
            candidates={KEY: tuple(found)},
            declarations={},
            name_conflicts=(),
            next_hops=next_hops,
            epochs=dict.fromkeys(next_hops, EPOCH),
            adjacencies=tuple(routers[near] for near in self.links[number]),
        )

    def _candidate(self, other: int, hops: int) -> RemoteCandidate:
        """Shared by all that are so far away: nothing looks at the path but at its length."""
        known = self._candidates.get((other, hops))
        if known is None:
            router = self.routers[other]
            known = self._candidates[other, hops] = RemoteCandidate(
                site=SiteId(router),
                site_name=router,
                router=router,
                path_cost=hops,
                paths=((router,) * hops,),
                targets_ready=1,
                capacity=None,
                draining=False,
            )
        return known

    def sent(self, sender: Site, to: RouterId, message: LoadMessage) -> None:
        count = -(-len(message.reports) // LOADS_PER_MESSAGE_MAX)
        overhead_bytes = LOAD_MESSAGE_BYTES / self.serving.step
        size = len(control.encode(message)) + count * overhead_bytes
        link, now = (sender.number, to), self.clock.time
        for report in message.reports:
            if report.router == sender.router:
                told = self.told.setdefault(report.router, [])
                if not told or told[-1][0] < report.seq:
                    told.append((report.seq, now))
        self.bytes[link] = self.bytes.get(link, 0) + size
        window = self.windows.setdefault(link, Window())
        self.most_in_a_second = max(self.most_in_a_second, window.add(now, size))
        there, router = self.sites[self.numbers[to]], sender.router
        self.clock.call_at(
            now + DELAY_S, lambda: there.exchange.received(router, message.reports, there.table)
        )

    def heard(self, site: Site, report: LoadReport) -> None:
        now, origin = self.clock.time, report.router
        self.held[site.number, origin] = report
        is_full = report.in_flight >= CAPACITY
        if self.states.get((site.number, origin)) == is_full:
            return
        self.states[site.number, origin] = is_full
        flipped = self.flipped.get(origin)
        there = self.sites[self.numbers[origin]]
        if flipped is not None and is_full == (there.in_flight >= CAPACITY):
            hops = self.hops[site.number][there.number]
            self.flip_delays.append((hops, now - flipped))

    def churn(self) -> None:
        """Loads change from now on."""
        for number in self.serving:
            site = self.sites[number]
            self.clock.call_at(self.clock.time + self.rng.random() / CHANGES_PER_S, site.change)

    def behind(self) -> list[tuple[int, float]]:
        """Hops between a site and an origin, and for how long it has been behind it."""
        now = self.clock.time
        found: list[tuple[int, float]] = []
        for (number, origin), report in self.held.items():
            told = self.told.get(origin, [])
            newer = bisect_right(told, (report.seq, now))
            behind_s = now - told[newer][1] if newer < len(told) else 0.0
            found.append((self.hops[number][self.numbers[origin]], behind_s))
        return found


def measure(
    links: Links, *, churn: bool, settle_s: float, seconds: float, every: int = 1
) -> LoadFigures:
    """After ``settle_s``, over so many virtual seconds.

    With ``every`` only each so many-th site serves, at as small a share of the budget: queues and
    ways are as long as if all did. Bytes are those of the whole.
    """
    share = {
        "LOAD_LINK_BYTES_PER_S": LOAD_LINK_BYTES_PER_S / every,
        "LOAD_LINK_BURST_BYTES": LOAD_LINK_BURST_BYTES / every,
        "LOAD_MESSAGE_BYTES": LOAD_MESSAGE_BYTES / every,
        "LOAD_REFRESH_BYTES_PER_S": LOAD_REFRESH_BYTES_PER_S / every,
    }
    gc.disable()  # Millions of reports are held; nothing is freed that refers to itself.
    try:
        with patch.dict(vars(load_pace), share):
            world = World(links, every=every)
            return _measure(world, churn=churn, settle_s=settle_s, seconds=seconds)
    finally:
        gc.enable()


def _measure(world: World, *, churn: bool, settle_s: float, seconds: float) -> LoadFigures:
    if churn:
        world.churn()
    world.clock.run_until(world.clock.time + settle_s)
    world.bytes.clear()
    world.flip_delays.clear()
    began = time.process_time()
    world.clock.run_until(world.clock.time + seconds)
    cpu_s = time.process_time() - began
    links, every = world.links, world.serving.step
    directions = sum(map(len, links.values()))
    all_behind = world.behind()
    behind = sorted(late for _, late in all_behind)
    far_hops = max((hops for hops, _ in all_behind), default=0)
    far = sorted(late for hops, late in all_behind if hops >= 0.9 * far_hops)
    flips = sorted(delay for _, delay in world.flip_delays)
    near = sorted(delay for hops, delay in world.flip_delays if hops <= 3)
    return LoadFigures(
        mean_bytes_per_s=every * sum(world.bytes.values()) / directions / seconds,
        most_bytes_per_s=every * max(world.bytes.values(), default=0) / seconds,
        most_bytes_in_a_second=every * world.most_in_a_second,
        behind_median_s=_at(behind, 0.5),
        behind_p99_s=_at(behind, 0.99),
        far_hops=far_hops,
        far_median_s=_at(far, 0.5),
        far_p99_s=_at(far, 0.99),
        flip_median_s=_at(flips, 0.5),
        flip_near_p99_s=_at(near, 0.99),
        cpu_share=every * cpu_s / seconds / len(links),
    )


def _at(values: list[float], share: float) -> float:
    return values[min(int(len(values) * share), len(values) - 1)] if values else 0.0
