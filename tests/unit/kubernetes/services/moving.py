"""A namespace with Skupper, Spillway's router and a migrating operator, all of them played."""

import copy
from typing import ClassVar

from router.kubernetes.objects import names
from router.kubernetes.objects.changes import Change
from router.model.specs import ServiceSpec
from sitectl.kubernetes.migration.survey import SkupperNamespace
from sitectl.kubernetes.migration.survey_v1 import survey
from tests.kubernetes.skupper import ServiceController, entry
from tests.unit.kubernetes.cluster import users_service
from tests.unit.kubernetes.services.moving_namespace import MovingNamespace

KINDS = ("ConfigMap", "Deployment", "StatefulSet", "DaemonSet", "Secret", "Pod")


class World(MovingNamespace):
    """With Skupper v1."""

    WRITES_AT_ONCE = 1
    UNSEEN: ClassVar = {
        "": ("apiVersion",),
        "metadata": ("resourceVersion", "uid", "creationTimestamp", "namespace"),
        "spec": ("clusterIP", "clusterIPs"),
    }

    def __init__(self, *, controller_runs: bool = True, gives_back: bool = True) -> None:
        self.skupper = ServiceController(gives_back=gives_back)
        super().__init__(self.skupper, KINDS)
        self.controller_runs = controller_runs
        self.written: list[tuple[str, str]] = []
        for name in (names.SKUPPER_ROUTER, names.SKUPPER_SERVICE_CONTROLLER):
            replicas = 1 if controller_runs or name == names.SKUPPER_ROUTER else 0
            self.put("Deployment", name, status={"readyReplicas": replicas})
        self.put("ConfigMap", names.SITE_CONFIGMAP, data={"name": "shop"})
        self.put("ConfigMap", names.SERVICES_CONFIGMAP, data={})

    # What people did with Skupper.

    def exposed(self, address: str, *, over: bool, origin: str = "") -> None:
        """By Skupper's verbs; ``over`` a Service that is there. Or by another site."""
        if over:
            self.cluster.put({**users_service(address, 80), "kind": "Service"})
        target = {"name": address, "selector": f"app={address}", "targetPorts": {"80": 8000}}
        more = {"origin": origin} if origin else {"targets": [target]}
        found = copy.deepcopy(self.cluster.objects["ConfigMap"][names.SERVICES_CONFIGMAP])
        found["data"][address] = entry(address, 80, **more)
        self.cluster.put(found)
        if origin:
            self.elsewhere[address] = ServiceSpec(protocol="http", ports=(80,))

    def annotated(self, address: str, kind: str, *, over: bool) -> None:
        """By annotations on a Service, or on a workload of that name."""
        notes = {"skupper.io/proxy": "http", "spillway.dev/capacity": "3"}
        if kind == "Service":
            found = users_service(address, 80)
            found["metadata"]["annotations"] |= notes
            self.cluster.put(found)
            return
        if over:
            self.cluster.put(users_service(address, 80))
        metadata = {"annotations": {**notes, "skupper.io/port": "80:8000", "team": "a"}}
        spec = {"selector": {"matchLabels": {"app": address}}, "template": {}}
        self.put(kind, address, metadata=metadata, spec=spec)

    def namespace(self) -> SkupperNamespace:
        snapshot = self.snapshot()
        return survey(snapshot, snapshot.get("ConfigMap", names.MIGRATION_CONFIGMAP))

    def judge(self, change: Change) -> None:
        self.written.append((change.kind, change.name))
        if change.kind == "Service" and "spec" in getattr(change, "body", {"spec": {}}):
            data = self.cluster.objects["ConfigMap"][names.SERVICES_CONFIGMAP]["data"]
            held = data.get(change.name, '"Never"')
            assert '"Never"' in held or not self.controller_runs, "Skupper has this Service"
