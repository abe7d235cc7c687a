"""Patches of three kinds: JSON patch (RFC 6902), merge patch (RFC 7396), strategic merge patch."""

from typing import Any, Final

from tests.kubernetes import schemas
from tests.kubernetes.failures import Failure, bad_request
from tests.kubernetes.resources import Json

_DIRECTIVE, _REPLACE, _DELETE, _MERGE = "$patch", "replace", "delete", "merge"
_ORDER: Final = "$setElementOrder/"
_REMOVE: Final = "$deleteFromPrimitiveList/"
_RETAIN: Final = "$retainKeys"


def merged(target: Any, patch: Any) -> Any:
    """The merge patch applied."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found


def json_patched(target: Json, operations: list[Json]) -> Any:
    """The JSON patch applied. 422 for a test that fails or a path that is not there."""
    for each in operations:
        steps = _steps(each["path"])
        match each["op"]:
            case "add":
                target = _put(target, steps, each["value"], is_new=True)
            case "replace":
                _at(target, steps)
                target = _put(target, steps, each["value"], is_new=False)
            case "remove":
                target = _without(target, steps)
            case "test":
                if _at(target, steps) != each.get("value"):
                    raise _unprocessable(f"testing value {each['path']} failed: test failed")
            case "move":
                value = _at(target, _steps(each["from"]))
                target = _put(_without(target, _steps(each["from"])), steps, value, is_new=True)
            case "copy":
                target = _put(target, steps, _at(target, _steps(each["from"])), is_new=True)
            case other:
                raise bad_request(f"Unexpected kind: {other}")
    return target


def _unprocessable(_why: str) -> Failure:
    """As little as the real server says about it."""
    text = "the server rejected our request due to an error in our request"
    return Failure(422, "Invalid", text, details={})


def _steps(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise _unprocessable(f"invalid path {path!r}")
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def _at(target: Any, steps: list[str]) -> Any:
    for step in steps:
        if isinstance(target, dict) and step in target:
            target = target[step]
        elif isinstance(target, list) and step.isdigit() and int(step) < len(target):
            target = target[int(step)]
        else:
            raise _unprocessable(f"path /{'/'.join(steps)} does not exist: missing value")
    return target


def _put(target: Any, steps: list[str], value: Any, *, is_new: bool) -> Any:
    if not steps:
        return value
    step, further = steps[0], steps[1:]
    if isinstance(target, dict):
        inner = value if not further else _put(_at(target, [step]), further, value, is_new=is_new)
        return {**target, step: inner}
    if not isinstance(target, list):
        raise _unprocessable(f"cannot put into a value at {step}")
    found = list(target)
    index = len(found) if step == "-" else int(step)
    if index > len(found):
        raise _unprocessable(f"index {step} is out of bounds")
    if further:
        found[index] = _put(found[index], further, value, is_new=is_new)
    elif is_new:
        found.insert(index, value)
    else:
        found[index] = value
    return found


def _without(target: Any, steps: list[str]) -> Any:
    holder = _at(target, steps[:-1])
    _at(target, steps)
    if isinstance(holder, dict):
        left: Any = {key: value for key, value in holder.items() if key != steps[-1]}
    else:
        left = [value for index, value in enumerate(holder) if index != int(steps[-1])]
    return _put(target, steps[:-1], left, is_new=False)


def strategic(target: Json, patch: Json, schema: Json | None) -> Json:
    """The strategic merge patch applied: lists merge by the keys that ``schema`` states."""
    directive = patch.get(_DIRECTIVE)
    if directive == _REPLACE:
        return {key: value for key, value in patch.items() if key != _DIRECTIVE}
    if directive == _DELETE:
        return {}
    found = dict(target)
    if _RETAIN in patch:
        keep = set(patch[_RETAIN])
        found = {key: value for key, value in found.items() if key in keep}
    for key, value in patch.items():
        if key in (_DIRECTIVE, _RETAIN) or key.startswith(_ORDER):
            continue
        if key.startswith(_REMOVE):
            name = key.removeprefix(_REMOVE)
            found[name] = [each for each in found.get(name) or [] if each not in value]
        elif value is None:
            found.pop(key, None)
        else:
            inner = schemas.field(schema, key)
            found[key] = _strategic_value(found.get(key), value, inner)
    for key, order in patch.items():
        name = key.removeprefix(_ORDER)
        if key.startswith(_ORDER) and isinstance(found.get(name), list):
            found[name] = _ordered(found[name], order, _merge_key(schemas.field(schema, name)))
    return found


def _strategic_value(target: Any, value: Any, schema: Json | None) -> Any:
    if isinstance(value, dict):
        return strategic(target if isinstance(target, dict) else {}, value, schema)
    if not isinstance(value, list):
        return value
    strategy = str((schema or {}).get("x-kubernetes-patch-strategy", ""))
    if "merge" not in strategy.split(","):
        return _plain(value)
    held = target if isinstance(target, list) else []
    key = _merge_key(schema)
    if not key:
        return [*held, *(each for each in value if each not in held)]
    return _merged_list(held, value, key, schemas.items(schema))


def _merge_key(schema: Json | None) -> str:
    return str((schema or {}).get("x-kubernetes-patch-merge-key", ""))


def _plain(value: list[Any]) -> list[Any]:
    return [each for each in value if not (isinstance(each, dict) and _DIRECTIVE in each)]


def _merged_list(held: list[Json], patch: list[Json], key: str, schema: Json | None) -> list[Json]:
    if any(each.get(_DIRECTIVE) == _REPLACE for each in patch):
        return _plain(patch)
    found = list(held)
    for each in patch:
        if key not in each:
            raise bad_request(f"map: {each} does not contain declared merge key: {key}")
        places = [number for number, item in enumerate(found) if item.get(key) == each[key]]
        if each.get(_DIRECTIVE) == _DELETE:
            found = [item for item in found if item.get(key) != each[key]]
        elif places:
            found[places[0]] = strategic(found[places[0]], each, schema)
        else:
            found.append(strategic({}, each, schema))
    return found


def _ordered(found: list[Any], order: list[Any], key: str) -> list[Any]:
    """Those named in ``order`` in that order; each other one stays at its position."""
    named = [each[key] if key else each for each in order]

    def place(each: Any) -> int:
        value = each.get(key) if key else each
        return named.index(value) if value in named else -1

    known = sorted((each for each in found if place(each) >= 0), key=place)
    for number, each in enumerate(found):
        if place(each) < 0:
            known.insert(min(number, len(known)), each)
    return known
