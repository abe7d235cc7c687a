"""The services that a gateway offers and uses: the documents that its verbs write.

`bind` writes a Connector, and if no other site declares the service a Service with a Listener
``none``, since a target of this host has its port already. `forward` writes a Listener with a
place. `unbind` and `unforward` remove exactly these documents; users' files stay.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple

from router.documents.addresses import is_ip
from router.model import limits
from router.model.addresses import join
from router.model.specs import ConnectorSpec, Document, ListenerSpec, ServiceProtocol, ServiceSpec
from sitectl.base.failure import Failure, conflict, usage
from sitectl.flags.services.bindings import (
    Binding,
    BoundTarget,
    bindings_of,
    bound_document,
    require_target,
    unbind_target,
)
from sitectl.flags.services.capacity import CapacityFlags
from sitectl.flags.services.names import (
    DeclaredService,
    declared_service,
    declared_services,
    require_name,
)
from sitectl.flags.services.port_pairs import Pair, matched
from sitectl.runtimes.presence import wait_until
from sitectl.site.directory import DirectorySite
from sitectl.site.site import Change

ASK_WAIT_S: Final = 1.5
"""Longest wait for the network's answer on a service: a round trip, and an update of an edge."""
LINK_WAIT_S: Final = 5.0
"""Longest wait for a link that is just being made, before a service is taken to be unknown."""

Health = Mapping[str, str | None]


class Bound(NamedTuple):
    """The result of `bind`. ``declared``: it declared the service, too."""

    service: DeclaredService
    target: str
    change: Change
    declared: bool


class Forwarded(NamedTuple):
    """The change by `forward`, and where it listens. ``service`` None: no site declares it yet."""

    service: DeclaredService | None
    places: tuple[str, ...]
    change: Change


def asked(site: DirectorySite, names: Collection[str]) -> dict[str, DeclaredService]:
    """Those of ``names`` that are declared, as `declared_service` returns them, once the router has
    asked its neighbor for what documents name."""
    site.reload()
    found: dict[str, DeclaredService] = {}

    def is_up() -> bool:
        try:
            return any(link["state"] == "up" for link in site.admin.get("/api/v1/links"))
        except Failure:
            return False

    def are_known() -> bool:
        found.update(declared_services(site, [name for name in names if name not in found]))
        return len(found) == len(names)

    if site.admin.is_running() and wait_until(is_up, LINK_WAIT_S):
        wait_until(are_known, ASK_WAIT_S)
    are_known()
    return found


def bind(
    site: DirectorySite,
    service: str,
    host: str,
    pairs: tuple[Pair, ...],
    *,
    protocol: ServiceProtocol | None = None,
    declares: bool = False,
    capacity: CapacityFlags,
    health: Health,
) -> Bound:
    """Offer ``host`` as a target of ``service``. Failure (exit 5): its ports or protocol differ.

    ``declares``: declare the service here in any case (`expose`), else only if no site does.
    """
    require_name(service)
    target = require_target(site, "host", host)
    known = declared_service(site, service)

    def connected(known: DeclaredService | None) -> Binding:
        declared = known.ports if known is not None else None
        ports = matched(service, pairs, declared, all_ports=True).values()
        return Binding(service, target, tuple(ports))

    if known is not None:
        _require_protocol(service, known, protocol)
        _require_http(service, known.protocol, health)
        binding, first = connected(known), None
    else:
        # Ask the network by declaring the use: an edge learns about services that it uses.
        binding = connected(None)
        first = _put(site, binding, capacity, health)
        known = asked(site, [service]).get(service)
        try:
            if known is not None:
                _require_protocol(service, known, protocol)
                _require_http(service, known.protocol, health)
                final = connected(known)
                if final.ports != binding.ports and first == "created":
                    unbind_target(site, service, target, binding.ports)
                binding = final
            else:
                _require_http(service, protocol or "tcp", health, by_default=protocol is None)
        except Failure:
            if first == "created":
                unbind_target(site, service, target, binding.ports)
            raise
    change = _put(site, binding, capacity, health)
    if change == "unchanged" and first is not None:
        change = first
    has_declared = known is None or (declares and not known.is_own)
    if has_declared:
        ports = known.ports if known else tuple(matched(service, pairs, None, all_ports=True))
        known = DeclaredService(
            protocol or (known.protocol if known else "tcp"), ports, is_own=True
        )
        change = "created"
    assert known is not None
    if known.is_own:  # Before the service: its target has the port that it would listen on.
        _listen(site, service, known, _places(site, service, known.ports))
    if has_declared:
        spec = ServiceSpec(protocol=known.protocol, ports=known.ports)
        site.put(Document("Service", service, spec))
    return Bound(known, binding.shown, change, has_declared)


def _put(site: DirectorySite, binding: Binding, capacity: CapacityFlags, health: Health) -> Change:
    document = bound_document(site, binding, capacity, health)
    return "unchanged" if document is None else site.put(document)


def _require_protocol(
    service: str, known: DeclaredService, protocol: ServiceProtocol | None
) -> None:
    if protocol is not None and protocol != known.protocol:
        raise conflict(
            f"service {service!r} is {known.protocol}, not {protocol}",
            "Leave --protocol out: it is the service's",
        )


def _require_http(
    service: str, protocol: ServiceProtocol, health: Health, *, by_default: bool = False
) -> None:
    """Failure: a path to ask its targets for, of a service without paths."""
    if protocol == "tcp" and health.get("health_path"):
        raise usage(
            f"service {service!r} is {'new, so ' if by_default else ''}tcp"
            f"{' by default' if by_default else ''}: its targets are not asked for a path",
            "Add --protocol http, or leave --health-path out"
            if by_default
            else "Leave --health-path out: a tcp target is checked by connecting to it",
        )


def unbind(site: DirectorySite, service: str, host: str | None = None) -> list[str]:
    """Withdraw the targets of ``service`` (or of one host), and with the last one what `bind`
    declared. The targets withdrawn; typed again it finishes what a crash left."""
    targets = {binding.target for binding in bindings_of(site, service)}
    if host is not None:
        targets &= {BoundTarget("host", host.strip("[]"))}
    gone = [
        binding.shown
        for target in sorted(targets)
        for binding in unbind_target(site, service, target, None)
    ]
    if bindings_of(site, service):
        return gone
    document = site.find("Service", service)
    if document is not None and site.owns(document):
        site.delete_all([document])
        if not gone:
            gone = [f"service {service}"]
    ports = document.spec.ports if document and isinstance(document.spec, ServiceSpec) else None
    _listen(site, service, None, _places(site, service, ports))
    return gone


def forward(site: DirectorySite, service: str, pairs: tuple[Pair, ...], address: str) -> Forwarded:
    """Let clients of this host reach ``service`` at ``address`` and the ports of ``pairs``.

    Failure (exit 5): the service has other ports.
    """
    require_name(service)
    before = _places(site, service, None)
    known = declared_service(site, service)
    unknown = _unknown(service, pairs, address)
    if known is None:
        # No site declares it yet: one port is that of its only one, several are as they are.
        # With several ports, the settings of the only one have no place.
        kept = {port: at for port, at in before.items() if port is not None or None in unknown}
        _listen(site, service, None, {**kept, **unknown})
        known = asked(site, [service]).get(service)
    if known is not None:
        try:
            ports = matched(service, pairs, known.ports, all_ports=False)
        except Failure:
            _listen(site, service, known if known.is_own else None, before)
            raise
        places: dict[int | None, str] = {
            port: place for port, place in before.items() if port in known.ports
        }
        places |= {port: _place(address, other) for port, other in ports.items()}
        _listen(site, service, known, places)
    after = _places(site, service, None)
    change: Change = "updated" if before else "created"
    if set(before.values()) == set(after.values()):
        change = "unchanged"
    return Forwarded(known, tuple(sorted(after.values())), change)


def unforward(site: DirectorySite, service: str) -> list[str]:
    """Close the places where clients of this host reach ``service``; those that were closed."""
    places = _places(site, service, None)
    known = declared_service(site, service)
    _listen(site, service, known if known is not None and known.is_own else None, {})
    return sorted(places.values())


def forwarded(site: DirectorySite) -> list[tuple[str, int | None, str]]:
    """Service, its port (None: its only one) and place of each forward."""
    return sorted(
        (document.spec.service, document.spec.port, document.spec.listen)
        for document in site.documents()
        if isinstance(document.spec, ListenerSpec) and document.spec.listen != "none"
    )


def is_idle(site: DirectorySite) -> bool:
    """Whether the gateway offers nothing and forwards nothing."""
    return not forwarded(site) and not any(
        isinstance(document.spec, ConnectorSpec) for document in site.documents()
    )


def _unknown(service: str, pairs: tuple[Pair, ...], address: str) -> dict[int | None, str]:
    if len(pairs) == 1 and pairs[0].service is None:
        return {None: _place(address, pairs[0].other)}
    said = matched(service, pairs, None, all_ports=False)
    return {port: _place(address, other) for port, other in said.items()}


def _place(address: str, port: int) -> str:
    if not is_ip(address):
        raise usage(f"--bind-ip {address!r} is not an IP address")
    return join(address, port)


def _places(
    site: DirectorySite, service: str, ports: tuple[int, ...] | None
) -> dict[int | None, str]:
    """Where clients connect, by the service's port; of an only one the port, if it is known."""
    only = ports[0] if ports is not None and len(ports) == 1 else None
    found = [(port, place) for name, port, place in forwarded(site) if name == service]
    return {only if port is None else port: place for port, place in found}


def _listen(
    site: DirectorySite,
    service: str,
    known: DeclaredService | None,
    places: Mapping[int | None, str],
) -> None:
    """Make the Listeners of ``service`` exactly these; ``none`` for ports declared here alone."""
    wanted = _listeners(service, known, places)
    names = {document.name for document in wanted}
    old = [
        document
        for document in site.documents()
        if isinstance(document.spec, ListenerSpec)
        and document.spec.service == service
        and document.name not in names
        and site.owns(document)
    ]
    for document in wanted:
        other = site.find("Listener", document.name)
        if (
            other is not None
            and isinstance(other.spec, ListenerSpec)
            and (other.spec.service != service)
        ):
            raise conflict(
                f"listener {document.name!r} is of service {other.spec.service}",
                site.edit_hint(other),
            )
    taken = {document.spec.listen for document in wanted if isinstance(document.spec, ListenerSpec)}
    # Two may not share a place, and a service declared here must always have one.
    moved = [
        document
        for document in old
        if isinstance(document.spec, ListenerSpec) and document.spec.listen in taken - {"none"}
    ]
    site.delete_all(moved)
    site.put_all(wanted)
    site.delete_all(document for document in old if document not in moved)


def _listeners(
    service: str, known: DeclaredService | None, places: Mapping[int | None, str]
) -> list[Document]:
    ports = known.ports if known is not None else None
    is_own = known is not None and known.is_own
    if not places:
        return [_listener(service, None, "none")] if is_own else []
    if ports is not None and len(ports) == 1:
        return [_listener(service, None, next(iter(places.values())))]
    wanted = [_listener(service, port, place) for port, place in places.items()]
    if is_own and ports is not None:
        wanted += [_listener(service, port, "none") for port in ports if port not in places]
    return wanted


def _listener(service: str, port: int | None, listen: str) -> Document:
    name = service if port is None else f"{service}-{port}"
    if len(name) > limits.NAME_CHARS_MAX:
        name = f"{service[:50]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return Document("Listener", name, ListenerSpec(service=service, listen=listen, port=port))


def wait_for(look: Callable[[], bool], timeout_s: float) -> bool:
    """Whether ``look`` came true in time; a router that does not answer yet is waited for."""

    def tried() -> bool:
        try:
            return look()
        except Failure:
            return False

    return wait_until(tried, timeout_s)
