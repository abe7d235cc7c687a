"""`init`, `run`, `start`, `stop`, `delete`: a site from its first day to its last."""

import os
import re
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import Any

import click

from certs.files import make_directory
from router.model.specs import Document, SiteSpec
from sitectl import output, store, texts
from sitectl.directory import DirectorySite
from sitectl.failure import Exit, Failure, conflict, usage
from sitectl.image import image_flags
from sitectl.options import Duration, Settings, TokenFile, Verb, dry_run_flag
from sitectl.runtimes import choice, presence, runtime_of
from sitectl.runtimes.choice import RunBy
from sitectl.runtimes.process import (
    is_supervised,
    require_own,
    router_command,
    router_environment,
)
from sitectl.runtimes.spec import PullPolicy
from sitectl.site import Change
from sitectl.site_flags import ROUTER_MODES, given, key_flags, site_flags, without_use


@click.command(cls=Verb)
@click.argument("name", required=False)
@click.option("--site-name", help="The same as NAME.")
@site_flags
@click.option(
    "--wait",
    type=click.Choice(("none", "configured", "ready")),
    help="On Kubernetes: stay until the cluster has taken up its objects (configured), or until "
    "its router of this version is ready. [default: none]",
)
@click.option(
    "--run-by",
    type=click.Choice(("process", "systemd")),
    help="Who keeps its router running from `start` on: nobody, or a systemd unit (root's of the "
    "system, else the user's own). [default: as it is, at first process]",
)
@image_flags
@dry_run_flag
@click.pass_context
def init(
    ctx: click.Context,
    /,
    name: str | None,
    site_name: str | None,
    wait: str | None,
    run_by: RunBy | None,
    image: str | None,
    image_pull_policy: PullPolicy | None,
    **flags: Any,
) -> None:
    """Make a site: identity, certificate authority, configuration.

    \b
    Examples:
      sitectl init a
      sitectl init b --bind-port 55672 --bind-ip 127.0.0.2 --ingress-host 10.0.0.7
      sitectl init laptop --ingress none
      sitectl init c --access-log-share 0.01 --tracing
      sitectl init west --run-by systemd
      sitectl --platform podman init d --image-pull-policy never
      sitectl --platform podman init e --container-network apps
      sitectl -n shop init --ingress loadbalancer --wait ready
      sitectl -n shop init --routers 2 --dry-run -o yaml | kubectl apply -f -
    """
    settings = ctx.ensure_object(Settings)
    if name and site_name and name != site_name:
        raise usage(f"two names: {name!r} and --site-name {site_name!r}", "Give one of them")
    if settings.on_kubernetes():
        if run_by is not None:
            raise usage("--run-by is for sites on this host", "sitectl --platform process init …")
        import sitectl.kubernetes.lifecycle as lifecycle

        asked = lifecycle.Asked(image, image_pull_policy)
        stated = name or site_name or settings.site
        lifecycle.init(settings, ctx, stated, wait or "none", asked)
        return
    podman = settings.on_podman()
    if settings.dry_run or ((wait or image or image_pull_policy) and not podman):
        settings.require_kubernetes("--dry-run, --wait, --image and --image-pull-policy")
    for line in without_use(ctx, podman=podman):
        click.echo(line, err=True)
    chosen = name or site_name or settings.site or name_of(socket.gethostname())
    from router.documents.readers import is_name

    if not is_name(chosen):
        raise usage(
            f"{chosen!r} is not a site name: lower-case letters, digits and '-', at most 63",
            f"sitectl init {name_of(chosen)}",
        )
    spec = _site_spec(**flags)
    if not _says_how(ctx, flags):
        spec = _spec_there(settings, chosen) or spec
    if podman:
        if run_by is not None:
            raise usage("--run-by is not for --platform podman", "Leave one of them out")
        _init_podman(ctx, chosen, spec, image, image_pull_policy)
        return
    change = make_site(settings, Document("Site", chosen, spec))
    directory = store.state_dir(settings) / chosen
    if run_by is not None:
        chose = choice.run_by(DirectorySite(directory), run_by, settings.timeout_s)
        change = "updated" if chose and change == "unchanged" else change
    _report_made(settings, chosen, change, f"{_MADE[change]}: {directory}")
    if change == "created":
        output.note(f"Next: sitectl --site {chosen} start")


def _says_how(ctx: click.Context, flags: dict[str, Any]) -> bool:
    """Whether any flag says how the site shall be; none: as it is."""
    default = click.core.ParameterSource.DEFAULT
    return bool(given(ctx)) or any(ctx.get_parameter_source(key) != default for key in flags)


def _spec_there(settings: Settings, name: str) -> SiteSpec | None:
    """What the document of a site that is there says."""
    site = DirectorySite(store.state_dir(settings) / name)
    found = site.find("Site", name) if site.config.is_dir() else None
    return found.spec if found is not None and isinstance(found.spec, SiteSpec) else None


_MADE = {
    "created": "created",
    "updated": "exists already, its router updated",
    "unchanged": "exists already, unchanged",
}


def _report_made(settings: Settings, name: str, change: Change, words: str) -> None:
    output.report(settings, "Site", name, change, f"site {name} {words}")


def _init_podman(
    ctx: click.Context, name: str, spec: SiteSpec, image: str | None, policy: PullPolicy | None
) -> None:
    """Make the site and have podman run its router; finishes what was interrupted."""
    from sitectl import podman_site

    settings: Settings = ctx.obj
    wish = podman_site.Wish(image, policy, given(ctx).get("container-network"))
    spec, wish = podman_site.placed(spec, wish)
    change = make_site(settings, Document("Site", name, spec))
    site = DirectorySite(store.state_dir(settings) / name)
    started = podman_site.run_in_podman(site, wish, settings.timeout_s)
    if started and change == "unchanged":
        change = "updated"
    _report_made(settings, name, change, f"{_MADE[change]}: {site.directory}, by podman")
    if change == "created":
        podman_site.tell(site)


def name_of(words: str) -> str:
    """A valid site name made from ``words``, a host name for example."""
    return re.sub(r"[^a-z0-9]+", "-", words.split(".")[0].lower()).strip("-")[:63] or "site"


def _site_spec(
    *,
    router_mode: str,
    ingress: str | None,
    enable_service_sync: bool,
    service_sync_site_ttl: float,
    routers: int,
    ingress_hosts: tuple[str, ...],
    **same: Any,
) -> SiteSpec:
    if routers != 1:
        output.note("--routers: not needed here, a process site has one router")
    if ingress not in (None, "host", "none"):
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


def make_site(settings: Settings, document: Document) -> Change:
    """Make the site of ``document``, or see that it is there; finishes what was interrupted."""
    return make_site_in(store.state_dir(settings), document)


def make_site_in(state: Path, document: Document) -> Change:
    """As `make_site`, in the directory ``state`` of sites."""
    from router.documents import read, write

    _, errors = read(write(document), "these flags")
    if errors:
        raise texts.config_failure(errors, "these flags cannot be used")
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
def run(ctx: click.Context, /, init: bool, token: str | None, listens: tuple[str, ...]) -> None:
    """Run the site's router in the foreground, until SIGTERM or Ctrl-C.

    On Kubernetes it serves the namespace: in a pod, or from here by the kubeconfig.

    With --init it runs an edge site, as beside an application in a pod (`sitectl sidecar`): its
    key is made here, its name is the host's unless --site gives one.

    \b
    Examples:
      sitectl run
      sitectl -n shop run
      sitectl run --init --token west.yaml --listen shop=127.0.0.2:auto --listen db=127.0.0.3:5432
    """
    settings: Settings = ctx.obj
    if init:
        from sitectl.edge import make_edge

        settings.platform = (
            "process"  # Also in a pod: beside an application it serves no namespace.
        )
        make_edge(ctx, token, listens)
    elif token or listens:
        raise usage("--token and --listen make an edge site", "sitectl run --init …")
    if settings.on_kubernetes():
        import sitectl.kubernetes.lifecycle as lifecycle

        lifecycle.run(settings)
        return
    site = store.find_directory(settings)
    if presence.is_running(site):
        raise conflict(
            f"the router of {site.name!r} runs already (process {presence.running_pid(site)})",
            f"sitectl --site {site.name} stop",
        )
    require_own(site)
    command = router_command(site)
    if is_supervised():
        command += ["--log", "stdout"]
    else:
        output.note(f"router of {site.name} runs until Ctrl-C, log {site.log}")
    sys.stdout.flush()
    os.execve(command[0], command, router_environment())


@click.command(cls=Verb)
@click.pass_obj
def start(settings: Settings) -> None:
    """Run the site's router in the background; returns when it is ready."""
    _refuse_on_kubernetes(settings, "start", 1)
    site = store.find_directory(settings)
    runtime = runtime_of(site)
    started = runtime.start(settings.timeout_s)
    change = "started" if started else "unchanged"
    text = "is ready" if started else "runs already, unchanged"
    pid = presence.running_pid(site)
    output.report(settings, "Router", site.name, change, f"router of {site.name} {text}")
    if started:
        output.note(f"process {pid}; log: {runtime.log_hint()}")
        from sitectl.backup.copies import tell_if_copy

        tell_if_copy(site)


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
    _refuse_on_kubernetes(settings, "stop", 0)
    site = store.find_directory(settings)
    stopped = runtime_of(site).stop(settings.timeout_s)
    text = "stopped" if stopped else "does not run, unchanged"
    change = "stopped" if stopped else "unchanged"
    output.report(settings, "Router", site.name, change, f"router of {site.name} {text}")


def _refuse_on_kubernetes(settings: Settings, verb: str, routers: int) -> None:
    """Raise Failure: there a Deployment says how many routers run, and Git may keep it."""
    if settings.on_kubernetes():
        place = f" -n {settings.namespace}" if settings.namespace else ""
        raise usage(
            f"{verb} is for process sites; on Kubernetes routers are Deployment/spillway-router",
            f"kubectl{place} scale deployment/spillway-router --replicas={routers}",
        )


def end_site(site: DirectorySite, timeout_s: float) -> None:
    """Withdraw what ``site`` declared, stop its router, remove what runs it. Failure: it runs."""
    if presence.is_running(site):
        for document in site.documents():  # Only deleting withdraws what this site declared.
            if document.kind == "Service" and site.owns(document):
                (site.config / f"service-{document.name}.yaml").unlink(missing_ok=True)
        site.reload()
        runtime_of(site).stop(timeout_s)
    if presence.is_running(site):
        raise Failure(
            Exit.FAILED,
            "still-running",
            f"the router of {site.name!r} still runs, nothing was deleted",
            f"sitectl --site {site.name} stop",
        )
    runtime_of(site).remove(timeout_s)


@click.command(cls=Verb)
@dry_run_flag
@click.pass_obj
def delete(settings: Settings) -> None:
    """Withdraw the site's services, stop its router and delete all of its state.

    On Kubernetes: Services that were taken over get back what they had; then all objects of the
    site go, its identity too. Users' objects stay, annotated ones and token Secrets among them.
    """
    if settings.on_kubernetes():
        import sitectl.kubernetes.lifecycle as lifecycle

        lifecycle.delete(settings)
        return
    if settings.dry_run:
        settings.require_kubernetes("--dry-run")
    state = store.state_dir(settings)
    names = store.site_names(state)
    if not names or (settings.site and settings.site not in names):
        name = settings.site or ""
        text = f"no site {name}".rstrip() + f" in {state}, nothing to delete"
        output.report(settings, "Site", name, "unchanged", text)
        return
    site = store.find_directory(settings)
    if sys.stdin.isatty() and not settings.yes:
        question = f"Delete site {site.name} with its identity ({site.directory})?"
        click.confirm(question, abort=True, err=True)
    end_site(site, settings.timeout_s)
    shutil.rmtree(site.directory)
    output.report(settings, "Site", site.name, "deleted", f"site {site.name} deleted")


@click.command(cls=Verb)
@key_flags
@click.option("--router-mode", type=click.Choice(ROUTER_MODES))
@click.option("--ingress")
@click.option("--ingress-host", "ingress_hosts", multiple=True, metavar="HOST")
@click.option("--enable-service-sync/--no-enable-service-sync", default=None)
@click.option("--service-sync-site-ttl", type=Duration())
@click.option("--access-log-share", type=click.FloatRange(0, 1))
@click.option("--tracing/--no-tracing", default=None)
@click.option("--routers", type=click.IntRange(0, 1_000))
@image_flags
@click.option("--force-restart", is_flag=True, help="Replace the routers, one after the other.")
@click.option("--check", "only_check", is_flag=True, help="Say what would change; exit 3 if so.")
@dry_run_flag
@click.pass_context
def update(
    ctx: click.Context,
    /,
    image: str | None,
    image_pull_policy: PullPolicy | None,
    force_restart: bool,
    only_check: bool,
    **flags: Any,
) -> None:
    """Change a site's settings on Kubernetes, and bring its objects to this version.

    Where the router runs in a container on this host: have it be of --image, its identity, links
    and services as they were. Other settings of such a site are in its document.

    \b
    Examples:
      sitectl --site d update --image quay.io/spillway/router:0.2.0
      sitectl -n shop update                          objects as this version makes them
      sitectl -n shop update --check
      sitectl -n shop update --routers 2 --adopt-services
      sitectl -n shop update --force-restart
    """
    settings = ctx.ensure_object(Settings)
    if not settings.on_kubernetes():
        _update_here(settings, image, image_pull_policy, force_restart)
        return
    import sitectl.kubernetes.lifecycle as lifecycle

    asked = lifecycle.Asked(image, image_pull_policy)
    lifecycle.update(settings, ctx, asked, force_restart, only_check)


def _update_here(
    settings: Settings, image: str | None, policy: PullPolicy | None, force: bool
) -> None:
    """Have a router in a container be of another image."""
    from sitectl import podman_site

    site = store.find_directory(settings)
    changed = podman_site.update(site, image, policy, settings.timeout_s, force=force)
    change = "updated" if changed else "unchanged"
    text = "is ready, of the image asked for" if changed else "is so already, unchanged"
    output.report(settings, "Router", site.name, change, f"router of {site.name} {text}")
