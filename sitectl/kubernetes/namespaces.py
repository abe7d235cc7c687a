"""Whether a namespace is there, and what to type when it is not, or not for long."""

import json
from typing import Literal

from router.kubernetes.client.api_calls import ApiAnswer
from router.kubernetes.objects.names import SITE_CONFIGMAP
from router.kubernetes.objects.objects import Object, is_going, part
from sitectl.base.failure import Failure, conflict, not_found
from sitectl.kubernetes.cluster import Cluster

NamespacePhase = Literal["active", "missing", "ending", "unknown"]


def path_of(namespace: str) -> str:
    """Where the API server has it."""
    return f"api/v1/namespaces/{namespace}"


def phase_of(reply: ApiAnswer) -> NamespacePhase:
    """By the answer to GET `path_of`; unknown: it may not be read."""
    if reply.status == 404:
        return "missing"
    if reply.status != 200:
        return "unknown"
    ends = part(json.loads(reply.body), "status", "phase") == "Terminating"
    return "ending" if ends else "active"


def to_make(namespace: str, phase: NamespacePhase) -> str:
    """The next step towards a namespace that stays; empty: it is there."""
    make = f"kubectl create namespace {namespace}"
    if phase == "ending":
        return f"See what it waits for: kubectl describe namespace {namespace}; once gone: {make}"
    return make if phase == "missing" else ""


def no_site(cluster: Cluster) -> Failure:
    """Exit 4: the namespace has no site."""
    namespace = cluster.namespace
    phase = phase_of(cluster.call("GET", path_of(namespace)))
    why = {"missing": ", which does not exist", "ending": ", which is being deleted"}
    init = f"sitectl -n {namespace} init"
    first = to_make(namespace, phase)
    step = f"{first}, then {init}" if first else init
    return not_found(f"no site in namespace {namespace}{why.get(phase, '')}", step)


def site_map(cluster: Cluster) -> Object | None:
    """The ConfigMap of the namespace's site, if there is one. Failure: it is being deleted."""
    found = cluster.find("ConfigMap", SITE_CONFIGMAP)
    if found is not None and is_going(found):
        raise conflict(
            f"ConfigMap {SITE_CONFIGMAP} is being deleted",
            f"See which finalizers it waits for: kubectl -n {cluster.namespace} get configmap "
            f"{SITE_CONFIGMAP} -o yaml",
        )
    return found
