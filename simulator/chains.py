"""Calls of one request to other services, while the slot of its backend waits for them."""

from collections.abc import Callable, Sequence

from simulator.scenario import RequestClass, Scenario, ServiceCall

AskCall = Callable[[str, int, Callable[[bool], None]], None]
"""Makes the call with this number to a service; the callback gets whether it was answered."""


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


class Calls:
    """The calls of one request, made in order. ``done`` gets whether all were answered."""

    __slots__ = ("_ask", "_begun", "_done", "_entries", "_left", "_open")

    def __init__(
        self, entries: list[ServiceCall], ask: AskCall, done: Callable[[bool], None]
    ) -> None:
        self._entries, self._ask, self._done = entries, ask, done
        self._left = self._open = self._begun = 0
        self._next()

    def _next(self) -> None:
        """Start the next entry, or end."""
        if not self._entries:
            self._done(True)
            return
        entry = self._entries[0]
        self._left = entry.count
        for _ in range(entry.count if entry.parallel else 1):
            self._one(entry.service)

    def _one(self, service: str) -> None:
        self._open += 1
        self._begun += 1
        self._ask(service, self._begun, self._answered)

    def _answered(self, well: bool) -> None:
        self._open -= 1
        self._left -= 1
        if not self._entries:
            return  # One of them has failed before.
        entry = self._entries[0]
        if not well:
            self._entries = []
            self._done(False)
        elif not self._left:
            del self._entries[0]
            self._next()
        elif not entry.parallel:
            self._one(entry.service)
