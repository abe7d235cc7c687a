"""The systemd that a user's units belong to, told by `systemctl`; Quadlet's generator, asked."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sitectl.runtimes.engine import failure, last_line
from sitectl.runtimes.spec import Scope

SYSTEMCTL_TIMEOUT_S: Final = 30.0
GENERATOR_TIMEOUT_S: Final = 30.0
_GENERATORS: Final = {
    "user": "/usr/lib/systemd/user-generators/podman-user-generator",
    "system": "/usr/lib/systemd/system-generators/podman-system-generator",
}
_QUADLET: Final = ("/usr/libexec/podman/quadlet", "/usr/lib/podman/quadlet")


class Manager:
    """`systemctl` of a scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope: Scope = scope
        self._flag = ["--user"] if scope == "user" else []

    def command(self, *words: str) -> list[str]:
        """The words that tell this manager."""
        return ["systemctl", *self._flag, *words]

    def ask(
        self, *words: str, timeout_s: float = SYSTEMCTL_TIMEOUT_S
    ) -> subprocess.CompletedProcess[str]:
        """Run `systemctl` to its end, whatever its exit code. TimeoutExpired: out of time."""
        return subprocess.run(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env=self.environment(),
        )

    def tell(self, *words: str) -> None:
        """As `ask`, for what has to work. Failure: with what systemd said."""
        done = self.ask(*words)
        if done.returncode:
            shown = " ".join(self.command(*words))
            raise failure(
                f"{shown} failed: {last_line(done.stderr)}", shown, "SW0614", done.stderr.strip()
            )

    def state(self, unit: str) -> str:
        """``active``, ``inactive``, ``failed``, ``deactivating``, …"""
        return self.ask("is-active", unit).stdout.strip()

    def environment(self) -> dict[str, str]:
        """Ours, with the place of the user's manager, which `su` leaves out."""
        run = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
        return {**os.environ, "LC_ALL": "C", "XDG_RUNTIME_DIR": run}

    def log(self, unit: str, lines: int = 20) -> str:
        """The end of a unit's journal; what could not be read is empty."""
        try:
            done = subprocess.run(
                ["journalctl", *self._flag, f"--lines={lines}", "--output=cat", f"--unit={unit}"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SYSTEMCTL_TIMEOUT_S,
                check=False,
                env=self.environment(),
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout

    def log_hint(self, unit: str) -> str:
        """What to type to read it."""
        return " ".join(["journalctl", *self._flag, "--unit", unit])


def quadlet_generator(scope: Scope) -> str:
    """Quadlet's program; empty: this podman has none."""
    for place in (_GENERATORS[scope], *_QUADLET):
        if os.access(place, os.X_OK):
            return place
    return ""


def refuse_bad_quadlet(generator: str, scope: Scope, name: str, text: str) -> None:
    """Have the generator read ``text`` as it will at boot. Failure: with what it says.

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


def dry_run(generator: str, scope: Scope, folder: Path) -> subprocess.CompletedProcess[str]:
    """What the generator makes of the files in ``folder``, on its standard output."""
    words: Sequence[str] = ("-dryrun", "-user") if scope == "user" else ("-dryrun",)
    return subprocess.run(
        [generator, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=GENERATOR_TIMEOUT_S,
        check=False,
        env={**os.environ, "QUADLET_UNIT_DIRS": str(folder)},
    )


def _complains(stderr: str) -> bool:
    words = ("error", "unsupported", "converting", "warning")
    return any(word in stderr.lower() for word in words)
