"""A foreign Service, led to the routers for a while and given back as it was.

Only the necessary parts change: the selector, the target ports, ports of the address that it lacks,
one label, one annotation, and kubectl's note of these fields. Everything else stays: type, cluster
addresses, node ports, names of ports, affinity, labels, annotations. `before` undoes the change as
a three-way merge: parts that others changed meanwhile stay changed.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from router.kubernetes.objects import names
from router.kubernetes.objects.objects import (
    Object,
    annotations,
    labels,
    metadata,
    section,
    spec_of,
)
from router.kubernetes.services import last_applied
from router.kubernetes.services.inner_ports import as_text, from_text

ROUTERS: Final = {names.COMPONENT_LABEL: names.COMPONENT_ROUTER}
"""The selector of Services that lead to the routers."""
_KUBECTL, _HELM = "kubectl", "helm"
"""Field managers that write once, when called; kubectl's begin so. Excludes helm-controller."""
_SKUPPER_SELECTORS: Final = (
    ("skupper.io/component", "router"),
    ("application", "skupper-router"),
    ("deployment", "skupper-router"),
)


class Original(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The content of annotation `names.ORIGINAL`, as JSON.

    ``ports``: the original ones, whole.
    ``inner_ports``: port -> its current target port, also of ports that we added.
    ``is_asked``: a user here asked for the address.
    ``label``: the original value of `names.SERVICE_LABEL`.
    """

    selector: dict[str, str] = {}
    ports: tuple[dict[str, Any], ...] = ()
    inner_ports: dict[str, int] = {}
    is_asked: bool = False
    label: str | None = None


_DECODER: Final = msgspec.json.Decoder(Original)


def original(service: Object) -> Original | None:
    """The Service's original; None: it is not adopted, or the annotation is unreadable."""
    text = annotations(service).get(names.ORIGINAL)
    if text is None:
        return None
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, AttributeError, TypeError, RecursionError):
        return None


def is_adopted(service: Object) -> bool:
    """Whether we adopted the Service, readable or not."""
    return names.ORIGINAL in annotations(service)


def leads_to_routers(service: Object) -> bool:
    """Whether the selector is ours, regardless of its writer."""
    return selector(service).get(names.COMPONENT_LABEL) == names.COMPONENT_ROUTER


def is_reapplied(service: Object) -> bool:
    """Whether a person or a pipeline restored the selector, or half of it, without a fight.

    kubectl and Helm write when a person calls them; a controller writes again and again. A mixed
    selector matches no pod, so it is never wanted.
    """
    if dict(selector(service)) == ROUTERS or not is_adopted(service):
        return False
    owners = {str(entry.get("manager", "")) for entry in _managed(service)}
    if leads_to_routers(service):
        return names.FIELD_MANAGER not in owners
    return bool(owners) and all(owner == _HELM or owner.startswith(_KUBECTL) for owner in owners)


def _managed(service: Object) -> list[Mapping[str, Any]]:
    """The field managers of the selector (`store.selections.service`)."""
    found = metadata(service).get("managedFields")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def is_skuppers(service: Object) -> bool:
    """Whether Skupper's router serves the Service."""
    chosen = selector(service)
    return names.SKUPPER_CONTROLLED in annotations(service) or any(
        chosen.get(key) == value for key, value in _SKUPPER_SELECTORS
    )


def selector(service: Object) -> Mapping[str, str]:
    """The Service's selector; empty: none."""
    return section(spec_of(service), "selector")


def ports(service: Object) -> tuple[Mapping[str, Any], ...]:
    """The Service's current ports."""
    found = spec_of(service).get("ports")
    if not isinstance(found, list | tuple):
        return ()
    return tuple(
        port for port in found if isinstance(port, dict) and isinstance(port.get("port"), int)
    )


def before(service: Object) -> Object:
    """The Service as if we had never touched it, including later changes by others.

    Also the source of its targets. A Service that is not adopted, or whose `names.ORIGINAL` is
    unreadable, comes back as it is.
    """
    was = original(service)
    if was is None:
        return service
    found = dict(spec_of(service))
    if leads_to_routers(service):
        # `kubectl apply` of the user's file merges its selector into ours.
        others = {k: v for k, v in selector(service).items() if k not in ROUTERS}
        found["selector"] = others or was.selector
    had = {_key(port): port for port in was.ports}
    kept = [_port_before(port, had, was) for port in ports(service)]
    found["ports"] = _unnamed([port for port in kept if port is not None], had)
    marked = dict(labels(service))
    if was.label is None:
        marked.pop(names.SERVICE_LABEL, None)
    elif names.SERVICE_LABEL in marked:
        marked[names.SERVICE_LABEL] = was.label
    noted = {k: v for k, v in annotations(service).items() if k != names.ORIGINAL}
    if last_applied.NOTE in noted:
        inner = from_text(was.inner_ports)
        note = last_applied.without_ours(noted[last_applied.NOTE], ROUTERS, was.ports, inner)
        noted[last_applied.NOTE] = note
    return with_metadata(service, marked, noted) | {"spec": found}


def adopt(service: Object, inner: Mapping[int, int], name: str, *, is_asked: bool) -> Object:
    """The Service leading to the routers: ``inner`` has a number for each port of the address.

    The result is the same for an adopted Service. All its ports must be in ``inner``.
    """
    was = before(service)
    had = ports(was)
    numbers = [port["port"] for port in had]
    added = [number for number in inner if number not in numbers]
    given = {str(port.get("name", "")) for port in had}
    result = [dict(port) | {"targetPort": inner[port["port"]]} for port in had]
    if added:
        for port in result:
            if not port.get("name"):  # Names are required as soon as there are two ports.
                port["name"] = _free_name(port["port"], given)
    result += [
        {
            "name": _free_name(number, given),
            "port": number,
            "protocol": "TCP",
            "targetPort": inner[number],
        }
        for number in added
    ]
    _keep_node_ports(service, result)
    note = Original(
        selector=dict(selector(was)),
        ports=tuple(dict(port) for port in had),
        inner_ports=as_text(inner),
        is_asked=is_asked,
        label=labels(was).get(names.SERVICE_LABEL),
    )
    marked = {**labels(was), names.SERVICE_LABEL: name}
    text = msgspec.json.encode(note, order="sorted").decode()
    noted = {**annotations(was), names.ORIGINAL: text}
    if last_applied.NOTE in noted:
        noted[last_applied.NOTE] = last_applied.with_ours(noted[last_applied.NOTE], ROUTERS, result)
    return with_metadata(was, marked, noted) | {
        "spec": {**spec_of(was), "selector": ROUTERS, "ports": result}
    }


def with_metadata(
    found: Object, marked: Mapping[str, str], noted: Mapping[str, str]
) -> dict[str, Any]:
    """``found`` with these labels and annotations; empty fields are left out."""
    changed = dict(metadata(found))
    for field, value in (("labels", marked), ("annotations", noted)):
        if value:
            changed[field] = dict(value)
        else:
            changed.pop(field, None)
    return {**found, "metadata": changed}


def _key(port: Mapping[str, Any]) -> tuple[object, str]:
    """The identity of a port; the annotation may hold anything."""
    number = port.get("port")
    return number if isinstance(number, int) else None, str(port.get("protocol", "TCP"))


def _port_before(
    port: Mapping[str, Any], had: Mapping[tuple[object, str], Mapping[str, Any]], was: Original
) -> dict[str, Any] | None:
    """The original of one port; None: we added it."""
    numbers = {inner: number for number, inner in from_text(was.inner_ports).items()}
    target = port.get("targetPort")
    number = numbers.get(target) if isinstance(target, int) else None
    if number is None:  # Changed by others meanwhile.
        return dict(port)
    old = had.get((number, "TCP"))
    if old is None:
        return None
    rest = {key: value for key, value in port.items() if key != "targetPort"}
    return {**rest, "targetPort": old["targetPort"]} if "targetPort" in old else rest


def _unnamed(
    kept: list[dict[str, Any]], had: Mapping[tuple[object, str], Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Remove the name that the only port needed beside those that we added."""
    if len(kept) == 1:
        port = kept[0]
        old = had.get(_key(port))
        if old is not None and "name" not in old and port.get("name") == f"port{port['port']}":
            del port["name"]
    return kept


def _free_name(number: int, given: set[str]) -> str:
    name, again = f"port{number}", 2
    while name in given:
        name, again = f"port{number}-{again}", again + 1
    given.add(name)
    return name


def _keep_node_ports(service: Object, wanted: Iterable[dict[str, Any]]) -> None:
    """Keep the node ports that the cluster gave to ports that we added before."""
    given = {_key(port): port["nodePort"] for port in ports(service) if "nodePort" in port}
    for port in wanted:
        if _key(port) in given:
            port["nodePort"] = given[_key(port)]
