"""Changes that are worth a try, one each, and the commands that make them. Pure."""

from collections.abc import Iterator

import msgspec

from simulator.scenarios.scenario import Scenario, ScenarioService, ScenarioTargets


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """``changes`` made to the given scenario, with their ``commands``.

    ``settled``: services whose place is decided.
    """

    scenario: Scenario
    changes: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    settled: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        """The changes, human-readable."""
        return ", ".join(self.changes) or "as it is"


def further(plan: Plan) -> Iterator[Plan]:
    """Plans with one change more: pins, no more bursting, and real capacities."""
    for service in _in_chains(plan.scenario):
        if service.name in plan.settled:
            continue
        sites = _sites_of(plan.scenario, service.name)
        if len(sites) < 2:
            continue
        for site in sites:
            yield _pinned(plan, service, site, sites)
        if service.isolation != "strict" and _askers(plan.scenario, service.name) <= set(sites):
            yield _kept_home(plan, service)
    for name in (one.name for one in plan.scenario.services):
        if any(one.service == name and _takes_too_much(one) for one in plan.scenario.targets):
            yield _real_capacities(plan, name)


def _in_chains(scenario: Scenario) -> list[ScenarioService]:
    """Services that call others or are called; all, if there are no calls."""
    called = {call.service for one in scenario.services for call in one.calls}
    found = [one for one in scenario.services if one.calls or one.name in called]
    return found or list(scenario.services)


def _sites_of(scenario: Scenario, service: str) -> list[str]:
    having = {one.site for one in scenario.targets if one.service == service and one.count}
    return [site for site in scenario.sites if site in having]


def _askers(scenario: Scenario, service: str) -> set[str]:
    """Sites with clients or backends that ask for ``service``."""
    callers = {
        one.name for one in scenario.services if any(call.service == service for call in one.calls)
    }
    return {one.site for one in scenario.arrivals if one.service == service} | {
        one.site for one in scenario.targets if one.service in callers
    }


def _with_service(plan: Plan, changed: ScenarioService, change: str, command: str) -> Plan:
    services = tuple(changed if one.name == changed.name else one for one in plan.scenario.services)
    return Plan(
        scenario=msgspec.structs.replace(plan.scenario, services=services),
        changes=(*plan.changes, change),
        commands=(*plan.commands, command),
        settled=plan.settled | {changed.name},
    )


def _pinned(plan: Plan, service: ScenarioService, site: str, sites: list[str]) -> Plan:
    weights = {name: int(name == site) for name in sites}
    words = " ".join(f"--weight {name}={weight}" for name, weight in weights.items())
    return _with_service(
        plan,
        msgspec.structs.replace(service, policy="split", weights=weights),
        f"{service.name} at {site}",
        f"sitectl service set {service.name} --policy split {words}",
    )


def _kept_home(plan: Plan, service: ScenarioService) -> Plan:
    return _with_service(
        plan,
        msgspec.structs.replace(service, isolation="strict"),
        f"{service.name} does not burst",
        f"sitectl service set {service.name} --isolation strict",
    )


def _takes_too_much(targets: ScenarioTargets) -> bool:
    """The router sends it more at once than it works on; the rest waits inside, where no router
    sees it.
    """
    capacity = targets.capacity
    is_more = isinstance(capacity, int) and targets.slots is not None and capacity > targets.slots
    return capacity is None or is_more


def _real_capacities(plan: Plan, service: str) -> Plan:
    changed, commands = [], []
    for one in plan.scenario.targets:
        if one.service == service and _takes_too_much(one):
            one = msgspec.structs.replace(one, capacity=one.slots)
            words = f"sitectl service bind {service} … --capacity {one.slots}"
            commands.append(f"{words}  # at {one.site}")
        changed.append(one)
    return Plan(
        scenario=msgspec.structs.replace(plan.scenario, targets=tuple(changed)),
        changes=(*plan.changes, f"{service} with the capacity that its targets have"),
        commands=(*plan.commands, *commands),
        settled=plan.settled,
    )
