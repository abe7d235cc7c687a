"""``python -m tests.bench.gateway``: PostgreSQL behind a host's gateway, as its clients see it.

Three ways to one server on this machine: direct; through a site and the gateway linked to it (one
link); through a further site (two links). Everything is real processes on loopback and mTLS, so
there is no distance that would hide what the routers cost. The server does not wait for its disk
(``fsync=off``) for the same reason. Samples are interleaved; printed are their median and the best
of them, which is the one that other work on the machine disturbed least.
"""

import argparse
import re
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from sitectl.runtimes.process import router_command, router_environment
from sitectl.site.directory import DirectorySite
from tests.bench import machine
from tests.scenario.gateways import Gateway
from tests.scenario.harness import Network, Site
from tests.scenario.pgwire import PgError, Session
from tests.scenario.postgres import Postgres, pgbench, psql
from tests.scenario.waiting import until

PORT = 20_112
SECONDS, REPETITIONS = 4, 5
QUICK_SECONDS, QUICK_REPETITIONS = 1, 1
CLIENTS, THREADS, SCALE = 8, 2, 10
ASKED = 2_000
SESSIONS = 50
COPIED_ROWS = 200_000
MIB = 2**20
STARTS = 3
TABLE_CHARS = 110
DIRECT, ONE, TWO = "direct", "one link", "two links"


class Way(msgspec.Struct, frozen=True):
    """A place where clients connect, and the routers between it and the server."""

    name: str
    address: str
    port: int
    pids: tuple[int, ...]


Figures = dict[str, float]
Sampler = Callable[[Way, float], Figures]


def transactions(way: Way, seconds: float, *flags: str) -> Figures:
    """pgbench with `CLIENTS` connections, and the routers' CPU for a thousand transactions."""
    began_s = machine.cpu_s(way.pids)
    shown = pgbench(
        *(way.address, way.port, "-n", "-c", str(CLIENTS), "-j", str(THREADS)),
        *("-T", str(round(seconds)), *flags),
    )
    count = _number(r"transactions actually processed: (\d+)", shown)
    figures = {
        "transactions/s": _number(r"tps = ([\d.]+)", shown),
        "average ms": _number(r"latency average = ([\d.]+) ms", shown),
    }
    if way.pids:
        figures["CPU ms each"] = (machine.cpu_s(way.pids) - began_s) * 1000 / count
    return figures


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise AssertionError(f"pgbench printed no {pattern!r}:\n{text}")
    return float(found[1])


def tpc_b(way: Way, seconds: float) -> Figures:
    """Seven statements a transaction, each a round trip."""
    return transactions(way, seconds)


def selects(way: Way, seconds: float) -> Figures:
    """One statement a transaction."""
    return transactions(way, seconds, "-S")


def select_one(way: Way, _seconds: float) -> Figures:
    """``SELECT 1`` again and again on one connection."""
    took_ms = []
    with Session(way.address, way.port) as session:
        for _ in range(ASKED):
            began = time.perf_counter()
            session.query("select 1")
            took_ms.append((time.perf_counter() - began) * 1000)
    took_ms.sort()
    return {"p50 ms": took_ms[ASKED // 2], "p99 ms": took_ms[ASKED * 99 // 100]}


def connects(way: Way, _seconds: float) -> Figures:
    """A new session for each ``SELECT 1``, as without a pool."""
    took_ms = []
    for _ in range(SESSIONS):
        began = time.perf_counter()
        with Session(way.address, way.port) as session:
            session.query("select 1")
            took_ms.append((time.perf_counter() - began) * 1000)
    return {"p50 ms": statistics.median(took_ms)}


def copy(way: Way, _seconds: float) -> Figures:
    """COPY of about 14 MiB out of the server, as psql takes it."""
    rows = f"select i, md5(i::text), md5((i + 1)::text) from generate_series(1, {COPIED_ROWS}) i"
    began_s, began = machine.cpu_s(way.pids), time.perf_counter()
    text = psql(way.address, way.port, f"copy ({rows}) to stdout")
    took_s = time.perf_counter() - began
    assert text.count("\n") == COPIED_ROWS - 1
    figures = {"MiB/s": len(text) / MIB / took_s}
    if way.pids:
        figures["CPU s/GiB"] = (machine.cpu_s(way.pids) - began_s) * 2**30 / len(text)
    return figures


MEASUREMENTS: Sequence[tuple[str, Sampler]] = (
    (f"pgbench TPC-B, {CLIENTS} clients", tpc_b),
    (f"pgbench select only, {CLIENTS} clients", selects),
    ("SELECT 1, one connection", select_one),
    ("connect and SELECT 1", connects),
    ("COPY out", copy),
)


class Bench:
    """``near`` is the site that the gateway is linked to, ``far`` one that is linked to it."""

    def __init__(self, net: Network, server: Postgres) -> None:
        self.net, self.server = net, server
        self.near, self.far = net.site("near"), net.site("far")
        net.link(self.far, self.near)
        server.start()
        net.start()
        self.gate = Gateway(net, "gate", self.near)
        self.gate.bind("db", server.address, PORT)
        net.ready("db", {"gate": 1}, self.near, self.far)
        pgbench(server.address, PORT, "-i", "-q", "-s", str(SCALE))

    def ways(self) -> list[Way]:
        """All three."""
        near, far, gate = (site.note_pid() for site in (self.near, self.far, self.gate))
        return [
            Way(DIRECT, self.server.address, PORT, ()),
            Way(ONE, self.near.address, PORT, (gate, near)),
            Way(TWO, self.far.address, PORT, (gate, near, far)),
        ]

    def idle_rss_mib(self) -> float:
        """Of the gateway's router."""
        return machine.rss_bytes([self.gate.note_pid()]) / MIB

    def start_s(self) -> dict[str, float]:
        """Seconds from the gateway's exec to ready, and to the first session from the near site."""
        self.gate.ctl("stop")
        until(lambda: not self.near.ready_targets("db").get("gate"), "the gateway is gone")
        log = self.gate.directory / "run" / "router.log"
        began = time.perf_counter()
        with log.open("ab") as file:
            subprocess.Popen(
                router_command(DirectorySite(self.gate.directory)),
                stdout=file,
                stderr=file,
                cwd=self.gate.directory,
                env=router_environment(),
                start_new_session=True,
            )
        until(self.gate.admin.is_ready, "the gateway is ready")
        ready_s = time.perf_counter() - began
        until(lambda: answers(self.near), "a client is served")
        return {"to ready s": ready_s, "to first session s": time.perf_counter() - began}


def answers(site: Site) -> bool:
    """A client of ``site`` gets a session."""
    try:
        with Session(site.address, PORT) as session:
            return session.value("select 1") == "1"
    except (OSError, EOFError, PgError):
        return False


def run(seconds: float, repetitions: int) -> None:
    """Everything, once."""
    results: dict[str, dict[str, list[Figures]]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="spillway-bench-") as state,
        Network(Path(state), forks=False) as net,
        Postgres(net.target_address, PORT) as server,
    ):
        bench = Bench(net, server)
        alone: dict[str, list[float]] = {"idle RSS MiB": [bench.idle_rss_mib()]}
        ways = bench.ways()
        for turn in range(repetitions):
            for label, sampler in MEASUREMENTS:
                shift = turn % len(ways)
                for way in ways[shift:] + ways[:shift]:  # Rotate the order, to be fair.
                    figures = sampler(way, seconds)
                    results.setdefault(label, {}).setdefault(way.name, []).append(figures)
                    print(f"{label:32s} {way.name:10s} {figures}", flush=True)
        alone["RSS MiB after all that"] = [bench.idle_rss_mib()]
        for _ in range(STARTS):
            for name, took_s in bench.start_s().items():
                alone.setdefault(name, []).append(took_s)
    show(results, alone)


def show(results: dict[str, dict[str, list[Figures]]], alone: dict[str, list[float]]) -> None:
    """Print medians, and of the ways through routers how they compare with the direct one."""
    console = Console(highlight=False, width=TABLE_CHARS)
    for name, text in machine.description().items():
        console.print(f"{name:16s} {text}", soft_wrap=True)
    table = Table(title="PostgreSQL behind a gateway, median (best)", title_justify="left")
    for column in ("", "figure", DIRECT, ONE, TWO):
        table.add_column(column, justify="left" if column in ("", "figure") else "right")
    for label, ways in results.items():
        names = list(dict.fromkeys(name for all_ in ways.values() for f in all_ for name in f))
        for number, name in enumerate(names):
            cells = [
                _cell([f[name] for f in ways[way] if name in f], name) for way in (DIRECT, ONE, TWO)
            ]
            table.add_row(label if number == 0 else "", name, *cells)
    console.print(table)
    for name, values in alone.items():
        console.print(f"gateway: {name:24s} {_cell(values, name)}")


def _cell(values: Sequence[float], name: str) -> str:
    if not values:
        return "-"
    best = max(values) if name.endswith("/s") else min(values)
    return f"{_shown(statistics.median(values))} ({_shown(best)})"


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main() -> None:
    """By the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gateway", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one sample of 1 s each")
    parser.add_argument("--seconds", type=int, help=f"of a pgbench sample ({SECONDS})")
    parser.add_argument("--repetitions", type=int, help=f"of each sample ({REPETITIONS})")
    given = parser.parse_args()
    machine.raise_file_limit()
    run(
        given.seconds or (QUICK_SECONDS if given.quick else SECONDS),
        given.repetitions or (QUICK_REPETITIONS if given.quick else REPETITIONS),
    )


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # Clean up then, too.
        signal.signal(number, signal.default_int_handler)
    main()
