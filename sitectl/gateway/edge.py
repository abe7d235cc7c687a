"""Edge sites made on the spot, with their key here and their link by a token.

Beside an application in a pod (`run --init`), and gateways of hosts.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from router.model.specs import Document, SiteSpec
from sitectl.base.failure import conflict
from sitectl.runtimes.site_lifecycle import make_site_in
from sitectl.site.directory import DirectorySite
from sitectl.site.site import Change

if TYPE_CHECKING:
    from certs.token_files.tokens import Token

LINK: Final = "site"
"""The one link of an edge."""
EDGE: Final = SiteSpec(router_mode="edge", ingress="none", service_sync=False)


def make_edge_in(state: Path, name: str) -> tuple[DirectorySite, Change]:
    """The edge site ``name`` in the directory ``state``; one whose settings were edited stays so.

    Failure: a site that is no edge has the name.
    """
    site = DirectorySite(state / name)
    existing = site.find("Site", name) if site.config.is_dir() else None
    spec = existing.spec if existing is not None else EDGE
    assert isinstance(spec, SiteSpec)
    if spec.router_mode != "edge":
        raise conflict(f"{site.directory} is a site that others link to, no gateway")
    return site, make_site_in(state, Document("Site", name, spec))


def link_edge(site: DirectorySite, token: "Token", cost: int | None) -> Change:
    """Have the edge dial the site of ``token``. Failure: it has another token."""
    from sitectl.flags.links.creation import keep_link

    change = keep_link(site, token, LINK, cost)[1]
    return "unchanged" if change == "unchanged" else "created"
