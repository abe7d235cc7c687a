"""Label and field selectors, as queries and objects have them."""

import re
from collections.abc import Callable
from typing import Any, Final

from tests.kubernetes.failures import bad_request
from tests.kubernetes.resources import Json, Resource

Matches = Callable[[Json], bool]
_Test = Callable[[dict[str, str]], bool]

_SETS: Final = re.compile(r"^\s*(\S+)\s+(in|notin)\s*\(([^)]*)\)\s*$")
_EQUALS: Final = re.compile(r"^\s*([^\s!=]+)\s*(==|=|!=)\s*([^\s=!]*)\s*$")
_EXISTS: Final = re.compile(r"^\s*(!?)\s*([A-Za-z0-9][-A-Za-z0-9_./]*)\s*$")

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "Pod": ("spec.nodeName", "spec.restartPolicy", "status.phase", "status.podIP"),
    "Secret": ("type",),
    "Namespace": ("status.phase",),
    "Node": ("spec.unschedulable",),
    "ReplicaSet": ("status.replicas",),
    "Job": ("status.successful",),
    "Service": ("spec.clusterIP", "spec.type"),
    "Event": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
}
"""Fields that may be selected by, beyond metadata.name and metadata.namespace."""


def everything(_found: Json) -> bool:
    """The selector that leaves nothing out."""
    return True


def of_query(resource: Resource, labels: str, fields: str) -> Matches:
    """``labelSelector`` and ``fieldSelector`` of a request. 400 for what cannot be read."""
    tests = [_requirement(part) for part in _parts(labels)]
    wants = [_field(resource, part) for part in _parts(fields)]
    if not tests and not wants:
        return everything

    def matches(found: Json) -> bool:
        held = found.get("metadata", {}).get("labels") or {}
        return all(test(held) for test in tests) and all(
            (value_at(found, path) == value) == equal for path, equal, value in wants
        )

    return matches


def of_object(selector: Json | None) -> Callable[[dict[str, str]], bool]:
    """``matchLabels`` and ``matchExpressions``. None selects nothing, empty everything."""
    if selector is None:
        return lambda _labels: False
    equal: dict[str, str] = selector.get("matchLabels") or {}
    tests = [_expression(each) for each in selector.get("matchExpressions") or []]
    return lambda labels: (
        all(labels.get(key) == value for key, value in equal.items())
        and all(test(labels) for test in tests)
    )


def of_labels(wanted: dict[str, str] | None) -> Callable[[dict[str, str]], bool]:
    """The plain map of a Service; None or empty selects nothing."""
    if not wanted:
        return lambda _labels: False
    return lambda labels: all(labels.get(key) == value for key, value in wanted.items())


def value_at(found: Json, path: str) -> str:
    """The text at a dotted path; empty when there is none."""
    value: Any = found
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _parts(text: str) -> list[str]:
    """Cut at the commas outside of parentheses."""
    return [part for part in re.split(r",(?![^(]*\))", text) if part.strip()] if text else []


def _requirement(part: str) -> _Test:
    if found := _SETS.match(part):
        key, operator, words = found.groups()
        values = {word.strip() for word in words.split(",")}
        if operator == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _EQUALS.match(part):
        key, operator, value = found.groups()
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _EXISTS.match(part):
        absent, key = found.groups()
        return lambda labels: (key in labels) != bool(absent)
    raise bad_request(f'unable to parse requirement: found "{part}"')


def _field(resource: Resource, part: str) -> tuple[str, bool, str]:
    found = _EQUALS.match(part)
    if found is None:
        raise bad_request(f"invalid field selector: {part!r}; can't understand {part!r}")
    path, operator, value = found.groups()
    if path not in ("metadata.name", "metadata.namespace", *FIELDS.get(resource.kind, ())):
        raise bad_request(
            f'Unable to find "{resource.api_version}, Resource={resource.plural}" that match '
            f'label selector "", field selector "{part}": field label not supported: {path}'
        )
    return path, operator != "!=", value


def _expression(found: Json) -> _Test:
    key, values = found["key"], set(found.get("values") or [])
    match found["operator"]:
        case "In":
            return lambda labels: labels.get(key) in values
        case "NotIn":
            return lambda labels: labels.get(key) not in values
        case "Exists":
            return lambda labels: key in labels
        case _:
            return lambda labels: key not in labels
