"""Pods as targets: which of them count, at which address, with which ports and capacity."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from router.kubernetes.objects import names, texts
from router.kubernetes.objects.objects import (
    Object,
    annotations,
    labels,
    metadata,
    name_of,
    seconds_of,
    section,
)
from router.kubernetes.objects.selectors import Selector
from router.kubernetes.objects.starting_pods import container_statuses, stuck_reasons
from router.kubernetes.objects.texts import InvalidText
from router.kubernetes.services.endpoint_slices import Family, family_of
from router.model.specs import TargetSpec

_NOT_READY: Final = "its pod is not ready"
LEAVES: Final = "its pod is to end"
_ENDED: Final = frozenset({"Succeeded", "Failed"})


class NoPort(msgspec.Struct, frozen=True):
    """A requested port that a pod lacks. ``known``: the ports it has."""

    pod: str
    port: int | str
    known: str


class PodIndex:
    """All Pods by label, updated in place: a selector reads only a few of them."""

    __slots__ = ("_by_label", "_pods")

    def __init__(self) -> None:
        self._pods: dict[str, Object] = {}
        self._by_label: dict[tuple[str, str], dict[str, Object]] = {}

    def get(self, name: str) -> Object | None:
        """The Pod of that name."""
        return self._pods.get(name)

    def replace(self, pods: Mapping[str, Object]) -> list[tuple[Object | None, Object | None]]:
        """Take over ``pods``; the changed ones, before and after."""
        if pods is self._pods:
            return []
        changed: list[tuple[Object | None, Object | None]] = [
            (before, pods.get(name))
            for name, before in self._pods.items()
            if pods.get(name) is not before
        ]
        changed += [(None, pod) for name, pod in pods.items() if name not in self._pods]
        for before, after in changed:
            if before is not None:
                for label in labels(before).items():
                    found = self._by_label[label]
                    del found[name_of(before)]
                    if not found:
                        del self._by_label[label]
            if after is not None:
                for label in labels(after).items():
                    self._by_label.setdefault(label, {})[name_of(after)] = after
        self._pods = dict(pods)
        return changed

    def selected(self, selector: Selector) -> list[Object]:
        """The Pods that ``selector`` selects, by name; none of the routers."""
        narrow: Iterable[Object] | None = None
        fewest = len(self._pods) + 1
        for term in selector.terms:
            if term.operator == "in" and len(term.values) == 1:
                found = self._by_label.get((term.key, next(iter(term.values))), {})
                if len(found) < fewest:
                    narrow, fewest = found.values(), len(found)
        candidates = self._pods.values() if narrow is None else narrow
        return sorted(
            (p for p in candidates if selector.matches(labels(p)) and not is_router(p)),
            key=name_of,
        )


def is_router(pod: Object) -> bool:
    """Whether it is a router of a site, whose targets are never the router itself."""
    return labels(pod).get(names.COMPONENT_LABEL) == names.COMPONENT_ROUTER


def routers_ready(pods: Iterable[Object]) -> bool:
    """Whether one of the routers is ready, so that a Service that leads to them leads anywhere.

    Also true if no router is a Pod of the namespace, so that their state is unknown.
    """
    routers = [pod for pod in pods if is_router(pod)]
    return not routers or any(takes_requests(pod) for pod in routers)


def is_leaving(pod: Object) -> bool:
    """Whether the pod is terminating."""
    return bool(metadata(pod).get("deletionTimestamp"))


def is_there(pod: Object) -> bool:
    """Whether the pod should take requests, now or once it is ready: not told to end, nor ended."""
    return not is_leaving(pod) and not has_ended(pod)


def takes_requests(pod: Object) -> bool:
    """Whether the pod takes requests now: running and ready, not ending."""
    return not is_leaving(pod) and _is_ready(pod)


def still_serves(pod: Object) -> bool:
    """Whether the pod is terminating but still takes requests, as during a preStop hook."""
    return is_leaving(pod) and _is_ready(pod)


def _is_ready(pod: Object) -> bool:
    status = section(pod, "status")
    return status.get("phase") == "Running" and any(
        condition.get("type") == "Ready" and condition.get("status") == "True"
        for condition in status.get("conditions") or ()
    )


def has_ended(pod: Object) -> bool:
    """Whether all containers ended for good."""
    return section(pod, "status").get("phase") in _ENDED


def may_run(pod: Object) -> bool:
    """Whether the container of a router's pod runs, as far as known."""
    states = [one["state"] for one in _of_router(pod) if one.get("state")]
    if states:
        return any("running" in state for state in states)
    return section(pod, "status").get("phase") == "Running"


def has_stopped(pod: Object) -> bool:
    """Whether the container of a router's pod ran, and does not run now."""
    ran = any(
        one.get("restartCount") or "terminated" in (one.get("state") or {})
        for one in _of_router(pod)
    )
    return ran and not may_run(pod)


def ended_at(pod: Object) -> float:
    """When the container of a router's pod last ended, in Unix seconds; 0: never, or unknown."""
    ends = [_end_of(one, state) for one in _of_router(pod) for state in ("state", "lastState")]
    return max((end for end in ends if end is not None), default=0.0)


def all_ended_at(pod: Object) -> float | None:
    """When the last container ended, in Unix seconds; None: one may run, or it is unknown."""
    ends = [_end_of(one, "state") for one in container_statuses(pod)]
    told = [end for end in ends if end is not None]
    return max(told) if told and len(told) == len(ends) else None


def _end_of(container: Mapping[str, Any], state: str) -> float | None:
    ended = (container.get(state) or {}).get("terminated") or {}
    return seconds_of(str(ended.get("finishedAt", "")))


def why_not_ready(pod: Object | None) -> str:
    """Why a pod that is not ready takes no requests. None: the pod is not visible.

    Includes the reason for which a container waits, if one does (``CrashLoopBackOff``).
    """
    if pod is None:
        return _NOT_READY
    reason = next(stuck_reasons(pod), "")
    return f"{_NOT_READY}: {reason}" if reason else _NOT_READY


def _of_router(pod: Object) -> list[Mapping[str, Any]]:
    """Statuses of the router's container, without containers that a mesh added.

    All containers, if none has the router's name.
    """
    told = container_statuses(pod)
    return [one for one in told if one.get("name") == names.ROUTER_CONTAINER] or told


def address_of(pod: Object, families: Sequence[Family]) -> str:
    """The pod's first address that a site with ``families`` can reach; empty: none (yet)."""
    status = section(pod, "status")
    listed = [entry.get("ip") for entry in status.get("podIPs") or () if isinstance(entry, dict)]
    for address in (*listed, status.get("podIP")):
        if isinstance(address, str) and address and family_of(address) in families:
            return address
    return ""


def declared_ports(pod: Object) -> list[tuple[int, str]]:
    """Number and name (may be empty) of each TCP port that the containers declare, in order."""
    spec = pod.get("spec")
    found: dict[int, str] = {}
    for container in (spec.get("containers") if isinstance(spec, dict) else None) or ():
        for port in container.get("ports") or ():
            number = port.get("containerPort")
            if isinstance(number, int) and port.get("protocol", "TCP") == "TCP":
                found.setdefault(number, port.get("name") or "")
    return list(found.items())


def ports_of(pod: Object, wanted: Iterable[int | str]) -> tuple[int, ...] | NoPort:
    """``wanted`` as numbers: a name is that of a container's port; any number is valid."""
    declared = declared_ports(pod)
    by_name = {name: number for number, name in declared if name}
    found: list[int] = []
    for port in wanted:
        number = port if isinstance(port, int) else by_name.get(port)
        if number is None:
            known = ", ".join(
                f"{number} ({name})" if name else f"{number} (without a name)"
                for number, name in declared
            )
            return NoPort(name_of(pod), port, known)
        found.append(number)
    return tuple(found)


def capacity_of(found: Object) -> tuple[int | str | None, str]:
    """The capacity per target from the object's annotation; or None and why it is unusable."""
    text = annotations(found).get(names.CAPACITY, "").strip()
    if not text:
        return None, ""
    value = texts.capacity(text)
    if isinstance(value, InvalidText):
        return None, f"{value.reason}; it is left out"
    return value, ""


def target(
    host: str,
    ports: tuple[int, ...],
    pod: Object | None,
    name: str = "",
    *,
    unusable: str = "",
    last_resort: str = "",
) -> TargetSpec:
    """One target; without ``ports`` at the service's own.

    ``unusable`` and ``last_resort``: as in `TargetSpec`.
    """
    return TargetSpec(
        host=host,
        port=ports[0] if len(ports) == 1 else None,
        ports=ports if len(ports) > 1 else (),
        name=name if pod is None else name_of(pod),
        capacity=None if pod is None else capacity_of(pod)[0],
        unusable=unusable,
        last_resort=last_resort,
    )
