"""A scenario from YAML, with the place of everything that is wrong.

Codes: SW0720 a field, SW0721 a name that is not there, SW0722 too long or too many requests, SW0723
a log, SW0724 fields that contradict, SW0725 sites without a way, SW0726 not a Scenario.
"""

from collections.abc import Callable
from math import isfinite
from typing import Any, Final, get_args

import msgspec

from router.documents import capacities, readers, weights
from router.documents.fields import Field, Shape
from router.documents.nodes import Findings, Mapping, Node, Scalar, parse
from router.documents.rate_rules import check_cap, check_rates
from router.documents.readers import BAD, Bad, Reader
from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import API_VERSION, PolicyName
from simulator import bounds
from simulator.judging import Judge
from simulator.scenario import (
    Action,
    ArrivalKind,
    Arrivals,
    Happening,
    Link,
    Scenario,
    ScenarioService,
    ScenarioTargets,
    ServiceTime,
    ServiceTimeKind,
    SitePolicy,
)

_FIELDS: Final = ("apiVersion", "kind", "name", "spec")


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


_moment = readers.DurationReader(0.0, bounds.DURATION_S_MAX)
_rate = number(0.0, bounds.RATE_PER_S_MAX, "/s")
_policy_name = readers.WordReader(*get_args(PolicyName))
_pair = readers.ListReader(readers.name, 2, "sites")
_TIME = Shape(
    ServiceTime,
    Field("kind", readers.WordReader(*get_args(ServiceTimeKind))),
    Field("mean_s", readers.DurationReader(0.000_1, 600.0), required=True),
    Field("sigma", number(0.01, 3.0)),
    Field("spread", readers.share),
    Field("slow_share", readers.share),
    Field("slow_factor", number(1.0, 1000.0)),
)


def _service_time(findings: Findings, node: Node, path: str) -> Any:
    """A mapping, or a bare duration: constant."""
    if isinstance(node, Scalar) and readers.duration_s(node.value) is not None:
        mean = readers.DurationReader(0.000_1, 600.0)(findings, node, path)
        return BAD if isinstance(mean, Bad) else ServiceTime(mean_s=mean)
    return _TIME.read(findings, node, path)


_RATE_FIELDS: Final = (
    Field("resume", readers.rate),
    Field(
        "window_s",
        readers.OptionalReader(
            readers.DurationReader(limits.RATE_WINDOW_S_MIN, limits.RATE_WINDOW_S_MAX)
        ),
    ),
    Field("stay_s", readers.OptionalReader(readers.DurationReader(0.0, limits.RATE_STAY_S_MAX))),
)


def _check_targets(findings: Findings, node: Mapping, path: str, spec: ScenarioTargets) -> bool:
    per_s = capacities.of_spec(spec.capacity).per_s
    return check_rates(findings, node, path, [] if per_s is None else [per_s], spec)


_LINK = Shape(
    Link,
    Field("between", _pair, required=True),
    Field("cost", readers.IntegerReader(1, limits.COST_MAX)),
    Field("rtt_s", readers.DurationReader(0.0, 10.0)),
)
_SERVICE = Shape(
    ScenarioService,
    Field("name", readers.name, required=True),
    Field("protocol", readers.WordReader("http", "tcp")),
    Field("policy", _policy_name),
    Field("weights", weights.read),
    Field("spill_at", readers.OptionalReader(readers.percent)),
    Field("queue", readers.OptionalReader(readers.IntegerReader(0, limits.QUEUE_MAX))),
    Field("queue_wait_s", readers.DurationReader(0.0, limits.QUEUE_WAIT_S_MAX)),
)
_TARGETS = Shape(
    ScenarioTargets,
    Field("site", readers.name, required=True),
    Field("service", readers.name),
    Field("count", readers.IntegerReader(0, bounds.TARGETS_MAX)),
    Field("slots", readers.OptionalReader(readers.IntegerReader(1, limits.CAPACITY_MAX))),
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
    Field("spill", readers.WordReader("excess", "all")),
    check=check_cap,
)
_ARRIVALS = Shape(
    Arrivals,
    Field("site", readers.name, required=True),
    Field("service", readers.name),
    Field("kind", readers.WordReader(*get_args(ArrivalKind)), required=True),
    Field("rate", _rate),
    Field("to_rate", _rate),
    Field("peak", _rate),
    Field("peak_from_s", _moment),
    Field("peak_until_s", _moment),
    Field("clients", readers.IntegerReader(1, bounds.CLIENTS_MAX)),
    Field("think_s", readers.DurationReader(0.0, 3600.0)),
    Field("file", readers.matching(r"[^\x00-\x1f]+\Z", "a file name")),
    Field("speed", number(0.001, 1000.0)),
    Field("from_s", _moment),
    Field("until_s", _moment),
    Field("connections", readers.WordReader("keep-alive", "new")),
)
_EVENT = Shape(
    Happening,
    Field("at_s", _moment, required=True),
    Field("do", readers.WordReader(*get_args(Action)), required=True),
    Field("site", readers.name),
    Field("service", readers.name),
    Field("count", readers.IntegerReader(1, bounds.TARGETS_MAX)),
    Field("policy", _policy_name),
    Field("weights", weights.read),
    Field("between", _pair),
    Field("cost", readers.IntegerReader(1, limits.COST_MAX)),
    Field("capacity", readers.capacity),
    Field("service_time", _service_time),
)


def _list(shape: Shape, most: int, what: str) -> Reader:
    return readers.ListReader(shape.read, most, what)


_SPEC = Shape(
    Scenario,
    Field("seed", readers.IntegerReader(0, 999_999_999)),
    Field("duration_s", readers.DurationReader(0.1, bounds.DURATION_S_MAX), required=True),
    Field("sites", readers.ListReader(readers.name, bounds.SITES_MAX, "sites"), required=True),
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
    spec = msgspec.structs.replace(spec, name=name)
    return Judge(findings, spec_node, spec, open_log, notes).scenario()
