"""Several routers of one site: how much of each stated capacity this one may give out.

Every router computes the same from the Pods of the namespace. The shares of a target sum up to its
capacity exactly, so the site never admits more than is stated; what was admitted before a router
came runs out. Until routers of one site forward to each other, a share of 0 serves nobody.

Findings: SW0458 a service has less capacity than the site has routers.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from router.documents import Wanted, capacities
from router.kubernetes.names import SITE_CONFIGMAP
from router.kubernetes.objects import Object, created_at, metadata, name_of, seconds_of
from router.kubernetes.pods import (
    Family,
    address_of,
    counts,
    has_ended,
    is_leaving,
    is_router,
)
from router.model import limits
from router.model.addresses import join
from router.model.errors import ConfigError
from router.model.specs import ConnectorSpec, SitePolicySpec

TOO_FEW = "SW0458"


class Division(msgspec.Struct, frozen=True, kw_only=True):
    """The routers that share: ``count`` of them, ``staying`` of which were not told to end.

    ``index``: which of them this one is, the oldest is 0; None: none yet, it admits nothing.
    """

    count: int
    staying: int
    index: int | None


WHOLE = Division(count=1, staying=1, index=0)


_SpecT = TypeVar("_SpecT", ConnectorSpec, SitePolicySpec)


def division(pods: Mapping[str, Object], own: str, now: float) -> tuple[Division, float | None]:
    """Who shares at ``now`` (Unix seconds), and when to look again if no Pod changes.

    Routers that are ready, and those that were told to end until they are gone or their time is
    over: what they began may still run. One that starts has no share beside others, and everything
    when there is none. Where ``own`` is no Pod of the namespace nothing is divided.
    """
    if own not in pods:
        return WHOLE, None
    sharing: list[Object] = []
    ends: list[float] = []
    for pod in pods.values():
        if not is_router(pod):
            continue
        if not is_leaving(pod):
            if counts(pod, not_ready=False):
                sharing.append(pod)
        elif now < (gone_at := _gone_at(pod)) and not has_ended(pod):
            sharing.append(pod)
            ends.append(gone_at)
    sharing.sort(key=_age)
    order = [name_of(pod) for pod in sharing]
    if not order or order == [own]:
        return WHOLE, None
    found = Division(
        count=len(order),
        staying=sum(not is_leaving(pod) for pod in sharing),
        index=order.index(own) if own in order else None,
    )
    return found, min(ends, default=None)


def to_dial(
    pods: Mapping[str, Object], own: str, families: Sequence[Family], port: int
) -> tuple[str, ...]:
    """``HOST:PORT`` of the routers that the one of Pod ``own`` dials: those that are older.

    One link a pair; and who is new finds that the others listen. One that was told to end is a
    way to other sites until it has.
    """
    if own not in pods:
        return ()
    mine = _age(pods[own])
    hosts = (
        address_of(pod, families)
        for pod in pods.values()
        if is_router(pod) and not has_ended(pod) and _age(pod) < mine
    )
    return tuple(sorted(join(host, port) for host in hosts if host))


def _age(pod: Object) -> tuple[str, str]:
    return created_at(pod), name_of(pod)


def _gone_at(pod: Object) -> float:
    """When it is gone at the latest, unless its node is out of reach."""
    at = seconds_of(str(metadata(pod).get("deletionTimestamp", "")))
    return 0.0 if at is None else at + limits.POD_END_LATE_S


def divided(wanted: Wanted, by: Division) -> Wanted:
    """``wanted`` with each stated capacity, of targets and of the site, as this router's share.

    What does not divide goes to the routers in turn, target after target of a service, so that
    their sums differ by 1 at most. Rates divide evenly.
    """
    if by == WHOLE:
        return wanted
    first: dict[str, int] = {}
    connectors: dict[str, ConnectorSpec] = {}
    for name, connector in sorted(wanted.connectors.items()):
        targets = []
        for target in connector.targets:
            stated = connector.capacity if target.capacity is None else target.capacity
            begin = first.get(connector.service, 0)
            mine = _divided(stated, by, begin)
            if mine != stated:
                target = msgspec.structs.replace(target, capacity=mine)
            first[connector.service] = (begin + (_slots(stated) or 0)) % by.count
            targets.append(target)
        connectors[name] = _beside_rates(
            connector, by, capacities.connector_rates(connector), targets=tuple(targets)
        )
    policies = {
        name: _beside_rates(
            policy,
            by,
            [per_s] if (per_s := capacities.of_spec(policy.site_capacity).per_s) else [],
            site_capacity=_divided(policy.site_capacity, by, 0),
        )
        for name, policy in wanted.policies.items()
    }
    return msgspec.structs.replace(wanted, connectors=connectors, policies=policies)


def _beside_rates(spec: _SpecT, by: Division, rates: list[float], **changed: Any) -> _SpecT:
    """``spec`` with what stands beside its ``rates`` as they are divided."""
    if rates:
        if spec.resume:
            low = capacities.per_s_of(spec.resume)
            assert isinstance(low, float), "a spec holds what was judged"
            changed["resume"] = capacities.rate_text(_of_rate(low, by))
        least = _of_rate(min(rates), by)
        if spec.window_s is not None and spec.window_s * least < 1.0:
            changed["window_s"] = capacities.default_window_s(least)
        if isinstance(spec, ConnectorSpec):
            changed["capacity"] = _divided(spec.capacity, by, 0)
    return msgspec.structs.replace(spec, **changed)


def _divided(stated: int | str | None, by: Division, first: int) -> int | str | None:
    """This router's share of what one ``capacity`` states."""
    found = capacities.of_spec(stated)
    slots = None if found.slots is None else _share(found.slots, by, first)
    if found.per_s is None or slots == 0:
        return stated if found.auto else slots
    if by.index is None:
        return 0
    return capacities.spec_value(
        capacities.Stated(slots, _of_rate(found.per_s, by), auto=found.auto)
    )


def _of_rate(per_s: float, by: Division) -> float:
    return max(per_s / by.count, limits.RATE_PER_S_MIN)


def _slots(stated: int | str | None) -> int | None:
    return capacities.of_spec(stated).slots


def _share(capacity: int, by: Division, first: int) -> int:
    """Of ``capacity``; the part that does not divide begins at router ``first``."""
    if by.index is None:
        return 0
    return capacity // by.count + ((by.index - first) % by.count < capacity % by.count)


def too_few(wanted: Wanted, by: Division) -> Iterable[ConfigError]:
    """Services of which some router has no share at all: who comes to it waits in vain."""
    if by.staying < 2:
        return
    sums: dict[str, int | None] = {}
    for connector in wanted.connectors.values():
        for target in connector.targets:
            capacity = _slots(connector.capacity if target.capacity is None else target.capacity)
            before = sums.setdefault(connector.service, 0)
            sums[connector.service] = (
                None if before is None or capacity is None else before + capacity
            )
    for policy in wanted.policies.values():
        cap, total = _slots(policy.site_capacity), sums.get(policy.service)
        if cap is not None:
            sums[policy.service] = cap if total is None else min(cap, total)
    few = [name for name, total in sorted(sums.items()) if total and total < by.staying]
    if few:
        shown = ", ".join(few[:3]) + (" and others" if len(few) > 3 else "")
        yield ConfigError(
            f"ConfigMap/{SITE_CONFIGMAP}",
            "data.routers",
            f"{by.staying} routers share the stated capacity of {shown}, which is less than "
            f"{by.staying} in all: not every router can serve it",
            hint='Set routers: "1", or give the service more targets or capacity',
            code=TOO_FEW,
            severity="warning",
        )
