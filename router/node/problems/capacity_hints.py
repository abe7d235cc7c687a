"""Notes on services that `fill` cannot fill, because no capacity is configured here. Pure."""

from collections.abc import Container, Iterable

from router.documents import Wanted
from router.model.events import Note
from router.model.specs import ConnectorSpec
from router.routing.table import RouteTable

SITES_SHOWN = 3


def capacity_hints(wanted: Wanted, table: RouteTable, ready: Container[str]) -> list[Note]:
    """One note for each service with policy `fill` that is served here and elsewhere, if a target
    here has no capacity: then this site is never full, whatever the others have. None while this
    site stops and takes nothing new.

    ``ready``: services with a ready target here.
    """
    own = table.sites.get(table.site)
    if own is not None and own.draining:
        return []
    connectors: dict[str, list[ConnectorSpec]] = {}
    for connector in wanted.connectors.values():
        connectors.setdefault(connector.service, []).append(connector)
    capped = {one.service for one in wanted.policies.values() if one.site_capacity is not None}
    elsewhere = _sites_elsewhere(table)
    return [
        _note(service, sorted(elsewhere[service]), some=any(map(_has_capacity, mine)))
        for service, mine in sorted(connectors.items())
        if service in elsewhere
        and service in ready
        and service not in capped
        and not all(map(_has_capacities, mine))
    ]


def _sites_elsewhere(table: RouteTable) -> dict[str, set[str]]:
    """Names of other sites with ready targets, by each service whose declaration says `fill`.

    A port that only another site's declaration has is served only there.
    """
    found: dict[str, set[str]] = {}
    for key, candidates in table.candidates.items():
        declared = table.declarations.get(key.name)
        if declared is None or declared.declaration.spec.policy.name != "fill":
            continue
        ports = declared.declaration.spec.ports
        if ports and key.port not in ports:
            continue
        names = {
            one.site_name
            for one in candidates
            if one.site != table.site and one.targets_ready and not one.unused
        }
        if names:
            found.setdefault(key.name, set()).update(names)
    return found


def _has_capacity(connector: ConnectorSpec) -> bool:
    return connector.capacity is not None or any(
        target.capacity is not None for target in connector.targets
    )


def _has_capacities(connector: ConnectorSpec) -> bool:
    """Each of its targets has a capacity."""
    targets = connector.targets
    of_targets = bool(targets) and all(one.capacity is not None for one in targets)
    return connector.capacity is not None or of_targets


def _note(service: str, sites: list[str], *, some: bool) -> Note:
    """``some``: at least one target has a capacity."""
    lacks = "a target without a configured capacity" if some else "no configured capacity"
    return Note(
        severity="info",
        code="SW0331",
        message=f"Service {service} has {lacks} here, so this site is never full: "
        f"requests spread over it and {_these(sites)} by load and path cost.",
        hint=f"To fill this site first: sitectl service set {service} --capacity N, where N is how "
        "many requests each target takes at once",
    )


def _these(names: Iterable[str]) -> str:
    shown = list(names)
    more = len(shown) - SITES_SHOWN
    return ", ".join(shown[:SITES_SHOWN]) + (f" and {more} more" if more > 0 else "")
