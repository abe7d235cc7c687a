"""A namespace under migration: the actions of Skupper, Spillway's router and the operator."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import msgspec

from router.kubernetes.migration.migration import next_step
from router.kubernetes.migration.record import Direction
from router.kubernetes.migration.views import MigrationStep, Waiting
from router.kubernetes.objects.changes import Change
from router.kubernetes.objects.objects import Snapshot
from router.kubernetes.services.services import Memory, plan
from router.kubernetes.translation.translate import translate
from router.model.specs import ListenerSpec, ServiceSpec
from sitectl.kubernetes.migration.survey import SkupperNamespace
from tests.kubernetes.skupper import Looks
from tests.unit.kubernetes.cluster import Cluster, Conflict
from tests.unit.kubernetes.kept import seen

Json = dict[str, Any]
LATE_S = 1_000.0
"""Longer than the services of an unreachable site are kept."""


class MovingNamespace(ABC):
    """``cluster`` has all objects. ``elsewhere``: services that other Spillway sites declare."""

    UNSEEN: ClassVar[Mapping[str, tuple[str, ...]]]
    """Parts of an object that no comparison covers: names of fields, by their parent field."""
    WRITES_AT_ONCE: ClassVar[int | None] = None
    """Writes of Skupper's controller before it looks again; None: all that are due."""

    def __init__(self, controller: Looks, kinds: Iterable[str]) -> None:
        self.cluster = Cluster()
        for kind in kinds:
            self.cluster.objects[kind] = {}
        self._controller = controller
        self.elsewhere: dict[str, ServiceSpec] = {}
        self.controller_runs = self.router_runs = True
        self.memory = Memory(began_at=0.0)

    def put(self, kind: str, name: str, **fields: Any) -> Json:
        head = {"name": name, "namespace": "shop", **fields.pop("metadata", {})}
        return self.cluster.put({"kind": kind, "metadata": head, **fields})

    # What the others do.

    def skupper_looks(self) -> bool:
        """All that Skupper's controller does at once; False: nothing."""
        if not self.controller_runs:
            return False
        actions = self._controller.look(copy.deepcopy(self.cluster.objects))[: self.WRITES_AT_ONCE]
        for action in actions:
            if action.verb == "delete":
                del self.cluster.objects[action.kind][action.name]
            else:
                self.cluster.put(action.body)
        return bool(actions)

    def router_looks(self) -> bool:
        """All that our router does at once; False: nothing."""
        if not self.router_runs:
            return False
        snapshot = seen("shop", copy.deepcopy(self.cluster.objects))
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
            listeners={
                d.name: d.spec for d in picture.documents if isinstance(d.spec, ListenerSpec)
            },
        )
        self.memory = found.memory
        for change in found.changes:
            self.cluster.carry_out(change)
        return bool(found.changes)

    def settle(self) -> None:
        """Run until neither has anything to do."""
        for _ in range(60):
            if not (self.skupper_looks() | self.router_looks()):
                return
        raise AssertionError("Skupper and Spillway fight")

    # Who migrates.

    def snapshot(self) -> Snapshot:
        return Snapshot("shop", copy.deepcopy(self.cluster.objects))

    @abstractmethod
    def namespace(self) -> SkupperNamespace:
        """As `sitectl migrate` surveys it."""

    @abstractmethod
    def judge(self, change: Change) -> None:
        """Raise AssertionError if a migrating operator may not write ``change``."""

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
            if step.hint:
                return done
            if step.waits_for:
                before = copy.deepcopy(self.cluster.objects)
                self.settle()
                if self.cluster.objects == before:
                    assert step.limit_s, f"waits forever: {step.text}"
                    patience |= {step.waits_for}
            for change in step.changes:
                self.judge(change)
                try:
                    self.cluster.carry_out(change)
                except Conflict:
                    continue
        assert steps < 60, [step.text for step in done]
        return done

    def foreign(self) -> Mapping[str, Mapping[str, Json]]:
        """Everything that is not ours, as people see it."""
        return {
            kind: {
                name: self._seen(found)
                for name, found in objects.items()
                if not name.startswith("spillway-")
            }
            for kind, objects in self.cluster.objects.items()
        }

    def _seen(self, found: Json) -> Json:
        result = copy.deepcopy(found)
        for part, fields in self.UNSEEN.items():
            for field in fields:
                (result.get(part, {}) if part else result).pop(field, None)
        for field in ("labels", "annotations"):
            if not result["metadata"].get(field):
                result["metadata"].pop(field, None)
        return result
