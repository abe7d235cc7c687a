"""What a Service was before a router took it over: its selector, its ports, what it stands for.

A Service that leads to a router carries what it had in an annotation: `names.ORIGINAL` ours,
`names.SKUPPER_ORIGINAL_SELECTOR` Skupper's. One that a router made has neither, and is no user's.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from router.kubernetes import names, texts
from router.kubernetes.objects import Object, annotations, labels, part
from router.kubernetes.texts import PortPairs

EXTERNAL_NAME: Final = "ExternalName"


def is_ours(service: Object) -> bool:
    """Whether it leads to Spillway's routers: made or adopted."""
    return names.SERVICE_LABEL in labels(service)


def leads_to_skupper(service: Object) -> bool:
    """Whether Skupper's router answers at it: made or rewritten by Skupper."""
    selector = part(service, "spec", "selector")
    if not isinstance(selector, dict):
        return False
    return selector.get(names.SKUPPER_COMPONENT) == names.SKUPPER_COMPONENT_ROUTER


def is_generated(service: Object) -> bool:
    """Whether a router made it, ours or Skupper's: no user's Service stands behind it."""
    notes = annotations(service)
    if is_ours(service):
        return names.ORIGINAL not in notes
    has_original = names.SKUPPER_ORIGINAL_SELECTOR in notes
    return not has_original and (names.SKUPPER_CONTROLLED in notes or leads_to_skupper(service))


def original_spec(service: Object) -> Mapping[str, Any]:
    """Its ``spec`` as its user wrote it: what was adopted stands in an annotation."""
    spec = part(service, "spec")
    current: Mapping[str, Any] = spec if isinstance(spec, dict) else {}
    kept = annotations(service).get(names.ORIGINAL)
    if kept is None:
        return current
    try:
        original = msgspec.json.decode(kept)
    except (msgspec.DecodeError, RecursionError):
        return current
    original = original.get("spec", original) if isinstance(original, dict) else {}
    return {**current, **original} if isinstance(original, dict) else current


def service_ports(service: Object) -> PortPairs:
    """TCP ports of a Service as its user wrote it, each with its target port."""
    declared = original_spec(service).get("ports")
    found: dict[int, int | str] = {}
    for entry in declared if isinstance(declared, list) else ():
        port = texts.port_number(part(entry, "port"))
        if port is None or part(entry, "protocol") not in (None, "TCP"):
            continue
        target = part(entry, "targetPort")
        named = target if isinstance(target, str) and target else None
        found[port] = texts.port_number(target) or named or port
    return tuple(found.items())


def port_names(service: Object) -> dict[int, str]:
    """The names of its ports, where they have one."""
    declared = original_spec(service).get("ports")
    found: dict[int, str] = {}
    for entry in declared if isinstance(declared, list) else ():
        port, name = texts.port_number(part(entry, "port")), part(entry, "name")
        if port is not None and isinstance(name, str) and name:
            found[port] = name
    return found


def external_name(service: Object) -> str:
    """The host that an ExternalName Service stands for; empty: it is none."""
    spec = original_spec(service)
    name = spec.get("externalName")
    return name if spec.get("type") == EXTERNAL_NAME and isinstance(name, str) else ""
