"""A mesh file from its text, with the place of everything that is wrong. Pure.

Codes: SW0740 not a mesh file, SW0741 a name that is not in it, SW0742 a sentence that is none (of
`table`), SW0743 a link that cannot be.
"""

from collections.abc import Collection
from typing import Any, Final

from router.documents import readers, resolve
from router.documents.nodes import Findings, Mapping, Node, Scalar, parse
from router.documents.readers import BAD, Bad
from router.model.errors import ConfigError
from router.model.rights.sharing import names_one_site
from router.model.specs import API_VERSION, SiteSpec
from sitectl.mesh.expanding import documents_beside, namespace_document, site_document
from sitectl.mesh.sentences import MayUse, NothingRefused, Statement
from sitectl.mesh.table import SPEC
from sitectl.mesh.values import MESH, Mesh, MeshLink, MeshSite

_SHOWN: Final = 8
"""So many names are listed in a hint."""
_FIELDS: Final = ("apiVersion", "kind", "name", "spec")


def read(text: str, source: str) -> tuple[Mesh | None, list[ConfigError]]:
    """The mesh of ``text``; None with at least one error."""
    findings = Findings(source)
    nodes = parse(text, findings)
    mesh: Mesh | None = None
    if findings.errors:
        pass
    elif len(nodes) != 1 or not isinstance(nodes[0], Mapping):
        place = nodes[1] if len(nodes) > 1 else Scalar("", True, 1, 1)
        hint = f"apiVersion: {API_VERSION}, kind: {MESH}, name, spec"
        findings.add(place, "", "expected one document of kind Mesh", hint, "SW0740")
    else:
        mesh = _document(findings, nodes[0])
    if mesh is not None and not findings.errors:
        _judge(findings, mesh, nodes[0])
    errors = sorted(findings.errors, key=lambda error: (error.line, error.column))
    return (None if errors else mesh), errors


def _document(findings: Findings, node: Mapping) -> Mesh | None:
    known = dict.fromkeys(_FIELDS)
    for key, _ in node.entries:
        if key.value not in known:
            hint = readers.nearest(key.value, _FIELDS)
            findings.add(key, "$", f"unknown field {key.value[:40]!r}", hint)
    _word(findings, node, "apiVersion", API_VERSION)
    _word(findings, node, "kind", MESH)
    given = node.get("name")
    name: Any = BAD
    if given is None:
        findings.add(node, "$", "field 'name' is missing", "Any name: the network's")
    else:
        name = readers.name(findings, given, "$.name")
    spec = node.get("spec")
    if not isinstance(spec, Mapping):
        findings.add(node, "$.spec", "expected a mapping of sites, links and services")
        return None
    values: dict[str, Any] = {}
    for key, value in spec.entries:
        if key.value not in SPEC:
            hint = readers.nearest(key.value, SPEC)
            findings.add(key, "$.spec", f"unknown field {key.value[:40]!r}", hint)
            continue
        values[key.value] = SPEC[key.value][0](findings, value, f"$.spec.{key.value}")
    if findings.errors or any(isinstance(value, Bad) for value in (name, *values.values())):
        return None
    return Mesh(name=name, **values)


def _word(findings: Findings, node: Mapping, key: str, wanted: str) -> None:
    value = node.get(key)
    if value is None:
        findings.add(node, "$", f"field {key!r} is missing", f"Add {key}: {wanted}", "SW0740")
    elif not isinstance(value, Scalar) or value.value != wanted:
        reason = f"expected {wanted}, got {readers.shown(value)}"
        hint = "Documents of a site: sitectl apply -f FILE" if key == "kind" else ""
        findings.add(value, f"$.{key}", reason, hint, "SW0740")


class _Judge:
    """Checks of parts that must fit together, each complaint at its place in the file."""

    def __init__(self, findings: Findings, mesh: Mesh, node: Node) -> None:
        self._findings, self._mesh, self._root = findings, mesh, node

    def site(self, name: str, *way: str | int) -> MeshSite | None:
        """The site of that name; None, and a complaint, where there is none."""
        site = self._mesh.sites.get(name)
        if site is None:
            hint = self._near(name, self._mesh.sites, "Add it under sites")
            self.complain(f"no site {name!r} in this file", hint, "SW0741", *way)
        return site

    def no_service(self, name: str, known: Collection[str], *way: str | int) -> None:
        """Note that the file has no service of that name; ``known``: those that it has."""
        hint = self._near(name, known, "Add it under services")
        self.complain(f"no service {name!r} in this file", hint, "SW0741", *way)

    def _near(self, name: str, known: Collection[str], otherwise: str) -> str:
        """The name that was meant, or all that there are if these are few."""
        if self._findings.overflowing:
            return ""  # The hint would not be shown, and a search for the nearest name takes long.
        meant = readers.closest(name, sorted(known))
        if meant is not None:
            return f"Did you mean {meant!r}?"
        few = f"; there is: {', '.join(sorted(known))}" if 0 < len(known) <= _SHOWN else ""
        return otherwise + few

    def complain(self, reason: str, hint: str, code: str, *way: str | int) -> None:
        """Note an error at the node that ``way`` leads to, or the last one on it."""
        node: Node = self._root
        for word in ("spec", *way):
            if isinstance(node, Mapping):
                node = node.get(str(word)) or node
            elif not isinstance(node, Scalar) and isinstance(word, int) and word < len(node.items):
                node = node.items[word]
        path = "$.spec" + "".join(f"[{w}]" if isinstance(w, int) else f".{w}" for w in way)
        self._findings.add(node, path, reason, hint, code)


def _judge(findings: Findings, mesh: Mesh, node: Node) -> None:
    judge = _Judge(findings, mesh, node)
    if not mesh.sites:
        judge.complain("there is no site", "sites: {NAME: {}}", "SW0740", "sites")
        return
    _judge_namespaces(judge, mesh)
    _judge_links(judge, mesh)
    _judge_services(judge, mesh)
    _judge_tests(judge, mesh)
    if findings.errors:
        return  # Documents would only repeat it.
    for name in mesh.sites:
        for error in resolve([site_document(mesh, name), *documents_beside(mesh, name)])[1]:
            judge.complain(f"{name}: {error.reason}", error.hint, error.code, "sites", name)


def _judge_namespaces(judge: _Judge, mesh: Mesh) -> None:
    found: dict[tuple[str, str], str] = {}
    for name, site in mesh.sites.items():
        if site.at.runtime != "kubernetes":
            continue
        first = found.setdefault((site.at.context, site.at.namespace), name)
        if first != name:
            reason = f"{first} is in namespace {site.at.namespace} already, which holds one site"
            hint = "Choose another namespace, or write the context of its cluster"
            judge.complain(reason, hint, "SW0741", "sites", name, "at", "namespace")
        for error in namespace_document(name, site.at)[1]:
            key = error.path.removeprefix("data.")
            way = ("sites", name, "at", "config", key)
            judge.complain(error.reason, error.hint, error.code, *way)


def _judge_links(judge: _Judge, mesh: Mesh) -> None:
    seen: dict[tuple[str, str], int] = {}
    terms: dict[tuple[str, str], int] = {}
    for index, link in enumerate(mesh.links):
        way = ("links", index)
        ends = (judge.site(link.from_, *way, "from"), judge.site(link.to, *way, "to"))
        if None in ends:
            continue
        if reason := _impossible(mesh, link):
            judge.complain(reason, "Let the other site dial, or change its ingress", "SW0743", *way)
        first = seen.setdefault((link.from_, link.title), index)
        if first != index:
            reason = (
                f"{link.from_} has a link {link.title!r} already, the {_nth(first)} of the list"
            )
            judge.complain(reason, "Give one of them a name", "SW0743", *way)
        first = terms.setdefault((link.from_, link.to), index)
        if mesh.links[first].allow != link.allow:
            reason = (
                f"{link.from_} links to {link.to} on other terms already, the {_nth(first)} of "
                "the list"
            )
            judge.complain(reason, "Give both the same allow", "SW0743", *way)


def _nth(index: int) -> str:
    return ("first", "second", "third")[index] if index < 3 else f"{index + 1}th"


def _impossible(mesh: Mesh, link: MeshLink) -> str:
    if link.from_ == link.to:
        return f"{link.to} cannot link to itself"
    settings = site_document(mesh, link.to).spec
    assert isinstance(settings, SiteSpec)
    if settings.router_mode == "edge":
        return f"{link.to} is an edge, which accepts no links"
    if settings.ingress == "none":
        return f"{link.to} accepts no links (ingress: none)"
    return ""


def _judge_services(judge: _Judge, mesh: Mesh) -> None:
    for name, service in mesh.services.items():
        way = ("services", name)
        judge.site(service.owner, *way, "owner")
        for index, site in enumerate(service.also):
            judge.site(site, *way, "also", index)
        for site in (service.owner, *service.also):
            here = mesh.sites.get(site)
            if here is not None and name in here.services:
                reason = f"{site} declares {name} a second time, under services"
                judge.complain(reason, "Keep one of them", "SW0741", "sites", site, "services")
        for index, grant in enumerate(service.grants):
            if names_one_site(grant.site) and "@" not in grant.site:
                judge.site(grant.site, *way, "grants", index, "site")
    known = _known_services(mesh)
    for name in mesh.assume:
        if name not in known:
            judge.no_service(name, known, "assume", name)


def _known_services(mesh: Mesh) -> set[str]:
    """Whatever is declared, served or listened for anywhere in the file."""
    known = set(mesh.services)
    for site in mesh.sites.values():
        known |= set(site.services)
        known |= {spec.service for spec in site.connectors.values()}
        known |= {spec.service for spec in site.listeners.values()}
    return known


def _judge_tests(judge: _Judge, mesh: Mesh) -> None:
    known = _known_services(mesh)
    served = {name for site in mesh.sites.values() for name in _served(site)}
    for index, sentence in enumerate(mesh.tests):
        if None in [judge.site(site, "tests", index) for site in sentence.sites]:
            continue
        claim: Statement = sentence.claim
        service = claim.service
        if service and service not in known:
            judge.no_service(service, known, "tests", index)
            continue
        offers = isinstance(claim, MayUse) and claim.verb == "offer"
        if isinstance(claim, NothingRefused) or offers:
            continue
        if service not in served:
            reason = f"no site of this file has targets of {service}"
            judge.complain(reason, "Add a connector to a site", "SW0741", "tests", index)


def _served(site: MeshSite) -> set[str]:
    return {spec.service for spec in site.connectors.values()}
