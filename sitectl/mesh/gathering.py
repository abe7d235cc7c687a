"""A mesh file of an existing network, as `export` writes it. Pure.

The plan of that file finds nothing to change: `changes.changes_at` of the result is empty.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from msgspec import structs

from router.kubernetes.translation.site_config import SECRET_KEYS
from router.model.limits import NAME_CHARS_MAX
from router.model.rights.sharing import FREE, Terms, names_one_site
from router.model.specs import LinkSpec, ServiceSpec, SitePolicySpec, SiteSpec
from sitectl.mesh.changes import SiteSurvey
from sitectl.mesh.values import SECTIONS, Mesh, MeshLink, MeshPlace, MeshService, MeshSite

_LEFT_OUT = {"name", *SECRET_KEYS}
"""Keys of ConfigMap ``skupper-site`` that no file has: the secret ones have no effect either."""
_OWN_SECTIONS = {kind: section for section, kind in SECTIONS.items() if kind != "Service"}


def gathered(
    name: str,
    surveys: Sequence[SiteSurvey],
    places: Mapping[str, MeshPlace],
    owners: Mapping[str, str],
) -> Mesh:
    """One mesh of these sites. ``owners``: the ID of the site that owns a service, as far as known.

    A site that links lead to and that was not surveyed is ``elsewhere``.
    """
    surveyed = {one.name: one for one in surveys}
    services = _common_services(surveys, owners)
    sites: dict[str, MeshSite] = {}
    for survey in surveys:
        common = {title for title, one in services.items() if survey.name in _declaring(one)}
        sites[survey.name] = _site(survey, places[survey.name], common)
    names = _names_by_id(surveys)
    services = {title: _with_grants(title, one, sites, names) for title, one in services.items()}
    links = [link for survey in surveys for link in _links(survey, surveyed, names)]
    for site_id, title in names.items():
        if title not in sites:
            sites[title] = MeshSite(id=site_id, at=MeshPlace(runtime="elsewhere"))
    return Mesh(name=name, sites=sites, links=tuple(links), services=services)


def _names_by_id(surveys: Sequence[SiteSurvey]) -> dict[str, str]:
    """The name of each site in the file; duplicates get their ID appended."""
    names = {survey.id: survey.name for survey in surveys if survey.id}
    taken = {survey.name for survey in surveys}
    for survey in surveys:
        for link, state in sorted(survey.links.items()):
            if state.site_id in names or not _has_document(survey, link):
                continue
            name = state.site_name
            if name in taken:
                name = f"{name[: NAME_CHARS_MAX - 9].rstrip('-')}-{state.site_id[:8]}"
            names[state.site_id] = name
            taken.add(name)
    return names


def _has_document(survey: SiteSurvey, link: str) -> bool:
    return any((one.kind, one.name) == ("Link", link) for one in survey.documents)


def _declaring(service: MeshService) -> tuple[str, ...]:
    return (service.owner, *service.also)


def _common_services(
    surveys: Sequence[SiteSurvey], owners: Mapping[str, str]
) -> dict[str, MeshService]:
    """Of each name the declaration of its owner, and who declares it in the same words."""
    declared: dict[str, dict[str, ServiceSpec]] = {}
    for survey in surveys:
        for document in survey.documents:
            if isinstance(document.spec, ServiceSpec):
                declared.setdefault(document.name, {})[survey.name] = document.spec
    ids = {survey.id: survey.name for survey in surveys}
    found: dict[str, MeshService] = {}
    for title, by_site in sorted(declared.items()):
        owner = ids.get(owners.get(title, ""), "")
        owner = owner if owner in by_site else min(by_site)
        spec = by_site[owner]
        also = tuple(sorted(site for site in by_site if site != owner and by_site[site] == spec))
        found[title] = MeshService(owner=owner, spec=spec, also=also)
    return found


def _site(survey: SiteSurvey, place: MeshPlace, common: set[str]) -> MeshSite:
    """The site's own part: services in ``common`` belong to the mesh."""
    settings = next(
        (one.spec for one in survey.documents if isinstance(one.spec, SiteSpec)), SiteSpec()
    )
    sections: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for document in survey.documents:
        if document.kind == "Service" and document.name not in common:
            sections["services"][document.name] = document.spec
        elif document.kind in _OWN_SECTIONS:
            sections[_OWN_SECTIONS[document.kind]][document.name] = document.spec
    in_namespace = place.runtime == "kubernetes"
    config = {key: value for key, value in survey.config.items() if key not in _LEFT_OUT}
    return MeshSite(
        id=survey.id,
        at=structs.replace(place, config=config) if in_namespace else place,
        settings=SiteSpec() if in_namespace else settings,
        **sections,
    )


def _with_grants(
    title: str, service: MeshService, sites: dict[str, MeshSite], names: Mapping[str, str]
) -> MeshService:
    """The service with its owner's grants, moved here from the owner's policies.

    A grant to a bare name stays in the policy: with the ID of ``names`` it would be another grant.
    """
    site = sites[service.owner]
    policy = site.policies.get(title)
    if policy is None or policy.service != title or not policy.grants:
        return service
    nameless = {site for site in sites if site not in names.values()}
    if any(_is_bare_name(grant.site) and grant.site not in nameless for grant in policy.grants):
        return service
    grants = tuple(
        structs.replace(grant, site=_short(grant.site, names)) for grant in policy.grants
    )
    left = structs.replace(policy, grants=())
    policies = {name: spec for name, spec in site.policies.items() if name != title}
    if left != SitePolicySpec(service=title):
        policies[title] = left
    sites[service.owner] = structs.replace(site, policies=policies)
    return structs.replace(service, grants=grants)


def _is_bare_name(whom: str) -> bool:
    return names_one_site(whom) and "@" not in whom


def _short(whom: str, names: Mapping[str, str]) -> str:
    """``NAME`` in place of ``NAME@ID`` where the file has that site with its ID."""
    name, _, site_id = whom.rpartition("@")
    return name if name and names.get(site_id) == name else whom


def _links(
    survey: SiteSurvey, surveyed: Mapping[str, SiteSurvey], names: Mapping[str, str]
) -> list[MeshLink]:
    """``names``: of sites by their IDs."""
    documents = {one.name: one for one in survey.documents if one.kind == "Link"}
    found: list[MeshLink] = []
    for name, state in sorted(survey.links.items()):
        if name not in documents:
            continue
        spec, to = cast(LinkSpec, documents[name].spec), names[state.site_id]
        found.append(
            MeshLink(
                from_=survey.name,
                to=to,
                name="" if name == to else name,
                cost=spec.cost,
                disabled=spec.disabled,
                proxy=spec.proxy,
                allow=_terms(surveyed.get(to), survey.id),
            )
        )
    return found


def _terms(acceptor: SiteSurvey | None, dialer: str) -> Terms:
    admitted = acceptor.admitted if acceptor is not None else ()
    known = next((one.terms for one in admitted if one.site_id == dialer), None)
    return known or FREE
