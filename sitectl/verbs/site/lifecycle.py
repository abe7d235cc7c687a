"""`init`, `start`, `stop`, `delete`: a site from its first day to its last."""

import shutil
import socket
import sys
from typing import Any, Final

import click

from router.documents.readers import NAME_FORM, is_name
from router.model.addresses import join
from router.model.specs import Document, SiteSpec
from sitectl.base import output
from sitectl.base.failure import Failure, usage
from sitectl.base.options import Settings, dry_run_flag
from sitectl.base.verb import Verb
from sitectl.flags.links.address import link_address
from sitectl.flags.rows import texts_of, values_of
from sitectl.flags.sites.console import (
    CONSOLE_FLAGS,
    ConsoleWish,
    console_flags,
    keep_user,
    read_console,
    refuse_on_kubernetes,
    with_console,
)
from sitectl.flags.sites.peer import judged_peers, refuse_peers
from sitectl.flags.sites.proxy import (
    ProxyWish,
    keep_site_login,
    proxy_flags,
    read_wish,
    refuse_site_login,
    said_by,
)
from sitectl.flags.sites.site import given, site_flags, without_use
from sitectl.runtimes import choice, presence, runtime_of
from sitectl.runtimes.choice import RunBy
from sitectl.runtimes.image import image_flags
from sitectl.runtimes.outcomes import still_running
from sitectl.runtimes.site_lifecycle import end_site, make_site, name_of
from sitectl.runtimes.spec import PullPolicy
from sitectl.selection import store
from sitectl.site import places
from sitectl.site.directory import DirectorySite
from sitectl.site.site import Change
from sitectl.site.workers import refuse_several, refuse_workers

_INIT_SECTIONS: Final = (
    ("Site", "--sharing --enable-service-sync --bind-ip --workers --run-by"),
    ("Links", "--ingress --ingress-host --bind-port --router-mode --link-proxy --peer"),
    ("Console", "--enable-console --console-user --console-password-file --console-bind"),
    ("Kubernetes", "--routers --wait --create-network-policy --adopt-services --dry-run"),
    ("Containers", "--image --container-network"),
)

NOW_S: Final = 0.5
"""What `stop --now` gives requests that are nearly done, and other sites to hear of it."""


@click.command(cls=Verb, sections=_INIT_SECTIONS)
@click.argument("name", required=False)
@click.option("--site-name", help="The same as NAME.")
@site_flags
@console_flags
@proxy_flags("link-proxy")
@click.option(
    "--wait",
    type=click.Choice(("none", "configured", "ready")),
    help="On Kubernetes: wait until the cluster has accepted its objects "
    "(configured), or until a router of this version is ready. [default: "
    "none]",
)
@click.option(
    "--run-by",
    type=click.Choice(("process", "systemd")),
    help="What runs its router after `start`: a plain process (process), or a "
    "systemd unit, root's of the system or the user's. [default: as it is, at"
    " first process]",
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
    proxy: str | None,
    proxy_password_file: str | None,
    proxy_ca: str | None,
    **flags: Any,
) -> None:
    """Make a site: identity, certificate authority, configuration.

    \b
    Examples:
      sitectl init a
      sitectl init b --bind-port 55672 --bind-ip 127.0.0.2 --ingress-host 10.0.0.7
      sitectl init laptop --ingress none --link-proxy http://proxy.corp:3128
      sitectl init c --access-log-share 0.01 --tracing
      sitectl init west --run-by systemd
      sitectl init shop --sharing strict           nothing is shared that you do not grant
      sitectl init east --enable-console --console-user eve --console-password-file -
      sitectl --platform podman init d --image-pull-policy never
      sitectl --platform podman init e --container-network apps
      sitectl -n shop init --ingress loadbalancer --wait ready
      sitectl -n shop init --routers 2 --dry-run -o yaml | kubectl apply -f -
    """
    settings = ctx.ensure_object(Settings)
    if name and site_name and name != site_name:
        raise usage(f"two names: {name!r} and --site-name {site_name!r}", "Give one of them")
    wish = read_wish(proxy, proxy_password_file, proxy_ca)
    more = {key: flags.pop(key) for key in CONSOLE_FLAGS}
    if settings.on_kubernetes():
        refuse_on_kubernetes(more)
        _refuse_for_namespace(run_by, wish)
        refuse_peers(flags["peers"])
        refuse_workers(flags["workers"])
        stated = name or site_name or settings.site
        _init_namespace(ctx, stated, wait or "none", image, image_pull_policy)
        return
    podman = settings.on_podman()
    if settings.dry_run or ((wait or image or image_pull_policy) and not podman):
        settings.require_kubernetes("--dry-run, --wait, --image and --image-pull-policy")
    for line in without_use(ctx, podman=podman):
        click.echo(line, err=True)
    chosen = name or site_name or settings.site or name_of(socket.gethostname())
    if not is_name(chosen):
        raise usage(
            f"{chosen!r} is not a site name: {NAME_FORM}",
            f"sitectl init {name_of(chosen)}",
        )
    spec = _site_spec(**flags, link_proxy=said_by(wish))
    there = _spec_there(settings, chosen)
    if not _says_how(ctx, flags) and wish is None:
        spec = there or spec
    console = read_console(ctx, more)
    spec = with_console(settings, chosen, spec, there, console)
    if podman:
        if run_by is not None:
            raise usage("--run-by is not for --platform podman", "Leave one of them out")
        _init_podman(ctx, chosen, spec, image, image_pull_policy, wish, console)
        return
    change = make_site(settings, Document("Site", chosen, spec))
    directory = places.state_dir(settings) / chosen
    site = DirectorySite(directory)
    kept = [keep_site_login(site, wish), keep_user(site, console, spec.console)]
    if run_by is not None:
        kept.append(choice.run_by(site, run_by, settings.timeout_s))
    if any(kept) and change == "unchanged":
        change = "updated"
    _report_made(settings, chosen, change, f"{_MADE[change]}: {directory}")
    if change == "created":
        output.note(f"Next: sitectl --site {chosen} start")


def _refuse_for_namespace(run_by: RunBy | None, wish: ProxyWish | None) -> None:
    if run_by is not None:
        raise usage("--run-by is for sites on this host", "sitectl --platform process init …")
    refuse_site_login(wish)


def _init_namespace(
    ctx: click.Context, name: str | None, wait: str, image: str | None, policy: PullPolicy | None
) -> None:
    from sitectl.kubernetes.lifecycle import init
    from sitectl.kubernetes.lifecycle.site_objects import AskedImage

    init.init(ctx.obj, ctx, name, wait, AskedImage(image, policy))


def _says_how(ctx: click.Context, flags: dict[str, Any]) -> bool:
    """Whether any flag says how the site shall be; none: as it is."""
    default = click.core.ParameterSource.DEFAULT
    said = bool(given(ctx)) or bool(texts_of("Site"))
    return said or any(ctx.get_parameter_source(key) != default for key in flags)


def _spec_there(settings: Settings, name: str) -> SiteSpec | None:
    """What the document of a site that is there says."""
    site = DirectorySite(places.state_dir(settings) / name)
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
    ctx: click.Context,
    name: str,
    spec: SiteSpec,
    image: str | None,
    policy: PullPolicy | None,
    proxy: ProxyWish | None,
    console: ConsoleWish | None,
) -> None:
    """Make the site and have podman run its router; finishes what was interrupted."""
    settings: Settings = ctx.obj
    wish = choice.ContainerWish(image, policy, given(ctx).get("container-network"))
    spec, wish = choice.placed(spec, wish)
    change = make_site(settings, Document("Site", name, spec))
    site = DirectorySite(places.state_dir(settings) / name)
    keep_site_login(site, proxy)
    keep_user(site, console, spec.console)
    started = choice.run_in_podman(site, wish, settings.timeout_s)
    if started and change == "unchanged":
        change = "updated"
    _report_made(settings, name, change, f"{_MADE[change]}: {site.directory}, by podman")
    if change == "created":
        output.note(f"Next: sitectl --site {name} token create FILE, for the next site")


def _site_spec(
    *,
    router_mode: str,
    ingress: str | None,
    enable_service_sync: bool,
    service_sync_site_ttl: float,
    routers: int,
    ingress_hosts: tuple[str, ...],
    ingress_bind_ip: str | None,
    bind_ip: str | None,
    peers: tuple[str, ...],
    workers: int | str | None,
    **same: Any,
) -> SiteSpec:
    refuse_several(workers, is_edge=router_mode == "edge", has_peers=bool(judged_peers(peers)))
    if routers != 1:
        output.note("--routers: not needed here, a process site has one router")
    if ingress not in (None, "host", "none"):
        output.note(f"--ingress {ingress}: a process site accepts links on its host; using host")
    closed = ingress == "none" or router_mode == "edge"
    return SiteSpec(
        router_mode="edge" if router_mode == "edge" else "interior",
        ingress="none" if closed else "host",
        ingress_hosts=ingress_hosts,
        ingress_bind_ip=link_address(ingress_bind_ip, None if closed else bind_ip, ingress_hosts),
        bind_ip=bind_ip or "127.0.0.1",
        peers=judged_peers(peers),
        workers=1 if workers is None else workers,
        service_sync=enable_service_sync,
        service_sync_site_ttl_s=service_sync_site_ttl,
        **values_of("Site"),
        **same,
    )


@click.command(cls=Verb)
@click.pass_obj
def start(settings: Settings) -> None:
    """Run the site's router in the background; returns when it is ready.

    \b
    Example:
      sitectl start
    """
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
        output.note(_listens(site.wanted().site))
        from sitectl.backup.copies import tell_if_copy

        tell_if_copy(site)


def _listens(site: SiteSpec) -> str:
    """Where its router listens, for links and for services."""
    links = "No link is accepted (ingress none)"
    if site.ingress != "none":
        links = f"Links are accepted at {join(site.ingress_bind_ip.strip('[]'), site.bind_port)}"
    return f"{links}; listeners of services bind {site.bind_ip}."


@click.command(cls=Verb)
@click.option("--now", is_flag=True, help="Inform other sites, then cut open requests.")
@click.pass_obj
def stop(settings: Settings, now: bool) -> None:
    """Drain the site's router and end it; returns when it is gone.

    Other sites send it nothing new from then on, its listeners close, and what is under way, also
    what only passes through, finishes within the site's `drain_grace_s` (30 s); the rest is cut.
    A tcp connection is under way until a side closes it, also when nothing is said. HTTP clients
    that keep their connection get one more answer, with `Connection: close`. Typed again while it
    drains, it ends the router at once, as --now does.

    \b
    Examples:
      sitectl --site east --timeout 60 stop
      sitectl --site east stop --now
    """
    _refuse_on_kubernetes(settings, "stop", 0)
    site = store.find_directory(settings)
    stopped = _end_now(site, settings) if now else runtime_of(site).stop(settings.timeout_s)
    text = "stopped" if stopped else "does not run, unchanged"
    change = "stopped" if stopped else "unchanged"
    output.report(settings, "Router", site.name, change, f"router of {site.name} {text}")


def _end_now(site: DirectorySite, settings: Settings) -> bool:
    """Have the router drain for a moment, then told a second time, which ends it."""
    runtime = runtime_of(site)
    try:
        return runtime.stop(min(NOW_S, settings.timeout_s))
    except Failure as failure:
        if failure.code != "still-draining":
            raise
    try:
        runtime.stop(settings.timeout_s)
    except Failure as failure:
        process_id = presence.running_pid(site)
        if failure.code != "still-draining" or process_id is None:
            raise
        raise still_running(site.name, settings.timeout_s, process_id) from None
    return True


def _refuse_on_kubernetes(settings: Settings, verb: str, routers: int) -> None:
    """Raise Failure: there a Deployment says how many routers run, and Git may keep it."""
    if settings.on_kubernetes():
        place = f" -n {settings.namespace}" if settings.namespace else ""
        raise usage(
            f"{verb} is for process sites; on Kubernetes routers are Deployment/spillway-router",
            f"kubectl{place} scale deployment/spillway-router --replicas={routers}",
        )


@click.command(cls=Verb)
@dry_run_flag
@click.pass_obj
def delete(settings: Settings) -> None:
    """Withdraw the site's services, stop its router and delete all of its state.

    On Kubernetes: Services that were taken over get back what they had; then all objects of the
    site go, its identity too. Users' objects stay, annotated ones and token Secrets among them.

    \b
    Examples:
      sitectl --site east delete --yes
      sitectl -n shop delete --yes
    """
    if settings.on_kubernetes():
        import sitectl.kubernetes.lifecycle.delete as namespaced

        namespaced.delete(settings)
        return
    if settings.dry_run:
        settings.require_kubernetes("--dry-run")
    state = places.state_dir(settings)
    names = places.site_names(state)
    if not names or (settings.site and settings.site not in names):
        name = settings.site or ""
        text = f"no site {name}".rstrip() + f" in {state}, nothing to delete"
        output.report(settings, "Site", name, "unchanged", text)
        return
    site = store.find_directory(settings)
    _confirm_deletion(settings, site)
    end_site(site, settings.timeout_s)
    shutil.rmtree(site.directory)
    output.report(settings, "Site", site.name, "deleted", f"site {site.name} deleted")


def _confirm_deletion(settings: Settings, site: DirectorySite) -> None:
    """Ask at a terminal; elsewhere raise Failure: identity and CA cannot be made again."""
    if not settings.yes and not sys.stdin.isatty():
        raise usage(
            f"this deletes site {site.name} with its identity and CA ({site.directory}), and there "
            "is no terminal to ask at",
            f"sitectl --site {site.name} delete --yes",
        )
    settings.confirm(f"Delete site {site.name} with its identity ({site.directory})?")
