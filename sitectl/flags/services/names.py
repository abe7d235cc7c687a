"""A service's name and ports on the command line, and the documents that are about it."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from router.documents.readers import NAME_FORM, is_name
from router.model.rights.sharing import ALL
from router.model.specs import (
    ConnectorSpec,
    Document,
    ListenerSpec,
    ServiceProtocol,
    ServiceSpec,
    SitePolicySpec,
)
from router.model.wording.routing_key_names import hashed_name
from router.model.wording.suggestions import did_you_mean
from sitectl.base.failure import Failure, not_found, usage
from sitectl.site.site import Site


def name_and_ports(words: tuple[str, ...]) -> tuple[str, tuple[int, ...]]:
    """``NAME PORT…`` or ``NAME:PORT…`` taken apart."""
    first, *rest = words
    name, colon, port = first.partition(":")
    ports = ([port] if colon else []) + rest
    if not ports:
        raise usage(f"service {name!r} needs a port", f"sitectl service create {name} 8080")
    for text in ports:
        if not (text.isascii() and text.isdecimal() and 1 <= int(text[:6]) <= 65_535):
            raise usage(f"{text!r} is not a port, a number from 1 to 65535")
    return name, tuple(map(int, ports))


def require_name(name: str, what: str = "service") -> None:
    """Raise Failure unless ``name`` can be one."""
    if not is_name(name):
        raise usage(f"{name!r} is not a {what} name: {NAME_FORM}")


def documents_of(site: Site, service: str) -> list[Document]:
    """Every document here that is about ``service``."""
    return [
        document
        for document in site.documents()
        if (document.kind == "Service" and document.name == service)
        or (
            isinstance(document.spec, ConnectorSpec | ListenerSpec | SitePolicySpec)
            and document.spec.service == service
        )
    ]


def services_told(site: Site) -> list[dict[str, Any]]:
    """Each port of the services that the router knows; none where no router answers."""
    try:
        items: list[dict[str, Any]] = site.admin.get("/api/v1/services")
    except Failure:
        return []  # Only this site's documents are known then.
    return items


class DeclaredService(NamedTuple):
    """A service as it is declared. ``is_own``: by a document of this site."""

    protocol: ServiceProtocol
    ports: tuple[int, ...]
    is_own: bool
    tls_cert: str = ""


def declared_service(site: Site, name: str) -> DeclaredService | None:
    """The service as this site declares it, else as another site does, if the router knows it."""
    return declared_services(site, [name]).get(name)


def declared_services(site: Site, names: Iterable[str]) -> dict[str, DeclaredService]:
    """Those of ``names`` that are declared, as `declared_service` returns them."""
    found: dict[str, DeclaredService] = {}
    others: list[str] = []
    for name in names:
        document = site.find("Service", name)
        if document is None:
            others.append(name)
            continue
        spec = document.spec
        assert isinstance(spec, ServiceSpec)
        found[name] = DeclaredService(
            spec.protocol, spec.ports, is_own=True, tls_cert=spec.tls_cert
        )
    items = services_told(site) if others else []
    for name in others:
        if told := [item for item in items if item.get("name") == name]:
            found[name] = DeclaredService(
                told[0].get("protocol", "tcp"),
                tuple(int(item["port"]) for item in told),
                is_own=False,
                tls_cert=str(told[0].get("tls_cert", "")),
            )
    return found


def known_services(site: Site) -> dict[str, str]:
    """Services that this site declares, or its router knows, with the routing keys they carry."""
    found = {
        document.name: document.spec.routing_key
        for document in site.documents()
        if isinstance(document.spec, ServiceSpec)
    }
    told = services_told(site)
    return {str(one.get("name")): str(one.get("routing_key") or "") for one in told} | found


def service_meant(site: Site, text: str) -> str:
    """The service that carries routing key ``text``; else ``text``, which is its name.

    Only what cannot be a name is looked up.
    """
    if text == ALL or is_name(text):
        return text
    hashed = hashed_name(text)
    return hashed if known_services(site).get(hashed) == text else text


def nearest_service(site: Site, text: str) -> str:
    """``did you mean shop?``, of the names and routing keys known here; or empty."""
    return did_you_mean(text, {key or name for name, key in known_services(site).items()})


def not_declared(site: Site, name: str) -> Failure:
    """No service ``name`` is declared here; the hint lists the declared ones.

    If no router answers, another site may have declared it.
    """
    known = sorted(document.name for document in site.documents() if document.kind == "Service")
    there = f"; declared here: {', '.join(known)}" if known else ""
    hint = f"sitectl service create {name} PORT"
    if meant := nearest_service(site, name):
        there += f"; {meant}"
    else:
        try:
            site.admin.get("/api/v1/services")
        except Failure as silence:
            there += f"; whether another site declares it is not known: {silence.message}"
            hint += "; if another site declares it, set it there"
    return not_found(f"no service {name!r} is declared at {site.name}{there}", hint)
