"""A world for the rules: sites at their distances, pods, calls between services, time."""

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import Final

from simulator.outcomes.event_queue import EventQueue
from simulator.rivals.pods import Pod
from simulator.rivals.rule import Balancer, RivalPlace, Rule
from simulator.runs.calls import Calls
from simulator.scenarios import draws
from simulator.scenarios.call_graph import calls_of
from simulator.scenarios.scenario import Scenario, ScenarioEvent

HEALTH_S: Final = 1.0  # Until health checks notice that a pod stopped or started.
_TRIES: Final = 3  # Of a request whose connection is refused, as in Istio's default.


class RivalRequest:
    """One request of the model. ``by``: the site that served it; empty: none could."""

    __slots__ = ("began", "by", "draw", "ended", "request_class", "service", "site")

    def __init__(
        self, site: str, service: str, began: float, draw: float, request_class: str
    ) -> None:
        self.site, self.service, self.began = site, service, began
        self.draw, self.request_class = draw, request_class
        self.ended, self.by = -1.0, ""


class RivalWorld(EventQueue):
    """All services of a scenario under one rule."""

    def __init__(self, scenario: Scenario, rule: Rule) -> None:
        super().__init__()
        self._scenario, self._rule = scenario, rule
        self._classes = {one.name: one for one in scenario.classes}
        self._ways = {site: distances(scenario, site) for site in scenario.sites}
        self._pods = [
            Pod(group) for group in scenario.targets if not group.asleep for _ in range(group.count)
        ]
        self._balancers: dict[tuple[str, str], Balancer] = {}
        self.requests: list[RivalRequest] = []
        for event in scenario.events:
            self.at(event.at_s, lambda event=event: self._happen(event))  # type: ignore[misc]

    def ask(
        self,
        site: str,
        service: str,
        draw: float,
        request_class: str = "",
        done: Callable[[bool], None] = lambda well: None,
    ) -> RivalRequest:
        """A client at ``site`` asks now."""
        request = RivalRequest(site, service, self._now, draw, request_class)
        self.requests.append(request)
        self._try(request, _TRIES, done)
        return request

    def _try(self, request: RivalRequest, tries: int, done: Callable[[bool], None]) -> None:
        balancer = self._balancer(request.site, request.service)
        pod = balancer.choose() if tries else None
        if pod is None:
            request.ended = self._now
            done(False)
            return
        one_way_s = self._ways[request.site][pod.site][1] / 2.0
        balancer.begun(pod)

        def answered(well: bool) -> None:
            def back() -> None:
                balancer.answered(pod)
                request.ended = self._now
                if well:
                    request.by = pod.site
                done(well)

            self.at(self._now + one_way_s, back)

        def arrives() -> None:
            if pod.is_up:
                self._serve(pod, request, answered)
            else:
                self.at(self._now + one_way_s, again)

        def again() -> None:
            balancer.answered(pod)
            self._try(request, tries - 1, done)

        self.at(self._now + one_way_s, arrives)

    def _serve(self, pod: Pod, request: RivalRequest, answered: Callable[[bool], None]) -> None:
        of = self._classes.get(request.request_class)

        def begin() -> None:
            seconds = draws.service_s(pod.spec.service_time, request.draw) * pod.factor
            self.at(self._now + (seconds if of is None else seconds * of.work), call)

        def call() -> None:
            if answered not in pod.open:
                return
            if pod.failing and draws.of_call(request.draw, -1) < pod.failing:
                finish(False)
                return
            wanted = calls_of(self._scenario, request.service, of)
            if wanted:
                Calls(wanted, ask, finish)
            else:
                finish(True)

        def ask(service: str, index: int, done: Callable[[bool], None]) -> None:
            draw = draws.of_call(request.draw, index)
            self.ask(pod.site, service, draw, request.request_class, done)

        def finish(well: bool) -> None:
            if pod.release(answered):
                answered(well)

        pod.take(begin, answered)

    def _balancer(self, site: str, service: str) -> Balancer:
        found = self._balancers.get((site, service))
        if found is None:
            ways = self._ways[site]
            pods = [pod for pod in self._pods if pod.spec.service == service and pod.site in ways]
            place = RivalPlace(
                site,
                service,
                sorted(pods, key=lambda pod: (*ways[pod.site], pod.site)),
                {name: cost for name, (cost, _) in ways.items()},
                {name: rtt_s for name, (_, rtt_s) in ways.items()},
                lambda: self._now,
                self.at,
                Random(f"{self._scenario.seed} rival {site} {service}"),
            )
            found = self._balancers[site, service] = self._rule(place)
        return found

    def _happen(self, event: ScenarioEvent) -> None:
        """Faults of pods and sites; a changed policy, cost, capacity or link has no effect here."""
        of_site = [pod for pod in self._pods if pod.site == event.site]
        pods = [pod for pod in of_site if pod.spec.service == event.service][: event.count]
        match event.do:
            case "kill-router" | "start-router":
                self._set_up(of_site, event.do == "start-router")
            case "stop-targets" | "start-targets":
                self._set_up(pods, event.do == "start-targets")
            case "slow-targets":
                for pod in pods:
                    pod.factor = event.factor
            case "fail-targets":
                for pod in pods:
                    pod.failing = event.share
            case _:
                pass

    def _set_up(self, pods: list[Pod], is_up: bool) -> None:
        for pod in pods:
            if is_up:
                pod.is_up = True
            elif pod.is_up:
                pod.stop()

        def noticed() -> None:
            for pod in pods:
                pod.known_up = pod.is_up

        self.at(self._now + HEALTH_S, noticed)


def distances(scenario: Scenario, root: str) -> dict[str, tuple[int, float]]:
    """(cost, round trip in seconds) of the cheapest path to each site in reach (Dijkstra)."""
    found: dict[str, tuple[int, float]] = {}
    heap = [(0, 0.0, root)]
    while heap:
        cost, rtt_s, here = heappop(heap)
        if here in found:
            continue
        found[here] = cost, rtt_s
        for link in scenario.links:
            if here in link.between:
                (there,) = (name for name in link.between if name != here)
                heappush(heap, (cost + link.cost, rtt_s + link.rtt_s, there))
    return found
