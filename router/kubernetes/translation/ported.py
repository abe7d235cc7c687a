"""What a Service was before a router took it over: its selector, its ports, what it stands for.

A Service that leads to a router carries what it had in an annotation: `names.ORIGINAL` ours,
`names.SKUPPER_ORIGINAL_SELECTOR` Skupper's. One that a router made has neither, and is no user's.
"""

from collections.abc import Mapping
from typing import Any, Final

from router.kubernetes.objects import names, texts
from router.kubernetes.objects.objects import Object, annotations, part, spec_of
from router.kubernetes.objects.texts import PortPairs
from router.kubernetes.services import adoption, owned_services

EXTERNAL_NAME: Final = "ExternalName"


class PortedServices:
    """The Services of a namespace that are not going, for one who reads an object.

    It remembers which were looked at: what was read holds for as long as these are the same.
    """

    __slots__ = ("_found", "_looked_at")

    def __init__(self, found: Mapping[str, Object]) -> None:
        self._found = found
        self._looked_at: list[tuple[str, Object | None]] = []

    def get(self, name: str) -> Object | None:
        """One by name; None: there is none."""
        service = self._found.get(name)
        self._looked_at.append((name, service))
        return service

    def looked_at(self) -> tuple[tuple[str, Object | None], ...]:
        """Each name that was asked for, with the answer."""
        return tuple(self._looked_at)


def is_generated(service: Object) -> bool:
    """Whether a router made it, ours or Skupper's: no user's Service stands behind it.

    Neither does one behind a Service whose annotation nobody can read any more.
    """
    if adoption.is_adopted(service):
        return adoption.original(service) is None
    if owned_services.is_made(service) or adoption.leads_to_routers(service):
        return True
    return adoption.is_skuppers(service) and (
        names.SKUPPER_ORIGINAL_SELECTOR not in annotations(service)
    )


def original_spec(service: Object) -> Mapping[str, Any]:
    """Its ``spec`` as its user wrote it, whatever was adopted."""
    before = adoption.before(service) if adoption.is_adopted(service) else service
    return spec_of(before)


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
