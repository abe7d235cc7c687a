"""EndpointSlices of Services with a selector, as the endpointslice controller makes them."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

from tests.kubernetes import selectors
from tests.kubernetes.failures import Failure
from tests.kubernetes.resources import Json
from tests.kubernetes.storage import Change, Key, key_of
from tests.kubernetes.world import World, is_ending, is_over, is_ready, owner_of

PER_SLICE_MAX: Final = 100
SERVICE_NAME: Final = "kubernetes.io/service-name"
MANAGED_BY: Final = "endpointslice.kubernetes.io/managed-by"
CONTROLLER: Final = "endpointslice-controller.k8s.io"
HEADLESS: Final = "service.kubernetes.io/headless"

Ports = tuple[tuple[str, str, int, str], ...]
"""name, protocol, port, appProtocol"""


class EndpointSlices:
    """Makes, changes and removes the slices of each Service that something happened to."""

    name = "endpointslice"

    def __init__(self) -> None:
        self._dirty: dict[Key, None] = {}

    def start(self, world: World) -> Callable[[], None]:
        """Begin; gives what ends it."""
        loop = asyncio.get_running_loop()

        def run() -> None:
            dirty, self._dirty = list(self._dirty), {}
            for namespace, name in dirty:
                _reconcile(world, namespace, name)

        def note(change: Change) -> None:
            found = [
                key
                for each in (change.before, change.after)
                if each is not None
                for key in _concerned(world, change.resource.kind, each)
            ]
            if found and not self._dirty:
                loop.call_soon(run)
            self._dirty.update(dict.fromkeys(found))

        return world.store.listen(note)


def _concerned(world: World, kind: str, found: Json) -> list[Key]:
    """The Services that an object matters to."""
    metadata = found["metadata"]
    match kind:
        case "Service":
            return [key_of(found)]
        case "EndpointSlice":
            name = (metadata.get("labels") or {}).get(SERVICE_NAME)
            return [(metadata["namespace"], name)] if name else []
        case "Pod":
            return [
                key_of(service)
                for service in world.all("Service", metadata["namespace"])
                if _selected(service["spec"].get("selector"), found)
            ]
        case _:
            return []


def _reconcile(world: World, namespace: str, name: str) -> None:
    service = world.get("Service", namespace, name)
    selector = service["spec"].get("selector") if service is not None else None
    if service is None or not selector or service["spec"]["type"] == "ExternalName":
        return  # Slices of a Service that is gone are garbage; others are not ours.
    held = [
        each
        for _resource, each in world.store.owned_by(service["metadata"]["uid"])
        if (each["metadata"].get("labels") or {}).get(MANAGED_BY) == CONTROLLER
    ]
    pods = [
        pod
        for pod in world.all("Pod", namespace)
        if _selected(selector, pod) and _has_address(pod) and pod["spec"].get("nodeName")
    ]
    _fill(world, service, pods, sorted(held, key=lambda each: str(each["metadata"]["name"])))


def _selected(selector: Json | None, pod: Json) -> bool:
    return selectors.of_labels(selector)(pod["metadata"].get("labels") or {})


def _has_address(pod: Json) -> bool:
    return bool(pod.get("status", {}).get("podIP")) and not is_over(pod)


def _fill(world: World, service: Json, pods: list[Json], held: list[Json]) -> None:
    groups: dict[tuple[str, Ports], list[Json]] = {}
    for pod in sorted(pods, key=lambda each: str(each["metadata"]["name"])):
        family = "IPv6" if ":" in pod["status"]["podIP"] else "IPv4"
        groups.setdefault((family, _ports(service, pod)), []).append(_endpoint(service, pod))
    if not groups:
        groups[(service["spec"].get("ipFamilies") or ["IPv4"])[0], ()] = []
    wanted = [
        (family, ports, endpoints[start : start + PER_SLICE_MAX])
        for (family, ports), endpoints in groups.items()
        for start in range(0, max(len(endpoints), 1), PER_SLICE_MAX)
    ]
    free = [each for each in held if not is_ending(each)]
    for family, ports, endpoints in wanted:
        fields = {"ports": [_port(port) for port in ports], "endpoints": endpoints}
        same = next((each for each in free if _fits(each, family, fields)), None)
        if same is None:
            _make(world, service, family, fields)
            continue
        free.remove(same)
        _change(world, service, same, fields)
    for each in free:
        world.delete(each)


def _fits(found: Json, family: str, fields: Json) -> bool:
    ports = found.get("ports") or []
    is_empty = not found.get("endpoints")
    return found["addressType"] == family and (ports == fields["ports"] or is_empty)


def _labels(service: Json) -> Json:
    labels = {
        **(service["metadata"].get("labels") or {}),
        SERVICE_NAME: service["metadata"]["name"],
        MANAGED_BY: CONTROLLER,
    }
    if service["spec"].get("clusterIP") == "None":
        labels[HEADLESS] = ""
    return labels


def _make(world: World, service: Json, family: str, fields: Json) -> None:
    metadata = {
        "generateName": f"{service['metadata']['name']}-",
        "labels": _labels(service),
        "ownerReferences": [owner_of(service)],
    }
    made = {"metadata": metadata, "addressType": family, **fields}
    with contextlib.suppress(Failure):  # The namespace ends.
        world.create("EndpointSlice", service["metadata"]["namespace"], made)


def _change(world: World, service: Json, found: Json, fields: Json) -> None:
    labels = _labels(service)
    same = all((found.get(key) or []) == value for key, value in fields.items())
    if same and found["metadata"].get("labels") == labels:
        return

    def edit(edited: Json) -> None:
        edited.update(fields)
        edited["metadata"]["labels"] = labels
        edited["metadata"]["generation"] += 1

    world.change(found, edit)


def _ports(service: Json, pod: Json) -> Ports:
    found = []
    for port in service["spec"].get("ports") or []:
        number = target_port(port["targetPort"], port["protocol"], pod)
        if number:
            name, app = port.get("name", ""), port.get("appProtocol", "")
            found.append((name, port["protocol"], number, app))
    return tuple(found)


def target_port(target: Any, protocol: str, pod: Json) -> int:
    """The number that a Service's targetPort has in that pod; 0: it has none of that name."""
    if isinstance(target, int):
        return target
    spec = pod["spec"]
    sidecars = [
        each for each in spec.get("initContainers") or [] if each.get("restartPolicy") == "Always"
    ]
    for container in [*spec["containers"], *sidecars]:
        for port in container.get("ports") or []:
            if port.get("name") == target and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return 0


def _port(port: tuple[str, str, int, str]) -> Json:
    name, protocol, number, app = port
    found: Json = {"name": name, "protocol": protocol, "port": number}
    return {**found, "appProtocol": app} if app else found


def _endpoint(service: Json, pod: Json) -> Json:
    serving, ending = is_ready(pod), is_ending(pod)
    publish = bool(service["spec"].get("publishNotReadyAddresses"))
    metadata = pod["metadata"]
    found: Json = {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": publish or (serving and not ending),
            "serving": serving,
            "terminating": ending,
        },
        "nodeName": pod["spec"].get("nodeName", ""),
        "targetRef": {
            "kind": "Pod",
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
    }
    if pod["spec"].get("hostname") and (
        pod["spec"].get("subdomain") == service["metadata"]["name"]
    ):
        found["hostname"] = pod["spec"]["hostname"]
    return found
