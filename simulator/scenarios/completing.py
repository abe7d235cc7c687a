"""Completes a scenario with the values that its entries may omit. Pure.

The reader does this to the scenarios that it reads; code that builds a `Scenario` in memory calls
`completed` before `Run`. `judging` has the rules that users may break.
"""

from typing import TypeVar

import msgspec

from router.documents import capacities
from simulator.scenarios.scenario import (
    Arrivals,
    Scenario,
    ScenarioBurst,
    ScenarioEvent,
    ScenarioTargets,
    SitePolicy,
)

Entry = TypeVar("Entry", Arrivals, ScenarioEvent, ScenarioBurst, ScenarioTargets, SitePolicy)


def completed(scenario: Scenario) -> Scenario:
    """Each entry names a service, by default the first; targets have slots; events are in order.
    Targets without slots or a capacity in slots stay without: no run takes them.
    """
    first = scenario.services[0].name if scenario.services else ""
    events = sorted((_named(one, first) for one in scenario.events), key=lambda one: one.at_s)
    return msgspec.structs.replace(
        scenario,
        targets=tuple(_with_slots(_named(one, first)) for one in scenario.targets),
        policies=tuple(_named(one, first) for one in scenario.policies),
        bursts=tuple(_named(one, first) for one in scenario.bursts),
        arrivals=tuple(_named(one, first) for one in scenario.arrivals),
        events=tuple(events),
    )


def _named(one: Entry, service: str) -> Entry:
    return one if one.service else msgspec.structs.replace(one, service=service)


def _with_slots(one: ScenarioTargets) -> ScenarioTargets:
    if one.slots is not None:
        return one
    return msgspec.structs.replace(one, slots=capacities.of_spec(one.capacity).slots)
