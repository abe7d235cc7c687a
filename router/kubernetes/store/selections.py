"""The watched objects of a namespace, and the parts of each that are stored.

Parts that change without meaning here (versions, status of workloads, times) are left out, so that
such a change makes no new state.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from router.kubernetes.objects.names import (
    CONNECTION_TOKEN,
    CONNECTION_TOKEN_REQUEST,
    DOCUMENTS_LABEL,
    OWNERS_CONFIGMAP,
    PREFIX,
    ROUTER,
    SERVICES_CONFIGMAP,
    SITE_CONFIGMAP,
    SKUPPER_PREFIX,
    SKUPPER_TYPE,
    TOKEN_CLAIM,
    TYPE_LABEL,
)
from router.kubernetes.objects.objects import REPLICA_FAILURE
from router.kubernetes.services import endpoint_slices
from router.kubernetes.services.last_applied import NOTE
from router.kubernetes.targets.pods import is_router

Kept = dict[str, Any]
_RUNS: Final[Kept] = {"state": {"running": {}}}


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Objects of one kind that are watched together. ``keep`` selects the stored parts.

    ``optional``: not every cluster has the kind; its absence is no finding.
    ``namespace``: another than the client's, or `api_calls.ALL_NAMESPACES`.
    ``revocable``: the permission belongs to others, who may take it back: objects that may no
    longer be read are gone.
    ``custom``: deleting the definition of the kind deletes all objects; these deletions do not
    count.
    """

    kind: str
    namespace: str = ""
    labels: str = ""
    fields: str = ""
    keep: Callable[[Kept], Kept]
    optional: bool = False
    revocable: bool = False
    custom: bool = False


def whole(found: Kept) -> Kept:
    """Everything that may be written back: all but the record of field managers."""
    return found | {"metadata": _without(found.get("metadata"), ("managedFields",))}


def service(found: Kept) -> Kept:
    """All but the record of field managers; the manager of the selector stays."""
    entries = _list(_dict(found.get("metadata")).get("managedFields"))
    owner = [
        {"manager": entry.get("manager")}
        for entry in entries
        if "f:selector" in _dict(_dict(entry.get("fieldsV1")).get("f:spec"))
    ]
    kept = whole(found)
    return kept | {"metadata": kept["metadata"] | {"managedFields": owner}} if owner else kept


def pod(found: Kept) -> Kept:
    """The parts of a Pod for `targets`, and those that show the owner of its connections.

    For a router's pod also the parts by which the routers of a site divide capacity: its creation
    time, since when it is not ready, how its containers ended.
    """
    spec, status = _dict(found.get("spec")), _dict(found.get("status"))
    containers = [
        *_list(spec.get("containers")),
        *(c for c in _list(spec.get("initContainers")) if c.get("restartPolicy") == "Always"),
    ]
    conditions = _list(status.get("conditions"))
    headed = _headed(found)
    told, of_container = ["type", "status"], ["state"]
    if is_router(headed):
        headed["metadata"] |= _only(_dict(found.get("metadata")), ("creationTimestamp",))
        told.append("lastTransitionTime")
        of_container += ["name", "restartCount", "lastState"]
    owners = _list(_dict(found.get("metadata")).get("ownerReferences"))
    headed["metadata"]["ownerReferences"] = [
        _only(owner, ("kind", "name", "controller")) for owner in owners if owner.get("controller")
    ]
    return headed | {
        "spec": {
            "containers": [_only(container, ("name", "ports")) for container in containers],
            **_only(spec, ("hostNetwork",)),
        },
        "status": {
            **_only(status, ("phase", "podIP", "podIPs", "hostIP", "hostIPs")),
            "containerStatuses": [
                _container(one, of_container) for one in _list(status.get("containerStatuses"))
            ],
            "conditions": [
                _only(condition, told)
                for condition in conditions
                if condition.get("type") == "Ready"
            ],
        },
    }


def _container(status: Kept, names: Iterable[str]) -> Kept:
    """How a container runs, waits or ended, reduced from the node's status."""
    kept = _only(status, names)
    if kept.keys() == {"state"} and _dict(kept["state"]).keys() == {"running"}:
        return _RUNS  # True for nearly all: they share one value.
    for name in ("state", "lastState"):
        if name in kept:
            kept[name] = {
                kind: _only(_dict(told), ("reason", "finishedAt"))
                for kind, told in _dict(kept[name]).items()
            }
    return kept


def endpoint_slice(found: Kept) -> Kept:
    """The parts of an EndpointSlice for `targets`; our own slices whole."""
    if endpoint_slices.is_ours(found):
        return whole(found)
    return _headed(found) | {
        "addressType": found.get("addressType"),
        "ports": found.get("ports"),
        "endpoints": [
            _only(endpoint, ("addresses", "conditions", "targetRef"))
            for endpoint in _list(found.get("endpoints"))
        ],
    }


def workload(found: Kept) -> Kept:
    """A workload without its status and without most of its pod template.

    For the routers' own Deployment also whether the cluster refuses their pods.
    """
    spec = _dict(found.get("spec"))
    template = _dict(spec.get("template"))
    of_pods, pods = _dict(template.get("metadata")), _dict(template.get("spec"))
    metadata = _without(found.get("metadata"), ("managedFields", "resourceVersion", "generation"))
    annotations = _without(metadata.get("annotations"), (NOTE,))
    kept = _only(found, ("apiVersion", "kind"))
    if metadata.get("name") == ROUTER:
        conditions = _list(_dict(found.get("status")).get("conditions"))
        refusals = [one for one in conditions if one.get("type") == REPLICA_FAILURE]
        kept["status"] = {"conditions": refusals}
    return kept | {
        "metadata": metadata | {"annotations": annotations},
        "spec": _only(spec, ("selector", "serviceName", "replicas", "ordinals"))
        | {
            "template": {
                "metadata": _only(of_pods, ("labels",)) | {"annotations": _read(of_pods)},
                "spec": {
                    section: [_only(c, ("name", "ports")) for c in _list(pods.get(section))]
                    for section in ("containers", "initContainers")
                    if section in pods
                },
            }
        },
    }


_TOKENS = f"{SKUPPER_TYPE} in ({CONNECTION_TOKEN},{TOKEN_CLAIM},{CONNECTION_TOKEN_REQUEST})"

SELECTIONS: Final = (
    Selection(kind="ConfigMap", fields=f"metadata.name={SITE_CONFIGMAP}", keep=whole),
    Selection(kind="ConfigMap", fields=f"metadata.name={SERVICES_CONFIGMAP}", keep=whole),
    Selection(kind="ConfigMap", fields=f"metadata.name={OWNERS_CONFIGMAP}", keep=whole),
    Selection(kind="ConfigMap", labels=DOCUMENTS_LABEL, keep=whole),
    Selection(kind="Secret", labels=_TOKENS, keep=whole),
    Selection(kind="Secret", labels=TYPE_LABEL, keep=whole),
    Selection(kind="Service", keep=service),
    Selection(kind="EndpointSlice", keep=endpoint_slice),
    Selection(kind="Pod", keep=pod),
    Selection(kind="Deployment", keep=workload),
    Selection(kind="StatefulSet", keep=workload),
    Selection(kind="DaemonSet", keep=workload),
    Selection(kind="DeploymentConfig", keep=workload, optional=True),
)


def _headed(found: Kept) -> Kept:
    """Kind, and the metadata by which objects are selected and distinguished."""
    metadata = _dict(found.get("metadata"))
    annotations = _dict(metadata.get("annotations"))
    kept = _only(metadata, ("name", "uid", "labels", "deletionTimestamp"))
    if ours := {name: text for name, text in annotations.items() if name.startswith(PREFIX)}:
        kept["annotations"] = ours
    return _only(found, ("apiVersion", "kind")) | {"metadata": kept}


class LastWrite(NamedTuple):
    """When an object was last written, in RFC 3339 as the server says, and by which field manager
    (``kubectl-edit``, ``argocd-controller``, ``sitectl``); both empty: unknown.
    """

    at: str = ""
    manager: str = ""


def last_write(found: Mapping[str, Any]) -> LastWrite:
    """The last write of an object.

    A controller that writes a status says nothing new about what the object asks for.
    """
    entries = _list(_dict(found.get("metadata")).get("managedFields"))
    asking = [one for one in entries if one.get("subresource") != "status"]
    newest = max(asking, key=lambda one: str(one.get("time") or ""), default={})
    at, manager = newest.get("time"), newest.get("manager")
    if not at or not isinstance(manager, str) or not manager:
        return LastWrite()
    return LastWrite(str(at), manager)


def _read(metadata: Kept) -> Kept:
    """The annotations that have a meaning here."""
    told = _dict(metadata.get("annotations"))
    return {name: told[name] for name in told if name.startswith((PREFIX, SKUPPER_PREFIX))}


def _only(found: Kept, names: Iterable[str]) -> Kept:
    return {name: found[name] for name in names if name in found}


def _without(found: object, names: Iterable[str]) -> Kept:
    return {name: value for name, value in _dict(found).items() if name not in names}


def _dict(found: object) -> Kept:
    return found if isinstance(found, dict) else {}


def _list(found: object) -> list[Kept]:
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
