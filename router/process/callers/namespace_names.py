"""Callers of a namespace: the workloads of its pods, by the addresses that these had."""

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
"""Clocks of nodes are at most so far from ours."""


class NamespaceNames:
    """`CallerNames` of a namespace, by `time.monotonic` (``now``).

    ``followed_until``: what the API server said of pods until then, `look` was told. What it says
    is up to `CALLER_LATE_S` old, and after a stall it comes in a burst: an address is a pod's as
    long as nothing can be on its way that says otherwise. Pods of other namespaces are addresses: a
    namespaced right does not see them, so a pod may have had its address only while it was seen.
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
        self._heard: deque[tuple[float, float]] = deque()  # When asked, and what was known then.
        self._settled = -inf

    def look(self, pods: Mapping[str, Object]) -> None:
        """These pods are there now."""
        now = self._now()
        found = present(pods.values(), now - self._unix())
        self._book.see(found, now, self.settled_until())
        self._nodes |= nodes(pods.values())

    def at_once(self, peer: Address, local: Address) -> CallerName | None:
        """Never: sockets of other pods are not to be seen from here."""
        return None

    def settled_until(self) -> float:
        """Some time before the watch last spoke, if that was not just now."""
        now, followed = self._now(), self._followed_until()
        if not self._heard or self._heard[-1][1] != followed:
            self._heard.append((now, followed))
        while self._heard and self._heard[0][0] <= now - limits.CALLER_STALL_S:
            self._settled = self._heard.popleft()[1] - limits.CALLER_LATE_S
        if not self._heard:
            self._heard.append((now, followed))
        return self._settled

    def owner(self, host: str, since: float, until: float) -> CallerName:
        """The workload of the one pod that had the address; a node's address hides its callers."""
        found = self._book.owner(host, since, until) if until <= self._settled else None
        if found is not None:
            return found
        return CallerName("node" if host in self._nodes else "address", host)

    async def run(self, wanted: Callable[[], bool]) -> None:
        """The store watches; there is nothing to ask."""

    def close(self) -> None:
        """Nothing is held."""


def present(pods: Iterable[Object], behind_s: float = 0.0) -> dict[str, AddressHolder]:
    """Pods that have addresses of their own, by uid. Pure.

    ``behind_s``: what our clock shows less Unix seconds.
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
    """Addresses of nodes that pods run on. Pure."""
    found: set[str] = set()
    for pod in pods:
        status = pod.get("status") or {}
        listed = [
            entry.get("ip") for entry in status.get("hostIPs") or () if isinstance(entry, dict)
        ]
        found.update(str(one) for one in (*listed, status.get("hostIP")) if one)
    return frozenset(found)


def workload(pod: Object) -> CallerName:
    """What made the pod: ``deployment/web`` behind its ReplicaSet; itself, where nothing did."""
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
