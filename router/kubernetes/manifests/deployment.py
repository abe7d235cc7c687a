"""The Deployment of a site's routers, and their disruption budget."""

import math
from collections.abc import Mapping
from typing import Final

from router.kubernetes.manifests import resources
from router.kubernetes.manifests.image import PULL_POLICY, PullPolicy
from router.kubernetes.manifests.parts import (
    CONSOLE_PORT_NAME,
    PROBES_PORT,
    STARTS_WITHIN_S,
    STATE_DIR,
    TMP_DIR,
    Json,
    container_security,
    from_field,
    memory_volume,
    metadata,
    own_labels,
    pod_security,
    probes,
)
from router.kubernetes.objects import names, texts
from router.kubernetes.objects.addresses import LINK_PORT
from router.kubernetes.objects.console import PORT as CONSOLE_PORT
from router.kubernetes.objects.picture import SiteOptions

PRE_STOP_S: Final = 5
"""A pod that ends still gets new connections until every node knows."""
GRACE_MARGIN_S: Final = 10
READY_BEFORE_S: Final = 5
"""A router's links are up a moment after it is ready; only then may the previous router end."""
STATE_SIZE: Final = "64Mi"
TMP_SIZE: Final = "16Mi"


def grace_s(drain_grace_s: float) -> int:
    """Longer than a router takes to drain, so that no connection is killed before its reset."""
    return PRE_STOP_S + math.ceil(drain_grace_s) + GRACE_MARGIN_S


def deployment(
    options: SiteOptions,
    namespace: str,
    image: str,
    drain_grace_s: float,
    pull_policy: PullPolicy = PULL_POLICY,
) -> Json:
    """The Deployment."""
    selector = {names.COMPONENT_LABEL: names.COMPONENT_ROUTER}
    labels = {**options.labels, **own_labels(names.COMPONENT_ROUTER)}
    annotations = {
        "prometheus.io/port": str(PROBES_PORT),
        "prometheus.io/scrape": "true",
        **options.router_pod_annotations,
    }
    pod: Json = {
        "serviceAccountName": names.ROUTER,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,  # Each Service of the namespace would add to its environment.
        "securityContext": pod_security(options.run_as_user, options.run_as_group),
        "terminationGracePeriodSeconds": grace_s(drain_grace_s),
        "containers": [_container(options, image, pull_policy)],
        "volumes": [memory_volume("state", STATE_SIZE), memory_volume("tmp", TMP_SIZE)],
    }
    _place(options, pod, selector)
    several = options.routers > 1
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(
            names.ROUTER, namespace, labels=options.labels, annotations=options.annotations
        ),
        "spec": {
            "replicas": options.routers,
            "minReadySeconds": READY_BEFORE_S,
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": selector},
            "strategy": {
                "type": "RollingUpdate",
                # A single router is replaced while it still serves. Several are replaced one by
                # one, so that they need no more nodes.
                "rollingUpdate": {
                    "maxSurge": 0 if several else 1,
                    "maxUnavailable": 1 if several else 0,
                },
            },
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": dict(sorted(annotations.items())),
                },
                "spec": pod,
            },
        },
    }


def _container(options: SiteOptions, image: str, pull_policy: PullPolicy) -> Json:
    stated = resources.Amount(
        cpu=options.router_cpu,
        memory=options.router_memory,
        cpu_limit=options.router_cpu_limit,
        memory_limit=options.router_memory_limit,
    )
    return {
        "name": names.ROUTER_CONTAINER,
        "image": image,
        "imagePullPolicy": pull_policy,
        "args": ["run"],
        "env": [
            {"name": "HOME", "value": TMP_DIR},
            {"name": "SITECTL_PLATFORM", "value": "kubernetes"},
            {"name": "SITECTL_STATE", "value": STATE_DIR},
            {"name": "SPILLWAY_PROBES", "value": f":{PROBES_PORT}"},
            from_field("POD_NAME", "metadata.name"),
            from_field("POD_NAMESPACE", "metadata.namespace"),
            from_field("POD_IP", "status.podIP"),
            from_field("POD_IPS", "status.podIPs"),
        ],
        "ports": [
            {"name": "link", "containerPort": LINK_PORT, "protocol": "TCP"},
            {"name": "probes", "containerPort": PROBES_PORT, "protocol": "TCP"},
            {"name": CONSOLE_PORT_NAME, "containerPort": CONSOLE_PORT, "protocol": "TCP"},
        ],
        **probes("probes", delay_s=STARTS_WITHIN_S),
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(PRE_STOP_S)]}}},
        "resources": resources.resources(stated, resources.ROUTER),
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": "state", "mountPath": STATE_DIR},
            {"name": "tmp", "mountPath": TMP_DIR},
        ],
    }


def _place(options: SiteOptions, pod: Json, selector: Mapping[str, str]) -> None:
    """Set the placement of router pods: keys of Skupper v1, and apart from each other.

    The rules are the same for one router and for several: a second router joins the first, which
    keeps running.
    """
    affinity: Json = {}
    for text, kind in (
        (options.router_pod_affinity, "podAffinity"),
        (options.router_pod_antiaffinity, "podAntiAffinity"),
    ):
        labels = texts.pairs(text)
        if labels:
            term = {
                "topologyKey": "kubernetes.io/hostname",
                "labelSelector": {"matchLabels": labels},
            }
            affinity[kind] = {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 100, "podAffinityTerm": term}
                ]
            }
    if affinity:
        pod["affinity"] = affinity
    nodes = texts.pairs(options.router_node_selector)
    if nodes:
        pod["nodeSelector"] = nodes
    pod["topologySpreadConstraints"] = [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": dict(selector)},
        }
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ]


def disruption_budget(options: SiteOptions, namespace: str) -> Json:
    """A budget that lets one router at a time be evicted, for several routers.

    With a single router it would block every drain.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(
            names.ROUTER, namespace, labels=options.labels, annotations=options.annotations
        ),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": {names.COMPONENT_LABEL: names.COMPONENT_ROUTER}},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
