"""The first and the last day of a site directory: made, its router's last stop, nothing left."""

import re
import time
from pathlib import Path

from certs.files import make_directory
from router.documents import write
from router.model.specs import Document
from sitectl.base import output, texts
from sitectl.base.failure import Exit, Failure, conflict
from sitectl.base.options import Settings
from sitectl.runtimes import presence, runtime_of
from sitectl.site import places
from sitectl.site.directory import DirectorySite
from sitectl.site.site import Change, refuse_unreadable


def name_of(words: str) -> str:
    """A valid site name made from ``words``, a host name for example."""
    return re.sub(r"[^a-z0-9]+", "-", words.split(".")[0].lower()).strip("-")[:63] or "site"


def make_site(settings: Settings, document: Document) -> Change:
    """Make the site of ``document`` if it is missing; finishes an interrupted attempt."""
    return make_site_in(places.state_dir(settings), document)


def make_site_in(state: Path, document: Document) -> Change:
    """As `make_site`, in the directory ``state`` of sites."""
    refuse_unreadable([document])
    site = DirectorySite(state / document.name)
    if site.config.is_dir():
        existing = site.find("Site", document.name)
        if existing is not None and existing.spec != document.spec:
            raise conflict(
                f"site {document.name!r} exists with other settings "
                f"({existing.source}:{existing.line})",
                f"Edit {site.directory / existing.source}, it counts at once",
                texts.diff(write(existing), write(document), existing.source),
            )
    for directory in (site.directory, site.secrets, site.run):
        make_directory(directory, 0o700)
    _make_identity(site)
    make_directory(site.config)
    site.sweep()
    return site.put(document)


def _make_identity(site: DirectorySite) -> None:
    from certs.ca.authority import CA_FILE, Authority
    from certs.identity import KEY_FILE, SiteIdentity

    if (site.secrets / KEY_FILE).exists():
        identity = SiteIdentity.load(site.secrets)
    else:
        identity = SiteIdentity.create(site.secrets)
    if not (site.secrets / CA_FILE).exists():
        Authority.create(site.secrets, identity.site_id, time.time())


def end_site(site: DirectorySite, timeout_s: float) -> None:
    """Withdraw the services of ``site``, stop its router, remove its runtime. Failure: it runs."""
    if presence.is_running(site):
        for document in site.documents():  # Only deletion withdraws declarations.
            if document.kind == "Service" and site.owns(document):
                (site.config / f"service-{document.name}.yaml").unlink(missing_ok=True)
        site.reload()
        _leave(site)
        runtime_of(site).stop(timeout_s)
    if presence.is_running(site):
        raise Failure(
            Exit.FAILED,
            "still-running",
            f"the router of {site.name!r} still runs, nothing was deleted",
            "sitectl stop",
        )
    runtime_of(site).remove(timeout_s)


def _leave(site: DirectorySite) -> None:
    """Have the router tell its neighbors, as it stops, that they need not miss it."""
    try:
        site.admin.command("leave")
    except Failure as failure:  # One of an older release, for example.
        output.note(f"neighbors of {site.name} list it as down for a while: {failure.message}")
