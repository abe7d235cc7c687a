"""systemd's managers by their commands: `systemctl`, `journalctl`, `loginctl`. No shell."""

import os
import pwd
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sitectl.base.failure import Exit, Failure, not_allowed
from sitectl.runtimes import programs
from sitectl.runtimes.spec import Scope

CALL_TIMEOUT_S: Final = 30.0
JOURNAL_LINES: Final = 40
_LINGER: Final = Path("/var/lib/systemd/linger")
_NUMBER: Final = re.compile(r"\d+")


def user_name() -> str:
    """Who runs this, as `loginctl` wants it."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def own_scope() -> Scope:
    """The systemd manager for this user's units: the system's for root."""
    return "system" if os.geteuid() == 0 else "user"


class Manager:
    """The system's manager, or that of the user who runs this. ``instead``: the command that makes
    a plain process run the router; empty: none does."""

    def __init__(self, scope: Scope, instead: str = "") -> None:
        self.scope, self._instead = scope, instead
        self._flags = ["--user"] if scope == "user" else []

    def run(self, program: str, *words: str, timeout_s: float = CALL_TIMEOUT_S) -> str:
        """The output of ``program``. Failure: it is missing, is too slow, or fails."""
        command = [program, *self._flags, *words]
        done = self._done(command, timeout_s)
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["it said nothing"]
            shown = " ".join(command)
            raise Failure(
                Exit.FAILED,
                "systemd",
                f"{shown}: {said[-1]} (exit {done.returncode})",
                f"Look at: journalctl {' '.join([*self._flags, '-e'])}",
                detail="\n".join(said[:-1]),
            )
        return done.stdout

    def version(self) -> int:
        """Of the manager that runs. 0: there is none to be reached."""
        try:
            text = self.run("systemctl", "show", "--property=Version", "--value")
        except Failure:
            return 0
        found = _NUMBER.match(text.strip().removeprefix("v"))
        return int(found[0]) if found else 0

    def require(self) -> int:
        """The manager's version. Failure: none runs, and why that may be."""
        version = self.version()
        if not version:
            whose = f"no systemd user manager of {user_name()}" if self._flags else "no systemd"
            raise not_allowed(f"{whose} runs on this host", self.away_hint(), code="SW0600")
        return version

    def away_hint(self) -> str:
        """The next step if there is no manager."""
        if self.scope == "user":
            start = f"loginctl enable-linger {user_name()} starts it, at boot too"
            where = "in a container or without systemd"
        else:
            start, where = "As root, where systemd is process 1", "elsewhere"
        return f"{start}; {where}: {self._instead}" if self._instead else start

    def properties(self, unit: str, *names: str) -> dict[str, str]:
        """Properties of ``unit``; of one that is not there they are empty or say so."""
        text = self.run("systemctl", "show", unit, f"--property={','.join(names)}")
        pairs = (line.partition("=") for line in text.splitlines())
        return {key: value for key, _, value in pairs}

    def says(self, *words: str) -> str:
        """The first line that a question of systemctl's prints, whatever its exit code is."""
        done = self._done(["systemctl", *self._flags, *words], CALL_TIMEOUT_S)
        return (done.stdout.strip().splitlines() or [""])[0]

    def journal(self, unit: str, invocation: str = "") -> list[str]:
        """The last lines of ``unit``'s log, of one run of it; none when it cannot be read."""
        flag = "--user-unit" if self.scope == "user" else "--unit"
        words = ["journalctl", f"{flag}={unit}", "--no-pager", "--quiet", "--output=cat"]
        if invocation:
            words = ["journalctl", f"_SYSTEMD_INVOCATION_ID={invocation}", *words[2:]]
        try:
            done = self._done([*words, f"--lines={JOURNAL_LINES}"], CALL_TIMEOUT_S)
        except Failure:
            return []
        return [line for line in done.stdout.splitlines() if line.strip()]

    def lingers(self) -> bool | None:
        """Whether the user's manager runs without a session, at boot too. None: unknown."""
        name = user_name()
        try:
            if (_LINGER / name).exists():
                return True
            words = ["loginctl", "show-user", name, "--property=Linger", "--value"]
            said = self._done(words, CALL_TIMEOUT_S).stdout.strip()
        except (Failure, OSError):
            return None
        if said in ("yes", "no"):
            return said == "yes"
        return False if _LINGER.parent.is_dir() else None

    def _done(self, command: Sequence[str], timeout_s: float) -> programs.Done:
        try:
            hint = "Look at: systemctl list-jobs"
            return programs.run(command, timeout_s, code="systemd", hint=hint)
        except FileNotFoundError as error:
            text = f"there is no {command[0]} on this host"
            raise not_allowed(text, self.away_hint(), code="SW0600") from error
