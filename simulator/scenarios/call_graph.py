"""Calls of services to others, as a scenario states them. Pure."""

from collections.abc import Sequence

from simulator.scenarios.scenario import RequestClass, Scenario, ServiceCall


def calls_of(
    scenario: Scenario, service: str, request_class: RequestClass | None
) -> list[ServiceCall]:
    """The calls of a request of that class to ``service``, one entry after the other."""
    (found,) = (one for one in scenario.services if one.name == service)
    counts = {} if request_class is None else request_class.calls
    return [
        ServiceCall(
            service=one.service, count=counts.get(one.service, one.count), parallel=one.parallel
        )
        for one in found.calls
        if counts.get(one.service, one.count)
    ]


def asked_per_request(
    scenario: Scenario, service: str, request_class: RequestClass | None = None
) -> dict[str, int]:
    """How many requests one to ``service`` makes of each service in all, itself included.

    The calls of a scenario form no circle. O(calls x services): each service is followed once.
    """
    known: dict[str, dict[str, int]] = {}

    def follow(name: str) -> dict[str, int]:
        if name not in known:
            found = {name: 1}
            for call in calls_of(scenario, name, request_class):
                for called, count in follow(call.service).items():
                    found[called] = found.get(called, 0) + call.count * count
            known[name] = found
        return known[name]

    return follow(service)


def circle(calls: dict[str, Sequence[str]]) -> list[str]:
    """Services that call each other in a circle, the first also the last; empty: there is none."""
    done: set[str] = set()

    def follow(service: str, way: list[str]) -> list[str]:
        if service in way:
            return [*way[way.index(service) :], service]
        if service in done:
            return []
        for called in calls.get(service, ()):
            if found := follow(called, [*way, service]):
                return found
        done.add(service)
        return []

    return next((found for service in calls if (found := follow(service, []))), [])
