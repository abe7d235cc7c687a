"""Rules about calls between services and classes of requests, once each field is right."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from router.documents import readers
from simulator.scenarios import call_graph, draws
from simulator.scenarios.scenario import Arrivals, Scenario


class NoteMistake(Protocol):
    """Notes a fault in a field of an entry of a list of the scenario."""

    def __call__(
        self, field: str, index: int, key: str, reason: str, hint: str = "", code: str = "SW0724"
    ) -> None: ...


def judge(scenario: Scenario, bad: NoteMistake) -> None:
    """Names must exist, and calls must not form a circle."""
    names = {one.name for one in scenario.services}
    for index, service in enumerate(scenario.services):
        for call in service.calls:
            if call.service not in names:
                hint = readers.nearest(call.service, names)
                bad("services", index, "calls", f"no service {call.service!r}", hint, "SW0721")
    called: dict[str, Sequence[str]] = {
        one.name: [call.service for call in one.calls] for one in scenario.services
    }
    if found := call_graph.circle(called):
        index = [one.name for one in scenario.services].index(found[0])
        bad("services", index, "calls", f"a circle: {' calls '.join(found)}", "Take out a call")
    _judge_classes(scenario, called, bad)


def _judge_classes(
    scenario: Scenario, called: Mapping[str, Sequence[str]], bad: NoteMistake
) -> None:
    for index, service in enumerate(scenario.services):
        if service.sheddable and service.protocol == "tcp":
            bad("services", index, "sheddable", "needs protocol http", "Write protocol: http")
        elif not service.sheddable_share:
            why = "with 0% no sheddable request is ever served"
            bad("services", index, "sheddableShare", why, "Write a share like 80%")
    classes = [one.name for one in scenario.classes]
    callable_names = {name for of in called.values() for name in of}
    for index, one in enumerate(scenario.classes):
        if one.name in classes[:index]:
            bad("classes", index, "name", f"{one.name!r} is there twice")
        for name in one.calls:
            if name not in callable_names:
                hint = readers.nearest(name, callable_names)
                bad("classes", index, "calls", f"no service calls {name!r}", hint, "SW0721")
    for index, arrivals in enumerate(scenario.arrivals):
        for name in arrivals.classes:
            if name not in classes:
                hint = readers.nearest(name, classes)
                bad("arrivals", index, "classes", f"no class {name!r}", hint, "SW0721")


def without_targets(scenario: Scenario, reach: Mapping[str, set[str]]) -> list[tuple[int, str]]:
    """Services whose backends call one that no site in their ``reach`` has: (index, reason)."""
    found = []
    for index, service in enumerate(scenario.services):
        for call in service.calls:
            sites = {one.site for one in scenario.targets if one.service == call.service}
            lost = sorted(
                one.site
                for one in scenario.targets
                if one.service == service.name and not sites & reach[one.site]
            )
            if lost:
                reason = (
                    f"{lost[0]} has targets of {service.name}, and no site that it is linked to "
                    f"has targets of {call.service}"
                )
                found.append((index, reason))
    return found


def expected(scenario: Scenario, arrivals: Arrivals, quickest_s: float) -> float:
    """How many requests its clients and their calls make in all, at most."""
    classes = [one for one in scenario.classes if one.name in arrivals.classes]
    most = max(
        sum(call_graph.asked_per_request(scenario, arrivals.service, one).values())
        for one in (None, *classes)
    )
    return most * draws.expected(arrivals, scenario.duration_s, quickest_s)
