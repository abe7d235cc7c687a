"""Sites whose routers run in containers, beside sites that are processes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.podman.engine import EngineRefused, podman
from tests.scenario.harness import COMMAND_TIMEOUT_S, ROOT, Done, Network, Site, own_address


class ContainerSite(Site):
    """A site that `--platform podman` made; its commands are typed with that platform."""

    def __init__(
        self, name: str, state: Path, address: str, image: str, *, platform: str = "podman"
    ) -> None:
        super().__init__(name, state, address)
        self.image = image
        self.platform = platform
        self.container = f"spillway-{name}"
        self.environment: dict[str, str] = {}

    def ctl(self, *words: str, code: int = 0, given: str | None = None) -> Done:
        """As typed by whose site it is; AssertionError unless it exits with ``code``."""
        command = [sys.executable, "-m", "sitectl", "--platform", self.platform]
        place = ["--state", str(self.state), "--site", self.name]
        ended = subprocess.run(
            [*command, *place, *words],
            capture_output=True,
            text=True,
            input=given or "",
            timeout=COMMAND_TIMEOUT_S,
            cwd=ROOT,
            env={
                **os.environ,
                "NO_COLOR": "1",
                "SITECTL_IMAGE": self.image,
                "SITECTL_IMAGE_PULL_POLICY": "never",
                **self.environment,
            },
        )
        done = Done(ended.returncode, ended.stdout, ended.stderr)
        shown = f"sitectl --site {self.name} {' '.join(words)}"
        assert done.code == code, f"{shown}: exit {done.code}\n{done.out}{done.err}"
        return done

    def quick(self, *words: str) -> None:
        """The same: its commands need the environment of the engine."""
        self.ctl(*words)

    def init(self, *flags: str) -> Done:
        """Make the site and have podman run its router, on a separate address."""
        return self.ctl(
            *("init", self.name, "--bind-ip", self.address, "--ingress-bind-ip", self.address),
            *("--bind-port", str(self.link_port), "--ingress-host", self.link_door, *flags),
        )

    def inspected(self) -> dict[str, Any]:
        """What podman knows of the container."""
        found: list[dict[str, Any]] = json.loads(podman("container", "inspect", self.container))
        return found[0]

    def has_container(self) -> bool:
        """Whether there is one of its name, running or not."""
        try:
            podman("container", "inspect", self.container)
        except EngineRefused:
            return False
        return True

    def log_tail(self) -> str:
        """What the container wrote."""
        try:
            return podman("logs", "--tail=50", self.container)
        except EngineRefused as refused:
            return str(refused)

    def force_away(self) -> None:
        """Remove the container, whatever became of the test."""
        words = ["podman", "rm", "--force", "--volumes", "--ignore", "--time=0", self.container]
        subprocess.run(words, capture_output=True, check=False, timeout=COMMAND_TIMEOUT_S)


class Containers(Network):
    """A network of which some sites run in containers; removes them all."""

    def __init__(self, state: Path, image: str, prefix: str) -> None:
        super().__init__(state)
        self.image = image
        self._prefix = prefix

    def container_site(self, name: str, *, platform: str = "podman") -> ContainerSite:
        """A site that will run in a container; it is not made yet."""
        full = f"{self._prefix}-{name}"
        site = ContainerSite(full, self.state, own_address(), self.image, platform=platform)
        self.sites.append(site)
        return site

    def close(self) -> None:
        """End containers first: a process killed inside would only be started again."""
        for site in self.sites:
            if isinstance(site, ContainerSite):
                site.force_away()
        super().close()
