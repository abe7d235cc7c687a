"""Divides a site's capacity among its routers, or the workers of one: each has its share. Pure."""

import zlib
from typing import Any, TypeVar

import msgspec

from router.documents import capacities, drained, lent
from router.documents.wanted import Wanted
from router.model import limits
from router.model.specs import ConnectorSpec, SitePolicySpec, TargetSpec


class Division(msgspec.Struct, frozen=True, kw_only=True):
    """The routers that share: ``count`` of them.

    ``index`` of this one, the oldest is 0; None: it is not among them, and admits nothing.
    """

    count: int
    index: int | None


WHOLE = Division(count=1, index=0)


_SpecT = TypeVar("_SpecT", ConnectorSpec, SitePolicySpec)


def divided(wanted: Wanted, by: Division) -> Wanted:
    """``wanted`` with each configured capacity, of targets and the site, replaced by this router's
    share.

    Remainders go to routers by a hash of the target: routers that see their siblings come and go at
    different times still agree on them. Rates divide evenly.
    """
    if by == WHOLE:
        return wanted
    connectors: dict[str, ConnectorSpec] = {}
    for name, connector in sorted(wanted.connectors.items()):
        targets = []
        for target in connector.targets:
            stated = connector.capacity if target.capacity is None else target.capacity
            first = _first(connector.service, target)
            mine = _divided(stated, by, first)
            slots = capacities.of_spec(stated).slots
            before = 0 if slots is None else _before(slots, by, first)
            if mine != stated or before:
                target = msgspec.structs.replace(target, capacity=mine, before=before)
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
    left = {
        service: _share(count, by, _first_of(service))
        for service, count in drained.slots(wanted).items()
    }
    capped_before = {
        service: _before(slots, by, _first_of(service) if is_drained else 0)
        for service, (slots, is_drained) in lent.caps_of(wanted).items()
    }
    return msgspec.structs.replace(
        wanted,
        connectors=connectors,
        policies=policies,
        drained=left,
        capped_before=capped_before,
        is_divided=True,
    )


def _first_of(service: str) -> int:
    """As `_first`, for the remaining slots of a drained service."""
    return zlib.crc32(service.encode())


def _beside_rates(spec: _SpecT, by: Division, rates: list[float], **changed: Any) -> _SpecT:
    """``spec`` with the fields that go with its ``rates``, as divided."""
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
    """This router's share of one ``capacity`` value."""
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
    """The router that gets the first of the remainder, modulo their count."""
    ports = ",".join(map(str, target.ports or (target.port or 0,)))
    return zlib.crc32(f"{service} {target.host} {ports}".encode())


def _share(capacity: int, by: Division, first: int) -> int:
    """This router's share of ``capacity``; the remainder begins at router ``first``."""
    return 0 if by.index is None else _share_at(by.index, capacity, by, first)


def _before(capacity: int, by: Division, first: int) -> int:
    """The shares of ``capacity`` of the routers before this one."""
    return sum(_share_at(index, capacity, by, first) for index in range(by.index or 0))


def _share_at(index: int, capacity: int, by: Division, first: int) -> int:
    return capacity // by.count + ((index - first) % by.count < capacity % by.count)
