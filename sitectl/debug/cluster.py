"""The parts of a site that is a namespace: its objects, field by field, and its pods."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlencode

from router.kubernetes.objects.names import PART_OF, SITE_CONFIGMAP
from router.kubernetes.objects.objects import Object, metadata, name_of
from sitectl.debug.archive import ArchivePart, Content
from sitectl.debug.host import documents_of
from sitectl.debug.router_parts import router_parts
from sitectl.kubernetes.cluster import Cluster
from sitectl.kubernetes.door import SELECTOR
from sitectl.kubernetes.site import KubernetesSite

LOG_LINES, LOG_BYTES_MAX = 5_000, 1024 * 1024
_OWN: Final = ",".join(f"{key}={value}" for key, value in PART_OF.items())
_KINDS: Final = (
    *("ConfigMap", "Secret", "Service", "ServiceAccount", "Deployment", "Role", "RoleBinding"),
    *("Lease", "EndpointSlice", "PodDisruptionBudget", "NetworkPolicy", "Ingress"),
)
_ANNOTATIONS_SHOWN: Final = frozenset(
    {
        *("skupper.io/proxy", "skupper.io/address", "skupper.io/port", "skupper.io/target"),
        *("skupper.io/cost", "spillway.dev/capacity", "spillway.dev/cost", "spillway.dev/policy"),
    }
)
_SITE_HIDDEN: Final = ("console-password",)
_CONTAINER_SHOWN: Final = ("name", "ready", "restartCount", "state", "lastState")
_SPEC_SHOWN: Final = frozenset(
    {
        *("replicas", "selector", "type", "clusterIP", "clusterIPs", "ports", "ipFamilies"),
        *("externalTrafficPolicy", "internalTrafficPolicy", "publishNotReadyAddresses"),
        *("holderIdentity", "leaseDurationSeconds", "renewTime", "minAvailable", "strategy"),
        *("serviceAccountName", "nodeName", "hostNetwork", "ingressClassName", "podSelector"),
    }
)


def namespace_parts(site: KubernetesSite) -> list[ArchivePart]:
    """The namespace as far as the user may read it, then the data of a ready router."""
    cluster = site.cluster
    return [
        ArchivePart("documents.json", lambda: documents_of(site)),
        ArchivePart("cluster/version.json", lambda: _answer(cluster, "version")),
        *(ArchivePart(f"cluster/{kind}.json", _listing(cluster, kind)) for kind in _KINDS),
        ArchivePart(
            "cluster/Pod.json", lambda: [_pod(one) for one in cluster.list("Pod", SELECTOR)]
        ),
        ArchivePart("cluster/Event.json", lambda: list(_events(cluster))),
        ArchivePart("cluster/rights.json", lambda: _rights(cluster)),
        ArchivePart("logs/pods.txt", lambda: "\n".join(_logs(cluster))),
        *router_parts(site.admin),
    ]


def _listing(cluster: Cluster, kind: str) -> Callable[[], Content]:
    def collect() -> Content:
        found = cluster.list(kind, _OWN)
        if kind == "ConfigMap":  # Skupper's tools make it without our label.
            found += [
                one
                for one in (cluster.find(kind, SITE_CONFIGMAP),)
                if one is not None and name_of(one) not in map(name_of, found)
            ]
        return [_object(one) for one in found]

    return collect


def _answer(cluster: Cluster, path: str) -> Content:
    told: Content = json.loads(cluster.call("GET", path).body)
    return told


def _headed(found: Object) -> dict[str, Any]:
    known = metadata(found)
    annotations = known.get("annotations") or {}
    return {
        "kind": found.get("kind"),
        "name": name_of(found),
        "labels": known.get("labels") or {},
        "annotations": {
            key: value if key in _ANNOTATIONS_SHOWN else "[not shown]"
            for key, value in annotations.items()
        },
        **{
            key: known[key]
            for key in ("uid", "creationTimestamp", "deletionTimestamp", "resourceVersion")
            if key in known
        },
    }


def _object(found: Object) -> dict[str, Any]:
    """The listed fields of an object; for the data of Secrets, names and sizes."""
    made = _headed(found)
    data = found.get("data") or {}
    if found.get("kind") == "ConfigMap" and name_of(found) == SITE_CONFIGMAP:
        made["data"] = {key: text for key, text in data.items() if key not in _SITE_HIDDEN}
    elif data:
        made["data_sizes"] = {key: len(str(text)) for key, text in data.items()}
    spec = found.get("spec") or {}
    made["spec"] = {key: spec[key] for key in spec if key in _SPEC_SHOWN}
    if "template" in spec:
        made["pods"] = _pod_spec(spec["template"].get("spec") or {})
    for key in ("rules", "roleRef", "subjects", "type", "addressType", "ports"):
        if key in found:
            made[key] = found[key]
    if found.get("kind") == "EndpointSlice":
        made["endpoints"] = len(found.get("endpoints") or [])
    made["status"] = _conditions(found.get("status") or {})
    return made


def _pod_spec(spec: Object) -> dict[str, Any]:
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    return {
        "serviceAccountName": spec.get("serviceAccountName"),
        "containers": [
            {
                **{key: one.get(key) for key in ("name", "image", "resources", "ports")},
                "environment": [entry.get("name") for entry in one.get("env") or []],
            }
            for one in containers
        ],
    }


def _conditions(status: Object) -> dict[str, Any]:
    shown = ("phase", "replicas", "readyReplicas", "updatedReplicas", "observedGeneration")
    return {
        **{key: status[key] for key in shown if key in status},
        "conditions": [
            {key: one.get(key) for key in ("type", "status", "reason", "message")}
            for one in status.get("conditions") or []
        ],
        "loadBalancer": status.get("loadBalancer"),
    }


def _pod(found: Object) -> dict[str, Any]:
    status = found.get("status") or {}
    return {
        **_headed(found),
        **_pod_spec(found.get("spec") or {}),
        "status": {
            **_conditions(status),
            **{key: status.get(key) for key in ("podIP", "startTime", "qosClass", "reason")},
            "containers": [
                {key: one.get(key) for key in _CONTAINER_SHOWN}
                for one in status.get("containerStatuses") or []
            ],
        },
    }


def _events(cluster: Cluster) -> Iterator[dict[str, Any]]:
    """Events about our objects."""
    for one in cluster.list("Event"):
        involved = one.get("involvedObject") or {}
        name = str(involved.get("name", ""))
        if name.startswith(("spillway", "skupper")):
            yield {
                "about": f"{involved.get('kind')}/{name}",
                **{key: one.get(key) for key in ("reason", "message", "type", "count")},
                "last": one.get("lastTimestamp") or one.get("eventTime"),
            }


def _rights(cluster: Cluster) -> Content:
    """The rights for `init` and the router that the user lacks."""
    from router.kubernetes.manifests.rights import router_rights
    from sitectl.kubernetes import rights

    return [
        {"level": one.level, "code": one.code, "message": one.message, "hint": one.hint}
        for one in rights.findings(cluster, router_rights("none", openshift=False))
    ]


def _logs(cluster: Cluster) -> Iterator[str]:
    for pod in cluster.list("Pod", SELECTOR):
        for previous in ("false", "true"):
            query = {"tailLines": LOG_LINES, "limitBytes": LOG_BYTES_MAX, "previous": previous}
            path = f"{cluster.path('Pod', name_of(pod), 'log')}?{urlencode(query)}"
            reply = cluster.call("GET", path)
            if reply.status == 200:
                yield f"--- pod {name_of(pod)}, previous container: {previous}"
                yield reply.body.decode("utf-8", "replace")
            elif previous == "false":
                yield f"--- pod {name_of(pod)}: the API server answered {reply.status}"
