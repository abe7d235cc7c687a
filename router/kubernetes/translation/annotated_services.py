"""Annotated Services: their own pods, another Service's, or none at all."""

from collections.abc import Iterable, Mapping

from router.documents import readers
from router.kubernetes.objects import findings, names, texts
from router.kubernetes.objects.objects import Object, annotations
from router.kubernetes.objects.texts import PortPairs
from router.kubernetes.services import adoption
from router.kubernetes.translation import ported
from router.kubernetes.translation.exposure import Exposure, ObjectReading
from router.kubernetes.translation.ported import PortedServices
from router.model.specs import ConnectorSpec


def read(reading: ObjectReading, services: PortedServices, namespace: str) -> Exposure | None:
    """The exposure of the annotated Service; None: unusable, ``reading.noted`` has the reason."""
    reading.check_keys()
    protocol, address = reading.protocol(), reading.address(reading.name)
    if protocol is None or address is None:
        return None
    own = ported.service_ports(reading.found)
    target = _target(reading, namespace)
    other = services.get(target) if target and "." not in target else None
    declared = own or (ported.service_ports(other) if other is not None else ())
    ports = reading.ports(protocol, declared)
    if ports is None:
        return None
    connector: ConnectorSpec | None = None
    if not _is_ingress_only(reading):
        if target:
            found = _connector_to(reading, address, target, other, ports)
            if found is None:
                return None
            connector = found
        else:
            connector = _own_connector(reading, address, ports, namespace)
    service = reading.service(protocol, [port for port, _ in ports])
    return reading.exposure(address, service, connector)


def _is_ingress_only(reading: ObjectReading) -> bool:
    """Whether the annotation is there and not ``false``; Skupper only checks its presence."""
    return (
        names.INGRESS_ONLY in reading.notes
        and texts.boolean(reading.text(names.INGRESS_ONLY)) is not False
    )


def _target(reading: ObjectReading, namespace: str) -> str:
    """``NAME`` or ``NAME.NAMESPACE`` of another Service; empty: its own pods are the targets."""
    text = reading.text(names.TARGET)
    if not text:
        return ""
    name, dot, rest = text.partition(".")
    there = rest.removesuffix(".").removesuffix(".cluster.local").removesuffix(".svc")
    usable = readers.is_name(name) and (not dot or readers.is_name(there))
    if not usable:
        reading.noted.annotation(
            names.TARGET,
            f"expected NAME or NAME.NAMESPACE of a Service, got {texts.short(text)}; the Service's "
            "own pods are used",
            f"For a host elsewhere: sitectl service bind {reading.name} host HOST",
        )
        return ""
    if there in ("", namespace):
        return "" if name == reading.name else name
    return f"{name}.{there}"


def _connector_to(
    reading: ObjectReading, address: str, target: str, other: Object | None, ports: PortPairs
) -> ConnectorSpec | None:
    """A connector to the Service ``target``; None: it leads back, or ports do not fit."""
    numbers = [port for port, _ in ports]
    if other is None:
        return reading.connector(address, f"service/{target}", numbers)
    if ported.is_generated(other):
        reading.noted.annotation(
            names.TARGET,
            f"Service {target!r} leads to the router itself; nothing new is exposed",
            "Name the Service of the pods",
            findings.LOOP,
        )
        return None
    there = ported.service_ports(other)
    chosen = _matched(numbers, ported.port_names(reading.found), there, ported.port_names(other))
    if chosen is None:
        reading.noted.annotation(
            names.TARGET,
            f"Service {target!r} has ports {_listed(p for p, _ in there)}, the address "
            f"{_listed(numbers)}; nothing new is exposed",
            "Give both the same ports, or the same port names",
            findings.PORTS,
        )
        return None
    return reading.connector(address, f"service/{target}", chosen)


def _matched(
    numbers: list[int],
    own_names: Mapping[int, str],
    there: PortPairs,
    their_names: Mapping[int, str],
) -> list[int] | None:
    """The port of the other Service for each of ``numbers``; None: unclear."""
    known = [port for port, _ in there]
    if not known or set(numbers) <= set(known):
        return numbers
    if len(known) == 1 and len(numbers) == 1:
        return known
    by_name = {name: port for port, name in their_names.items()}
    chosen = [by_name.get(own_names.get(number, "")) for number in numbers]
    found = [port for port in chosen if port is not None]
    return found if len(found) == len(numbers) else None


def _listed(ports: Iterable[int]) -> str:
    return ", ".join(map(str, ports)) or "none"


def _own_connector(
    reading: ObjectReading, address: str, ports: PortPairs, namespace: str
) -> ConnectorSpec | None:
    """A connector to the Service's own targets, as they were before a router took it over."""
    external = ported.external_name(reading.found)
    if external and _is_itself(external, reading.name, address, namespace):
        reading.noted.add(
            "spec.externalName",
            f"{texts.short(external)} is the service itself: it would call itself; it has no "
            "targets here",
            "Set it to another host",
            findings.LOOP,
        )
        return None
    notes = annotations(reading.found)
    selector = notes.get(names.SKUPPER_ORIGINAL_SELECTOR, "")
    if selector and names.ORIGINAL not in notes and adoption.is_skuppers(reading.found):
        kept = texts.port_pairs(notes.get(names.SKUPPER_ORIGINAL_PORT, ""))
        before = {} if isinstance(kept, texts.InvalidText) else dict(kept)
        targets = [before.get(port, target) for port, target in ports]
        if len(ports) == 1 and len(before) == 1:
            targets = list(before.values())
        pods = texts.selector_text(texts.pairs(selector))
        return reading.connector(address, f"pods/{pods}", targets)
    return reading.connector(address, f"service/{reading.name}", [port for port, _ in ports])


def _is_itself(host: str, name: str, address: str, namespace: str) -> bool:
    """Whether ``host`` is the Service's own name, or its address's, in this namespace."""
    first, _, rest = host.rstrip(".").partition(".")
    return first in (name, address) and (not rest or rest.split(".", 1)[0] == namespace)
