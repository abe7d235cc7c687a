"""A scenario from its first link to its last answer."""

from collections.abc import Callable, Iterator
from functools import partial

from simulator import bounds, draws
from simulator.clients import Clients
from simulator.measure import RunRecord, SimulatedRequest, StepSample, key_of
from simulator.scenario import Arrivals, Scenario
from simulator.world import World

_AGAIN_S = 0.01  # A client of a closed loop that was refused does not ask in the same instant.
Progress = Callable[[float, int], bool]
"""Hears (share done, requests begun); whether to go on."""


class TooManyRequests(Exception):
    """A run went beyond `bounds.RUN_REQUESTS_MAX`. Its text is for people."""


class _Source:
    """The clients of one `Arrivals`. They are made when the first asks, anew after a kill."""

    __slots__ = ("_clients", "_site", "_world", "spec")

    def __init__(self, world: World, spec: Arrivals) -> None:
        self.spec, self._world = spec, world
        self._site = world.sites[spec.site]
        self._clients: Clients | None = None

    @property
    def alive(self) -> bool:
        """Whether their host is."""
        return self._site.alive

    def ask(self, request: SimulatedRequest, done: Callable[[], None] | None) -> None:
        """One of them asks now."""
        if self._clients is None or self._clients.network is not self._site.network:
            key = key_of(self._world.names, self.spec.service)
            keeps = self.spec.connections == "keep-alive"
            self._clients = Clients(
                self._site.network, key.port, keeps, self._note_room, timeout_s=self.spec.timeout_s
            )
        self._clients.ask(request, done)

    def _note_room(self, request: SimulatedRequest) -> None:
        key = key_of(self._world.names, self.spec.service)
        load = self._site.router.readings.load_of(key)
        request.free = None if load.capacity is None else load.capacity - load.used
        if request.free is not None and load.rate is not None:
            request.free = min(request.free, load.rate.permits)


class Run:
    """One run. `finish` gives what was seen."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._chance = draws.generator(scenario, "work")
        self._draws: list[float] = []
        self._worked_s: dict[tuple[str, str], float] = {}
        self.record = RunRecord()
        self.world = World(scenario, self.draw)
        internet = self.world.internet
        internet.run_until(bounds.SETTLE_S)
        self._begin = internet.now

    def draw(self, number: int) -> float:
        """The draw of a request: the same whoever serves it, however often it is asked."""
        while len(self._draws) <= number:
            self._draws.append(self._chance.random())
        return self._draws[number]

    def finish(self, progress: Progress = lambda share, begun: True) -> RunRecord:
        """Let it all happen. TooManyRequests: more than can be told beforehand."""
        scenario, internet = self._scenario, self.world.internet
        for number, arrivals in enumerate(scenario.arrivals):
            self._offer(number, arrivals)
        for event in scenario.events:
            self._at(event.at_s, partial(self.world.happen, event))
        step = scenario.duration_s / bounds.BINS
        for index in range(1, bounds.BINS + 1):
            internet.run_until(self._begin + index * step)
            self._sample(step)
            if not progress(index / bounds.BINS, len(self.record.requests)):
                self.record.interrupted = True
                break
        self.record.began_s, self.record.bursts = self._begin, self.world.moments
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
        source = _Source(self.world, arrivals)
        if arrivals.kind == "closed":
            for _ in range(arrivals.clients):
                self._at(arrivals.from_s, partial(self._loop, source))
            return
        chance = draws.generator(self._scenario, "arrivals", number)
        self._next(draws.instants(arrivals, self._scenario.duration_s, chance), source)

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
        now, spec = self.world.internet.now, source.spec
        if len(self.record.requests) >= bounds.RUN_REQUESTS_MAX:
            raise TooManyRequests(
                f"more than {bounds.RUN_REQUESTS_MAX:,} requests, {now - self._begin:.1f} s into "
                f"the scenario: clients that are refused ask again every {_AGAIN_S * 1000:g} ms"
            )
        request = SimulatedRequest(len(self.record.requests), spec.site, spec.service, now)
        self.record.requests.append(request)
        if source.alive:
            source.ask(request, done)
        else:
            request.end(now, 0, "site-down")
            if done is not None:
                self._at(now - self._begin + _AGAIN_S, done)
        return request

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
