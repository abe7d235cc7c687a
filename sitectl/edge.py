"""`run --init`: an edge site made on the spot, with its key here and its link by a token."""

import socket

import click

from router.model import limits
from router.model.specs import Document, ListenerSpec, SiteSpec
from sitectl import store
from sitectl.failure import usage
from sitectl.options import Settings

LINK = "site"
"""The one link of an edge."""


def make_edge(ctx: click.Context, token: str | None, listens: tuple[str, ...]) -> None:
    """Make the site that the flags mean, or see that it is as they say. Failure: it cannot be.

    Done again (a container that was restarted) it changes nothing: the key stays what it was.
    """
    from sitectl.verbs import link
    from sitectl.verbs.site import make_site, name_of

    settings: Settings = ctx.obj
    # A pod's name may be longer than a site's; what tells pods apart is its end.
    given = settings.site.replace(".", "-")[-limits.NAME_CHARS_MAX :] if settings.site else ""
    name = name_of(given or socket.gethostname())
    settings.site = name
    documents = [_listener(words) for words in listens]
    spec = SiteSpec(router_mode="edge", ingress="none", service_sync=False)
    make_site(settings, Document("Site", name, spec))
    if documents:
        store.find_site(settings).put_all(documents)
    if token is not None:
        ctx.invoke(link.create, file=token, name=LINK, cost=None, wait=None)


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
