"""The documents that each site of a mesh should have. Pure."""

from msgspec import structs

from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.translation import site_config
from router.kubernetes.translation.site_config import SiteDefaults
from router.model.errors import ConfigError
from router.model.rights.sharing import names_one_site
from router.model.specs import (
    AnySpec,
    Document,
    GrantSpec,
    Kind,
    LinkSpec,
    ServiceSpec,
    SitePolicySpec,
)
from sitectl.mesh.values import Mesh, MeshLink, MeshPlace, MeshSite

_SECTIONS: tuple[tuple[Kind, str], ...] = (
    ("Connector", "connectors"),
    ("Listener", "listeners"),
    ("Burst", "bursts"),
)


def documents_of(mesh: Mesh, name: str) -> list[Document]:
    """The documents that site ``name`` should have, its Site first; of a namespace without that."""
    beside = documents_beside(mesh, name)
    if mesh.sites[name].at.runtime == "kubernetes":
        return beside
    return [site_document(mesh, name), *beside]


def site_document(mesh: Mesh, name: str) -> Document:
    """The Site document; of a namespace as its ConfigMap means it."""
    site = mesh.sites[name]
    if site.at.runtime != "kubernetes":
        return Document("Site", name, site.settings, source=mesh.name)
    return namespace_document(name, site.at)[0]


def namespace_document(name: str, place: MeshPlace) -> tuple[Document, list[ConfigError]]:
    """The Site document of a namespace's ConfigMap, and the errors in its keys.

    A wrong value gets the default.
    """
    found = {"kind": "ConfigMap", "metadata": {}, "data": {"name": name, **place.config}}
    noted = ObjectFindings(site_config.SOURCE)
    document = site_config.read(found, place.namespace, SiteDefaults(), noted)[1]
    return document, [error for error in noted.errors if error.severity == "error"]


def documents_beside(mesh: Mesh, name: str) -> list[Document]:
    """All documents of the site but its own."""
    site = mesh.sites[name]
    found: list[Document] = []

    def add(kind: Kind, title: str, spec: AnySpec) -> None:
        found.append(Document(kind, title, spec, source=mesh.name))

    for title, declaration in sorted(_declared(mesh, name).items()):
        add("Service", title, declaration)
    for kind, section in _SECTIONS:
        for title, spec in sorted(getattr(site, section).items()):
            add(kind, title, spec)
    for title, policy in sorted(_policies(mesh, name, site).items()):
        add("Policy", title, policy)
    for link in links_of(mesh, name):
        add("Link", link.title, LinkSpec(cost=link.cost, disabled=link.disabled, proxy=link.proxy))
    return found


def links_of(mesh: Mesh, name: str) -> list[MeshLink]:
    """The links that site ``name`` dials, by name."""
    return sorted((link for link in mesh.links if link.from_ == name), key=lambda one: one.title)


def _declared(mesh: Mesh, name: str) -> dict[str, ServiceSpec]:
    """Services that the site declares."""
    common = {
        title: service.spec
        for title, service in mesh.services.items()
        if name in (service.owner, *service.also)
    }
    return common | mesh.sites[name].services


def _policies(mesh: Mesh, name: str, site: MeshSite) -> dict[str, SitePolicySpec]:
    """The site's policies, with its grants for services that it owns."""
    policies = dict(site.policies)
    for title, service in mesh.services.items():
        if service.owner != name or not service.grants:
            continue
        grants = tuple(_with_id(mesh, grant) for grant in service.grants)
        known = next((one for one, spec in policies.items() if spec.service == title), title)
        before = policies.get(known, SitePolicySpec(service=title))
        policies[known] = structs.replace(before, grants=(*before.grants, *grants))
    return policies


def _with_id(mesh: Mesh, grant: GrantSpec) -> GrantSpec:
    """A grant to a site whose ID the file has is to that site, whatever others call themselves."""
    meant = mesh.sites.get(grant.site) if names_one_site(grant.site) else None
    if meant is None or not meant.id:
        return grant
    return structs.replace(grant, site=f"{grant.site}@{meant.id}")
