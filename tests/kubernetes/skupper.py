"""Skupper v1's service controller, as far as Services and ``skupper-services`` show it.

After skupper 1.9 (cmd/service-controller: definition_monitor.go, controller.go; pkg/kube/services):
annotated objects become entries; each entry a Service that leads to ``skupper-router``, made with
``internal.skupper.io/controlled`` or rewritten with the originals in annotations. An object that is
no longer annotated loses its target, an entry without targets goes; made Services without entry are
deleted, annotated Services get their originals back.
"""

import copy
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, Protocol, Self

from router.kubernetes.objects import names
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.failures import Failure

Json = dict[str, Any]
ROUTER_LABELS = {"application": "skupper-router", "skupper.io/component": "router"}
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Service")
_INTERNAL = "internal.skupper.io/"
_SELECTOR, _TARGET, _ASSIGNED = (
    names.SKUPPER_ORIGINAL_SELECTOR,
    names.SKUPPER_ORIGINAL_PORT,
    names.SKUPPER_ASSIGNED_PORT,
)


class Action(NamedTuple):
    """One write. ``body`` is the whole object; ``part``: ``status``, and nothing else of it."""

    verb: Literal["create", "update", "delete"]
    kind: str
    name: str
    body: Json
    part: str = ""


def entry(address: str, *ports: int, protocol: str = "http", **rest: Any) -> str:
    """An entry as Go writes it; ``targets`` in ``rest``."""
    found: Json = {"address": address, "protocol": protocol, "ports": list(ports)}
    found |= {"exposeIngress": "", "targets": None, **rest}
    return json.dumps(found, separators=(",", ":"))


class ServiceController:
    """The controller's memory between two looks, as its process has it.

    ``gives_back``: also Services that were never annotated, as soon as their entry goes.
    """

    def __init__(self, *, gives_back: bool = False, owner: Json | None = None) -> None:
        self._gives_back, self._owner = gives_back, owner or {"kind": "Deployment", "name": "x"}
        self._annotated: dict[tuple[str, str], str] = {}
        self._inner: dict[tuple[str, int], int] = {}
        self._bound: set[str] = set()  # Services that were annotated once.

    def look(self, objects: Mapping[str, Mapping[str, Json]]) -> list[Action]:
        """Its writes, computed from the objects as they are; the first one counts."""
        return [*self._entries(objects), *self._services(objects)]

    def refused(self, action: Action) -> None:
        """Nothing: each look says all that is due."""

    def _entries(self, objects: Mapping[str, Mapping[str, Json]]) -> Iterator[Action]:
        found = objects["ConfigMap"].get(names.SERVICES_CONFIGMAP)
        if found is None:
            return
        data: dict[str, str] = dict(found.get("data") or {})
        was = dict(data)
        seen: dict[tuple[str, str], str] = {}
        for kind in KINDS:
            for name, one in objects.get(kind, {}).items():
                desired = _definition(kind, one)
                if desired is not None:
                    seen[(kind, name)] = desired["address"]
                    _updated(data, desired)
        for (kind, name), address in self._annotated.items():
            if (kind, name) not in seen:
                _without_target(data, address, name)
        self._annotated = seen
        if data != was:
            body = {**found, "data": data}
            yield Action("update", "ConfigMap", names.SERVICES_CONFIGMAP, body)

    def _services(self, objects: Mapping[str, Mapping[str, Json]]) -> Iterator[Action]:
        found = objects["ConfigMap"].get(names.SERVICES_CONFIGMAP) or {}
        entries = {key: json.loads(text) for key, text in (found.get("data") or {}).items()}
        services = objects["Service"]
        for address, definition in entries.items():
            service = services.get(address)
            if definition.get("exposeIngress") == "Never":
                if service is not None and self._owns(service):
                    yield Action("delete", "Service", address, service)
            elif service is None:
                yield Action("create", "Service", address, self._made(definition))
            else:
                rewritten = self._rewritten(service, definition)
                if rewritten != service:
                    yield Action("update", "Service", address, rewritten)
        for name, service in services.items():
            if name in entries:
                continue
            if self._owns(service):
                yield Action("delete", "Service", name, service)
            elif _SELECTOR in _notes(service) and (self._gives_back or name in self._bound):
                yield Action("update", "Service", name, given_back(service))
        self._bound |= {name for kind, name in self._annotated if kind == "Service"}

    def _owns(self, service: Json) -> bool:
        head = service["metadata"]
        is_owned = head.get("ownerReferences") == [self._owner]
        return is_owned and _notes(service).get(names.SKUPPER_CONTROLLED) == "true"

    def _ports(self, definition: Json) -> dict[int, int]:
        found = {}
        for port in definition["ports"]:
            key = (definition["address"], port)
            found[port] = self._inner.setdefault(key, 1024 + len(self._inner))
        return found

    def _made(self, definition: Json) -> Json:
        notes = {names.SKUPPER_CONTROLLED: "true", **(definition.get("annotations") or {})}
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": definition["address"],
                "labels": dict(definition.get("labels") or {}),
                "annotations": notes,
                "ownerReferences": [self._owner],
            },
            "spec": {
                "selector": dict(ROUTER_LABELS),
                "ports": [
                    {"name": f"port{port}", "port": port, "targetPort": inner, "protocol": "TCP"}
                    for port, inner in self._ports(definition).items()
                ],
            },
        }

    def _rewritten(self, service: Json, definition: Json) -> Json:
        """`ServiceIngressAlways.update`: only selector and target ports, originals noted."""
        wanted = self._ports(definition)
        after = copy.deepcopy(service)
        notes = after["metadata"].setdefault("annotations", {})
        ports = after["spec"]["ports"]
        was = ",".join(f"{port['port']}:{port['targetPort']}" for port in ports)
        for port in ports:
            port["targetPort"] = wanted.get(port["port"], port["targetPort"])
        if ports != service["spec"]["ports"] and not self._owns(service):
            notes.setdefault(_TARGET, was)
            notes[_ASSIGNED] = ",".join(f"{port}:{inner}" for port, inner in wanted.items())
        if service["spec"].get("selector") != ROUTER_LABELS:
            selector = service["spec"].get("selector") or {}
            notes[_SELECTOR] = ",".join(f"{k}={v}" for k, v in sorted(selector.items()))
            after["spec"]["selector"] = dict(ROUTER_LABELS)
        after["metadata"].setdefault("labels", {}).update(definition.get("labels") or {})
        for empty in ("annotations", "labels"):
            if not after["metadata"][empty] and empty not in service["metadata"]:
                del after["metadata"][empty]
        return after


def given_back(service: Json) -> Json:
    """`restoreServiceDefinitions`, with the ports that it means."""
    after = copy.deepcopy(service)
    notes = after["metadata"]["annotations"]
    selector = notes.pop(_SELECTOR)
    after["spec"]["selector"] = dict(pair.split("=") for pair in selector.split(","))
    was = dict(pair.split(":") for pair in notes.pop(_TARGET, "").split(",") if pair)
    for port in after["spec"]["ports"]:
        target = was.get(str(port["port"]))
        if target is not None:
            port["targetPort"] = int(target) if target.isdigit() else target
    notes.pop(_ASSIGNED, None)
    if not notes:
        del after["metadata"]["annotations"]
    return after


def _notes(found: Json) -> Json:
    return found["metadata"].get("annotations") or {}


def _definition(kind: str, found: Json) -> Json | None:
    notes = _notes(found)
    if names.PROXY not in notes:
        return None
    name = found["metadata"]["name"]
    if kind == "Service":
        declared = {p["port"]: p.get("targetPort", p["port"]) for p in found["spec"]["ports"]}
        ports = declared
        selector = found["spec"].get("selector") or {}
        text = ",".join(f"{k}={v}" for k, v in sorted(selector.items()))
        if selector == ROUTER_LABELS:
            text = notes[_SELECTOR]
            was = notes.get(_TARGET, "")
            ports = {int(a): int(b) for a, b in (p.split(":") for p in was.split(",") if p)}
    else:
        labels = found["spec"]["selector"]["matchLabels"]
        text = ",".join(f"{k}={v}" for k, v in sorted(labels.items()))
        pairs = (pair.partition(":") for pair in notes[names.PORT].split(","))
        ports = {int(front): int(back or front) for front, _, back in pairs}
    target = {"name": name, "selector": text, "targetPorts": {str(k): v for k, v in ports.items()}}
    return {
        "address": notes.get(names.ADDRESS, name),
        "protocol": notes[names.PROXY],
        "ports": list(ports),
        "exposeIngress": "",
        "targets": [target],
        "origin": "annotation",
    }


def _updated(data: dict[str, str], desired: Json) -> None:
    """`updateAnnotatedServiceDefinition` and `UpdateSkupperServices`."""
    address = desired["address"]
    actual = json.loads(data[address]) if address in data else None
    if actual is not None and actual.get("origin") == "annotation":
        targets = {target["name"]: target for target in actual["targets"]}
        (target,) = desired["targets"]
        same = all(actual[key] == desired[key] for key in ("protocol", "ports"))
        if same and targets.get(target["name"]) == target:
            return
        desired = {**desired, "targets": list((targets | {target["name"]: target}).values())}
    data[address] = json.dumps(desired, separators=(",", ":"))


def _without_target(data: dict[str, str], address: str, name: str) -> None:
    """`deleteServiceDefinitionForAddress`."""
    actual = json.loads(data.get(address, "{}"))
    if actual.get("origin") != "annotation":
        return
    targets = [target for target in actual["targets"] if target["name"] != name]
    if targets:
        data[address] = json.dumps({**actual, "targets": targets}, separators=(",", ":"))
    else:
        del data[address]


class Looks(Protocol):
    """A controller as `Running` needs it."""

    def look(self, objects: Mapping[str, Mapping[str, Json]]) -> list[Action]: ...

    def refused(self, action: Action) -> None: ...


class Running:
    """A controller against an API server, in a thread."""

    def __init__(
        self, cluster: Cluster, namespace: str, controller: Looks, kinds: tuple[str, ...]
    ) -> None:
        self._cluster, self._namespace = cluster, namespace
        self._controller, self._kinds = controller, kinds
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="skupper")
        self.errors: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        assert not self.errors, self.errors

    def _run(self) -> None:
        while not self._ends.wait(0.02):
            try:
                self.look()
            except Exception as error:
                self.errors.append(repr(error))
                return

    def look(self) -> None:
        """All that is due now."""
        cluster, namespace = self._cluster, self._namespace
        objects = cluster.call(
            lambda: {
                kind: {one["metadata"]["name"]: one for one in cluster.world.all(kind, namespace)}
                for kind in self._kinds
            }
        )
        for action in self._controller.look(objects):
            self._write(action)

    def _write(self, action: Action) -> None:
        """Write; if another client wrote before, the write is refused and decided again."""
        cluster, namespace = self._cluster, self._namespace
        resource = cluster.catalogue.kind(action.kind)
        body = copy.deepcopy(action.body)

        def write() -> None:
            if action.verb == "delete":
                uid = {"preconditions": {"uid": body["metadata"]["uid"]}}
                cluster.registry.delete(resource, namespace, action.name, uid)
            elif action.verb == "create":
                cluster.registry.create(resource, namespace, body)
            else:
                cluster.registry.update(
                    resource, namespace, action.name, body, subresource=action.part
                )

        try:
            cluster.call(write)
        except Failure:
            self._controller.refused(action)


class RunningController(Running):
    """v1's. Needs the Deployment ``skupper-router``."""

    def __init__(self, cluster: Cluster, namespace: str, *, gives_back: bool = False) -> None:
        router = cluster.get("Deployment", names.SKUPPER_ROUTER, namespace)
        assert router is not None
        owner = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": names.SKUPPER_ROUTER,
            "uid": router["metadata"]["uid"],
        }
        controller = ServiceController(gives_back=gives_back, owner=owner)
        super().__init__(cluster, namespace, controller, ("ConfigMap", *KINDS))
