"""How an address leaves Skupper v1, and comes back. Pure.

Skupper's controller gives back (annotated Services) or deletes (generated ones) the Services of
addresses that it no longer has. Where it does not run or leaves a Service as it is, we do the same
as ``skupper unexpose``. A Service is never written while Skupper has its address.
"""

from collections.abc import Iterator
from typing import Final

from router.kubernetes.migration.record import MigrationRecord, bare, entries_of, noted_with
from router.kubernetes.migration.skupper1_objects import (
    SKUPPERS_NOTES,
    is_foreign,
    original,
    placeholder,
)
from router.kubernetes.migration.views import AddressView, MigrationStep, is_ours
from router.kubernetes.migration.writing import data_change, documents_away
from router.kubernetes.objects import names
from router.kubernetes.objects.changes import Change, Create, Patch, delete, patch
from router.kubernetes.objects.objects import (
    Object,
    Snapshot,
    annotations,
    metadata,
    shown,
    spec_of,
)
from router.kubernetes.services import adoption
from router.kubernetes.services.services import restore
from router.model import limits

_TAKEN_BACK: Final = "Skupper's controller leads Service {} to Skupper's router again"


def recorded(view: AddressView, was: MigrationRecord) -> MigrationRecord:
    """The record to write before any change; earlier notes stay."""
    noted = dict(was.annotations)
    for found in view.annotated:
        if names.PROXY in annotations(found):
            place = shown(found)
            noted[place] = {**_skuppers_notes(found), **noted.get(place, {})}
    entry = entries_of(view.entries).get(view.address)
    service = was.service
    if service is None and view.service is not None and adoption.is_skuppers(view.service):
        service = bare(view.service)
    return MigrationRecord(
        direction="apply",
        entry=was.entry if was.entry is not None else entry,
        annotations=noted,
        service=service,
        documents=tuple(str(one["metadata"]["name"]) for one in view.wanted),
    )


def taken(view: AddressView, record: MigrationRecord) -> Iterator[MigrationStep]:
    """Remove Skupper's annotations and entry, then give back the Service."""
    stripped = tuple(change for one in view.annotated if (change := _stripped(one)))
    if stripped:
        listed = ", ".join(f"{change.kind}/{change.name}" for change in stripped)
        yield MigrationStep(text=f"remove Skupper's annotations from {listed}", changes=stripped)
    if (step := _entry_away(view, record)) is not None:
        yield step
    if view.service is not None and adoption.is_skuppers(view.service):
        if view.controller_runs and "given-back" not in view.patience:
            yield MigrationStep(
                text=f"wait until Skupper's controller {_gives_back(view.service)}",
                waits_for="given-back",
                limit_s=_reacts_within_s(view, record),
            )
        yield _give_back(view, view.service)


def _entry_away(view: AddressView, record: MigrationRecord) -> MigrationStep | None:
    """Take the address from Skupper.

    An address that other Skupper sites declare would come back by their service sync: an entry of
    this site, without targets and Service, prevents that.
    """
    text = entries_of(view.entries).get(view.address)
    if text is None or view.entries is None:
        return None
    if is_foreign(text):
        held = placeholder(text)
        change = data_change(view.entries, {view.address: held})
        return MigrationStep(text="hold the address at Skupper, with no Service", changes=(change,))
    if text == placeholder(record.entry or "{}"):
        return None
    change = data_change(view.entries, {view.address: None})
    return MigrationStep(
        text=f"remove its entry from {names.SERVICES_CONFIGMAP}", changes=(change,)
    )


def _reacts_within_s(view: AddressView, record: MigrationRecord) -> float:
    """How long to wait for Skupper's controller.

    It leaves a Service without annotations to its command line (``skupper unexpose``), as in 1.9.
    """
    is_users = view.service is not None and (
        names.SKUPPER_ORIGINAL_SELECTOR in annotations(view.service)
    )
    if is_users and f"Service/{view.address}" not in record.annotations:
        return limits.SKUPPER_UNASKED_WITHIN_S
    return limits.SKUPPER_REACTS_WITHIN_S


def _give_back(view: AddressView, service: Object) -> MigrationStep:
    """Restore the Service as ``skupper unexpose`` does."""
    who = "left it" if view.controller_runs else "does not run"
    if names.SKUPPER_ORIGINAL_SELECTOR not in annotations(service):
        text = f"delete Service {view.address}, which Skupper made: its controller {who}"
        return MigrationStep(text=text, changes=(delete(service),))
    restored = patch(service, original(service))
    assert restored is not None
    text = f"give Service {view.address} back its selector: Skupper's controller {who}"
    return MigrationStep(text=text, changes=(restored,))


def _gives_back(service: Object) -> str:
    if names.SKUPPER_ORIGINAL_SELECTOR in annotations(service):
        return f"gives Service {metadata(service).get('name')} back"
    return f"deletes Service {metadata(service).get('name')}, which it made"


# Back -------------------------------------------------------------------------------------------


def returned(view: AddressView, record: MigrationRecord) -> Iterator[MigrationStep]:
    """Remove our documents, then put back Skupper's entry, annotations and Service."""
    if (step := documents_away(view, record)) is not None:
        yield step
    entry = entries_of(view.entries).get(view.address)
    is_back = not _unnoted(view, record) if record.entry is None else entry == record.entry
    if is_ours(view.service) and not is_back:
        if not view.router_runs:
            yield from _undo(view)
        elif "let-go" not in view.patience:
            text = f"wait until our router gives Service {view.address} back"
            yield MigrationStep(
                text=text, waits_for="let-go", limit_s=limits.SKUPPER_REACTS_WITHIN_S
            )
    if entry != record.entry and view.entries is not None:
        change = data_change(view.entries, {view.address: record.entry})
        where = names.SERVICES_CONFIGMAP
        text = f"put its entry back into {where}" if record.entry else f"clear its entry in {where}"
        yield MigrationStep(text=text, changes=(change,))
    if noted := _unnoted(view, record):
        listed = ", ".join(f"{change.kind}/{change.name}" for change in noted)
        yield MigrationStep(text=f"put Skupper's annotations back on {listed}", changes=noted)
    yield from _service_back(view, record)


def _undo(view: AddressView) -> Iterator[MigrationStep]:
    """Do what our router would do if it ran."""
    assert view.service is not None
    only = Snapshot("", {"Service": {view.address: view.service}})
    changes, _ = restore(only)
    if changes:
        text = f"give Service {view.address} back: our router does not run"
        yield MigrationStep(text=text, changes=changes)


def _unnoted(view: AddressView, record: MigrationRecord) -> tuple[Change, ...]:
    """Annotations to put back; those that were set meanwhile stay."""
    found: list[Change] = []
    for one in view.annotated:
        noted = record.annotations.get(shown(one), {})
        change = patch(one, noted_with(one, {**noted, **annotations(one)}))
        found += [change] if change else []
    return tuple(found)


def _service_back(view: AddressView, record: MigrationRecord) -> Iterator[MigrationStep]:
    """Bring back the Service as Skupper had it: by its controller, or from the record."""
    if record.service is None:
        return
    if view.controller_runs:
        is_back = view.service is not None and adoption.is_skuppers(view.service)
        if not is_back and "taken-back" not in view.patience:
            text = f"wait until {_TAKEN_BACK.format(view.address)}"
            yield MigrationStep(
                text=text, waits_for="taken-back", limit_s=limits.SKUPPER_REACTS_WITHIN_S
            )
        return
    if is_ours(view.service):
        text = f"wait until our router lets go of Service {view.address}"
        yield MigrationStep(text=text, waits_for="let-go")
    if view.service is None:
        body = {**record.service, "apiVersion": "v1", "kind": "Service"}
        text = f"make Service {view.address} again: Skupper's controller does not run"
        create = Create(kind="Service", name=view.address, body=body)
        yield MigrationStep(text=text, changes=(create,))
        return
    was = _skuppers_again(view.service, record.service)
    change = patch(view.service, was)
    if change is not None:
        text = f"lead Service {view.address} to Skupper again: its controller does not run"
        yield MigrationStep(text=text, changes=(change,))


def _skuppers_again(service: Object, was: Object) -> Object:
    noted = {k: v for k, v in annotations(was).items() if k in SKUPPERS_NOTES}
    spec = {
        **spec_of(service),
        "selector": dict(adoption.selector(was)),
        "ports": list(spec_of(was).get("ports") or []),
    }
    return noted_with(service, {**annotations(service), **noted}) | {"spec": spec}


def _stripped(found: Object) -> Patch | None:
    if names.PROXY not in annotations(found):
        return None
    taken = _skuppers_notes(found)
    return patch(
        found, noted_with(found, {k: v for k, v in annotations(found).items() if k not in taken})
    )


def _skuppers_notes(found: Object) -> dict[str, str]:
    """Annotations that configure Skupper's exposure of the object."""
    return {k: v for k, v in annotations(found).items() if k.startswith(names.SKUPPER_PREFIX)}
