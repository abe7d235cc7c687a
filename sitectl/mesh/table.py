"""The fields of a mesh file, except those of documents, which `router.documents` has."""

from collections.abc import Mapping as AnyMapping
from typing import Any, Final

import msgspec

from router.documents import addresses, quantities, readers
from router.documents.fields import Field, Shape
from router.documents.nodes import Findings, Mapping, Node, Scalar
from router.documents.readers import BAD, Bad, Reader
from router.documents.text import SHAPES
from router.model.ids import is_site_id
from router.model.rights.sharing import Terms
from router.model.specs import Kind, ServiceSpec
from sitectl.mesh.sentences import FORMS, parsed
from sitectl.mesh.values import (
    RUNTIMES,
    SECTIONS,
    AssumedWork,
    Mesh,
    MeshLink,
    MeshPlace,
    MeshService,
    MeshSite,
)

SITES_MAX: Final = 1_000
LINKS_MAX: Final = 4_000
SERVICES_MAX: Final = 4_000
TESTS_MAX: Final = 500
_TERMS_MAX: Final = 64
_NAMED_AFTER_SERVICE: Final = ("Connector", "Listener", "Policy", "Burst")
"""Kinds whose field ``service`` may be left out where it is the document's own name."""


def _site_id(findings: Findings, node: Node, path: str) -> str | Bad:
    value = readers.text_of(findings, node, path, "a site ID")
    if isinstance(value, Bad) or not value or is_site_id(value):
        return value
    hint = "sitectl status -o json shows it as id; leave it out until the site is there"
    findings.add(node, path, f"{readers.shown(node)} is no site ID", hint)
    return BAD


def _text(findings: Findings, node: Node, path: str) -> str | Bad:
    return readers.text_of(findings, node, path, "a text")


def _plain_text(findings: Findings, node: Node, path: str) -> str | Bad:
    """A value of a ConfigMap: a number or boolean is taken as it is written."""
    if isinstance(node, Scalar) and not node.is_null:
        return node.value
    findings.add(node, path, f"expected a text, got {readers.shown(node)}")
    return BAD


def _documents(kind: Kind) -> Reader:
    """A mapping from names to specs of that kind."""

    def read(findings: Findings, node: Node, path: str) -> Any:
        if isinstance(node, Scalar) and node.is_null:
            return {}
        if not isinstance(node, Mapping):
            findings.add(node, path, f"expected {kind} by name, got {readers.shown(node)}")
            return BAD
        found: dict[str, Any] = {}
        for key, value in node.entries:
            here = f"{path}.{key.value}"
            name = readers.name(findings, key, here)
            if kind in _NAMED_AFTER_SERVICE:
                value = _with_service(value, key)
            found[str(name)] = BAD if isinstance(name, Bad) else _spec(findings, kind, value, here)
        return BAD if any(isinstance(spec, Bad) for spec in found.values()) else found

    return read


def _spec(findings: Findings, kind: Kind, node: Node, path: str) -> Any:
    return SHAPES[kind].read(findings, node, path)


def _with_service(node: Node, name: Scalar) -> Node:
    """``node`` with ``service: NAME`` where it says none."""
    if isinstance(node, Scalar) and node.is_null:
        node = Mapping(node.line, node.column)
    if not isinstance(node, Mapping) or node.get("service") is not None:
        return node
    whole = Mapping(node.line, node.column)
    whole.entries = [(Scalar("service", False, name.line, name.column), name), *node.entries]
    return whole


_PLACE = Shape(
    MeshPlace,
    Field(
        "runtime",
        readers.WordReader(*RUNTIMES),
        "what runs its router; `elsewhere`: its own operator applies its part",
    ),
    Field("host", addresses.host, "the machine, by its host name; empty: any that applies it"),
    Field("namespace", readers.name, "of `kubernetes`"),
    Field("context", _text, "of the kubeconfig; empty: the current one"),
    Field(
        "config",
        readers.table(_plain_text, 64, "keys of ConfigMap skupper-site"),
        "keys of ConfigMap `skupper-site`, in place of `settings`",
    ),
)


def _check_site(findings: Findings, node: Mapping, path: str, site: MeshSite) -> bool:
    on_kubernetes = site.at.runtime == "kubernetes"
    if on_kubernetes and not site.at.namespace:
        findings.add(node, path, "a site of kubernetes needs a namespace", "at: {namespace: NAME}")
    elif on_kubernetes and site.settings != MeshSite().settings:
        hint = "Write the keys of ConfigMap skupper-site into at: {config: {…}}"
        findings.add(node, f"{path}.settings", "a namespace has no Site document", hint)
    elif not on_kubernetes and (site.at.namespace or site.at.context or site.at.config):
        reason = "namespace, context and config are of runtime kubernetes"
        findings.add(node, f"{path}.at", reason, "at: {runtime: kubernetes, …}")
    else:
        return True
    return False


_SITE = Shape(
    MeshSite,
    Field("id", _site_id, "its site ID; empty: the site that is found there, or is made"),
    Field("at", _PLACE.read, "where it is", shape=_PLACE),
    Field("settings", SHAPES["Site"].read, "its Site document", shape=SHAPES["Site"]),
    *(
        Field(
            section,
            _documents(kind),
            f"{kind} documents of this site, by name"
            + ("; `service` is the name unless it is there" if kind != "Service" else ""),
        )
        for section, kind in SECTIONS.items()
    ),
    check=_check_site,
)


def _pattern(findings: Findings, node: Node, path: str) -> str | Bad:
    from certs.ca.terms import Pattern

    value = readers.text_of(findings, node, path, "a service")
    if isinstance(value, Bad):
        return value
    try:
        return msgspec.convert(value, Pattern)
    except msgspec.ValidationError:
        reason = f"{readers.shown(node)} names no services"
        findings.add(node, path, reason, "Use a name in lower case, with * and ?")
        return BAD


_PATTERNS = readers.OptionalReader(readers.ListReader(_pattern, _TERMS_MAX, "services"))
_TERMS = Shape(
    Terms,
    Field("declare", _PATTERNS, "services that the dialing site may declare; unset: all"),
    Field("export", _PATTERNS, "services that it may have targets of; unset: all"),
    Field("import_", _PATTERNS, "services that it may use; unset: all"),
)
_LINK = Shape(
    MeshLink,
    Field("from_", readers.name, "the site that dials", required=True),
    Field("to", readers.name, "the site that accepts", required=True),
    Field("name", readers.name, "of the link at the dialing site; unset: the other site's"),
    *SHAPES["Link"].fields.values(),
    Field("allow", _TERMS.read, "terms of its token: what the dialing site may do", shape=_TERMS),
)
_GRANTS = SHAPES["Policy"].fields["grants"]
_SERVICE_OWN = Shape(
    MeshService,
    Field("owner", readers.name, "the site that declares it and owns its name", required=True),
    Field(
        "also",
        readers.ListReader(readers.name, SITES_MAX, "sites"),
        "sites that declare it too, in the same words",
    ),
    Field("grants", _GRANTS.read, _GRANTS.text, shape=_GRANTS.shape),
)


def _service(findings: Findings, node: Node, path: str) -> Any:
    """The owner's fields beside those of the Service document."""
    if not isinstance(node, Mapping):
        findings.add(node, path, f"expected a mapping, got {readers.shown(node)}")
        return BAD
    own, rest = Mapping(node.line, node.column), Mapping(node.line, node.column)
    for key, value in node.entries:
        (own if key.value in _SERVICE_OWN.fields else rest).entries.append((key, value))
    spec = SHAPES["Service"].read(findings, rest, path)
    values: dict[str, Any] = {}
    for key, value in own.entries:
        field = _SERVICE_OWN.fields[key.value]
        values[field.attribute] = field.read(findings, value, f"{path}.{field.key}")
    if own.get("owner") is None:
        findings.add(node, path, "field 'owner' is missing", "The site that declares the service")
        return BAD
    if isinstance(spec, Bad) or any(isinstance(value, Bad) for value in values.values()):
        return BAD
    return MeshService(spec=spec, **values)


_ASSUMED = Shape(
    AssumedWork,
    Field("service_time_s", quantities.DurationReader(0.001, 60.0), "mean time of one request"),
    Field("slots", quantities.IntegerReader(1, 10_000), "of a target whose capacity is learned"),
    Field("targets", quantities.IntegerReader(1, 100), "of a workload"),
)


def _sentence(findings: Findings, node: Node, path: str) -> Any:
    value = readers.text_of(findings, node, path, "a sentence")
    if isinstance(value, Bad):
        return BAD
    found = parsed(value, node.line)
    if isinstance(found, str):
        findings.add(node, path, found, "Write one of: " + "; ".join(FORMS), "SW0742")
        return BAD
    return found


def _named(reader: Reader, most: int, what: str) -> Reader:
    """A mapping of valid names."""
    values = readers.table(reader, most, what)

    def read(findings: Findings, node: Node, path: str) -> Any:
        if isinstance(node, Mapping):
            for key, _ in node.entries:
                if isinstance(readers.name(findings, key, f"{path}.{key.value}"), Bad):
                    return BAD
        return values(findings, node, path)

    return read


SPEC: Final[dict[str, tuple[Reader, str]]] = {
    "sites": (_named(_SITE.read, SITES_MAX, "sites by name"), "the sites, by name"),
    "links": (readers.ListReader(_LINK.read, LINKS_MAX, "links"), "the links between them"),
    "services": (_named(_service, SERVICES_MAX, "services by name"), "the services, by name"),
    "assume": (
        _named(_ASSUMED.read, SERVICES_MAX, "services by name"),
        "what tests assume of a service",
    ),
    "tests": (readers.ListReader(_sentence, TESTS_MAX, "sentences"), "what must hold"),
}
"""The fields under ``spec``: reader and description of each."""


def plain(mesh: Mesh) -> dict[str, Any]:
    """``mesh`` as YAML shows it, defaults left out."""
    shown: dict[str, Any] = {
        "sites": {name: _plain_site(site) for name, site in mesh.sites.items()},
        "links": [_LINK.plain(link) for link in mesh.links],
        "services": {name: _plain_service(one) for name, one in mesh.services.items()},
        "assume": {name: _ASSUMED.plain(one) for name, one in mesh.assume.items()},
        "tests": [sentence.text for sentence in mesh.tests],
    }
    return {key: value for key, value in shown.items() if value}


def _plain_site(site: MeshSite) -> dict[str, Any]:
    shown = _SITE.plain(site)
    for section, kind in SECTIONS.items():
        if specs := getattr(site, section):
            shown[section] = _plain_documents(kind, specs)
    return shown


def _plain_documents(kind: Kind, specs: AnyMapping[str, msgspec.Struct]) -> dict[str, Any]:
    shown = {name: SHAPES[kind].plain(spec) for name, spec in specs.items()}
    for name, fields in shown.items():
        if kind in _NAMED_AFTER_SERVICE and fields.get("service") == name:
            del fields["service"]
    return shown


def _plain_service(service: MeshService) -> dict[str, Any]:
    own = _SERVICE_OWN.plain(service)
    assert isinstance(service.spec, ServiceSpec)
    spec = SHAPES["Service"].plain(service.spec)
    return {"owner": own.pop("owner"), **spec, **own}


TABLES: Final = (
    ("sites: NAME", _SITE),
    ("sites: NAME: at", _PLACE),
    ("links", _LINK),
    ("links: allow", _TERMS),
    ("services: NAME", _SERVICE_OWN),
    ("assume: NAME", _ASSUMED),
)
"""For the reference page: where each mapping stands, and its fields."""
