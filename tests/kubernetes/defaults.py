"""The defaults that the real server writes into objects, so that clients must live with them."""

from collections.abc import Callable
from typing import Any, Final

from tests.kubernetes.resources import Json

SECRET_MODE: Final = 0o644
_ROLLING: Final = {"maxSurge": "25%", "maxUnavailable": "25%"}


def _default(found: Json, **values: Any) -> None:
    for key, value in values.items():
        found.setdefault(key, value)


def _probe(probe: Json | None) -> None:
    if probe is None:
        return
    _default(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    if "httpGet" in probe:
        _default(probe["httpGet"], path="/", scheme="HTTP")
    if "grpc" in probe:
        _default(probe["grpc"], service="")


def _container(container: Json) -> None:
    image = container.get("image", "")
    latest = image.endswith(":latest") or ":" not in image.rpartition("/")[2]
    _default(
        container,
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy="Always" if latest and "@" not in image else "IfNotPresent",
    )
    limits = container["resources"].get("limits") or {}
    if limits:
        requests = dict(container["resources"].get("requests") or {})
        container["resources"] = {
            **container["resources"],
            "requests": {**limits, **requests},
        }
    for port in container.get("ports") or []:
        _default(port, protocol="TCP")
    for variable in container.get("env") or []:
        if variable.get("value") == "":
            del variable["value"]
        if "fieldRef" in (variable.get("valueFrom") or {}):
            _default(variable["valueFrom"]["fieldRef"], apiVersion="v1")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        _probe(container.get(probe))
    for hook in (container.get("lifecycle") or {}).values():
        if "httpGet" in hook:
            _default(hook["httpGet"], path="/", scheme="HTTP")


def _volume(volume: Json) -> None:
    for kind in ("secret", "configMap", "downwardAPI", "projected"):
        if kind in volume:
            _default(volume[kind], defaultMode=SECRET_MODE)
    for source in (volume.get("projected") or {}).get("sources") or []:
        if "serviceAccountToken" in source:
            _default(source["serviceAccountToken"], expirationSeconds=3600)
    if set(volume) == {"name"}:
        volume["emptyDir"] = {}


def pod_spec(spec: Json) -> None:
    """Defaults of a pod or of a template, in place."""
    _default(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        securityContext={},
        schedulerName="default-scheduler",
    )
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        _container(container)
    for volume in spec.get("volumes") or []:
        _volume(volume)
    if "serviceAccountName" in spec:
        spec["serviceAccount"] = spec["serviceAccountName"]


def _pod(found: Json) -> None:
    spec = found.setdefault("spec", {})
    _default(
        spec,
        serviceAccountName="default",
        enableServiceLinks=True,
        preemptionPolicy="PreemptLowerPriority",
        priority=0,
    )
    pod_spec(spec)
    status = found.setdefault("status", {})
    status.setdefault("phase", "Pending")
    status.setdefault("qosClass", _quality(spec))


def _quality(spec: Json) -> str:
    """The quality of service that the requests and limits of a pod's containers give it."""
    containers = [*(spec.get("initContainers") or []), *spec.get("containers", [])]
    stated = [each.get("resources") or {} for each in containers]
    if not any(each.get("requests") or each.get("limits") for each in stated):
        return "BestEffort"
    is_whole = all(
        {"cpu", "memory"} <= (each.get("limits") or {}).keys()
        and each.get("requests", each["limits"]) == each["limits"]
        for each in stated
    )
    return "Guaranteed" if is_whole else "Burstable"


def _template(spec: Json) -> None:
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {}).setdefault("creationTimestamp", None)
    pod_spec(template.setdefault("spec", {}))


def _deployment(found: Json) -> None:
    spec = found.setdefault("spec", {})
    _default(
        spec,
        replicas=1,
        revisionHistoryLimit=10,
        progressDeadlineSeconds=600,
        strategy={"type": "RollingUpdate"},
    )
    spec["strategy"].setdefault("type", "RollingUpdate")
    if spec["strategy"]["type"] == "RollingUpdate":
        spec["strategy"]["rollingUpdate"] = {
            **_ROLLING,
            **(spec["strategy"].get("rollingUpdate") or {}),
        }
    _template(spec)


def _replica_set(found: Json) -> None:
    _default(found.setdefault("spec", {}), replicas=1)
    _template(found["spec"])


def _stateful_set(found: Json) -> None:
    spec = found.setdefault("spec", {})
    _default(
        spec,
        replicas=1,
        revisionHistoryLimit=10,
        podManagementPolicy="OrderedReady",
        updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain", "whenScaled": "Retain"},
    )
    _template(spec)


def _daemon_set(found: Json) -> None:
    spec = found.setdefault("spec", {})
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    _default(spec, revisionHistoryLimit=10, updateStrategy=strategy)
    _template(spec)


def _job(found: Json) -> None:
    spec = found.setdefault("spec", {})
    _default(
        spec,
        parallelism=1,
        completions=1,
        backoffLimit=6,
        completionMode="NonIndexed",
        suspend=False,
        manualSelector=False,
        podReplacementPolicy="TerminatingOrFailed",
    )
    _template(spec)


def _service(found: Json) -> None:
    spec = found.setdefault("spec", {})
    _default(spec, type="ClusterIP", sessionAffinity="None")
    if spec["type"] != "ExternalName":
        _default(spec, internalTrafficPolicy="Cluster")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _default(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        _default(spec, allocateLoadBalancerNodePorts=True)
    for port in spec.get("ports") or []:
        if port.get("targetPort") in (0, ""):  # What typed clients send where there is none.
            del port["targetPort"]
        _default(port, protocol="TCP", targetPort=port.get("port"))
    balancer = found.setdefault("status", {}).setdefault("loadBalancer", {})
    if spec["type"] == "LoadBalancer":
        for place in balancer.get("ingress") or []:
            if place.get("ip"):
                _default(place, ipMode="VIP")


def _namespace(found: Json) -> None:
    metadata = found["metadata"]
    held = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": metadata["name"]}
    metadata["labels"] = held
    found.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    found.setdefault("status", {}).setdefault("phase", "Active")


def _binding(found: Json) -> None:
    found.get("roleRef", {}).setdefault("apiGroup", "rbac.authorization.k8s.io")
    for subject in found.get("subjects") or []:
        if subject.get("kind") != "ServiceAccount":
            subject.setdefault("apiGroup", "rbac.authorization.k8s.io")


def _network_policy(found: Json) -> None:
    spec = found.setdefault("spec", {})
    spec.setdefault("podSelector", {})
    spec.setdefault("policyTypes", ["Ingress", *(["Egress"] if "egress" in spec else [])])
    for rule in [*(spec.get("ingress") or []), *(spec.get("egress") or [])]:
        for port in rule.get("ports") or []:
            _default(port, protocol="TCP")


def _endpoint_slice(found: Json) -> None:
    for port in found.get("ports") or []:
        _default(port, name="", protocol="TCP")


def _route(found: Json) -> None:
    spec = found.setdefault("spec", {})
    _default(spec, wildcardPolicy="None")
    spec.setdefault("to", {}).setdefault("kind", "Service")
    _default(spec["to"], weight=100)


def _config_map(found: Json) -> None:
    for key in ("data", "binaryData"):
        if not found.get(key):
            found.pop(key, None)


def _secret(found: Json) -> None:
    _default(found, type="Opaque")
    if not found.get("data"):
        found.pop("data", None)


_BY_KIND: Final[dict[str, Callable[[Json], None]]] = {
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "Service": _service,
    "Namespace": _namespace,
    "ConfigMap": _config_map,
    "Secret": _secret,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
    "NetworkPolicy": _network_policy,
    "EndpointSlice": _endpoint_slice,
    "Route": _route,
}


def fill(kind: str, found: Json) -> None:
    """Write the defaults of ``kind`` into an object that is the caller's own."""
    if kind in _BY_KIND:
        _BY_KIND[kind](found)
