"""Who manages which field: ``managedFields`` and server-side apply with its conflicts.

A path is a tuple of the API's own steps (``f:spec``, ``k:{"name":"x"}``, ``v:"a"``), a set of
fields is a frozenset of paths of leaves and of items of keyed lists.
"""

import json
from collections.abc import Callable
from typing import Any, Final

import msgspec

from tests.kubernetes import schemas
from tests.kubernetes.failures import Failure
from tests.kubernetes.resources import Json

Path = tuple[str, ...]
Fields = frozenset[Path]

_SELF: Final = "."
_UNMANAGED: Final = ("apiVersion", "kind")
_UNMANAGED_METADATA: Final = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
)


class Manager(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote, and how."""

    name: str
    operation: str  # Apply or Update
    subresource: str = ""
    api_version: str = ""


Managed = dict[Manager, tuple[Fields, str]]
"""Fields and the time of the last change, by manager."""


def fields_of(found: Json, schema: Json | None) -> Fields:
    """All paths of an object that can be managed."""
    metadata = found.get("metadata") or {}
    kept = {key: value for key, value in metadata.items() if key not in _UNMANAGED_METADATA}
    managed = {key: value for key, value in found.items() if key not in _UNMANAGED}
    managed["metadata"] = kept
    if not kept:
        del managed["metadata"]
    paths: set[Path] = set()
    _collect(managed, schema, (), paths)
    return frozenset(paths)


def _collect(value: Any, schema: Json | None, at: Path, paths: set[Path]) -> None:
    schema = schemas.resolved(schema)
    if isinstance(value, dict) and value and schema.get("x-kubernetes-map-type") != "atomic":
        for key, each in value.items():
            _collect(each, schemas.field(schema, key), (*at, f"f:{key}"), paths)
        return
    if isinstance(value, list) and value:
        kind = schema.get("x-kubernetes-list-type", "atomic")
        if kind == "set":
            paths.update((*at, step_of(each, schema)) for each in value)
            return
        if kind == "map":
            for each in value:
                item = (*at, step_of(each, schema))
                paths.add(item)
                _collect(each, schemas.items(schema), item, paths)
            return
    if at:
        paths.add(at)


def step_of(item: Any, schema: Json) -> str:
    """The step of a path that names an item of a keyed list or of a set."""
    if schema.get("x-kubernetes-list-type") == "set":
        return f"v:{json.dumps(item, separators=(',', ':'))}"
    inner = schemas.items(schema) or {}
    keys = {}
    for key in schema.get("x-kubernetes-list-map-keys", ["name"]):
        default = "TCP" if key == "protocol" else schemas.resolved(inner).get("default", {})
        if key in item or key == "protocol":
            keys[key] = item.get(key, default)
    return f"k:{json.dumps(keys, sort_keys=True, separators=(',', ':'))}"


def value_at(found: Any, path: Path, schema: Json | None) -> Any:
    """The value at a path; ``MISSING`` when there is none."""
    for step in path:
        schema = schemas.resolved(schema)
        if step.startswith("f:"):
            key = step[2:]
            if not isinstance(found, dict) or key not in found:
                return MISSING
            found, schema = found[key], schemas.field(schema, key)
        else:
            if not isinstance(found, list):
                return MISSING
            items = [each for each in found if step_of(each, schema) == step]
            if not items:
                return MISSING
            found, schema = items[0], schemas.items(schema)
    return found


MISSING: Final = object()


def read(metadata: Json) -> Managed:
    """The managers that an object's metadata names."""
    found: Managed = {}
    for entry in metadata.get("managedFields") or []:
        if entry:
            manager = Manager(
                name=entry.get("manager", ""),
                operation=entry.get("operation", "Update"),
                subresource=entry.get("subresource", ""),
                api_version=entry.get("apiVersion", ""),
            )
            found[manager] = (_decode(entry.get("fieldsV1") or {}), entry.get("time", ""))
    return found


def written(managed: Managed) -> list[Json]:
    """``managedFields`` as objects carry them."""
    entries = []
    for manager, (fields, time) in managed.items():
        entry: Json = {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": manager.api_version,
            "time": time,
            "fieldsType": "FieldsV1",
            "fieldsV1": _encode(fields),
        }
        if manager.subresource:
            entry["subresource"] = manager.subresource
        entries.append(entry)
    return entries


def _encode(fields: Fields) -> Json:
    root: Json = {}
    paths = sorted(fields)
    for path, after in zip(paths, [*paths[1:], ()], strict=True):
        node = root
        for step in path:
            node = node.setdefault(step, {})
        if after[: len(path)] == path:  # Its inner paths come next.
            node[_SELF] = {}
    return root


def _decode(root: Json, at: Path = ()) -> Fields:
    found: set[Path] = set()
    for step, inner in root.items():
        if step == _SELF:
            found.add(at)
        elif inner:
            found |= _decode(inner, (*at, step))
        else:
            found.add((*at, step))
    return frozenset(path for path in found if path)


def updated(
    before: Json | None, after: Json, schema: Json | None, manager: Manager, now: str
) -> list[Json]:
    """``managedFields`` after an update: the manager owns its changes; removed fields have no
    owner.
    """
    if before is not None and after["metadata"].get("managedFields") == [{}]:
        return []  # The way to reset it.
    base = after if after["metadata"].get("managedFields") else before
    managed = read(base["metadata"]) if base is not None else {}
    present = fields_of(after, schema)
    old = fields_of(before, schema) if before is not None else frozenset()
    changed = frozenset(
        path
        for path in present
        if path not in old or value_at(before, path, schema) != value_at(after, path, schema)
    )
    found: Managed = {}
    for other, (fields, time) in managed.items():
        kept = (fields - changed if other != manager else fields) & _with_parents(present, fields)
        if kept:
            found[other] = (kept, time)
    if changed:
        own = found.get(manager, (frozenset(), now))[0]
        if changed - own or manager not in found:
            found[manager] = (own | changed, now)
    return written(found)


def _with_parents(present: Fields, fields: Fields) -> Fields:
    """Those of ``fields`` that are present or a parent of a present one."""
    prefixes = {path[:length] for path in present for length in range(1, len(path) + 1)}
    return frozenset(path for path in fields if path in prefixes)


class Applied(msgspec.Struct, frozen=True):
    """What a server-side apply makes: the object, and its managers."""

    found: Json
    managed: list[Json]


def apply(
    live: Json | None,
    wanted: Json,
    schema: Json | None,
    manager: Manager,
    now: str,
    *,
    force: bool,
) -> Applied:
    """Merge ``wanted`` into ``live``. 409 when another manager has other values and not forced.

    Fields that the manager applied before and left out now are removed, unless another manager owns
    them too.
    """
    new = fields_of(wanted, schema)
    if live is None:
        return Applied(wanted, written({manager: (new, now)}))
    managed = read(live["metadata"])
    old = managed.get(manager, (frozenset(), now))[0]

    def differs(path: Path) -> bool:
        return bool(value_at(live, path, schema) != value_at(wanted, path, schema))

    conflicts = _conflicts(managed, manager, new, differs)
    if conflicts and not force:
        raise _conflict(conflicts)
    taken = {path for _other, path in conflicts}
    others: Managed = {}
    for other, (fields, time) in managed.items():
        if other != manager and (kept := fields - taken):
            others[other] = (kept, time)
    found = _merge(live, wanted, schema)
    elsewhere = frozenset(path for fields, _time in others.values() for path in fields)
    for path in sorted(old - new - elsewhere, key=len):  # An item goes as a whole.
        if not any(known[: len(path)] == path for known in elsewhere | new):
            found = _removed(found, path, schema)
    is_same = old == new and found == live
    time = managed[manager][1] if is_same and manager in managed else now
    return Applied(found, written({**others, manager: (new, time)}))


def _conflicts(
    managed: Managed, manager: Manager, new: Fields, differs: Callable[[Path], bool]
) -> list[tuple[Manager, Path]]:
    return [
        (other, path)
        for other, (fields, _time) in managed.items()
        if other != manager
        for path in sorted(fields & new)
        if not path[-1].startswith("k:") and differs(path)
    ]


def _conflict(conflicts: list[tuple[Manager, Path]]) -> Failure:
    by_manager: dict[Manager, list[str]] = {}
    for manager, path in conflicts:
        by_manager.setdefault(manager, []).append(shown(path))
    texts, causes = [], []
    for manager, paths in by_manager.items():
        who = f'"{manager.name}"'
        if manager.subresource:
            who += f' with subresource "{manager.subresource}"'
        if manager.operation == "Update":
            who += f" using {manager.api_version}"
        lines = "".join(f"\n- {path}" for path in paths)
        texts.append(f"conflict with {who}: {paths[0]}" if len(paths) == 1 else who + lines)
        causes += [
            {
                "reason": "FieldManagerConflict",
                "message": f"conflict with {who}",
                "field": path,
            }
            for path in paths
        ]
    count = len(conflicts)
    plural = "conflict" if count == 1 else "conflicts"
    text = f"Apply failed with {count} {plural}: " + "\n".join(texts)
    return Failure(409, "Conflict", text, details={"causes": causes})


def shown(path: Path) -> str:
    """As messages show it: ``.spec.ports[port=80,protocol="TCP"].name``."""
    text = ""
    for step in path:
        if step.startswith("f:"):
            text += f".{step[2:]}"
        elif step.startswith("v:"):
            text += f"[={step[2:]}]"
        else:
            pairs = json.loads(step[2:]).items()
            text += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in pairs) + "]"
    return text


def _merge(live: Any, wanted: Any, schema: Json | None) -> Any:
    schema = schemas.resolved(schema)
    atomic = schema.get("x-kubernetes-map-type") == "atomic"
    if isinstance(wanted, dict) and isinstance(live, dict) and not atomic:
        found = dict(live)
        for key, value in wanted.items():
            inner = schemas.field(schema, key)
            found[key] = _merge(live[key], value, inner) if key in live else value
        return found
    kind = schema.get("x-kubernetes-list-type", "atomic")
    if isinstance(wanted, list) and isinstance(live, list) and kind in ("set", "map"):
        held = {step_of(each, schema): each for each in live}
        inner = schemas.items(schema)
        for each in wanted:
            step = step_of(each, schema)
            held[step] = _merge(held[step], each, inner) if step in held else each
        return list(held.values())
    return wanted


def _removed(found: Any, path: Path, schema: Json | None) -> Any:
    schema = schemas.resolved(schema)
    step, further = path[0], path[1:]
    if isinstance(found, dict):
        key = step[2:]
        if key not in found:
            return found
        if not further:
            return {name: value for name, value in found.items() if name != key}
        inner = _removed(found[key], further, schemas.field(schema, key))
        if inner in ({}, []):
            return {name: value for name, value in found.items() if name != key}
        return {**found, key: inner}
    if isinstance(found, list):
        if not further:
            return [each for each in found if step_of(each, schema) != step]
        inner_schema = schemas.items(schema)
        return [
            _removed(each, further, inner_schema) if step_of(each, schema) == step else each
            for each in found
        ]
    return found
