"""Where a request's microseconds go, by room: ``make bench WHAT=profiles``.

Both real sites under load by wrk: first the CPU time per request without a profile, then cProfile
in each router. It costs by the call, so that rooms of many small calls look costlier than they are:
compare shares, and the true CPU time above them. C functions count for the room that calls them,
but those that enter the kernel, and TLS, which have separate rows.
"""

import argparse
import marshal
import os
import shutil
import signal
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench import load, machine
from tests.bench.spillway import Sites
from tests.bench.systems import Kind, Path_, Processes, System, start_backends

HOOK = Path(__file__).with_name("profiled")
FLIP = signal.SIGRTMIN
CONNECTIONS, WARM_S, SAMPLE_S = 32, 1.0, 2.0
WRITE_S, POLL_S = 10.0, 0.05
DOORS: tuple[tuple[Kind, Path_], ...] = (("http", "L"), ("http", "R"), ("tcp", "L"), ("tcp", "R"))
KERNEL = ("recv", "send", "poll", "accept", "splice", "setsockopt", "socket", "connect", "epoll")
TLS = ("ssl", "BIO", "cffi", "cryptography")
WAITING = ("'poll' of 'select.epoll'", "run_forever", "_lsprof")
Stat = tuple[int, int, float, float, dict[Any, tuple[int, int, float, float]]]


class Share(msgspec.Struct):
    """Of one room: calls and microseconds of the profile, per request."""

    calls: float = 0.0
    self_us: float = 0.0


def room(path: str) -> str:
    """Of a file: its package of `router`, or whose it is."""
    parts = Path(path).parts
    if "router" in parts:
        return "/".join(parts[parts.index("router") :][:2]).removesuffix(".py")
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1].removesuffix(".py")
    return "standard library"


def shares(stats: dict[tuple[str, int, str], Stat], requests: float) -> dict[str, Share]:
    """Each room's share, of one profile; built-in functions count for their callers."""
    found: dict[str, Share] = defaultdict(Share)

    def add(name: str, calls: int, self_s: float) -> None:
        share = found[name]
        share.calls += calls / requests
        share.self_us += 1e6 * self_s / requests

    for (path, _, function), (_, calls, self_s, _, callers) in stats.items():
        if any(word in function for word in WAITING):
            continue
        if path != "~":
            add(room(path), calls, self_s)
        elif any(word in function for word in TLS):
            add("TLS", calls, self_s)
        elif any(word in function for word in KERNEL):
            add("system calls", calls, self_s)
        else:
            for (caller, _, _), (_, count, its_s, _) in callers.items():
                add(room(caller) if caller != "~" else "standard library", count, its_s)
    return found


class Profiler:
    """Two sites that can be profiled."""

    def __init__(self, directory: Path, system: System) -> None:
        self._directory = directory
        self._system = system

    def show(self, console: Console, kind: Kind, path: Path_) -> None:
        """A table of one path."""
        door = (self._system.host, self._system.ports[kind, path], CONNECTIONS)
        load.requests(*door, WARM_S)
        before = machine.cpu_s(self._system.pids)
        plain = load.requests(*door, SAMPLE_S).requests
        plain_us = 1e6 * (machine.cpu_s(self._system.pids) - before) / plain
        pids = self._system.pids if path == "R" else self._system.pids[:1]
        self._flip(pids)
        requests = load.requests(*door, SAMPLE_S).requests
        self._flip(pids)
        ends = [shares(self._read(pid), requests) for pid in pids]
        table = Table(
            title=f"{kind} {path}, c{CONNECTIONS}: {plain_us:.1f} us CPU per request unprofiled",
            title_justify="left",
        )
        table.add_column("room")
        for name in ("entry", "exit")[: len(pids)]:
            for column in ("calls", "self us", "share"):
                table.add_column(f"{name} {column}", justify="right")
        totals = [sum(share.self_us for share in end.values()) for end in ends]
        names = sorted(
            {name for end in ends for name in end},
            key=lambda name: -sum(end[name].self_us for end in ends if name in end),
        )
        for name in names:
            cells = []
            for end, total in zip(ends, totals, strict=True):
                share = end.get(name, Share())
                cells += [f"{share.calls:.1f}", f"{share.self_us:.1f}"]
                cells.append(f"{share.self_us / total:.0%}")
            if any(cell not in ("0.0", "0%") for cell in cells):
                table.add_row(name, *cells)
        cells = []
        for end, total in zip(ends, totals, strict=True):
            cells += [f"{sum(share.calls for share in end.values()):.1f}", f"{total:.1f}", ""]
        table.add_row("all", *cells)
        console.print(table)

    def _flip(self, pids: tuple[int, ...]) -> None:
        for pid in pids:
            os.kill(pid, FLIP)
        time.sleep(POLL_S)

    def _read(self, pid: int) -> dict[tuple[str, int, str], Stat]:
        path = self._directory / f"{pid}.prof"
        deadline = time.monotonic() + WRITE_S
        while not path.exists():
            assert time.monotonic() < deadline, f"{pid} wrote no profile"
            time.sleep(POLL_S)
        stats: dict[tuple[str, int, str], Stat] = marshal.loads(path.read_bytes())
        path.unlink()
        return stats


def main() -> None:
    """All paths, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.profiles", description=__doc__)
    parser.add_argument("--only", choices=[f"{kind} {path}" for kind, path in DOORS])
    given = parser.parse_args()
    machine.raise_file_limit()
    directory = Path(tempfile.mkdtemp(prefix="spillway-profiles-"))
    directory.chmod(0o711)
    os.environ["SPILLWAY_PROFILES"] = str(directory)
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(HOOK), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    processes, sites = Processes(directory), Sites(directory / "sites")
    (directory / "sites").mkdir()
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 110
    try:
        profiler = Profiler(directory, sites.start(start_backends(processes)))
        for kind, path in DOORS:
            if given.only in (None, f"{kind} {path}"):
                profiler.show(console, kind, path)
    finally:
        sites.end()
        processes.end()
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
