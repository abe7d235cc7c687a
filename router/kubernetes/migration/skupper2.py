"""How a Service leaves Skupper v2, and comes back, while Skupper's router keeps running. Pure.

Skupper's objects stay as they are: a Service changes hands by one write. First, ConfigMap
``skupper`` names another controller, so that Skupper's drops every event of the namespace. Else the
next event of a Listener, or a restart, would make it write selector and ports again. Skupper's
router keeps its configuration, targets and connections. Then

- the Service gets our label and loses the Site as its owner, so that it outlives the Site. Its
  selector still leads to Skupper's router: ours listens first, then leads the Service here;
- the label by which Skupper watches the Services of Listeners stays. Without it the watch would
  report a deletion, and a controller that has not seen the ConfigMap yet would make it again.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from router.kubernetes.migration.record import (
    Direction,
    MigrationRecord,
    bare,
    empty_map,
    entries_of,
    moved,
)
from router.kubernetes.migration.views import AddressView, MigrationStep, is_ours
from router.kubernetes.migration.writing import documents_away
from router.kubernetes.objects import names
from router.kubernetes.objects.changes import Change, Create, delete, patch
from router.kubernetes.objects.objects import (
    Object,
    annotations,
    labels,
    metadata,
    name_of,
    spec_of,
    uid_of,
)
from router.kubernetes.services import adoption, owned_services
from router.kubernetes.skupper2.controller_choice import named_controller
from router.model import limits


def recorded(view: AddressView, was: MigrationRecord) -> MigrationRecord:
    """The record to write before any change.

    Until we take the Service, Skupper changes it with its Listeners, so its last state counts.
    """
    service = was.service
    found = view.service
    if not was.is_taken and found is not None and is_listeners(found) and not is_ours(found):
        service = bare(found)
    return msgspec.structs.replace(
        was,
        direction="apply",
        release="v2",
        service=service,
        documents=tuple(str(one["metadata"]["name"]) for one in view.wanted),
        is_taken=was.is_taken or (view.is_led and not view.only_declare),
    )


def taken(view: AddressView, record: MigrationRecord) -> Iterator[MigrationStep]:
    """Turn Skupper's controller away, then lead the Service to our router."""
    if not record.is_taken:
        return
    yield from _refused(view, "apply")
    if not is_frozen(view.control):
        text = f"keep Skupper's controller away: ConfigMap {names.SKUPPER_CONTROL} names "
        text += names.CONTROLLER_FROZEN
        yield MigrationStep(text=text, changes=(_freeze(view.control),))
    if view.service is not None and not is_ours(view.service):
        change = patch(view.service, _handed_over(view.service))
        assert change is not None, "the label is new"
        yield MigrationStep(text=f"hand Service {view.address} to our router", changes=(change,))


def returned(view: AddressView, record: MigrationRecord) -> Iterator[MigrationStep]:
    """Lead the Service to Skupper's router, remove our documents, bring back its controller."""
    if record.is_taken and record.service is not None:
        yield from _refused(view, "rollback")
        change = _service_back(view, record.service)
        if change is not None:
            text = f"lead Service {view.address} to Skupper's router again"
            yield MigrationStep(text=text, changes=(change,))
    away = documents_away(view, record)
    if away is not None and record.is_taken and "proxies" not in view.patience:
        yield MigrationStep(
            text="wait until clients on every node go there; our router listens meanwhile",
            waits_for="proxies",
            limit_s=limits.SKUPPER_PROXIES_S,
        )
    if away is not None:
        yield away
    others = (one for name, one in moved(view.records).items() if name != view.address)
    if record.is_taken and not any(one.is_taken for one in others):
        unfreeze = _unfreeze(view.control)
        if unfreeze is not None:
            text = f"let Skupper's controller work again: ConfigMap {names.SKUPPER_CONTROL}"
            yield MigrationStep(text=text, changes=(unfreeze,))


# ConfigMap skupper ------------------------------------------------------------------------------


def is_frozen(control: Object | None) -> bool:
    """Whether no controller of Skupper acts in the namespace: ConfigMap ``skupper`` names ours."""
    namespace = str(metadata(control).get("namespace", "")) if control is not None else ""
    named = named_controller(control, namespace)
    return named in (names.CONTROLLER_FROZEN, names.ROUTER)


def _freeze(control: Object | None) -> Change:
    wanted = {names.CONTROLLER_KEY: names.CONTROLLER_FROZEN}
    if control is None:
        body = empty_map(names.SKUPPER_CONTROL) | {"data": wanted}
        return Create(kind="ConfigMap", name=names.SKUPPER_CONTROL, body=body)
    before = entries_of(control).get(names.CONTROLLER_KEY, "")
    noted = {**annotations(control), names.CONTROLLER_BEFORE: before}
    whole = adoption.with_metadata(control, labels(control), noted)
    change = patch(control, {**whole, "data": {**entries_of(control), **wanted}})
    assert change is not None, "it names another"
    return change


def _unfreeze(control: Object | None) -> Change | None:
    """Restore the namespace's controller; None: we did not change it."""
    if control is None or not is_frozen(control):
        return None
    data = {k: v for k, v in entries_of(control).items() if k != names.CONTROLLER_KEY}
    noted = dict(annotations(control))
    before = noted.pop(names.CONTROLLER_BEFORE, None)
    if before is None:
        is_made = labels(control).get(names.MANAGED_BY_LABEL) == names.MANAGED_BY
        if not is_made:
            return None
        return patch(control, {**control, "data": data}) if data else delete(control)
    if before:
        data[names.CONTROLLER_KEY] = before
    return patch(control, {**adoption.with_metadata(control, labels(control), noted), "data": data})


# Services ---------------------------------------------------------------------------------------


def is_listeners(service: Object) -> bool:
    """Whether Skupper v2 made the Service, for the host of a Listener."""
    return names.SKUPPER_LISTENER in labels(service) and adoption.is_skuppers(service)


def _refused(view: AddressView, direction: Direction) -> Iterator[MigrationStep]:
    """The end, if another program made or claimed the Service meanwhile: it is theirs."""
    found = view.service
    if found is None or is_listeners(found) or (is_ours(found) and not _is_claimed(found)):
        return
    yield MigrationStep(
        text=f"Service {view.address} is neither ours nor Skupper's, and stays as it is",
        hint=f"Give it another name and delete this one (kubectl delete service {view.address}), "
        f"then: sitectl migrate --{direction} {view.address}",
    )


def _is_claimed(service: Object) -> bool:
    return owned_services.is_made(service) and owned_services.is_claimed(service)


def _handed_over(service: Object) -> Object:
    noted = {k: v for k, v in annotations(service).items() if k != names.SKUPPER_CONTROLLED}
    marked = {**labels(service), names.SERVICE_LABEL: str(metadata(service)["name"])}
    return _with_owners(adoption.with_metadata(service, marked, noted), ())


def _service_back(view: AddressView, was: Mapping[str, Any]) -> Change | None:
    owners = _living(was, view.site)
    if view.service is None:
        body = _with_owners({**was, "apiVersion": "v1", "kind": "Service"}, owners)
        return Create(kind="Service", name=view.address, body=body)
    found = view.service
    told = owned_services.made(found)
    ours = {**names.PART_OF, names.MANAGED_BY_LABEL: names.MANAGED_BY}
    ours[names.SERVICE_LABEL] = view.address
    marked = {
        key: value
        for key, value in labels(found).items()
        if ours.get(key) != value and key not in told.labels
    }
    noted = {
        key: value
        for key, value in annotations(found).items()
        if key != names.MADE and key not in told.annotations
    }
    whole = adoption.with_metadata(found, {**marked, **labels(was)}, {**noted, **annotations(was)})
    spec = {
        **spec_of(found),
        "selector": dict(adoption.selector(was)),
        "ports": list(spec_of(was).get("ports") or []),
    }
    return patch(found, _with_owners({**whole, "spec": spec}, owners))


def _living(was: Mapping[str, Any], site: Object | None) -> tuple[Mapping[str, Any], ...]:
    """The Service's former owners, with the current Site: orphans would be collected."""
    found = metadata(was).get("ownerReferences") or ()
    uid = uid_of(site)
    name = name_of(site or {})
    return tuple(
        {**one, "uid": uid, "name": name} if one.get("kind") == "Site" else one
        for one in found
        if one.get("kind") != "Site" or uid
    )


def _with_owners(service: Object, owners: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    changed = dict(metadata(service))
    changed.pop("ownerReferences", None)
    if owners:
        changed["ownerReferences"] = [dict(one) for one in owners]
    return {**service, "metadata": changed}
