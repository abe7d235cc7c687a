"""Changes for the API, as values: computed from an object, valid for that object only.

Each change carries the version that it was computed from, so that the API refuses it (409) if
another writer was faster, and a repetition has no effect.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from router.kubernetes.objects.objects import Object, name_of, uid_of, version_of
from router.model.ids import ServiceKey

Listens = tuple[tuple[ServiceKey, int], ...]
"""Service ports and the inner ports where the routers must listen before the change is made."""


class Create(msgspec.Struct, frozen=True, kw_only=True):
    """Create an object that does not exist."""

    kind: str
    name: str
    body: Object
    needs: Listens = ()


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON merge patch (RFC 7386); ``body`` holds the resourceVersion it is valid for.

    ``is_urgent``: clients are affected until it is made, and a repetition is no fight.
    """

    kind: str
    name: str
    uid: str
    version: str
    body: Object
    needs: Listens = ()
    is_urgent: bool = False


class Delete(msgspec.Struct, frozen=True, kw_only=True):
    """Delete the object with this uid and version."""

    kind: str
    name: str
    uid: str
    version: str


Change = Create | Patch | Delete


def patch(found: Object, wanted: Object, needs: Listens = ()) -> Patch | None:
    """The patch that turns ``found`` into ``wanted``; None: they are equal."""
    body = difference(found, wanted)
    if not body:
        return None
    version = version_of(found)
    body["metadata"] = {**body.get("metadata", {}), "resourceVersion": version}
    return Patch(
        kind=str(found.get("kind", "")),
        name=name_of(found),
        uid=uid_of(found),
        version=version,
        body=body,
        needs=needs,
    )


def delete(found: Object) -> Delete:
    """Delete ``found``, but no object that replaced it."""
    return Delete(
        kind=str(found.get("kind", "")),
        name=name_of(found),
        uid=uid_of(found),
        version=version_of(found),
    )


def difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch from ``found`` to ``wanted``, empty if they are equal."""
    changed: dict[str, Any] = {key: None for key in found if key not in wanted}
    for key, value in wanted.items():
        old = found.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            inner = difference(old, value)
            if inner:
                changed[key] = inner
        elif key not in found or old != value:
            changed[key] = value
    return changed


def changed(found: Object | None, change: Change) -> Object | None:
    """The object after ``change``; None: it is gone."""
    if isinstance(change, Delete):
        return None
    if isinstance(change, Create):
        return {**change.body, "kind": change.kind}
    return merged(found or {}, change.body)


def merged(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``before`` with a JSON merge patch applied (RFC 7386, 2)."""
    after = dict(before)
    for key, value in changes.items():
        if value is None:
            after.pop(key, None)
        elif isinstance(value, Mapping):
            inner = after.get(key)
            after[key] = merged(inner if isinstance(inner, Mapping) else {}, value)
        else:
            after[key] = value
    return after
