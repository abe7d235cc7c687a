"""The requests of a run under other rules."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Final, Literal

from simulator.outcomes.figures import Rival, percentile
from simulator.rivals import google_waterfall, prequal
from simulator.rivals.engine import RivalRequest, RivalWorld
from simulator.rivals.envoy_priority import EnvoyPriority
from simulator.rivals.least_request import LeastRequest
from simulator.rivals.load_aware_locality import LoadAwareLocality
from simulator.rivals.rule import Rule
from simulator.runs.measure import RunRecord
from simulator.scenarios.scenario import Arrivals, Scenario

RuleName = Literal[
    "envoy-priority", "load-aware-locality", "least-request", "google-waterfall", "prequal"
]
RULES: Final[Mapping[RuleName, Callable[[], Rule]]] = {
    "envoy-priority": lambda: EnvoyPriority,
    "load-aware-locality": lambda: LoadAwareLocality,
    "least-request": lambda: LeastRequest,
    "google-waterfall": google_waterfall.rule,
    "prequal": prequal.rule,
}
"""A new rule for each run, since some have memory."""


def beside(
    scenario: Scenario, record: RunRecord, draw: Callable[[int], float], names: Sequence[RuleName]
) -> list[Rival]:
    """The results of each site's clients under each rule. Closed loops run again against it."""
    return [rival for name in names for rival in _under(scenario, record, draw, name)]


def _under(
    scenario: Scenario, record: RunRecord, draw: Callable[[int], float], name: RuleName
) -> Iterator[Rival]:
    world = RivalWorld(scenario, RULES[name]())
    numbers = count(len(record.requests))
    closed = [one for one in scenario.arrivals if one.kind == "closed"]
    for arrivals in closed:
        for _ in range(arrivals.clients):
            world.at(arrivals.from_s, _Loop(world, scenario, arrivals, draw, numbers).ask)
    loops = {(one.site, one.service) for one in closed}
    for one in record.requests:
        if one.parent is None and (one.site, one.service) not in loops:
            world.run_until(one.began - record.began_s)
            world.ask(one.site, one.service, one.draw, one.request_class)
    patience_s = max((one.timeout_s for one in scenario.arrivals), default=0.0)
    world.run_until(scenario.duration_s + patience_s)
    for site in scenario.sites:
        for service in scenario.services:
            asked = [
                one for one in world.requests if (one.site, one.service) == (site, service.name)
            ]
            if asked:
                yield _figures(scenario, name, site, service.name, asked, patience_s)


def _figures(
    scenario: Scenario,
    name: RuleName,
    site: str,
    service: str,
    asked: list[RivalRequest],
    patience_s: float,
) -> Rival:
    served = [one for one in asked if one.by and one.ended - one.began <= patience_s]
    latencies = sorted((one.ended - one.began) * 1000.0 for one in served)
    by = {there: sum(one.by == there for one in served) for there in scenario.sites}
    p50, p99 = percentile(latencies, 0.5), percentile(latencies, 0.99)
    return Rival(
        rule=name,
        site=site,
        service=service,
        here=by.pop(site),
        overflowed={there: number for there, number in by.items() if number},
        p50_ms=None if p50 is None else round(p50, 3),
        p99_ms=None if p99 is None else round(p99, 3),
        failed=len(asked) - len(served),
    )


class _Loop:
    """One client of a closed loop: it asks, thinks, asks again."""

    __slots__ = ("_arrivals", "_draw", "_numbers", "_until_s", "_world")

    def __init__(
        self,
        world: RivalWorld,
        scenario: Scenario,
        arrivals: Arrivals,
        draw: Callable[[int], float],
        numbers: Iterator[int],
    ) -> None:
        self._world, self._arrivals, self._draw, self._numbers = world, arrivals, draw, numbers
        self._until_s = min(scenario.duration_s, arrivals.until_s or scenario.duration_s)

    def ask(self) -> None:
        """Ask, unless the run is over."""
        if self._world.now < self._until_s:
            arrivals = self._arrivals
            self._world.ask(
                arrivals.site, arrivals.service, self._draw(next(self._numbers)), "", self._think
            )

    def _think(self, well: bool) -> None:
        pause_s = self._arrivals.think_s or (0.0 if well else 0.01)
        self._world.at(self._world.now + pause_s, self.ask)
