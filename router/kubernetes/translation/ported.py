"""A Service before a router took it over: its selector, its ports, its external name.

A Service that leads to a router stores its original in an annotation: `names.ORIGINAL` for ours,
`names.SKUPPER_ORIGINAL_SELECTOR` for Skupper's. One that a router made has neither, and belongs to
no user.
"""

from collections.abc import Mapping
from typing import Any, Final

from router.kubernetes.objects import names, texts
from router.kubernetes.objects.objects import Object, annotations, part, spec_of
from router.kubernetes.objects.texts import PortPairs
from router.kubernetes.services import adoption, owned_services

EXTERNAL_NAME: Final = "ExternalName"


class PortedServices:
    """The Services of a namespace that are not being deleted, for reading one object.

    It remembers the Services that were read: the reading is valid while these are the same.
    """

    __slots__ = ("_found", "_looked_at")

    def __init__(self, found: Mapping[str, Object]) -> None:
        self._found = found
        self._looked_at: list[tuple[str, Object | None]] = []

    def get(self, name: str) -> Object | None:
        """A Service by name; None: there is none."""
        service = self._found.get(name)
        self._looked_at.append((name, service))
        return service

    def looked_at(self) -> tuple[tuple[str, Object | None], ...]:
        """Each requested name, with the answer."""
        return tuple(self._looked_at)


def is_generated(service: Object) -> bool:
    """Whether a router made it, ours or Skupper's, so that no user's Service is behind it.

    An adopted Service with an unreadable annotation counts as made, too.
    """
    if adoption.is_adopted(service):
        return adoption.original(service) is None
    if owned_services.is_made(service) or adoption.leads_to_routers(service):
        return True
    return adoption.is_skuppers(service) and (
        names.SKUPPER_ORIGINAL_SELECTOR not in annotations(service)
    )


def original_spec(service: Object) -> Mapping[str, Any]:
    """The ``spec`` as its user wrote it, also of an adopted Service."""
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
    """The names of the Service's ports, if they have one."""
    declared = original_spec(service).get("ports")
    found: dict[int, str] = {}
    for entry in declared if isinstance(declared, list) else ():
        port, name = texts.port_number(part(entry, "port")), part(entry, "name")
        if port is not None and isinstance(name, str) and name:
            found[port] = name
    return found


def external_name(service: Object) -> str:
    """The host of an ExternalName Service; empty: it is none."""
    spec = original_spec(service)
    name = spec.get("externalName")
    return name if spec.get("type") == EXTERNAL_NAME and isinstance(name, str) else ""
