"""The published schemas of Kubernetes' types: unknown fields, types, how lists merge, OpenAPI."""

import functools
import re
from importlib.resources import files
from typing import Any, Final

import msgspec

from tests.kubernetes.failures import bad_request
from tests.kubernetes.resources import Json, Resource

VERSION: Final = "1.32.0"
"""What the server says that it is; kubectl's own version follows it where it can."""
_DEFINITIONS: Final = f"kubernetes-json-schema/v{VERSION}-local/_definitions.json"
_GVK: Final = "x-kubernetes-group-version-kind"


@functools.cache
def definitions() -> dict[str, Json]:
    """All published definitions by name."""
    text = files("kubernetes_validate").joinpath(_DEFINITIONS).read_bytes()
    return dict(msgspec.json.decode(text)["$defs"])


@functools.cache
def _by_kind() -> dict[tuple[str, str, str], str]:
    found = {}
    for name, schema in definitions().items():
        kinds = schema.get(_GVK, [])
        if len(kinds) == 1:
            found[kinds[0]["group"], kinds[0]["version"], kinds[0]["kind"]] = name
    return found


def name_of(resource: Resource) -> str | None:
    """The definition's name; None: nothing is published for this kind."""
    return _by_kind().get((resource.group, resource.version, resource.kind))


def of(resource: Resource) -> Json | None:
    """The definition of a kind; None: any field passes."""
    name = name_of(resource)
    return definitions()[name] if name else None


def resolved(schema: Json | None) -> Json:
    """It with its reference followed."""
    if schema is None:
        return {}
    if "$ref" not in schema:
        return schema
    target = definitions()[schema["$ref"].rpartition("/")[2]]
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}


def field(schema: Json | None, key: str) -> Json | None:
    """The schema of a field or of a map's value; None: nothing is known."""
    found = resolved(schema)
    if key in found.get("properties", {}):
        return resolved(found["properties"][key])
    further = found.get("additionalProperties")
    return resolved(further) if isinstance(further, dict) else None


def items(schema: Json | None) -> Json | None:
    """The schema of a list's items."""
    found = resolved(schema).get("items")
    return resolved(found) if isinstance(found, dict) else None


class _Walk:
    """Judges one object; collects its unknown fields."""

    def __init__(self, kind: str, version: str) -> None:
        self.kind, self.version = kind, version
        self.unknown: list[str] = []

    def clean(self, value: Any, schema: Json, path: str, field: tuple[str, str]) -> Any:
        """The value without unknown fields and nulls. 400 for a wrong type.

        ``field`` is where Go reads it into: the struct, and the fields from the root.
        """
        struct = str(schema.get("$ref", "")).rpartition(".")[2]
        self._judge_text(value, struct)
        schema = resolved(schema)
        if "oneOf" in schema:
            return value
        self._judge(value, schema, field)
        if isinstance(value, dict):
            return self._clean_map(value, schema, path, (struct or field[0], field[1]))
        if isinstance(value, list) and "items" in schema:
            inner = schema["items"]
            return [
                self.clean(each, inner, f"{path}[{number}]", field)
                for number, each in enumerate(value)
            ]
        return value

    def _clean_map(self, value: Json, schema: Json, path: str, field: tuple[str, str]) -> Json:
        properties = schema.get("properties")
        further = schema.get("additionalProperties")
        cleaned = {}
        for key, each in value.items():
            at = f"{path}.{key}" if path else key
            if each is None:
                continue
            if properties is not None and key in properties:
                struct, fields = field
                inner = struct, f"{fields}.{key}" if fields else key
                cleaned[key] = self.clean(each, properties[key], at, inner)
            elif isinstance(further, dict):
                cleaned[key] = self.clean(each, further, at, field)
            elif properties is None or "x-kubernetes-preserve-unknown-fields" in schema:
                cleaned[key] = each
            else:
                self.unknown.append(at)
        return cleaned

    def _judge_text(self, value: Any, kind: str) -> None:
        """Judge texts that have a grammar, which Go reads strictly."""
        pattern = _GRAMMARS.get(kind)
        if pattern is None or not isinstance(value, str) or pattern.fullmatch(value):
            return
        why = {
            "Quantity": "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
            "Time": f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse',
            "MicroTime": f'parsing time "{value}" as "2006-01-02T15:04:05.000000Z07:00": '
            "cannot parse",
        }[kind]
        raise bad_request(
            f'{self.kind} in version "{self.version}" cannot be handled as a {self.kind}: {why}'
        )

    def _judge(self, value: Any, schema: Json, field: tuple[str, str]) -> None:
        allowed = schema.get("type")
        words = [allowed] if isinstance(allowed, str) else allowed or []
        wanted = [word for word in words if word != "null"]
        if not wanted or value is None or any(_is(value, word) for word in wanted):
            return
        raise bad_request(
            f'{self.kind} in version "{self.version}" cannot be handled as a {self.kind}: json: '
            f"cannot unmarshal {_go_type(value)} into Go struct field "
            f"{'.'.join(field)} of type {_GO[wanted[0]]}"
        )


_DAY_AND_TIME: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
_ZONE: Final = r"(Z|[+-]\d\d:\d\d)"
_GRAMMARS: Final = {
    "Time": re.compile(rf"{_DAY_AND_TIME}(\.\d+)?{_ZONE}"),
    "MicroTime": re.compile(rf"{_DAY_AND_TIME}\.\d{{6}}{_ZONE}"),  # Six digits, never fewer.
    "Quantity": re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?"),
}
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "object": (dict,),
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}
_GO: Final = {
    "string": "string",
    "object": "map[string]string",
    "array": "[]string",
    "boolean": "bool",
    "integer": "int32",
    "number": "float64",
}


def _is(value: Any, word: str) -> bool:
    if isinstance(value, bool):
        return word == "boolean"
    return isinstance(value, _TYPES[word])


def _go_type(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "array"
        case _:
            return "object"


def cleaned(resource: Resource, found: Json) -> tuple[Json, list[str]]:
    """The object as a typed server keeps it, and the paths of the fields that it dropped."""
    schema = of(resource)
    if schema is None:
        return found, []
    walk = _Walk(resource.kind, resource.version)
    return walk.clean(found, schema, "", (resource.kind, "")), walk.unknown


def openapi_v3(group: str, version: str, resources: tuple[Resource, ...]) -> Json:
    """The document of one group and version, as kubectl reads it to validate and to patch."""
    names: set[str] = set()
    pending = [name for each in resources if (name := name_of(each))]
    while pending:
        name = pending.pop()
        if name not in names:
            names.add(name)
            pending += _references(name)
    paths = {path_of(each): _operations(each) for each in resources}
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": f"v{VERSION}"},
        "paths": paths,
        "components": {"schemas": {name: _published(name) for name in sorted(names)}},
    }


def path_of(resource: Resource) -> str:
    """Where one object of the kind is, as OpenAPI writes it."""
    start = f"/apis/{resource.group}" if resource.group else "/api"
    place = "/namespaces/{namespace}" if resource.namespaced else ""
    return f"{start}/{resource.version}{place}/{resource.plural}/{{name}}"


def _operations(resource: Resource) -> Json:
    def query(*names: str) -> list[Json]:
        return [
            {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
            for name in names
        ]

    gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    names = ("dryRun", "fieldManager", "fieldValidation", "force")
    return {
        verb: {"x-kubernetes-action": verb, _GVK: gvk, "parameters": query(*names)}
        for verb in ("put", "patch")
    }


@functools.cache
def _references(name: str) -> tuple[str, ...]:
    text = msgspec.json.encode(definitions()[name]).decode()
    return tuple(re.findall(r'"\$ref":"#/\$defs/([^"]+)"', text))


@functools.cache
def _published(name: str) -> Json:
    return dict(_as_openapi(definitions()[name]))


def _as_openapi(value: Any) -> Any:
    """Without our source's nulls; a reference beside other words is in ``allOf``."""
    if isinstance(value, list):
        return [_as_openapi(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {
        key: _as_openapi(each) for key, each in value.items() if key not in ("type", "$ref", "enum")
    }
    words = value.get("type")
    if isinstance(words, dict):
        found["type"] = _as_openapi(words)  # A field whose name is "type".
    elif words is not None:
        kinds = [words] if isinstance(words, str) else words
        found["type"] = next(word for word in kinds if word != "null")
    reference = value.get("$ref")
    if isinstance(reference, str):
        place = f"#/components/schemas/{reference.rpartition('/')[2]}"
        return {**found, "allOf": [{"$ref": place}]} if found else {"$ref": place}
    if isinstance(reference, dict):
        found["$ref"] = _as_openapi(reference)
    if isinstance(value.get("enum"), dict):
        found["enum"] = _as_openapi(value["enum"])
    return found
