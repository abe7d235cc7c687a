"""What every pod and container of ours must keep to, wherever its manifest comes from."""

from collections.abc import Iterator, Mapping
from typing import Any

from router.kubernetes.objects import texts
from router.kubernetes.objects.objects import Object

TEMPLATES = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}


def pod_spec(found: Object) -> Mapping[str, Any]:
    """The pod that a workload makes."""
    for key in (*TEMPLATES[found["kind"]], "spec"):
        found = found[key]
    return found


def containers(pod: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All containers of a pod."""
    yield from pod.get("initContainers", ())
    yield from pod["containers"]


def check_container(container: Mapping[str, Any]) -> None:
    """The restricted pod security standard, a read-only root, resource amounts, health probes."""
    security = container["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["privileged"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert security.get("runAsUser", 1001) != 0
    amount = container["resources"]
    for kind in ("cpu", "memory"):
        request = texts.amount(amount["requests"][kind])
        limit = texts.amount(amount["limits"][kind])
        assert request is not None and limit is not None and 0 < request <= limit
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["path"].partition("?")[0] in ("/healthz", "/readyz")
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert all(port["containerPort"] >= 1024 for port in container.get("ports", ()))
    assert {"name": "HOME", "value": "/tmp"} in container["env"]
    assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}


def check_pod(pod: Mapping[str, Any]) -> None:
    """As `check_container` for all of its containers, and nothing of the node in it."""
    for container in containers(pod):
        check_container(container)
    assert pod["securityContext"]["runAsNonRoot"] is True
    for shared in ("hostNetwork", "hostPID", "hostIPC"):
        assert shared not in pod
    for volume in pod["volumes"]:
        assert set(volume) - {"name"} <= {"emptyDir", "secret"}
        assert volume.get("emptyDir", {"medium": "Memory"})["medium"] == "Memory"
