"""A service's name and ports on the command line, and the documents that are about it."""

from router.documents.readers import is_name
from router.model.specs import ConnectorSpec, Document, ListenerSpec, SitePolicySpec
from sitectl.base.failure import usage
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
        raise usage(
            f"{name!r} is not a {what} name: lower-case letters, digits and '-', at most 63"
        )


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
