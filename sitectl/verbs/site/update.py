"""`update`: a site's settings, and what runs its router, while it runs."""

from typing import Any

import click
import msgspec

from router.model.specs import ConsoleSpec, Document, SiteSpec
from sitectl.base import output
from sitectl.base.failure import not_found, usage
from sitectl.base.options import Duration, Settings, dry_run_flag
from sitectl.base.verb import Verb
from sitectl.flags.rows import row_flags, texts_of, typed_rows, values_of
from sitectl.flags.services.sharing_mode import mode_text
from sitectl.flags.sites.console import (
    ConsoleFlags,
    ConsoleWish,
    console_flags,
    console_of,
    flags_of,
    keep_user,
    read_console,
    refuse_on_kubernetes,
)
from sitectl.flags.sites.peer import judged_peers, peer_flag, refuse_peers
from sitectl.flags.sites.proxy import (
    ProxyFlags,
    ProxyWish,
    keep_site_login,
    proxy_flags,
    read_wish,
    refuse_site_login,
)
from sitectl.flags.sites.site import ROUTER_MODES, key_flags
from sitectl.runtimes import choice
from sitectl.runtimes.image import ImageFlags, image_flags
from sitectl.selection import store
from sitectl.site.directory import DirectorySite
from sitectl.site.site import Change
from sitectl.site.workers import AUTO, refuse_several, refuse_workers, workers_flag


@click.command(cls=Verb)
@key_flags
@click.option(
    "--router-mode",
    type=click.Choice(ROUTER_MODES),
    help="Role in the network; edge: one link, no part in routing.",
)
@click.option("--ingress", help="How other sites reach the link port, as in init.")
@click.option(
    "--ingress-host",
    "ingress_hosts",
    multiple=True,
    metavar="HOST",
    help="Address that other sites dial; it is written into tokens.",
)
@click.option(
    "--enable-service-sync/--no-enable-service-sync",
    default=None,
    help="Open listeners for services of other sites.",
)
@click.option(
    "--service-sync-site-ttl",
    type=Duration(),
    help="How long services of a site that is out of reach keep their listeners.",
)
@click.option(
    "--routers",
    type=click.IntRange(0, 1_000),
    help="Number of routers, on Kubernetes; 0: the site is stopped.",
)
@row_flags("Site")
@console_flags
@proxy_flags("link-proxy")
@workers_flag("Number of processes of a router on this host, from its next start on.")
@peer_flag("All other routers of this same site, on hosts; none: there are no others.")
@image_flags
@click.option("--force-restart", is_flag=True, help="Replace the routers, one after the other.")
@click.option("--check", "only_check", is_flag=True, help="Say what would change; exit 3 if so.")
@dry_run_flag
@click.pass_context
def update(
    ctx: click.Context,
    /,
    image: ImageFlags,
    force_restart: bool,
    only_check: bool,
    proxy: ProxyFlags,
    console: ConsoleFlags,
    peers: tuple[str, ...],
    ingress_hosts: tuple[str, ...],
    workers: int | str | None,
    **flags: Any,
) -> None:
    """Change a site's settings, and on Kubernetes update its objects to this version.

    If the router runs in a container on this host, run it from --image, with the same identity,
    links and services. For a site on this host, --link-proxy, --peer, --ingress-host, the console
    and the fields of its document (--drain-grace, --sharing, …) change while it runs, and --workers
    at its next start.

    \b
    Examples:
      sitectl --site d update --image registry.example/spillway/router:0.2.0
      sitectl --site d update --link-proxy http://me@proxy.corp:3128 --link-proxy-password-file -
      sitectl --site west update --ingress-host 10.0.0.8 --peer west1.example.org:55671
      sitectl --site west update --enable-console --console-user eve
      sitectl --site west update --workers auto
      sitectl --site west update --sharing strict
      sitectl -n shop update                          objects as this version makes them
      sitectl -n shop update --check
      sitectl -n shop update --routers 2 --adopt-services
      sitectl -n shop update --force-restart
    """
    settings = ctx.ensure_object(Settings)
    wish = read_wish(proxy)
    if settings.on_kubernetes():
        refuse_on_kubernetes(console)
        refuse_peers(peers)
        refuse_workers(workers)
        refuse_site_login(wish)
        import sitectl.kubernetes.lifecycle.update as namespaced

        namespaced.update(settings, ctx, image, force_restart, only_check)
        return
    told = read_console(ctx, console)
    changes = values_of("Site")
    if ingress_hosts or peers:
        _set_addresses(settings, ingress_hosts, judged_peers(peers), said=bool(peers))
    if workers is not None:
        _set_workers(settings, workers)
    if changes:
        _set_rows(settings, changes)
    if wish is not None:
        _set_link_proxy(settings, wish)
    if told is not None:
        _set_console(settings, told)
    is_said = ingress_hosts or peers or workers is not None or changes or wish or told
    if not is_said or image.is_given:
        _update_here(settings, image, force_restart)


def _set_addresses(
    settings: Settings, ingress_hosts: tuple[str, ...], peers: tuple[str, ...], *, said: bool
) -> None:
    """State where this router is dialed, and where ``said`` the site's other routers."""
    changes: dict[str, tuple[str, ...]] = {}
    told = []
    if ingress_hosts:
        changes["ingress_hosts"] = ingress_hosts
        told.append(f"is dialed at {', '.join(ingress_hosts)}")
    if said:
        changes["peers"] = peers
        told.append(f"has routers at {', '.join(peers)} too" if peers else "has no other routers")
    site = store.find_directory(settings)
    spec = _spec_of(site)
    if changes.get("peers") and spec.workers != 1:
        text = "--peer: a router of several workers is its site's only one"
        raise usage(text, f"sitectl --site {site.name} update --workers 1, then this again")
    change = site.put(_document(site, **changes))
    _report(settings, site, change, f"site {site.name} {' and '.join(told)}")


def _set_workers(settings: Settings, workers: int | str) -> None:
    site = store.find_directory(settings)
    spec = _spec_of(site)
    refuse_several(workers, is_edge=spec.router_mode == "edge", has_peers=bool(spec.peers))
    change = site.put(_document(site, workers=workers))
    shown = "a worker for each core" if workers == AUTO else output.count(workers, "worker")
    _report(settings, site, change, f"the router of {site.name} has {shown} from its next start on")


def _set_rows(settings: Settings, changes: dict[str, Any]) -> None:
    """State what `values_of` has."""
    site = store.find_directory(settings)
    change = site.put(_document(site, **changes))
    if changes.keys() == {"sharing"}:
        text = mode_text(site.name, changes["sharing"], change)
        output.report(settings, "Site", site.name, change, text)
    else:
        said = (f"{row.key} {texts_of('Site')[row.attribute]}" for row in typed_rows("Site"))
        _report(settings, site, change, f"site {site.name}: {', '.join(said)}")
    if "sharing" in changes and change != "unchanged":
        output.note("Next: sitectl access shows who may do what")


def _set_link_proxy(settings: Settings, wish: ProxyWish) -> None:
    site = store.find_directory(settings)
    document = _document(site, link_proxy=wish.said)
    site.judge_all([document], replace=True)
    another_login = keep_site_login(site, wish)
    change = site.put(document)
    if another_login and change == "unchanged":
        change = "updated"
    text = "already, unchanged" if change == "unchanged" else "from now on"
    text = f"links of {site.name} that name no proxy have proxy {wish.said} {text}"
    output.report(settings, "Site", site.name, change, text)


def _set_console(settings: Settings, wish: ConsoleWish) -> None:
    site = store.find_directory(settings)
    before = _spec_of(site).console
    place = console_of(settings, site.name, wish, before)
    document = _document(site, console=place)
    site.judge_all([document], replace=True)
    another_user = keep_user(site, wish, place)
    change = site.put(document)
    if another_user and change == "unchanged":
        change = "updated"
    text = f"is at {place.bind}, {place.auth}" if place is not None else "is not served"
    _report(settings, site, change, f"console of {site.name} {text}")
    if place is None and (flags := flags_of(before or ConsoleSpec())):
        output.note(f"to serve it as before: sitectl update --enable-console {flags}")


def _document(site: DirectorySite, **changes: Any) -> Document:
    """The site's own, with these fields changed."""
    return Document("Site", site.name, msgspec.structs.replace(_spec_of(site), **changes))


def _report(settings: Settings, site: DirectorySite, change: Change, text: str) -> None:
    unchanged = ", unchanged" if change == "unchanged" else ""
    output.report(settings, "Site", site.name, change, f"{text}{unchanged}")


def _spec_of(site: DirectorySite) -> SiteSpec:
    found = site.find("Site", site.name)
    if found is None or not isinstance(found.spec, SiteSpec):
        site.wanted()  # Fails, and says why.
        raise not_found(f"no document of site {site.name}", f"sitectl init {site.name}")
    return found.spec


def _update_here(settings: Settings, image: ImageFlags, force: bool) -> None:
    """Have a router in a container be of another image."""
    site = store.find_directory(settings)
    changed = choice.update(site, image, settings.timeout_s, force=force)
    change = "updated" if changed else "unchanged"
    text = "is ready, of the image asked for" if changed else "is so already, unchanged"
    output.report(settings, "Router", site.name, change, f"router of {site.name} {text}")
