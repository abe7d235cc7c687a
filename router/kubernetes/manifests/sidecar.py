"""A router in an application's pod: a separate edge that offers services at loopback.

Each service gets a separate address (127.0.0.2, 127.0.0.3, …), so that services can share ports,
and its name resolves to that address. Each pod makes a new key, in memory, and is admitted by one
certificate token, which any number of sites may use.
"""

import base64
import copy
from collections.abc import Sequence
from typing import Final

import msgspec

from router.kubernetes.manifests import resources
from router.kubernetes.manifests.image import PULL_POLICY, PullPolicy
from router.kubernetes.manifests.parts import (
    SIDECAR_PROBES_PORT,
    STATE_DIR,
    TMP_DIR,
    Json,
    container_security,
    from_field,
    memory_volume,
    metadata,
    probes,
)
from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object, name_of, shown
from router.kubernetes.objects.objects import metadata as metadata_of
from router.model.errors import ConfigError

CONTAINER: Final = "spillway"
STATE, TMP, TOKEN = "spillway-state", "spillway-tmp", "spillway-token"
TOKEN_DIR, TOKEN_KEY = "/etc/spillway/token", "token.yaml"
API_CREDENTIAL_DIR: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
LOW_PORTS: Final = "net.ipv4.ip_unprivileged_port_start"
SERVICES_MAX: Final = 200  # Addresses of 127.0.0.0/24, some of which the pod may use itself.
IMAGE_USER: Final = 1001
PLAIN_PRE_STOP_S: Final = 5

_TEMPLATES: Final = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "DeploymentConfig": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
_WAITS: Final = """
import os, time, urllib.request as web
host = os.environ["POD_IP"]
place = f"http://{f'[{host}]' if ':' in host else host}:{PORT}{PATH}"
door = web.build_opener(web.ProxyHandler({}))
for _ in range(120):
    try:
        door.open(place, timeout=2).close()
        break
    except OSError:
        time.sleep(0.5)
"""
"""Waits up to about a minute until a startup probe would succeed: no probe holds others back here.

A router that is ready before its link is up would let the application start without its services.
"""


class SidecarService(msgspec.Struct, frozen=True):
    """A service that the application calls by ``name``. ``ports``: as far as known."""

    name: str
    ports: tuple[int, ...] = ()


class Sidecar(msgspec.Struct, frozen=True):
    """The workload with its sidecar, and warnings about parts that may not work."""

    workload: Object
    errors: tuple[ConfigError, ...] = ()


def has_template(found: Object) -> bool:
    """Whether a sidecar can be put into an object of this kind."""
    return found.get("kind") in _TEMPLATES


def sidecar(
    workload: Object,
    services: Sequence[SidecarService],
    token_secret: str,
    *,
    image: str,
    pull_policy: PullPolicy = PULL_POLICY,
    native: bool = True,
) -> Sidecar:
    """``workload`` with a router in its pods; everything else in it stays, also when repeated.

    ``token_secret``: name of the Secret whose key `TOKEN_KEY` holds the token.
    ``native``: an init container that keeps running (Kubernetes 1.29). The application starts after
    it, and it ends after the application, so that a Job ends.

    Raises ConfigError: that pod cannot have a sidecar.
    """
    if not has_template(workload):
        kinds = ", ".join(_TEMPLATES)
        raise _error(workload, "kind", "has no pods", f"A sidecar goes into {kinds}", "SW0452")
    if not native and workload["kind"] in ("Job", "CronJob"):
        raise _error(
            workload,
            "kind",
            "would never end: a plain container goes on after the application",
            "Use a native sidecar (Kubernetes 1.29), or call the Services of the namespace's site",
            "SW0453",
        )
    made = copy.deepcopy(dict(workload))
    template = made
    for key in _TEMPLATES[workload["kind"]]:
        template = template.setdefault(key, {})
    pod: Json = template.setdefault("spec", {})
    if pod.get("hostNetwork"):
        raise _error(
            workload,
            "spec.template.spec.hostNetwork",
            "shares the addresses of its node",
            "Take hostNetwork out, or call the Services of the namespace's site",
            "SW0454",
        )
    if not services or len(services) > SERVICES_MAX:
        raise _error(workload, "", f"1 to {SERVICES_MAX} services", "Name some", "SW0455")
    _forget(pod)
    addresses = _addresses(pod, services)
    container = _container(pod, addresses, image, pull_policy, native=native)
    _put_container(pod, container, native=native)
    _put_volumes(pod, token_secret)
    _put_names(pod, addresses, str(metadata_of(workload).get("namespace", "")))
    if any(port < 1024 for service in services for port in service.ports or (0,)):
        _put_sysctl(pod)
    return Sidecar(made, tuple(_clashes(workload, pod, services)))


def token_secret(name: str, namespace: str, text: str) -> Object:
    """The Secret of a certificate token, without the label that would make a link of it."""
    made = metadata(name, namespace, component="sidecar")
    made["labels"][names.TYPE_LABEL] = "sidecar-token"
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": made,
        "type": "Opaque",
        "data": {TOKEN_KEY: base64.b64encode(text.encode()).decode("ascii")},
    }


def _addresses(pod: Json, services: Sequence[SidecarService]) -> dict[str, str]:
    """An address for each service, not used by the pod's host aliases."""
    taken = {alias.get("ip") for alias in pod.get("hostAliases") or []}
    free = (ip for ip in (f"127.0.0.{last}" for last in range(2, 256)) if ip not in taken)
    return {service.name: next(free) for service in services}


def _forget(pod: Json) -> None:
    """Remove the names of an earlier sidecar; its container and volumes are replaced."""
    both = [*(pod.get("initContainers") or []), *(pod.get("containers") or [])]
    words = [word for one in both if one.get("name") == CONTAINER for word in one.get("args") or []]
    given = {word.partition("=")[2].removesuffix(":auto") for word in words if "=" in word}
    kept = [alias for alias in pod.get("hostAliases") or [] if alias.get("ip") not in given]
    if "hostAliases" in pod:
        pod["hostAliases"] = kept


def _container(
    pod: Json, addresses: dict[str, str], image: str, pull_policy: PullPolicy, *, native: bool
) -> Json:
    words = ["run", "--init", "--ephemeral", "--token", f"{TOKEN_DIR}/{TOKEN_KEY}"]
    for service, address in addresses.items():
        words += ["--listen", f"{service}={address}:auto"]
    security = container_security()
    if (pod.get("securityContext") or {}).get("runAsUser") == 0:
        security["runAsUser"] = IMAGE_USER
    started = "/readyz?" + "&".join(f"service={service}" for service in addresses)
    container: Json = {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": pull_policy,
        "args": words,
        "env": [
            {"name": "HOME", "value": TMP_DIR},
            {"name": "SITECTL_PLATFORM", "value": "process"},
            {"name": "SITECTL_STATE", "value": STATE_DIR},
            {"name": "SPILLWAY_PROBES", "value": f":{SIDECAR_PROBES_PORT}"},
            from_field("SITECTL_SITE", "metadata.name"),
        ],
        **probes(SIDECAR_PROBES_PORT, started),
        "resources": resources.SIDECAR.as_resources(),
        "securityContext": security,
        "volumeMounts": [
            {"name": STATE, "mountPath": STATE_DIR},
            {"name": TMP, "mountPath": TMP_DIR},
            {"name": TOKEN, "mountPath": TOKEN_DIR, "readOnly": True},
            # In place of the pod's API credential, which the application may need but the sidecar
            # does not.
            {"name": TMP, "mountPath": API_CREDENTIAL_DIR, "subPath": "none"},
        ],
    }
    if native:
        container["restartPolicy"] = "Always"
    else:
        container["env"].append(from_field("POD_IP", "status.podIP"))
        waits = _WAITS.replace("{PORT}", str(SIDECAR_PROBES_PORT)).replace("{PATH}", started)
        # Containers start one by one, each after the hook of the previous one.
        container["lifecycle"] = {
            "postStart": {"exec": {"command": ["python3", "-c", waits]}},
            "preStop": {"exec": {"command": ["sleep", str(PLAIN_PRE_STOP_S)]}},
        }
    return container


def _put_container(pod: Json, container: Json, *, native: bool) -> None:
    """Put the container first of its kind, so that all others find the services."""
    for key in ("initContainers", "containers"):
        others = [other for other in pod.get(key) or [] if other.get("name") != CONTAINER]
        if (key == "initContainers") == native:
            others.insert(0, container)
        if others or key in pod:
            pod[key] = others


def _put_volumes(pod: Json, secret: str) -> None:
    volumes = [
        volume
        for volume in pod.get("volumes") or []
        if volume.get("name") not in (STATE, TMP, TOKEN)
    ]
    pod["volumes"] = [
        *volumes,
        memory_volume(STATE, "16Mi"),
        memory_volume(TMP, "16Mi"),
        {"name": TOKEN, "secret": {"secretName": secret, "defaultMode": 0o444}},
    ]


def _put_names(pod: Json, addresses: dict[str, str], namespace: str) -> None:
    """Add host aliases, which win over DNS, without the cluster's domain, which is not known."""
    pod["hostAliases"] = (pod.get("hostAliases") or []) + [
        {
            "ip": address,
            "hostnames": [service]
            + ([f"{service}.{namespace}", f"{service}.{namespace}.svc"] if namespace else []),
        }
        for service, address in addresses.items()
    ]


def _put_sysctl(pod: Json) -> None:
    """Let the pod listen on port 80 without a capability; Kubernetes counts this sysctl as safe."""
    security = pod.get("securityContext") or {}
    sysctls = [one for one in security.get("sysctls") or [] if one.get("name") != LOW_PORTS]
    security["sysctls"] = [*sysctls, {"name": LOW_PORTS, "value": "0"}]
    pod["securityContext"] = security


def _clashes(workload: Object, pod: Json, services: Sequence[SidecarService]) -> list[ConfigError]:
    """Ports that the application declares and that a service of the same pod uses, too."""
    own = {
        port.get("containerPort"): container.get("name", "")
        for container in pod.get("containers") or []
        for port in container.get("ports") or []
    }
    wanted = [(service.name, port) for service in services for port in service.ports]
    found = [
        _error(
            workload,
            "spec.template.spec.containers",
            f"{own[port]} listens on port {port}, and so does the sidecar for {service}: the "
            "second one fails, unless each names its own address",
            f"Have {own[port]} listen on another port or on the pod's address only",
            "SW0456",
        )
        for service, port in wanted
        if port in own
    ]
    if SIDECAR_PROBES_PORT in own:
        found.append(
            _error(
                workload,
                "spec.template.spec.containers",
                f"{own[SIDECAR_PROBES_PORT]} listens on port {SIDECAR_PROBES_PORT}, where the "
                "sidecar is probed",
                "Give it another port",
                "SW0456",
            )
        )
    return found


def _error(workload: Object, path: str, reason: str, hint: str, code: str) -> ConfigError:
    source = shown(workload) if name_of(workload) else str(workload.get("kind", "?"))
    return ConfigError(source, path, reason, hint=hint, code=code)
