"""All steps of a migration at once, if every participant reacts as expected. Pure."""

from typing import Final

import msgspec

from router.kubernetes.migration.migration import next_step
from router.kubernetes.migration.record import Direction, bare, record_of
from router.kubernetes.migration.skupper1_objects import original
from router.kubernetes.migration.views import AddressView, MigrationStep
from router.kubernetes.objects import names
from router.kubernetes.objects.changes import Change, changed
from router.kubernetes.objects.objects import annotations, shown
from router.kubernetes.services import adoption

STEPS_MAX: Final = 40
"""Steps of one address: far more than any has."""


def planned_steps(view: AddressView, direction: Direction) -> tuple[MigrationStep, ...]:
    """All steps, if every participant reacts as expected."""
    found: list[MigrationStep] = []
    while (step := next_step(view, direction)) is not None:
        found.append(step)
        assert len(found) < STEPS_MAX, "steps lead on"
        if step.hint:
            break
        view = _after(view, step)
    return tuple(found)


def _after(view: AddressView, step: MigrationStep) -> AddressView:
    """The view after a step, if all others do their part."""
    for change in step.changes:
        view = _carried_out(view, change)
    service, address = view.service, view.address
    match step.waits_for:
        case "targets":
            return msgspec.structs.replace(view, is_serving=True)
        case "given-back" if service is not None:
            is_users = names.SKUPPER_ORIGINAL_SELECTOR in annotations(service)
            return msgspec.structs.replace(view, service=original(service) if is_users else None)
        case "led":
            led = service or bare({"metadata": {"name": address}, "spec": {}})
            inner = {port["port"]: port["port"] for port in adoption.ports(led)}
            return msgspec.structs.replace(
                view, service=adoption.adopt(led, inner, address, is_asked=True)
            )
        case "let-go" if service is not None:
            is_users = adoption.is_adopted(service)
            return msgspec.structs.replace(
                view, service=adoption.before(service) if is_users else None
            )
        case "taken-back":
            record = record_of(view.records, address)
            return msgspec.structs.replace(view, service=record.service if record else service)
        case "proxies":
            return msgspec.structs.replace(view, patience=view.patience | {"proxies"})
        case "given-back" | "let-go" | "":  # Without a Service, or nothing to wait for.
            return view


def _carried_out(view: AddressView, change: Change) -> AddressView:
    if change.kind == "Service" and change.name == view.address:  # It may be annotated, too.
        view = msgspec.structs.replace(view, service=changed(view.service, change))
    if change.name == names.MIGRATION_CONFIGMAP:
        return msgspec.structs.replace(view, records=changed(view.records, change))
    if change.name == names.SKUPPER_CONTROL and change.kind == "ConfigMap":
        return msgspec.structs.replace(view, control=changed(view.control, change))
    if change.name == names.SERVICES_CONFIGMAP and change.kind == "ConfigMap":
        return msgspec.structs.replace(view, entries=changed(view.entries, change))
    if change.kind == "ConfigMap":
        kept = {name: found for name, found in view.maps.items() if name != change.name}
        after = changed(view.maps.get(change.name), change)
        if after is not None:
            kept[change.name] = after
        return msgspec.structs.replace(view, maps=kept)
    place = f"{change.kind}/{change.name}"
    others = [changed(one, change) if shown(one) == place else one for one in view.annotated]
    kept_ones = tuple(one for one in others if one is not None)
    return msgspec.structs.replace(view, annotated=kept_ones)
