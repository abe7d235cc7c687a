"""System calls of both routers per request, counted by strace: real sites, one thing at a time.

Requests come one after the other, so that what a turn of a router does is the same each time; what
timers do meanwhile is in it, and is little. `loaded` counts under 32 connections of wrk: turns then
carry more, and the figures move with the machine.
"""

import contextlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench import load
from tests.bench.ceilings import PATHS, Path_
from tests.bench.machine import free_ports
from tests.bench.systems import Processes
from tests.scenario.harness import Network, Site

HOST = "127.0.0.1"
REQUESTS, CONNECTIONS = 300, 100
WARM = 20
WARM_S, LOADED_S, LOADED_CONNECTIONS = 1.0, 2.0, 32
ATTACH_S = 10.0
END_S = 0.02  # Until routers have closed the last connection.
REQUEST = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
BODY_BYTES = 1024
PORTS: dict[Path_, int] = {path: 20_081 + number for number, path in enumerate(PATHS)}
WAITS = frozenset({"epoll_pwait", "epoll_wait"})
"""Two in each turn of a router. In how many turns it finds the same work, the kernel decides."""
SHOWN_MIN = 0.05  # Of one call per request, below which it is not shown.


class NotTraced(Exception):
    """strace is not installed, or this machine does not let it attach; the text says why."""


class Sites:
    """An entry and an exit, and the service of each path."""

    def __init__(self, network: Network, processes: Processes, prefix: Sequence[str]) -> None:
        self.entry, self.exit = network.site("entry"), network.site("exit")
        network.link(self.entry, self.exit)
        (target,) = free_ports(1)
        processes.server("http", "target", str(target), wait_for=[target])
        for path, port in PORTS.items():
            name = path.replace(" ", "-").lower()
            self.entry.declare(name, port, protocol=path.partition(" ")[0])
            site = self.entry if path.endswith("L") else self.exit
            places = [{"host": HOST, "port": target}]
            site.document("Connector", name, {"service": name, "targets": places})
        if prefix:
            for one in (self.entry, self.exit):
                one.run({}, prefix)
        else:
            network.start()
        network.see_each_other()
        for path in PATHS:
            site = self.entry if path.endswith("L") else self.exit
            network.ready(path.replace(" ", "-").lower(), {site.name: 1}, self.entry)

    def of(self, path: Path_) -> list[Site]:
        """The sites that a request of ``path`` passes."""
        return [self.entry] if path.endswith("L") else [self.entry, self.exit]

    def traced(self, path: Path_, what: Callable[[str, int], float]) -> dict[str, float]:
        """Calls by name while ``what`` happens to the door of ``path``, for each that it counts."""
        calls: Counter[str] = Counter()
        with contextlib.ExitStack() as stack:
            for site in self.of(path):
                stack.enter_context(_traced(site.note_pid(), calls))
            count = what(self.entry.address, PORTS[path])
            time.sleep(END_S)
        return {name: seen / count for name, seen in calls.most_common()}


@contextlib.contextmanager
def running(prefix: Sequence[str] = ()) -> Iterator[Sites]:
    """Both sites, and their targets. ``prefix``: words that become the routers by exec."""
    with tempfile.TemporaryDirectory(prefix="spillway-calls-") as name:
        directory = Path(name)
        processes = Processes(directory)
        try:
            with Network(directory / "sites") as network:
                yield Sites(network, processes, prefix)
        finally:
            processes.end()


def working(calls: Mapping[str, float]) -> float:
    """How many of ``calls`` do not wait."""
    return sum(count for name, count in calls.items() if name not in WAITS)


def requests(host: str, port: int, count: int = REQUESTS) -> float:
    """One after the other on one connection; how many."""
    with socket.create_connection((host, port), 5.0) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            _ask(client)
    return count


def connections(host: str, port: int, count: int = CONNECTIONS) -> float:
    """One after the other, a request on each; how many."""
    for _ in range(count):
        requests(host, port, 1)
    return count


def loaded(host: str, port: int) -> float:
    """By 32 connections at once; how many requests."""
    return load.requests(host, port, LOADED_CONNECTIONS, LOADED_S).requests


def _ask(client: socket.socket) -> None:
    client.sendall(REQUEST)
    got = b""
    while len(got.partition(b"\r\n\r\n")[2]) < BODY_BYTES:
        data = client.recv(65_536)
        assert data, "closed within an answer"
        got += data


@contextlib.contextmanager
def _traced(pid: int, calls: Counter[str]) -> Iterator[None]:
    """Add the system calls of ``pid`` from here on to ``calls``."""
    if shutil.which("strace") is None:
        raise NotTraced("strace is not installed")
    with tempfile.NamedTemporaryFile("r", prefix="strace-") as table:
        command = ["strace", "-c", "-f", "-U", "calls,name", "-o", table.name, "-p", str(pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            said = tracer.stderr.readline()
            if "attached" not in said:
                raise NotTraced(said.strip())
            try:
                yield
            finally:
                tracer.send_signal(signal.SIGINT)
                tracer.wait(ATTACH_S)
        for count, name in re.findall(r"^ *([0-9]+) ([a-z_0-9]+)$", table.read(), re.MULTILINE):
            if name != "total":
                calls[name] += int(count)


def show(console: Console) -> None:
    """A table of every path: alone, under load, and for a new connection."""
    title = "system calls by strace, both routers together (without waiting)"
    table = Table(title=title, title_justify="left")
    for column in ("", "one at a time", "new connection", "at c32", "of these"):
        table.add_column(column, justify="right" if column and column != "of these" else "left")
    with running() as sites:
        for path in PATHS:
            door = (sites.entry.address, PORTS[path])
            requests(*door, WARM)
            one, new = sites.traced(path, requests), sites.traced(path, connections)
            at_c32 = sites.traced(path, loaded)
            words = ", ".join(
                f"{name} {count:.2f}" for name, count in at_c32.items() if count >= SHOWN_MIN
            )
            cells = [
                f"{sum(calls.values()):.2f} ({working(calls):.2f})" for calls in (one, new, at_c32)
            ]
            table.add_row(path, *cells, words)
            time.sleep(WARM_S)
    console.print(table)
