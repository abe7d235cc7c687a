"""Programs of this host, run: argument lists, never a shell, each with a deadline.

Every question and order to systemd, podman and docker passes here.
"""

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sitectl.base.failure import timed_out

RUN_DIRECTORIES: Final = Path("/run/user")
Done = subprocess.CompletedProcess[str]


def run(
    command: Sequence[str],
    timeout_s: float,
    *,
    code: str,
    hint: str,
    more: Mapping[str, str] | None = None,
) -> Done:
    """Run it to its end, whatever its exit code. Failure: out of time, with ``code`` and ``hint``.

    ``more``: variables beside ours. A program that is not there is a `FileNotFoundError`.
    """
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            check=False,
            cwd="/",  # podman of another user cannot stand where that user may not look.
            env={**_environment(), **(more or {})},
        )
    except subprocess.TimeoutExpired:
        raise timed_out(
            f"{' '.join(command[:3])} did not end within {timeout_s:g} s", hint, code=code
        ) from None


def run_on(command: Sequence[str], timeout_s: float) -> Done | None:
    """As `run`, but after the time-out the program runs on: None, and its output is lost."""
    with tempfile.TemporaryFile() as said:  # A pipe would end what speaks after we are gone.
        started = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
            cwd="/",
            env=_environment(),
        )
        try:
            started.wait(timeout_s)
        except subprocess.TimeoutExpired:
            started.returncode = 0  # On purpose: avoids the warning of an unjoined child.
            return None
        said.seek(0)
        return Done(command, started.returncode, "", said.read().decode("utf-8", "replace"))


def _environment() -> dict[str, str]:
    """Our environment with English messages; for users of `su` or cron, who did not log in, also
    the place of the user's bus and containers."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}
    own = RUN_DIRECTORIES / str(os.geteuid())
    if not environment.get("XDG_RUNTIME_DIR") and own.is_dir():
        environment["XDG_RUNTIME_DIR"] = str(own)
    return environment


def last_line(text: str) -> str:
    """The line of an error output that says most: its last."""
    lines = _lines(text)
    return lines[-1].removeprefix("Error: ") if lines else "it said nothing"


def other_lines(text: str) -> str:
    """The other lines of an error output: not its `last_line`, no notes of podman's log."""
    return "\n".join(line for line in _lines(text)[:-1] if not line.startswith('time="'))


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
