"""`init`: a site is made, on this host or in a namespace."""

import socket
from typing import Any, Final

import click

from router.documents.readers import NAME_FORM, is_name
from router.model.specs import Document, SiteSpec
from sitectl.base import output
from sitectl.base.failure import usage
from sitectl.base.options import Settings, dry_run_flag
from sitectl.base.verb import Verb
from sitectl.flags.links.address import link_address
from sitectl.flags.rows import texts_of, values_of
from sitectl.flags.sites.console import (
    ConsoleFlags,
    ConsoleWish,
    console_flags,
    keep_user,
    read_console,
    refuse_on_kubernetes,
    with_console,
)
from sitectl.flags.sites.peer import judged_peers, refuse_peers
from sitectl.flags.sites.proxy import (
    ProxyFlags,
    ProxyWish,
    keep_site_login,
    proxy_flags,
    read_wish,
    refuse_site_login,
    said_by,
)
from sitectl.flags.sites.site import given, site_flags, without_use
from sitectl.runtimes import choice
from sitectl.runtimes.choice import RunBy
from sitectl.runtimes.image import ImageFlags, image_flags
from sitectl.runtimes.site_lifecycle import make_site, name_of
from sitectl.site import places
from sitectl.site.directory import DirectorySite
from sitectl.site.site import Change
from sitectl.site.workers import refuse_several, refuse_workers

_SECTIONS: Final = (
    ("Site", "--sharing --enable-service-sync --bind-ip --workers --run-by"),
    ("Links", "--ingress --ingress-host --bind-port --router-mode --link-proxy --peer"),
    ("Console", "--enable-console --console-user --console-password-file --console-bind"),
    ("Kubernetes", "--routers --wait --create-network-policy --adopt-services --dry-run"),
    ("Containers", "--image --container-network"),
)


@click.command(cls=Verb, sections=_SECTIONS)
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
    image: ImageFlags,
    proxy: ProxyFlags,
    console: ConsoleFlags,
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
    wish = read_wish(proxy)
    stated = name or site_name or settings.site
    if settings.on_kubernetes():
        _refuse_for_namespace(run_by, wish, console, flags)
        from sitectl.kubernetes.lifecycle import init as namespaced

        namespaced.init(settings, ctx, stated, wait or "none", image)
        return
    podman = settings.on_podman()
    if settings.dry_run or ((wait or image.is_given) and not podman):
        settings.require_kubernetes("--dry-run, --wait, --image and --image-pull-policy")
    for line in without_use(ctx, podman=podman):
        click.echo(line, err=True)
    chosen = stated or name_of(socket.gethostname())
    if not is_name(chosen):
        raise usage(
            f"{chosen!r} is not a site name: {NAME_FORM}",
            f"sitectl init {name_of(chosen)}",
        )
    spec = _site_spec(**flags, link_proxy=said_by(wish))
    there = _spec_there(settings, chosen)
    if not _says_how(ctx, flags) and wish is None:
        spec = there or spec
    told = read_console(ctx, console)
    spec = with_console(settings, chosen, spec, there, told)
    if not podman:
        _init_process(settings, chosen, spec, run_by, wish, told)
        return
    if run_by is not None:
        raise usage("--run-by is not for --platform podman", "Leave one of them out")
    container = choice.ContainerWish(image, given(ctx).get("container-network"))
    _init_podman(settings, chosen, spec, container, wish, told)


def _refuse_for_namespace(
    run_by: RunBy | None, wish: ProxyWish | None, console: ConsoleFlags, flags: dict[str, Any]
) -> None:
    """Raise Failure for flags that are for sites on hosts."""
    refuse_on_kubernetes(console)
    if run_by is not None:
        raise usage("--run-by is for sites on this host", "sitectl --platform process init …")
    refuse_site_login(wish)
    refuse_peers(flags["peers"])
    refuse_workers(flags["workers"])


def _says_how(ctx: click.Context, flags: dict[str, Any]) -> bool:
    """Whether any flag configures the site; none: it stays as it is."""
    default = click.core.ParameterSource.DEFAULT
    said = bool(given(ctx)) or bool(texts_of("Site"))
    return said or any(ctx.get_parameter_source(key) != default for key in flags)


def _spec_there(settings: Settings, name: str) -> SiteSpec | None:
    """The document of an existing site."""
    site = DirectorySite(places.state_dir(settings) / name)
    found = site.find("Site", name) if site.config.is_dir() else None
    return found.spec if found is not None and isinstance(found.spec, SiteSpec) else None


_MADE = {
    "created": "created",
    "updated": "exists already, its router updated",
    "unchanged": "exists already, unchanged",
}


def _tell_made(settings: Settings, name: str, change: Change, place: str, next_step: str) -> None:
    """On a host: where the site is, and of a new one what to type next."""
    output.report(settings, "Site", name, change, f"site {name} {_MADE[change]}: {place}")
    if change == "created":
        output.note(f"Next: sitectl --site {name} {next_step}")


def _init_process(
    settings: Settings,
    name: str,
    spec: SiteSpec,
    run_by: RunBy | None,
    proxy: ProxyWish | None,
    console: ConsoleWish | None,
) -> None:
    """Make the site, whose router runs without a container."""
    change = make_site(settings, Document("Site", name, spec))
    site = DirectorySite(places.state_dir(settings) / name)
    kept = [keep_site_login(site, proxy), keep_user(site, console, spec.console)]
    if run_by is not None:
        kept.append(choice.run_by(site, run_by, settings.timeout_s))
    if any(kept) and change == "unchanged":
        change = "updated"
    _tell_made(settings, name, change, str(site.directory), "start")


def _init_podman(
    settings: Settings,
    name: str,
    spec: SiteSpec,
    container: choice.ContainerWish,
    proxy: ProxyWish | None,
    console: ConsoleWish | None,
) -> None:
    """Make the site and have podman run its router; finishes an interrupted attempt."""
    spec, container = choice.placed(spec, container)
    change = make_site(settings, Document("Site", name, spec))
    site = DirectorySite(places.state_dir(settings) / name)
    keep_site_login(site, proxy)
    keep_user(site, console, spec.console)
    started = choice.run_in_podman(site, container, settings.timeout_s)
    if started and change == "unchanged":
        change = "updated"
    place = f"{site.directory}, by podman"
    _tell_made(settings, name, change, place, "token create FILE, for the next site")


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
