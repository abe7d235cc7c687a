"""A user of the tests' own, without rights, who runs podman rootless: made and removed by root."""

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.podman.engine import CACHE, podman
from tests.podman.images import rootfs
from tests.scenario.harness import Done

TIMEOUT_S = 180.0


class User:
    """Types commands as that user, with a separate home and run directory."""

    def __init__(self, name: str, home: Path, code: Path) -> None:
        self.entry = pwd.getpwnam(name)
        self.home = home
        self._code = code

    def run(self, *command: str, timeout_s: float = TIMEOUT_S) -> Done:
        """Run a program of the host."""
        environment = {
            "HOME": str(self.home),
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            "XDG_RUNTIME_DIR": str(self.home / "run"),
            "LANG": "C.UTF-8",
            "NO_COLOR": "1",
            **self._sitectl_environment(),
        }
        if "CONTAINERS_CONF" in os.environ:
            environment["CONTAINERS_CONF"] = os.environ["CONTAINERS_CONF"]
        whose = [f"--reuid={self.entry.pw_uid}", f"--regid={self.entry.pw_gid}", "--clear-groups"]
        ended = subprocess.run(
            ["setpriv", *whose, *command],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout_s,
            env=environment,
            cwd=self.home,
        )
        return Done(ended.returncode, ended.stdout, ended.stderr)

    def ok(self, *command: str) -> str:
        """The output of a program that must succeed."""
        done = self.run(*command)
        assert done.code == 0, f"{' '.join(command)}: exit {done.code}\n{done.out}{done.err}"
        return done.out

    def sitectl(self, *words: str) -> Sequence[str]:
        """The command line of `sitectl`, by a Python that this user may read."""
        python = Path(os.path.realpath(sys.executable))
        return [str(rootfs() / python.relative_to("/")), "-P", "-m", "sitectl", *words]

    def _sitectl_environment(self) -> dict[str, str]:
        prefix = rootfs() / Path(sys.base_prefix).relative_to("/")
        packages = sysconfig.get_path("purelib", vars={"base": str(self._code)})
        return {
            "PYTHONHOME": str(prefix),
            "PYTHONPATH": packages,
            "PYTHONDONTWRITEBYTECODE": "1",
            "LD_LIBRARY_PATH": str(prefix / "lib"),
        }


def unpacked(image: str) -> Path:
    """The product's own directory of an image, where anyone may read it."""
    place = CACHE / f"code-{image.rpartition(':')[2]}"
    if not place.exists():
        container = podman("create", image).strip()
        try:
            podman("cp", f"{container}:/opt/spillway", str(place))
        finally:
            podman("rm", container)
    return place


@contextmanager
def user(name: str, image: str) -> Iterator[User]:
    """Make the user with ranges of subordinate ids; remove it with all that is its."""
    home = CACHE / f"home-{name}"
    # Not the first free number: one that happens to be the image's own user would hide mistakes.
    add = ["useradd", "--uid=4711", "--home-dir", str(home), "--create-home", "--shell", "/bin/sh"]
    subprocess.run([*add, "--key", "SUB_UID_COUNT=65536", name], check=True, capture_output=True)
    try:
        (home / "run").mkdir(mode=0o700)
        entry = pwd.getpwnam(name)
        os.chown(home / "run", entry.pw_uid, entry.pw_gid)
        yield User(name, home, unpacked(image))
    finally:
        subprocess.run(["userdel", name], check=True, capture_output=True)
        shutil.rmtree(home, ignore_errors=True)
