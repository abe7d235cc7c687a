"""Which sites there are, and the one that the flags mean: a directory or a namespace."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sitectl.base.failure import not_found, usage
from sitectl.base.options import Settings

if TYPE_CHECKING:
    from sitectl.site.directory import DirectorySite
    from sitectl.site.site import Site


def state_dir(settings: Settings) -> Path:
    """The directory that holds sites."""
    if settings.state:
        return Path(settings.state).expanduser().absolute()
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser().absolute() / "spillway"


GATEWAYS: Final = "gateways.d"  # No site can have this name.
SYSTEM_STATE: Final = Path("/var/lib/spillway")


def gateways_dir(settings: Settings) -> Path:
    """The directory that holds this host's gateways, each a site directory of an edge router.

    Root's gateways are the system's: whom they run as cannot look into root's home.
    """
    if not settings.state and not os.environ.get("XDG_DATA_HOME") and os.geteuid() == 0:
        return SYSTEM_STATE / GATEWAYS
    return state_dir(settings) / GATEWAYS


def has_kubeconfig() -> bool:
    """Whether kubectl would find a cluster, so that its user may mean a namespace."""
    if os.environ.get("KUBECONFIG"):
        return True
    return Path("~/.kube/config").expanduser().exists()


def site_names(state: Path) -> list[str]:
    """The sites in ``state``, sorted."""
    if not state.is_dir():
        return []
    found = (path.name for path in state.iterdir() if (path / "config").is_dir())
    return sorted(name for name in found if name != GATEWAYS)


def site_to_change(settings: Settings) -> "Site":
    """As `find_site`, held against other commands that change it until this command ends.

    Between reading a document and writing it back nobody else may write it.
    """
    site = find_site(settings)
    click.get_current_context().with_resource(site.held())
    return site


def find_site(settings: Settings) -> "Site":
    """The site that the flags mean. Failure: none, several, or no such one."""
    if settings.on_kubernetes():
        from sitectl.kubernetes.site import KubernetesSite

        return KubernetesSite.of(settings)
    if settings.dry_run:  # Before any verb writes.
        settings.require_kubernetes("--dry-run")
    return find_directory(settings)


def find_directory(settings: Settings) -> "DirectorySite":
    """The process site that the flags mean. Failure: none, several, or no such one."""
    from sitectl.site.directory import DirectorySite  # Reads documents, which `health` need not.

    state = state_dir(settings)
    names = site_names(state)
    create = f"sitectl init {settings.site or ''}".rstrip()
    if settings.site:
        if settings.site not in names:
            import difflib

            there = f"; there is: {', '.join(names)}" if names else ""
            meant = difflib.get_close_matches(settings.site, names, n=1)
            raise not_found(
                f"no site {settings.site!r} in {state}{there}",
                f"Did you mean --site {meant[0]}?" if meant else create,
            )
        return DirectorySite(state / settings.site)
    if not names:
        if settings.platform is None and has_kubeconfig():
            create += ", or where a namespace is the site: sitectl switch kubernetes"
        raise not_found(f"no site in {state}", create)
    if len(names) > 1 and settings.on_podman():
        from sitectl.runtimes.spec_file import read_spec

        names = [name for name in names if read_spec(DirectorySite(state / name)).kind == "podman"]
    if len(names) != 1:
        names = names or site_names(state)
        raise usage(f"several sites in {state}: {', '.join(names)}", "Add --site NAME")
    return DirectorySite(state / names[0])
