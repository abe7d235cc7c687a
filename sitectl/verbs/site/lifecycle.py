"""`start`, `stop`, `delete`: a site that there is, to its last day."""

import shutil
import sys
from typing import Final

import click

from router.model.addresses import join
from sitectl.base import output
from sitectl.base.failure import Failure, usage
from sitectl.base.options import Settings, dry_run_flag
from sitectl.base.verb import Verb
from sitectl.runtimes import presence, runtime_of
from sitectl.runtimes.outcomes import still_running
from sitectl.runtimes.site_lifecycle import end_site
from sitectl.selection import store
from sitectl.site import places
from sitectl.site.directory import DirectorySite

NOW_S: Final = 0.5
"""The time that `stop --now` leaves to nearly finished requests, and to notify other sites."""


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
        output.note(_listens(site))
        from sitectl.backup.copies import tell_if_copy

        tell_if_copy(site)


def _listens(site: DirectorySite) -> str:
    """Where its router listens, for links and for services."""
    try:
        spec = site.wanted().site
    except Failure as failure:
        return f"It listens where it did before its Site document was wrong: {failure.message}"
    links = "No link is accepted (ingress none)"
    if spec.ingress != "none":
        links = f"Links are accepted at {join(spec.ingress_bind_ip.strip('[]'), spec.bind_port)}"
    return f"{links}; listeners of services bind {spec.bind_ip}."


@click.command(cls=Verb)
@click.option("--now", is_flag=True, help="Inform other sites, then cut open requests.")
@click.pass_obj
def stop(settings: Settings, now: bool) -> None:
    """Drain the site's router and end it; returns when it is gone.

    Other sites stop sending requests to it, its listeners close, and running requests, also those
    in transit, may finish within the site's `drain_grace_s` (30 s); the rest is cut. A tcp
    connection runs until one side closes it, even if it is idle. HTTP clients with a kept
    connection get one more answer, with `Connection: close`. A second `stop` while the router
    drains ends it at once, as --now does.

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

    On Kubernetes: adopted Services are restored; then all objects of the site are deleted, its
    identity too. Users' objects stay, among them annotated ones and token Secrets.

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
