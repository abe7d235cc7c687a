"""Lists as ``kubectl get`` wants them: the server prints the columns."""

import datetime
import json
from collections.abc import Callable
from typing import Any, Final

from tests.kubernetes.resources import Json, Resource

Cells = Callable[[Json], list[Any]]


def age(found: Json) -> str:
    """``5m``, of its creation."""
    text = found["metadata"].get("creationTimestamp")
    if not text:
        return "<unknown>"
    since = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(text)
    seconds = int(since.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _pod(found: Json) -> list[Any]:
    status = found.get("status", {})
    containers = status.get("containerStatuses") or []
    ready = sum(1 for each in containers if each.get("ready"))
    shown = status.get("phase", "Pending")
    for each in containers:
        waiting = each.get("state", {}).get("waiting")
        shown = waiting["reason"] if waiting else shown
    if "deletionTimestamp" in found["metadata"]:
        shown = "Terminating"
    restarts = sum(each.get("restartCount", 0) for each in containers)
    total = len(found["spec"].get("containers") or [])
    return [f"{ready}/{total}", shown, restarts]


def _deployment(found: Json) -> list[Any]:
    status = found.get("status", {})
    return [
        f"{status.get('readyReplicas', 0)}/{found['spec'].get('replicas', 1)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
    ]


def _service(found: Json) -> list[Any]:
    spec = found["spec"]
    ingress = found.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    external = ",".join(each.get("ip") or each.get("hostname", "") for each in ingress)
    if spec["type"] == "ExternalName":
        external = spec["externalName"]
    elif spec["type"] == "LoadBalancer":
        external = external or "<pending>"
    ports = ",".join(
        f"{port['port']}{':' + str(port['nodePort']) if port.get('nodePort') else ''}"
        f"/{port['protocol']}"
        for port in spec.get("ports") or []
    )
    return [spec["type"], spec.get("clusterIP") or "<none>", external or "<none>", ports]


def _replica_set(found: Json) -> list[Any]:
    status = found.get("status", {})
    return [
        found["spec"].get("replicas", 1),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
    ]


def _stateful_set(found: Json) -> list[Any]:
    ready = found.get("status", {}).get("readyReplicas", 0)
    return [f"{ready}/{found['spec'].get('replicas', 1)}"]


_COLUMNS: Final[dict[str, tuple[tuple[str, ...], Cells]]] = {
    "Pod": (("Ready", "Status", "Restarts"), _pod),
    "Deployment": (("Ready", "Up-to-date", "Available"), _deployment),
    "ReplicaSet": (("Desired", "Current", "Ready"), _replica_set),
    "StatefulSet": (("Ready",), _stateful_set),
    "Service": (("Type", "Cluster-IP", "External-IP", "Port(s)"), _service),
    "ConfigMap": (("Data",), lambda found: [len(found.get("data") or {})]),
    "Secret": (
        ("Type", "Data"),
        lambda found: [found.get("type"), len(found.get("data") or {})],
    ),
    "ServiceImport": (
        ("Type", "IP"),
        lambda found: [
            (found.get("spec") or {}).get("type"),
            json.dumps(ips) if (ips := (found.get("spec") or {}).get("ips")) else None,
        ],
    ),
    "Namespace": (("Status",), lambda found: [found.get("status", {}).get("phase")]),
    "Event": (
        ("Type", "Reason", "Object", "Message"),
        lambda found: [
            found.get("type"),
            found.get("reason"),
            f"{found['involvedObject'].get('kind', '').lower()}/"
            f"{found['involvedObject'].get('name', '')}",
            found.get("message"),
        ],
    ),
}


def table(resource: Resource, found: list[Json], metadata: Json, objects: str) -> Json:
    """A Table. ``objects`` is ``includeObject``: None, Metadata or Object."""
    columns, cells = _COLUMNS.get(resource.kind, ((), lambda _found: []))
    definitions = [
        {"name": name, "type": "string", "format": "", "description": "", "priority": 0}
        for name in ("Name", *columns, "Age")
    ]
    definitions[0]["format"] = "name"
    rows = [
        {
            "cells": [each["metadata"]["name"], *cells(each), age(each)],
            "object": _object(each, objects),
        }
        for each in found
    ]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    }


def _object(found: Json, objects: str) -> Json | None:
    if objects == "Object":
        return found
    if objects == "None":
        return None
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": found["metadata"],
    }
