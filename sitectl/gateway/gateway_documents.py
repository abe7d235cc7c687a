"""Gateway YAML made wanted state of a gateway that is there; its documents as YAML again."""

from collections.abc import Iterable

from router.documents.gateway import Gateway, read_gateway
from router.model.specs import ConnectorSpec, Document, ListenerSpec, ServiceSpec
from sitectl.base import output
from sitectl.base.failure import usage
from sitectl.base.texts import config_failure
from sitectl.gateway.definition import documents_of, gateway_name
from sitectl.site.directory import DirectorySite
from sitectl.site.site import Change

Changed = tuple[Document, Change]


def definition_of(text: str, source: str) -> Gateway:
    """The gateway in ``text``; prints a note on unused fields. Failure: it cannot be used."""
    gateway, findings = read_gateway(text, source)
    errors = [finding for finding in findings if finding.severity == "error"]
    if gateway is None or errors:
        raise config_failure(errors, f"{len(errors)} errors in {source}, nothing was changed")
    for finding in findings:
        output.note(finding.message)
    return gateway


def named(gateway: Gateway, source: str) -> str:
    """The site name of a gateway. Failure: nothing of its name can stay."""
    name = gateway_name(gateway.name)
    if not name:
        raise usage(f"{source}: no name can be made of {gateway.name!r}", "name: NAME")
    if name != gateway.name:
        output.note(f"gateway {gateway.name!r} is called {name} here")
    return name


def wanted_documents(
    gateway: Gateway, source: str, declared: frozenset[str] = frozenset()
) -> tuple[Document, ...]:
    """As `definition.documents_of`. Failure: its entries contradict each other."""
    documents, errors = documents_of(gateway, source, declared)
    if errors:
        raise config_failure(errors, f"{len(errors)} errors in {source}, nothing was changed")
    return tuple(documents)


def used_by(documents: Iterable[Document]) -> set[str]:
    """The services that ``documents`` of a gateway offer or use."""
    specs = (document.spec for document in documents)
    return {spec.service for spec in specs if isinstance(spec, ConnectorSpec | ListenerSpec)}


def apply_gateway(site: DirectorySite, wanted: Iterable[Document]) -> list[Changed]:
    """Replace the services that ``site`` offers and uses by ``wanted``, as Skupper does.

    Users' files stay, and so do capacity, health and policy, which gateway YAML cannot express. All
    or none is written. Failure: a document is the user's.
    """
    existing = site.documents()
    documents = [_kept(document, existing) for document in wanted]
    names = {(document.kind, document.name) for document in documents}
    gone = [
        document
        for document in existing
        if document.kind in ("Service", "Connector", "Listener")
        and (document.kind, document.name) not in names
        and site.owns(document)
    ]
    site.judge_all(documents, replace=True)
    site.delete_all(gone)  # First: new documents may take their ports.
    changes = site.put_all(documents)
    deleted: list[Changed] = [(document, "deleted") for document in gone]
    return [*zip(documents, changes, strict=True), *deleted]


def both(first: Iterable[Changed], then: Iterable[Changed]) -> list[Changed]:
    """The changes of two applications, one after the other: each document once."""
    found = {(document.kind, document.name): (document, change) for document, change in first}
    for document, change in then:
        key = (document.kind, document.name)
        if change != "unchanged" or key not in found:
            found[key] = (document, change)
    return list(found.values())


def _kept(document: Document, existing: Iterable[Document]) -> Document:
    """``document``, or the one that is there when that says the same and more."""
    key = (document.kind, document.name)
    found = next((one for one in existing if (one.kind, one.name) == key), None)
    if found is None:
        return document
    match document.spec, found.spec:
        case ServiceSpec() as new, ServiceSpec() as old:
            same = (new.protocol, new.ports) == (old.protocol, old.ports)
        case ConnectorSpec() as new_one, ConnectorSpec() as old_one:
            same = (new_one.service, new_one.targets) == (old_one.service, old_one.targets)
        case ListenerSpec() as listener, other:
            same = listener == other
        case _:
            same = False
    return found if same else document
