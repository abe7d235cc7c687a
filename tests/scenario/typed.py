"""Types the commands of a page, and compares their output with the page.

Blocks fenced as ``sh`` are typed unchanged, but for ``make``; of those as ``console`` each ``$
COMMAND``, followed by its output. All goes to one shell, so that variables and jobs stay.
Addresses, ports and places of files differ from the page's, and are put back into the output.

``python -m tests.scenario.typed PAGE…`` writes the output into a page, at the page's addresses.
"""

import contextlib
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from tests import needs
from tests.scenario import forking
from tests.scenario.postgres import Postgres
from tests.scenario.waiting import until

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = (
    "README.md",
    "docs/tutorial-burst.md",
    "docs/tutorial-database.md",
    "docs/tutorial-two-teams.md",
    "docs/tutorial-mesh.md",
    "docs/tutorial-graph.md",
    "docs/tutorial-skupper-v2.md",
)
DATABASE_PORT: Final = 5432
INSTEAD: Final = {"TYPE=podman": "TYPE=process"}
"""Not every machine has podman."""
TOLERANCE: Final = 8.0
"""Percent of the requests: what begins and ends with seconds of waiting moves with the machine."""
SETTLED_S: Final = 20.0
COMMAND_S: Final = 60.0
PAUSE_S: Final = 2.5
BLOCK: Final = re.compile(r"^```(?P<kind>sh|console)\n(?P<text>.*?)^```$", re.M | re.S)
_MAKE: Final = re.compile(r"^make .*\n", re.M)
_SHARE: Final = re.compile(r"^(\S+) +\d+ +([\d.]+)%$", re.M)
_ADDRESS: Final = re.compile(r"\b127\.0\.0\.(?!1\b)\d+\b")
_PORT: Final = re.compile(r"\b(?:9\d{3}|25[67]\d{2})\b")
_READS: Final = re.compile(
    r"^(sitectl .*\b(status|why|check|top|events|ping|list|drift|graph)\b|curl |psql )"
)
"""Commands that only read: they may be repeated until earlier changes have arrived."""
_VARYING: Final = (
    (r"\b(user|unit|container) \S+(?= +\w+:\d)", "CALLER"),
    (r"\b[0-9a-f]{8}\b|\b[0-9a-f]{32}\b", "ID"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z|\b\d\d:\d\d:\d\d\b", "TIME"),
    (r"-[0-9a-f]{6}\b", "-X"),
    (r"\bprocess \d+", "process N"),
    (r"http://127\.0\.0\.1:80\d\d/", "CONSOLE"),
    (r"\bPython 3[\d.]+|\(OpenSSL [^)]*\)|\bat most \d+ open files|\bon [\w-]+\.$", "MACHINE"),
    (r"[▁▂▃▄▅▆▇█]+", "PAST"),
    (r"[<>]?\b\d+(?:\.\d+)?(?: m?s|/s)\b|\b\d+\.\d+\b", "NUMBER"),
    (r"\b\d+(?:m\d*s?|s|h)\b", "AGE"),
    (r"-{2,}|[ ]+", " "),
)


class Step(msgspec.Struct, frozen=True):
    """A command, and what the page says that it prints; None: it says nothing of that."""

    command: str
    expected: str | None = None


def steps(text: str) -> Iterator[Step]:
    """What a page has typed, in its order."""
    for block in BLOCK.finditer(text):
        if block["kind"] == "sh":
            yield Step(_MAKE.sub("", block["text"]).rstrip("\n"))
            continue
        for part in re.split(r"^\$ ", block["text"], flags=re.M)[1:]:
            lines = part.splitlines()
            end = next(n for n, line in enumerate(lines) if not line.endswith("\\")) + 1
            yield Step("\n".join(lines[:end]), "\n".join(lines[end:]))


def plain(text: str) -> str:
    """A text without what differs from one time to the next; shares are in `shares`."""
    text = _SHARE.sub(r"\1 SHARE", text)
    for pattern, word in _VARYING:
        text = re.sub(pattern, word, text, flags=re.M)
    return "\n".join(line.strip() for line in text.strip().splitlines())


def shares(text: str) -> list[float]:
    """Percent of each line of `examples/ask.py`."""
    return [float(percent) for _, percent in _SHARE.findall(text)]


def agrees(printed: str, expected: str) -> bool:
    """Whether a command printed what a page says, but for what varies."""
    told, found = shares(expected), shares(printed)
    return plain(printed) == plain(expected) and all(
        abs(one - other) <= TOLERANCE for one, other in zip(told, found, strict=True)
    )


class Places:
    """The page's addresses, ports and files, and where they are instead."""

    def __init__(
        self,
        directory: Path,
        addresses: Iterator[str] | None = None,
        ports: Iterator[str] | None = None,
        known: Mapping[str, str] | None = None,
    ) -> None:
        """Without addresses and ports those of the page are used; ``known`` is given."""
        self._directory, self._addresses, self._ports = directory, addresses, ports
        self._instead = dict(known or {})

    def there(self, command: str) -> str:
        """A command at the other places."""
        for pattern, others in ((_ADDRESS, self._addresses), (_PORT, self._ports)):
            for found in sorted(set(pattern.findall(command)) - self._instead.keys()):
                self._instead[found] = next(others) if others else found
        for found, instead in self._instead.items():
            command = re.sub(rf"(?<![\d.]){re.escape(found)}(?!\d)", instead, command)
        return command.replace("/tmp/", f"{self._directory}/")

    def back(self, printed: str) -> str:
        """``printed``, as if at the page's own places."""
        printed = printed.replace(f"{self._directory}/", "/tmp/")
        for here, instead in self._instead.items():
            printed = re.sub(rf"(?<![\d.]){re.escape(instead)}(?!\d)", here, printed)
        return printed


class Shell:
    """One shell, as a reader who follows a page has it; its processes are ended with it."""

    def __init__(self, directory: Path) -> None:
        needs.programs("curl")
        self._directory = directory
        self._programs = forking.PYTHON.commands(directory)
        self._said = directory / "said"
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                ["bash"],
                cwd=ROOT,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "NO_COLOR": "1",
                    "HOME": str(directory),
                },
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                start_new_session=True,
                text=True,
            )
        self._read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for socket in self._directory.glob("*/*/run/admin.sock"):
            site = socket.parent.parent
            words = ["--state", str(site.parent), "--site", site.name, "stop"]
            subprocess.run([self._programs / "sitectl", *words], cwd=ROOT, capture_output=True)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def type(self, command: str, timeout_s: float) -> str:
        """Its output, and ``(exit N)`` unless N is 0."""
        assert self._process.stdin is not None
        command = command.replace("$PWD/.venv/bin", str(self._programs))
        mark = f"@@{secrets.token_hex(8)}"
        self._process.stdin.write(f"{command}\nprintf '{mark} %s@@\\n' $?\n")
        self._process.stdin.flush()
        end = re.compile(rf"{mark} (\d+)@@\n".encode())
        ended = until(lambda: end.search(self._unread()), f"{command!r} ends", timeout_s)
        assert ended is not None
        printed = self._unread()[: ended.start()].decode()
        self._read += ended.end()
        return printed + (f"(exit {ended[1].decode()})\n" if ended[1] != b"0" else "")

    def _unread(self) -> bytes:
        return self._said.read_bytes()[self._read :]


def follow(shell: Shell, places: Places, step: Step) -> str:
    """Output of a step; a step that only reads is repeated until its output is as expected."""
    last = ""

    def is_right() -> bool:
        nonlocal last
        last = places.back(shell.type(places.there(step.command), COMMAND_S))
        return step.expected is None or agrees(last, step.expected)

    if _READS.match(step.command):
        with contextlib.suppress(AssertionError):  # The caller judges the last output.
            until(is_right, step.command, SETTLED_S)
    else:
        is_right()
    return last


def written(path: Path, directory: Path) -> str:
    """The page with its commands' output, at its own addresses."""
    places = Places(directory, known=INSTEAD)
    with Postgres("127.0.0.1", DATABASE_PORT) as database, Shell(directory) as shell:
        database.start()

        def typed(command: str) -> str:
            if _READS.match(command):
                time.sleep(PAUSE_S)  # No right output is known, so nothing to wait for.
            printed = places.back(shell.type(places.there(command), COMMAND_S))
            return "".join(f"{line.rstrip()}\n" for line in printed.splitlines())

        def anew(block: re.Match[str]) -> str:
            lines = [(step.command, typed(step.command)) for step in steps(block[0])]
            if block["kind"] == "sh":
                return block[0]
            shown = "".join(f"$ {command}\n{printed}" for command, printed in lines)
            return f"```console\n{shown}```"

        return BLOCK.sub(anew, path.read_text("utf-8"))


if __name__ == "__main__":
    for name in sys.argv[1:] or PAGES:
        with tempfile.TemporaryDirectory() as place:
            (ROOT / name).write_text(written(ROOT / name, Path(place) / "t"), "utf-8")
