"""Workloads as targets: which there are, what ports they declare."""

from typing import Final

from router.kubernetes.objects.objects import Snapshot, part
from router.kubernetes.objects.texts import PortPairs, label_pairs
from router.kubernetes.translation.ported import service_ports
from router.kubernetes.translation.workloads import ports_of
from router.model.wording.suggestions import nearest
from sitectl.base.failure import not_allowed, not_found, usage

_KINDS: Final = {
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "deploymentconfig": "DeploymentConfig",
    "service": "Service",
}


def workload_name(snapshot: Snapshot, kind: str, name: str, namespace: str) -> str:
    """As a connector states it. Failure: no such workload, or one that no router here may see."""
    if kind == "pods":
        if not name or not isinstance(label_pairs(name), dict):
            raise usage(f"{name!r} is not a label selector", "Write it as app=shop,tier=web")
        return name
    elsewhere = namespace if namespace not in ("", snapshot.namespace) else ""
    if elsewhere and kind != "service":
        raise not_allowed(
            f"a router sees the workloads of its own namespace, not those of {elsewhere!r}",
            f"Bind its Service: sitectl service bind NAME service/{name}.{elsewhere}",
            code="other-namespace",
        )
    if elsewhere:
        return f"{name}.{elsewhere}"
    if "." in name and kind == "service":
        return name  # NAME.NAMESPACE: of a namespace that we may not look into.
    there = snapshot.of(_KINDS[kind])
    if name in there or _KINDS[kind] in snapshot.missing:
        return name
    meant = nearest(name, there)
    raise not_found(
        f"no {kind} {name!r} in namespace {snapshot.namespace}",
        f"Did you mean {kind}/{meant}?"
        if meant
        else f"kubectl -n {snapshot.namespace} get {_KINDS[kind].lower()}s",
    )


def declared_ports(snapshot: Snapshot, kind: str, name: str) -> PortPairs:
    """Ports for clients, each with that of the pods; none when it declares none."""
    found = snapshot.get(_KINDS.get(kind, ""), name)
    if found is None:
        return ()
    if kind == "service":
        return service_ports(found)
    governing = part(found, "spec", "serviceName")
    service = snapshot.get("Service", governing) if isinstance(governing, str) else None
    return ports_of(found, service)
