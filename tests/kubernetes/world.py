"""What controllers and the kubelet use: objects by kind, in the cluster's thread."""

import asyncio
import datetime
import hashlib
import math
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from tests.kubernetes.decoding import Asked
from tests.kubernetes.failures import Failure
from tests.kubernetes.registry import Registry, now
from tests.kubernetes.resources import Json, Resource, duplicate
from tests.kubernetes.storage import Change

CONTROLLERS: Final = Asked(manager="kube-controller-manager", validation="Ignore")


class World:
    """The registry, by kind and without queries."""

    def __init__(self, registry: Registry) -> None:
        self.registry, self.store = registry, registry.store

    def resource(self, kind: str) -> Resource:
        """The resource of a kind."""
        return self.registry.catalogue.kind(kind)

    def serves(self, kind: str) -> bool:
        """Whether the kind is served here."""
        return any(each.kind == kind for each in self.registry.catalogue.resources)

    def all(self, kind: str, namespace: str = "") -> list[Json]:
        """All objects of a kind."""
        return self.store.all(self.resource(kind), namespace)

    def get(self, kind: str, namespace: str, name: str) -> Json | None:
        """One object."""
        return self.store.get(self.resource(kind), namespace, name)

    def create(self, kind: str, namespace: str, found: Json) -> Json:
        """Create an object; one that cannot be is left out, as a controller would log it."""
        return self.registry.create(self.resource(kind), namespace, duplicate(found), CONTROLLERS)

    def change(self, found: Json, edit: Callable[[Json], None]) -> Json:
        """Edit the newest state of an object."""
        return self.registry.change(self.resource(found["kind"]), found, edit)

    def set_status(self, found: Json, **status: Any) -> Json:
        """Set fields of the status; nothing is written if they are so already."""
        resource = self.resource(found["kind"])
        metadata = found["metadata"]
        current = self.store.get(resource, metadata.get("namespace", ""), metadata["name"])
        if current is None:
            return found
        return self.registry.set_status(
            resource, current, {**(current.get("status") or {}), **status}
        )

    def delete(self, found: Json, **options: Any) -> None:
        """Delete an object, if it is still there."""
        metadata = found["metadata"]
        resource = self.resource(found["kind"])
        if self.store.get(resource, metadata.get("namespace", ""), metadata["name"]) is not None:
            self.registry.delete(resource, metadata.get("namespace", ""), metadata["name"], options)

    def event(self, about: Json, reason: str, message: str, *, kind: str = "Normal") -> None:
        """Write an Event about an object."""
        metadata = about["metadata"]
        text = f"{reason}{message}{self.store.revision}"
        number = hashlib.sha256(text.encode()).hexdigest()[:16]
        found = {
            "metadata": {"name": f"{metadata['name']}.{number}"},
            "involvedObject": {
                "kind": about["kind"],
                "apiVersion": about["apiVersion"],
                "name": metadata["name"],
                "namespace": metadata.get("namespace", ""),
                "uid": metadata["uid"],
            },
            "reason": reason,
            "message": message,
            "type": kind,
            "source": {"component": "kubelet"},
            "firstTimestamp": now(),
            "lastTimestamp": now(),
            "count": 1,
        }
        try:
            self.create("Event", metadata.get("namespace", "default"), found)
        except Failure as failure:
            if failure.code not in (403, 404, 409):  # The namespace ends, or it was said before.
                raise


def owner_of(found: Json) -> Json:
    """The reference to ``found`` as the one controller of the objects made for it."""
    return {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        "name": found["metadata"]["name"],
        "uid": found["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_owned(found: Json, owner: Json) -> bool:
    """Whether ``owner`` controls it."""
    uid = owner["metadata"]["uid"]
    return any(each["uid"] == uid for each in found["metadata"].get("ownerReferences") or [])


def is_ending(found: Json) -> bool:
    """Whether its deletion has begun."""
    return "deletionTimestamp" in found["metadata"]


def is_ready(pod: Json) -> bool:
    """The pod's Ready condition."""
    conditions = pod.get("status", {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def available_in_s(pod: Json, min_ready_s: float) -> float | None:
    """Seconds until it will have been ready for ``min_ready_s``; 0: it has; None: not ready."""
    for each in pod.get("status", {}).get("conditions") or []:
        if each["type"] == "Ready" and each["status"] == "True":
            since = datetime.datetime.fromisoformat(each["lastTransitionTime"]).timestamp()
            return max(since + min_ready_s - time.time(), 0.0) if min_ready_s else 0.0
    return None


def is_over(pod: Json) -> bool:
    """Whether its containers ended for good."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def short_hash(value: Any) -> str:
    """A short stable name for a value."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:10]


def share(value: Any, whole: int, *, up: bool) -> int:
    """A number, or a percentage of ``whole``, as ``maxSurge`` and budgets state it."""
    if isinstance(value, str) and value.endswith("%"):
        exact = whole * int(value[:-1]) / 100
        return math.ceil(exact) if up else math.floor(exact)
    return int(value)


def condition(found: Json, kind: str, status: bool, reason: str, message: str = "") -> list[Json]:
    """The object's conditions with one set; its time moves only when its status does."""
    conditions = list((found.get("status") or {}).get("conditions") or [])
    old = next((each for each in conditions if each["type"] == kind), None)
    word = "True" if status else "False"
    if old is not None and (old["status"], old.get("reason")) == (word, reason):
        return conditions
    new = {
        "type": kind,
        "status": word,
        "reason": reason,
        "message": message,
        "lastTransitionTime": now(),
    }
    if found["kind"] == "Deployment":
        new["lastUpdateTime"] = now()
    return [*(each for each in conditions if each["type"] != kind), new]


Reconcile = Callable[[World, str], float | None]
"""Gives after how many seconds to run again whatever changes; None: no time is awaited."""


class Controller:
    """Runs ``reconcile`` for a namespace soon after one of ``kinds`` changed in it."""

    def __init__(self, name: str, kinds: tuple[str, ...], reconcile: Reconcile) -> None:
        self.name, self.kinds, self._reconcile = name, kinds, reconcile

    def start(self, world: World) -> Callable[[], None]:
        """Begin; gives what ends it."""
        queue = _Namespaces(lambda namespace: self._reconcile(world, namespace))

        def note(change: Change) -> None:
            if change.resource.kind in self.kinds:
                found = change.after or change.before or {}
                metadata = found["metadata"]
                place = "namespace" if change.resource.namespaced else "name"
                queue.mark(metadata[place])

        for kind in self.kinds:
            if world.serves(kind):
                place = "namespace" if world.resource(kind).namespaced else "name"
                for found in world.all(kind):
                    queue.mark(found["metadata"][place])
        forget = world.store.listen(note)

        def end() -> None:
            forget()
            queue.end()

        return end


class _Namespaces:
    """Namespaces to reconcile: soon, and once more when the last run asked for it."""

    def __init__(self, reconcile: Callable[[str], float | None]) -> None:
        self._reconcile = reconcile
        self._loop = asyncio.get_running_loop()
        self._dirty: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def mark(self, namespace: str) -> None:
        """Something changed in it."""
        if not self._dirty:
            self._loop.call_soon(self._run)
        self._dirty.add(namespace)

    def end(self) -> None:
        """Ask for no run any more."""
        for timer in self._timers.values():
            timer.cancel()

    def _run(self) -> None:
        namespaces = sorted(self._dirty)
        self._dirty.clear()
        for namespace in namespaces:
            if namespace in self._timers:
                self._timers.pop(namespace).cancel()
            again_s = self._reconcile(namespace)
            if again_s is not None:
                self._timers[namespace] = self._loop.call_later(again_s, self.mark, namespace)
