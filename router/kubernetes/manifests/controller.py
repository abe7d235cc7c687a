"""Objects of the site controller, for all namespaces or one (installed by its administrator)."""

from typing import Final

from router.kubernetes.manifests import resources
from router.kubernetes.manifests.image import (
    IMAGE_VARIABLE,
    PULL_POLICY,
    PULL_POLICY_VARIABLE,
    PullPolicy,
)
from router.kubernetes.manifests.parts import (
    PROBES_PORT,
    STARTS_WITHIN_S,
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
from router.kubernetes.manifests.rights import controller_rights
from router.kubernetes.manifests.site import role, role_binding
from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object

CONTROLLER: Final = "spillway-controller"
COMPONENT: Final = "controller"
WATCH_NAMESPACE: Final = "WATCH_NAMESPACE"
"""The watched namespaces, separated by commas; empty: all. OLM sets it by the install mode."""


def controller_objects(
    *,
    namespace: str,
    image: str,
    pull_policy: PullPolicy = PULL_POLICY,
    every_namespace: bool,
    openshift: bool = False,
) -> list[Object]:
    """The controller that makes sites from `skupper-site` ConfigMaps, in apply order.

    ``every_namespace``: with a ClusterRole, which only an administrator of the cluster can grant.
    """
    rights = controller_rights(openshift=openshift, every_namespace=every_namespace)
    made_role = role(CONTROLLER, namespace, rights, component=COMPONENT)
    binding = role_binding(CONTROLLER, namespace, component=COMPONENT)
    if every_namespace:
        made_role, binding = _cluster_wide(made_role), _cluster_wide(binding)
        binding["roleRef"] = {**binding["roleRef"], "kind": "ClusterRole"}
    watched = (
        {"name": WATCH_NAMESPACE}  # No empty value: see `site.config_map`.
        if every_namespace
        else from_field(WATCH_NAMESPACE, "metadata.namespace")
    )
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata(CONTROLLER, namespace, component=COMPONENT),
            "automountServiceAccountToken": False,
        },
        made_role,
        binding,
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata(CONTROLLER, namespace, component=COMPONENT),
            "spec": controller_deployment(image, pull_policy, watched),
        },
    ]


def controller_deployment(image: str, pull_policy: PullPolicy, watched: Json) -> Json:
    """The spec of the controller's Deployment; ``watched``: the variable with its namespaces."""
    selector = {names.COMPONENT_LABEL: COMPONENT}
    container: Json = {
        "name": COMPONENT,
        "image": image,
        "imagePullPolicy": pull_policy,
        "args": ["controller"],
        "env": [
            {"name": "HOME", "value": TMP_DIR},
            {"name": "SPILLWAY_PROBES", "value": f":{PROBES_PORT}"},
            {"name": IMAGE_VARIABLE, "value": image},
            {"name": PULL_POLICY_VARIABLE, "value": pull_policy},
            watched,
            from_field("POD_NAME", "metadata.name"),
            from_field("POD_NAMESPACE", "metadata.namespace"),
        ],
        "ports": [{"name": "probes", "containerPort": PROBES_PORT, "protocol": "TCP"}],
        **probes("probes", delay_s=STARTS_WITHIN_S),
        "resources": resources.CONTROLLER.as_resources(),
        "securityContext": container_security(),
        "volumeMounts": [{"name": "tmp", "mountPath": TMP_DIR}],
    }
    return {
        "replicas": 1,
        "revisionHistoryLimit": 3,
        "selector": {"matchLabels": selector},
        "strategy": {"type": "Recreate"},  # Traffic does not pass through it.
        "template": {
            "metadata": {"labels": own_labels(COMPONENT)},
            "spec": {
                "serviceAccountName": CONTROLLER,
                "automountServiceAccountToken": True,
                "enableServiceLinks": False,
                "securityContext": pod_security(),
                "terminationGracePeriodSeconds": 10,
                "containers": [container],
                "volumes": [memory_volume("tmp", "16Mi")],
            },
        },
    }


def _cluster_wide(found: Json) -> Json:
    meta = {key: value for key, value in found["metadata"].items() if key != "namespace"}
    return {**found, "kind": f"Cluster{found['kind']}", "metadata": meta}
