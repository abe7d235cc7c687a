"""Skupper v2's controller and router, as far as one namespace shows them.

After skupper of 2026-07 (internal/kube/controller: controller.go, namespaces.go;
internal/kube/site: site.go, extended_bindings.go, ports.go). It acts on events, not on states:

- a Listener that is new or whose spec changed, and every one after a restart, makes the Service of
  its host: selector, ports and label are written, whatever was there. One whose host is a Service
  without Skupper's label is an error instead (since 2.2);
- a Service with the label of Listeners that vanishes from the watch of that label, deleted or
  without the label, is written again; other changes of it are not looked at;
- events of a namespace that ConfigMap ``skupper`` gives to another controller are dropped, but
  pods of Connectors are followed by any controller that followed them before.

The events of ConfigMap ``skupper`` come last of each look: a separate watch promises no order.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from router.kubernetes.objects import names
from tests.kubernetes import selectors
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.resources import CORE, custom
from tests.kubernetes.skupper import ROUTER_LABELS, Action, Running
from tests.kubernetes.world import is_ready

Json = dict[str, Any]
Objects = Mapping[str, Mapping[str, Json]]
NAME: Final = "skupper/skupper-controller"
DEFINITIONS: Final = custom(
    "skupper.io",
    "v2alpha1",
    ("Site", "sites", ("st",)),
    ("Link", "links", ("ln",)),
    ("AccessGrant", "accessgrants", ("gr",)),
    ("AccessToken", "accesstokens", ("to",)),
    ("RouterAccess", "routeraccesses", ()),
    ("Listener", "listeners", ("lnr",)),
    ("Connector", "connectors", ("cnr",)),
    ("MultiKeyListener", "multikeylisteners", ()),
    ("AttachedConnector", "attachedconnectors", ("acnr",)),
    ("AttachedConnectorBinding", "attachedconnectorbindings", ("acnrb",)),
)
_KINDS: Final = ("Service", "Site", "Listener", "Connector", "ConfigMap", "Deployment", "Pod")
_FIRST_PORT: Final = 1024
_PODS: Final = next(resource for resource in CORE if resource.kind == "Pod")
_ROUTER: Final = """
import asyncio, itertools, json, os, pathlib
place, turns, open_ports = pathlib.Path(os.environ["CONFIG"]), itertools.count(), {}
def config():
    try:
        return json.loads(place.read_text())
    except (OSError, ValueError):
        return {"listeners": {}, "connectors": []}
async def copy(reader, writer):
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()
def serving(port):
    async def serve(reader, writer):
        wanted = config()
        key = wanted["listeners"].get(str(port))
        found = [one for one in wanted["connectors"] if one[0] == key]
        if not found:
            writer.transport.abort()
            return
        _, host, number = found[next(turns) % len(found)]
        try:
            inner_reader, inner_writer = await asyncio.open_connection(host, number)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))
        inner_writer.close()
        writer.close()
    return serve
async def main():
    while True:
        wanted = set(map(int, config()["listeners"]))
        for port in wanted - open_ports.keys():
            server = await asyncio.start_server(serving(port), os.environ["POD_IP"], port)
            open_ports[port] = server
        for port in open_ports.keys() - wanted:
            open_ports.pop(port).close()
        await asyncio.sleep(0.02)
asyncio.run(main())
"""
"""Listens where its configuration says, and leads each connection to a connector of the key."""


class SiteController:
    """The controller's memory between two looks, as its process has it. ``guards``: as of 2.2."""

    def __init__(self, *, guards: bool = True, config: str = "") -> None:
        self._guards, self._config = guards, config
        self._site: Json | None = None
        self.restart()

    def restart(self) -> None:
        """A new process: it knows nothing but the objects in the cluster."""
        self._site = None
        self._seen: Objects | None = None
        self._control: Json | None = None
        self._ports: dict[str, int] = {}
        self._exposed: dict[str, dict[str, Json]] = {}  # By host: Listeners' specs by name.
        self._observed: set[str] = set()  # Services that are not of Listeners.
        self._connectors: dict[str, Json] = {}
        self._errors: dict[str, str] = {}
        self._again: set[str] = set()

    def look(self, objects: Objects) -> list[Action]:
        """Its writes after all events since the last look."""
        control = objects["ConfigMap"].get(names.SKUPPER_CONTROL)
        if self._seen is None:
            self._seen, self._control = {}, control
            self._recover_ports(objects)
        actions = [*self._services(objects), *self._site_events(objects)]
        if self._site is not None:
            actions += [*self._listeners(objects), *self._expose_again(objects)]
            self._connector_events(objects)
            actions += self._router(objects)
        if self._is_controlled():
            actions += self._statuses(objects)
        self._control = control
        self._seen = {kind: dict(found) for kind, found in objects.items()}
        return actions

    def refused(self, action: Action) -> None:
        """The event is handled again."""
        if action.kind == "Service" and action.verb != "delete":
            self._again.add(action.name)

    def _is_controlled(self) -> bool:
        data = (self._control or {}).get("data") or {}
        return bool(data.get("controller", NAME) == NAME)

    def _changed(self, objects: Objects, kind: str) -> Iterator[tuple[str, Json | None]]:
        assert self._seen is not None
        before, after = self._seen.get(kind, {}), objects.get(kind, {})
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                yield name, after.get(name)

    # Events -------------------------------------------------------------------------------------

    def _services(self, objects: Objects) -> Iterator[Action]:
        assert self._seen is not None
        for name, found in self._changed(objects, "Service"):
            if not self._is_controlled():
                continue
            was = self._seen.get("Service", {}).get(name)
            if _is_labelled(found):
                self._observed.discard(name)
                is_made = names.SKUPPER_CONTROLLED in _notes(found)
                if self._site is not None and is_made and name not in self._exposed:
                    assert found is not None
                    yield Action("delete", "Service", name, found)
                continue
            (self._observed.add if found is not None else self._observed.discard)(name)
            if _is_labelled(was) and name in self._exposed:
                self._again.add(name)

    def _site_events(self, objects: Objects) -> Iterator[Action]:
        for _, found in self._changed(objects, "Site"):
            if not self._is_controlled():
                continue
            if found is None:
                self.restart()
                self._seen = {"Site": objects["Site"]}
            elif self._site is None:
                self._site = found
                assert self._seen is not None  # Listeners and Connectors are handled from here on.
                self._seen = {**self._seen, "Listener": {}, "Connector": {}}
        if self._site is None or not self._is_controlled():
            return
        if names.SKUPPER_ROUTER not in objects["Deployment"]:
            yield Action("create", "Deployment", names.SKUPPER_ROUTER, self._deployment())

    def _listeners(self, objects: Objects) -> Iterator[Action]:
        for name, found in self._changed(objects, "Listener"):
            if not self._is_controlled():
                continue
            host = next((h for h, listed in self._exposed.items() if name in listed), None)
            if found is None:
                if host is not None:
                    yield from self._unexpose(objects, host, name)
                continue
            spec = found["spec"]
            if self._guards and host is None and spec["host"] in self._observed:
                self._errors[name] = f"Service {spec['host']} already exists in namespace"
                continue
            self._errors.pop(name, None)
            if host is not None and self._exposed[host][name] == spec:
                continue  # It was written, but its spec is the same.
            if host is not None and host != spec["host"]:
                yield from self._unexpose(objects, host, name)
            self._ports.setdefault(name, self._free_port())
            self._exposed.setdefault(spec["host"], {})[name] = copy.deepcopy(spec)
            self._again.add(spec["host"])

    def _unexpose(self, objects: Objects, host: str, name: str) -> Iterator[Action]:
        del self._exposed[host][name]
        self._ports.pop(name, None)
        if self._exposed[host]:
            self._again.add(host)
            return
        del self._exposed[host]
        found = objects["Service"].get(host)
        if found is not None and names.SKUPPER_CONTROLLED in _notes(found):
            yield Action("delete", "Service", host, found)

    def _connector_events(self, objects: Objects) -> None:
        for name, found in self._changed(objects, "Connector"):
            if not self._is_controlled():
                continue
            if found is None:
                self._connectors.pop(name, None)
            else:
                self._connectors[name] = copy.deepcopy(found["spec"])

    # Services -----------------------------------------------------------------------------------

    def _expose_again(self, objects: Objects) -> Iterator[Action]:
        again, self._again = self._again, set()
        for host in sorted(again & self._exposed.keys()):
            found = objects["Service"].get(host)
            wanted = self._service(host, found)
            if found is None:
                yield Action("create", "Service", host, wanted)
            elif wanted != found:
                yield Action("update", "Service", host, wanted)

    def _service(self, host: str, found: Json | None) -> Json:
        assert self._site is not None
        listed = self._exposed[host]
        wanted = copy.deepcopy(found) or {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": host,
                "annotations": {names.SKUPPER_CONTROLLED: "true"},
                "ownerReferences": [self._owner()],
            },
            "spec": {},
        }
        wanted["metadata"].setdefault("labels", {})[names.SKUPPER_LISTENER] = next(iter(listed))
        wanted["spec"]["selector"] = dict(ROUTER_LABELS)
        was = {port["name"]: port for port in wanted["spec"].get("ports") or [] if "name" in port}
        wanted["spec"]["ports"] = [
            {
                **was.get(name, {}),
                "name": name,
                "port": spec["port"],
                "protocol": "TCP",
                "targetPort": self._ports[name],
            }
            for name, spec in sorted(listed.items())
        ]
        return wanted

    def _owner(self) -> Json:
        assert self._site is not None
        head = self._site["metadata"]
        kind = {"apiVersion": "skupper.io/v2alpha1", "kind": "Site"}
        return {**kind, "name": head["name"], "uid": head["uid"]}

    def _free_port(self) -> int:
        port = _FIRST_PORT
        while port in self._ports.values():
            port += 1
        return port

    def _recover_ports(self, objects: Objects) -> None:
        found = objects["ConfigMap"].get(names.SKUPPER_ROUTER) or {}
        for kind, fields in json.loads((found.get("data") or {}).get("skrouterd.json", "[]")):
            if kind == "tcpListener":
                self._ports[fields["name"].removeprefix("listener/")] = int(fields["port"])

    # The router ---------------------------------------------------------------------------------

    def _deployment(self) -> Json:
        labels = {**ROUTER_LABELS, "skupper.io/type": "site"}
        router: Json = {"name": "router", "image": "host", "command": ["python", "-c", _ROUTER]}
        adaptor = {"name": "kube-adaptor", "image": "none"}
        if self._config:
            router["env"] = [
                {"name": "CONFIG", "value": self._config},
                {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            ]
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": names.SKUPPER_ROUTER,
                "labels": {"skupper.io/type": "site"},
                "ownerReferences": [self._owner()],
            },
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [router, adaptor]},
                },
            },
        }

    def _router(self, objects: Objects) -> Iterator[Action]:
        entities: list[tuple[str, Json]] = [
            (
                "tcpListener",
                {
                    "name": f"listener/{name}",
                    "address": spec["routingKey"],
                    "port": str(self._ports[name]),
                },
            )
            for listed in self._exposed.values()
            for name, spec in listed.items()
        ]
        entities += [
            (
                "tcpConnector",
                {
                    "name": f"connector/{name}@{host}",
                    "address": spec["routingKey"],
                    "host": host,
                    "port": str(spec["port"]),
                },
            )
            for name, spec in self._connectors.items()
            for host in self._hosts(objects, spec)
        ]
        text = json.dumps(sorted(entities, key=lambda one: one[1]["name"]))
        found = objects["ConfigMap"].get(names.SKUPPER_ROUTER)
        if found is None:
            head = {
                "name": names.SKUPPER_ROUTER,
                "labels": {"internal.skupper.io/router-config": ""},
                "ownerReferences": [self._owner()],
            }
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": head}
            body["data"] = {"skrouterd.json": text}
            yield Action("create", "ConfigMap", names.SKUPPER_ROUTER, body)
        elif found["data"]["skrouterd.json"] != text:
            body = {**found, "data": {"skrouterd.json": text}}
            yield Action("update", "ConfigMap", names.SKUPPER_ROUTER, body)

    def _hosts(self, objects: Objects, spec: Json) -> list[str]:
        if spec.get("host"):
            return [spec["host"]]
        chosen = selectors.of_query(_PODS, spec["selector"], "")
        return sorted(
            pod["status"]["podIP"]
            for pod in objects["Pod"].values()
            if chosen(pod)
            and "deletionTimestamp" not in pod["metadata"]
            and pod.get("status", {}).get("podIP")
            and (spec.get("includeNotReadyPods") or is_ready(pod))
        )

    # Statuses -----------------------------------------------------------------------------------

    def _statuses(self, objects: Objects) -> Iterator[Action]:
        served = {one["routingKey"] for one in self._connectors.values()}
        heard = {one["routingKey"] for listed in self._exposed.values() for one in listed.values()}
        for kind, matched, field in (
            ("Listener", served, "hasMatchingConnector"),
            ("Connector", heard, "hasMatchingListener"),
        ):
            for name, found in objects[kind].items():
                error = self._errors.get(name, "") if kind == "Listener" else ""
                if self._site is None:
                    error = "No active site in namespace"
                is_matched = found["spec"]["routingKey"] in matched
                yield from _status(kind, found, error, {field: is_matched})
        for found in objects["Site"].values():
            yield from _status("Site", found, "", {"controller": {"name": NAME}})


def _status(kind: str, found: Json, error: str, fields: Json) -> Iterator[Action]:
    told = "Error" if error else "Ready"
    is_true = {False: "False", True: "True"}[not error]
    message = error or "OK"
    wanted = {"status": told, "message": message, **fields}
    wanted["conditions"] = [
        {"type": "Configured", "status": is_true, "reason": told, "message": message}
    ]
    if found.get("status") != wanted:
        name = found["metadata"]["name"]
        yield Action("update", kind, name, {**found, "status": wanted}, "status")


def _is_labelled(service: Json | None) -> bool:
    head = service["metadata"] if service is not None else {}
    return names.SKUPPER_LISTENER in (head.get("labels") or {})


def _notes(found: Json | None) -> Json:
    return (found["metadata"].get("annotations") if found is not None else None) or {}


class RunningSiteController(Running):
    """The same against an API server, in a thread, with the kube-adaptor of its router."""

    def __init__(self, cluster: Cluster, namespace: str, *, guards: bool = True) -> None:
        self._file = Path(cluster.state) / f"skrouterd-{namespace}.json"
        self.controller = SiteController(guards=guards, config=str(self._file))
        super().__init__(cluster, namespace, self.controller, _KINDS)

    def look(self) -> None:
        """The controller's part, then the adaptor's, which no ConfigMap keeps away."""
        super().look()
        found = self._cluster.get("ConfigMap", names.SKUPPER_ROUTER, self._namespace)
        if found is None:
            return
        entities = json.loads(found["data"]["skrouterd.json"])
        listeners = {f["port"]: f["address"] for kind, f in entities if kind == "tcpListener"}
        connectors = [
            (f["address"], f["host"], int(f["port"]))
            for kind, f in entities
            if kind == "tcpConnector"
        ]
        text = json.dumps({"listeners": listeners, "connectors": connectors})
        if not self._file.exists() or self._file.read_text() != text:
            fresh = self._file.with_suffix(".new")
            fresh.write_text(text)
            fresh.replace(self._file)
