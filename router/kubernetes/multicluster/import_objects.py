"""ServiceImports as objects: made from a merged export, updated, and their status. Pure."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import msgspec

from router.kubernetes.multicluster import conditions
from router.kubernetes.multicluster.merging import MergedExport
from router.kubernetes.multicluster.names import API_VERSION, DERIVED_SERVICE, IMPORT
from router.kubernetes.objects import copied_labels, names
from router.kubernetes.objects.objects import Object, annotations, labels, metadata, name_of
from router.kubernetes.services import adoption, owned_services
from router.model.exports import HEADLESS, ExportedPort, ExportTerms
from router.model.plural import counted

_LATER_FIELDS: Final = ("internalTrafficPolicy", "ipFamilies", "trafficDistribution")
"""Of a ServiceImport's spec since mcs-api 0.4. A cluster with older CRDs drops them."""
_HEADLESS_LIMIT: Final = (
    "it is headless, and its name leads to any ready pod: names of single pods need EndpointSlices "
    "of the API, which this site does not make"
)
_FAMILIES: Final = {True: "IPv6", False: "IPv4"}


def carried_ports(service: Object) -> frozenset[int]:
    """Ports at which a derived Service leads to the routers."""
    return frozenset(port["port"] for port in adoption.ports(service))


def marks(name: str) -> dict[str, str]:
    """Labels of what this site makes for the service ``name``."""
    ours = {names.MANAGED_BY_LABEL: names.MANAGED_BY, names.CLUSTERSET_LABEL: name}
    return {**names.PART_OF, **ours}


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
        addresses = _addresses(service)
        spec["ipFamilies"] = [_FAMILIES[":" in address] for address in addresses]
        if not is_headless:
            spec["ips"] = addresses
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
        meta["ownerReferences"] = [_owner(service)]
    return meta


def import_status(
    found: Object, one: MergedExport, service: Object | None, now: str
) -> dict[str, Any]:
    """What the status of ServiceImport ``found`` should be at ``now`` (RFC 3339)."""
    is_ready = service is not None and bool(_addresses(service))
    ready = conditions.condition(
        "Ready",
        is_true=is_ready,
        reason="Ready" if is_ready else "Pending",
        message=_ready(one, service) if service is not None and is_ready else _pending(one),
    )
    return {
        "clusters": [{"cluster": label} for label in cluster_labels(one.sites)],
        "conditions": conditions.listed(found, [ready], now),
    }


def _import_port(port: ExportedPort) -> dict[str, Any]:
    found: dict[str, Any] = {"port": port.port, "protocol": port.protocol}
    optional = {"name": port.name, "appProtocol": port.app_protocol}
    return found | {key: text for key, text in optional.items() if text}


def _owner(service: Object) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "name": name_of(service),
        "uid": str(metadata(service).get("uid", "")),
    }


def _addresses(service: Object) -> list[str]:
    spec = adoption.spec(service)
    found = spec.get("clusterIPs") or [spec.get("clusterIP") or ""]
    return [each for each in found if isinstance(each, str) and each not in ("", "None")]


def updated(found: Object, fresh: Mapping[str, Any]) -> Object:
    """ServiceImport ``found`` with our part of it as in ``fresh``; labels of others stay.

    A field that the cluster dropped when it was written before is not written again.
    """
    was = owned_services.made(found)
    wanted = fresh["metadata"]
    marked = {k: v for k, v in labels(found).items() if k not in was.labels} | wanted["labels"]
    noted = {k: v for k, v in annotations(found).items() if k not in was.annotations}
    noted |= wanted["annotations"]
    again = adoption.with_metadata(found, marked, noted)
    before = adoption.spec(found)
    told = owned_services.made(fresh).fields
    dropped = {field for field in was.fields if field in told and field not in before}
    spec = {key: value for key, value in fresh["spec"].items() if key not in dropped}
    if "ownerReferences" in wanted:
        again["metadata"]["ownerReferences"] = wanted["ownerReferences"]
        return {**again, "spec": spec}
    # Until the derived Service is back the address stays what it was.
    kept = {k: v for k, v in before.items() if k in ("ips", "ipFamilies")}
    return {**again, "spec": {**spec, **kept}}


def _pending(one: MergedExport) -> str:
    if any(port.protocol == "TCP" for port in one.terms.ports):
        return "the derived Service has no address yet"
    return "no exported port is TCP, so no port is carried"


def _ready(one: MergedExport, service: Object) -> str:
    sites = counted(len(one.sites), "exporting site")
    carried = carried_ports(service)
    return f"Service {name_of(service)} leads to {sites}{limits_of(one.terms, carried)}"


def limits_of(terms: ExportTerms, carried: Collection[int]) -> str:
    """What of ``terms`` does not work, as the end of a condition's message; empty: nothing."""
    lacking = not_carried(terms.ports, carried)
    found = f"; not carried: {lacking}" if lacking else ""
    return f"{found}; {_HEADLESS_LIMIT}" if terms.kind == HEADLESS else found


def not_carried(ports: Collection[ExportedPort], carried: Collection[int]) -> str:
    """Ports of an import at which nothing answers, for people; empty: none."""
    others = [p for p in ports if p.protocol != "TCP"]
    missing = [p for p in ports if p.protocol == "TCP" and p.port not in carried]
    told = [f"{port_list(others)} (routers carry only TCP)"] if others else []
    if missing:
        told.append(f"{port_list(missing)} (not in the declaration that counts here)")
    return ", ".join(told)


def port_list(ports: Iterable[ExportedPort]) -> str:
    """Ports with their protocols, for people."""
    return ", ".join(f"{port.protocol} {port.port}" for port in ports)


def cluster_labels(sites: Collection[str]) -> list[str]:
    """Names of sites as the DNS labels that ``status.clusters`` needs, each once."""
    found = ("".join(c if c.isalnum() else "-" for c in site.lower()).strip("-") for site in sites)
    return sorted({label[:63].strip("-") for label in found} - {""})
