"""``--listen`` and ``--tls-client-trust``: Listener documents of one service at this site."""

from collections.abc import Container, Iterable, Mapping

import click
import msgspec

from router.documents.addresses import auto_ip, split_listen
from router.model.errors import PORT_TAKEN, WANTED_SO
from router.model.specs import Document, ListenerSpec, ServiceSpec, SiteSpec
from sitectl.base import output
from sitectl.base.failure import usage
from sitectl.base.options import Settings, flags_as
from sitectl.flags.services.names import services_told
from sitectl.flags.sites import tls
from sitectl.site.site import Site


class ListenerFlags(msgspec.Struct, frozen=True):
    """As typed; None: not given. ``client_trust`` empty: any client."""

    listen: str | None = None
    client_trust: str | None = None

    @property
    def is_given(self) -> bool:
        """Whether any of them was typed."""
        return self != ListenerFlags()


listener_flags = flags_as(
    "listened",
    ListenerFlags,
    click.option(
        "--listen", metavar="[IP:]PORT|[IP:]auto|none", help="Port where clients connect here."
    ),
    click.option(
        "--tls-client-trust",
        "client_trust",
        metavar="NAME|FOLDER",
        help="Refuse clients without a certificate of this CA: a credential in secrets/tls, or a "
        "folder with ca.crt. Empty turns it off.",
    ),
)


def listener_of(name: str, listen: str, ports: tuple[int, ...]) -> Document:
    """The document of what ``--listen`` says of a service with ``ports``. Failure: it says
    nothing."""
    _require_form(listen)
    spec = ListenerSpec(service=name, listen=listen, port=_port_alone(listen, ports))
    return Document("Listener", name, spec)


def _require_form(listen: str) -> None:
    if listen != "none" and auto_ip(listen) is None and split_listen(listen) is None:
        raise usage(f"--listen {listen!r}: expected [IP:]PORT, [IP:]auto or none")


def _port_alone(listen: str, ports: tuple[int, ...]) -> int | None:
    """Of several ``ports`` the first one, where ``listen`` has a number; None: it is about all."""
    return ports[0] if len(ports) > 1 and split_listen(listen) is not None else None


def _with_listen(
    service: str,
    ports: tuple[int, ...],
    listen: str,
    port: int | None,
    found: Mapping[str, Document],
    taken: Container[str],
) -> list[Document]:
    """The Listeners with what ``--listen`` says of ``port``; None: of all ports, or of the first
    one where it has a number. ``found``: those of ``service``. All else stays as it was there."""
    _require_form(listen)
    names = {spec.port: name for name, one in found.items() if (spec := _spec(one))}
    changed: list[Document] = []
    if port is None and split_listen(listen) is None:
        names.setdefault(None, service)
        changed = [_listening(one, listen) for name, one in found.items() if name != names[None]]
    elif len(ports) == 1:
        port = ports[0] if ports[0] in names else None
    elif port is None:
        port = _port_alone(listen, ports)
    name = names.get(port)
    if name is None:
        is_first = port is None or port == next(iter(ports), None)
        name = service if is_first and service not in found else f"{service}-{port}"
        name = f"{name}-listener" if name in taken else name
    before = found.get(name) or found.get(names.get(None, ""))
    spec = (_spec(before) if before else None) or ListenerSpec(service=service)
    spec = msgspec.structs.replace(spec, listen=listen, port=port)
    return [*changed, Document("Listener", name, spec)]


def _listening(document: Document, listen: str) -> Document:
    spec = _spec(document)
    assert spec is not None
    return msgspec.structs.replace(document, spec=msgspec.structs.replace(spec, listen=listen))


def _spec(document: Document) -> ListenerSpec | None:
    return document.spec if isinstance(document.spec, ListenerSpec) else None


def changed_listeners(
    site: Site,
    service: str,
    ports: tuple[int, ...],
    flags: ListenerFlags,
    port: int | None,
    *,
    is_own: bool,
) -> list[Document]:
    """Listeners of ``service`` here with what the flags say. ``ports``: all, empty if not known.
    ``client_trust`` of the flags: the name of a credential. ``port``: the one that ``listen``
    is about; None: not said. ``is_own``: this site declares the service.

    ``--tls-client-trust`` changes each Listener of the service, and adds one for each port without
    any, so that no client gets in without a certificate.
    """
    found: dict[str, Document] = {}
    others: set[str] = set()
    for document in site.documents():
        if not isinstance(document.spec, ListenerSpec):
            continue
        if document.spec.service == service:
            found[document.name] = document
        else:
            others.add(document.name)
    listen, client_trust = flags.listen, flags.client_trust
    changed: dict[str, Document] = {}
    if listen is not None:
        told = _with_listen(service, ports, listen, port, found, others)
        changed = {document.name: document for document in told}
    elif client_trust and not found:
        changed[service] = listener_of(service, "auto", ports)
    if client_trust is not None:
        for name, document in (found | changed).items():
            changed[name] = _with_client_trust(document, client_trust)
    known = (found | changed).values()
    if not is_own and client_trust and not any(_is_of_all_ports(one) for one in known):
        return [*changed.values(), _of_all_ports(site, service, client_trust, {*found, *others})]
    return [*changed.values(), *_of_other_ports(known, service, ports, client_trust or "", others)]


def with_credential(site: Site, service: str, flags: ListenerFlags) -> ListenerFlags:
    """``flags`` with the name of the credential that ``--tls-client-trust`` means, copied if need
    be."""
    if not flags.client_trust:
        return flags
    named = tls.client_credential(site, flags.client_trust, service)
    return msgspec.structs.replace(flags, client_trust=named)


def require_port(name: str, port: int | None, ports: tuple[int, ...]) -> None:
    """Raise Failure: the service has no such port."""
    if port is not None and port not in ports:
        known = ", ".join(map(str, ports))
        raise usage(f"service {name!r} has no port {port}; it has {known}")


def note_no_listener(settings: Settings, site: Site, service: str) -> None:
    """Print which ports of ``service`` this site does not listen at although it should, and which
    services of other sites lose their listeners here to it.

    Prints nothing without a router, or where each service has a separate address.
    """
    if settings.dry_run or site.has_workloads or not site.admin.is_running():
        return
    items = services_told(site)  # None without an answer: `reload` has said so.
    listeners = [item.get("listener") or {} for item in items if item["name"] == service]
    taken = {one["port"] for one in listeners if one and one["state"] != "none"}
    for item in items:
        error = (item.get("listener") or {}).get("error", "")
        named = f"{item['name']}:{item['port']}"
        if item["name"] == service and error and not error.startswith(WANTED_SO):
            output.note(f"{named} has no listener here: {error}")
            output.note(f"Next: sitectl service set {named} --listen [IP:]PORT")
        elif item["name"] != service and item["port"] in taken and error == PORT_TAKEN:
            output.note(f"{named} has no listener here: {service} has that port here")
            output.note(f"Next: sitectl service set {named} --listen [IP:]PORT")


def refusing_strangers(
    documents: list[Document], service: ServiceSpec, client_trust: str
) -> list[Document]:
    """``documents`` of a service that is declared, with ``client_trust`` in each Listener; they are
    added for ports that have none."""
    (name,) = (one.name for one in documents if one.kind == "Service")
    if not any(one.kind == "Listener" for one in documents):
        documents = [*documents, listener_of(name, "auto", service.ports)]
    found = [_with_client_trust(one, client_trust) for one in documents]
    found += _of_other_ports(found, name, service.ports, client_trust)
    require_tls(service, found)
    return found


def require_tls(service: ServiceSpec, documents: list[Document]) -> None:
    """Failure: a listener has no certificate, so it cannot ask its clients for theirs."""
    for document in documents:
        spec = document.spec
        if not isinstance(spec, ListenerSpec) or not spec.tls_client_trust:
            continue
        if not (spec.tls_cert or service.tls_cert):
            raise usage(
                "--tls-client-trust needs TLS at the listener, which has no certificate",
                "Add --tls-cert FOLDER, or --generate-tls-secrets",
            )


def _with_client_trust(document: Document, client_trust: str) -> Document:
    if not isinstance(document.spec, ListenerSpec):
        return document
    spec = msgspec.structs.replace(document.spec, tls_client_trust=client_trust)
    return msgspec.structs.replace(document, spec=spec)


def _is_of_all_ports(document: Document) -> bool:
    return isinstance(document.spec, ListenerSpec) and document.spec.port is None


def _of_all_ports(site: Site, service: str, client_trust: str, taken: Container[str]) -> Document:
    """A Listener with ``client_trust`` of all ports that no other one is about; it opens none."""
    found = site.find("Site", site.name)
    is_synced = found is None or (isinstance(found.spec, SiteSpec) and found.spec.service_sync)
    name = f"{service}-clients" if service in taken else service
    listen = "auto" if is_synced else "none"
    spec = ListenerSpec(service=service, listen=listen, tls_client_trust=client_trust)
    return Document("Listener", name, spec)


def _of_other_ports(
    documents: Iterable[Document],
    service: str,
    ports: tuple[int, ...],
    client_trust: str,
    taken: Container[str] = (),
) -> list[Document]:
    """Listeners with ``client_trust`` of those ``ports`` that none of ``documents`` is about."""
    named = {one.spec.port for one in documents if isinstance(one.spec, ListenerSpec)}
    if not client_trust or None in named:
        return []
    found = []
    for port in ports:
        if port not in named:
            name = f"{service}-{port}"
            spec = ListenerSpec(service=service, port=port, tls_client_trust=client_trust)
            found.append(Document("Listener", f"{name}-clients" if name in taken else name, spec))
    return found
