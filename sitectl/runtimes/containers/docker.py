"""The router in a container of docker, whose daemon starts it again, also after a reboot."""

from functools import cached_property
from typing import ClassVar

from sitectl.runtimes.containers.plan import planned
from sitectl.runtimes.containers.runtime import ContainerRuntime
from sitectl.runtimes.containers.words import Container, Engine


class DockerRuntime(ContainerRuntime):
    """docker, or podman's service behind docker's command line."""

    engine: ClassVar[Engine] = "docker"

    @cached_property
    def _is_rootless(self) -> bool:
        said = self.program.tell("info", "--format={{.SecurityOptions}}")
        return "rootless" in said

    def container(self) -> Container:
        """A rootless daemon's root is its user; else the state's owner by number."""
        return planned(
            self.site,
            self.spec,
            user="0:0" if self._is_rootless else self.state_owner(),
            keep_id=False,
            limits=True,
            timers=True,
        )
