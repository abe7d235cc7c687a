"""Instructions of a request, by callgrind: ``python -m tests.bench.instructions``.

Of the whole routers of `counts`, in virtual time: the rooms but `net` and TLS, with a client, a
target and a network that are simulated and counted as well. So compare figures with each other.
Real processes would count their timers too, which under callgrind are up to half of all. What else
the machine does moves a figure by some 0.3 %. Needs valgrind; takes some ten seconds a row.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.ceilings import Path_
from tests.bench.counts import CONNECTIONS, Scene
from tests.bench.load import ROOT

TOOL = ("valgrind", "-q", "--tool=callgrind", "--instr-atstart=no")
KINDS = ("kept", "new")
"""Requests on kept connections; one on each connection."""

PATHS: tuple[Path_, ...] = ("http L", "http L unique", "http R", "http R unique")
ROWS = [(path, kind) for path in (*PATHS, "http2 R", "tcp R") for kind in KINDS]
WARM_REQUESTS, WARM_CONNECTIONS = 12, 2  # Of each connection; of each client.
REQUESTS, NEW_CONNECTIONS = 6, 3


class Callgrind:
    """Counters of the processes that run under it and write into ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def prefix(self) -> tuple[str, ...]:
        """What runs a router under it."""
        return (*TOOL, f"--callgrind-out-file={self._directory}/%p")

    def begin(self, pid: int) -> None:
        """Count from here on."""
        self._control("--instr=on", pid)

    def taken(self, pid: int) -> int:
        """Instructions of ``pid`` since this was last asked, or since `begin`."""
        before = set(self._directory.iterdir())
        self._control("--dump", pid)
        (written,) = (
            path
            for path in set(self._directory.iterdir()) - before
            if path.name.startswith(f"{pid}.")
        )
        found = re.search(r"^(?:totals|summary): ([0-9]+)", written.read_text(), re.MULTILINE)
        assert found is not None, f"callgrind wrote no total for {pid}"
        return int(found[1])

    def _control(self, what: str, pid: int) -> None:
        command = ["callgrind_control", what, str(pid)]
        subprocess.run(command, check=True, capture_output=True)


def run(path: Path_, kind: str) -> None:
    """Ask, once a line comes on standard input; prints when it is ready, and when it is done."""
    scene = Scene(path)
    scene.connect()
    scene.ask(WARM_REQUESTS)
    if kind == "new":
        scene.leave()
        _connect_anew(scene, WARM_CONNECTIONS)
    print("ready", flush=True)
    sys.stdin.readline()
    if kind == "new":
        _connect_anew(scene, NEW_CONNECTIONS)
    else:
        scene.ask(REQUESTS)
    print("done", flush=True)
    sys.stdin.readline()


def _connect_anew(scene: Scene, times: int) -> None:
    for _ in range(times):
        scene.connect()
        scene.ask(1)
        scene.leave()


def counted(path: Path_, kind: str) -> float:
    """Instructions of each request, or of each connection with its one request."""
    words = [sys.executable, "-m", "tests.bench.instructions", "--run", path, kind]
    with tempfile.TemporaryDirectory(prefix="spillway-instructions-") as name:
        callgrind = Callgrind(Path(name))
        with subprocess.Popen(
            [*callgrind.prefix, *words],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as scene:
            assert scene.stdin is not None and scene.stdout is not None
            _hear(scene.stdout.readline(), "ready")
            callgrind.begin(scene.pid)
            callgrind.taken(scene.pid)
            print(file=scene.stdin, flush=True)
            _hear(scene.stdout.readline(), "done")
            total = callgrind.taken(scene.pid)
            print(file=scene.stdin, flush=True)
    return total / (CONNECTIONS * (NEW_CONNECTIONS if kind == "new" else REQUESTS))


def _hear(line: str, word: str) -> None:
    if line.strip() != word:
        raise SystemExit(f"the scene said {line!r} and not {word!r}: is valgrind installed?")


def main() -> None:
    """Print a table, or of one path and kind the figure alone."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.instructions", description=__doc__)
    parser.add_argument("--run", nargs=2, metavar=("PATH", "KIND"), help=argparse.SUPPRESS)
    parser.add_argument("--only", default="", help="rows that contain this")
    given = parser.parse_args()
    if given.run:
        run(given.run[0], given.run[1])
        return
    table = Table(title="instructions in virtual time at c32, both routers, client and target")
    for column in ("", "per request"):
        table.add_column(column, justify="right" if column else "left")
    for path, kind in ROWS:
        if given.only in f"{path} {kind}":
            table.add_row(f"{path} {kind}", f"{counted(path, kind):,.0f}")
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
