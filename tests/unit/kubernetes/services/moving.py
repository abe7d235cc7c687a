"""A namespace with Skupper, Spillway's router and somebody who migrates, without any of them."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from router.kubernetes.migration.migration import next_step
from router.kubernetes.migration.record import Direction
from router.kubernetes.migration.views import MigrationStep, Waiting
from router.kubernetes.objects import names
from router.kubernetes.objects.changes import Change
from router.kubernetes.objects.objects import Snapshot
from router.kubernetes.services.services import Memory, plan
from router.kubernetes.translation.translate import translate
from router.model.specs import ServiceSpec
from sitectl.kubernetes.survey import SkupperNamespace
from sitectl.kubernetes.survey_v1 import survey
from tests.kubernetes.skupper import ServiceController, entry
from tests.unit.kubernetes.cluster import Cluster, Conflict, users_service

Json = dict[str, Any]
LATE_S = 1_000.0
"""Longer than what is out of reach is kept for."""


class World:
    """``cluster`` has all objects. ``elsewhere``: what other Spillway sites declare."""

    def __init__(self, *, controller_runs: bool = True, gives_back: bool = True) -> None:
        self.cluster = Cluster()
        for kind in ("ConfigMap", "Deployment", "StatefulSet", "DaemonSet", "Secret", "Pod"):
            self.cluster.objects[kind] = {}
        self.skupper = ServiceController(gives_back=gives_back)
        self.controller_runs = controller_runs
        self.elsewhere: dict[str, ServiceSpec] = {}
        self.router_runs = True
        self.memory = Memory(began_at=0.0)
        self.written: list[tuple[str, str]] = []
        for name in (names.SKUPPER_ROUTER, names.SKUPPER_SERVICE_CONTROLLER):
            replicas = 1 if controller_runs or name == names.SKUPPER_ROUTER else 0
            self.put("Deployment", name, status={"readyReplicas": replicas})
        self.put("ConfigMap", names.SITE_CONFIGMAP, data={"name": "shop"})
        self.put("ConfigMap", names.SERVICES_CONFIGMAP, data={})

    def put(self, kind: str, name: str, **fields: Any) -> None:
        head = {"name": name, "namespace": "shop", **fields.pop("metadata", {})}
        self.cluster.put({"kind": kind, "metadata": head, **fields})

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

    # What the others do.

    def skupper_looks(self) -> bool:
        """One write of Skupper's controller; False: it has nothing to do."""
        if not self.controller_runs:
            return False
        for action in self.skupper.look(copy.deepcopy(self.cluster.objects)):
            if action.verb == "delete":
                del self.cluster.objects[action.kind][action.name]
            else:
                self.cluster.put(action.body)
            return True
        return False

    def router_looks(self) -> bool:
        """All that our router does at once; False: nothing."""
        if not self.router_runs:
            return False
        snapshot = self.snapshot()
        picture = translate(snapshot)
        local = {d.name: d.spec for d in picture.documents if isinstance(d.spec, ServiceSpec)}
        found = plan(
            snapshot,
            picture.options,
            picture.wishes,
            {**self.elsewhere, **local},
            local,
            self.memory,
            LATE_S,
        )
        self.memory = found.memory
        for change in found.changes:
            self.cluster.carry_out(change)
        return bool(found.changes)

    def settle(self) -> None:
        """Until nobody has anything to do."""
        for _ in range(60):
            if not (self.skupper_looks() | self.router_looks()):
                return
        raise AssertionError("Skupper and Spillway fight")

    # Who migrates.

    def snapshot(self) -> Snapshot:
        return Snapshot("shop", copy.deepcopy(self.cluster.objects))

    def namespace(self) -> SkupperNamespace:
        snapshot = self.snapshot()
        return survey(snapshot, snapshot.get("ConfigMap", names.MIGRATION_CONFIGMAP))

    def move(
        self,
        address: str,
        direction: Direction,
        *,
        between: Callable[[], None] = lambda: None,
        steps: int = 60,
    ) -> list[MigrationStep]:
        """Steps until none is left, or ``steps`` of them: each from a fresh look at everything.

        ``between``: what others do before each. A wait is over when they have nothing to do.
        """
        done: list[MigrationStep] = []
        patience: frozenset[Waiting] = frozenset()
        while len(done) < steps:
            between()
            view = msgspec.structs.replace(
                self.namespace().view(address),
                is_serving=True,
                patience=patience,
                router_runs=self.router_runs,
            )
            step = next_step(view, direction)
            if step is None:
                return done
            done.append(step)
            if step.waits_for:
                before = copy.deepcopy(self.cluster.objects)
                self.settle()
                if self.cluster.objects == before:
                    assert step.limit_s, f"waits forever: {step.text}"
                    patience |= {step.waits_for}
                continue
            for change in step.changes:
                self._write(change)
        assert steps < 60, [step.text for step in done]
        return done

    def _write(self, change: Change) -> None:
        self.written.append((change.kind, change.name))
        if change.kind == "Service" and "spec" in getattr(change, "body", {"spec": {}}):
            data = self.cluster.objects["ConfigMap"][names.SERVICES_CONFIGMAP]["data"]
            held = data.get(change.name, '"Never"')
            assert '"Never"' in held or not self.controller_runs, "Skupper has this Service"
        try:
            self.cluster.carry_out(change)
        except Conflict:
            return

    def foreign(self) -> Mapping[str, Mapping[str, Json]]:
        """Everything that is not ours, as people see it."""
        return {
            kind: {
                name: _seen(found)
                for name, found in objects.items()
                if not name.startswith("spillway-")
            }
            for kind, objects in self.cluster.objects.items()
        }


def _seen(found: Json) -> Json:
    result = copy.deepcopy(found)
    result.pop("apiVersion", None)
    for field in ("resourceVersion", "uid", "creationTimestamp", "namespace"):
        result["metadata"].pop(field, None)
    for field in ("labels", "annotations"):
        if not result["metadata"].get(field):
            result["metadata"].pop(field, None)
    spec = result.get("spec", {})
    for field in ("clusterIP", "clusterIPs"):
        spec.pop(field, None)
    return result
