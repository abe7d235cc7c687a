"""The differences between a mesh file and one site. Pure: values in, changes out."""

from collections.abc import Iterator, Mapping, Set
from typing import Literal

import msgspec

from router.documents import plain
from router.model.rights.sharing import Terms
from router.model.specs import Document, Kind, LinkSpec
from sitectl.mesh.expanding import documents_of, links_of
from sitectl.mesh.record import MeshRecord
from sitectl.mesh.values import Mesh, MeshLink

MeshVerb = Literal["create", "update", "delete", "link", "extra", "start", "blocked", "down"]
"""``link``: a credential is missing. ``extra``: it is there, not in the file, and is kept.
``blocked``: what no `apply` can do, its ``hint`` says what can. ``down``: a link that `drift` found
so, or a router that runs and does not answer."""


class LinkState(msgspec.Struct, frozen=True, kw_only=True):
    """A link that a site dials, with the site of its token. ``is_up``: None: unknown.

    ``claimable_until``: end of the claim in its first token, Unix seconds; None: that token was a
    certificate.
    """

    site_id: str
    site_name: str
    is_up: bool | None = None
    error: str = ""
    claimable_until: float | None = None


class Letting(msgspec.Struct, frozen=True, kw_only=True):
    """Another site that was let in: ``terms`` of its newest token, None where they are lost."""

    site_id: str
    name: str
    terms: Terms | None = None

    def is_of(self, name: str, site_id: str) -> bool:
        """Whether it is that site; by its name where the ID is not known."""
        return self.site_id == site_id if site_id else self.name == name


class SiteSurvey(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one site. ``is_there`` False: it is still to be made.

    ``id``: its site ID; empty: none yet. ``config``: keys of ConfigMap ``skupper-site``.
    ``is_running``: its router answers; ``is_mute``: it runs and does not answer. ``admitted``:
    sites that may link to it; ``revoked``: sites that may no longer. ``own``: the next step for
    documents in a user's file or object, which no verb rewrites.
    """

    name: str
    place: str
    is_there: bool = False
    id: str = ""
    runtime: str = ""
    documents: tuple[Document, ...] = ()
    own: dict[tuple[Kind, str], str] = {}
    config: dict[str, str] = {}
    links: dict[str, LinkState] = {}
    admitted: tuple[Letting, ...] = ()
    revoked: tuple[Letting, ...] = ()
    record: MeshRecord = MeshRecord()
    is_running: bool = False
    is_mute: bool = False


class MeshChange(msgspec.Struct, frozen=True, kw_only=True):
    """One difference at ``site``. ``before`` and ``after``: fields of the document, None: none.

    ``reason``: the cause of ``link``, ``start``, ``blocked`` and ``down``; ``hint``: the next step.
    """

    site: str
    verb: MeshVerb
    kind: str
    name: str
    before: dict[str, object] | None = None
    after: dict[str, object] | None = None
    reason: str = ""
    hint: str = ""

    @property
    def is_work(self) -> bool:
        """Whether `apply` has something to do for it."""
        return self.verb not in ("extra", "blocked", "down")


def changes_at(
    mesh: Mesh,
    survey: SiteSurvey,
    ids: Mapping[str, str],
    *,
    prune: bool = False,
    unclaimed: Set[str] = frozenset(),
) -> list[MeshChange]:
    """The changes that `apply` would make at the site, in order. ``ids``: of the found sites.

    ``unclaimed``: links whose claim ended before it was redeemed. ``prune``: delete all documents
    that are not in the file, whatever their origin.
    """
    return [
        *_identity(mesh, survey),
        *_site_itself(mesh, survey),
        *_documents(mesh, survey, prune),
        *_credentials(mesh, survey, ids, unclaimed),
        *_admission(mesh, survey, ids),
        *_router(mesh, survey),
    ]


def _identity(mesh: Mesh, survey: SiteSurvey) -> Iterator[MeshChange]:
    wanted = mesh.sites[survey.name]
    if survey.is_there and wanted.id and survey.id != wanted.id:
        yield MeshChange(
            site=survey.name,
            verb="blocked",
            kind="Site",
            name=survey.name,
            reason=f"{survey.place} is site {survey.id or 'without an ID'}, not {wanted.id}",
            hint="Correct id in the file, or at: it may be another site of that name",
        )
    runtime = wanted.at.runtime
    if survey.is_there and survey.runtime != runtime and not _may_be_run_by(survey, runtime):
        yield MeshChange(
            site=survey.name,
            verb="blocked",
            kind="Site",
            name=survey.name,
            reason=f"its router is run by {survey.runtime}, the file says {runtime}",
            hint="See docs/hosts.md for how to change what runs a router, or correct the file",
        )


def _may_be_run_by(survey: SiteSurvey, runtime: str) -> bool:
    """True for a site that runs elsewhere, and for one whose creation was interrupted."""
    unfinished = survey.runtime == "process" and not survey.is_running
    return runtime == "elsewhere" or (unfinished and runtime in ("systemd", "podman"))


def _site_itself(mesh: Mesh, survey: SiteSurvey) -> Iterator[MeshChange]:
    """A namespace's site, which has no document; a directory's is one of its documents."""
    place = mesh.sites[survey.name].at
    if place.runtime != "kubernetes":
        return
    wanted = {"name": survey.name, **place.config}
    before = {key: survey.config[key] for key in wanted if key in survey.config}
    if not survey.is_there or before != wanted:
        yield MeshChange(
            site=survey.name,
            verb="update" if survey.is_there else "create",
            kind="Site",
            name=survey.name,
            before=dict(before) if survey.is_there else None,
            after=dict(wanted),
        )


def _documents(mesh: Mesh, survey: SiteSurvey, prune: bool) -> Iterator[MeshChange]:
    wanted = {(one.kind, one.name): one for one in documents_of(mesh, survey.name)}
    there: dict[tuple[Kind, str], Document] = {}
    for document in survey.documents:
        there.setdefault((document.kind, document.name), document)
    for key, document in wanted.items():
        found = there.get(key)
        if found is None:
            yield _change(survey, "create", None, document)
        elif not _agree(document, found):
            yield _update(survey, found, document)
    for key, document in there.items():
        if key in wanted or document.kind == "Site":
            continue
        is_ours = survey.record.has(mesh.name, document.kind, document.name) or prune
        verb: MeshVerb = "delete" if is_ours and key not in survey.own else "extra"
        yield _change(survey, verb, document, None)


def _update(survey: SiteSurvey, found: Document, document: Document) -> MeshChange:
    change = _change(survey, "update", found, document)
    hint = survey.own.get((document.kind, document.name))
    if hint is None:
        return change
    reason = "it is in a file or object of your own, which no verb rewrites"
    return msgspec.structs.replace(change, verb="blocked", reason=reason, hint=hint)


def _agree(wanted: Document, found: Document) -> bool:
    """A link without a cost in the file has that of its token."""
    spec, there = wanted.spec, found.spec
    if isinstance(spec, LinkSpec) and isinstance(there, LinkSpec) and spec.cost is None:
        there = msgspec.structs.replace(there, cost=None)
    return spec == there


def _change(
    survey: SiteSurvey, verb: MeshVerb, before: Document | None, after: Document | None
) -> MeshChange:
    known = after or before
    assert known is not None
    return MeshChange(
        site=survey.name,
        verb=verb,
        kind=known.kind,
        name=known.name,
        before=None if before is None else plain(before)["spec"],
        after=None if after is None else plain(after)["spec"],
    )


def _credentials(
    mesh: Mesh, survey: SiteSurvey, ids: Mapping[str, str], unclaimed: Set[str]
) -> Iterator[MeshChange]:
    for link in links_of(mesh, survey.name):
        state = survey.links.get(link.title)
        other = ids.get(link.to) or mesh.sites[link.to].id
        leads_there = state is not None and _leads_to(state, link, other)
        if leads_there and link.title not in unclaimed:
            continue
        reason = f"a claim of {link.to}"
        if leads_there:
            reason += ", in place of one that ended before it was redeemed"
        elif state is not None:
            reason += f", in place of the token of {state.site_name} ({state.site_id[:8]})"
        yield MeshChange(site=survey.name, verb="link", kind="Link", name=link.title, reason=reason)


def _leads_to(state: LinkState, link: MeshLink, other: str) -> bool:
    return state.site_id == other if other else state.site_name == link.to


def _admission(mesh: Mesh, survey: SiteSurvey, ids: Mapping[str, str]) -> Iterator[MeshChange]:
    """Of sites that the file links to this one, and that were let in otherwise or revoked."""
    for link in (one for one in mesh.links if one.to == survey.name):
        dialer = ids.get(link.from_, "")
        known = next((one for one in survey.admitted if one.site_id == dialer), None)
        if any(one.is_of(link.from_, dialer) for one in survey.revoked):
            reason = f"the access of {link.from_} was revoked here, and the file links it"
            hint = f"Remove the link from the file, or {link.from_} from its sites"
        elif known is not None and known.terms not in (None, link.allow):
            reason = f"{link.from_} was let in on other terms, and its certificate has them"
            hint = (
                f"sitectl --site {survey.name} revoke-access --link {link.from_}, then at "
                f"{link.from_}: sitectl link delete {link.title}; then link it by hand, once"
            )
        else:
            continue
        yield MeshChange(
            site=survey.name,
            verb="blocked",
            kind="Link",
            name=link.from_,
            reason=reason,
            hint=hint,
        )


def _router(mesh: Mesh, survey: SiteSurvey) -> Iterator[MeshChange]:
    if survey.is_running or mesh.sites[survey.name].at.runtime == "kubernetes":
        return
    name = survey.name
    if survey.is_mute:
        yield MeshChange(
            site=name,
            verb="down",
            kind="Router",
            name=name,
            reason="it runs and does not answer",
            hint=f"sitectl --site {name} check",
        )
        return
    yield MeshChange(site=name, verb="start", kind="Router", name=name, reason="it does not run")


def faults_at(mesh: Mesh, survey: SiteSurvey) -> Iterator[MeshChange]:
    """Links that are as the file has them, and are down."""
    for link in links_of(mesh, survey.name):
        state = survey.links.get(link.title)
        if state is None or state.is_up is not False or link.disabled:
            continue
        yield MeshChange(
            site=survey.name,
            verb="down",
            kind="Link",
            name=link.title,
            reason=state.error or "it is not up",
            hint=f"sitectl --site {survey.name} link status {link.title}",
        )


def unclaimed_links(
    mesh: Mesh, survey: SiteSurvey, acceptors: Mapping[str, SiteSurvey], now: float
) -> frozenset[str]:
    """Links of the site whose claim ended, and whose acceptor, in reach, never let the site in."""
    found: set[str] = set()
    for link in links_of(mesh, survey.name):
        state, acceptor = survey.links.get(link.title), acceptors.get(link.to)
        if state is None or acceptor is None or state.claimable_until is None:
            continue
        known = {one.site_id for one in (*acceptor.admitted, *acceptor.revoked)}
        if now >= state.claimable_until and survey.id not in known:
            found.add(link.title)
    return frozenset(found)
