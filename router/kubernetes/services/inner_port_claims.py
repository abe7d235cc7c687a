"""Inner ports recorded by the Services of a namespace, and those that clients use now."""

from collections.abc import Iterable, Sequence

from router.kubernetes.objects.objects import Object, Snapshot, metadata, name_of
from router.kubernetes.services import adoption, owned_services
from router.kubernetes.services.inner_ports import Claims, from_text
from router.kubernetes.services.removal import derived
from router.model.ids import ServiceKey


def claimed(snapshot: Snapshot, ours: Iterable[Object]) -> Sequence[tuple[Object, Claims]]:
    """The claims of each of ``ours`` and of Services for ServiceImports, the oldest first."""
    found = [(service, claims) for service in ours for claims in _claims_of(service)]
    found += [(service, Claims(name, _claims(service))) for name, service in derived(snapshot)]
    return sorted(found, key=lambda each: _age(each[0]))


def promised(snapshot: Snapshot, ours: Iterable[Object]) -> dict[ServiceKey, int]:
    """The inner ports that clients are led to now, also of services that no site declares."""
    return {
        ServiceKey(claims.name, port): inner
        for service, claims in claimed(snapshot, ours)
        if adoption.leads_to_routers(service)
        for port, inner in claims.ports.items()
    }


def _claims(service: Object) -> dict[int, int]:
    """The inner ports in a Service's annotation; its target ports for ports not in there."""
    was = adoption.original(service)
    if was is not None:
        return from_text(was.inner_ports)
    told = from_text(owned_services.made(service).inner_ports)
    if not adoption.leads_to_routers(service):
        return told  # Handed over but not led here yet: the target ports are another router's.
    seen = {
        port["port"]: port["targetPort"]
        for port in adoption.ports(service)
        if isinstance(port.get("port"), int) and isinstance(port.get("targetPort"), int)
    }
    return seen | told


def _claims_of(service: Object) -> list[Claims]:
    """The claims of a Service, by the services that its ports lead to."""
    claims: dict[str, dict[int, int]] = {}
    for port, inner in _claims(service).items():
        key = owned_services.leads_to(service, port)
        claims.setdefault(key.name, {})[key.port] = inner
    return [Claims(name, ports) for name, ports in claims.items()]


def _age(service: Object) -> tuple[str, str]:
    return str(metadata(service).get("creationTimestamp", "")), name_of(service)
