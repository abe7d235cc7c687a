"""Structural schemas of custom resources: fields that are dropped, and values that are refused.

The schemas are those of the CRDs that the projects publish, as facts: fields, types, bounds. Kinds
without one here take any field.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from tests.kubernetes import skupper2_schemas
from tests.kubernetes.failures import Cause, duplicate, required, unsupported, wrong
from tests.kubernetes.resources import Json, Resource

_TYPES: Final = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "array": list,
    "object": dict,
}
_STRING: Final[Json] = {"type": "string"}
_STRINGS: Final[Json] = {"type": "object", "additionalProperties": _STRING}
_CONDITIONS: Final[Json] = {
    "type": "array",
    "x-kubernetes-list-map-keys": ["type"],
    "items": {
        "type": "object",
        "required": ["lastTransitionTime", "message", "reason", "status", "type"],
        "properties": {
            "lastTransitionTime": _STRING,
            "message": {"type": "string", "maxLength": 32_768},
            "observedGeneration": {"type": "integer", "minimum": 0},
            "reason": {
                "type": "string",
                "minLength": 1,
                "maxLength": 1_024,
                "pattern": r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
            },
            "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "type": {"type": "string", "maxLength": 316},
        },
    },
}
_EXPORT: Final[Json] = {
    "spec": {
        "type": "object",
        "properties": {"exportedAnnotations": _STRINGS, "exportedLabels": _STRINGS},
    },
    "status": {"type": "object", "properties": {"conditions": _CONDITIONS}},
}
_PORT: Final[Json] = {
    "type": "object",
    "required": ["port"],
    "properties": {
        "appProtocol": _STRING,
        "name": _STRING,
        "port": {"type": "integer"},
        "protocol": _STRING,
    },
}
_CLUSTERS: Final[Json] = {
    "type": "array",
    "x-kubernetes-list-map-keys": ["cluster"],
    "items": {"type": "object", "required": ["cluster"], "properties": {"cluster": _STRING}},
}
_TIMEOUT: Final[Json] = {"type": "object", "properties": {"timeoutSeconds": {"type": "integer"}}}
_FIRST_FIELDS: Final[Json] = {
    "ips": {"type": "array", "maxItems": 2, "items": _STRING},
    "ports": {"type": "array", "items": _PORT},
    "sessionAffinity": _STRING,
    "sessionAffinityConfig": {"type": "object", "properties": {"clientIP": _TIMEOUT}},
    "type": {"type": "string", "enum": ["ClusterSetIP", "Headless"]},
}
"""Of ServiceImports since mcs-api 0.1."""
_LATER_FIELDS: Final[Json] = {
    "internalTrafficPolicy": _STRING,
    "ipFamilies": {"type": "array", "maxItems": 2, "items": _STRING},
    "trafficDistribution": _STRING,
}
"""Since 0.4, which also has conditions."""


def _import(fields: Json, status: Json) -> Json:
    spec = {"type": "object", "required": ["ports", "type"], "properties": fields}
    return {"spec": spec, "status": {"type": "object", "properties": status}}


_GROUP: Final = "multicluster.x-k8s.io"
SCHEMAS: Final[dict[tuple[str, str, str], Json]] = {
    (_GROUP, "v1beta1", "ServiceExport"): _EXPORT,
    (_GROUP, "v1beta1", "ServiceImport"): _import(
        {**_FIRST_FIELDS, **_LATER_FIELDS}, {"clusters": _CLUSTERS, "conditions": _CONDITIONS}
    ),
    # As mcs-api 0.2 and 0.3 serve it; 0.4 has the later fields in this version, too.
    (_GROUP, "v1alpha1", "ServiceExport"): _EXPORT,
    (_GROUP, "v1alpha1", "ServiceImport"): _import(_FIRST_FIELDS, {"clusters": _CLUSTERS}),
    **{
        ("skupper.io", "v2alpha1", kind): fields
        for kind, fields in skupper2_schemas.schemas(_CONDITIONS).items()
    },
}


COLUMNS: Final[dict[str, list[Json]]] = {
    "ServiceImport": [
        {"name": "Type", "type": "string", "jsonPath": ".spec.type"},
        {"name": "IP", "type": "string", "jsonPath": ".spec.ips"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
}
"""Columns that `kubectl get` prints besides the name; the age, if none are given."""


def of(resource: Resource) -> Json:
    """The fields of a kind as its CustomResourceDefinition states them; empty: no schema."""
    found: Json = _stated(_fields(resource))
    return found


def pruned(resource: Resource, found: Json) -> Json:
    """``found`` without the fields that its schema does not know."""
    return {
        key: _pruned(schema, found[key]) if (schema := _fields(resource).get(key)) else found[key]
        for key in found
        if not _fields(resource) or key in ("apiVersion", "kind", "metadata", *_fields(resource))
    }


def causes(resource: Resource, found: Json) -> list[Cause]:
    """What of ``found`` its schema refuses."""
    return [
        cause
        for key, schema in _fields(resource).items()
        if key in found
        for cause in _causes(schema, found[key], key)
    ]


def _fields(resource: Resource) -> Json:
    return SCHEMAS.get((resource.group, resource.version, resource.kind), {})


def _stated(value: Any) -> Any:
    """A list with keys says that it is a map of them."""
    if isinstance(value, list):
        return [_stated(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: _stated(each) for key, each in value.items()}
    if "x-kubernetes-list-map-keys" in found:
        found["x-kubernetes-list-type"] = "map"
    return found


def _pruned(schema: Json, value: Any) -> Any:
    if isinstance(value, dict) and "properties" in schema:
        known = schema["properties"]
        return {key: _pruned(known[key], each) for key, each in value.items() if key in known}
    if isinstance(value, list) and "items" in schema:
        return [_pruned(schema["items"], each) for each in value]
    return value


def _causes(schema: Json, value: Any, path: str) -> Iterator[Cause]:
    expected = schema["type"]
    if not isinstance(value, _TYPES[expected]) or (expected == "integer" and value is True):
        yield wrong(path, value, f'{path} in body must be of type {expected}: "{value}"')
        return
    if isinstance(value, dict):
        yield from _of_object(schema, value, path)
    elif isinstance(value, list):
        yield from _of_array(schema, value, path)
    elif isinstance(value, str):
        yield from _of_string(schema, value, path)
    elif value < schema.get("minimum", value):
        yield wrong(path, value, f"{path} in body should be greater than or equal to 0")


def _of_object(schema: Json, value: Json, path: str) -> Iterator[Cause]:
    for key in schema.get("required", ()):
        if key not in value:
            yield required(f"{path}.{key}")
    choices = schema.get("oneOf", ())
    if choices and sum(all(key in value for key in one["required"]) for one in choices) != 1:
        yield wrong(path, "", f'"{path}" must validate one and only one schema (oneOf)')
    known = schema.get("properties", {})
    for key, each in value.items():
        inner = known.get(key) or schema.get("additionalProperties")
        if inner:
            yield from _causes(inner, each, f"{path}.{key}")


def _of_array(schema: Json, value: list[Any], path: str) -> Iterator[Cause]:
    if len(value) > schema.get("maxItems", len(value)):
        most = schema["maxItems"]
        message = f"Too many: {len(value)}: must have at most {most} items"
        yield Cause(path, "FieldValueTooMany", message)
    seen: set[tuple[Any, ...]] = set()
    keys = schema.get("x-kubernetes-list-map-keys", ())
    for number, each in enumerate(value):
        place = f"{path}[{number}]"
        yield from _causes(schema["items"], each, place)
        if keys and isinstance(each, dict):
            key = tuple(each.get(name) for name in keys)
            if key in seen:
                yield duplicate(place, dict(zip(keys, key, strict=True)))
            seen.add(key)


def _of_string(schema: Json, value: str, path: str) -> Iterator[Cause]:
    if "enum" in schema and value not in schema["enum"]:
        yield unsupported(path, value, *schema["enum"])
    if len(value) > schema.get("maxLength", len(value)):
        text = f"Too long: may not be more than {schema['maxLength']} bytes"
        yield Cause(path, "FieldValueTooLong", text)
    if len(value) < schema.get("minLength", 0):
        yield wrong(path, value, f"{path} in body should be at least 1 chars long")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield wrong(path, value, f"{path} in body should match '{schema['pattern']}'")
