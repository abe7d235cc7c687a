"""Aborts at any moment, by a seed: by a client, a target, a link or an operator, on whole routers.

``python -m tests.simulation.storm --rounds 20000 --seed 1`` runs as many rounds as one likes; the
tests run some hundreds. Three sites in a row with one slot at each end, so that requests queue and
stand elsewhere. Each round begins a few exchanges, breaks something at a random step, lets virtual
time pass, and judges: counters are zero, memory, timers and connections where they were, no unsafe
request ran twice, and no torn answer looked whole. Every round draws the terms of its services,
kinds of capacity and shares, and a strike may change them under way.
"""

import argparse
import random
import time
from collections import Counter
from typing import Any

import msgspec

from router.model.capacity import Spill
from router.model.ids import ServiceKey
from router.model.settings import Affinity
from router.model.specs import (
    ConnectorSpec,
    LinkSpec,
    PolicySpec,
    ServiceProtocol,
    ServiceSpec,
    SitePolicySpec,
    TargetSpec,
)
from tests.simulation.storm_parties import HTTP, RAW, REQUESTS, Client, Target
from tests.simulation.world import SimSite, World

SLOTS = 1
STEPS_MAX = (15, 60, 400)  # Turns until a fault: short ones hit heads, dials and handshakes.
SETTLE_S = 2.0  # Requests under way may end by themselves.
REST_S = 8.0  # Lingering ends, idle connections to targets close, links are dialed again.
TIMERS_SLACK = 20  # Periodic work sometimes has one more under way.
MOMENTS = 5
ROUNDS_PER_WORLD = 100
POLICIES = (
    *(PolicySpec(name) for name in ("fill", "balanced", "spread", "failover")),
    PolicySpec("split", {"left": 1, "right": 2}),
    PolicySpec("split", {"nobody": 1}),
)
CAPACITIES: tuple[int | str | None, ...] = (SLOTS, SLOTS, "4/s", "1,30/s", "auto", "auto,8/s", None)
SPILLS: tuple[Spill, ...] = ("excess", "all")
CAPS: tuple[int | str | None, ...] = (None, None, None, 1, "3/s", "1,20/s")
TERMS: dict[str, tuple[Any, ...]] = {
    "policy": POLICIES,
    "affinity": (None, None, None, Affinity(by="client")),
    "max_age_s": (0.0, 0.0, 0.0, 0.5),
    "max_age_grace_s": (0.2, 5.0),
    "rebalance": ("off", "off", "auto"),
    "queue": (3, 3, 3, 3, 20, 1, 0),
    "queue_wait_s": (0.2, 0.2, 0.2, 1.0),
}
"""Of a service, each drawn by itself."""
HTTP_TERMS: dict[str, tuple[Any, ...]] = {
    "affinity": (None, None, Affinity(by="client"), Affinity(by="cookie")),
    "sheddable": ("", "", "", "", "Expect: 100-continue", "Host: s"),
    "request_id": ("", "X-Request-Id"),
}
SHARES: dict[str, tuple[Any, ...]] = {
    "takes": (1.0, 1.0, 1.0, 1.0, 0.5, 0.0),
    "reserve_for_own": (0.0, 0.0, 0.0, 0.5, 1.0),
    "max_share": (1.0, 1.0, 1.0, 0.5),
}
"""Of its capacity that a site takes and lends."""
UNSAFE = ("early", "post", "up", "expect", "raw")


class Storm:
    """Three sites, two services, and what went wrong so far."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.world = World(seed, "left", "middle", "right", delay_s=0.002)
        self.left, self.middle, self.right = self.world.sites.values()
        self.seen: Counter[int] = Counter()
        self.kinds: dict[int, str] = {}
        self.targets: list[Target] = []
        self.numbers = 0
        self.left.link(self.middle, 1)
        self.right.link(self.middle, 1)
        for key in (HTTP, RAW):
            self.left.services[key.name] = self._declared(key)
            for site in (self.left, self.right):
                self.targets.append(Target(site.network, key, self._seen))
                site.connectors[key.name] = ConnectorSpec(
                    service=key.name,
                    targets=(TargetSpec("127.0.0.1", key.port + 1000),),
                    capacity=SLOTS,
                )
        for site in self.world.sites.values():
            site.apply()
        self.world.run(10)
        self.baseline = self._resources()

    @staticmethod
    def _declared(key: ServiceKey) -> ServiceSpec:
        protocol: ServiceProtocol = "http" if key == HTTP else "tcp"
        return ServiceSpec(protocol=protocol, ports=(key.port,), queue=3, queue_wait_s=0.2)

    def _seen(self, number: int) -> None:
        self.seen[number] += 1

    def round(self) -> list[str]:
        """One round; the faults after it, empty: none."""
        chance = self.random
        clients: list[Client] = []
        self._retune()
        sites = list(self.world.sites.values())
        for _ in range(chance.randint(1, 6)):
            kind = chance.choice(list(REQUESTS))
            self.numbers += 1
            self.kinds[self.numbers] = kind
            site = chance.choice(sites)
            clients.append(Client(site.network, kind, self.numbers))
            self._steps(chance.randrange(chance.choice((2, 30))))
        for _ in range(chance.randint(1, 2)):
            self._steps(chance.randrange(chance.choice(STEPS_MAX)))
            self._strike(clients)
        self.world.run(SETTLE_S)
        for client in clients:
            if not client.over:
                client.leave(politely=False)
        self._repair()
        self.world.run(REST_S)
        return self._judge(clients)

    def _steps(self, count: int) -> None:
        """Let so many turns happen."""
        left = iter(range(count))
        self.world.internet.run_while(lambda: next(left, None) is not None)

    def _strike(self, clients: list[Client]) -> None:
        chance = self.random
        who = chance.choice(("client", "client", "target", "target", "link", "operator"))
        if who == "client":
            chance.choice(clients).leave(politely=chance.random() < 0.3)
        elif who == "target":
            target = chance.choice(self.targets)
            for connection in list(target.connections):
                connection.leave(politely=chance.random() < 0.3)
        elif who == "link":
            side = chance.choice((self.left, self.right))
            if chance.random() < 0.5:
                self.world.internet.reset_all(side.ip, self.middle.ip)
            else:
                self.world.internet.cut(side.ip, self.middle.ip)
        else:
            self._operate(chance.choice((self.left, self.right)))

    def _operate(self, site: SimSite) -> None:
        chance, router = self.random, site.router
        what = chance.randrange(8)
        if what == 0:
            site.connectors.pop(chance.choice((HTTP, RAW)).name, None)
            site.apply()
        elif what == 1:
            self.left.services.pop(HTTP.name, None)
            self.left.apply()
        elif what == 2:
            site.links.clear()
            site.apply()
        elif what == 3:
            router.links.drop(lambda neighbour: True, "revoked")
        elif what in (4, 5):
            self._retune()
        elif what == 6:
            router.relief.refuse_new(True)
            router.relief.shed_idle()
        else:
            router.relief.drop_slowest(1 << 30)

    def _retune(self) -> None:
        """Another policy, other capacities and caps for the present services."""
        chance = self.random
        for name, spec in list(self.left.services.items()):
            terms = {field: chance.choice(values) for field, values in TERMS.items()}
            if name == HTTP.name:
                terms |= {field: chance.choice(values) for field, values in HTTP_TERMS.items()}
            self.left.services[name] = msgspec.structs.replace(spec, **terms)
        for site in (self.left, self.right):
            for name, connector in list(site.connectors.items()):
                capacity = chance.choice(CAPACITIES[:4] if name == RAW.name else CAPACITIES)
                site.connectors[name] = msgspec.structs.replace(
                    connector, capacity=capacity, window_s=chance.choice((1.0, 5.0))
                )
            cap, spill = chance.choice(CAPS), chance.choice(SPILLS)
            site.policies.clear()
            for key in (HTTP, RAW):
                shares = {field: chance.choice(values) for field, values in SHARES.items()}
                if key == HTTP and cap is not None:
                    shares |= {"site_capacity": cap, "window_s": 1.0, "spill": spill}
                site.policies[key.name] = SitePolicySpec(service=key.name, **shares)
        for site in self.world.sites.values():
            site.apply()

    def _repair(self) -> None:
        for side in (self.left, self.right):
            self.world.internet.heal(side.ip, self.middle.ip)
            side.router.relief.refuse_new(False)
            side.links["to-middle"] = LinkSpec(cost=1)
            side.policies.clear()
            for key in (HTTP, RAW):
                side.connectors[key.name] = ConnectorSpec(
                    service=key.name,
                    targets=(TargetSpec("127.0.0.1", key.port + 1000),),
                    capacity=SLOTS,
                )
        for key in (HTTP, RAW):
            self.left.services[key.name] = self._declared(key)
        for site in self.world.sites.values():
            site.apply()

    def _resources(self) -> dict[str, tuple[int, int]]:
        """Connections and pending timers of each site."""
        return {
            site.name: (len(site.network.connections()), self.world.internet.timers_of(site.ip))
            for site in self.world.sites.values()
        }

    def _judge(self, clients: list[Client]) -> list[str]:
        found = [client.was_deceived for client in clients if client.was_deceived]
        found += [f"{client.kind} never ended" for client in clients if not client.over]
        for number, times in self.seen.items():
            if times > 1 and self.kinds[number] in UNSAFE:
                found.append(f"{self.kinds[number]} {number} ran {times} times")
        self.seen.clear()
        for site in self.world.sites.values():
            found += [f"{site.name}: {wrong}" for wrong in unrest(site)]
        for _ in range(MOMENTS):  # A health check may have a connection just now.
            now = self._resources()
            if all(now[name][0] <= self.baseline[name][0] for name in now):
                break
            self.world.run(0.05)
        for name, (connections, timers) in self._resources().items():
            before = self.baseline[name]
            if connections > before[0]:
                found.append(f"{name}: {connections} connections, {before[0]} before")
            if timers > before[1] + TIMERS_SLACK:
                found.append(f"{name}: {timers} timers, {before[1]} before")
        return found


def unrest(site: SimSite) -> list[str]:
    """Counters of a site that are not zero."""
    router = site.router
    counts = {
        "streams": router.links.streams,
        "buffered by links": router.links.buffered_bytes,
        "held by requests": router.forwarder.memory.held_bytes,
        "sessions": router.forwarder.client_connections,
    }
    for snapshot in router.readings.services_snapshot():
        counts[f"queued for {snapshot.key}"] = snapshot.queued
        counts[f"in flight of {snapshot.key}"] = snapshot.load.in_flight
        for candidate in snapshot.explanation.candidates:
            name = f"estimate of {snapshot.key} at {candidate.site_name}"
            counts[name] = candidate.in_flight
    return [f"{name} {count}" for name, count in counts.items() if count]


def main() -> int:
    """Rounds by hand; 0 when nothing was wrong after any."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.storm", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="of the first world")
    given = parser.parse_args()
    began, done, wrong = time.monotonic(), 0, 0
    seed = given.seed
    while done < given.rounds:
        storm = Storm(seed)
        for number in range(min(ROUNDS_PER_WORLD, given.rounds - done)):
            done += 1
            found = storm.round()
            if found:
                wrong += 1
                print(f"seed {seed}, round {number}: {'; '.join(found)}", flush=True)
                break  # A leftover would be found again and again.
        seed += 1
    print(f"{done} rounds in {time.monotonic() - began:.0f} s, {wrong} with findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
