"""The state of an address at Skupper before it moved, written and read. Pure.

The `MigrationRecord` in ConfigMap ``spillway-migration`` is the only memory: from it the namespace
can be shown, and restored, as it was.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from router.kubernetes.objects import names
from router.kubernetes.objects.objects import (
    Object,
    Snapshot,
    annotations,
    metadata,
    section,
    spec_of,
)

Direction = Literal["apply", "rollback"]
Release = Literal["v1", "v2"]
"""The release of Skupper."""
_KEPT: Final = ("labels", "annotations", "ownerReferences")


class MigrationRecord(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True
):
    """The state of an address at Skupper. ``documents``: ConfigMaps that we wrote.

    ``service``: the Service at Skupper, without fields that the API fills in.
    ``entry``: of v1, in ``skupper-services``, byte for byte.
    ``annotations``: of v1, those that made Skupper act, by ``KIND/NAME``.
    ``is_taken``: of v2, moved and not only declared, so Skupper's controller is kept away.
    """

    direction: Direction = "apply"
    entry: str | None = None
    annotations: dict[str, dict[str, str]] = {}
    service: dict[str, Any] | None = None
    documents: tuple[str, ...] = ()
    release: Release = "v1"
    is_taken: bool = False


def record_of(records: Object | None, address: str) -> MigrationRecord | None:
    """The record of an address; None: there is none, or it is unreadable."""
    text = entries_of(records).get(address)
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=MigrationRecord)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def moved(records: Object | None) -> dict[str, MigrationRecord]:
    """All readable records, by address."""
    found = {address: record_of(records, address) for address in sorted(entries_of(records))}
    return {address: record for address, record in found.items() if record is not None}


def before_migration(snapshot: Snapshot, records: Mapping[str, MigrationRecord]) -> Snapshot:
    """The namespace as it was: entries, annotations and Services from the records."""
    objects = {kind: dict(found) for kind, found in snapshot.objects.items()}
    maps = objects.setdefault("ConfigMap", {})
    for address, record in records.items():
        if record.entry is not None:
            entries = maps.get(names.SERVICES_CONFIGMAP, empty_map(names.SERVICES_CONFIGMAP))
            data = {**entries_of(entries), address: record.entry}
            maps[names.SERVICES_CONFIGMAP] = {**entries, "data": data}
        for place, noted in record.annotations.items():
            kind, _, name = place.partition("/")
            found = objects.get(kind, {}).get(name)
            if found is not None:
                objects[kind][name] = noted_with(found, {**noted, **annotations(found)})
        if record.service is not None:
            objects.setdefault("Service", {})[address] = record.service
    return Snapshot(snapshot.namespace, objects, snapshot.missing)


def noted_with(found: Object, notes: Mapping[str, str]) -> dict[str, Any]:
    """``found`` with these annotations and no others."""
    changed = dict(metadata(found))
    if notes or "annotations" in changed:
        changed["annotations"] = dict(notes)
    return {**found, "metadata": changed}


def bare(service: Object) -> dict[str, Any]:
    """The Service without fields that the API fills in, so that it can be created again."""
    head = {"name": metadata(service).get("name")}
    head |= {key: metadata(service)[key] for key in _KEPT if metadata(service).get(key)}
    return {"apiVersion": "v1", "kind": "Service", "metadata": head, "spec": spec_of(service)}


def entries_of(found: Object | None) -> Mapping[str, str]:
    """The entries of a ConfigMap."""
    return section(found, "data")


def empty_map(name: str) -> dict[str, Any]:
    """A ConfigMap of ours without entries."""
    ours = {**names.PART_OF, names.MANAGED_BY_LABEL: names.MANAGED_BY}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": ours},
        "data": {},
    }
