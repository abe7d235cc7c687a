"""Applying a mesh file: first each site itself, then the links between them.

Every step may be repeated: the next run finishes an interrupted one.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from certs.files import make_directory
from router.model.specs import Document, LinkSpec
from router.model.wording.plural import counted
from sitectl.base.failure import Exit, Failure, conflict, unreachable
from sitectl.base.parallel import in_parallel
from sitectl.mesh import claiming
from sitectl.mesh.changes import MeshChange
from sitectl.mesh.expanding import documents_of, links_of
from sitectl.mesh.planning import MeshPlan, SitePlan, planned
from sitectl.mesh.reach import Reached, named, namespace_site, reached
from sitectl.mesh.record import encoded
from sitectl.mesh.values import Mesh, MeshLink

if TYPE_CHECKING:
    from certs.token_files.tokens import Token
    from sitectl.base.options import Settings
    from sitectl.site.site import Site

Tell = Callable[[str], None]


class MeshApplied(NamedTuple):
    """The changes made. ``waiting``: why links lack the claim of a site that is out of reach."""

    done: list[MeshChange]
    waiting: list[str]

    def require_links(self) -> None:
        """Raise Failure (exit 3) when links wait: all that can be done from here is done."""
        if self.waiting:
            raise Failure(
                Exit.DEGRADED,
                "SW0744",
                "; ".join(self.waiting),
                "At the other site: sitectl mesh apply -f FILE --invite DIR, then here: "
                "--invitation FILE",
                retryable=True,
            )


def apply(
    settings: "Settings",
    mesh: Mesh,
    tell: Tell,
    *,
    prune: bool = False,
    invited: "Mapping[str, Token] | None" = None,
) -> MeshApplied:
    """Do all that the plan says. Failure: a site cannot be made so."""
    plan = planned(settings, mesh, prune=prune)
    refuse_blocked(plan)
    done: list[MeshChange] = []
    for one in plan.sites:
        done += _make(mesh, one, tell)
    _start([one for one in plan.sites if _starts(one)], tell)
    _refuse_mute(plan)
    plan = planned(settings, mesh, prune=prune)  # Sites that were made have IDs now.
    made, waiting = _link(mesh, plan, invited or {}, tell)
    return MeshApplied(done + made, waiting)


def refuse_blocked(plan: MeshPlan) -> None:
    """Raise Failure if any change is blocked: then nothing is changed anywhere."""
    blocked = [change for change in plan.changes if change.verb == "blocked"]
    if blocked:
        first = blocked[0]
        raise conflict(
            f"site {first.site}: {first.reason}",
            first.hint,
            code="SW0745",
            detail="\n".join(f"site {one.site}: {one.reason}" for one in blocked[1:]),
        )


def _refuse_mute(plan: MeshPlan) -> None:
    """Raise Failure when a router runs and does not answer: no link of it can be made."""
    for change in plan.changes:
        if change.verb == "down" and change.kind == "Router":
            text = f"site {change.site}: its router runs and does not answer"
            raise unreachable(text, change.hint)


def _starts(one: SitePlan) -> bool:
    return any(change.verb == "start" for change in one.changes)


def _make(mesh: Mesh, one: SitePlan, tell: Tell) -> list[MeshChange]:
    """The site and its documents; its links come later."""
    starts = [change for change in one.changes if change.verb == "start"]
    work = [
        change
        for change in one.changes
        if change.is_work
        and change.verb != "start"
        and (change.kind != "Link" or change.verb == "delete")
    ]
    site, wanted = one.reached.site, documents_of(mesh, one.reached.name)
    try:
        if work or starts:
            _make_site(mesh, one)
        if work:
            tell(f"site {one.reached.name}: {counted(len(work), 'document')}")
            # Before the first change: after an interruption they are still known as the file's.
            site.keep_mesh_record(encoded(mesh.name, wanted, one.survey.record))
            _put(mesh, one, work)
        site.keep_mesh_record(encoded(mesh.name, wanted))  # Also of documents from before.
    except Failure as failure:
        raise named(failure, one.reached) from None
    return work + starts


def _put(mesh: Mesh, one: SitePlan, work: Sequence[MeshChange]) -> None:
    """Documents of the site that are new, changed and gone.

    The new ones come first, so that no service lacks targets while its connector is renamed; unless
    they contradict those that go.
    """
    site, documents = one.reached.site, documents_of(mesh, one.reached.name)
    changed = {(change.kind, change.name) for change in work}
    new = [
        document
        for document in documents
        if document.kind != "Link" and (document.kind, document.name) in changed
    ]
    gone = [change for change in work if change.verb == "delete"]
    with site.held():
        if not _fit(site, new):
            _delete(one.reached, gone)
            gone = []
        site.put_all(new)
        _delete(one.reached, gone)


def _fit(site: "Site", documents: list[Document]) -> bool:
    """Whether they may be there beside those that the site has."""
    try:
        site.judge_all(documents, replace=True)
    except Failure:
        return False
    return True


def _make_site(mesh: Mesh, one: SitePlan) -> None:
    """The place of the site, its identity, and what will run its router."""
    name, place = one.reached.name, one.reached.place
    if place.runtime == "kubernetes":
        from sitectl.kubernetes.lifecycle.update import bring_to

        bring_to(namespace_site(one.reached).cluster, {"name": name, **place.config})
        namespace_site(one.reached).forget()
        return
    if one.survey.is_there and one.survey.runtime == place.runtime:
        return
    from sitectl.runtimes import choice
    from sitectl.runtimes.site_lifecycle import make_site
    from sitectl.site.directory import DirectorySite

    settings = one.reached.settings
    site = one.reached.site
    assert isinstance(site, DirectorySite)
    if not one.survey.is_there:
        make_directory(site.directory, 0o700)
        with site.held():  # Another one may make it in the same moment.
            make_site(settings, Document("Site", name, mesh.sites[name].settings))
    if place.runtime == "systemd":
        choice.run_by(site, "systemd", settings.timeout_s)
    elif place.runtime == "podman":
        choice.keep_in_podman(site, choice.ContainerWish())  # It starts beside the others.


def _delete(one: Reached, changes: Sequence[MeshChange]) -> None:
    """Documents that the file has no longer, and the credentials of such links."""
    gone = {(change.kind, change.name) for change in changes}
    if not gone:
        return
    one.site.delete_all(
        document for document in one.site.documents() if (document.kind, document.name) in gone
    )
    for kind, name in gone:
        if kind == "Link":
            one.site.links.remove(name)


def _start(sites: Sequence[SitePlan], tell: Tell) -> None:
    """Start routers beside each other. Failure: of the first that does not start, by name."""
    from sitectl.runtimes import runtime_of
    from sitectl.site.directory import DirectorySite

    def start(one: SitePlan) -> Failure | None:
        site = one.reached.site
        assert isinstance(site, DirectorySite)
        try:
            runtime_of(site).start(one.reached.settings.timeout_s)
        except Failure as failure:
            return named(failure, one.reached)
        return None

    if not sites:
        return
    tell(f"starting {len(sites)} routers" if len(sites) > 1 else "starting the router")
    for failure in in_parallel(start, sites):
        if failure is not None:
            raise failure


def _link(
    mesh: Mesh, plan: MeshPlan, invited: "Mapping[str, Token]", tell: Tell
) -> tuple[list[MeshChange], list[str]]:
    """Make credentials and documents of links; the changes, and those that wait."""
    done: list[MeshChange] = []
    waiting: list[str] = []
    for one in plan.sites:
        work = [change for change in one.changes if change.kind == "Link" and change.is_work]
        for link in links_of(mesh, one.reached.name):
            changes = [change for change in work if change.name == link.title]
            another = _another_claim(one, link, mesh, invited)
            if not changes and another is None:
                continue
            lacks_token = any(change.verb == "link" for change in changes)
            token = _token(mesh, plan, link, invited) if lacks_token else another
            if lacks_token and token is None:
                waiting.append(
                    f"{link.from_} waits for a claim of {link.to}, which is not in reach"
                )
                continue
            if token is not None:
                tell(f"link {link.from_} to {link.to}")
            state = one.survey.links.get(link.title)
            is_first = token is not None and (state is None or state.site_id != token.site_id)
            _keep(one.reached, link, token, is_first=is_first)
            done += changes or [_claimed(link)]
    return done, waiting


def _another_claim(
    one: SitePlan, link: MeshLink, mesh: Mesh, invited: "Mapping[str, Token]"
) -> "Token | None":
    """A claim of the invitation for a link that has one and is not up: that one was refused."""
    state = one.survey.links.get(link.title)
    token = claiming.token_for(link, mesh, invited)
    if state is None or state.is_up or token is None:
        return None
    return None if one.reached.site.links.holds(link.title, token) else token


def _claimed(link: MeshLink) -> MeshChange:
    return MeshChange(
        site=link.from_,
        verb="link",
        kind="Link",
        name=link.title,
        reason=f"another claim of {link.to}",
    )


def _token(
    mesh: Mesh, plan: MeshPlan, link: MeshLink, invited: "Mapping[str, Token]"
) -> "Token | None":
    acceptor = plan.by_name.get(link.to)
    if acceptor is not None:
        return claiming.claim_of(mesh, link, acceptor.reached, None)
    return claiming.token_for(link, mesh, invited)


def _keep(dialer: Reached, link: MeshLink, token: "Token | None", *, is_first: bool) -> None:
    """The credential, if there is a new one, and then the document: the router dials at once."""
    site = dialer.site
    spec = LinkSpec(cost=link.cost, disabled=link.disabled, proxy=link.proxy)
    try:
        with site.held():
            if token is not None:
                claiming.keep(dialer, link, token, is_first=is_first)
            if site.put(Document("Link", link.title, spec)) == "unchanged":
                site.reload()  # Only its credential is new.
    except Failure as failure:
        raise named(failure, dialer) from None


def wait_for_links(settings: "Settings", mesh: Mesh, wait_s: float) -> None:
    """Return when all links that sites in reach dial are up. Failure: refused (1), too long (6)."""
    from sitectl.flags.links.creation import wait_until_up

    deadline = time.monotonic() + wait_s
    for one in reached(settings, mesh):
        for link in links_of(mesh, one.name):
            if not link.disabled:
                left_s = max(0.0, deadline - time.monotonic())
                try:
                    wait_until_up(one.site, link.title, left_s, silent_too=True)
                except Failure as failure:
                    raise named(failure, one) from None


def invite(
    mesh: Mesh, plan: MeshPlan, directory: Path, life_s: float
) -> list[tuple[str, Path, int]]:
    """Write an invitation for each site out of reach that dials one in reach and was not let in.

    Returns the sites, their files and how many links each is for.
    """
    made: list[tuple[str, Path, int]] = []
    for name in plan.others:
        tokens = [
            claiming.claim_of(mesh, link, plan.by_name[link.to].reached, life_s)
            for link in links_of(mesh, name)
            if link.to in plan.by_name and not _was_let_in(plan, link)
        ]
        if tokens:
            path = directory / f"{name}.yaml"
            claiming.write_invitation(path, tokens)
            made.append((name, path, len(tokens)))
    return made


def _was_let_in(plan: MeshPlan, link: MeshLink) -> bool:
    """Whether the dialing site, by its ID where that is known, may link already."""
    dialer = plan.ids.get(link.from_, "")
    admitted = plan.by_name[link.to].survey.admitted
    return any(one.is_of(link.from_, dialer) for one in admitted)
