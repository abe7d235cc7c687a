"""podman and docker as programs: found, asked, told."""

import json
import shutil
from typing import Any, Final

from router.kubernetes.manifests.image import LOCAL
from sitectl.base.failure import Exit, Failure
from sitectl.runtimes import programs
from sitectl.runtimes.containers.words import Engine
from sitectl.runtimes.programs import Done, last_line, other_lines

ASK_TIMEOUT_S: Final = 30.0
PULL_TIMEOUT_S: Final = 600.0
PACKAGES: Final[dict[Engine, str]] = {
    "podman": "dnf install podman (RHEL, Fedora) or apt install podman (Debian, Ubuntu)",
    "docker": "Install docker, or use podman: sitectl … --type podman",
}
"""The package to install for each."""


def failure(message: str, hint: str, code: str, detail: str = "") -> Failure:
    """A verb cannot do its work because of what the engine says."""
    return Failure(Exit.FAILED, code, message, hint, detail=detail)


class Program:
    """One engine's command line."""

    def __init__(self, engine: Engine) -> None:
        self.engine: Engine = engine

    def path(self) -> str:
        """Where it is. Failure: it is not installed."""
        found = shutil.which(self.engine)
        if found is None:
            raise failure(f"{self.engine} is not installed", PACKAGES[self.engine], "SW0610")
        return found

    def ask(self, *words: str, timeout_s: float = ASK_TIMEOUT_S) -> Done:
        """Run it to its end, whatever its exit code. Failure: it is missing, or out of time."""
        hint = f"Look at it: {self.engine} info"
        return programs.run([self.path(), *words], timeout_s, code="SW0611", hint=hint)

    def tell(self, *words: str, timeout_s: float = ASK_TIMEOUT_S) -> str:
        """As `ask`, for a command that must succeed; its output. Failure: with its output."""
        done = self.ask(*words, timeout_s=timeout_s)
        if done.returncode:
            raise failure(
                f"{self.engine} {words[0]} failed: {last_line(done.stderr)}",
                _look(self.engine, done.stderr),
                "SW0611",
                other_lines(done.stderr),
            )
        return done.stdout

    def version(self) -> tuple[int, int]:
        """Major and minor of the program's version."""
        text = self.tell("--version")
        number = next((part for part in text.split() if part[:1].isdigit()), "0.0")
        major, minor = number.split(".")[:2]
        return int(major), int(minor)

    def inspect(self, name: str) -> dict[str, Any] | None:
        """The engine's description of a container; None: there is none of that name."""
        done = self.ask("container", "inspect", name)
        if done.returncode:
            if "no such container" in done.stderr.lower():  # Else a socket or host is missing.
                return None
            raise failure(
                f"{self.engine} does not answer: {last_line(done.stderr)}",
                _look(self.engine, done.stderr),
                "SW0611",
                other_lines(done.stderr),
            )
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found[0]

    def has_image(self, image: str) -> bool:
        """Whether the image is on this host."""
        return self.ask("image", "inspect", image).returncode == 0

    def require_image(self, image: str, policy: str) -> None:
        """Have the image here, pulled if the policy says so. Failure: it cannot be had."""
        is_local = image.startswith(LOCAL)
        if (is_local or policy in ("missing", "never")) and self.has_image(image):
            return
        load = f"{self.engine} load -i FILE"
        if is_local and policy != "never":
            raise failure(
                f"image {image} is not on this host, and no registry has images of that name",
                f"Load it from an archive: {load}, build it with make image, or name another with "
                "--image or SITECTL_IMAGE",
                "SW0612",
            )
        if policy == "never":
            raise failure(
                f"image {image} is not on this host, and its pull policy is never",
                f"{load} (an image archive), or --image with one of: {self.engine} images",
                "SW0612",
            )
        done = self.ask("pull", "--quiet", image, timeout_s=PULL_TIMEOUT_S)
        if done.returncode and not (policy == "newer" and self.has_image(image)):
            raise failure(
                f"image {image} cannot be pulled: {last_line(done.stderr)}",
                f"Load it from an archive: {load}, or name another with --image or SITECTL_IMAGE",
                "SW0612",
                other_lines(done.stderr),
            )

    def log(self, name: str, lines: int = 20) -> str:
        """The end of a container's output."""
        done = self.ask("logs", f"--tail={lines}", name)
        return done.stdout + done.stderr


def _look(engine: Engine, said: str) -> str:
    """The next step after the engine failed with these words."""
    if "docker daemon" in said.lower():
        return "systemctl start docker, or name another daemon with DOCKER_HOST"
    return f"{engine} info"
