"""An address that is used again never lends its former pod's name, whatever the watch does.

A small cluster in virtual time: pods of this namespace and of others take addresses, also at once
when one is free, some finish and keep theirs in their status, and some are killed without a word.
What the API server says of them comes late, stalls, and comes in a burst; clocks differ. Pods
connect at any moment that they live. The router's part is the real one: what the store keeps of a
pod, `NamespaceNames` and `Callers`.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec
import pytest

from router.callers.callers import CallerOrigin, Callers
from router.callers.names import CallerName
from router.kubernetes.store.selections import pod as kept
from router.net.ports import Address
from router.process.callers.namespace_names import NamespaceNames

LOCAL = Address("10.0.0.1", 80)
BEGAN_UNIX = 1_795_000_000.0
CHANGES = 3_000
BOOKMARK_S = 60.0


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """How a run is. Seconds."""

    addresses: int
    life_s: tuple[float, float]
    rest_s: float  # How long an address rests at least.
    kubelet_s: float  # Until a kubelet's report is with the API server, at most.
    watch_s: float  # How late the watch is, at most.
    stalls: bool
    abrupt: float  # The share of pods whose end shows only in their absence.
    clock_s: float  # How far the router's clock is from those of nodes, at most.
    gap_s: float  # Between connections of one pod, on average.
    foreign: float  # The share of pods of other namespaces.


HARSH = Weather(
    addresses=6,
    life_s=(0.5, 90.0),
    rest_s=0.0,
    kubelet_s=2.0,
    watch_s=7.5,
    stalls=True,
    abrupt=0.3,
    clock_s=2.0,
    gap_s=4.0,
    foreign=0.3,
)
USUAL = Weather(
    addresses=40,
    life_s=(60.0, 1200.0),
    rest_s=5.0,
    kubelet_s=1.0,
    watch_s=2.0,
    stalls=False,
    abrupt=0.02,
    clock_s=2.0,
    gap_s=12.0,
    foreign=0.0,
)


class Cluster:
    """Truth, and the mirror of it that the router has."""

    def __init__(self, weather: Weather, seed: int) -> None:
        self.rng, self.weather = random.Random(seed), weather
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._free = [(0.0, f"10.0.1.{number}") for number in range(weather.addresses)]
        self._offset = self.rng.uniform(-weather.clock_s, weather.clock_s)
        self._heard = 0.0
        self._mirror: dict[str, dict[str, Any]] = {}
        self._delivered_at = self._published_at = 0.0
        self._stalled_until = 0.0
        self.changes = 0
        self.names = NamespaceNames(
            lambda: self._heard, lambda: self.now, lambda: BEGAN_UNIX + self.now + self._offset
        )
        self.callers = Callers(self.names, lambda: self.now)
        self._connections: list[tuple[str, CallerOrigin]] = []

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        """Then."""
        heapq.heappush(self._due, (self.now + seconds, next(self._order), do))

    def run(self) -> None:
        """Run until there were enough changes, then until the last ones have settled."""
        self.after(0.0, self._look)
        self.after(1.0, self._bookmark)
        for _ in range(self.weather.addresses):
            self.after(self.rng.uniform(0.0, 20.0), self._start)
        while self.changes < CHANGES:
            self._step()
        end = self.now + 200.0
        while self.now < end:
            self._step()

    def _step(self) -> None:
        self.now, _, do = heapq.heappop(self._due)
        do()

    # The router ------------------------------------------------------------------------------

    def _look(self) -> None:
        self.callers.look()
        self.after(1.0, self._look)

    def connect(self, pod: "Pod") -> None:
        """Now, and again and again as long as it lives."""
        if pod.ended:
            return
        origin = self.callers.arrived(Address(pod.address, 40_000), LOCAL)
        self._connections.append((pod.workload, origin))
        self.after(self.rng.expovariate(1 / self.weather.gap_s), lambda: self.connect(pod))

    def verdicts(self) -> Iterator[tuple[str, CallerName]]:
        """Whose each connection was and whose the router says it is, as far as that is settled."""
        for truth, origin in self._connections:
            if (name := self.callers.name_of(origin)) is not None:
                yield truth, name

    # The watch -------------------------------------------------------------------------------

    def publish(self, uid: str, object_: dict[str, Any] | None) -> None:
        """The API server knows ``object_`` now, and reports it later, in this order."""
        rng, weather = self.rng, self.weather
        if weather.stalls and self.now > self._stalled_until and rng.random() < 0.01:
            self._stalled_until = self.now + rng.uniform(1.0, 90.0)
        late_s = rng.uniform(0.0, weather.watch_s)
        at = max(self.now + late_s, self._delivered_at, self._stalled_until)
        self._delivered_at = at

        def deliver() -> None:
            if object_ is None:
                self._mirror.pop(uid, None)
            else:
                self._mirror[uid] = kept(object_)
            self.names.look(self._mirror)
            self._heard = self.now

        self.after(at - self.now, deliver)

    def _bookmark(self) -> None:
        at = max(self.now, self._delivered_at, self._stalled_until)
        self._delivered_at = at

        def deliver() -> None:
            self._heard = self.now

        self.after(at - self.now, deliver)
        self.after(BOOKMARK_S, self._bookmark)

    # Pods ------------------------------------------------------------------------------------

    def _start(self) -> None:
        """A pod takes an address, if one is free; the one that was freed last, to be nasty."""
        self.after(self.rng.uniform(0.0, self.weather.life_s[0]), self._start_later)
        rested = [one for one in self._free if one[0] <= self.now - self.weather.rest_s]
        if not rested:
            return
        chosen = max(rested)
        self._free.remove(chosen)
        self.changes += 1
        pod = Pod(self, chosen[1], self.rng.random() < self.weather.foreign)
        pod.begin()

    def _start_later(self) -> None:
        self.after(self.rng.uniform(0.0, 2.0), self._start)

    def free(self, address: str) -> None:
        """Its pod is gone."""
        self.changes += 1
        self._free.append((self.now, address))


class Pod:
    """One, from its address to its end."""

    _numbers = count()

    def __init__(self, cluster: Cluster, address: str, is_foreign: bool) -> None:
        self._cluster, self.address = cluster, address
        self._is_foreign = is_foreign
        self._uid = f"uid{next(self._numbers)}"
        name = f"{'other' if is_foreign else 'app'}{cluster.rng.randrange(12)}"
        self.workload = f"deployment/{name}"
        self._name = name
        self.ended = False
        self._finished_at = 0.0

    def begin(self) -> None:
        """It has its address; its kubelet says so a little later, and it calls at once."""
        cluster = self._cluster
        rng, weather = cluster.rng, cluster.weather
        cluster.after(rng.uniform(0.0, 0.2), lambda: cluster.connect(self))
        cluster.after(rng.uniform(0.0, weather.kubelet_s), self._told_running)
        cluster.after(rng.uniform(*weather.life_s), self._end)

    def _told_running(self) -> None:
        if not self.ended:
            self._publish("Running")

    def _end(self) -> None:
        """Its containers end, then its address is free, then the API server hears of it."""
        cluster = self._cluster
        rng, weather = cluster.rng, cluster.weather
        self.ended, self._finished_at = True, cluster.now
        cluster.after(rng.uniform(0.0, 0.05), lambda: cluster.free(self.address))
        told_s = rng.uniform(0.0, weather.kubelet_s)
        if rng.random() < weather.abrupt:
            cluster.after(told_s, self._told_gone)
            return
        cluster.after(told_s, lambda: self._publish("Succeeded"))
        # A finished pod of a job stays, with its address in its status.
        cluster.after(told_s + rng.choice((0.1, 5.0, 400.0)), self._told_gone)

    def _told_gone(self) -> None:
        if not self._is_foreign:
            self._cluster.publish(self._uid, None)

    def _publish(self, phase: str) -> None:
        if self._is_foreign:
            return
        state: dict[str, Any] = {"running": {}}
        if phase == "Succeeded":
            at = datetime.fromtimestamp(int(BEGAN_UNIX + self._finished_at), UTC)
            state = {"terminated": {"finishedAt": at.strftime("%Y-%m-%dT%H:%M:%SZ")}}
        self._cluster.publish(
            self._uid,
            {
                "metadata": {
                    "name": self._uid,
                    "uid": self._uid,
                    "labels": {"pod-template-hash": "abc"},
                    "ownerReferences": [
                        {"kind": "ReplicaSet", "name": f"{self._name}-abc", "controller": True}
                    ],
                },
                "status": {
                    "phase": phase,
                    "podIP": self.address,
                    "podIPs": [{"ip": self.address}],
                    "hostIP": "192.168.1.10",
                    "containerStatuses": [{"state": state}],
                },
            },
        )


def outcome(weather: Weather, seed: int) -> tuple[Counter[str], int]:
    """Connections that are named right, wrong, or not; and how many pods changed."""
    cluster = Cluster(weather, seed)
    cluster.run()
    found: Counter[str] = Counter()
    for truth, name in cluster.verdicts():
        if name.kind != "workload":
            found["unnamed"] += 1
        else:
            found["right" if name.name == truth else "wrong"] += 1
    return found, cluster.changes


@pytest.mark.parametrize("seed", range(3))
def test_no_edge_is_wrong_however_late_the_watch_is(seed: int) -> None:
    found, changes = outcome(HARSH, seed)
    assert changes >= CHANGES
    assert found["wrong"] == 0, found
    assert found["right"] > 0.05 * found.total(), found


@pytest.mark.parametrize("seed", range(2))
def test_nearly_all_are_named_where_the_watch_is_punctual_and_addresses_rest(seed: int) -> None:
    found, changes = outcome(USUAL, seed)
    assert changes >= CHANGES
    assert found["wrong"] == 0, found
    assert found["right"] >= 0.95 * found.total(), found
