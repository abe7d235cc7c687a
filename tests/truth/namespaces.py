"""Sites in namespaces of the tests' API server, broken in the same ways as those of a host."""

import itertools
import json
import shutil
from base64 import b64encode
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

from router.kubernetes.objects import console
from router.kubernetes.objects.names import (
    COMPONENT_LABEL,
    COMPONENT_ROUTER,
    ROUTER,
    STATUS_CONFIGMAP,
)
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.kubelet import NODE
from tests.kubernetes.resources import Json
from tests.kubernetes.routers import LINK_PORT, Router, allow
from tests.scenario.harness import Site, own_address
from tests.scenario.waiting import until
from tests.truth.fault import OBJECT_STATUS, OBJECTS, Fault
from tests.truth.scene import Stage
from tests.truth.surfaces import Surfaces

DOCUMENTS: Final = "spillway.dev/documents"
TLS_KEYS: Final = ("tls.crt", "tls.key")
USER: Final = "eve"
PASSWORD: Final = "correct-horse"
INGRESS: Final = "loadbalancer"
SOON: Final = {
    "STATUS_LOOK_S": 0.3,
    "STATUS_EVERY_S": 0.6,
    "OBJECT_EVENT_AFTER_S": 0.6,
    "OBJECT_EVENTS_EVERY_S": 0.3,
    "WATCH_REFUSED_S": 0.5,
    "SIBLING_NEWS_EVERY_S": 0.5,
    "STATUS_AGAIN_S": 1.0,
    "STATUS_VALID_S": 5.0,
}
"""The router writes to its namespace ten times as soon or more: there is no etcd to wait for."""
_numbers = itertools.count(1)


class NamespaceSite(Site):
    """A site in a namespace; its router is a process with the rights and the place of a pod."""

    def __init__(self, cluster: Cluster, name: str, state: Path) -> None:
        super().__init__(name, state, own_address())
        self.cluster, self.namespace = cluster, f"{name}-{next(_numbers)}"
        self.link_port = LINK_PORT
        self._kubeconfig = cluster.kubeconfig(self.namespace)
        cluster.create("Namespace", self.namespace)

    def install(self) -> None:
        """What a user makes, and who installs the router."""
        data = {
            "name": self.name,
            "ingress": INGRESS,
            "console": "true",
            "console-user": USER,
            "console-password": PASSWORD,
        }
        self.cluster.create("ConfigMap", "skupper-site", self.namespace, data=data)
        ports = [{"name": "links", "port": LINK_PORT}]
        self.cluster.create(
            "Service", ROUTER, self.namespace, spec={"type": "LoadBalancer", "ports": ports}
        )
        balancer = {"status": {"loadBalancer": {"ingress": [{"ip": self.address}]}}}
        self.cluster.patch("Service", ROUTER, balancer, self.namespace, "status")
        allow(self.cluster, self.namespace, INGRESS)
        self._allowed = self._rules()

    def place(self) -> dict[str, str]:
        """Commands go to the namespace, and find the router's door as they do in its pod."""
        return {
            "SITECTL_PLATFORM": "kubernetes",
            "SITECTL_STATE": str(self.state),
            "KUBECONFIG": str(self._kubeconfig),
            "SPILLWAY_SITE_DIR": str(self.directory),
        }

    def quick(self, *words: str) -> None:
        """In a process: one that ends leaves its connections to the API server to the kernel."""
        self.ctl(*words)

    def document(self, kind: str, name: str, spec: Mapping[str, Any]) -> Path:
        """In a separate ConfigMap."""
        text = {"apiVersion": "spillway/v1", "kind": kind, "name": name, "spec": spec}
        own = f"own-{kind.lower()}-{name}"
        labels = {DOCUMENTS: "true"}
        data = {f"{own}.yaml": json.dumps(text)}
        made: Json = {"kind": "ConfigMap", "metadata": {"name": own, "labels": labels}}
        if self.cluster.get("ConfigMap", own, self.namespace):
            self.cluster.patch("ConfigMap", own, {"data": data}, self.namespace)
        else:
            self.cluster.create_object({**made, "data": data}, self.namespace)
        return Path(own)

    def start(self) -> None:
        """In an empty directory, as a pod that replaces another."""
        shutil.rmtree(self.directory, ignore_errors=True)
        user = self.cluster.service_account(self.namespace, ROUTER)
        pod = self._pod(self.address)
        started = Router(
            self.cluster, self.namespace, self.directory, user, self.address, bounds=SOON, pod=pod
        )
        try:
            started.serves()
        finally:
            started.forget()
        self.note_pid()

    def replica(self) -> Router:
        """Another router of this namespace, which serves; who calls stops it."""
        user, address = self.cluster.service_account(self.namespace, ROUTER), own_address()
        place, pod = self.state / f"{self.name}-replica", self._pod(address)
        return Router(
            self.cluster, self.namespace, place, user, address, bounds=SOON, pod=pod
        ).serves()

    def _pod(self, address: str) -> str:
        """The name of the Pod that a router at ``address`` is; earlier ones there are gone."""
        for pod in self.cluster.list("Pod", self.namespace):
            if pod["status"].get("podIP") == address:
                self.cluster.delete(
                    "Pod", pod["metadata"]["name"], self.namespace, gracePeriodSeconds=0
                )
        name = f"{ROUTER}-{next(_numbers)}"
        self.cluster.create(
            "Pod",
            name,
            self.namespace,
            metadata={"labels": {COMPONENT_LABEL: COMPONENT_ROUTER}},
            spec={"nodeName": NODE, "containers": [{"name": "router", "image": "router"}]},
        )
        status = {
            "phase": "Running",
            "podIP": address,
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        self.cluster.patch("Pod", name, {"status": status}, self.namespace, "status")
        return name

    def copy(self) -> "NamespaceSite":
        """Another namespace, restored from a backup of this one; started."""
        made = NamespaceSite(self.cluster, self.name, self.state / "copies")
        made.state.mkdir()
        file = str(self.state / "near.backup")
        for site, verb in ((self, "backup"), (made, "restore")):
            site.ctl(verb, file, "--passphrase-file", "-", given="correct horse battery")
        # The Deployment runs no Pod: `start` starts the router.
        self.cluster.patch("Deployment", ROUTER, {"spec": {"replicas": 0}}, made.namespace)
        until(lambda: not self.cluster.list("Pod", made.namespace), "its Pods are gone")
        made.start()
        return made

    def revoke(self, *resources: str) -> None:
        """Take these from what the router may do; none: all."""
        rules = self._rules()
        left = [
            {**rule, "resources": [one for one in rule["resources"] if one not in resources]}
            for rule in rules
            if resources
        ]
        self._set_rules([rule for rule in left if rule["resources"]])

    def restore_rights(self) -> None:
        """All that it had at first."""
        self._set_rules(self._allowed)

    def _rules(self) -> list[Json]:
        role = self.cluster.get("Role", ROUTER, self.namespace)
        assert role is not None
        rules: list[Json] = role["rules"]
        return rules

    def _set_rules(self, rules: list[Json]) -> None:
        self.cluster.patch("Role", ROUTER, {"rules": rules}, self.namespace)
        # A watch goes on until its time is over, whatever its reader may read since.
        self.cluster.cut_watches()

    def until_well(self, *codes: str) -> None:
        """Also as far as the namespace shows it."""
        super().until_well(*codes)
        if not codes:
            until(lambda: "NoProblems: True" in self.status(), "the namespace is told so, too")

    def status(self) -> str:
        """The status ConfigMap in lines."""
        found = self.cluster.get("ConfigMap", STATUS_CONFIGMAP, self.namespace)
        if found is None:
            return "none yet"
        told = json.loads(found["data"]["status.json"])
        lines = (
            ", ".join(map(_condition, told["conditions"])),
            *(f"{one['code']} {one['message']}" for one in told["problems"]),
            *(f"Note: {one['code']} {one['message']}" for one in told["notes"]),
            *(f"Link {one['name']}: {one['state']}" for one in told["links"]),
        )
        return "\n".join(lines)

    def events(self) -> str:
        """The Events in lines, as `kubectl get events` has them."""
        return "\n".join(map(_event, self._events()))

    def counts(self, reason: str) -> list[int]:
        """How often each Event of this reason was counted."""
        return [one["count"] for one in self._events() if one["reason"] == reason]

    def _events(self) -> list[Json]:
        return self.cluster.list("Event", self.namespace)


def _condition(one: Mapping[str, str]) -> str:
    message = f" ({one['message']})" if one["message"] else ""
    return f"{one['type']}: {one['status']}{message}"


def _event(one: Json) -> str:
    involved = one["involvedObject"]
    place = f"{involved['kind']}/{involved['name']}"
    return "  ".join((one["type"], one["reason"], place, one["message"]))


class NamespaceStage(Stage):
    """The watched site is a namespace; all other sites are directories."""

    def __init__(self, state: Path, cluster: Cluster) -> None:
        super().__init__(state)
        self.cluster = cluster

    def watched(self, name: str) -> Site:
        """A namespace."""
        made = NamespaceSite(self.cluster, name, self.state)
        made.install()
        self.sites.append(made)
        return made

    def keep(self, site: Site, name: str, folder: Path) -> None:
        """In a Secret, another one if there is one."""
        if isinstance(site, NamespaceSite):
            data = {key: b64encode((folder / key).read_bytes()).decode() for key in TLS_KEYS}
            if self.cluster.get("Secret", name, site.namespace) is not None:
                self.cluster.patch("Secret", name, {"data": data}, site.namespace)
            else:
                kind = "kubernetes.io/tls"
                self.cluster.create("Secret", name, site.namespace, type=kind, data=data)
        else:
            super().keep(site, name, folder)

    def add_service(self, site: Site, name: str, port: int) -> None:
        """In a ConfigMap."""
        site.declare(name, port)


class PodSurfaces(Surfaces):
    """All that a host has, too, as commands in the router's pod show it."""

    @property
    def url(self) -> str:
        """Of the console, without the Service that leads there."""
        return f"http://{self._site.address}:{console.PORT}/"

    def _open(self, page: Page, url: str) -> None:
        packed = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        page.set_extra_http_headers({"Authorization": f"Basic {packed}"})
        super()._open(page, url)


class NamespaceSurfaces(Surfaces):
    """What only a site in a namespace has; all else is the same code as on a host."""

    def __init__(self, site: NamespaceSite) -> None:
        self._site: NamespaceSite = site

    def show(self, fault: Fault, *, without: Collection[str] = ()) -> None:
        """Its status ConfigMap and its Events show what the table has for ``fault``."""
        for surface in OBJECTS:
            if surface not in without:
                self._until(fault, surface)

    def _read(self, fault: Fault, surface: str) -> str:
        return self._site.status() if surface == OBJECT_STATUS else self._site.events()
