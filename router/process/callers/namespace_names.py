"""Callers of a namespace: the workloads of its pods, by the addresses that these had."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from router.callers.names import CallerName
from router.callers.tenures import AddressBook, Present
from router.kubernetes.objects.objects import Object, labels, metadata, name_of
from router.net.ports import Address

_OVER: Final = ("Succeeded", "Failed")
_HASH: Final = "pod-template-hash"
HEARD_SLACK_S: Final = 1.0
"""What the API server had told by then was decided before."""


class NamespaceNames:
    """`CallerNames` of a namespace. ``heard_at``: Unix seconds when the watch of pods last spoke.

    Pods of other namespaces are addresses: a namespaced right does not see them.
    """

    def __init__(
        self, heard_at: Callable[[], float], unix: Callable[[], float] = time.time
    ) -> None:
        self._heard_at, self._unix = heard_at, unix
        self._book = AddressBook()
        self._nodes: frozenset[str] = frozenset()

    def look(self, pods: Mapping[str, Object]) -> None:
        """These pods are there now."""
        self._book.see(present(pods.values()), self._unix())
        self._nodes |= nodes(pods.values())

    def at_once(self, peer: Address, local: Address) -> CallerName | None:
        """Never: sockets of other pods are not to be seen from here."""
        return None

    def settled_until(self) -> float:
        """Shortly before the watch last spoke."""
        return self._heard_at() - HEARD_SLACK_S

    def owner(self, host: str, since: float, until: float) -> CallerName:
        """The workload of the one pod that had the address; a node's address hides its callers."""
        found = self._book.owner(host, since, until) if until <= self.settled_until() else None
        if found is not None:
            return found
        return CallerName("node" if host in self._nodes else "address", host)

    async def run(self, wanted: Callable[[], bool]) -> None:
        """The store watches; there is nothing to ask."""

    def close(self) -> None:
        """Nothing is held."""


def present(pods: Any) -> dict[str, Present]:
    """Pods that have addresses of their own and run, by uid. Pure."""
    found: dict[str, Present] = {}
    for pod in pods:
        status, spec = pod.get("status") or {}, pod.get("spec") or {}
        if status.get("phase") in _OVER or spec.get("hostNetwork"):
            continue
        listed = [
            entry.get("ip") for entry in status.get("podIPs") or () if isinstance(entry, dict)
        ]
        addresses = {str(one) for one in (*listed, status.get("podIP")) if one}
        uid = str(metadata(pod).get("uid", ""))
        if addresses and uid:
            found[uid] = Present(
                uid=uid,
                name=workload(pod),
                since=_unix_of(str(status.get("startTime") or "")),
                addresses=tuple(sorted(addresses)),
            )
    return found


def nodes(pods: Any) -> frozenset[str]:
    """Addresses of nodes that pods run on. Pure."""
    return frozenset(
        str(address) for pod in pods if (address := (pod.get("status") or {}).get("hostIP"))
    )


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


def _unix_of(text: str) -> float:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0
