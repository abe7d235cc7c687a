"""What an API server does with Services and EndpointSlices, as far as plans of them can see."""

import copy
import itertools
from collections.abc import Mapping
from typing import Any

from router.kubernetes.objects.changes import Change, Create, Delete, Patch
from router.kubernetes.objects.objects import Snapshot
from tests.kubernetes.patching import merged
from tests.unit.kubernetes.kept import seen


class Conflict(Exception):
    """409: the object is not the one that the change was computed from."""


class Cluster:
    """Objects by kind and name; gives versions, uids, cluster IPs and node ports.

    ``missing``: kinds that may not be read.
    """

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, dict[str, Any]]] = {"Service": {}, "EndpointSlice": {}}
        self.missing: set[str] = set()
        self.writes = 0
        self._numbers = itertools.count(1)

    def snapshot(self) -> Snapshot:
        return seen("shop", copy.deepcopy(self.objects), frozenset(self.missing))

    def service(self, name: str) -> dict[str, Any]:
        return self.objects["Service"][name]

    def put(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Another client writes ``found``."""
        stored = copy.deepcopy(dict(found))
        metadata = stored.setdefault("metadata", {})
        old = self.objects[stored["kind"]].get(metadata["name"])
        number = next(self._numbers)
        kept = old["metadata"] if old is not None else {}
        metadata["uid"] = kept.get("uid", f"uid-{number}")
        metadata["creationTimestamp"] = kept.get("creationTimestamp", f"2026-01-01T00:{number:05}Z")
        metadata["resourceVersion"] = str(number)
        if stored["kind"] == "Service":
            self._default(stored, old)
        self.objects[stored["kind"]][metadata["name"]] = stored
        return stored

    def carry_out(self, change: Change) -> None:
        """As the API: refused when the object changed meanwhile."""
        found = self.objects[change.kind].get(change.name)
        self.writes += 1
        if isinstance(change, Create):
            if found is not None:
                raise Conflict(change.name)
            self.put(change.body)
            return
        if found is None or found["metadata"]["resourceVersion"] != change.version:
            raise Conflict(change.name)
        if isinstance(change, Delete):
            del self.objects[change.kind][change.name]
            return
        assert isinstance(change, Patch)
        self.put(merged(found, change.body))

    def _default(self, service: dict[str, Any], old: dict[str, Any] | None) -> None:
        spec = service["spec"]
        was = {port["port"]: port for port in (old["spec"].get("ports", []) if old else [])}
        if old is not None and old["spec"].get("clusterIP") and spec.get("clusterIP"):
            assert spec["clusterIP"] == old["spec"]["clusterIP"], "spec.clusterIP is immutable"
        kind = spec.setdefault("type", "ClusterIP")
        if kind != "ExternalName" and "clusterIP" not in spec:
            spec["clusterIP"] = f"10.0.{len(self.objects['Service'])}.{next(self._numbers) % 250}"
            spec["clusterIPs"] = [spec["clusterIP"], f"fd00::{next(self._numbers):x}"]
        ports = spec.get("ports", [])
        assert len(ports) < 2 or all(port.get("name") for port in ports), "spec.ports[].name"
        assert len({port.get("name") for port in ports}) == len(ports), "names are unique"
        for port in ports:
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port["port"])
            if kind in ("NodePort", "LoadBalancer"):
                known = was.get(port["port"], {}).get("nodePort")
                port.setdefault("nodePort", known or 30_000 + next(self._numbers))
            elif "nodePort" in port:
                del port["nodePort"]
        if not spec.get("selector"):
            spec.pop("selector", None)


def users_service(name: str, *ports: int, **spec: Any) -> dict[str, Any]:
    """A Service as people write one: ``app=NAME``, target ports by name for all but the first."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "annotations": {"team": "shop"}},
        "spec": {
            "selector": {"app": name},
            "ports": [
                {"name": f"p{port}", "port": port, "targetPort": "web" if index else 8000}
                for index, port in enumerate(ports)
            ],
            **spec,
        },
    }


def without_version(found: Mapping[str, Any]) -> dict[str, Any]:
    """The object as people see it."""
    metadata = {k: v for k, v in found["metadata"].items() if k != "resourceVersion"}
    return {**found, "metadata": metadata}
