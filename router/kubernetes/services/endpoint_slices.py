"""EndpointSlices that we make, with cluster IPs of Services as addresses. Pure.

`headless` makes them for Services, `multicluster.slices` for ServiceImports.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from router.kubernetes.objects import names
from router.kubernetes.objects.changes import Change, Create, patch
from router.kubernetes.objects.objects import Object, is_going, labels, metadata, reference, spec_of

Family = str
"""Kubernetes' name of an address family."""
IPV4, IPV6 = "IPv4", "IPv6"
BOTH: Final[tuple[Family, ...]] = (IPV4, IPV6)
MANAGER_LABEL: Final = "endpointslice.kubernetes.io/managed-by"


def family_of(address: str) -> Family:
    """The family of an address in text."""
    return IPV6 if ":" in address else IPV4


def addresses(service: Object | None) -> list[str]:
    """Cluster IPs of a Service, in the order of its families."""
    spec = spec_of(service or {})
    found = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return [each for each in found if isinstance(each, str) and each not in ("", "None")]


def is_ours(found: Object) -> bool:
    """Whether we made the slice: Kubernetes copies a Service's labels to its own slices."""
    return labels(found).get(MANAGER_LABEL) == names.MANAGED_BY


def is_for_import(found: Object) -> bool:
    """Whether one of our slices is for a ServiceImport."""
    return names.CLUSTERSET_LABEL in labels(found)


def endpoints(places: Iterable[tuple[str, Object | None]], family: Family) -> list[dict[str, Any]]:
    """An endpoint for each address of a Service. ``places``: hostname (may be empty), Service."""
    return [
        {"addresses": [address], "conditions": {"ready": True}}
        | ({"hostname": host} if host else {})
        for host, service in places
        for address in addresses(service)
        if family_of(address) == family
    ]


def settle(
    found: Object | None,
    name: str,
    owner: Object,
    marked: Mapping[str, str],
    family: Family,
    named: list[dict[str, Any]],
    ports: list[dict[str, Any]],
) -> Change | None:
    """The change with which slice ``name``, now ``found``, holds ``named``; None: it does."""
    head: dict[str, Any] = {
        "name": name,
        "labels": {
            **names.PART_OF,
            names.MANAGED_BY_LABEL: names.MANAGED_BY,
            MANAGER_LABEL: names.MANAGED_BY,
            **marked,
        },
        "ownerReferences": [reference(owner)],
    }
    held = {"endpoints": named, "ports": ports}
    if found is None:
        kind = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice"}
        body = {**kind, "metadata": head, "addressType": family, **held}
        return Create(kind="EndpointSlice", name=name, body=body)
    if is_going(found):
        return None
    before = metadata(found)
    after = {**before, **head, "labels": {**labels(found), **head["labels"]}}
    return patch(found, {**found, "metadata": after, **held})
