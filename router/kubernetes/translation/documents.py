"""ConfigMaps whose values are documents, as ``sitectl`` and GitOps tools write them.

A value may also be YAML of Skupper v2, unchanged.

Annotations of such a ConfigMap hold for all Services in it: ``skupper.io/service-labels``,
``skupper.io/service-annotations``, ``skupper.io/ingress``, and ``skupper.io/headless`` for
connectors of StatefulSets.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from router.documents import read as read_documents
from router.documents.skupper2 import GROUP, read_objects, translate
from router.documents.skupper2.objects import holds_v2
from router.kubernetes.objects import findings, names, texts
from router.kubernetes.objects.findings import ObjectFindings, data_of
from router.kubernetes.objects.objects import (
    Object,
    created_at,
    is_going,
    labels,
    name_of,
    seconds_of,
    section,
)
from router.kubernetes.objects.picture import RequestedService
from router.kubernetes.translation.exposure import ObjectReading
from router.kubernetes.translation.merged_objects import joined
from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import ConnectorSpec, Document, Kind, ListenerSpec, ServiceSpec

ENDING: Final = ".yaml"
_STATEFUL: Final = "statefulset/"
_NO_DOCUMENTS: Final = "false"


class Documents(msgspec.Struct, frozen=True):
    """The documents of one ConfigMap, or of all; ``wishes`` by address.

    ``is_refused``: it was not read.
    """

    documents: tuple[Document, ...] = ()
    wishes: dict[str, RequestedService] = {}
    errors: tuple[ConfigError, ...] = ()
    is_refused: bool = False


def config_map_name(kind: Kind, name: str) -> str:
    """Name of the ConfigMap in which `sitectl` stores a document."""
    return f"{names.DOCUMENT_PREFIX}{kind.lower()}-{name}"


def config_map(name: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """A ConfigMap of documents; ``texts`` by key, which ends in `ENDING`."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "labels": {
                **names.PART_OF,
                names.MANAGED_BY_LABEL: names.MANAGED_BY,
                names.DOCUMENTS_LABEL: names.DOCUMENTS,
            },
        },
        "data": dict(texts),
    }


def is_labelled(found: Object) -> bool:
    """Whether the values of a ConfigMap are documents."""
    return labels(found).get(names.DOCUMENTS_LABEL) == names.DOCUMENTS and not is_going(found)


def mislabelled(found: Object) -> ConfigError | None:
    """A finding if the label has a meaningless value; None: it is valid or missing."""
    value = labels(found).get(names.DOCUMENTS_LABEL, _NO_DOCUMENTS)
    if value in (names.DOCUMENTS, _NO_DOCUMENTS) or is_going(found):
        return None
    noted = ObjectFindings(f"ConfigMap/{name_of(found)}")
    noted.add(
        f"metadata.labels[{names.DOCUMENTS_LABEL}]",
        f"is not read: expected {names.DOCUMENTS!r}, got {value!r}",
        f'Write {names.DOCUMENTS_LABEL}: "{names.DOCUMENTS}", or remove the label',
        findings.DOCUMENTS,
        "warning",
    )
    return noted.errors[0]


def size(found: Object) -> int:
    """How many characters of documents there are to read."""
    return sum(
        len(text)
        for key, text in section(found, "data").items()
        if isinstance(text, str) and str(key).endswith(ENDING)
    )


def refused(found: Object) -> Documents:
    """The result for a ConfigMap beyond the total limit."""
    noted = ObjectFindings(f"ConfigMap/{name_of(found)}")
    noted.add(
        "data",
        f"is not read: with the older ConfigMaps it has more than {limits.CONFIG_MAPS_CHARS_MAX} "
        "characters of documents",
        f"Remove documents that are not needed, or the label {names.DOCUMENTS_LABEL}",
        findings.DOCUMENTS,
    )
    return Documents(errors=tuple(noted.errors), is_refused=True)


def read(found: Object) -> Documents:
    """The documents of a labeled ConfigMap, and all their errors."""
    reading = ObjectReading("ConfigMap", found)
    documents: list[Document] = []
    errors: list[ConfigError] = []
    for key, text in data_of(found, reading.noted, findings.DOCUMENTS):
        if not key.endswith(ENDING):
            hint = f"Name it {key.rpartition('.')[0] or key}{ENDING}"
            reading.noted.add(
                f"data[{key}]",
                f"is not read: its name does not end in {ENDING}",
                hint,
                findings.DOCUMENTS,
                "warning",
            )
        elif isinstance(text, str):
            reads = _read_v2 if _is_v2(text) else read_documents
            good, bad = reads(text, f"ConfigMap/{name_of(found)}[{key}]")
            documents += good
            errors += bad
        else:
            reading.noted.add(
                f"data[{key}]", "expected a text", f"Write {key}: |", findings.DOCUMENTS
            )
    made_at_s = seconds_of(created_at(found))
    kept = [_aged(document, made_at_s) for document in documents if not _is_site(document, errors)]
    wishes = _wishes(reading, kept) if kept else {}
    return Documents(tuple(kept), wishes, (*errors, *reading.noted.errors))


def together(parts: Iterable[Documents]) -> Documents:
    """All of several ConfigMaps. Wishes for the same address are joined.

    So a service, its targets and its listener may be in one ConfigMap, or each in a separate one,
    as command lines write them.
    """
    documents: list[Document] = []
    wishes: dict[str, RequestedService] = {}
    errors: list[ConfigError] = []
    keys: dict[str, ServiceSpec] = {}
    for one in parts:
        documents += [each for each in one.documents if not _is_known_key(each, keys)]
        for address, wish in one.wishes.items():
            wishes[address] = joined(wishes.get(address), wish)
        errors += one.errors
    for address in _unmade(documents) & wishes.keys():
        wishes[address] = msgspec.structs.replace(wishes[address], is_made=False)
    return Documents(tuple(documents), wishes, tuple(errors))


def _is_known_key(document: Document, keys: dict[str, ServiceSpec]) -> bool:
    """Whether it repeats a known routing key, as each v2 Listener and Connector does."""
    spec = document.spec
    if not isinstance(spec, ServiceSpec) or not spec.routing_key:
        return False
    return keys.setdefault(document.name, spec) is not spec and keys[document.name] == spec


def _unmade(documents: Iterable[Document]) -> set[str]:
    """Addresses that should have no Service here."""
    return {
        document.spec.service
        for document in documents
        if isinstance(document.spec, ListenerSpec) and document.spec.listen == "none"
    }


def _is_site(document: Document, errors: list[ConfigError]) -> bool:
    if document.kind != "Site":
        return False
    noted = ObjectFindings(document.source)
    noted.add(
        "$.kind",
        f"Site {document.name!r} is left out: in Kubernetes the site is a ConfigMap of its own",
        f"Write its settings into ConfigMap {names.SITE_CONFIGMAP}",
        findings.DOCUMENTS,
    )
    errors += noted.errors
    return True


def _aged(document: Document, made_at_s: float | None) -> Document:
    """A Service with its ConfigMap's creation time, which is equal at every replica."""
    if document.kind != "Service":
        return document
    return msgspec.structs.replace(document, declared_at_s=made_at_s)


def _wishes(reading: ObjectReading, documents: list[Document]) -> dict[str, RequestedService]:
    """A wish for each address that a Service or a Connector names: a user here asked for it."""
    stateful = _stateful(reading, documents)
    common = msgspec.structs.replace(
        reading.wish(""), cluster_ip=reading.value(names.CLUSTER_IP, texts.ip, "")
    )
    wishes: dict[str, RequestedService] = {}
    for document in documents:
        if document.kind == "Service":
            address = document.name
        elif isinstance(document.spec, ConnectorSpec):
            address = document.spec.service
        else:
            continue
        if address not in wishes:
            wishes[address] = msgspec.structs.replace(
                common,
                address=address,
                source=document.source,
                stateful_set=stateful.get(address, ""),
            )
    return wishes


def _stateful(reading: ObjectReading, documents: list[Document]) -> dict[str, str]:
    """StatefulSets by address, for those whose pods should have names."""
    if not reading.value(names.HEADLESS, texts.boolean, False):
        return {}
    return {
        document.spec.service: document.spec.workload.removeprefix(_STATEFUL)
        for document in documents
        if isinstance(document.spec, ConnectorSpec) and document.spec.workload.startswith(_STATEFUL)
    }


def _is_v2(text: str) -> bool:
    """Whether a text holds an object of Skupper v2."""
    return GROUP in text and holds_v2(text)


def _read_v2(text: str, source: str) -> tuple[list[Document], list[ConfigError]]:
    """The documents that the objects ask for, and findings on faulty or unused parts."""
    objects, errors = read_objects(text, source)
    found = translate(objects, "namespace")
    noted = ObjectFindings(source)
    if found.site is not None:
        noted.add(
            "$.kind",
            f"Site {found.site.name!r} is left out: in Kubernetes the site is a ConfigMap of its "
            "own",
            f"Its settings belong into ConfigMap {names.SITE_CONFIGMAP}: sitectl update",
            findings.DOCUMENTS,
            "warning",
        )
    for one in (
        *(f"{other.kind}/{other.name}" for other in found.others),
        *(f"{'AccessToken' if token.url else 'Link'}/{token.name}" for token in found.tokens),
        *(f"AccessGrant/{grant.name}" for grant in found.grants),
    ):
        noted.add(
            "$.kind",
            f"{one} is left out: here only Listeners and Connectors count",
            "Apply the file instead: sitectl apply -f FILE",
            findings.DOCUMENTS,
            "warning",
        )
    return list(found.documents), [*errors, *found.errors, *found.notes, *noted.errors]
