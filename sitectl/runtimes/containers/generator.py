"""Quadlet's generator, asked before a unit of it is installed."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sitectl.runtimes import programs
from sitectl.runtimes.containers.engine import failure
from sitectl.runtimes.programs import Done, last_line
from sitectl.runtimes.spec import Scope

GENERATOR_TIMEOUT_S: Final = 30.0
_GENERATORS: Final = {
    "user": "/usr/lib/systemd/user-generators/podman-user-generator",
    "system": "/usr/lib/systemd/system-generators/podman-system-generator",
}
_QUADLET: Final = ("/usr/libexec/podman/quadlet", "/usr/lib/podman/quadlet")


def quadlet_generator(scope: Scope) -> str:
    """Quadlet's program; empty: this podman has none."""
    for place in (_GENERATORS[scope], *_QUADLET):
        if os.access(place, os.X_OK):
            return place
    return ""


def refuse_bad_quadlet(generator: str, scope: Scope, name: str, text: str) -> None:
    """Make the generator read ``text`` as at boot. Failure: with its message.

    At boot it would drop the unit with nothing but a line in the journal.
    """
    with tempfile.TemporaryDirectory(prefix="spillway-quadlet-") as folder:
        Path(folder, f"{name}.container").write_text(text, "utf-8")
        said = dry_run(generator, scope, Path(folder))
    made = f"---{name}.service---" in said.stdout
    if said.returncode or not made or _complains(said.stderr):
        raise failure(
            f"podman's Quadlet generator refuses the unit of {name}: {last_line(said.stderr)}",
            "Report this, with the version of podman; meanwhile run it as --type service",
            "SW0615",
            said.stderr.strip(),
        )


def dry_run(generator: str, scope: Scope, folder: Path) -> Done:
    """The generator's result for the files in ``folder``, from its standard output."""
    words: Sequence[str] = ("-dryrun", "-user") if scope == "user" else ("-dryrun",)
    return programs.run(
        [generator, *words],
        GENERATOR_TIMEOUT_S,
        code="SW0615",
        hint="Look at its load (uptime), and type the same again",
        more={"QUADLET_UNIT_DIRS": str(folder)},
    )


def _complains(stderr: str) -> bool:
    """Whether a line refuses something. The line of each file that is read names it, and a site
    may be called ``error-page``; warnings, of short names of images, end with a unit."""
    lines = (line.partition("]: ")[2] or line for line in stderr.splitlines())
    words = ("error", "unsupported", "converting")
    return any(
        word in line.lower()
        for line in lines
        for word in words
        if not line.startswith(("Loading source ", "Warning: "))
    )
