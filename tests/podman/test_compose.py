"""examples/compose.yaml as typed: two sites in containers, a burst, and nothing left behind."""

import contextlib
import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.release.packages import ROOT
from router import __version__
from router.kubernetes.manifests.image import IMAGE
from tests.podman.engine import EngineRefused, podman
from tests.scenario.ports import free_ports
from tests.scenario.waiting import until

pytestmark = pytest.mark.programs("podman-compose")
FILES = ("compose.yaml", "ask.py", "server.py")
TEXT = (ROOT / "examples" / "compose.yaml").read_text()
TIMEOUT_S = 120.0
ANSWERED = re.compile(r"^(\w+) +(\d+) +[\d.]+%$", re.MULTILINE)


class Project:
    """A copy of the example in a new directory, by whose name podman-compose calls it."""

    def __init__(self, directory: Path, image: str, port: str) -> None:
        self.directory = directory / f"compose{os.getpid()}"
        self.directory.mkdir()
        for name in FILES:
            shutil.copy(ROOT / "examples" / name, self.directory)
        self.port = port
        self.environment = {**os.environ, "SPILLWAY_IMAGE": image, "SPILLWAY_PORT": port}

    def typed(self, *words: str) -> str:
        """Output of `podman-compose WORDS`."""
        done = subprocess.run(
            ["podman-compose", *words],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def sitectl(self, *words: str) -> str:
        """The output of `sitectl` at onprem."""
        return self.typed("exec", "-T", "onprem", "sitectl", *words)

    def is_linked(self) -> bool:
        """Whether onprem serves and sees the service at both sites."""
        try:
            return "cloud" in self.sitectl("why", "shop")
        except AssertionError:
            return False

    def left(self) -> str:
        """Containers and volumes that podman still has of it."""
        name = f"--filter=name={self.directory.name}_"
        return podman("ps", "--all", "--quiet", name) + podman("volume", "ls", "--quiet", name)


@pytest.fixture
def project(tmp_path: Path, image: str) -> Iterator[Project]:
    """Nothing is up yet; in the end nothing is left."""
    made = Project(tmp_path, image, next(free_ports()))
    try:
        yield made
    finally:
        made.typed("down", "--volumes")
        # podman-compose 1.0.3 forgets its network; docker compose and newer ones remove it.
        with contextlib.suppress(EngineRefused):
            podman("network", "rm", "--force", f"{made.directory.name}_default")


def test_the_example_runs_the_image_of_this_version() -> None:
    assert set(re.findall(r"SPILLWAY_IMAGE:-([^}]+)}", TEXT)) == {IMAGE}
    assert IMAGE.endswith(f":{__version__}")


def test_two_sites_come_up_and_a_burst_spills(project: Project) -> None:
    project.typed("up", "--detach")
    until(project.is_linked, "onprem is linked to cloud")
    said = project.typed(
        *("exec", "-T", "onprem", "python3", "/programs/ask.py", "onprem:8080"),
        *("--requests", "40", "--clients", "8"),
    )
    answered = {site: int(count) for site, count in ANSWERED.findall(said)}
    assert answered.keys() == {"onprem", "cloud"} and sum(answered.values()) == 40
    assert answered["cloud"] > answered["onprem"]
    assert "cloud" in project.sitectl("why", "shop", "--last", "3")
    with urllib.request.urlopen(f"http://127.0.0.1:{project.port}/", timeout=10) as answer:
        assert answer.read() == b"onprem\n"
    project.typed("down", "--volumes")
    assert project.left() == ""
