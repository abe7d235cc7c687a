"""Targets whose name no longer resolves: their previous addresses are used."""

from collections.abc import Callable, Iterable
from itertools import islice

from router.model import limits
from router.model.addresses import split
from router.model.events import Note
from router.node.services.planned import PlannedService

SHOWN_MAX = 8


def notes(
    services: Iterable[PlannedService], unresolved_s: Callable[[str], float | None]
) -> list[Note]:
    """One note for each name. ``unresolved_s``: as in `Network`."""
    users: dict[str, list[str]] = {}
    for service in services:
        for target in service.targets:
            users.setdefault(split(target)[0], []).append(str(service.key))
    found = (
        (host, seconds, keys)
        for host, keys in sorted(users.items())
        if (seconds := unresolved_s(host)) is not None and seconds >= limits.UNRESOLVED_TOLD_S
    )
    return [
        Note(
            severity="warning",
            code="SW0354",
            message=f"Target {host} of {', '.join(dict.fromkeys(keys))}: its name has not been "
            f"resolved for {seconds:.0f} s; the addresses of before are used.",
            hint=f"See what the name server says: getent ahosts {host}",
        )
        for host, seconds, keys in islice(found, SHOWN_MAX)
    ]
