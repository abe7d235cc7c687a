"""Several routers of one site: how much of each stated capacity this one may give out.

Every router computes the same from the Pods of the namespace, and the shares of a target sum up to
its capacity exactly. They see the Pods at different times: whoever gains by a change uses that once
the others have agreed (`balance.shares`). A share of 0 is served by the others of the site.
"""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from router.documents import Agreement, Wanted, capacities
from router.kubernetes.objects import Object, created_at, metadata, name_of, seconds_of
from router.kubernetes.pods import (
    Family,
    address_of,
    counts,
    has_ended,
    has_stopped,
    is_leaving,
    is_router,
    may_run,
)
from router.model import limits
from router.model.addresses import join
from router.model.specs import ConnectorSpec, SitePolicySpec, TargetSpec


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
    pods_in_order, until = _in_order(pods, own, now)
    order = [name_of(pod) for pod in pods_in_order]
    if not order or order == [own]:
        return WHOLE, until
    found = Division(
        count=len(order),
        staying=sum(not is_leaving(pod) for pod in pods_in_order),
        index=order.index(own) if own in order else None,
    )
    return found, until


def shares(
    pods: Mapping[str, Object], own: str, now: float
) -> tuple[Agreement | None, float | None]:
    """By whom the router of Pod ``own`` must be heard before it uses what it gains, and until when
    that is so if no Pod changes. None: it is no Pod of the namespace.

    Those whose containers may run: ready or not, told to end or not. Also one that is older and was
    not seen to run yet, for a while: it may be faster than the news of it.
    """
    if own not in pods:
        return None, None
    order, _ = _in_order(pods, own, now)
    others: list[str] = []
    ends: list[float] = []
    for name, pod in pods.items():
        if name == own or not is_router(pod) or has_ended(pod):
            continue
        until = None
        if is_leaving(pod):
            until = _gone_at(pod)
        elif not may_run(pod):
            if _age(pod) > _age(pods[own]) or has_stopped(pod):
                continue
            until = (seconds_of(created_at(pod)) or 0.0) + limits.POD_START_SEEN_S
        if until is None or now < until:
            others.append(name)
            if until is not None:
                ends.append(until)
    names = "\n".join(name_of(pod) for pod in order)
    digest = hashlib.blake2b(names.encode(), digest_size=16).hexdigest()
    return Agreement(own, digest, frozenset(others)), min(ends, default=None)


def _in_order(
    pods: Mapping[str, Object], own: str, now: float
) -> tuple[list[Object], float | None]:
    """The Pods that share, the oldest first, and when one of them is over at the latest.

    While none is ready: those that run, and ``own``.
    """
    sharing: list[Object] = []
    starting: list[Object] = []
    ends: list[float] = []
    for name, pod in pods.items():
        if not is_router(pod):
            continue
        if not is_leaving(pod):
            if counts(pod, not_ready=False):
                sharing.append(pod)
            elif name == own or (may_run(pod) and not has_ended(pod)):
                starting.append(pod)
        elif now < (gone_at := _gone_at(pod)) and not has_ended(pod):
            sharing.append(pod)
            ends.append(gone_at)
    return sorted(sharing or starting, key=_age), min(ends, default=None)


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

    What does not divide goes to the routers by a hash of the target: those that see its siblings
    come and go at different times still agree about it. Rates divide evenly.
    """
    if by == WHOLE:
        return wanted
    connectors: dict[str, ConnectorSpec] = {}
    for name, connector in sorted(wanted.connectors.items()):
        targets = []
        for target in connector.targets:
            stated = connector.capacity if target.capacity is None else target.capacity
            mine = _divided(stated, by, _first(connector.service, target))
            if mine != stated:
                target = msgspec.structs.replace(target, capacity=mine)
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
    return msgspec.structs.replace(
        wanted, connectors=connectors, policies=policies, is_divided=True
    )


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


def _first(service: str, target: TargetSpec) -> int:
    """At which router the part that does not divide begins, modulo their count."""
    ports = ",".join(map(str, target.ports or (target.port or 0,)))
    return zlib.crc32(f"{service} {target.host} {ports}".encode())


def _share(capacity: int, by: Division, first: int) -> int:
    """Of ``capacity``; the part that does not divide begins at router ``first``."""
    if by.index is None:
        return 0
    return capacity // by.count + ((by.index - first) % by.count < capacity % by.count)
