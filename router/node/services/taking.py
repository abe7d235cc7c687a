"""A site that takes only a share of its capacity of a service: its operator drains it. Pure."""

from collections.abc import Iterable
from math import floor

from msgspec.structs import replace

from router.model.capacity import Rate, SiteCap
from router.model.events import Note
from router.node.services.planned import PlannedService

DRAINED = "this site takes nothing new of the service: it was drained"


def taking(service: PlannedService, takes: float) -> PlannedService:
    """``service`` with the share ``takes`` of its capacity, below 1.

    Of nothing its targets are out of use, so that other sites go elsewhere at once. Slots are
    counted over all targets, at least one, so that few targets of one slot each are drained, too;
    rates each for itself. Where no capacity is stated a share of it is nothing: see `notes`.
    """
    if not takes:
        targets = {
            address: replace(target, unusable=target.unusable or DRAINED)
            for address, target in service.targets.items()
        }
        return replace(service, targets=targets, takes=takes)
    targets = {
        address: replace(target, rate=_part_of(target.rate, takes))
        for address, target in service.targets.items()
    }
    cap = service.cap if service.cap is not None else SiteCap()
    slots = _slots(service)
    if slots is not None:
        slots = max(1, floor(slots * takes))
    cap = replace(cap, slots=slots, rate=_part_of(cap.rate, takes))
    return replace(
        service,
        targets=targets,
        takes=takes,
        cap=None if cap.slots is None and cap.rate is None else cap,
    )


def notes(services: Iterable[PlannedService]) -> list[Note]:
    """That a service is drained here, so that it is not forgotten; one for each service."""
    found: dict[str, Note] = {}
    for service in services:
        if service.takes >= 1 or not service.has_connector:
            continue
        name, share = service.key.name, f"{service.takes * 100:g}%"
        text = f"Service {name}: this site takes {share} of its capacity."
        if not service.takes:
            text = f"Service {name}: this site takes nothing new of it."
        elif _is_unstated(service):
            text += " Its targets state none, so all is taken."
        found[name] = Note(
            severity="info",
            code="SW0353",
            message=text,
            hint=f"To take all of it: sitectl service drain {name} --to 100%, or for all services: "
            "sitectl site drain --to 100%",
        )
    return list(found.values())


def _slots(service: PlannedService) -> int | None:
    """Those of the cap, or of all targets if each states some."""
    each = [target.capacity for target in service.targets.values()]
    stated = [slots for slots in each if slots is not None]
    of_targets = sum(stated) if stated and len(stated) == len(each) else None
    of_site = service.cap.slots if service.cap is not None else None
    known = [slots for slots in (of_site, of_targets) if slots is not None]
    return min(known) if known else None


def _is_unstated(service: PlannedService) -> bool:
    rates = [target.rate for target in service.targets.values()]
    has_rate = any(rates) or (service.cap is not None and service.cap.rate is not None)
    return _slots(service) is None and not has_rate


def _part_of(rate: Rate | None, share: float) -> Rate | None:
    if rate is None:
        return None
    return replace(rate, per_s=rate.per_s * share, resume_per_s=rate.resume_per_s * share)
