"""Which sites there are, and the one that the flags mean: a directory or a namespace."""

import shlex
from functools import partial
from typing import TYPE_CHECKING

import click

from router.model.wording.suggestions import nearest
from sitectl.base import output
from sitectl.base.failure import not_found, usage
from sitectl.base.options import Settings
from sitectl.site.places import gateway_names, gateways_dir, has_kubeconfig, site_names, state_dir

if TYPE_CHECKING:
    from pathlib import Path

    from sitectl.runtimes.host_site import HostSite
    from sitectl.site.site import ManagedSite


def site_to_change(settings: Settings) -> "ManagedSite":
    """As `find_site`, locked against other commands that change it until this command ends.

    No other command may write a document between our reading it and writing it back. At its end
    the command prints where else the change is needed.
    """
    site = find_site(settings)
    command = click.get_current_context()
    command.with_resource(site.held())
    command.call_on_close(partial(_name_other_routers, site))
    return site


def _name_other_routers(site: "ManagedSite") -> None:
    """Of a change that counts at one router of several, which have documents and secrets apart."""
    if site.is_changed and (peers := site.peers()):
        at = ", ".join(peers)
        own = "documents and secrets of its own"
        output.note(f"each router of this site has {own}: change them at {at}, too")


def find_site(settings: Settings) -> "ManagedSite":
    """The site that the flags mean. Failure: none, several, or no such one."""
    if settings.on_kubernetes():
        from sitectl.kubernetes.site import KubernetesSite

        return KubernetesSite.of(settings)
    if settings.dry_run:  # Before any verb writes.
        settings.require_kubernetes("--dry-run")
    return find_directory(settings)


def find_directory(settings: Settings) -> "HostSite":
    """The process site that the flags mean. Failure: none, several, or no such one."""
    from sitectl.runtimes.host_site import HostSite  # Reads documents, which `health` need not.

    state = state_dir(settings)
    names = site_names(state)
    create = f"sitectl init {settings.site or ''}".rstrip()
    if settings.site:
        if settings.site not in names:
            _require_documents(state / settings.site)
            there = f"; there is: {', '.join(names)}" if names else ""
            near = nearest(settings.site, names)
            raise not_found(
                f"no site {settings.site!r} in {state}{there}",
                _for_gateway(settings) or (f"Did you mean --site {near}?" if near else create),
            )
        return HostSite(state / settings.site, settings.timeout_s)
    if not names:
        if settings.platform is None and has_kubeconfig():
            create += ", or where a namespace is the site: sitectl switch kubernetes"
        raise not_found(f"no site in {state}", _for_gateway(settings) or create)
    if len(names) > 1 and settings.on_podman():
        from sitectl.runtimes.spec_file import read_spec

        names = [name for name in names if read_spec(HostSite(state / name)).kind == "podman"]
    if len(names) != 1:
        names = names or site_names(state)
        raise usage(f"several sites in {state}: {', '.join(names)}", "Add --site NAME")
    return HostSite(state / names[0], settings.timeout_s)


def _require_documents(directory: "Path") -> None:
    """Failure: a site is there, and its documents are not."""
    if (directory / "secrets").is_dir():
        raise not_found(
            f"{directory} is a site without its folder config",
            "Put that folder back; a router that runs goes on with what it has read",
        )


def _for_gateway(settings: Settings) -> str:
    """How a command that a router advises is typed on the host of a gateway; empty: none is
    meant. Routers know of no gateways: to them each is a site."""
    names = gateway_names(settings)
    if settings.site not in (None, *names) or not names:
        return ""
    name = settings.site or (names[0] if len(names) == 1 else "NAME")
    of = f" {name}" if name != "NAME" else f"s {', '.join(names)}"
    place = shlex.quote(str(gateways_dir(settings)))
    return f"For the gateway{of} of this host: sitectl --state {place} --site {name} COMMAND"
