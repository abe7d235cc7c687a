"""Rules across the fields of a scenario, once each field is right by itself."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from router.documents import readers
from router.documents.nodes import Findings, Mapping, Node
from simulator.scenarios import bounds, call_rules, replay
from simulator.scenarios.completing import completed
from simulator.scenarios.scenario import (
    Arrivals,
    Scenario,
    ScenarioEvent,
    ScenarioService,
    ScenarioTargets,
)

HOLE_S: Final = 60.0
_NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "steady": ("rate",),
    "poisson": ("rate",),
    "ramp": ("toRate",),
    "flash": ("peak", "peakFrom", "peakUntil"),
    "closed": ("clients",),
    "replay": ("file",),
}
_EVENT_NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "set-policy": ("policy",),
    "set-cost": ("between", "cost"),
    "set-capacity": ("site", "capacity"),
    "set-service-time": ("site", "serviceTime"),
    "slow-targets": ("site", "factor"),
    "cut-link": ("between",),
    "restore-link": ("between",),
}
_OF_LINKS: Final = ("set-cost", "cut-link", "restore-link")
_OF_SITES: Final = ("kill-router", "start-router", "freeze-site", "thaw-site", *_OF_LINKS)
"""Events that need no service."""
_OF_TARGETS: Final = ("add", "stop", "start", "remove", "slow", "fail")


class Judge:
    """Rules across fields, once each is right by itself."""

    __slots__ = ("_findings", "_node", "_notes", "_open_log", "_services", "_sites", "_spec")

    def __init__(
        self,
        findings: Findings,
        node: Mapping,
        spec: Scenario,
        open_log: Callable[[str], str],
        notes: list[str],
    ) -> None:
        self._findings, self._node, self._spec = findings, node, spec
        self._open_log, self._notes = open_log, notes
        self._sites = set(spec.sites)
        self._services = {service.name for service in spec.services}

    def scenario(self) -> Scenario:
        """The completed scenario; faults are noted."""
        spec = self._spec
        self._nonempty()
        for field in ("links", "targets", "policies", "bursts", "arrivals", "events"):
            for index, one in enumerate(getattr(spec, field)):
                self._names(field, index, one)
        for index, service in enumerate(spec.services):
            self._weights("services", index, service)
        arrivals = tuple(self._arrival(i, one) for i, one in enumerate(spec.arrivals))
        for index, event in enumerate(spec.events):
            self._event(index, event)
        scenario = completed(msgspec.structs.replace(spec, arrivals=arrivals))
        for index, one in enumerate(scenario.targets):
            self._slots(index, one)
        self._sleepers(scenario)
        call_rules.judge(scenario, self._bad)
        if not self._findings.errors:
            self._size(scenario)
            self._ways(scenario)
        return scenario

    def _place(self, field: str, index: int, key: str = "") -> Node:
        node = self._node.get(field)
        if node is None:
            return self._node
        items = getattr(node, "items", [])
        found: Node = items[index] if index < len(items) else node
        if key and isinstance(found, Mapping):
            return found.get(key) or found
        return found

    def _bad(
        self, field: str, index: int, key: str, reason: str, hint: str = "", code: str = "SW0724"
    ) -> None:
        path = f"$.spec.{field}[{index}]" + (f".{key}" if key else "")
        self._findings.add(self._place(field, index, key), path, reason, hint, code)

    def _nonempty(self) -> None:
        for field in ("sites", "services", "arrivals"):
            if not getattr(self._spec, field):
                place = self._node.get(field) or self._node
                self._findings.add(place, f"$.spec.{field}", "expected at least one", "", "SW0724")
        for field, names in (
            ("sites", list(self._spec.sites)),
            ("services", [one.name for one in self._spec.services]),
        ):
            for index, name in enumerate(names):
                if name in names[:index]:
                    self._bad(field, index, "", f"{name!r} stands twice")

    def _names(self, field: str, index: int, one: Any) -> None:
        """Sites and services that are named must exist."""
        for key in ("site", "wakes"):
            site = getattr(one, key, "")
            if site and site not in self._sites:
                hint = readers.nearest(site, self._sites)
                self._bad(field, index, key, f"no site {site!r} in sites", hint, "SW0721")
        for name in getattr(one, "between", ()):
            if name not in self._sites:
                hint = readers.nearest(name, self._sites)
                self._bad(field, index, "between", f"no site {name!r} in sites", hint, "SW0721")
        if field == "links" and len(set(one.between)) != 2:
            self._bad(field, index, "between", "expected two different sites")
        service = getattr(one, "service", "")
        if service and service not in self._services:
            hint = readers.nearest(service, self._services)
            self._bad(field, index, "service", f"no service {service!r}", hint, "SW0721")
        if field not in ("links", "events") and not service and len(self._services) > 1:
            self._bad(field, index, "", "field 'service' is missing: there are several")

    def _weights(self, field: str, index: int, one: ScenarioService | ScenarioEvent) -> None:
        if one.policy == "split" and not any(one.weights.values()):
            self._bad(
                field, index, "weights", "policy split needs weights", "weights: {a: 1, b: 1}"
            )
        for name in one.weights:
            if name not in self._sites:
                hint = readers.nearest(name, self._sites)
                self._bad(field, index, "weights", f"no site {name!r} in sites", hint, "SW0721")

    def _slots(self, index: int, one: ScenarioTargets) -> None:
        if one.slots is None:
            reason = "how many requests does such a target really work on at once?"
            hint = "Write slots: 10; more wait in it"
            self._bad("targets", index, "", f"field 'slots' is missing: {reason}", hint)

    def _arrival(self, index: int, one: Arrivals) -> Arrivals:
        place = self._place("arrivals", index)
        for key in _NEEDS[one.kind]:
            if isinstance(place, Mapping) and place.get(key) is None:
                self._bad("arrivals", index, "", f"kind {one.kind} needs {key}")
                return one
        if one.kind in ("steady", "poisson") and one.rate <= 0:
            self._bad("arrivals", index, "rate", f"kind {one.kind} needs a rate above 0")
        if one.kind == "steady" and 0 < one.rate < 1e-6:
            self._bad("arrivals", index, "rate", "expected at least 0.000001/s")
        if one.kind == "ramp" and one.rate + one.to_rate <= 0:
            self._bad("arrivals", index, "toRate", "a ramp needs a rate above 0 at an end")
        if one.kind == "flash" and not one.peak_from_s < one.peak_until_s:
            self._bad("arrivals", index, "peakUntil", "expected peakFrom before peakUntil")
        end = self._spec.duration_s if one.until_s is None else one.until_s
        if not one.from_s < min(end, self._spec.duration_s):
            self._bad("arrivals", index, "from", "it ends before it begins")
        if one.kind == "replay":
            return self._replayed(index, one)
        return one

    def _replayed(self, index: int, one: Arrivals) -> Arrivals:
        try:
            text = self._open_log(one.file)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            self._bad("arrivals", index, "file", f"{one.file}: {reason}", "", "SW0723")
            return one
        found, wrong, line, note = replay.read_log(text, HOLE_S)
        if wrong:
            hint = f"Correct or remove line {line} of {one.file}"
            self._bad("arrivals", index, "file", f"{one.file}:{line}: {wrong}", hint, "SW0723")
        if note:
            self._notes.append(f"{one.file}: {note}")
        return msgspec.structs.replace(one, instants=tuple(when / one.speed for when in found))

    def _event(self, index: int, one: ScenarioEvent) -> None:
        place = self._place("events", index)
        needed = _EVENT_NEEDS.get(one.do, ("site",))
        for key in needed:
            if isinstance(place, Mapping) and place.get(key) is None:
                self._bad("events", index, "", f"{one.do} needs {key}")
        if one.at_s > self._spec.duration_s:
            self._bad("events", index, "at", "it is after the end of the scenario")
        if one.do == "set-policy":
            self._weights("events", index, one)
        if one.do in _OF_LINKS and not any(
            set(link.between) == set(one.between) for link in self._spec.links
        ):
            self._bad("events", index, "between", "there is no such link", "", "SW0721")
        if not one.service and len(self._services) > 1 and one.do not in _OF_SITES:
            self._bad("events", index, "", "field 'service' is missing: there are several")
        if one.do in tuple(f"{verb}-targets" for verb in _OF_TARGETS) and not any(
            group.site == one.site for group in self._spec.targets
        ):
            self._bad(
                "events", index, "site", f"no targets at {one.site!r}", "Add a group with count: 0"
            )

    def _sleepers(self, scenario: Scenario) -> None:
        """Every burst must wake targets, and some burst must wake each one that sleeps."""
        asleep = {(one.site, one.service) for one in scenario.targets if one.asleep}
        woken = {(one.wakes, one.service) for one in scenario.bursts}
        for index, burst in enumerate(scenario.bursts):
            if (burst.wakes, burst.service) not in asleep:
                reason = f"no targets of {burst.service} sleep at {burst.wakes}"
                hint = "Add asleep: true to the targets that it wakes"
                self._bad("bursts", index, "wakes", reason, hint)
            if burst.wakes == burst.site and burst.starts == "router":
                self._bad("bursts", index, "starts", "a router cannot start itself")
        for index, one in enumerate(scenario.targets):
            if one.asleep and (one.site, one.service) not in woken:
                hint = f"Add to bursts: {{site: …, wakes: {one.site}, wake: 12s, …}}"
                self._bad("targets", index, "asleep", "no burst wakes them", hint)

    def _size(self, scenario: Scenario) -> None:
        """The scenario must end, and soon enough for a user who waits."""
        quickest = min((one.service_time.mean_s for one in scenario.targets), default=0.001)
        total = 0.0
        for index, one in enumerate(scenario.arrivals):
            total += call_rules.expected(scenario, one, quickest)
            if total > bounds.REQUESTS_MAX:
                self._bad(
                    "arrivals",
                    index,
                    "",
                    f"up to {total:,.0f} requests in all, at most {bounds.REQUESTS_MAX:,}",
                    "Shorten duration, or lower the rate",
                    "SW0722",
                )
                return
        targets = sum(one.count for one in scenario.targets) + sum(
            one.count for one in scenario.events if one.do == "add-targets"
        )
        if targets > bounds.TARGETS_MAX:
            reason = f"{targets} targets in all, at most {bounds.TARGETS_MAX}"
            place = self._node.get("targets") or self._node
            self._findings.add(place, "$.spec.targets", reason, "", "SW0722")

    def _ways(self, scenario: Scenario) -> None:
        """A site with clients must reach targets that could serve them."""
        ways: dict[str, set[str]] = {site: {site} for site in scenario.sites}
        for link in scenario.links:
            first, second = (ways[name] for name in link.between)
            joined = first | second
            for name in joined:
                ways[name] = joined
        for index, one in enumerate(scenario.arrivals):
            if not any(
                group.service == one.service and group.site in ways[one.site]
                for group in scenario.targets
            ):
                self._bad(
                    "arrivals",
                    index,
                    "site",
                    f"{one.site} and the sites it is linked to have no targets of {one.service}",
                    "Add targets or links",
                    "SW0725",
                )
        for index, reason in call_rules.without_targets(scenario, ways):
            self._bad("services", index, "calls", reason, "Add targets or links", "SW0725")
