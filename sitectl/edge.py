"""Edge sites made on the spot, with their key here and their link by a token.

Beside an application in a pod (`run --init`), and gateways of hosts.
"""

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from router.model import limits
from router.model.specs import Document, ListenerSpec, SiteSpec
from sitectl import store
from sitectl.directory import DirectorySite
from sitectl.failure import conflict, usage
from sitectl.options import Settings
from sitectl.site import Change

if TYPE_CHECKING:
    from certs.tokens import Token

LINK: Final = "site"
"""The one link of an edge."""
EDGE: Final = SiteSpec(router_mode="edge", ingress="none", service_sync=False)


def make_edge(ctx: click.Context, token: str | None, listens: tuple[str, ...]) -> None:
    """Make the site that the flags mean, or see that it is as they say. Failure: it cannot be.

    Done again (a container that was restarted) it changes nothing: the key stays what it was.
    """
    from sitectl.verbs import link
    from sitectl.verbs.site import name_of

    settings: Settings = ctx.obj
    # A pod's name may be longer than a site's; what tells pods apart is its end.
    given = settings.site.replace(".", "-")[-limits.NAME_CHARS_MAX :] if settings.site else ""
    name = name_of(given or socket.gethostname())
    settings.site = name
    documents = [_listener(words) for words in listens]
    site, _ = make_edge_in(store.state_dir(settings), name)
    if documents:
        site.put_all(documents)
    if token is not None:
        ctx.invoke(link.create, file=token, name=LINK, cost=None, wait=None)


def make_edge_in(state: Path, name: str) -> tuple[DirectorySite, Change]:
    """The edge site ``name`` in the directory ``state``; one whose settings were edited stays so.

    Failure: a site that is no edge has the name.
    """
    from sitectl.verbs.site import make_site_in

    site = DirectorySite(state / name)
    existing = site.find("Site", name) if site.config.is_dir() else None
    spec = existing.spec if existing is not None else EDGE
    assert isinstance(spec, SiteSpec)
    if spec.router_mode != "edge":
        raise conflict(f"{site.directory} is a site that others link to, no gateway")
    return site, make_site_in(state, Document("Site", name, spec))


def link_edge(site: DirectorySite, token: "Token", cost: int | None) -> Change:
    """Have the edge dial the site of ``token``. Failure: it has another token."""
    from sitectl.linking import keep_link

    change = keep_link(site, token, LINK, cost)[1]
    return "unchanged" if change == "unchanged" else "created"


def _listener(words: str) -> Document:
    """The document of ``SERVICE=LISTEN``. Failure: it says nothing."""
    from router.documents.addresses import auto_ip, split_listen
    from router.documents.readers import is_name

    service, equals, listen = words.partition("=")
    if not equals or not is_name(service):
        raise usage(f"--listen {words!r}: expected SERVICE=[IP:]PORT", "--listen shop=127.0.0.2:80")
    if auto_ip(listen) is None and split_listen(listen) is None:
        raise usage(f"--listen {words!r}: expected [IP:]PORT or [IP:]auto after {service}=")
    return Document("Listener", service, ListenerSpec(service=service, listen=listen))
