"""Prequal (Wydrowski et al., NSDI'24): probes in the background, hot pods and cold ones.

With each request three random pods are probed. A probe comes back a round trip later with the pod's
requests in flight and its latency estimate at that number, the median of recent ones. The round
trip is added to it here, since pods are at several sites. A pool holds 16 probes, each for 1 s or
two uses. A pod is hot if its requests in flight are above the 0.84 quantile of the pool. The rule
takes the cold pod with the least latency; if all are hot, the one with the fewest in flight. Below
two probes: a random pod. Left out: removal of the worst probes, errors that exclude a pod.
"""

from collections import deque
from functools import partial
from typing import Final

from simulator.rivals.pods import Pod
from simulator.rivals.rule import Balancer, RivalPlace, Rule

PROBES: Final = 3
POOL: Final = 16
AGE_S: Final = 1.0
USES: Final = 2
HOT: Final = 0.84
_RECENT: Final = 20


def rule() -> Rule:
    """The rule for one run: all balancers share the recorded latencies of pods."""
    return partial(_Prequal, latencies={})


class LoadProbe:
    """The result of one probe."""

    __slots__ = ("at", "in_flight", "latency_s", "pod", "uses")

    def __init__(self, pod: Pod, at: float, in_flight: int, latency_s: float) -> None:
        self.pod, self.at, self.in_flight, self.latency_s = pod, at, in_flight, latency_s
        self.uses = 0


def best_of(pool: list[LoadProbe]) -> LoadProbe:
    """The hot-cold rule over a pool that is not empty."""
    ranked = sorted(probe.in_flight for probe in pool)
    mark = ranked[min(len(ranked) - 1, int(HOT * len(ranked)))]
    cold = [probe for probe in pool if probe.in_flight < mark or mark == ranked[0]]
    if cold:
        return min(cold, key=lambda probe: (probe.latency_s, probe.in_flight))
    return min(pool, key=lambda probe: probe.in_flight)


class _Prequal(Balancer):
    def __init__(self, place: RivalPlace, latencies: dict[Pod, deque[tuple[int, float]]]) -> None:
        super().__init__(place)
        self._latencies = latencies
        self._pool: deque[LoadProbe] = deque(maxlen=POOL)
        self._began: dict[Pod, deque[tuple[int, float]]] = {}

    def choose(self) -> Pod | None:
        pods = self.up()
        if not pods:
            return None
        now = self.place.now()
        for _ in range(PROBES):
            pod = self.place.random.choice(pods)
            rtt_s = self.place.rtt_of[pod.site]
            self.place.at(now + rtt_s, partial(self._probed, pod, rtt_s))
        fresh = [one for one in self._pool if now - one.at <= AGE_S and one.pod.known_up]
        self._pool = deque(fresh, POOL)
        if len(fresh) < 2:
            return self.place.random.choice(pods)
        best = best_of(fresh)
        best.uses += 1
        best.in_flight += 1  # The request sent now counts at once.
        if best.uses >= USES:
            self._pool.remove(best)
        return best.pod

    def _probed(self, pod: Pod, rtt_s: float) -> None:
        if pod.is_up:
            latency_s = self._estimate(pod) + rtt_s
            self._pool.append(LoadProbe(pod, self.place.now(), pod.in_flight, latency_s))

    def _estimate(self, pod: Pod) -> float:
        """The median latency of recent requests that found about as many in flight."""
        known = self._latencies.get(pod)
        if not known:
            return 0.0
        near = sorted(known, key=lambda one: abs(one[0] - pod.in_flight))[: _RECENT // 4 or 1]
        return sorted(latency_s for _, latency_s in near)[len(near) // 2]

    def begun(self, pod: Pod) -> None:
        super().begun(pod)
        self._began.setdefault(pod, deque()).append((pod.in_flight, self.place.now()))

    def answered(self, pod: Pod) -> None:
        super().answered(pod)
        found, began = self._began[pod].popleft()
        server_s = max(0.0, self.place.now() - began - self.place.rtt_of[pod.site])
        self._latencies.setdefault(pod, deque(maxlen=_RECENT)).append((found, server_s))
