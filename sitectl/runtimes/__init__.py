"""Who keeps the router of a directory site running: a plain process, systemd, podman or docker."""

from importlib import import_module
from typing import Final

from sitectl.directory import DirectorySite
from sitectl.runtimes.base import Runtime
from sitectl.runtimes.spec import Kind, read_spec

_CLASSES: Final[dict[Kind, tuple[str, str]]] = {
    "process": ("process", "ProcessRuntime"),
    "systemd": ("systemd", "SystemdRuntime"),
    "podman": ("podman", "PodmanRuntime"),
    "docker": ("docker", "DockerRuntime"),
}


def runtime_of(site: DirectorySite) -> Runtime:
    """What runs the router of ``site``, by its ``runtime.yaml``."""
    module, name = _CLASSES[read_spec(site).kind]
    found: type[Runtime] = getattr(import_module(f"sitectl.runtimes.{module}"), name)
    return found(site)
