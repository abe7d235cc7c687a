"""Instructions of a request in virtual time: ``python -m tests.bench.exact_instructions``.

As `instructions`, by callgrind, of the whole routers of `counts` in place of real processes: the
rooms but `net` and TLS, with a client, a target and a network that are simulated and counted as
well. So compare figures with each other. What else the machine does moves none of them by more than
some 0.1 %. Needs valgrind; takes some ten seconds a row.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.ceilings import Path_
from tests.bench.counts import CONNECTIONS, Scene
from tests.bench.instructions import Callgrind
from tests.bench.load import ROOT

KINDS = ("kept", "unique", "new")
"""Requests on kept connections; likewise, and no head comes twice; one on each connection."""

ROWS: tuple[tuple[Path_, str], ...] = (
    *(("http L", kind) for kind in KINDS),
    *(("http R", kind) for kind in KINDS),
    *(("http2 R", kind) for kind in ("kept", "new")),
    *(("tcp R", kind) for kind in ("kept", "new")),
)
WARM_REQUESTS, WARM_CONNECTIONS = 12, 2  # Of each connection; of each client.
REQUESTS, NEW_CONNECTIONS = 6, 3


def run(path: Path_, kind: str) -> None:
    """Ask, once a line comes on standard input; prints when it is ready, and when it is done."""
    scene = Scene(path, unique=kind == "unique")
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
    words = [sys.executable, "-m", "tests.bench.exact_instructions", "--run", path, kind]
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
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.exact_instructions", description=__doc__
    )
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
