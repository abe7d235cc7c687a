"""Runs a scenario from its first link to its last answer."""

from collections.abc import Callable, Iterator
from functools import partial
from random import Random

from simulator.runs.callers import SimulatedCallers
from simulator.runs.calls import Calls
from simulator.runs.measure import RunRecord, SimulatedRequest, StepSample
from simulator.runs.scenario_events import happen
from simulator.runs.world import World
from simulator.scenarios import bounds, draws
from simulator.scenarios.call_graph import calls_of
from simulator.scenarios.scenario import Arrivals, Scenario, ServiceCall, ServiceTime

_AGAIN_S = 0.01  # A client of a closed loop that was refused waits before it asks again.
Progress = Callable[[float, int], bool]
"""Gets (share done, requests begun); returns whether to go on."""


class TooManyRequests(Exception):
    """A run exceeded `bounds.RUN_REQUESTS_MAX`. Its text is human-readable."""


class _Source:
    """The clients of one `Arrivals`, and the classes of their requests."""

    __slots__ = ("_chance", "_names", "_weights", "callers", "spec")

    def __init__(self, spec: Arrivals, callers: SimulatedCallers, chance: Random) -> None:
        self.spec, self.callers, self._chance = spec, callers, chance
        self._names, self._weights = list(spec.classes), list(spec.classes.values())

    def request_class(self) -> str:
        """The class of the next request; empty: none."""
        return self._chance.choices(self._names, self._weights)[0] if self._names else ""


class Run:
    """One run. `finish` returns the record. Implements `backends.BackendWork`."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._chance = draws.generator(scenario, "work")
        self._later_draws: list[float] = []
        self._worked_s: dict[tuple[str, str], float] = {}
        self._classes = {one.name: one for one in scenario.classes}
        self._calls: dict[tuple[str, str], list[ServiceCall]] = {
            (service.name, name): calls_of(scenario, service.name, self._classes.get(name))
            for service in scenario.services
            for name in ("", *self._classes)
        }
        self._inner: dict[tuple[str, str], SimulatedCallers] = {}
        self.record = RunRecord()
        self.world = World(scenario, self)
        internet = self.world.internet
        internet.run_until(bounds.SETTLE_S)
        self._begin = internet.now

    # Work of backends.

    def seconds(self, number: int, spec: ServiceTime) -> float:
        """How long a backend works on a request: the same at any site and on each attempt."""
        request = self.record.requests[number]
        seconds = draws.service_s(spec, request.draw)
        of = self._classes.get(request.request_class)
        return seconds if of is None else seconds * of.work

    def fails(self, number: int, share: float) -> bool:
        """Whether the request is among the ``share`` that fails."""
        return draws.of_call(self.record.requests[number].draw, -1) < share

    def call(self, number: int, site: str, done: Callable[[bool], None]) -> bool:
        """Make the calls of a request that a backend of ``site`` has worked on; False: there are
        none.
        """
        request = self.record.requests[number]
        wanted = self._calls[request.service, request.request_class]
        if not wanted:
            return False
        Calls(list(wanted), partial(self._ask_call, request, site), done)
        return True

    def _ask_call(
        self,
        parent: SimulatedRequest,
        site: str,
        service: str,
        index: int,
        done: Callable[[bool], None],
    ) -> None:
        callers = self._inner.get((site, service))
        if callers is None:
            callers = self._inner[site, service] = SimulatedCallers(
                self.world,
                self.record,
                site,
                service,
                keeps=True,
                timeout_s=bounds.CLIENT_TIMEOUT_S,
            )
        request = self._new(callers, draws.of_call(parent.draw, index), parent.request_class)
        request.parent = parent
        self._begin_at(callers, request, lambda: done(bool(request.served_by)))

    def draw(self, number: int) -> float:
        """The draw of a request; beyond the last one, of the requests of models of other rules."""
        requests = self.record.requests
        if number < len(requests):
            return requests[number].draw
        while len(self._later_draws) <= number - len(requests):
            self._later_draws.append(self._chance.random())
        return self._later_draws[number - len(requests)]

    # Running.

    def finish(self, progress: Progress = lambda share, begun: True) -> RunRecord:
        """Run to the end. TooManyRequests: more requests than can be known beforehand."""
        scenario, internet = self._scenario, self.world.internet
        for number, arrivals in enumerate(scenario.arrivals):
            self._offer(number, arrivals)
        for event in scenario.events:
            self._at(event.at_s, partial(happen, self.world, event))
        self.record.began_s, self.record.bursts = self._begin, self.world.moments
        step = scenario.duration_s / bounds.BINS
        for index in range(1, bounds.BINS + 1):
            internet.run_until(self._begin + index * step)
            self._sample(step)
            if not progress(index / bounds.BINS, len(self.record.requests)):
                self.record.interrupted = True
                break
        self.record.lasted_s = internet.now - self._begin
        if not self.record.interrupted:
            patience_s = max((one.timeout_s for one in scenario.arrivals), default=0.0)
            deadline = internet.now + patience_s + bounds.AFTER_S
            while self._open() and internet.now < deadline:
                internet.run_until(internet.now + 0.25)
        return self.record

    def _at(self, when: float, action: Callable[[], None]) -> None:
        self.world.at(self._begin + when, action)

    def _open(self) -> bool:
        return any(request.ended < 0 for request in self.record.requests[-5_000:])

    def _offer(self, number: int, arrivals: Arrivals) -> None:
        chance = draws.generator(self._scenario, "classes", number)
        if arrivals.kind == "closed":
            for _ in range(arrivals.clients):  # Each has a separate connection.
                source = _Source(arrivals, self._callers(arrivals), chance)
                self._at(arrivals.from_s, partial(self._loop, source))
            return
        source = _Source(arrivals, self._callers(arrivals), chance)
        chance = draws.generator(self._scenario, "arrivals", number)
        self._next(draws.instants(arrivals, self._scenario.duration_s, chance), source)

    def _callers(self, arrivals: Arrivals) -> SimulatedCallers:
        return SimulatedCallers(
            self.world,
            self.record,
            arrivals.site,
            arrivals.service,
            keeps=arrivals.connections == "keep-alive",
            timeout_s=arrivals.timeout_s,
        )

    def _next(self, instants: Iterator[float], source: _Source) -> None:
        """The next request of a stream is planned when the one before begins."""
        when = next(instants, None)
        if when is not None:
            self._at(when, partial(self._arrive, instants, source))

    def _arrive(self, instants: Iterator[float], source: _Source) -> None:
        self._ask(source, None)
        self._next(instants, source)

    def _loop(self, source: _Source) -> None:
        """One client of a closed loop: it asks, thinks, asks again."""
        duration_s = self._scenario.duration_s
        elapsed_s = self.world.internet.now - self._begin
        if elapsed_s >= min(duration_s, source.spec.until_s or duration_s):
            return

        def again() -> None:
            pause_s = source.spec.think_s or (0.0 if request.served_by else _AGAIN_S)
            later = self.world.internet.now - self._begin + pause_s
            self._at(later, partial(self._loop, source))

        request = self._ask(source, again)

    def _ask(self, source: _Source, done: Callable[[], None] | None) -> SimulatedRequest:
        request = self._new(source.callers, self._chance.random(), source.request_class())
        self._begin_at(source.callers, request, done)
        return request

    def _new(self, callers: SimulatedCallers, draw: float, request_class: str) -> SimulatedRequest:
        now, requests = self.world.internet.now, self.record.requests
        if len(requests) >= bounds.RUN_REQUESTS_MAX:
            raise TooManyRequests(
                f"more than {bounds.RUN_REQUESTS_MAX:,} requests, {now - self._begin:.1f} s into "
                f"the scenario: clients that are refused ask again every {_AGAIN_S * 1000:g} ms"
            )
        request = SimulatedRequest(
            len(requests), callers.site, callers.service, now, draw, request_class
        )
        requests.append(request)
        return request

    def _begin_at(
        self, callers: SimulatedCallers, request: SimulatedRequest, done: Callable[[], None] | None
    ) -> None:
        if callers.alive:
            callers.ask(request, done)
            return
        request.end(self.world.internet.now, 0, "site-down")
        if done is not None:
            self.world.at(self.world.internet.now + _AGAIN_S, done)

    def _sample(self, step_s: float) -> None:
        for name, site in self.world.sites.items():
            queued: dict[str, int] = {}
            if site.alive:
                snapshots = site.router.readings.services_snapshot()
                queued = {one.key.name: one.queued for one in snapshots}
            for service in self.world.names:
                running = site.backends_of(service) if site.alive else []
                worked_s = sum(one.worked_s for of, one in site.everyone if of == service)
                busy = (worked_s - self._worked_s.get((name, service), 0.0)) / step_s
                self._worked_s[name, service] = worked_s
                sample = StepSample(
                    busy,
                    sum(one.waiting for one in running),
                    queued.get(service, 0),
                    sum(one.slots for one in running),
                )
                self.record.samples.setdefault((name, service), []).append(sample)
