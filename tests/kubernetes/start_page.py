"""Pages whose commands run as printed on a cluster, and print what the pages say.

`python -m tests.kubernetes.start_page [PAGE]` runs them and writes their output into the page
again.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from tests.kubernetes import multicluster
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.images import ROOT
from tests.kubernetes.standing import kubeconfig, stand
from tests.scenario import forking
from tests.scenario.waiting import own_time

PAGES: Final = ("kubernetes-start", "tutorial-mcs")
SETTLED_S: Final = 20.0
PAUSE_S: Final = 2.0
POLL_S: Final = 0.2
COMMAND_S: Final = 60.0
BLOCK: Final = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
_READS: Final = re.compile(r"^sitectl .*\b(status|why|check)\b|^kubectl .*\b(get|exec)\b")
"""Commands that only read: they may be repeated until earlier changes have arrived."""
_VARYING: Final = (
    (r"\b[0-9a-f]{32}\b", "ID"),
    (r"\d{4}-\d\d-\d\dT[\d:]+Z", "TIME"),
    (r"\b([a-z][a-z-]*)-[0-9a-f]{6,10}(-[a-z0-9]{5})?\b", r"\1-X"),
    (r"\b(10|127)(\.\d+){3}\b", "ADDRESS"),
    (r"(?<=55671:)\d+(?=/TCP)", "PORT"),
    (r"\b\d+(?:m\d*s?|s|h)\b", "AGE"),
    (r"\b\d+\.\d+\b", "NUMBER"),
    (r"\(\d+ objects\)", "(OBJECTS)"),
    (r"^Waiting for .*\n", ""),  # `kubectl rollout status`, as long as it takes.
    (r"^configmap/spillway-status .*\n", ""),  # Written some seconds after the start.
    (r"[ ]+", " "),
)


class Step(msgspec.Struct, frozen=True):
    """A command, and what the page says that it prints. ``(exit N)`` ends it unless N is 0."""

    command: str
    expected: str


def steps(block: str) -> Iterator[Step]:
    """The commands of a block: ``$ COMMAND``, the lines until the next."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        end = next(n for n, line in enumerate(lines) if not line.endswith("\\")) + 1
        yield Step("\n".join(lines[:end]), "\n".join(lines[end:]))


def plain(text: str) -> str:
    """A text without what differs from one cluster to the next."""
    for pattern, word in _VARYING:
        text = re.sub(pattern, word, text, flags=re.MULTILINE)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


class Shell:
    """Runs commands as a reader who follows the page does."""

    def __init__(self, config: Path, home: Path) -> None:
        self._home = home
        self._environment = {
            "PATH": f"{forking.PYTHON.commands(home)}:{os.environ['PATH']}",
            "HOME": str(home),
            "KUBECONFIG": str(config),
            "PYTHONPATH": str(ROOT),
        }

    def run(self, command: str) -> str:
        """Run ``command``; return its output."""
        done = subprocess.run(
            ["sh", "-c", command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_S,
            cwd=self._home,
            env=self._environment,
            check=False,
        )
        return done.stdout + (f"(exit {done.returncode})\n" if done.returncode else "")

    def settled(self, step: Step) -> str:
        """What a command prints; one that looks is asked until it is as expected, or time is up."""
        printed = self.run(step.command)
        deadline = own_time() + SETTLED_S
        while (
            _READS.match(step.command)
            and plain(printed) != plain(step.expected)
            and own_time() < deadline
        ):
            time.sleep(POLL_S)
            printed = self.run(step.command)
        return printed


def shown(text: str, known: dict[str, str]) -> str:
    """``text`` with addresses as other clusters have them, of the same width."""

    def other(found: re.Match[str]) -> str:
        width = len(found[0])
        prefix = {9: "10.96.0.", 10: "10.96.0.", 11: "10.96.0.", 12: "10.96.10."}
        start = prefix.get(width, "10.96.100.")
        digits = max(1, width - len(start))
        return known.setdefault(found[0], f"{start}{10 ** (digits - 1) + len(known)}")

    return re.sub(r"\b127(\.\d+){3}\b", other, text)


def path_of(page: str) -> Path:
    """The file of one of `PAGES`."""
    return ROOT / "docs" / f"{page}.md"


def prepared(page: str, cluster: Cluster, home: Path) -> Shell:
    """A shell for a reader of ``page``, with the programs and objects that the page takes for
    granted.
    """
    shell = Shell(kubeconfig(cluster), home)
    (home / "spillway").symlink_to(ROOT)
    if page == "tutorial-mcs":
        cluster.define(*multicluster.KINDS)  # Its CRDs, by `kubectl apply -k` from the network.
    return shell


def main() -> None:
    """Write what the commands print into the page."""
    known: dict[str, str] = {}
    page = sys.argv[1] if len(sys.argv) > 1 else PAGES[0]
    with tempfile.TemporaryDirectory() as directory, stand(Path(directory) / "cluster") as cluster:
        shell = prepared(page, cluster, Path(directory) / "home")

        def anew(block: re.Match[str]) -> str:
            text = ""
            for step in steps(block[0]):
                if _READS.match(step.command):
                    time.sleep(PAUSE_S)  # No right output is known, so nothing to wait for.
                printed = shown(shell.run(step.command), known)
                text += f"$ {step.command}\n{printed.rstrip()}\n".replace("\n\n\n", "\n\n")
            return text

        path_of(page).write_text(BLOCK.sub(anew, path_of(page).read_text()))


if __name__ == "__main__":
    main()
