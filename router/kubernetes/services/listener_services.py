"""Services that Listener documents name: `host`, with a port for each Listener.

Unlike an address of the network, such a Service has a name and ports of this namespace alone, and
may lead to several services. Its port names are those of the Listeners, as in Skupper v2.
"""

from collections.abc import Mapping

import msgspec

from router.kubernetes.objects.objects import Object, Snapshot
from router.kubernetes.services import adoption, owned_services, refusals
from router.model.errors import ConfigError
from router.model.ids import ServiceKey
from router.model.specs import ListenerSpec, ServiceSpec

_NO_SERVICE = "SW0420"
SKUPPERS = "SW0424"
"""The code of an obstacle caused by Skupper's router."""


class HostPort(msgspec.Struct, frozen=True):
    """One port of such a Service: the Listener that asks for it, and its destination."""

    listener: str
    port: int
    key: ServiceKey


def wanted_hosts(
    listeners: Mapping[str, ListenerSpec], declared: Mapping[str, ServiceSpec]
) -> dict[str, tuple[HostPort, ...]]:
    """The Services that Listeners with a `host` ask for, by name."""
    hosts: dict[str, dict[int, HostPort]] = {}
    for name, listener in sorted(listeners.items()):
        spec = declared.get(listener.service)
        number = listener.listen.rpartition(":")[2]
        if not listener.host or spec is None or not number.isdecimal():
            continue
        inner = listener.port or spec.ports[0]
        ports = hosts.setdefault(listener.host, {})
        ports.setdefault(
            int(number), HostPort(name, int(number), ServiceKey(listener.service, inner))
        )
    return {host: tuple(ports.values()) for host, ports in hosts.items()}


def obstacle(
    snapshot: Snapshot, host: str, ports: tuple[HostPort, ...], named: bool
) -> ConfigError | None:
    """Why there is no Service ``host`` for these ports; ``named``: an address has that name."""
    found = snapshot.get("Service", host)
    is_foreign = found is not None and not owned_services.is_made(found)
    if not named and not is_foreign:
        return None
    if found is not None and is_foreign and adoption.is_skuppers(found):
        return refusals.left_to_skupper(host)
    reason = (
        f"the service {host} of the network has that name already"
        if named
        else f"Service {host} already exists in the namespace and is not ours"
    )
    told = ", ".join(port.listener for port in ports)
    return ConfigError(
        f"Service/{host}",
        "metadata.name",
        f"{reason}, so Listener {told} has none",
        hint="Give the Listener another host, or delete that Service",
        code=_NO_SERVICE,
    )


def fresh(
    host: str,
    ports: tuple[HostPort, ...],
    inner: Mapping[ServiceKey, int],
    marked: Mapping[str, str],
    noted: Mapping[str, str],
) -> Object:
    """The wanted Service."""
    keys = {port.port: port.key for port in ports}
    made = owned_services.service(
        host, {port.port: inner[port.key] for port in ports}, marked, noted, keys=keys
    )
    names = {port.port: port.listener for port in ports}
    for port in made["spec"]["ports"]:
        port["name"] = names[port["port"]]
    return made
