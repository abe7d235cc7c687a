"""EndpointSlices of imports with the API's labels, so that the cluster's DNS names single pods.

One for each exporting cluster and address family (KEP-1645, Using EndpointSlice objects to track
endpoints). Their addresses are cluster IPs of our Services, since pods of other clusters have none
here: of a ClusterSetIP import the derived Service, which leads to all clusters whatever slice names
it; of a headless one each pod's own. They have no ``kubernetes.io/service-name``, or kube-proxy
would lead the derived Service to itself. Pure.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

import msgspec

from router.kubernetes.multicluster.import_objects import addresses, family_of
from router.kubernetes.multicluster.names import (
    SERVICE_NAME_LABEL,
    SOURCE_CLUSTER_LABEL,
    marks,
)
from router.kubernetes.objects import names
from router.kubernetes.objects.changes import Change, Create, delete, patch
from router.kubernetes.objects.objects import (
    Object,
    Snapshot,
    is_going,
    labels,
    metadata,
    name_of,
    reference,
)
from router.kubernetes.services import adoption, headless
from router.model.messages.exports import ExportedPort

_FAMILIES: Final = ("IPv4", "IPv6")
_HEADLESS_MARK: Final = "service.kubernetes.io/headless"
"""kube-proxy leaves slices with this label alone (Kubernetes, Labels, Annotations and Taints)."""


class Source(msgspec.Struct, frozen=True):
    """One exporting cluster. ``hosts``: by name of a pod the Service that leads there; empty:
    its slice has the derived Service's addresses."""

    cluster: str
    hosts: Mapping[str, Object]


def planned(
    snapshot: Snapshot,
    name: str,
    found: Object,
    derived: Object,
    ports: Iterable[ExportedPort],
    sources: Iterable[Source],
) -> tuple[list[Change], set[str]]:
    """What is due for ServiceImport ``found``, and the names of slices that it has then.

    ``name``: the network's, of its service; ``derived``: the Service that leads there; ``ports``:
    of the import.
    """
    changes: list[Change | None] = []
    kept: set[str] = set()
    told = _ports(derived, ports)
    for source in sources:
        for family in _FAMILIES:
            endpoints = _endpoints(source, derived, family)
            called = f"{name}-{source.cluster}-{family.lower()}"
            there = snapshot.get("EndpointSlice", called)
            if not endpoints or (there is not None and not is_ours(there)):
                continue
            kept.add(called)
            fresh = _slice(called, name, found, source.cluster, family, endpoints, told)
            if there is None:
                changes.append(Create(kind="EndpointSlice", name=called, body=fresh))
            elif not is_going(there):
                changes.append(patch(there, _again(there, fresh)))
    return [change for change in changes if change is not None], kept


def deletions(
    snapshot: Snapshot, keep: Collection[str], stays: Callable[[str], bool]
) -> list[Change]:
    """Slices of ours but those named ``keep``. ``stays``: whether those of a service, by the
    network's name, stay since its exports may only be out of reach."""
    return [
        delete(found)
        for called, found in sorted(snapshot.of("EndpointSlice").items())
        if called not in keep
        and is_ours(found)
        and not is_going(found)
        and not stays(labels(found)[names.CLUSTERSET_LABEL])
    ]


def is_ours(found: Object) -> bool:
    """Whether we made it for an import. A Service's labels are on slices of Kubernetes, too."""
    marked = labels(found)
    is_made = marked.get(headless.SLICE_MANAGER_LABEL) == names.MANAGED_BY
    return is_made and names.CLUSTERSET_LABEL in marked


def _ports(derived: Object, ports: Iterable[ExportedPort]) -> list[dict[str, Any]]:
    """Those that are carried, called as the import calls them."""
    carried = {port["port"] for port in adoption.ports(derived)}
    return [
        {"name": port.name, "port": port.port, "protocol": "TCP"}
        | ({"appProtocol": port.app_protocol} if port.app_protocol else {})
        for port in ports
        if port.protocol == "TCP" and port.port in carried
    ]


def _endpoints(source: Source, derived: Object, family: str) -> list[dict[str, Any]]:
    places: list[tuple[str, Object]] = sorted(source.hosts.items()) or [("", derived)]
    return [
        {"addresses": [address], "conditions": {"ready": True}}
        | ({"hostname": host} if host else {})
        for host, service in places
        for address in addresses(service)
        if family_of(address) == family
    ]


def _slice(
    called: str,
    name: str,
    found: Object,
    cluster: str,
    family: str,
    endpoints: list[dict[str, Any]],
    ports: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": called,
            "labels": {
                **marks(name),
                headless.SLICE_MANAGER_LABEL: names.MANAGED_BY,
                SERVICE_NAME_LABEL: name_of(found),
                SOURCE_CLUSTER_LABEL: cluster,
                _HEADLESS_MARK: "",
            },
            "ownerReferences": [reference(found)],
        },
        "addressType": family,
        "endpoints": endpoints,
        "ports": ports,
    }


def _again(found: Object, fresh: Mapping[str, Any]) -> Object:
    """``found`` with what of it is ours as in ``fresh``."""
    wanted = fresh["metadata"]
    kept = {
        **metadata(found),
        "labels": {**labels(found), **wanted["labels"]},
        "ownerReferences": wanted["ownerReferences"],
    }
    return {**found, "metadata": kept, "endpoints": fresh["endpoints"], "ports": fresh["ports"]}
