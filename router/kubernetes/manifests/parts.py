"""Parts shared by all manifests: metadata, the restricted security context, probes, environment."""

from collections.abc import Mapping
from typing import Any, Final

from router import __version__
from router.kubernetes.objects import names

Json = dict[str, Any]

PROBES_PORT: Final = 9090
"""In the router's Deployment: the port of Skupper v1's router for probes and scrapes."""
SIDECAR_PROBES_PORT: Final = 55672
"""Beside an application, whose ports are unknown, often 9090 among them."""

STARTS_WITHIN_S: Final = 3
"""A router on a node that is not busy usually starts within this time: it is ready in about 1 s."""

CONSOLE_PORT_NAME: Final = "console"
"""Set with and without a console, so that turning it on replaces no pod."""

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
    """Metadata of one of our objects; ours wins over the user's ``labels`` and ``annotations``."""
    made: Json = {"name": name}
    if namespace:
        made["namespace"] = namespace
    made["labels"] = {**(labels or {}), **own_labels(component)}
    made["annotations"] = dict(sorted({**(annotations or {}), names.VERSION: __version__}.items()))
    return made


def own_labels(component: str) -> dict[str, str]:
    """Labels of all our objects."""
    return {
        "app.kubernetes.io/name": f"spillway-{component}",
        **names.PART_OF,
        names.COMPONENT_LABEL: component,
    }


def pod_security(user: int | None = None, group: int | None = None) -> Json:
    """Security context of a pod under the restricted standard; OpenShift chooses a missing user."""
    security: Json = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if user is not None:
        security["runAsUser"] = user
    if group is not None:
        security["runAsGroup"] = group
    return security


def container_security() -> Json:
    """Security context of every container: the restricted standard and a read-only root."""
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
    """An HTTP probe with all values set: defaults filled in by the API would look like changes."""
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
    """Startup, liveness and readiness probes: they check this process alone, never its peers.

    ``started``: must succeed before the other probes start, within two minutes.
    ``delay_s``: each failed probe is a Warning Event (``Unhealthy``), so probes start after the
    usual start time.
    """
    return {
        "startupProbe": probe(started, port, every_s=1, failures=120, delay_s=delay_s),
        "livenessProbe": probe("/healthz", port, every_s=10, failures=6, timeout_s=5),
        "readinessProbe": probe("/readyz", port, every_s=2, failures=2, delay_s=delay_s),
    }


def from_field(name: str, path: str) -> Json:
    """An environment variable with a field of the pod."""
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def memory_volume(name: str, size: str) -> Json:
    """A directory that lives and dies with the pod, never on a disk: it holds keys."""
    return {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": size}}
