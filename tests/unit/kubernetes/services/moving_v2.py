"""A namespace with Skupper v2, Spillway's router and somebody who migrates, without any of them."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from router.documents.skupper2.objects import GROUP
from router.kubernetes.migration.migration import next_step
from router.kubernetes.migration.record import Direction
from router.kubernetes.migration.views import MigrationStep, Waiting
from router.kubernetes.objects import names
from router.kubernetes.objects.changes import Change
from router.kubernetes.objects.objects import Snapshot
from router.kubernetes.services.services import Memory, plan
from router.kubernetes.translation.translate import translate
from router.model.specs import ListenerSpec, ServiceSpec
from sitectl.kubernetes.survey import SkupperNamespace
from sitectl.kubernetes.survey_v2 import survey_v2
from tests.kubernetes.skupper2 import NAME, SiteController
from tests.unit.kubernetes.cluster import Cluster, Conflict

Json = dict[str, Any]
LATE_S = 1_000.0
KINDS_V2 = ("Site", "Listener", "MultiKeyListener", "Connector")
KINDS = ("ConfigMap", "Deployment", "Pod", "Secret", "StatefulSet", "DaemonSet")


class WorldV2:
    """``cluster`` has all objects. ``named``: ConfigMap ``skupper`` names Skupper's controller."""

    def __init__(self, *, guards: bool = True, named: bool = False) -> None:
        self.cluster = Cluster()
        for kind in (*KINDS, *KINDS_V2):
            self.cluster.objects[kind] = {}
        self.skupper = SiteController(guards=guards)
        self.memory = Memory(began_at=0.0)
        self.put("ConfigMap", names.SITE_CONFIGMAP, data={"name": "shop"})
        if named:
            self.put("ConfigMap", names.SKUPPER_CONTROL, data={"controller": NAME, "other": "x"})
        self.put("Site", "shop", spec={})

    def put(self, kind: str, name: str, **fields: Any) -> Json:
        head = {"name": name, "namespace": "shop", **fields.pop("metadata", {})}
        api = f"{GROUP}/v2alpha1" if kind in KINDS_V2 else "v1"
        return self.cluster.put({"apiVersion": api, "kind": kind, "metadata": head, **fields})

    def listens(self, name: str, host: str, key: str, port: int = 80) -> None:
        """A Listener."""
        self.put("Listener", name, spec={"routingKey": key, "host": host, "port": port})

    def serves(self, name: str, key: str) -> None:
        """A Connector."""
        self.put("Connector", name, spec={"routingKey": key, "selector": "app=x", "port": 8080})

    # What the others do.

    def skupper_looks(self) -> bool:
        """All that Skupper's controller does at once; False: nothing."""
        actions = self.skupper.look(copy.deepcopy(self.cluster.objects))
        for action in actions:
            if action.verb == "delete":
                del self.cluster.objects[action.kind][action.name]
            else:
                self.cluster.put(action.body)
        return bool(actions)

    def router_looks(self) -> bool:
        """All that our router does at once; False: nothing."""
        snapshot = self.snapshot()
        picture = translate(snapshot)
        assert not picture.errors, picture.errors
        local = {d.name: d.spec for d in picture.documents if isinstance(d.spec, ServiceSpec)}
        listeners = {d.name: d.spec for d in picture.documents if isinstance(d.spec, ListenerSpec)}
        found = plan(
            snapshot,
            picture.options,
            picture.wishes,
            local,
            local,
            self.memory,
            LATE_S,
            listeners=listeners,
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
        records = snapshot.get("ConfigMap", names.MIGRATION_CONFIGMAP)
        control = snapshot.get("ConfigMap", names.SKUPPER_CONTROL)
        return survey_v2(snapshot, translate(snapshot).options, records, control)

    def move(
        self,
        name: str,
        direction: Direction,
        *,
        between: Callable[[], None] = lambda: None,
        steps: int = 60,
    ) -> list[MigrationStep]:
        """Steps until none is left, or ``steps`` of them: each from a fresh look at everything."""
        done: list[MigrationStep] = []
        patience: frozenset[Waiting] = frozenset()
        while len(done) < steps:
            between()
            view = self.namespace().view(name)
            view = msgspec.structs.replace(view, is_serving=True, patience=patience)
            step = next_step(view, direction)
            if step is None:
                return done
            done.append(step)
            if step.hint:
                return done
            if step.waits_for:
                before = copy.deepcopy(self.cluster.objects)
                self.settle()
                if self.cluster.objects == before:
                    assert step.limit_s, f"waits forever: {step.text}"
                    patience |= {step.waits_for}
            for change in step.changes:
                self._write(change)
        assert steps < 60, [step.text for step in done]
        return done

    def _write(self, change: Change) -> None:
        assert change.kind in ("ConfigMap", "Service"), "Skupper's objects stay as they are"
        try:
            self.cluster.carry_out(change)
        except Conflict:
            return

    def led_by(self, name: str) -> str:
        """Whose router the Service leads to."""
        selector = self.cluster.service(name)["spec"]["selector"]
        return "skupper" if "application" in selector else "spillway"

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
    result.pop("status", None)
    for field in ("resourceVersion", "namespace"):
        result["metadata"].pop(field, None)
    for field in ("labels", "annotations"):
        if not result["metadata"].get(field):
            result["metadata"].pop(field, None)
    return result
