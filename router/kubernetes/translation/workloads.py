"""Annotated Deployments, StatefulSets, DaemonSets and DeploymentConfigs."""

from router.kubernetes.objects import findings, names, texts
from router.kubernetes.objects.objects import Object, part
from router.kubernetes.objects.texts import PortPairs
from router.kubernetes.translation.exposure import Exposure, ObjectReading
from router.kubernetes.translation.ported import PortedServices, is_generated, service_ports


def read(reading: ObjectReading, services: PortedServices) -> Exposure | None:
    """The exposure of the annotated workload; None: unusable, ``reading.noted`` has the reason."""
    reading.check_keys()
    protocol = reading.protocol()
    headless = _is_headless(reading)
    governing = part(reading.found, "spec", "serviceName")
    own_name = governing if headless and isinstance(governing, str) else reading.name
    address = reading.address(own_name)
    if protocol is None or address is None:
        return None
    ports = reading.ports(protocol, _declared_ports(reading, services))
    if ports is None:
        return None
    service = reading.service(protocol, [port for port, _ in ports])
    connector = reading.connector(
        address, f"{reading.kind.lower()}/{reading.name}", [target for _, target in ports]
    )
    return reading.exposure(address, service, connector, reading.name if headless else "")


def _is_headless(reading: ObjectReading) -> bool:
    if reading.kind != "StatefulSet":
        return False
    if not reading.value(names.HEADLESS, texts.boolean, False):
        return False
    governing = part(reading.found, "spec", "serviceName")
    if isinstance(governing, str) and governing:
        return True
    reading.noted.annotation(
        names.HEADLESS,
        "the StatefulSet has no serviceName, so its pods have no names of their own",
        "Set spec.serviceName to a headless Service",
        findings.ANNOTATION_NO_EFFECT,
    )
    return False


def _declared_ports(reading: ObjectReading, services: PortedServices) -> PortPairs:
    governing = part(reading.found, "spec", "serviceName")
    is_named = reading.kind == "StatefulSet" and isinstance(governing, str)
    return ports_of(reading.found, services.get(governing) if is_named else None)


def ports_of(found: Object, governing: Object | None) -> PortPairs:
    """Ports of a StatefulSet's Service, else of the first container that has any.

    ``governing``: the Service that a StatefulSet names. A router may have made it for this very
    address; then it leads to the routers.
    """
    if governing is not None and not is_generated(governing):
        return service_ports(governing) or _container_ports(found)
    return _container_ports(found)


def _container_ports(found: Object) -> PortPairs:
    """The TCP ports of the first container that declares any; sidecars come after it."""
    containers = part(found, "spec", "template", "spec", "containers")
    for container in containers if isinstance(containers, list) else ():
        declared = part(container, "ports")
        ports: dict[int, int | str] = {}
        for entry in declared if isinstance(declared, list) else ():
            port = texts.port_number(part(entry, "containerPort"))
            if port is not None and part(entry, "protocol") in (None, "TCP"):
                ports[port] = port
        if ports:
            return tuple(ports.items())
    return ()
