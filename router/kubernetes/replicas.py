"""Several routers of one site: how much of each stated capacity this one may give out.

Every router computes the same from the Pods of the namespace. The shares of a target sum up to its
capacity exactly, so the site never admits more than is stated; what was admitted before a router
came runs out. Until routers of one site forward to each other, a share of 0 serves nobody.

Findings: SW0458 a service has less capacity than the site has routers.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from router.documents import Wanted
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
from router.model.specs import ConnectorSpec

TOO_FEW = "SW0458"


class Division(msgspec.Struct, frozen=True, kw_only=True):
    """The routers that share: ``count`` of them, ``staying`` of which were not told to end.

    ``index``: which of them this one is, the oldest is 0; None: none yet, it admits nothing.
    """

    count: int
    staying: int
    index: int | None


WHOLE = Division(count=1, staying=1, index=0)


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
    """``wanted`` with the stated capacity of each target replaced by this router's share.

    What does not divide goes to the routers in turn, target after target of a service, so that
    their sums differ by 1 at most.
    """
    if by == WHOLE:
        return wanted
    first: dict[str, int] = {}
    connectors: dict[str, ConnectorSpec] = {}
    for name, connector in sorted(wanted.connectors.items()):
        targets = []
        for target in connector.targets:
            capacity = _stated(connector) if target.capacity is None else target.capacity
            if capacity is not None:
                begin = first.get(connector.service, 0)
                target = msgspec.structs.replace(target, capacity=_share(capacity, by, begin))
                first[connector.service] = (begin + capacity) % by.count
            targets.append(target)
        connectors[name] = msgspec.structs.replace(connector, targets=tuple(targets))
    return msgspec.structs.replace(wanted, connectors=connectors)


def _stated(connector: ConnectorSpec) -> int | None:
    return connector.capacity if isinstance(connector.capacity, int) else None


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
            capacity = _stated(connector) if target.capacity is None else target.capacity
            before = sums.setdefault(connector.service, 0)
            sums[connector.service] = (
                None if before is None or capacity is None else before + capacity
            )
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
