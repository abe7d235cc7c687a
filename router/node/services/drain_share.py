"""Services of which this site takes only a share of its capacity: they are drained. Pure."""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from router.model.capacity import Rate, SiteCap
from router.model.events import Note
from router.node.services.planned import PlannedService, Taker

DRAINED = "it takes nothing new: its service is drained"  # Other sites show it, too: not "here".


class DrainShare(msgspec.Struct, frozen=True):
    """The ``share`` of a service's capacity that this site takes, and this router's number of
    ``slots`` of it; None: no number is configured. ``way_back``: the commands that make it take
    all.

    ``taker``: the owner of the capacity, the whole site unless its other routers have separate
    documents.
    """

    share: float
    slots: int | None
    way_back: str = ""
    taker: Taker = "this site"

    def of(self, service: PlannedService) -> PlannedService:
        """``service`` with that share of its capacity.

        At a share of 0 its targets are out of use, so that other sites go elsewhere at once.
        Without a connector there is nothing to take, and no drain is to blame. Each rate is divided
        separately. Without a configured capacity a share has no effect: see `notes`.
        """
        share, cap, targets = self.share, service.cap or SiteCap(), service.targets
        if share >= 1 or not service.has_connector:
            return service
        service = replace(service, way_back=self.way_back, taker=self.taker)
        if not share:
            targets = {
                address: replace(target, unusable=target.unusable or DRAINED)
                for address, target in targets.items()
            }
            return replace(service, targets=targets, takes=share)
        targets = {
            address: replace(target, rate=_part_of(target.rate, share))
            for address, target in targets.items()
        }
        slots = cap.slots if self.slots is None else self.slots
        cap = replace(cap, slots=slots, rate=_part_of(cap.rate, share))
        is_capped = cap.slots is not None or cap.rate is not None
        return replace(service, targets=targets, takes=share, cap=cap if is_capped else None)


def part_note(service: PlannedService) -> str:
    """The note of `why` on this site; empty: it takes all, or nothing, which its row says
    anyway."""
    if not 0 < service.takes < 1 or _is_unstated(service):
        return ""
    return f"it is drained to {service.takes * 100:g}% of its capacity"


def notes(services: Iterable[PlannedService]) -> list[Note]:
    """One note for each service that is drained here, so that it is not forgotten."""
    found: dict[str, Note] = {}
    for service in services:
        if service.takes >= 1:
            continue
        name, share = service.key.name, f"{service.takes * 100:g}%"
        text = f"Service {name}: {service.taker} takes {share} of its capacity."
        if not service.takes:
            text = f"Service {name}: {service.taker} takes nothing new of it."
        elif _is_unstated(service):
            text += " Its targets state none, so all is taken."
        found[name] = Note(
            severity="info",
            code="SW0353",
            message=text,
            hint=f"To take all of it: {service.way_back}",
        )
    return list(found.values())


def _is_unstated(service: PlannedService) -> bool:
    return service.cap is None and not any(one.rate for one in service.targets.values())


def _part_of(rate: Rate | None, share: float) -> Rate | None:
    if rate is None:
        return None
    return replace(rate, per_s=rate.per_s * share, resume_per_s=rate.resume_per_s * share)
