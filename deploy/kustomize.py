"""``deploy/kubernetes``: a base and overlays for kustomize, and plain YAML of the controller."""

from collections.abc import Mapping
from typing import Any

from deploy import autoscaling
from deploy.monitoring import dashboards, pod_monitor, rules
from deploy.text import GENERATED, document, documents
from router.kubernetes.manifests import (
    IMAGE,
    SidecarService,
    controller_objects,
    headless_objects,
    multicluster_role,
    sidecar,
    site_objects,
    skupper2_objects,
    skupper2_roles,
)
from router.kubernetes.manifests.access import network_policy
from router.kubernetes.objects.objects import Object
from router.kubernetes.objects.picture import SiteOptions

NAMESPACE = "spillway"
"""The namespace in the files; each user's kustomization sets its own."""
CONTROLLER_NAMESPACE = "spillway-controller"
EXAMPLE_IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.53"


def files() -> dict[str, str]:
    """Every file by its path below ``deploy/``."""
    site = site_objects(SiteOptions(name=NAMESPACE), namespace=NAMESPACE, image=IMAGE)
    made = {
        "kubernetes/base/site.yaml": documents(site),
        "kubernetes/base/kustomization.yaml": _kustomization(
            namespace=NAMESPACE, resources=["site.yaml"]
        ),
    }
    made |= _openshift(site) | _monitoring() | _sidecar() | _burst() | _headless()
    made |= _autoscaling() | _network_policy() | _multicluster() | _skupper2()
    return made | _controller()


def _kustomization(kind: str = "Kustomization", **fields: Any) -> str:
    version = "v1alpha1" if kind == "Component" else "v1beta1"
    head = {"apiVersion": f"kustomize.config.k8s.io/{version}", "kind": kind}
    return GENERATED + document({**head, **fields})


def _openshift(base: list[Object]) -> dict[str, str]:
    """A Route in place of a load balancer, and permissions for OpenShift's kinds."""
    options = SiteOptions(name=NAMESPACE, ingress="route")
    wanted = site_objects(
        options,
        namespace=NAMESPACE,
        image=IMAGE,
        openshift=True,
        data={"ingress": "route"},
    )
    before = {found["kind"]: found for found in base}
    further = [found for found in wanted if found["kind"] not in before]
    changed = [found for found in wanted if before.get(found["kind"], found) != found]
    place = "kubernetes/overlays/openshift"
    return {
        f"{place}/kustomization.yaml": _kustomization(
            namespace=NAMESPACE,
            resources=["../../base", "route.yaml"],
            patches=[{"path": "patches.yaml"}],
        ),
        f"{place}/route.yaml": documents(further),
        f"{place}/patches.yaml": documents(changed),
    }


def _monitoring() -> dict[str, str]:
    component = "kubernetes/components/monitoring"
    return {
        f"{component}/kustomization.yaml": _kustomization(
            "Component", resources=["monitoring.yaml"]
        ),
        f"{component}/monitoring.yaml": documents(
            [pod_monitor(NAMESPACE), rules(NAMESPACE), dashboards(NAMESPACE)]
        ),
        "kubernetes/overlays/monitoring/kustomization.yaml": _kustomization(
            namespace=NAMESPACE,
            resources=["../../base"],
            components=["../../components/monitoring"],
        ),
    }


def _multicluster() -> dict[str, str]:
    """The role that an administrator of the cluster applies once, for sites with `mcs`."""
    return {"kubernetes/multicluster/cluster-role.yaml": documents([multicluster_role()])}


def _skupper2() -> dict[str, str]:
    """The role that an administrator of the cluster applies once, and a namespace's objects."""
    component = "kubernetes/components/skupper-v2"
    return {
        "kubernetes/skupper-v2/cluster-role.yaml": documents(skupper2_roles()),
        f"{component}/kustomization.yaml": _kustomization("Component", resources=["rights.yaml"]),
        f"{component}/rights.yaml": documents(skupper2_objects(NAMESPACE)),
    }


def _headless() -> dict[str, str]:
    component = "kubernetes/components/headless"
    return {
        f"{component}/kustomization.yaml": _kustomization("Component", resources=["rights.yaml"]),
        f"{component}/rights.yaml": documents(headless_objects(NAMESPACE)),
    }


def _example(name: str, annotations: Mapping[str, str], replicas: int) -> dict[str, Any]:
    """A workload that meets the restricted standard."""
    labels = {"app": name}
    container = {
        "name": name,
        "image": EXAMPLE_IMAGE,
        "args": ["netexec", "--http-port=8080"],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
        "resources": {
            "requests": {"cpu": "50m", "memory": "32Mi"},
            "limits": {"cpu": "500m", "memory": "64Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    meta: dict[str, Any] = {"name": name, "namespace": NAMESPACE, "labels": labels}
    if annotations:
        meta["annotations"] = dict(annotations)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "automountServiceAccountToken": False,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [container],
                },
            },
        },
    }


def _sidecar() -> dict[str, str]:
    """An application that calls ``shop`` and ``db`` of another site from within its own pod."""
    services = [SidecarService("shop", (80,)), SidecarService("db", (5432,))]
    made = sidecar(_example("front", {}, 2), services, "front-spillway", image=IMAGE).workload
    place = "kubernetes/overlays/sidecar"
    return {
        f"{place}/kustomization.yaml": GENERATED
        + "# Needs the Secret front-spillway, with a certificate token of another site:\n"
        + "#   sitectl token create token.yaml --token-type cert\n"
        + "#   kubectl create secret generic front-spillway --from-file=token.yaml\n"
        + _kustomization(namespace=NAMESPACE, resources=["front.yaml"]).removeprefix(GENERATED),
        f"{place}/front.yaml": documents([made]),
    }


def _burst() -> dict[str, str]:
    """A service with a configured capacity: the excess goes to the next cheapest site."""
    notes = {
        "skupper.io/proxy": "http",
        "skupper.io/address": "shop",
        "skupper.io/port": "80:8080",
        "spillway.dev/capacity": "10",
        "spillway.dev/policy": "fill",
    }
    place = "kubernetes/overlays/burst"
    return {
        f"{place}/kustomization.yaml": _kustomization(
            namespace=NAMESPACE, resources=["../../base", "shop.yaml"]
        ),
        f"{place}/shop.yaml": documents([_example("shop", notes, 2)]),
    }


def _autoscaling() -> dict[str, str]:
    """The application of ``burst``, scaled by its demand in four ways; see docs/autoscaling.md."""
    component = "kubernetes/components/autoscaling"
    made = {
        f"{component}/kustomization.yaml": _kustomization("Component", resources=["demand.yaml"]),
        f"{component}/demand.yaml": documents([autoscaling.demand_service(NAMESPACE)]),
    }
    ways = {
        "autoscaling": (autoscaling.by_api, "keda.yaml", ["autoscaling"]),
        "autoscaling-prometheus": (autoscaling.by_prometheus, "keda.yaml", ["monitoring"]),
        "autoscaling-remote": (autoscaling.by_admin_door, "keda.yaml", []),
        "autoscaling-hpa": (autoscaling.by_hpa, "hpa.yaml", ["monitoring"]),
    }
    for name, (objects, file, components) in ways.items():
        place = f"kubernetes/overlays/{name}"
        parts = [f"../../components/{one}" for one in components]
        further: dict[str, Any] = {"components": parts} if parts else {}
        made[f"{place}/kustomization.yaml"] = _kustomization(
            namespace=NAMESPACE,
            resources=["../burst", file],
            **further,
        )
        made[f"{place}/{file}"] = documents(objects(NAMESPACE))
    return made


def _network_policy() -> dict[str, str]:
    """The NetworkPolicy of the key ``create-network-policy``, which kustomize lacks."""
    component = "kubernetes/components/network-policy"
    made = network_policy(SiteOptions(name=NAMESPACE), NAMESPACE)
    return {
        f"{component}/kustomization.yaml": _kustomization(
            "Component", resources=["network-policy.yaml"]
        ),
        f"{component}/network-policy.yaml": documents([made]),
    }


def _namespace(name: str) -> Object:
    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": level},
    }


def _controller() -> dict[str, str]:
    everywhere = controller_objects(
        namespace=CONTROLLER_NAMESPACE, image=IMAGE, every_namespace=True
    )
    made = {"controller/cluster.yaml": documents([_namespace(CONTROLLER_NAMESPACE), *everywhere])}
    for name, openshift in (("namespace", False), ("namespace-openshift", True)):
        objects = controller_objects(
            namespace=NAMESPACE, image=IMAGE, every_namespace=False, openshift=openshift
        )
        made[f"controller/{name}/controller.yaml"] = documents(objects)
        made[f"controller/{name}/kustomization.yaml"] = _kustomization(
            namespace=NAMESPACE, resources=["controller.yaml"]
        )
    return made
