"""One address moved from Skupper, which runs in the same namespace, to us, and back. Pure.

`next_step` derives the next step from the current objects. The only memory is the `MigrationRecord`
in ConfigMap ``spillway-migration``, so an interrupted migration continues from the objects. Order
of apply: record, documents, targets ready here, the address away from Skupper, the Service led
here. Rollback is the reverse.

`skupper1` and `skupper2` define how an address leaves Skupper and comes back.
"""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

import msgspec

from router.kubernetes.migration import skupper1, skupper2
from router.kubernetes.migration.record import Direction, MigrationRecord, record_of
from router.kubernetes.migration.views import AddressView, MigrationStep, is_ours
from router.kubernetes.migration.writing import map_change, record_change
from router.kubernetes.services import adoption

_RECORDED: Final = MappingProxyType({"v1": skupper1.recorded, "v2": skupper2.recorded})
_TAKEN: Final = MappingProxyType({"v1": skupper1.taken, "v2": skupper2.taken})
_RETURNED: Final = MappingProxyType({"v1": skupper1.returned, "v2": skupper2.returned})


def next_step(view: AddressView, direction: Direction) -> MigrationStep | None:
    """The next step; None: nothing is left to do."""
    record = record_of(view.records, view.address)
    steps = _apply(view, record) if direction == "apply" else _rollback(view, record)
    return next(steps, None)


def _apply(view: AddressView, record: MigrationRecord | None) -> Iterator[MigrationStep]:
    noted = _RECORDED[view.release](view, record or MigrationRecord(release=view.release))
    if noted != record:
        yield MigrationStep(text="note what Skupper has", changes=(record_change(view, noted),))
        return
    written = tuple(change for one in view.wanted if (change := map_change(view, one)))
    if written:
        listed = ", ".join(change.name for change in written)
        yield MigrationStep(text=f"write documents: ConfigMap {listed}", changes=written)
    if not view.is_serving:
        yield MigrationStep(
            text="wait until its targets are ready at our router", waits_for="targets"
        )
    if view.only_declare:
        return
    yield from _TAKEN[view.release](view, noted)
    if view.is_led and not _is_led_here(view):
        yield MigrationStep(
            text=f"wait until Service {view.address} leads to our router", waits_for="led"
        )


def _is_led_here(view: AddressView) -> bool:
    """Whether the Service leads here; with v2 it is ours before that: our router listens first."""
    if not is_ours(view.service) or view.service is None:
        return False
    return view.release == "v1" or adoption.leads_to_routers(view.service)


def _rollback(view: AddressView, record: MigrationRecord | None) -> Iterator[MigrationStep]:
    if record is None:
        return
    if record.direction != "rollback":
        turned = msgspec.structs.replace(record, direction="rollback")
        yield MigrationStep(text="note that it goes back", changes=(record_change(view, turned),))
        return
    yield from _RETURNED[record.release](view, record)
    yield MigrationStep(text="forget what was noted", changes=(record_change(view, None),))
