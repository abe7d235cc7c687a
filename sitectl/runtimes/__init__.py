"""Runtimes: they keep the router of a directory site running, as its ``runtime.yaml`` says.

`base` is the interface, `process` the plainest runtime; `systemd` and `containers` (podman, docker)
are folders. `spec` has the content of ``runtime.yaml``, `spec_file` reads and writes it,
`choice` decides it for full sites (gateways: `sitectl.gateway.gateway_init`). Below them: `manager`
and `unit` (systemd by its commands), `account` (the user of root's routers), `programs` (running
programs), `presence` (whether a router runs), `outcomes` (how starting and stopping fails).
"""

from importlib import import_module
from typing import Final

from sitectl.runtimes.base import Runtime
from sitectl.runtimes.spec import Kind
from sitectl.runtimes.spec_file import read_spec
from sitectl.site.directory import DirectorySite

_CLASSES: Final[dict[Kind, tuple[str, str]]] = {
    "process": ("process", "ProcessRuntime"),
    "systemd": ("systemd.runtime", "SystemdRuntime"),
    "podman": ("containers.podman", "PodmanRuntime"),
    "docker": ("containers.docker", "DockerRuntime"),
}


def runtime_of(site: DirectorySite) -> Runtime:
    """The runtime of ``site``, by its ``runtime.yaml``."""
    module, name = _CLASSES[read_spec(site).kind]
    found: type[Runtime] = getattr(import_module(f"sitectl.runtimes.{module}"), name)
    return found(site)
