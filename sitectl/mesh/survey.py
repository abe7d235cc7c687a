"""Looking at the sites of a mesh: their documents, links and routers, as values."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from certs.errors import CertError
from router.model.rights.sharing import Terms
from router.model.specs import Document
from sitectl.base.failure import Failure
from sitectl.mesh.changes import Letting, LinkState, SiteSurvey
from sitectl.mesh.reach import Reached, is_made, named, namespace_site, shown_place
from sitectl.mesh.record import decoded

if TYPE_CHECKING:
    from certs.ca.terms import TokenTerms
    from sitectl.site.site import Site


def surveyed(one: Reached) -> SiteSurvey:
    """The state of a site. Failure, with the site's name: it cannot be read."""
    try:
        return _surveyed(one)
    except Failure as failure:
        raise named(failure, one) from None


def _surveyed(one: Reached) -> SiteSurvey:
    place = shown_place(one)
    if not is_made(one):
        return SiteSurvey(name=one.name, place=place)
    site = one.site
    documents, errors = site.scan()
    if errors:
        from sitectl.base.texts import config_failure

        raise config_failure(errors, "has documents that cannot be read")
    states, is_mute = _asked(site)
    return SiteSurvey(
        name=one.name,
        place=place,
        is_there=True,
        id=_site_id(one),
        runtime=_runtime(one),
        documents=tuple(_without_source(document) for document in documents),
        own={
            (one.kind, one.name): site.edit_hint(one)
            for one in documents
            if not site.may_rewrite(one, documents)
        },
        config=_config(one),
        links=_links(site, states or {}),
        admitted=tuple(_admitted(site)),
        revoked=tuple(_revoked(site)),
        record=decoded(site.mesh_record()),
        is_running=states is not None,
        is_mute=is_mute,
    )


def _without_source(document: Document) -> Document:
    """``document`` as in a mesh file, which does not name places at a site."""
    return Document(document.kind, document.name, document.spec)


def _site_id(one: Reached) -> str:
    """Empty: a namespace whose router has not made its identity yet. Looking makes none."""
    if one.place.runtime == "kubernetes":
        from router.kubernetes.objects import names

        if namespace_site(one).cluster.find("Secret", names.IDENTITY_SECRET) is None:
            return ""
    return one.site.trust.site_id


def _runtime(one: Reached) -> str:
    if one.place.runtime == "kubernetes":
        return "kubernetes"
    from sitectl.runtimes.spec_file import read_spec
    from sitectl.site.directory import DirectorySite

    assert isinstance(one.site, DirectorySite)
    return read_spec(one.site).kind


def _config(one: Reached) -> dict[str, str]:
    if one.place.runtime != "kubernetes":
        return {}
    from router.kubernetes.objects import names

    found = namespace_site(one).cluster.find("ConfigMap", names.SITE_CONFIGMAP) or {}
    return {str(key): str(value) for key, value in (found.get("data") or {}).items()}


def _asked(site: "Site") -> tuple[dict[str, tuple[bool, str]] | None, bool]:
    """As `_states`, and whether a router runs and does not answer."""
    states = _states(site)
    if states is None and site.admin.is_running():
        states = _states(site)  # It may have begun to listen only after the first question.
        return states, states is None
    return states, False


def _states(site: "Site") -> dict[str, tuple[bool, str]] | None:
    """Of each link dialed here whether it is up, and its error. None: no router answers."""
    items = site.told("/api/v1/links")
    if items is None:
        return None
    return {
        item["name"]: (item["state"] == "up", str(item.get("error") or ""))
        for item in items
        if item.get("direction") == "outgoing" and not item.get("succeeded")
    }


def _links(site: "Site", states: Mapping[str, tuple[bool, str]]) -> dict[str, LinkState]:
    found: dict[str, LinkState] = {}
    for name in site.links.names():
        try:
            token = site.links.token(name)
        except CertError:
            continue  # Damaged: as if there were none, so that another one is asked for.
        is_up, error = states.get(name, (None, ""))
        found[name] = LinkState(
            site_id=token.site_id,
            site_name=token.site_name,
            is_up=is_up,
            error=error,
            claimable_until=float(token.expires_at) if token.kind == "claim" else None,
        )
    return found


def _admitted(site: "Site") -> Iterator[Letting]:
    granted = {grant.name: grant.terms for grant in site.trust.granted()}
    for one in site.trust.admitted():
        if not site.trust.is_revoked(one.site_id):
            newest = (one.tokens or (one.by,))[-1]
            terms = granted.get(newest)
            told = None if terms is None else link_terms(terms)
            yield Letting(site_id=one.site_id, name=one.name, terms=told)


def _revoked(site: "Site") -> Iterator[Letting]:
    for one in site.trust.admitted():
        if site.trust.is_revoked(one.site_id):
            yield Letting(site_id=one.site_id, name=one.name)


def link_terms(terms: "TokenTerms") -> Terms:
    """Terms of a token as a mesh file has them."""
    return Terms(declare=terms.declare, export=terms.export, import_=terms.import_)
