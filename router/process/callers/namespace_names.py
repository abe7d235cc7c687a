"""Callers of a namespace: the workloads of its pods, by their addresses over time."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Final

from router.callers.names import CallerName
from router.callers.tenures import AddressBook, AddressHolder
from router.kubernetes.objects.objects import Object, labels, metadata, name_of
from router.kubernetes.targets.pods import all_ended_at
from router.model import limits
from router.net.ports import Address

_OVER: Final = ("Succeeded", "Failed")
_HASH: Final = "pod-template-hash"
SLACK_S: Final = 2.0
"""The greatest difference between clocks of nodes and ours."""


class NamespaceNames:
    """`CallerNames` of a namespace, by `time.monotonic` (``now``).

    ``followed_until``: `look` has received everything that the API server reported on pods up to
    this time. Reports are up to `CALLER_LATE_S` old, and after a stall they come in a burst: an
    address counts as a pod's once no report that says otherwise can be in flight. Pods of other
    namespaces are plain addresses: a namespaced permission does not show them, so a pod counts as
    the owner of its address only while it was seen.
    """

    def __init__(
        self,
        followed_until: Callable[[], float],
        now: Callable[[], float] = time.monotonic,
        unix: Callable[[], float] = time.time,
    ) -> None:
        self._followed_until, self._now, self._unix = followed_until, now, unix
        self._book = AddressBook()
        self._nodes: frozenset[str] = frozenset()
        self._heard: deque[tuple[float, float]] = deque()  # Each call, and its `followed_until`.
        self._settled = -inf

    def look(self, pods: Mapping[str, Object]) -> None:
        """Take the present pods."""
        now = self._now()
        found = present(pods.values(), now - self._unix())
        self._book.see(found, now, self.settled_until())
        self._nodes |= nodes(pods.values())

    def at_once(self, peer: Address, local: Address) -> CallerName | None:
        """Never: sockets of other pods are not visible from here."""
        return None

    def settled_until(self) -> float:
        """A while before the watch's last report, unless that came just now."""
        now, followed = self._now(), self._followed_until()
        if not self._heard or self._heard[-1][1] != followed:
            self._heard.append((now, followed))
        while self._heard and self._heard[0][0] <= now - limits.CALLER_STALL_S:
            self._settled = self._heard.popleft()[1] - limits.CALLER_LATE_S
        if not self._heard:
            self._heard.append((now, followed))
        return self._settled

    def owner(self, host: str, since: float, until: float) -> CallerName:
        """The workload of the only pod that had the address; a node's address hides its callers."""
        found = self._book.owner(host, since, until) if until <= self._settled else None
        if found is not None:
            return found
        return CallerName("node" if host in self._nodes else "address", host)

    async def run(self, wanted: Callable[[], bool]) -> None:
        """The store watches; there is nothing to ask."""

    def close(self) -> None:
        """Nothing to close."""


def present(pods: Iterable[Object], behind_s: float = 0.0) -> dict[str, AddressHolder]:
    """Pods that have their own addresses, by uid. Pure.

    ``behind_s``: our clock minus Unix time.
    """
    found: dict[str, AddressHolder] = {}
    for pod in pods:
        status, spec = pod.get("status") or {}, pod.get("spec") or {}
        listed = [
            entry.get("ip") for entry in status.get("podIPs") or () if isinstance(entry, dict)
        ]
        addresses = {str(one) for one in (*listed, status.get("podIP")) if one}
        uid = str(metadata(pod).get("uid", ""))
        if spec.get("hostNetwork") or not addresses or not uid:
            continue
        ended = all_ended_at(pod)
        found[uid] = AddressHolder(
            uid=uid,
            name=workload(pod),
            addresses=tuple(sorted(addresses)),
            is_over=status.get("phase") in _OVER or ended is not None,
            ended=None if ended is None else ended - SLACK_S + behind_s,
        )
    return found


def nodes(pods: Iterable[Object]) -> frozenset[str]:
    """Addresses of the nodes of ``pods``. Pure."""
    found: set[str] = set()
    for pod in pods:
        status = pod.get("status") or {}
        listed = [
            entry.get("ip") for entry in status.get("hostIPs") or () if isinstance(entry, dict)
        ]
        found.update(str(one) for one in (*listed, status.get("hostIP")) if one)
    return frozenset(found)


def workload(pod: Object) -> CallerName:
    """The owner of the pod: ``deployment/web`` behind its ReplicaSet; the pod itself, if it has
    none.
    """
    owner = next(
        (one for one in metadata(pod).get("ownerReferences") or () if one.get("controller")), None
    )
    if owner is None:
        return CallerName("workload", f"pod/{name_of(pod)}")
    kind, name = str(owner.get("kind", "")).lower(), str(owner.get("name", ""))
    suffix = f"-{labels(pod).get(_HASH, '')}"
    if kind == "replicaset" and len(suffix) > 1 and name.endswith(suffix):
        kind, name = "deployment", name.removesuffix(suffix)
    return CallerName("workload", f"{kind}/{name}")
