"""Objects of a namespace as an API server shows them, in short."""

from collections.abc import Mapping
from typing import Any

from router.kubernetes.objects.objects import Snapshot
from router.model.specs import ConnectorSpec, Document, ServiceSpec, TargetSpec
from tests.unit.kubernetes.kept import seen

Made = dict[str, Any]


def pod(
    name: str,
    *ips: str,
    labels: Mapping[str, str] | None = None,
    ready: bool = True,
    phase: str = "Running",
    ports: Mapping[str, int] | None = None,
    deleted: bool | str = False,
    made: str = "",
    **annotations: str,
) -> Made:
    """``ports`` by name; a name may be empty. ``deleted``, ``made``: when, RFC 3339."""
    metadata: Made = {"name": name, "labels": {"app": "shop"} if labels is None else dict(labels)}
    if deleted:
        at = deleted if isinstance(deleted, str) else "2026-01-01T00:00:00Z"
        metadata["deletionTimestamp"] = at
    if made:
        metadata["creationTimestamp"] = made
    if annotations:
        metadata["annotations"] = {f"spillway.dev/{k}": v for k, v in annotations.items()}
    declared = [
        {"containerPort": number} | ({"name": port} if port else {})
        for port, number in (ports or {}).items()
    ]
    return {
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [{"name": "main", "ports": declared}]},
        "status": {
            "phase": phase,
            "podIP": ips[0] if ips else "",
            "podIPs": [{"ip": ip} for ip in ips],
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def workload(kind: str, name: str, replicas: int = 1, **annotations: str) -> Made:
    """Selects ``app=NAME``."""
    selector: Made = {"app": name} if kind == "DeploymentConfig" else {"matchLabels": {"app": name}}
    return {
        "kind": kind,
        "metadata": {
            "name": name,
            "annotations": {f"spillway.dev/{k}": v for k, v in annotations.items()},
        },
        "spec": {"selector": selector, "replicas": replicas},
    }


def service(name: str, *ports: Made, **spec: Any) -> Made:
    """A Service. ``spec``: ``selector`` and any other field; also ``metadata``."""
    metadata = {"name": name} | spec.pop("metadata", {})
    return {"kind": "Service", "metadata": metadata, "spec": {"ports": list(ports), **spec}}


def endpoints(
    name: str,
    of: str,
    *found: Made,
    ports: Mapping[str, int | None] | None = None,
    family: str = "IPv4",
    managed_by: str = "endpointslice-controller.k8s.io",
) -> Made:
    """One EndpointSlice of Service ``of``."""
    return {
        "kind": "EndpointSlice",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/service-name": of,
                "endpointslice.kubernetes.io/managed-by": managed_by,
            },
        },
        "addressType": family,
        "ports": [{"name": k, "port": v} for k, v in (ports or {"": 8080}).items()],
        "endpoints": list(found),
    }


def endpoint(address: str, of_pod: str = "", **conditions: bool) -> Made:
    """One endpoint; conditions that are not given are not said."""
    found: Made = {"addresses": [address], "conditions": conditions}
    if of_pod:
        found["targetRef"] = {"kind": "Pod", "name": of_pod}
    return found


def snapshot(*objects: Made, missing: frozenset[str] = frozenset()) -> Snapshot:
    """A namespace ``web`` with these objects."""
    by_kind: dict[str, dict[str, Made]] = {}
    for found in objects:
        by_kind.setdefault(found["kind"], {})[found["metadata"]["name"]] = found
    return seen("web", by_kind, missing)


def connector(workload: str, *target_ports: int | str, **fields: Any) -> Document:
    """A Connector of service ``shop``."""
    spec = ConnectorSpec(
        service="shop", workload=workload, target_ports=tuple(target_ports), **fields
    )
    return Document("Connector", "shop", spec, "ConfigMap/shop", 1)


def declared(*ports: int) -> Document:
    """The declaration of service ``shop``."""
    return Document("Service", "shop", ServiceSpec(ports=ports), "ConfigMap/shop", 9)


def targets(found: tuple[Document, ...]) -> tuple[TargetSpec, ...]:
    """Of the first connector."""
    spec = next(d.spec for d in found if isinstance(d.spec, ConnectorSpec))
    return spec.targets
