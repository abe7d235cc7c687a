"""What all manifests share: metadata, the restricted security context, probes, environment."""

from collections.abc import Mapping
from typing import Any, Final

from router import __version__
from router.kubernetes.objects import names

Json = dict[str, Any]

PROBES_PORT: Final = 9090
"""Of the router's Deployment: where Skupper v1's router answers its probes and scrapes too."""
SIDECAR_PROBES_PORT: Final = 55672
"""Beside an application, whose own ports are unknown, 9090 among them quite often."""

STARTS_WITHIN_S: Final = 3
"""Usually, on a node that is not busy; ready, that is, in about one."""

CONSOLE_PORT_NAME: Final = "console"
"""Stated whether there is a console or not: switching it on replaces no pod."""

STATE_DIR: Final = "/var/lib/spillway"
TMP_DIR: Final = "/tmp"


def metadata(
    name: str,
    namespace: str,
    *,
    component: str = names.COMPONENT_ROUTER,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Json:
    """Metadata of an object of ours; ``labels`` and ``annotations`` are the user's, ours win."""
    made: Json = {"name": name}
    if namespace:
        made["namespace"] = namespace
    made["labels"] = {**(labels or {}), **own_labels(component)}
    made["annotations"] = dict(sorted({**(annotations or {}), names.VERSION: __version__}.items()))
    return made


def own_labels(component: str) -> dict[str, str]:
    """Labels of every object of ours."""
    return {
        "app.kubernetes.io/name": f"spillway-{component}",
        **names.PART_OF,
        names.COMPONENT_LABEL: component,
    }


def pod_security(user: int | None = None, group: int | None = None) -> Json:
    """Of a pod under the restricted standard; OpenShift chooses the user unless one is stated."""
    security: Json = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if user is not None:
        security["runAsUser"] = user
    if group is not None:
        security["runAsGroup"] = group
    return security


def container_security() -> Json:
    """Of every container: the restricted standard and a root that nobody can write."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def probe(
    path: str, port: int | str, *, every_s: int, failures: int, timeout_s: int = 2, delay_s: int = 0
) -> Json:
    """An HTTP probe. All values are stated: what the API fills in would look like a change."""
    delay = {"initialDelaySeconds": delay_s} if delay_s else {}
    return {
        **delay,
        "httpGet": {"path": path, "port": port, "scheme": "HTTP"},
        "periodSeconds": every_s,
        "timeoutSeconds": timeout_s,
        "failureThreshold": failures,
        "successThreshold": 1,
    }


def probes(port: int | str, started: str = "/healthz", delay_s: int = 0) -> Json:
    """Startup, liveness and readiness: about this process alone, never about its peers.

    ``started``: what must answer before the first of the others is asked, for two minutes at most.
    ``delay_s``: each probe that fails is a Warning Event (``Unhealthy``), so none is asked before
    a usual start is over.
    """
    return {
        "startupProbe": probe(started, port, every_s=1, failures=120, delay_s=delay_s),
        "livenessProbe": probe("/healthz", port, every_s=10, failures=6, timeout_s=5),
        "readinessProbe": probe("/readyz", port, every_s=2, failures=2, delay_s=delay_s),
    }


def from_field(name: str, path: str) -> Json:
    """An environment variable that tells the pod of itself."""
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def memory_volume(name: str, size: str) -> Json:
    """A directory that lives and dies with the pod, never on a disk: keys lie in it."""
    return {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": size}}
