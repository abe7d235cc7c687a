"""The figures of a run: of each site over time and in all, with the ideal and Skupper's rule."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from simulator.outcomes.ideal import Ideal, ideal_of
from simulator.outcomes.skupper import Model, Version
from simulator.runs.bursts import BurstMoment
from simulator.runs.measure import RunRecord, SimulatedRequest
from simulator.scenarios import bounds
from simulator.scenarios.scenario import Arrivals, Scenario, ScenarioTargets, ServiceCall


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A site over time, one value for each step of ``step_s``.

    ``served``: requests that its clients began in the step, by the site that served them; ``busy``:
    mean number of its working slots; ``queue``: requests that waited at the end of the step;
    ``p99_ms`` of its clients.
    """

    step_s: float
    offered: list[int]
    served: dict[str, list[int]]
    refused: list[int]
    busy: list[float]
    slots: list[int]
    queue: list[int]
    p99_ms: list[float]


class SiteFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One site and one service. Counts are of the requests of this site's own clients.

    ``used`` and ``ideal``: share of its slots that worked while demand exceeded them (between the
    first and the last request that had to spill under the ideal rule), or all the time if none had
    to. ``first_spill_free``: its free slots at the first spill. ``spilled_while_free``: share of
    requests that spilled although a slot was free. ``return_s``: time between the last request that
    had to spill and the last that did. ``held_by``: the configured rates and site cap,
    human-readable. ``held``: requests that waited for a site that a burst hook woke;
    ``longest_ms``: of all served. ``connections``: opened by its clients.
    """

    site: str
    service: str
    offered: int
    here: int
    overflowed: dict[str, int]
    refused: int
    lost: int
    for_others: int
    used: float | None
    ideal: float | None
    queue_most: int
    first_spill_s: float | None
    first_spill_free: int | None
    spilled_while_free: float | None
    had_to_leave: int
    return_s: float | None
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    series: Series
    held_by: list[str] = []
    held: int = 0
    connections: int = 0
    longest_ms: float | None = None


class Rival(msgspec.Struct, frozen=True, kw_only=True):
    """The same requests under another rule. ``failed``: no pod served them in time."""

    rule: str
    site: str
    service: str
    here: int
    overflowed: dict[str, int]
    p50_ms: float | None
    p99_ms: float | None
    failed: int = 0


class ClassFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one class that clients made; ``away`` were served by another site."""

    name: str
    service: str
    requests: int
    away: int
    failed: int
    mean_ms: float | None
    p50_ms: float | None
    p99_ms: float | None


class RunOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One run. ``lasted_s`` is shorter than the scenario when it was interrupted.

    ``bursts``: events of hooks, in seconds of the scenario; below 0: before the first request.
    """

    scenario: str
    policy: str
    seed: int
    lasted_s: float
    interrupted: bool
    requests: int
    sites: list[SiteFigures]
    skupper: list[Rival]
    rivals: list[Rival] = []
    bursts: list[BurstMoment] = []
    classes: list[ClassFigures] = []


def percentile(values: list[float], share: float) -> float | None:
    """The value below which ``share`` of the sorted ``values`` lie (nearest rank)."""
    if not values:
        return None
    return values[min(len(values) - 1, int(len(values) * share))]


def outcome(
    scenario: Scenario, record: RunRecord, draw: Callable[[int], float], rivals: Sequence[Version]
) -> RunOutcome:
    """All results of a run. Models of other rules know no calls between services."""
    if any(one.calls for one in scenario.services):
        rivals = ()
    names = [(site, one.name) for site in scenario.sites for one in scenario.services]
    asked: dict[tuple[str, str], list[SimulatedRequest]] = {}
    served: Counter[tuple[str, str, str]] = Counter()
    for one in record.requests:
        asked.setdefault((one.site, one.service), []).append(one)
        served[one.site, one.service, one.served_by] += 1
    sites = [
        _site(
            scenario,
            record,
            site,
            service,
            asked.get((site, service), []),
            sum(served[other, service, site] for other in scenario.sites if other != site),
        )
        for site, service in names
        if _matters(scenario, site, service)
    ]
    return RunOutcome(
        scenario=scenario.name,
        policy=" ".join(dict.fromkeys(one.policy for one in scenario.services)),
        seed=scenario.seed,
        lasted_s=round(record.lasted_s, 3),
        interrupted=record.interrupted,
        requests=len(record.requests),
        sites=sites,
        skupper=[
            rival
            for version in rivals
            for service in scenario.services
            for rival in _rivals(scenario, record, service.name, version, draw)
        ],
        bursts=[
            msgspec.structs.replace(one, at_s=round(one.at_s - record.began_s, 6))
            for one in record.bursts
        ],
        classes=_classes(record),
    )


def _classes(record: RunRecord) -> list[ClassFigures]:
    asked: dict[tuple[str, str], list[SimulatedRequest]] = {}
    for one in record.requests:
        if one.parent is None and one.request_class:
            asked.setdefault((one.service, one.request_class), []).append(one)
    found = []
    for (service, name), own in sorted(asked.items()):
        latencies = sorted(one.latency_s * 1000.0 for one in own if one.served_by)
        found.append(
            ClassFigures(
                name=name,
                service=service,
                requests=len(own),
                away=sum(one.served_by not in ("", one.site) for one in own),
                failed=len(own) - len(latencies),
                mean_ms=_rounded(sum(latencies) / len(latencies)) if latencies else None,
                p50_ms=_rounded(percentile(latencies, 0.5)),
                p99_ms=_rounded(percentile(latencies, 0.99)),
            )
        )
    return found


def _matters(scenario: Scenario, site: str, service: str) -> bool:
    pairs = {(one.site, one.service) for one in scenario.arrivals}
    pairs |= {(one.site, one.service) for one in scenario.targets}
    called = {
        (one.site, call.service) for one in scenario.targets for call in _calls(scenario, one)
    }
    return (site, service) in pairs | called


def _calls(scenario: Scenario, targets: ScenarioTargets) -> tuple[ServiceCall, ...]:
    """The calls of backends of those targets."""
    (found,) = (one for one in scenario.services if one.name == targets.service)
    return found.calls


def _site(
    scenario: Scenario,
    record: RunRecord,
    site: str,
    service: str,
    own: list[SimulatedRequest],
    for_others: int,
) -> SiteFigures:
    served = [one for one in own if one.served_by]
    spilled = [one for one in served if one.served_by != site]
    overflowed = {
        there: sum(one.served_by == there for one in spilled)
        for there in scenario.sites
        if any(one.served_by == there for one in spilled)
    }
    latencies = sorted(one.latency_s * 1000.0 for one in served)
    ideal = ideal_of(scenario, record, site, service) if own else None
    known_free = [one.free for one in spilled if one.free is not None]
    series = _series(scenario, record, site, service, own)
    first, last = (spilled[0], spilled[-1]) if spilled else (None, None)
    return SiteFigures(
        site=site,
        service=service,
        offered=len(own),
        here=len(served) - len(spilled),
        overflowed=overflowed,
        refused=sum(one.status >= 500 for one in own),
        lost=sum(one.status == 0 for one in own),
        for_others=for_others,
        used=_used(series, ideal),
        ideal=None if ideal is None else _rounded(ideal.used),
        queue_most=max(series.queue, default=0),
        first_spill_s=None if first is None else round(first.began - record.began_s, 6),
        first_spill_free=None if first is None else first.free,
        spilled_while_free=(
            _rounded(sum(free > 0 for free in known_free) / len(known_free)) if known_free else None
        ),
        had_to_leave=0 if ideal is None else ideal.left,
        return_s=(
            None
            if last is None or ideal is None or ideal.last_s is None
            else round(last.began - record.began_s - ideal.last_s, 6)
        ),
        p50_ms=_rounded(percentile(latencies, 0.5)),
        p90_ms=_rounded(percentile(latencies, 0.9)),
        p99_ms=_rounded(percentile(latencies, 0.99)),
        series=series,
        held_by=_held_by(scenario, site, service),
        connections=record.connections.get((site, service), 0),
        held=sum(one.held_s > 0 for one in own),
        longest_ms=_rounded(latencies[-1]) if latencies else None,
    )


def _held_by(scenario: Scenario, site: str, service: str) -> list[str]:
    """The limits that make requests spill while slots are free."""
    rates = dict.fromkeys(
        f"{one.capacity} a target"
        for one in scenario.targets
        if (one.site, one.service) == (site, service) and "/s" in str(one.capacity)
    )
    caps = [
        f"{one.site_capacity} for the site" + (", then all spills" if one.spill == "all" else "")
        for one in scenario.policies
        if (one.site, one.service) == (site, service)
    ]
    return [*rates, *caps]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _used(series: Series, ideal: Ideal | None) -> float | None:
    """Share of slots that worked, over the whole steps of the ideal's busy time."""
    first, last = 0, len(series.busy)
    if ideal is not None and ideal.first_s is not None and ideal.last_s is not None:
        first = int(ideal.first_s / series.step_s) + 1
        last = int(ideal.last_s / series.step_s)
    slots = sum(series.slots[first:last])
    return _rounded(sum(series.busy[first:last]) / slots) if slots else None


def _series(
    scenario: Scenario, record: RunRecord, site: str, service: str, own: list[SimulatedRequest]
) -> Series:
    step_s = scenario.duration_s / bounds.BINS
    samples = record.samples.get((site, service), [])
    count = len(samples)
    offered, refused = [0] * count, [0] * count
    served = {there: [0] * count for there in scenario.sites}
    latencies: list[list[float]] = [[] for _ in range(count)]
    for one in own:
        index = int((one.began - record.began_s) / step_s)
        if index >= count:
            continue
        offered[index] += 1
        if one.served_by:
            served[one.served_by][index] += 1
            latencies[index].append(one.latency_s * 1000.0)
        else:
            refused[index] += 1
    return Series(
        step_s=step_s,
        offered=offered,
        served={there: counts for there, counts in served.items() if any(counts)},
        refused=refused,
        busy=[round(one.busy, 3) for one in samples],
        slots=[one.slots for one in samples],
        queue=[one.queued + one.in_backends for one in samples],
        p99_ms=[round(percentile(sorted(one), 0.99) or 0.0, 3) for one in latencies],
    )


def _rivals(
    scenario: Scenario,
    record: RunRecord,
    service: str,
    version: Version,
    draw: Callable[[int], float],
) -> Iterable[Rival]:
    """The model fed with the open arrivals of the run; closed loops run again against it."""
    model = Model(scenario, service, version, draw)
    numbers = iter(range(len(record.requests), bounds.REQUESTS_MAX * 2))
    closed = {one.site for one in scenario.arrivals if one.kind == "closed"}
    for arrivals in scenario.arrivals:
        if arrivals.kind == "closed" and arrivals.service == service:
            for _ in range(arrivals.clients):
                model.at(arrivals.from_s, _Loop(model, scenario, arrivals, numbers).ask)
    model.run(
        (one.began - record.began_s, one.site, one.number)
        for one in record.requests
        if one.service == service and one.site not in closed
    )
    for site in scenario.sites:
        asked = [one for one in model.served if one.site == site]
        own = [one for one in asked if one.by]
        if own:
            latencies = sorted((one.ended - one.began) * 1000.0 for one in own)
            yield Rival(
                rule=f"skupper {version}",
                site=site,
                service=service,
                here=sum(one.by == site for one in own),
                overflowed={
                    there: sum(one.by == there for one in own)
                    for there in scenario.sites
                    if there != site and any(one.by == there for one in own)
                },
                p50_ms=_rounded(percentile(latencies, 0.5)),
                p99_ms=_rounded(percentile(latencies, 0.99)),
                failed=len(asked) - len(own),
            )


class _Loop:
    """One client of a closed loop, in the model."""

    __slots__ = ("_arrivals", "_model", "_numbers", "_until_s")

    def __init__(
        self, model: Model, scenario: Scenario, arrivals: Arrivals, numbers: Iterable[int]
    ) -> None:
        self._model, self._arrivals, self._numbers = model, arrivals, iter(numbers)
        self._until_s = min(scenario.duration_s, arrivals.until_s or scenario.duration_s)

    def ask(self) -> None:
        """Ask, unless the run is over."""
        if self._model.now < self._until_s:
            self._model.ask(self._arrivals.site, next(self._numbers), self._think)

    def _think(self) -> None:
        self._model.at(self._model.now + self._arrivals.think_s, self.ask)
