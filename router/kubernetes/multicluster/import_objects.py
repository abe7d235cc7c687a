"""ServiceImports as objects: made from a merged export, updated, and their status. Pure."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import msgspec

from router.kubernetes.multicluster import conditions
from router.kubernetes.multicluster.merging import MergedExport
from router.kubernetes.multicluster.names import API_VERSION, DERIVED_SERVICE, IMPORT, marks
from router.kubernetes.objects import copied_labels, names
from router.kubernetes.objects.objects import (
    Object,
    annotations,
    labels,
    name_of,
    reference,
    spec_of,
)
from router.kubernetes.services import adoption, owned_services
from router.kubernetes.services.endpoint_slices import addresses, family_of
from router.model.messages.exports import HEADLESS, ExportedPort
from router.model.wording.plural import counted

_LATER_FIELDS: Final = ("internalTrafficPolicy", "ipFamilies", "trafficDistribution")
"""Fields of a ServiceImport's spec since mcs-api 0.4. A cluster with older CRDs drops them."""


def carried_ports(service: Object) -> frozenset[int]:
    """Ports at which a derived Service leads to the routers."""
    return frozenset(port["port"] for port in adoption.ports(service))


def service_import(
    name: str, one: MergedExport, service: Object | None, api_version: str
) -> dict[str, Any]:
    """The ServiceImport of one service. ``service``: the derived Service, if there is one yet."""
    terms = one.terms
    is_headless = terms.kind == HEADLESS
    spec: dict[str, Any] = {
        "type": HEADLESS if is_headless else "ClusterSetIP",
        "ports": [_import_port(port) for port in terms.ports],
        "sessionAffinity": "ClientIP" if terms.affinity == "ClientIP" else "None",
    }
    if spec["sessionAffinity"] == "ClientIP":
        timeout = {"clientIP": {"timeoutSeconds": terms.affinity_timeout_s}}
        spec["sessionAffinityConfig"] = timeout
    if terms.internal_traffic_policy:
        spec["internalTrafficPolicy"] = terms.internal_traffic_policy
    if terms.traffic_distribution:
        spec["trafficDistribution"] = terms.traffic_distribution
    if service is not None:
        found = addresses(service)
        spec["ipFamilies"] = [family_of(address) for address in found]
        if not is_headless:
            spec["ips"] = found
    later = () if api_version == API_VERSION else tuple(f for f in _LATER_FIELDS if f in spec)
    return {
        "apiVersion": api_version,
        "kind": IMPORT,
        "metadata": _import_metadata(name, one, service, later),
        "spec": spec,
    }


def _import_metadata(
    name: str, one: MergedExport, service: Object | None, later: tuple[str, ...]
) -> dict[str, Any]:
    marked = {**copied_labels.spreading(one.terms.labels), **marks(name)}
    noted = copied_labels.spreading(one.terms.annotations, (DERIVED_SERVICE,))
    told = owned_services.OwnedFields(
        labels=tuple(sorted(marked)),
        annotations=tuple(sorted(noted)),
        fields=later,
    )
    noted = {**noted, names.MADE: msgspec.json.encode(told, order="sorted").decode()}
    meta: dict[str, Any] = {"name": one.terms.service, "labels": marked, "annotations": noted}
    if service is not None:
        meta["annotations"] = {**noted, DERIVED_SERVICE: name_of(service)}
        meta["ownerReferences"] = [reference(service)]
    return meta


def import_status(
    found: Object, one: MergedExport, service: Object | None, pods: str, without: str, now: str
) -> dict[str, Any]:
    """The wanted status of ServiceImport ``found`` at ``now`` (RFC 3339).

    ``pods``: how to reach those of a headless service; ``without``: why no derived Service leads
    to them. Both are human-readable.
    """
    is_ready = service is not None and bool(addresses(service))
    ready = conditions.condition(
        "Ready",
        is_true=is_ready,
        reason="Ready" if is_ready else "Pending",
        message=_ready(one, service, pods) if service and is_ready else _pending(one, without),
    )
    return {
        "clusters": [{"cluster": label} for label in sorted(one.clusters.values())],
        "conditions": conditions.listed(found, [ready], now),
    }


def _import_port(port: ExportedPort) -> dict[str, Any]:
    found: dict[str, Any] = {"port": port.port, "protocol": port.protocol}
    optional = {"name": port.name, "appProtocol": port.app_protocol}
    return found | {key: text for key, text in optional.items() if text}


def updated(found: Object, fresh: Mapping[str, Any]) -> Object:
    """ServiceImport ``found`` with our part of it from ``fresh``; labels of others stay.

    A field that the cluster dropped at an earlier write is not written again.
    """
    was = owned_services.made(found)
    wanted = fresh["metadata"]
    marked = {k: v for k, v in labels(found).items() if k not in was.labels} | wanted["labels"]
    noted = {k: v for k, v in annotations(found).items() if k not in was.annotations}
    noted |= wanted["annotations"]
    again = adoption.with_metadata(found, marked, noted)
    before = spec_of(found)
    told = owned_services.made(fresh).fields
    dropped = {field for field in was.fields if field in told and field not in before}
    spec = {key: value for key, value in fresh["spec"].items() if key not in dropped}
    if "ownerReferences" in wanted:
        again["metadata"]["ownerReferences"] = wanted["ownerReferences"]
        return {**again, "spec": spec}
    # Until the derived Service is back, the address stays the same.
    kept = {k: v for k, v in before.items() if k in ("ips", "ipFamilies")}
    return {**again, "spec": {**spec, **kept}}


def _pending(one: MergedExport, without: str) -> str:
    if any(port.protocol == "TCP" for port in one.terms.ports):
        return without
    return "no exported port is TCP, so no port is carried"


def _ready(one: MergedExport, service: Object, pods: str) -> str:
    sites = counted(len(one.clusters), "exporting site")
    lacking = not_carried(one.terms.ports, carried_ports(service))
    return f"Service {name_of(service)} leads to {sites}{pods}{lacking}"


def not_carried(ports: Collection[ExportedPort], carried: Collection[int]) -> str:
    """Ports that do not answer, as the end of a condition's message; empty: none."""
    others = [p for p in ports if p.protocol != "TCP"]
    missing = [p for p in ports if p.protocol == "TCP" and p.port not in carried]
    told = [f"{port_list(others)} (routers carry only TCP)"] if others else []
    if missing:
        told.append(f"{port_list(missing)} (not in the declaration that counts here)")
    return f"; not carried: {', '.join(told)}" if told else ""


def port_list(ports: Iterable[ExportedPort]) -> str:
    """Ports with their protocols, human-readable."""
    return ", ".join(f"{port.protocol} {port.port}" for port in ports)
