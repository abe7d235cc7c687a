"""Listeners that several services share, and the services that cannot share one. Pure."""

from collections.abc import Mapping

from router.model.events import Note
from router.model.ids import ServiceKey
from router.model.service_choice import ServiceChoice
from router.node.services.planned import PlannedService


def choices_of(planned: Mapping[ServiceKey, PlannedService]) -> dict[ServiceKey, ServiceChoice]:
    """The services that clients of a shared listener reach, by the service port that owns the
    listener.

    `notes` names the services that get no connection there.
    """
    found: dict[ServiceKey, ServiceChoice] = {}
    for key, one in planned.items():
        if one.shared is None or one.listen is None:
            continue
        by_name = _able(planned)
        names = [name for name in one.shared.services if name in by_name]
        if key.name in names:
            weights = [one.shared.weighted[name] for name in names] if one.shared.weighted else []
            found[key] = ServiceChoice(tuple(by_name[name] for name in names), tuple(weights))
    return found


def notes(planned: Mapping[ServiceKey, PlannedService]) -> list[Note]:
    """One note for each listener that some of its services cannot share."""
    found: list[Note] = []
    for key, one in planned.items():
        if one.shared is None or one.listen is None:
            continue
        by_name = _able(planned)
        unable = [name for name in one.shared.services if name not in by_name]
        if key.name in unable:
            reason = f"{key.name} is not tcp with one port, so no other service shares it"
        elif unable:
            reason = f"not tcp with one port, or declared by no site: {', '.join(sorted(unable))}"
        else:
            continue
        found.append(
            Note(
                severity="warning",
                code="SW0356",
                message=f"The listener of service {key.name}, which several services share: "
                f"{reason}.",
                hint="Declare each as tcp with one port: sitectl service set NAME --protocol tcp",
            )
        )
    return found


def _able(planned: Mapping[ServiceKey, PlannedService]) -> dict[str, ServiceKey]:
    """The services that can share a listener, each with its only port."""
    return {
        key.name: key
        for key, one in planned.items()
        if one.declaration.spec.protocol == "tcp" and len(one.declaration.spec.ports) == 1
    }
