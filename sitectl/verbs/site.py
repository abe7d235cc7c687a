"""`init`, `run`, `start`, `stop`, `delete`: a site from its first day to its last."""

import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import click

from router.model.specs import Document, SiteSpec
from sitectl import output, process, store
from sitectl.failure import Exit, Failure, conflict, usage
from sitectl.options import Decorated, Duration, Settings, TokenFile, Verb, accepted
from sitectl.store import Site

_NO_PODS = "not needed here, a process site has no pods"
_BUILT_IN = "not needed here, it is built in"
# Flags of `skupper init` that a process site has no use for; those that end in = take a value.
_POD_FLAGS = (
    "--labels=",
    "--annotations=",
    "--ingress-annotations=",
    "--annotation-separator=",
    "--console-ingress=",
    "--enable-cluster-permissions",
    "--enable-skupper-events",
    "--create-network-policy",
    "--run-as-user=",
    "--run-as-group=",
    "--router-logging=",
    "--router-debug-mode=",
    "--router-ingress-host=",
    "--router-load-balancer-ip=",
    "--router-service-annotations=",
    "--router-pod-annotations=",
    "--controller-ingress-host=",
    "--controller-load-balancer-ip=",
    "--controller-service-annotations=",
    "--controller-pod-annotations=",
    "--prometheus-server-pod-annotations=",
    "--container-network=",
    "--enable-ipv6",
    "--podman-endpoint=",
    *(
        f"--{part}-{limit}="
        for part in ("router", "controller", "config-sync", "flow-collector", "prometheus-server")
        for limit in ("cpu", "memory", "cpu-limit", "memory-limit")
    ),
    *(
        f"--{part}-{rule}="
        for part in ("router", "controller")
        for rule in ("pod-affinity", "pod-antiaffinity", "node-selector")
    ),
)
_COLLECTOR_FLAGS = (
    "--flow-collector-record-ttl=",
    "--enable-router-console",
    "--prometheus-external-server=",
    "--prometheus-server-authentication=",
    "--prometheus-server-user=",
    "--prometheus-server-password=",
)
_ROUTER_MODES = ("interior", "edge")


def _site_flags(function: Decorated) -> Decorated:
    options: list[Callable[[Any], Any]] = [
        click.option("--router-mode", type=click.Choice(_ROUTER_MODES), default="interior"),
        click.option("--ingress", default="host", help="none: no link is accepted (private site)."),
        click.option(
            "--ingress-host",
            "ingress_hosts",
            metavar="HOST[:PORT]",
            multiple=True,
            help="What others dial, written into tokens.",
        ),
        click.option("--ingress-bind-ip", default="0.0.0.0", help="Where links are accepted."),
        click.option("--bind-port", type=click.IntRange(1, 65_535), default=55671),
        click.option("--bind-ip", default="127.0.0.1", help="Where service listeners bind."),
        click.option("--enable-service-sync/--no-enable-service-sync", default=True),
        click.option("--service-sync-site-ttl", type=Duration(), default="180s"),
        click.option("--admin", metavar="HOST:PORT", default="", help="Admin API over TCP too."),
        click.option(
            "--access-log-share",
            type=click.FloatRange(0, 1),
            default=0.0,
            help="Of the requests, written to run/access.log; with any, all failed ones are.",
        ),
        click.option(
            "--tracing",
            is_flag=True,
            help="Spans for OpenTelemetry, by its own variables OTEL_*.",
        ),
        click.option("--routers", type=int, default=1, hidden=True),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@click.command(cls=Verb)
@click.argument("name", required=False)
@click.option("--site-name", help="The same as NAME.")
@_site_flags
@accepted(_BUILT_IN, "--enable-flow-collector", "--enable-rest-api", "--enable-controller")
@accepted(
    "noted; the console comes with a later version",
    "--enable-console",
    "--console-auth=",
    "--console-user=",
    "--console-password=",
)
@accepted(_NO_PODS, *_POD_FLAGS)
@accepted(_BUILT_IN, *_COLLECTOR_FLAGS)
@accepted(
    "not needed here, links and edges share one port",
    "--bind-port-edge=",
    "--bind-port-flow-collector=",
)
@accepted(
    "not needed here, links are not AMQP connections",
    "--router-data-connection-count=",
    "--xp-router-max-frame-size=",
    "--xp-router-max-session-frames=",
)
@click.pass_obj
def init(settings: Settings, /, name: str | None, site_name: str | None, **flags: Any) -> None:
    """Make a site: identity, certificate authority, configuration.

    \b
    Examples:
      sitectl init a
      sitectl init b --bind-port 55672 --bind-ip 127.0.0.2 --ingress-host 10.0.0.7
      sitectl init laptop --ingress none
      sitectl init c --access-log-share 0.01 --tracing
    """
    settings.require_process()
    if name and site_name and name != site_name:
        raise usage(f"two names: {name!r} and --site-name {site_name!r}", "Give one of them")
    chosen = name or site_name or settings.site or name_of(socket.gethostname())
    from router.documents.readers import is_name

    if not is_name(chosen):
        raise usage(
            f"{chosen!r} is not a site name: lower-case letters, digits and '-', at most 63",
            f"sitectl init {name_of(chosen)}",
        )
    document = Document("Site", chosen, _site_spec(**flags))
    change = make_site(settings, document)
    words = {"created": "created", "unchanged": "exists already, unchanged"}[change]
    directory = store.state_dir(settings) / chosen
    output.report(settings, "Site", chosen, change, f"site {chosen} {words}: {directory}")
    if change == "created":
        output.note(f"Next: sitectl --site {chosen} start")


def name_of(words: str) -> str:
    """A valid site name made from ``words``, a host name for example."""
    return re.sub(r"[^a-z0-9]+", "-", words.split(".")[0].lower()).strip("-")[:63] or "site"


def _site_spec(
    *,
    router_mode: str,
    ingress: str,
    enable_service_sync: bool,
    service_sync_site_ttl: float,
    routers: int,
    ingress_hosts: tuple[str, ...],
    **same: Any,
) -> SiteSpec:
    if routers != 1:
        output.note("--routers: not needed here, a process site has one router")
    if ingress not in ("host", "none"):
        output.note(f"--ingress {ingress}: a process site accepts links on its host; using host")
    closed = ingress == "none" or router_mode == "edge"
    return SiteSpec(
        router_mode="edge" if router_mode == "edge" else "interior",
        ingress="none" if closed else "host",
        ingress_hosts=ingress_hosts,
        service_sync=enable_service_sync,
        service_sync_site_ttl_s=service_sync_site_ttl,
        **same,
    )


def make_site(settings: Settings, document: Document) -> store.Change:
    """Make the site of ``document``, or see that it is there; finishes what was interrupted."""
    from router.documents import read, write

    _, errors = read(write(document), "these flags")
    if errors:
        raise store.config_failure(errors, "these flags cannot be used")
    site = Site(store.state_dir(settings) / document.name)
    if site.config.is_dir():
        existing = site.find("Site", document.name)
        if existing is not None and existing.spec != document.spec:
            raise conflict(
                f"site {document.name!r} exists with other settings "
                f"({existing.source}:{existing.line})",
                f"Edit {site.directory / existing.source}, it counts at once",
                store.diff(write(existing), write(document), existing.source),
            )
    for directory in (site.directory, site.secrets, site.run):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_identity(site)
    site.config.mkdir(exist_ok=True)
    return site.put(document)


def _make_identity(site: Site) -> None:
    from certs.authority import CA_FILE, Authority
    from certs.identity import KEY_FILE, SiteIdentity

    if (site.secrets / KEY_FILE).exists():
        identity = SiteIdentity.load(site.secrets)
    else:
        identity = SiteIdentity.create(site.secrets)
    if not (site.secrets / CA_FILE).exists():
        Authority.create(site.secrets, identity.site_id, time.time())


@click.command(cls=Verb)
@click.option("--init", is_flag=True, help="Make an edge site first, unless it is there.")
@click.option("--token", type=TokenFile(), help="With --init: of the site that it links to.")
@click.option(
    "--listen",
    "listens",
    multiple=True,
    metavar="SERVICE=[IP:]PORT|[IP:]auto",
    help="With --init: which services it offers here, and where. No others.",
)
@click.pass_context
def run(ctx: click.Context, init: bool, token: str | None, listens: tuple[str, ...]) -> None:
    """Run the site's router in the foreground, until SIGTERM or Ctrl-C.

    With --init it runs an edge site, as beside an application in a pod (`sitectl sidecar`): its
    key is made here, its name is the host's unless --site gives one.

    \b
    Examples:
      sitectl run
      sitectl run --init --token west.yaml --listen shop=127.0.0.2:auto --listen db=127.0.0.3:5432
    """
    settings: Settings = ctx.obj
    if init:
        from sitectl.edge import make_edge

        make_edge(ctx, token, listens)
    elif token or listens:
        raise usage("--token and --listen make an edge site", "sitectl run --init …")
    site = store.find_site(settings)
    if process.is_running(site):
        raise conflict(
            f"the router of {site.name!r} runs already (process {process.running_pid(site)})",
            f"sitectl --site {site.name} stop",
        )
    command = process.router_command(site)
    if process.is_supervised():
        command += ["--log", "stdout"]
    else:
        output.note(f"router of {site.name} runs until Ctrl-C, log {site.log}")
    sys.stdout.flush()
    os.execve(command[0], command, process.router_environment())


@click.command(cls=Verb)
@click.pass_obj
def start(settings: Settings) -> None:
    """Run the site's router in the background; returns when it is ready."""
    site = store.find_site(settings)
    started = process.start(site, settings.timeout_s)
    change = "started" if started else "unchanged"
    text = "is ready" if started else "runs already, unchanged"
    pid = process.running_pid(site)
    output.report(settings, "Router", site.name, change, f"router of {site.name} {text}")
    if started:
        output.note(f"process {pid}, log {site.log}")


@click.command(cls=Verb)
@click.pass_obj
def stop(settings: Settings) -> None:
    """Drain the site's router and end it; returns when it is gone.

    Other sites send it nothing new from then on, its listeners close, and what is under way, also
    what only passes through, finishes within the site's `drain_grace_s`; the rest is cut. Clients
    that keep their connection get one more answer, with `Connection: close`. Typed again while it
    drains, it ends the router at once.

    \b
    Example:
      sitectl --site east --timeout 60 stop
    """
    site = store.find_site(settings)
    stopped = process.stop(site, settings.timeout_s)
    text = "stopped" if stopped else "does not run, unchanged"
    change = "stopped" if stopped else "unchanged"
    output.report(settings, "Router", site.name, change, f"router of {site.name} {text}")


@click.command(cls=Verb)
@click.pass_obj
def delete(settings: Settings) -> None:
    """Withdraw the site's services, stop its router and delete all of its state."""
    state = store.state_dir(settings)
    names = store.site_names(state)
    if not names or (settings.site and settings.site not in names):
        settings.require_process()
        name = settings.site or ""
        text = f"no site {name}".rstrip() + f" in {state}, nothing to delete"
        output.report(settings, "Site", name, "unchanged", text)
        return
    site = store.find_site(settings)
    if sys.stdin.isatty() and not settings.yes:
        question = f"Delete site {site.name} with its identity ({site.directory})?"
        click.confirm(question, abort=True, err=True)
    if process.is_running(site):
        for document in site.documents():  # Only deleting withdraws what this site declared.
            if document.kind == "Service" and site.owns(document):
                (site.config / f"service-{document.name}.yaml").unlink(missing_ok=True)
        site.reload()
        process.stop(site, settings.timeout_s)
    if process.is_running(site):
        raise Failure(
            Exit.FAILED,
            "still-running",
            f"the router of {site.name!r} still runs, nothing was deleted",
            f"sitectl --site {site.name} stop",
        )
    shutil.rmtree(site.directory)
    output.report(settings, "Site", site.name, "deleted", f"site {site.name} deleted")
