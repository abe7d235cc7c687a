"""``deploy/olm``: the site controller as an OLM bundle (CSV, channel, annotations, Dockerfile)."""

from typing import Any, Final

from deploy.text import GENERATED, document
from router import __version__
from router.kubernetes.manifests import IMAGE, controller_objects
from router.kubernetes.manifests.controller import CONTROLLER, WATCH_NAMESPACE

PACKAGE: Final = "spillway"
CHANNEL: Final = "alpha"
OPERATORS_NAMESPACE: Final = "spillway-controller"
_BUNDLE: Final = {
    "mediatype": "registry+v1",
    "manifests": "manifests/",
    "metadata": "metadata/",
    "package": PACKAGE,
    "channels": CHANNEL,
    "channel.default": CHANNEL,
}
_DESCRIPTION: Final = """\
Joins services of many sites under one name: local targets are filled to their capacity, what
exceeds it spills to the next cheapest site. A ConfigMap `skupper-site` makes a router in its
namespace, by the keys of Skupper v1. No CRD, no webhook, no finalizer; traffic does not pass
through this controller.
"""


def files() -> dict[str, str]:
    """Every file by its path below ``deploy/``."""
    marks = {f"operators.operatorframework.io.bundle.{k}.v1": v for k, v in _BUNDLE.items()}
    lines = [f"LABEL {key}={value}" for key, value in marks.items()]
    dockerfile = "\n".join(
        [
            GENERATED.rstrip("\n"),
            "FROM scratch",
            *lines,
            "COPY manifests /manifests/",
            "COPY metadata /metadata/",
            "",
        ]
    )
    return {
        "olm/bundle.Dockerfile": dockerfile,
        "olm/metadata/annotations.yaml": GENERATED + document({"annotations": marks}),
        f"olm/manifests/{PACKAGE}.clusterserviceversion.yaml": GENERATED + document(_csv()),
    }


def _csv() -> dict[str, Any]:
    objects = {
        found["kind"]: found
        for found in controller_objects(
            namespace=OPERATORS_NAMESPACE, image=IMAGE, every_namespace=True
        )
    }
    deployment = objects["Deployment"]
    return {
        "apiVersion": "operators.coreos.com/v1alpha1",
        "kind": "ClusterServiceVersion",
        "metadata": {
            "name": f"{PACKAGE}.v{__version__}",
            "namespace": "placeholder",
            "annotations": {
                "capabilities": "Seamless Upgrades",
                "categories": "Networking",
                "containerImage": IMAGE,
                "description": "Site routers: services of many sites under one name",
                "features.operators.openshift.io/disconnected": "true",
                "features.operators.openshift.io/fips-compliant": "false",
            },
        },
        "spec": {
            "displayName": "Spillway",
            "description": _DESCRIPTION,
            "version": __version__,
            "maturity": CHANNEL,
            "minKubeVersion": "1.25.0",
            "keywords": ["router", "multicluster", "overflow", "skupper"],
            "provider": {"name": "Spillway"},
            "installModes": [
                {"type": "OwnNamespace", "supported": True},
                {"type": "SingleNamespace", "supported": True},
                {"type": "MultiNamespace", "supported": True},
                {"type": "AllNamespaces", "supported": True},
            ],
            "relatedImages": [{"name": "router", "image": IMAGE}],
            "customresourcedefinitions": {},
            "install": {
                "strategy": "deployment",
                "spec": {
                    # OLM makes ClusterRoles of them if it watches all namespaces.
                    "permissions": [
                        {"serviceAccountName": CONTROLLER, "rules": objects["ClusterRole"]["rules"]}
                    ],
                    "deployments": [
                        {
                            "name": CONTROLLER,
                            "label": deployment["metadata"]["labels"],
                            "spec": _watching(deployment["spec"]),
                        }
                    ],
                },
            },
        },
    }


def _watching(spec: dict[str, Any]) -> dict[str, Any]:
    """The Deployment's spec, with the watched namespaces from OLM."""
    targets = {
        "name": WATCH_NAMESPACE,
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['olm.targetNamespaces']"}},
    }
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    env = [targets if one["name"] == WATCH_NAMESPACE else one for one in container["env"]]
    containers = [{**container, "env": env}]
    return {**spec, "template": {**spec["template"], "spec": {**pod, "containers": containers}}}
