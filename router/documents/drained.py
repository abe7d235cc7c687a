"""The capacity that a drained site still takes, as a share for the whole site, before it is divided
among the routers. Pure."""

from math import floor

from router.documents import capacities
from router.documents.rules import target_ports
from router.documents.wanted import Wanted
from router.model.rights.sharing import ALL
from router.model.specs import SitePolicySpec


def share_of(service: str, policies: dict[str, SitePolicySpec]) -> float:
    """The share of its capacity that the site takes of ``service``: the lowest that applies.
    ``policies``: by service."""
    named = (policies.get(service), policies.get(ALL))
    return min([1.0, *(one.takes for one in named if one is not None)])


def commands(service: str, policies: dict[str, SitePolicySpec]) -> str:
    """The commands that end the drain of ``service``; empty: it is not drained."""
    of_all, own = (name in policies and policies[name].takes < 1 for name in (ALL, service))
    site, one = "sitectl site drain --to 100%", f"sitectl service drain {service} --to 100%"
    return f"{one}, and: {site}" if of_all and own else site if of_all else one if own else ""


def slots(wanted: Wanted) -> dict[str, int]:
    """The remaining slots of each drained service whose slots are all configured.

    Counted over all targets, at least one, so that a drain also affects a few targets of one slot
    each.
    """
    policies = {spec.service: spec for spec in wanted.policies.values()}
    stated: dict[str, dict[tuple[str, tuple[int, ...]], int | None]] = {}
    for connector in wanted.connectors.values():
        of_service = stated.setdefault(connector.service, {})
        for target in connector.targets:
            capacity = connector.capacity if target.capacity is None else target.capacity
            of_service.setdefault(
                (target.host, target_ports(target)), capacities.of_spec(capacity).slots
            )
    found: dict[str, int] = {}
    for service, each in stated.items():
        share = share_of(service, policies)
        policy = policies.get(service)
        of_site = None if policy is None else capacities.of_spec(policy.site_capacity).slots
        known = [count for count in each.values() if count is not None]
        of_targets = sum(known) if known and len(known) == len(each) else None
        bounds = [count for count in (of_site, of_targets) if count is not None]
        if 0 < share < 1 and bounds:
            found[service] = max(1, floor(min(bounds) * share))
    return found
