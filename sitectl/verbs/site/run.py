"""`run`: a router in the foreground; with --init, of an edge site made on the spot."""

import os
import socket
import sys

import click

from router.documents.addresses import auto_ip, split_listen
from router.documents.readers import is_name
from router.model import limits
from router.model.specs import Document, ListenerSpec
from sitectl.base import output
from sitectl.base.failure import conflict, usage
from sitectl.base.options import Settings, TokenFile
from sitectl.base.verb import Verb
from sitectl.gateway.edge import LINK, make_edge_in
from sitectl.runtimes import presence
from sitectl.runtimes.process import is_supervised, require_own, router_command, router_environment
from sitectl.runtimes.site_lifecycle import name_of
from sitectl.selection import store
from sitectl.site import places


@click.command(cls=Verb)
@click.option("--init", is_flag=True, help="Make an edge site first, unless it exists.")
@click.option("--token", type=TokenFile(), help="With --init: token of the site that it links to.")
@click.option(
    "--listen",
    "listens",
    multiple=True,
    metavar="SERVICE=[IP:]PORT|[IP:]auto",
    help="With --init: the services with a listener here, and its port. No others.",
)
@click.option(
    "--ephemeral",
    is_flag=True,
    help="With --init: the site ends with its router; as it stops, other sites forget it.",
)
@click.pass_context
def run(
    ctx: click.Context, /, init: bool, token: str | None, listens: tuple[str, ...], ephemeral: bool
) -> None:
    """Run the site's router in the foreground, until SIGTERM or Ctrl-C.

    On Kubernetes it serves the namespace: in a pod, or from this host with the kubeconfig.

    With --init it runs an edge site, as beside an application in a pod (`sitectl sidecar`): it
    makes a key here, and its name is the host's unless --site gives one.

    \b
    Examples:
      sitectl run
      sitectl -n shop run
      sitectl run --init --token west.yaml --listen shop=127.0.0.2:auto --listen db=127.0.0.3:5432
    """
    settings: Settings = ctx.obj
    if init:
        settings.platform = (
            "process"  # Also in a pod: beside an application it serves no namespace.
        )
        _make_edge(ctx, token, listens)
    elif token or listens or ephemeral:
        raise usage("--token, --listen and --ephemeral make an edge site", "sitectl run --init …")
    if settings.on_kubernetes():
        import sitectl.kubernetes.lifecycle.run as namespaced

        namespaced.run(settings)
        return
    site = store.find_directory(settings)
    if presence.is_running(site):
        raise conflict(
            f"the router of {site.name!r} runs already (process {presence.running_pid(site)})",
            f"sitectl --site {site.name} stop",
        )
    require_own(site)
    command = router_command(site)
    if ephemeral:
        command.append("--ephemeral")
    if is_supervised():
        command += ["--log", "stdout"]
    else:
        output.note(f"router of {site.name} runs until Ctrl-C, log {site.log}")
    sys.stdout.flush()
    os.execve(command[0], command, router_environment())


def _make_edge(ctx: click.Context, token: str | None, listens: tuple[str, ...]) -> None:
    """Make the site that the flags describe, or check that it matches. Failure: it does not.

    A second call (a restarted container) changes nothing and keeps the key.
    """
    from sitectl.verbs.links import link

    settings: Settings = ctx.obj
    # A pod's name may be longer than a site's; pods differ in its end.
    given = settings.site.replace(".", "-")[-limits.NAME_CHARS_MAX :] if settings.site else ""
    name = name_of(given or socket.gethostname())
    settings.site = name
    documents = [_listener(words) for words in listens]
    site, _ = make_edge_in(places.state_dir(settings), name)
    if documents:
        site.put_all(documents)
    if token is not None:
        ctx.invoke(link.create, file=token, name=LINK, cost=None, wait=None)


def _listener(words: str) -> Document:
    """The document of ``SERVICE=LISTEN``. Failure: it says nothing."""
    service, equals, listen = words.partition("=")
    if not equals or not is_name(service):
        raise usage(f"--listen {words!r}: expected SERVICE=[IP:]PORT", "--listen shop=127.0.0.2:80")
    if auto_ip(listen) is None and split_listen(listen) is None:
        raise usage(f"--listen {words!r}: expected [IP:]PORT or [IP:]auto after {service}=")
    return Document("Listener", service, ListenerSpec(service=service, listen=listen))
