"""Where sites are on this machine, and which there are. Nothing of a site is read."""

import os
from pathlib import Path
from typing import Final

from sitectl.base.folders import GATEWAYS
from sitectl.base.options import Settings

SYSTEM_STATE: Final = Path("/var/lib/spillway")


def state_dir(settings: Settings) -> Path:
    """The directory that holds sites."""
    if settings.state:
        return Path(settings.state).expanduser().absolute()
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser().absolute() / "spillway"


def gateways_dir(settings: Settings) -> Path:
    """The directory that holds this host's gateways, each a site directory of an edge router.

    Root's gateways are the system's: whom they run as cannot look into root's home.
    """
    if not settings.state and not os.environ.get("XDG_DATA_HOME") and os.geteuid() == 0:
        return SYSTEM_STATE / GATEWAYS
    return state_dir(settings) / GATEWAYS


def gateway_names(settings: Settings) -> list[str]:
    """The gateways of this host, half made ones too, sorted."""
    place = gateways_dir(settings)
    if not place.is_dir():
        return []
    entries = (path for path in place.iterdir() if not path.name.startswith("."))
    return sorted(path.name for path in entries if path.is_dir())


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
