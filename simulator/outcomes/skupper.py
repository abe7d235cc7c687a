"""Skupper's rule as a separate model, fed the same requests as the routers. Pure.

skupper-router forwards a new delivery to the least of: in flight at a local pod, and in flight that
this router itself sent through a neighbor plus the path's cost (`src/router_core/forwarder.c`,
``qdr_forward_balanced_CT``). Ties stay local. A destination at its link capacity is out as long as
others are not: 250 everywhere in v1 (router 2.x); in v2 (router 3.5.1) 5 at a pod, whose
connections count twice. It knows no capacities, no pods of other sites, and has no queue: excess
requests wait in the pod. Each request is a separate connection here, the best case for v2: kept
connections would pin all their requests to one pod.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Literal

from simulator.outcomes.event_queue import EventQueue
from simulator.scenarios import draws
from simulator.scenarios.scenario import Scenario, ScenarioTargets
from simulator.scenarios.ways import paths

Version = Literal["v1", "v2"]
_LINK_CAPACITY = 250
_POD_CAPACITY = {"v1": 250, "v2": 5}
_COUNTS = {"v1": 1, "v2": 2}


class Served:
    """One request in the model. ``by``: the site whose pod served it; empty: none could."""

    __slots__ = ("began", "by", "ended", "number", "site")

    def __init__(self, number: int, site: str, began: float) -> None:
        self.number, self.site, self.began = number, site, began
        self.ended, self.by = -1.0, ""


class _Pod:
    __slots__ = ("busy", "in_flight", "site", "spec", "waiting")

    def __init__(self, site: str, spec: ScenarioTargets) -> None:
        self.site, self.spec = site, spec
        self.in_flight = self.busy = 0
        self.waiting: deque[Callable[[], None]] = deque()


class _Router:
    __slots__ = ("costs", "name", "pods", "sent", "via")

    def __init__(self, name: str, pods: list[_Pod]) -> None:
        self.name, self.pods = name, pods
        self.costs: dict[str, int] = {}  # Of the path, by destination.
        self.via: dict[str, str] = {}  # The first site on it.
        self.sent: dict[str, int] = {}  # In flight, by neighbor.


class Model(EventQueue):
    """Sites under Skupper's rule, for one service."""

    def __init__(
        self, scenario: Scenario, service: str, version: Version, draw: Callable[[int], float]
    ) -> None:
        super().__init__()
        self._version: Version = version
        self._draw = draw
        self._rtt_s: dict[tuple[str, str], float] = {}
        for link in scenario.links:
            first, second = link.between
            self._rtt_s[first, second] = self._rtt_s[second, first] = link.rtt_s
        self._routers = {
            site: _Router(
                site,
                [
                    _Pod(site, group)
                    for group in scenario.targets
                    if (group.site, group.service) == (site, service)
                    for _ in range(group.count)
                ],
            )
            for site in scenario.sites
        }
        for router in self._routers.values():
            for there, (cost, via) in paths(scenario, router.name).items():
                router.costs[there], router.via[there] = cost, via
        self.served: list[Served] = []

    def in_flight(self, site: str) -> list[int]:
        """Requests in flight at each of its pods."""
        return [pod.in_flight for pod in self._routers[site].pods]

    def run(self, requests: Iterable[tuple[float, str, int]]) -> None:
        """Run requests given as (instant, site, number), in order; then until all are served."""
        for when, site, number in requests:
            self.run_until(when)
            self.ask(site, number)
        self.run_until(float("inf"))

    def ask(self, site: str, number: int, done: Callable[[], None] | None = None) -> None:
        """A connection is opened at ``site`` now; it lasts for the work of that request."""
        served = Served(number, site, self._now)
        self.served.append(served)
        self._forward(self._routers[site], served, [], 0.0, done)

    def _forward(
        self,
        router: _Router,
        served: Served,
        hops: list[tuple[_Router, str]],
        away_s: float,
        done: Callable[[], None] | None,
    ) -> None:
        """Decide at ``router``. ``hops``: which router sent it on to which; ``away_s``: one-way
        delay so far.
        """
        chosen = self._choose(router, served.site)
        if chosen is None:
            served.ended = self._now
            self._settle(hops)
        elif isinstance(chosen, _Pod):
            self._enter(chosen, served, hops, away_s, done)
        else:
            router.sent[chosen] = router.sent.get(chosen, 0) + 1
            one_way_s = self._rtt_s[router.name, chosen] / 2.0
            following, path = self._routers[chosen], [*hops, (router, chosen)]
            self.at(
                self._now + one_way_s,
                lambda: self._forward(following, served, path, away_s + one_way_s, done),
            )

    def _choose(self, router: _Router, origin: str) -> _Pod | str | None:
        """A pod, the name of a neighbor, or None: no site has the service."""
        times, capacity = _COUNTS[self._version], _POD_CAPACITY[self._version]
        best: tuple[bool, int] | None = None
        chosen: _Pod | str | None = None
        for pod in router.pods:
            load = pod.in_flight * times
            rank = (load >= capacity, load)
            if best is None or rank < best:
                best, chosen = rank, pod
        for there, cost in router.costs.items():
            if not self._routers[there].pods or not self._is_on_way(origin, router.name, there):
                continue
            sent = router.sent.get(router.via[there], 0)
            rank = (sent >= _LINK_CAPACITY, sent + cost)
            if best is None or rank < best:
                best, chosen = rank, router.via[there]
        return chosen

    def _is_on_way(self, origin: str, here: str, there: str) -> bool:
        """Whether the origin's path to ``there`` leads through ``here``: no detours, no loops."""
        at = origin
        while at != here:
            if at == there:
                return False
            at = self._routers[at].via[there]
        return True

    def _enter(
        self,
        pod: _Pod,
        served: Served,
        hops: list[tuple[_Router, str]],
        away_s: float,
        done: Callable[[], None] | None,
    ) -> None:
        pod.in_flight += 1

        def begin() -> None:
            pod.busy += 1
            seconds = draws.service_s(pod.spec.service_time, self._draw(served.number))
            self.at(self._now + seconds, finish)

        def finish() -> None:
            pod.busy -= 1
            pod.in_flight -= 1
            if pod.waiting:
                pod.waiting.popleft()()
            self.at(self._now + away_s, answered)

        def answered() -> None:
            served.ended, served.by = self._now, pod.site
            self._settle(hops)
            if done is not None:
                done()

        slots = pod.spec.slots
        assert slots is not None, "the reader fills it in"
        if pod.busy < slots:
            begin()
        else:
            pod.waiting.append(begin)

    @staticmethod
    def _settle(hops: list[tuple[_Router, str]]) -> None:
        for router, neighbour in hops:
            router.sent[neighbour] -= 1
