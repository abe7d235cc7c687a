"""EndpointSlices of imports with the API's labels, so that the cluster's DNS names single pods.

One for each exporting cluster and address family (KEP-1645, Using EndpointSlice objects to track
endpoints). Their addresses are cluster IPs of our Services, since pods of other clusters have none
here. A ClusterSetIP import uses the derived Service, which leads to all clusters, whatever slice
names it; a headless import uses a separate Service for each pod. The slices have no
``kubernetes.io/service-name``, or kube-proxy would lead the derived Service to itself. Pure.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

import msgspec

from router.kubernetes.multicluster.names import SERVICE_NAME_LABEL, SOURCE_CLUSTER_LABEL
from router.kubernetes.objects import names
from router.kubernetes.objects.changes import Change, delete
from router.kubernetes.objects.objects import Object, Snapshot, is_going, labels, name_of
from router.kubernetes.services import adoption, endpoint_slices
from router.model.messages.exports import ExportedPort

_HEADLESS_MARK: Final = "service.kubernetes.io/headless"
"""kube-proxy leaves slices with this label alone (Kubernetes, Labels, Annotations and Taints)."""


class Source(msgspec.Struct, frozen=True):
    """One exporting cluster. ``hosts``: the Service that leads to each pod, by the pod's name.

    ``hosts`` empty: its slice has the derived Service's addresses.
    """

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
    """The due changes for ServiceImport ``found``, and the names of its slices after them.

    ``name``: the network's, of its service; ``derived``: the Service that leads there; ``ports``:
    of the import.
    """
    changes: list[Change | None] = []
    kept: set[str] = set()
    told = _ports(derived, ports)
    for source in sources:
        places: list[tuple[str, Object]] = sorted(source.hosts.items()) or [("", derived)]
        marked = {
            names.CLUSTERSET_LABEL: name,
            SERVICE_NAME_LABEL: name_of(found),
            SOURCE_CLUSTER_LABEL: source.cluster,
            _HEADLESS_MARK: "",
        }
        for family in endpoint_slices.BOTH:
            named = endpoint_slices.endpoints(places, family)
            called = f"{name}-{source.cluster}-{family.lower()}"
            there = snapshot.get("EndpointSlice", called)
            if not named or (there is not None and not is_ours(there)):
                continue
            kept.add(called)
            changes.append(
                endpoint_slices.settle(there, called, found, marked, family, named, told)
            )
    return [change for change in changes if change is not None], kept


def deletions(
    snapshot: Snapshot, keep: Collection[str], stays: Callable[[str], bool]
) -> list[Change]:
    """Deletions of our slices, except those named ``keep``.

    ``stays``: whether those of a service, by the network's name, stay because its exports may only
    be out of reach.
    """
    return [
        delete(found)
        for called, found in sorted(snapshot.of("EndpointSlice").items())
        if called not in keep
        and is_ours(found)
        and not is_going(found)
        and not stays(labels(found)[names.CLUSTERSET_LABEL])
    ]


def is_ours(found: Object) -> bool:
    """Whether we made the slice for an import."""
    return endpoint_slices.is_ours(found) and endpoint_slices.is_for_import(found)


def _ports(derived: Object, ports: Iterable[ExportedPort]) -> list[dict[str, Any]]:
    """The carried ports, with their names in the import."""
    carried = {port["port"] for port in adoption.ports(derived)}
    return [
        {"name": port.name, "port": port.port, "protocol": "TCP"}
        | ({"appProtocol": port.app_protocol} if port.app_protocol else {})
        for port in ports
        if port.protocol == "TCP" and port.port in carried
    ]
