"""The fields of a scenario's document: one row each, with its valid values."""

from math import isfinite
from typing import Any, Final, get_args

from router.documents import bursts, capacities, quantities, readers, weights
from router.documents.fields import Field, Shape
from router.documents.nodes import Findings, Mapping, Node, Scalar
from router.documents.rate_rules import check_cap, check_rates
from router.documents.readers import BAD, Bad, Reader
from router.documents.schema import SHAPES
from router.model import limits
from router.model.settings import Isolation
from router.model.specs import PolicyName
from simulator.scenarios import bounds
from simulator.scenarios.scenario import (
    Action,
    ArrivalKind,
    Arrivals,
    Link,
    RequestClass,
    Scenario,
    ScenarioBurst,
    ScenarioEvent,
    ScenarioService,
    ScenarioTargets,
    ServiceCall,
    ServiceTime,
    ServiceTimeKind,
    SitePolicy,
)


def number(least: float, most: float, unit: str = "") -> Reader:
    """A reader of a number from ``least`` to ``most``, with an optional ``unit`` behind it."""

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


_moment = quantities.DurationReader(0.0, bounds.DURATION_S_MAX)
_rate = number(0.0, bounds.RATE_PER_S_MAX, "/s")
_policy_name = readers.WordReader(*get_args(PolicyName))
_pair = readers.ListReader(readers.name, 2, "sites")
_TIME = Shape(
    ServiceTime,
    Field("kind", readers.WordReader(*get_args(ServiceTimeKind))),
    Field("mean_s", quantities.DurationReader(0.000_1, 600.0), required=True),
    Field("sigma", number(0.01, 3.0)),
    Field("spread", quantities.share),
    Field("slow_share", quantities.share),
    Field("slow_factor", number(1.0, 1000.0)),
)


def _service_time(findings: Findings, node: Node, path: str) -> Any:
    """A mapping, or a bare duration: constant."""
    if isinstance(node, Scalar) and quantities.duration_s(node.value) is not None:
        mean = quantities.DurationReader(0.000_1, 600.0)(findings, node, path)
        return BAD if isinstance(mean, Bad) else ServiceTime(mean_s=mean)
    return _TIME.read(findings, node, path)


_RATE_FIELDS: Final = (
    Field("resume", quantities.rate),
    Field(
        "window_s",
        readers.OptionalReader(
            quantities.DurationReader(limits.RATE_WINDOW_S_MIN, limits.RATE_WINDOW_S_MAX)
        ),
    ),
    Field("stay_s", readers.OptionalReader(quantities.DurationReader(0.0, limits.RATE_STAY_S_MAX))),
)


def _check_targets(findings: Findings, node: Mapping, path: str, spec: ScenarioTargets) -> bool:
    per_s = capacities.of_spec(spec.capacity).per_s
    return check_rates(findings, node, path, [] if per_s is None else [per_s], spec)


_LINK = Shape(
    Link,
    Field("between", _pair, required=True),
    Field("cost", quantities.IntegerReader(1, limits.COST_MAX)),
    Field("rtt_s", quantities.DurationReader(0.0, 10.0)),
)
_SERVICE_FIELDS: Final = SHAPES["Service"].fields
_CALL = Shape(
    ServiceCall,
    Field("service", readers.name, required=True),
    Field("count", quantities.IntegerReader(1, bounds.CALLS_MAX)),
    Field("parallel", readers.boolean),
)
_CLASS = Shape(
    RequestClass,
    Field("name", readers.name, required=True),
    Field("work", number(0.001, 1000.0)),
    Field(
        "calls",
        readers.table(
            quantities.IntegerReader(0, bounds.CALLS_MAX), bounds.SERVICES_MAX, "counts by service"
        ),
    ),
)
_SERVICE = Shape(
    ScenarioService,
    Field("name", readers.name, required=True),
    Field("protocol", readers.WordReader("http", "tcp")),
    Field("policy", _policy_name),
    Field("weights", weights.read),
    Field("spill_at", readers.OptionalReader(quantities.percent)),
    Field("queue", readers.OptionalReader(quantities.IntegerReader(0, limits.QUEUE_MAX))),
    Field("queue_wait_s", quantities.DurationReader(0.0, limits.QUEUE_WAIT_S_MAX)),
    Field("hold_s", quantities.DurationReader(0.0, limits.HOLD_S_MAX)),
    Field("isolation", readers.WordReader(*get_args(Isolation))),
    *(_SERVICE_FIELDS[key] for key in ("maxAge", "maxAgeJitter", "maxAgeGrace", "rebalance")),
    *(_SERVICE_FIELDS[key] for key in ("sheddable", "sheddableShare")),
    Field("calls", readers.ListReader(_CALL.read, bounds.SERVICES_MAX, "calls")),
    Field("answer_bytes", quantities.SizeReader(0, bounds.ANSWER_BYTES_MAX)),
)
_TARGETS = Shape(
    ScenarioTargets,
    Field("site", readers.name, required=True),
    Field("service", readers.name),
    Field("count", quantities.IntegerReader(0, bounds.TARGETS_MAX)),
    Field("slots", readers.OptionalReader(quantities.IntegerReader(1, limits.CAPACITY_MAX))),
    Field("capacity", quantities.capacity),
    *_RATE_FIELDS,
    Field("service_time", _service_time, required=True),
    Field("asleep", readers.boolean),
    check=_check_targets,
)
_SITE_POLICY = Shape(
    SitePolicy,
    Field("site", readers.name, required=True),
    Field("service", readers.name),
    Field("site_capacity", quantities.site_capacity, required=True),
    *_RATE_FIELDS,
    Field("spill", readers.WordReader("excess", "all")),
    check=check_cap,
)


def _check_burst(findings: Findings, node: Mapping, path: str, spec: ScenarioBurst) -> bool:
    return bursts.check_marks(findings, node, path, spec.saturated, spec.calm)


_BURST = Shape(
    ScenarioBurst,
    Field("site", readers.name, required=True),
    Field("service", readers.name),
    Field("wakes", readers.name, required=True),
    Field("wake_s", quantities.DurationReader(0.0, 3600.0), required=True),
    Field("starts", readers.WordReader("targets", "router")),
    Field("fails", quantities.IntegerReader(0, 100)),
    *(bursts.BURST.fields[key] for key in ("window", "saturated", "calm", "coolDown")),
    check=_check_burst,
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
    Field("clients", quantities.IntegerReader(1, bounds.CLIENTS_MAX)),
    Field("think_s", quantities.DurationReader(0.0, 3600.0)),
    Field("file", readers.matching(r"[^\x00-\x1f]+\Z", "a file name")),
    Field("speed", number(0.001, 1000.0)),
    Field("from_s", _moment),
    Field("until_s", _moment),
    Field("connections", readers.WordReader("keep-alive", "new")),
    Field("timeout_s", quantities.DurationReader(0.1, bounds.CLIENT_TIMEOUT_S_MAX)),
    Field("classes", weights.read),
)
_EVENT = Shape(
    ScenarioEvent,
    Field("at_s", _moment, required=True),
    Field("do", readers.WordReader(*get_args(Action)), required=True),
    Field("site", readers.name),
    Field("service", readers.name),
    Field("count", quantities.IntegerReader(1, bounds.TARGETS_MAX)),
    Field("policy", _policy_name),
    Field("weights", weights.read),
    Field("between", _pair),
    Field("cost", quantities.IntegerReader(1, limits.COST_MAX)),
    Field("capacity", quantities.capacity),
    Field("service_time", _service_time),
    Field("factor", number(0.001, 1000.0)),
    Field("share", quantities.percent),
)


def _list(shape: Shape, most: int, what: str) -> Reader:
    return readers.ListReader(shape.read, most, what)


SPEC: Final = Shape(
    Scenario,
    Field("seed", quantities.IntegerReader(0, 999_999_999)),
    Field("duration_s", quantities.DurationReader(0.1, bounds.DURATION_S_MAX), required=True),
    Field("sites", readers.ListReader(readers.name, bounds.SITES_MAX, "sites"), required=True),
    Field("links", _list(_LINK, bounds.LISTS_MAX, "links")),
    Field("services", _list(_SERVICE, bounds.SERVICES_MAX, "services"), required=True),
    Field("classes", _list(_CLASS, bounds.SERVICES_MAX, "classes")),
    Field("targets", _list(_TARGETS, bounds.LISTS_MAX, "groups of targets")),
    Field("policies", _list(_SITE_POLICY, bounds.LISTS_MAX, "policies")),
    Field("bursts", _list(_BURST, limits.BURSTS_MAX, "bursts")),
    Field("arrivals", _list(_ARRIVALS, bounds.LISTS_MAX, "arrivals"), required=True),
    Field("events", _list(_EVENT, bounds.LISTS_MAX, "events")),
)
