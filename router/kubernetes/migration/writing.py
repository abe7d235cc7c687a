"""Changes of ConfigMaps for both releases: records, documents, entries. Pure."""

from collections.abc import Mapping

import msgspec

from router.kubernetes.migration.record import MigrationRecord, empty_map, entries_of, moved
from router.kubernetes.migration.views import AddressView, MigrationStep
from router.kubernetes.objects import names
from router.kubernetes.objects.changes import Change, Create, delete, patch
from router.kubernetes.objects.objects import Object, annotations, labels, metadata
from router.kubernetes.services import adoption


def map_change(view: AddressView, wanted: Object) -> Change | None:
    """Write a ConfigMap of documents; a user's later changes are overwritten."""
    name = str(metadata(wanted)["name"])
    found = view.maps.get(name)
    if found is None:
        return Create(kind="ConfigMap", name=name, body=wanted)
    marked = {**labels(found), **labels(wanted)}
    whole = adoption.with_metadata(found, marked, {**annotations(found), **annotations(wanted)})
    return patch(found, {**whole, "data": wanted["data"]})


def documents_away(view: AddressView, record: MigrationRecord) -> MigrationStep | None:
    """Remove the documents of an address, except those that another moved address needs."""
    others = {name: one for name, one in moved(view.records).items() if name != view.address}
    needed = {name for one in others.values() for name in one.documents}
    gone = tuple(
        delete(view.maps[name])
        for name in record.documents
        if name in view.maps and name not in needed
    )
    if not gone:
        return None
    listed = ", ".join(change.name for change in gone)
    return MigrationStep(text=f"remove documents: ConfigMap {listed}", changes=gone)


def record_change(view: AddressView, record: MigrationRecord | None) -> Change:
    """Record the state of an address; None: delete its record."""
    text = None if record is None else msgspec.json.encode(record, order="sorted").decode()
    if view.records is None:
        body = empty_map(names.MIGRATION_CONFIGMAP) | {"data": {view.address: text}}
        return Create(kind="ConfigMap", name=names.MIGRATION_CONFIGMAP, body=body)
    if text is None and set(entries_of(view.records)) == {view.address}:
        return delete(view.records)
    return data_change(view.records, {view.address: text})


def data_change(found: Object, changed: Mapping[str, str | None]) -> Change:
    """``found`` with these entries; None removes one."""
    after = {**entries_of(found), **changed}
    kept = {key: text for key, text in after.items() if text is not None}
    change = patch(found, {**found, "data": kept})
    assert change is not None, "it differs"
    return change
