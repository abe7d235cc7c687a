"""Two clusters whose site controllers make a cluster set of them, for tests."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from certs.token_files import tokens
from router.kubernetes.manifests import CONTROLLER, IMAGE, controller_objects
from router.kubernetes.manifests.parts import from_field
from router.kubernetes.multicluster.names import SERVICE_NAME_LABEL, SOURCE_CLUSTER_LABEL
from router.kubernetes.objects import names
from tests.kubernetes import multicluster
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.places import IMAGES
from tests.kubernetes.resources import Json, duplicate
from tests.kubernetes.routers import LINK_PORT, certificate
from tests.kubernetes.standing import agnhost
from tests.scenario.waiting import until

PLACE: Final = "spillway-controller"
"""The namespace of the controller, and of the cluster's site."""
MEMBERS: Final = "takes-part=yes"
WITHIN_S: Final = 60.0
SERVICE: Final[Json] = {
    "selector": {"app": "hello"},
    "ports": [
        {"name": "tcp", "port": 42, "protocol": "TCP"},
        {"name": "udp", "port": 42, "protocol": "UDP"},
    ],
    "sessionAffinity": "ClientIP",
    "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10}},
    "ipFamilyPolicy": "PreferDualStack",
}
"""Of the conformance suite of mcs-api: Service ``hello``."""


@contextlib.contextmanager
def cluster_set(state: Path) -> Iterator[tuple[Cluster, Cluster]]:
    """West and east, each with a controller and a cluster's site; east's dials west's."""
    images = {**IMAGES, "*agnhost*": agnhost(state)}
    with contextlib.ExitStack() as stack:
        west, east = (
            stack.enter_context(Cluster(state / name, images=images, proxy=True))
            for name in ("west", "east")
        )
        for cluster, name in ((west, "west"), (east, "east")):
            install(cluster, name)
        for cluster in (west, east):
            until(lambda c=cluster: is_ready(c, names.ROUTER, PLACE), "its site", WITHIN_S)  # type: ignore[misc]
        link(west, east)
        yield west, east


def install(cluster: Cluster, name: str) -> None:
    """What an administrator of the cluster applies: kinds, the controller, the cluster's site."""
    cluster.define(*multicluster.KINDS)
    cluster.create("Namespace", PLACE)
    for found in controller_objects(namespace=PLACE, image=IMAGE, every_namespace=True):
        made = duplicate(dict(found))
        if found["kind"] == "Deployment":  # The image of the tests keeps to the pod's address.
            (container,) = made["spec"]["template"]["spec"]["containers"]
            container["env"].append(from_field("POD_IP", "status.podIP"))
        cluster.create_object(made, PLACE)
    until(lambda: is_ready(cluster, CONTROLLER, PLACE), "the controller", WITHIN_S)
    noted = {"annotations": {names.MCS_NAMESPACES: MEMBERS}}
    data = {"name": name, "ingress": "none"}
    cluster.create("ConfigMap", names.SITE_CONFIGMAP, PLACE, metadata=noted, data=data)


def link(west: Cluster, east: Cluster) -> None:
    """East's site dials west's, by a token of west's."""
    service = west.get("Service", names.ROUTER, PLACE)
    assert service is not None
    until(lambda: west.get("Secret", names.IDENTITY_SECRET, PLACE), "its identity", WITHIN_S)
    address = (service["spec"]["clusterIP"], LINK_PORT)
    made = tokens.as_secret(certificate(west, PLACE, (address,), "west"))
    east.create_object(made, PLACE)


def is_ready(cluster: Cluster, name: str, namespace: str) -> bool:
    """Whether a pod of that Deployment is ready."""
    found = cluster.get("Deployment", name, namespace) or {}
    return bool((found.get("status") or {}).get("readyReplicas"))


def take_part(cluster: Cluster, namespace: str) -> None:
    """Make a namespace whose site the controller makes."""
    cluster.create("Namespace", namespace, metadata={"labels": {"takes-part": "yes"}})


class ExportCase:
    """One Service with a unique name, in a namespace of both clusters."""

    def __init__(self, clusters: tuple[Cluster, Cluster], namespace: str, name: str) -> None:
        self.clusters = self.west, self.east = clusters
        self._namespace, self._name = namespace, name

    @property
    def name(self) -> str:
        """Of the Service."""
        return self._name

    def deploy(self, cluster: Cluster, **spec: Any) -> Json:
        """The Service as the conformance suite makes it, but for ``spec``. None: not that field."""
        noted = {"labels": {"dummy-svc": "dummy"}, "annotations": {"dummy-svc": "dummy"}}
        found = {key: value for key, value in {**SERVICE, **spec}.items() if value is not None}
        return cluster.create("Service", self._name, self._namespace, metadata=noted, spec=found)

    def deploy_pods(self, cluster: Cluster, replicas: int) -> None:
        """A headless Service and its StatefulSet, whose pods answer on 8080 with their names."""
        self.deploy(
            cluster,
            clusterIP="None",
            selector={"app": self._name},
            ports=[{"name": "http", "port": 8080, "protocol": "TCP"}],
            sessionAffinity=None,
            sessionAffinityConfig=None,
        )
        labels = {"app": self._name}
        container = {
            "name": "main",
            "image": "registry.k8s.io/e2e-test-images/agnhost:2.53",
            "command": ["/agnhost", "netexec"],
            "ports": [{"name": "http", "containerPort": 8080}],
        }
        spec = {
            "serviceName": self._name,
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        }
        cluster.create("StatefulSet", self._name, self._namespace, spec=spec)

    def slices(self, cluster: Cluster) -> list[Json]:
        """EndpointSlices of the import, by the API's labels."""
        return [
            found
            for found in cluster.list("EndpointSlice", self._namespace)
            if found["metadata"]["labels"].get(SERVICE_NAME_LABEL) == self._name
            and SOURCE_CLUSTER_LABEL in found["metadata"]["labels"]
        ]

    def hosts(self, cluster: Cluster) -> dict[str, str]:
        """By name of a pod, where it is reached."""
        return {
            each.get("hostname", ""): each["addresses"][0]
            for found in self.slices(cluster)
            for each in found["endpoints"]
        }

    def export(self, cluster: Cluster, **spec: object) -> None:
        """Make the ServiceExport."""
        cluster.create("ServiceExport", self._name, self._namespace, spec=spec)

    def unexport(self, cluster: Cluster) -> None:
        """Delete the ServiceExport."""
        cluster.delete("ServiceExport", self._name, self._namespace)

    def service(self, cluster: Cluster) -> Json | None:
        """The Service."""
        return cluster.get("Service", self._name, self._namespace)

    def imported(self, cluster: Cluster) -> Json:
        """The ServiceImport; empty: there is none."""
        return cluster.get("ServiceImport", self._name, self._namespace) or {}

    def condition(self, cluster: Cluster, type_: str) -> str:
        """Status of a condition of the ServiceExport; empty: there is none."""
        found = multicluster.conditions(cluster, self._namespace, self._name)
        return found.get(type_, ("", ""))[0]

    def message(self, cluster: Cluster, kind: str) -> str:
        """Of condition ``Ready``; empty: there is none."""
        found = cluster.get(kind, self._name, self._namespace) or {}
        listed: list[Json] = (found.get("status") or {}).get("conditions") or []
        return next((str(one["message"]) for one in listed if one["type"] == "Ready"), "")


def ports(found: Mapping[str, Any]) -> set[tuple[str, str, int]]:
    """Name, protocol and number of each port of a Service or ServiceImport."""
    listed = found.get("spec", {}).get("ports") or []
    return {(each["name"], each["protocol"], each["port"]) for each in listed}
