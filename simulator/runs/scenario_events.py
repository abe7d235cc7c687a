"""Applies the events and faults of a scenario to its world."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from simulator.runs.world import Group, SimulatedSite, World
from simulator.scenarios.scenario import Action, ScenarioEvent


def happen(world: World, event: ScenarioEvent) -> None:
    """Apply ``event``. Events for targets of a site that is down have no effect."""
    if event.do in _TO_WORLD:
        _TO_WORLD[event.do](world, event)
        return
    site = world.sites[event.site]
    group = next((one for one in site.groups if one.spec.service == event.service), None)
    if group is not None and site.alive:
        _TO_TARGETS[event.do](site, group, event)
        site.apply()


def _set_policy(world: World, event: ScenarioEvent) -> None:
    service = world.services[event.service]
    world.set_service(msgspec.structs.replace(service, policy=event.policy, weights=event.weights))


def _set_cost(world: World, event: ScenarioEvent) -> None:
    for link in world.scenario.links:
        if set(link.between) == set(event.between):
            first, second = (world.sites[name] for name in link.between)
            first.dial(second, event.cost)
            first.apply()


def _cut(world: World, event: ScenarioEvent) -> None:
    first, second = (world.sites[name].ip for name in event.between)
    world.internet.cut(first, second)


def _restore(world: World, event: ScenarioEvent) -> None:
    first, second = (world.sites[name].ip for name in event.between)
    world.internet.heal(first, second)


def _start_router(world: World, event: ScenarioEvent) -> None:
    if not world.sites[event.site].alive:
        world.sites[event.site].start()


_TO_WORLD: Final[Mapping[Action, Callable[[World, ScenarioEvent], None]]] = {
    "set-policy": _set_policy,
    "set-cost": _set_cost,
    "cut-link": _cut,
    "restore-link": _restore,
    "freeze-site": lambda world, event: world.internet.freeze(world.sites[event.site].ip),
    "thaw-site": lambda world, event: world.internet.thaw(world.sites[event.site].ip),
    "kill-router": lambda world, event: world.sites[event.site].kill(),
    "start-router": _start_router,
}


def _remove(site: SimulatedSite, group: Group, event: ScenarioEvent) -> None:
    del group.backends[len(group.backends) - min(event.count, len(group.backends)) :]


def _set_capacity(site: SimulatedSite, group: Group, event: ScenarioEvent) -> None:
    group.spec = msgspec.structs.replace(group.spec, capacity=event.capacity)


def _set_service_time(site: SimulatedSite, group: Group, event: ScenarioEvent) -> None:
    assert event.service_time is not None, "the reader demands it"
    group.spec = msgspec.structs.replace(group.spec, service_time=event.service_time)
    for backend in group.backends:
        backend.service_time = event.service_time


def _slow(site: SimulatedSite, group: Group, event: ScenarioEvent) -> None:
    for backend in group.backends[: event.count]:
        backend.factor = event.factor


def _fail(site: SimulatedSite, group: Group, event: ScenarioEvent) -> None:
    for backend in group.backends[: event.count]:
        backend.failing = event.share


_TO_TARGETS: Final[Mapping[Action, Callable[[SimulatedSite, Group, ScenarioEvent], None]]] = {
    "add-targets": lambda site, group, event: site.add(group, event.count),
    "remove-targets": _remove,
    "stop-targets": lambda site, group, event: group.stop(event.count),
    "start-targets": lambda site, group, event: group.start(event.count),
    "set-capacity": _set_capacity,
    "set-service-time": _set_service_time,
    "slow-targets": _slow,
    "fail-targets": _fail,
}
