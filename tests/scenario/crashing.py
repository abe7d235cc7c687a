"""Commands that die between any two of their changes to the file system.

`Crasher` forks a process that has sitectl loaded for each command: the child counts its changes by
an audit hook and kills itself (SIGKILL) right before the given one, as a host does that loses its
power. Where a command would start a router it ends. Run as a module this is that process.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from tests.scenario.harness import ROOT

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGES = ("os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.symlink", "os.chown")
_LOADED = (
    *(f"sitectl.verbs.links.{verb}" for verb in ("link", "network", "token")),
    *("sitectl.verbs.gateways.gateway", "sitectl.verbs.site.init", "sitectl.verbs.site.lifecycle"),
    *(
        "certs.ca.authority",
        "certs.joining.claims",
        "certs.links.credentials",
        "certs.identity",
        "certs.joining.issue",
    ),
    *(
        "router.documents.schema",
        "sitectl.site.directory_trust",
        "sitectl.gateway.edge",
        "sitectl.runtimes.site_lifecycle",
        "sitectl.main",
    ),
    "sitectl.runtimes.process",
)
_KILLED = -signal.SIGKILL


class Ended(msgspec.Struct, frozen=True):
    """How a command ended. ``changes``: its changes to files, in order, the last one not done if it
    was ``killed``.
    """

    code: int
    text: str
    changes: list[str]

    @property
    def killed(self) -> bool:
        """Whether it got as far as the change before which it was to die."""
        return self.code == _KILLED


class Crasher:
    """Runs commands, whole or up to a change."""

    def __init__(self, state: Path, environment: dict[str, str] | None = None) -> None:
        """``state``: of whose files changes count."""
        self._process = subprocess.Popen(
            [sys.executable, "-B", "-m", "tests.scenario.crashing", str(state)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "NO_COLOR": "1", **(environment or {})},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()

    def __call__(self, *words: str, dies_before: int = 0) -> Ended:
        """Run ``sitectl WORDS``; it dies before its change of that number, counted from 1."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([dies_before, words]) + "\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=Ended)


def left_over(directory: Path) -> list[str]:
    """Temporary files below ``directory``."""
    return sorted(str(path) for path in directory.rglob(".*.tmp"))


def too_open(secrets: Path) -> list[str]:
    """Of files with secrets, those that others might read."""
    return sorted(
        f"{path} {path.stat().st_mode & 0o777:o}"
        for path in ([secrets, *secrets.rglob("*")] if secrets.is_dir() else [])
        if path.stat().st_mode & 0o077
    )


def _changes(state: str, event: str, arguments: tuple[Any, ...]) -> str:
    """What ``event`` changes of files that count; empty: nothing."""
    if event == "open":
        flags = arguments[2] if isinstance(arguments[2], int) else 0
        if not flags & _WRITES:
            return ""
    elif event not in _CHANGES:
        return ""
    path = os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes) else ""
    # A path that is not absolute is below a directory that the command holds open.
    return f"{event} {path}" if path and (path.startswith(state) or path[0] != "/") else ""


def _child(state: str, dies_before: int, words: list[str], report: int) -> None:
    from sitectl.main import cli

    count = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event in ("os.exec", "subprocess.Popen"):  # All is written; no router is wanted.
            os._exit(0)
        change = _changes(state, event, arguments)
        if change:
            count += 1
            os.write(report, f"{change}\n".encode())
            if count == dies_before:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    try:
        cli(words, prog_name="sitectl")
    except SystemExit as ended:
        sys.stdout.flush()
        os._exit(ended.code if isinstance(ended.code, int) else 1)


def _run(state: str, dies_before: int, words: list[str]) -> Ended:
    with tempfile.TemporaryFile() as text, tempfile.TemporaryFile() as report:
        process_id = os.fork()
        if not process_id:
            try:
                os.dup2(text.fileno(), 1)
                os.dup2(text.fileno(), 2)
                _child(state, dies_before, words, report.fileno())
            finally:  # Whatever it was, it must not go on as its parent.
                sys.excepthook(*sys.exc_info())
                os._exit(70)
        _, status = os.waitpid(process_id, 0)
        text.seek(0)
        report.seek(0)
        return Ended(
            code=os.waitstatus_to_exitcode(status),
            text=text.read().decode(),
            changes=report.read().decode().splitlines(),
        )


def _serve(state: str) -> None:
    for name in _LOADED:  # Once, for all that are forked.
        import_module(name)
    for line in sys.stdin:
        dies_before, words = json.loads(line)
        sys.stdout.write(msgspec.json.encode(_run(state, dies_before, words)).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve(sys.argv[1])
