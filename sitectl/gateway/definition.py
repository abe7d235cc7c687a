"""Skupper's gateway YAML to documents of an edge site, and back. Pure.

A binding is a Connector, a forward a Listener. A service that is bound is declared too, by a
Service of its ports and protocol, unless the network has a declaration (the older one counts
anyway); and since the gateway is where its target is, it does not listen for it (`listen: none`).
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from router.documents.addresses import auto_ip, is_ip, split_listen
from router.documents.gateway import CONTRADICTION, PORTS, VALUE, Endpoint, Gateway
from router.documents.rules import target_ports
from router.model import limits
from router.model.addresses import join
from router.model.errors import ConfigError
from router.model.specs import ConnectorSpec, Document, ListenerSpec, ServiceSpec
from sitectl.flags.services.bindings import Binding, BoundTarget
from sitectl.flags.services.names import DeclaredService

ANY_ADDRESS: Final = "0.0.0.0"
LOOPBACK: Final = "127.0.0.1"
NOTHING: Final[Mapping[str, DeclaredService]] = MappingProxyType({})
_LOCAL: Final = ("localhost", "localhost.")


def gateway_name(words: str) -> str:
    """The site name of a gateway that people call ``words``; empty: nothing of it can stay."""
    plain = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
    return plain[: limits.NAME_CHARS_MAX].strip("-")


def documents_of(
    gateway: Gateway, source: str, declared: frozenset[str] = frozenset()
) -> tuple[list[Document], list[ConfigError]]:
    """The documents of ``gateway``: services, connectors, listeners; and the errors in it.

    ``declared``: services that the network has already; they are not declared again.
    """
    errors: list[ConfigError] = []
    found: list[Document] = []
    bound: dict[str, list[Endpoint]] = {}
    for endpoint in gateway.bindings:
        bound.setdefault(endpoint.address, []).append(endpoint)
    listeners = _listeners(gateway.forwards, source, errors)
    for service, endpoints in bound.items():
        protocols = {endpoint.protocol for endpoint in endpoints}
        if len(protocols) > 1:
            reason = f"service {service!r} is {' and '.join(sorted(protocols))}"
            errors.append(_error(source, endpoints[-1], reason, "Give it one protocol"))
            continue
        ports = _service_ports(endpoints)
        connectors = _connectors(service, ports, endpoints, source, errors)
        if service not in declared:
            spec = ServiceSpec(protocol=endpoints[0].protocol, ports=ports)
            found.append(Document("Service", service, spec))
            found += _silent(service, ports, listeners)
        found += connectors
    found += listeners
    unique = {(document.kind, document.name): document for document in found}
    return list(unique.values()), errors


def _error(
    source: str, endpoint: Endpoint, reason: str, hint: str, code: str = CONTRADICTION
) -> ConfigError:
    return ConfigError(source, "", reason, line=endpoint.line, column=1, hint=hint, code=code)


def _pairs(endpoint: Endpoint) -> list[tuple[int, int]]:
    """Service port and target port of a binding, for each of its ports."""
    targets = endpoint.target_ports or endpoint.ports
    if endpoint.address_port is not None and len(endpoint.ports) == 1:
        return [(endpoint.address_port, targets[0])]
    return list(zip(endpoint.ports, targets, strict=True))


def _service_ports(endpoints: list[Endpoint]) -> tuple[int, ...]:
    """Every port of a service that is bound somewhere, in the order of the file."""
    return tuple(dict.fromkeys(port for one in endpoints for port, _ in _pairs(one)))


def _host_of(endpoint: Endpoint) -> str:
    return endpoint.host or "localhost"


def _connectors(
    service: str,
    ports: tuple[int, ...],
    endpoints: list[Endpoint],
    source: str,
    errors: list[ConfigError],
) -> list[Document]:
    """A connector for each target; a target of a service of several ports has all of them."""
    by_host: dict[str, list[dict[int, int]]] = {}
    for endpoint in endpoints:
        tables = by_host.setdefault(_host_of(endpoint), [])
        for port, target in _pairs(endpoint):
            table = next((one for one in tables if one.get(port, target) == target), None)
            if table is None:
                tables.append(table := {})
            table[port] = target
    found = []
    for host, tables in by_host.items():
        for table in tables:
            missing = [str(port) for port in ports if port not in table]
            if missing:
                reason = f"{host} serves not all ports of service {service!r}"
                hint = f"Bind {', '.join(missing)} there too, or as a service of another name"
                at = next(one for one in endpoints if _host_of(one) == host)
                errors.append(_error(source, at, reason, hint, PORTS))
                continue
            targets = tuple(table[port] for port in ports)
            binding = Binding(service, BoundTarget("host", host), targets)
            found.append(Document("Connector", binding.document_name, binding.spec))
    return found


def _silent(service: str, ports: tuple[int, ...], listeners: list[Document]) -> list[Document]:
    """Listeners that keep a bound service from being listened for, but where it is forwarded."""
    heard = [
        document.spec.port
        for document in listeners
        if isinstance(document.spec, ListenerSpec) and document.spec.service == service
    ]
    if not heard:
        return [Document("Listener", service, ListenerSpec(service=service, listen="none"))]
    return [
        Document(
            "Listener",
            f"{service}-{port}",
            ListenerSpec(service=service, listen="none", port=port),
        )
        for port in ports
        if None not in heard and port not in heard
    ]


def _listeners(
    forwards: Iterable[Endpoint], source: str, errors: list[ConfigError]
) -> list[Document]:
    found: list[Document] = []
    places: set[str] = set()
    for endpoint in forwards:
        ip = _listen_ip(endpoint)
        if ip is None:
            reason = f"{endpoint.host!r} is no address to listen on"
            hint = "Write an IP address, or loopback: true"
            errors.append(_error(source, endpoint, reason, hint, VALUE))
            continue
        for port, own in _forwarded(endpoint):
            listen = join(ip, own)
            if listen in places:
                reason = f"{listen} is forwarded twice"
                errors.append(_error(source, endpoint, reason, "Choose another port"))
            places.add(listen)
            several = port is not None
            name = f"{endpoint.address}-{port}" if several else endpoint.address
            spec = ListenerSpec(service=endpoint.address, listen=listen, port=port)
            if any(document.name == name for document in found):
                reason = f"service {endpoint.address!r} is forwarded twice"
                errors.append(_error(source, endpoint, reason, "Keep one of them"))
            found.append(Document("Listener", name, spec))
    return found


def _listen_ip(endpoint: Endpoint) -> str | None:
    """Where a forward listens; None: its host is a name. Without one on all, as Skupper does."""
    if endpoint.loopback or endpoint.host in _LOCAL:
        return LOOPBACK
    return endpoint.host if is_ip(endpoint.host) else None if endpoint.host else ANY_ADDRESS


def _forwarded(endpoint: Endpoint) -> list[tuple[int | None, int]]:
    """Service port (None: its only one) and port of this host, for each port of a forward."""
    if len(endpoint.ports) == 1:
        own = endpoint.local_port or endpoint.ports[0]
        stated = endpoint.target_ports[0] if endpoint.target_ports else None
        return [(endpoint.address_port or stated, own)]
    return list(zip(endpoint.target_ports or endpoint.ports, endpoint.ports, strict=True))


def gateway_of(
    name: str, documents: Iterable[Document], elsewhere: Mapping[str, DeclaredService] = NOTHING
) -> tuple[Gateway, list[str]]:
    """The gateway that ``documents`` of a site make, and notes on what its YAML cannot express.

    ``elsewhere``: services that other sites declare. One entry for each port, which is what
    Skupper's own commands write and read.
    """
    everything = list(documents)
    own = {d.name: d.spec for d in everything if isinstance(d.spec, ServiceSpec)}
    services: Mapping[str, ServiceSpec | DeclaredService] = {**elsewhere, **own}
    bindings: list[Endpoint] = []
    forwards: list[Endpoint] = []
    left_out: list[str] = []
    for document in everything:
        if isinstance(document.spec, ConnectorSpec):
            service = services.get(document.spec.service)
            bindings += _bindings(document.spec, service)
            if document.spec.workload:
                left_out.append(f"connector {document.name}: pods of {document.spec.workload}")
            elif _says_more(document.spec):
                left_out.append(f"connector {document.name}: capacity, health and TLS")
            if service is None and document.spec.targets:
                left_out.append(
                    f"connector {document.name}: protocol and ports of service "
                    f"{document.spec.service}, which its router does not know now"
                )
        elif isinstance(document.spec, ListenerSpec) and document.spec.listen != "none":
            made = _forwards(document.spec, services.get(document.spec.service))
            forwards += made
            if not made:
                left_out.append(f"listener {document.name}: which ports its service has")
    return Gateway(name=name, bindings=tuple(bindings), forwards=tuple(forwards)), left_out


def _says_more(spec: ConnectorSpec) -> bool:
    return spec != ConnectorSpec(service=spec.service, targets=spec.targets)


def _bindings(spec: ConnectorSpec, service: ServiceSpec | DeclaredService | None) -> list[Endpoint]:
    found = []
    for target in spec.targets:
        ports = target_ports(target)
        known = service.ports if service is not None and len(service.ports) == len(ports) else ()
        for index, port in enumerate(ports):
            at = known[index] if known else port
            found.append(
                Endpoint(
                    name=f"{spec.service}-{at}",
                    host=target.host,
                    address=spec.service,
                    address_port=at,
                    protocol=service.protocol if service is not None else "tcp",
                    ports=(port,),
                    target_ports=(port,),
                )
            )
    return found


def _forwards(spec: ListenerSpec, service: ServiceSpec | DeclaredService | None) -> list[Endpoint]:
    place, auto = split_listen(spec.listen), auto_ip(spec.listen)
    if place is not None:
        pairs, ip = [(spec.port, place[1])], place[0] or LOOPBACK
    else:
        known = (spec.port,) if spec.port is not None else service.ports if service else ()
        pairs, ip = [(port, port) for port in known], auto or LOOPBACK
    return [
        Endpoint(
            name=f"{spec.service}-{port or own}",
            host="" if ip in (LOOPBACK, ANY_ADDRESS) else ip,
            address=spec.service,
            address_port=port,
            protocol=service.protocol if service is not None else "tcp",
            ports=(own,),
            loopback=ip == LOOPBACK,
        )
        for port, own in pairs
    ]
