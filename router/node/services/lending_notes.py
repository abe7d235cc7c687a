"""Notes on services whose reserve or share has no effect, since their slots have no number.
Pure."""

from collections.abc import Iterable

from router.documents.lent import NO_LIMIT
from router.model.events import Note
from router.node.services.planned import PlannedService


def notes(services: Iterable[PlannedService]) -> list[Note]:
    """One note for each such service that has targets here."""
    found: dict[str, Note] = {}
    for service in services:
        if service.lending == NO_LIMIT or not service.targets or _has_number(service):
            continue
        name, terms = service.key.name, service.lending
        stated = []
        if terms.reserve_for_own:
            stated.append(f"the reserve of {terms.reserve_for_own * 100:g}% for its own clients")
        if terms.max_share < 1:
            stated.append(f"the share of {terms.max_share * 100:g}% for one neighbor")
        found[name] = Note(
            severity="warning",
            code="SW0355",
            message=f"Service {name}: not all its targets here have configured or learned slots, "
            f"so {' and '.join(stated)} {'have' if stated[1:] else 'has'} no effect.",
            hint=f"Configure slots: sitectl service set {name} --capacity N, where N is how many "
            "requests each target takes at once",
        )
    return list(found.values())


def _has_number(service: PlannedService) -> bool:
    if service.cap is not None and service.cap.slots is not None:
        return True
    return all(one.capacity is not None or one.auto for one in service.targets.values())
