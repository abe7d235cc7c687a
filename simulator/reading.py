"""A scenario from YAML, with the place of everything that is wrong.

Codes: SW0720 a field, SW0721 a name that is not there, SW0722 too long or too many requests, SW0723
a log, SW0724 fields that contradict, SW0725 sites without a way, SW0726 not a Scenario.
"""

from collections.abc import Callable
from math import isfinite
from typing import Any, Final, get_args

import msgspec

from router.documents import capacities, readers, weights
from router.documents.nodes import Findings, Mapping, Node, Scalar, parse
from router.documents.rate_rules import check_cap, check_rates
from router.documents.readers import BAD, Bad, Reader
from router.documents.schema import Field, Shape
from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import API_VERSION, PolicyName
from simulator import bounds, draws, replay
from simulator.scenario import (
    Action,
    ArrivalKind,
    Arrivals,
    Happening,
    Link,
    Scenario,
    Service,
    ServiceTime,
    ServiceTimeKind,
    SitePolicy,
    Targets,
)

HOLE_S: Final = 60.0
_FIELDS: Final = ("apiVersion", "kind", "name", "spec")
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
}


def number(least: float, most: float, unit: str = "") -> Reader:
    """A reader of a number from ``least`` to ``most``, with ``unit`` behind it or not."""

    def read(findings: Findings, node: Node, path: str) -> float | Bad:
        text = node.value.removesuffix(unit) if isinstance(node, Scalar) else ""
        try:
            value = float(text)
        except ValueError:
            example = f"a number like 20{unit}"
            findings.add(node, path, f"expected {example}, got {readers.shown(node)}")
            return BAD
        if not (isfinite(value) and least <= value <= most):
            reason = f"expected a number from {least:g} to {most:g}, got {readers.shown(node)}"
            findings.add(node, path, reason)
            return BAD
        return value

    return read


_moment = readers.duration(0.0, bounds.DURATION_S_MAX)
_rate = number(0.0, bounds.RATE_PER_S_MAX, "/s")
_policy_name = readers.word(*get_args(PolicyName))
_pair = readers.many(readers.name, 2, "sites")
_TIME = Shape(
    ServiceTime,
    Field("kind", readers.word(*get_args(ServiceTimeKind))),
    Field("mean_s", readers.duration(0.000_1, 600.0), required=True),
    Field("sigma", number(0.01, 3.0)),
    Field("spread", readers.share),
    Field("slow_share", readers.share),
    Field("slow_factor", number(1.0, 1000.0)),
)


def _service_time(findings: Findings, node: Node, path: str) -> Any:
    """A mapping, or a bare duration: constant."""
    if isinstance(node, Scalar) and readers.duration_s(node.value) is not None:
        mean = readers.duration(0.000_1, 600.0)(findings, node, path)
        return BAD if isinstance(mean, Bad) else ServiceTime(mean_s=mean)
    return _TIME.read(findings, node, path)


_RATE_FIELDS: Final = (
    Field("resume", readers.rate),
    Field(
        "window_s",
        readers.optional(readers.duration(limits.RATE_WINDOW_S_MIN, limits.RATE_WINDOW_S_MAX)),
    ),
    Field("stay_s", readers.optional(readers.duration(0.0, limits.RATE_STAY_S_MAX))),
)


def _check_targets(findings: Findings, node: Mapping, path: str, spec: Targets) -> bool:
    per_s = capacities.of_spec(spec.capacity).per_s
    return check_rates(findings, node, path, [] if per_s is None else [per_s], spec)


_LINK = Shape(
    Link,
    Field("between", _pair, required=True),
    Field("cost", readers.integer(1, limits.COST_MAX)),
    Field("rtt_s", readers.duration(0.0, 10.0)),
)
_SERVICE = Shape(
    Service,
    Field("name", readers.name, required=True),
    Field("protocol", readers.word("http", "tcp")),
    Field("policy", _policy_name),
    Field("weights", weights.read),
    Field("queue", readers.optional(readers.integer(0, limits.QUEUE_MAX))),
    Field("queue_wait_s", readers.duration(0.0, limits.QUEUE_WAIT_S_MAX)),
)
_TARGETS = Shape(
    Targets,
    Field("site", readers.name, required=True),
    Field("service", readers.name),
    Field("count", readers.integer(0, bounds.TARGETS_MAX)),
    Field("slots", readers.optional(readers.integer(1, limits.CAPACITY_MAX))),
    Field("capacity", readers.capacity),
    *_RATE_FIELDS,
    Field("service_time", _service_time, required=True),
    check=_check_targets,
)
_SITE_POLICY = Shape(
    SitePolicy,
    Field("site", readers.name, required=True),
    Field("service", readers.name),
    Field("site_capacity", readers.site_capacity, required=True),
    *_RATE_FIELDS,
    Field("spill", readers.word("excess", "all")),
    check=check_cap,
)
_ARRIVALS = Shape(
    Arrivals,
    Field("site", readers.name, required=True),
    Field("service", readers.name),
    Field("kind", readers.word(*get_args(ArrivalKind)), required=True),
    Field("rate", _rate),
    Field("to_rate", _rate),
    Field("peak", _rate),
    Field("peak_from_s", _moment),
    Field("peak_until_s", _moment),
    Field("clients", readers.integer(1, bounds.CLIENTS_MAX)),
    Field("think_s", readers.duration(0.0, 3600.0)),
    Field("file", readers.matching(r"[^\x00-\x1f]+\Z", "a file name")),
    Field("speed", number(0.001, 1000.0)),
    Field("from_s", _moment),
    Field("until_s", _moment),
    Field("connections", readers.word("keep-alive", "new")),
)
_EVENT = Shape(
    Happening,
    Field("at_s", _moment, required=True),
    Field("do", readers.word(*get_args(Action)), required=True),
    Field("site", readers.name),
    Field("service", readers.name),
    Field("count", readers.integer(1, bounds.TARGETS_MAX)),
    Field("policy", _policy_name),
    Field("weights", weights.read),
    Field("between", _pair),
    Field("cost", readers.integer(1, limits.COST_MAX)),
    Field("capacity", readers.capacity),
    Field("service_time", _service_time),
)


def _list(shape: Shape, most: int, what: str) -> Reader:
    return readers.many(shape.read, most, what)


class _Spec(msgspec.Struct, frozen=True, kw_only=True):
    """`Scenario` without its name."""

    seed: int = 1
    duration_s: float
    sites: tuple[str, ...]
    links: tuple[Link, ...] = ()
    services: tuple[Service, ...]
    targets: tuple[Targets, ...] = ()
    policies: tuple[SitePolicy, ...] = ()
    arrivals: tuple[Arrivals, ...]
    events: tuple[Happening, ...] = ()


_SPEC = Shape(
    _Spec,
    Field("seed", readers.integer(0, 999_999_999)),
    Field("duration_s", readers.duration(0.1, bounds.DURATION_S_MAX), required=True),
    Field("sites", readers.many(readers.name, bounds.SITES_MAX, "sites"), required=True),
    Field("links", _list(_LINK, bounds.LISTS_MAX, "links")),
    Field("services", _list(_SERVICE, bounds.SERVICES_MAX, "services"), required=True),
    Field("targets", _list(_TARGETS, bounds.LISTS_MAX, "groups of targets")),
    Field("policies", _list(_SITE_POLICY, bounds.LISTS_MAX, "policies")),
    Field("arrivals", _list(_ARRIVALS, bounds.LISTS_MAX, "arrivals"), required=True),
    Field("events", _list(_EVENT, bounds.LISTS_MAX, "events")),
)


def read(
    text: str, source: str, open_log: Callable[[str], str]
) -> tuple[Scenario | None, list[ConfigError], list[str]]:
    """The scenario in ``text``, or everything wrong with it; and notes on the logs it replays.

    ``open_log`` gives the text of a log by the name that stands in the scenario, or raises
    `OSError` or `UnicodeDecodeError`.
    """
    findings = Findings(source)
    notes: list[str] = []
    nodes = parse(text, findings)
    scenario = None
    if not findings.errors:
        if len(nodes) != 1:
            findings.add_at(
                1, 1, "", f"expected one Scenario, got {len(nodes)} documents", "", "SW0726"
            )
        else:
            scenario = _document(findings, nodes[0], open_log, notes)
    for error in findings.errors:
        if error.code == "SW0101":
            error.code = "SW0720"
    errors = sorted(findings.errors, key=lambda error: (error.line, error.column))
    return (None if errors else scenario), errors, notes


def _document(
    findings: Findings, node: Node, open_log: Callable[[str], str], notes: list[str]
) -> Scenario | None:
    if not isinstance(node, Mapping):
        reason = f"expected a document with {', '.join(_FIELDS)}, got {readers.shown(node)}"
        findings.add(node, "", reason, "", "SW0726")
        return None
    for key, _ in node.entries:
        if key.value not in _FIELDS:
            hint = readers.nearest(key.value, _FIELDS)
            findings.add(key, "$", f"unknown field {key.value[:40]!r}", hint)
    for field, wanted in (("apiVersion", API_VERSION), ("kind", "Scenario")):
        value = node.get(field)
        if not isinstance(value, Scalar) or value.value != wanted:
            got = "nothing" if value is None else readers.shown(value)
            findings.add(
                value or node, f"$.{field}", f"expected {field}: {wanted}, got {got}", "", "SW0726"
            )
            return None
    for field in ("name", "spec"):
        if node.get(field) is None:
            findings.add(node, f"$.{field}", f"field {field!r} is missing")
    name_node, spec_node = node.get("name"), node.get("spec")
    if name_node is None or spec_node is None:
        return None
    name = readers.name(findings, name_node, "$.name")
    spec = _SPEC.read(findings, spec_node, "$.spec")
    if isinstance(name, Bad) or isinstance(spec, Bad) or findings.errors:
        return None
    assert isinstance(spec_node, Mapping), "the shape takes no other"
    judge = _Judge(findings, spec_node, spec, open_log, notes)
    return judge.scenario(name)


class _Judge:
    """Rules across fields, once each is right by itself."""

    __slots__ = ("_findings", "_node", "_notes", "_open_log", "_services", "_sites", "_spec")

    def __init__(
        self,
        findings: Findings,
        node: Mapping,
        spec: _Spec,
        open_log: Callable[[str], str],
        notes: list[str],
    ) -> None:
        self._findings, self._node, self._spec = findings, node, spec
        self._open_log, self._notes = open_log, notes
        self._sites = set(spec.sites)
        self._services = {service.name for service in spec.services}

    def scenario(self, name: str) -> Scenario:
        """The spec made whole; what is wrong is noted."""
        spec = self._spec
        self._nonempty()
        for field in ("links", "targets", "policies", "arrivals", "events"):
            for index, one in enumerate(getattr(spec, field)):
                self._names(field, index, one)
        for index, service in enumerate(spec.services):
            self._weights("services", index, service)
        targets = tuple(self._target(i, one) for i, one in enumerate(spec.targets))
        arrivals = tuple(self._arrival(i, one) for i, one in enumerate(spec.arrivals))
        for index, event in enumerate(spec.events):
            self._event(index, event)
        scenario = Scenario(
            name=name,
            seed=spec.seed,
            duration_s=spec.duration_s,
            sites=spec.sites,
            links=spec.links,
            services=spec.services,
            targets=targets,
            policies=tuple(self._with_service(one) for one in spec.policies),
            arrivals=arrivals,
            events=tuple(
                sorted((self._with_service(one) for one in spec.events), key=lambda one: one.at_s)
            ),
        )
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
        """Sites and services that are named exist."""
        site = getattr(one, "site", "")
        if site and site not in self._sites:
            hint = readers.nearest(site, self._sites)
            self._bad(field, index, "site", f"no site {site!r} in sites", hint, "SW0721")
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

    def _weights(self, field: str, index: int, one: Service | Happening) -> None:
        if one.policy == "split" and not any(one.weights.values()):
            self._bad(
                field, index, "weights", "policy split needs weights", "weights: {a: 1, b: 1}"
            )
        for name in one.weights:
            if name not in self._sites:
                hint = readers.nearest(name, self._sites)
                self._bad(field, index, "weights", f"no site {name!r} in sites", hint, "SW0721")

    def _with_service(self, one: Any) -> Any:
        if one.service or not self._spec.services:
            return one
        return msgspec.structs.replace(one, service=self._spec.services[0].name)

    def _target(self, index: int, one: Targets) -> Targets:
        slots = one.slots
        if slots is None:
            slots = capacities.of_spec(one.capacity).slots
            if slots is None:
                self._bad(
                    "targets",
                    index,
                    "",
                    "field 'slots' is missing: how many requests does such a target really work on "
                    "at once?",
                    "Write slots: 10; more wait in it",
                )
        whole: Targets = msgspec.structs.replace(self._with_service(one), slots=slots)
        return whole

    def _arrival(self, index: int, one: Arrivals) -> Arrivals:
        whole: Arrivals = self._with_service(one)
        place = self._place("arrivals", index)
        for key in _NEEDS[one.kind]:
            if isinstance(place, Mapping) and place.get(key) is None:
                self._bad("arrivals", index, "", f"kind {one.kind} needs {key}")
                return whole
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
            return self._replayed(index, whole)
        return whole

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

    def _event(self, index: int, one: Happening) -> None:
        place = self._place("events", index)
        needed = _EVENT_NEEDS.get(one.do, ("site",))
        for key in needed:
            if isinstance(place, Mapping) and place.get(key) is None:
                self._bad("events", index, "", f"{one.do} needs {key}")
        if one.at_s > self._spec.duration_s:
            self._bad("events", index, "at", "it is after the end of the scenario")
        if one.do == "set-policy":
            self._weights("events", index, one)
        if one.do == "set-cost" and not any(
            set(link.between) == set(one.between) for link in self._spec.links
        ):
            self._bad("events", index, "between", "there is no such link", "", "SW0721")
        if (
            not one.service
            and len(self._services) > 1
            and one.do not in ("kill-router", "start-router", "set-cost")
        ):
            self._bad("events", index, "", "field 'service' is missing: there are several")
        if one.do in ("add-targets", "stop-targets", "start-targets", "remove-targets") and not any(
            group.site == one.site for group in self._spec.targets
        ):
            self._bad(
                "events", index, "site", f"no targets at {one.site!r}", "Add a group with count: 0"
            )

    def _size(self, scenario: Scenario) -> None:
        """It ends, and soon enough for who waits."""
        quickest = min((one.service_time.mean_s for one in scenario.targets), default=0.001)
        total = 0.0
        for index, one in enumerate(scenario.arrivals):
            total += draws.expected(one, scenario.duration_s, quickest)
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
        """Whoever has clients has somebody who could serve them."""
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
