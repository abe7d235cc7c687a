"""Objects as the API returns them, snapshots of a namespace, and names of objects in findings."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

Object = Mapping[str, Any]
"""One object, JSON as the API returns it: ``apiVersion kind metadata spec …``."""

NO_OBJECTS: Final[Mapping[str, Object]] = {}
REPLICA_FAILURE: Final = "ReplicaFailure"
"""The condition of a Deployment whose next pod the API server does not take."""


class OtherNamespace(msgspec.Struct, frozen=True):
    """The known state of a namespace other than the site's.

    ``objects``: by kind, then by name; only listed kinds.
    ``refused``: the server's answer, by kind that may not be read.
    ``is_left_out``: it is not followed, since connectors name too many namespaces.
    """

    objects: Mapping[str, Mapping[str, Object]]
    refused: Mapping[str, str] = {}
    is_left_out: bool = False


NO_NAMESPACES: Final[Mapping[str, OtherNamespace]] = {}


class Snapshot(msgspec.Struct, frozen=True):
    """The known state of one namespace. ``objects``: by kind, then by name; never modified.

    ConfigMaps and Secrets are included only if they concern a site, and a `Pod` only has the parts
    for `targets`. ``missing``: kinds that could not be listed (no permission, no such kind).
    ``others``: by name, namespaces that connectors of this one name, if they answered.
    """

    namespace: str
    objects: Mapping[str, Mapping[str, Object]]
    missing: frozenset[str] = frozenset()
    others: Mapping[str, OtherNamespace] = NO_NAMESPACES

    def of(self, kind: str) -> Mapping[str, Object]:
        """All of one kind, by name."""
        return self.objects.get(kind, NO_OBJECTS)

    def get(self, kind: str, name: str) -> Object | None:
        """One object; None: there is none."""
        return self.of(kind).get(name)

    def at(self, source: str) -> Object | None:
        """The object that a finding names; None: there is none.

        ``KIND/NAME[KEY]``, or ``KIND/NAMESPACE/NAME`` of another namespace.
        """
        kind, _, name = source.partition("[")[0].partition("/")
        elsewhere, slash, there = name.partition("/")
        if not slash:
            return self.get(kind, name)
        other = self.others.get(elsewhere)
        return None if other is None else other.objects.get(kind, NO_OBJECTS).get(there)


def name_of(found: Object) -> str:
    """The object's name; empty: none yet."""
    name = metadata(found).get("name", "")
    return name if isinstance(name, str) else ""


def metadata(found: Object) -> Mapping[str, Any]:
    """The object's metadata; empty if it is missing."""
    return section(found, "metadata")


def spec_of(found: Object) -> Mapping[str, Any]:
    """The object's spec; empty if it is missing."""
    return section(found, "spec")


def section(found: Object | None, name: str) -> Mapping[str, Any]:
    """``spec``, ``data``, ``status`` or another part of an object; empty: there is none."""
    held = None if found is None else found.get(name)
    return held if isinstance(held, dict) else {}


def labels(found: Object) -> Mapping[str, str]:
    """The object's labels."""
    return _texts(metadata(found).get("labels"))


def annotations(found: Object) -> Mapping[str, str]:
    """The object's annotations."""
    return _texts(metadata(found).get("annotations"))


def shown(found: Object) -> str:
    """``Deployment/shop``: how findings and events name an object."""
    return f"{found.get('kind', '?')}/{name_of(found)}"


def uid_of(found: Object | None) -> str:
    """The object's UID; empty: unknown, or there is no object."""
    uid = metadata(found or {}).get("uid", "")
    return uid if isinstance(uid, str) else ""


def version_of(found: Object) -> str:
    """The object's resource version; empty: unknown."""
    version = metadata(found).get("resourceVersion", "")
    return version if isinstance(version, str) else ""


def reference(found: Object) -> dict[str, str]:
    """The owner reference to the object.

    It blocks no deletion: that would require another permission.
    """
    return {
        "apiVersion": str(found.get("apiVersion", "v1")),
        "kind": str(found.get("kind", "")),
        "name": name_of(found),
        "uid": uid_of(found),
    }


def part(found: object, *path: str) -> Any:
    """The value at ``path`` in ``found``; None if a part of the path is missing."""
    for key in path:
        if not isinstance(found, dict):
            return None
        found = found.get(key)
    return found


def pod_refusal(deployment: Object) -> tuple[str, str] | None:
    """Why the cluster makes no further pod of it, and since when; None: it refuses none."""
    for one in part(deployment, "status", "conditions") or []:
        if one.get("type") == REPLICA_FAILURE and one.get("status") == "True":
            told = str(one.get("message") or one.get("reason"))
            return told, str(one.get("lastTransitionTime") or "")
    return None


def is_going(found: Object) -> bool:
    """Whether the object is being deleted: it counts as gone."""
    return metadata(found).get("deletionTimestamp") is not None


def created_at(found: Object) -> str:
    """Creation time (RFC 3339, UTC, so that later sorts after); empty: unknown."""
    stamp = metadata(found).get("creationTimestamp")
    return stamp if isinstance(stamp, str) else ""


def seconds_of(stamp: str) -> float | None:
    """Unix seconds of an RFC 3339 time with its zone; None: it is none."""
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment.timestamp()


def stamp_of(moment: datetime, timespec: str = "seconds") -> str:
    """``moment``, which is in UTC, in RFC 3339 form."""
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def stamp_now() -> str:
    """The current time, to the second."""
    return stamp_of(datetime.now(UTC))


def _texts(found: object) -> Mapping[str, str]:
    if not isinstance(found, dict):
        return {}
    if all(isinstance(key, str) and isinstance(value, str) for key, value in found.items()):
        return found
    return {k: v for k, v in found.items() if isinstance(k, str) and isinstance(v, str)}
