"""What routers weigh and cost when little happens and much is held: ``make bench WHAT=state``.

Real processes on loopback, CPU and memory out of `/proc`. ``--only`` chooses scenes, ``--quick``
holds and waits less. Each scene has separate sites.

- ``idle``: two linked sites with a service, nothing happens.
- ``connections``: idle TCP connections over the link between two sites.
- ``rest``: one site with ten neighbors and fifty services, with and without local targets.
- ``services``: a site of many services, and how it takes one document that changes.
"""

import argparse
import contextlib
import json
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from router.net.sockets import clients_max
from tests.bench import machine
from tests.bench.held import Crowd, Holder
from tests.scenario.harness import Network, Site
from tests.scenario.waiting import until

MIB = 2**20
PORT = 21_000
SETTLE_S = 4.0
LOOK_S = 0.01


class Size(msgspec.Struct, frozen=True):
    """How much of everything."""

    connections: int = 10_000
    neighbours: int = 10
    shared: int = 50  # Services of the hub.
    services: int = 1_000
    rest_s: float = 30.0
    reloads: int = 5


QUICK = Size(connections=1_000, neighbours=4, services=200, rest_s=5.0, reloads=2)


class Figure(msgspec.Struct, frozen=True):
    """One number; ``goal``: the most it may be."""

    scene: str
    name: str
    value: float
    unit: str
    goal: float | None = None


Told = Iterator[Figure]


def idle(net: Network, size: Size) -> Told:
    """Two sites, as they are after their start."""
    (entry,), exit_ = _linked(net, 1)
    time.sleep(SETTLE_S)
    pids = (entry.note_pid(), exit_.note_pid())
    used = _cpu_percent(pids, size.rest_s)
    yield Figure("idle", "RSS, both sites", machine.rss_bytes(pids) / MIB, "MiB", 90)
    yield Figure("idle", "CPU at rest, both sites", used, "%", 0.4)


def connections(net: Network, size: Size) -> Told:
    """Held by both ends, then let go at once.

    A router takes clients for half of its descriptors: where these do not suffice, clients share
    two entries, and the exit has them all.
    """
    scene = "connections"
    doors = -(-size.connections // (clients_max() - Crowd.WARM))
    each = -(-size.connections // doors)
    with contextlib.ExitStack() as stack:
        holder = stack.enter_context(Holder(net.target_address))
        entries, exit_ = _linked(net, Crowd.services_for(each), holder, doors)
        pids = tuple(site.note_pid() for site in (*entries, exit_))
        crowds = [stack.enter_context(Crowd(entry.address, PORT)) for entry in entries]
        for crowd in crowds:
            crowd.grow(Crowd.WARM)  # Pools, buffers and the first pages of arenas.
            crowd.shrink()
        until(lambda: not holder.count, "nobody is connected")
        time.sleep(SETTLE_S)
        before, open_before = machine.rss_bytes(pids), _descriptors(pids)
        began = time.perf_counter()
        for number, crowd in enumerate(crowds):
            crowd.grow(min(each, size.connections - number * each))
        until(lambda: holder.count == size.connections, "all are connected", 60)
        took_s = time.perf_counter() - began
        time.sleep(SETTLE_S)
        grown = (machine.rss_bytes(pids) - before) / MIB / size.connections * 1000
        yield Figure(scene, "connections", size.connections, "")
        yield Figure(scene, "entries that share them", doors, "")
        yield Figure(scene, "opened a second", size.connections / took_s, "/s")
        yield Figure(scene, "RSS per 1,000, both sites", grown, "MiB", 5)
        used = _cpu_percent(pids, size.rest_s)
        yield Figure(scene, "CPU at rest, both sites", used, "%", 0.4)
        began, used_s = time.perf_counter(), machine.cpu_s(pids)
        for crowd in crowds:
            crowd.shrink()
        until(lambda: _descriptors(pids) <= open_before, "descriptors are given back", 60)
        yield Figure(scene, "until all are gone", time.perf_counter() - began, "s")
        yield Figure(scene, "CPU of that", machine.cpu_s(pids) - used_s, "s")
        time.sleep(SETTLE_S + 6.0)  # Freed memory is returned every few seconds.
        left = (machine.rss_bytes(pids) - before) / MIB
        yield Figure(scene, "RSS kept afterwards, both sites", left, "MiB")


def rest(net: Network, size: Size) -> Told:
    """A hub; its services have targets at a neighbor, then also here."""
    hub = net.site("hub")
    others = [net.site(f"site-{number:02}") for number in range(size.neighbours)]
    with Holder(net.target_address) as holder:
        for number in range(size.shared):
            port = PORT + number
            hub.declare(f"service-{number:03}", port, protocol="tcp")
            others[number % len(others)].connect(f"service-{number:03}", holder)
        for other in others:
            net.link(hub, other, token="cert")
        net.start()
        net.see_each_other(hub)
        pid = hub.note_pid()
        time.sleep(SETTLE_S)
        name = f"CPU of a hub of {size.neighbours} links and {size.shared} services"
        yield Figure("rest", f"{name}, no targets", _cpu_percent([pid], size.rest_s), "%", 0.2)
        yield Figure("rest", "RSS of the hub", machine.rss_bytes([pid]) / MIB, "MiB", 45)
        for number in range(size.shared):
            hub.connect(f"service-{number:03}", holder)
        time.sleep(SETTLE_S)
        used = _cpu_percent([pid], size.rest_s)
        yield Figure("rest", f"{name}, {size.shared} targets checked each second", used, "%")


def services(net: Network, size: Size) -> Told:
    """One site alone. Its loop's longest stall is what a client of the admin door waits."""
    scene, site = "services", net.site("many")
    with Holder(net.target_address) as holder:
        for number in range(size.services):
            site.declare(_service(number), PORT + number, protocol="tcp")
            site.connect(_service(number), holder)
        began = time.perf_counter()
        net.start(site)
        last = _service(size.services - 1)
        until(lambda: site.offers(last, {site.name: 1}), f"{last} is offered", 60)
        yield Figure(scene, "services", size.services, "")
        yield Figure(scene, "until all are offered", time.perf_counter() - began, "s")
        pid = site.note_pid()
        time.sleep(SETTLE_S)
        yield Figure(scene, "RSS", machine.rss_bytes([pid]) / MIB, "MiB")
        calm_s, _ = _longest_wait(site, lambda: False, 2.0)
        yield Figure(scene, "longest stall, nothing changes", calm_s * 1000, "ms")
        stalls, took = [], []
        for number in range(size.reloads):
            name, other = _service(number), PORT + size.services + number
            site.declare(name, other, protocol="tcp")

            def is_there(name: str = name, port: int = other) -> bool:
                return _listens(site.address, port)

            stall_s, took_s = _longest_wait(site, is_there, 10.0)
            stalls.append(stall_s)
            took.append(took_s)
        yield Figure(scene, "a changed document counts after, at most", max(took) * 1000, "ms")
        yield Figure(scene, "longest stall then", max(stalls) * 1000, "ms", 10)
        used_percent = _cpu_percent([pid], size.rest_s)
        yield Figure(scene, "CPU at rest, a target each checked", used_percent, "%")


SCENES: dict[str, Callable[[Network, Size], Told]] = {
    "idle": idle,
    "connections": connections,
    "rest": rest,
    "services": services,
}


def _service(number: int) -> str:
    return f"service-{number:04}"


def _linked(
    net: Network, count: int, holder: Holder | None = None, doors: int = 1
) -> tuple[list[Site], Site]:
    """Entries, each linked to one exit.

    They have listeners of so many services, it has their targets.
    """
    entries = [net.site("entry" if not number else f"entry-{number}") for number in range(doors)]
    exit_ = net.site("exit")
    for number in range(count):
        for entry in entries:
            entry.declare(_service(number), PORT + number, protocol="tcp")
        if holder is not None:
            exit_.connect(_service(number), holder)
    for entry in entries:
        net.link(entry, exit_, token="cert")
    net.start()
    net.see_each_other()
    if holder is not None:
        for number in range(count):
            net.ready(_service(number), {exit_.name: 1}, *entries)
    return entries, exit_


def _cpu_percent(pids: Sequence[int], seconds: float) -> float:
    before_s, began = _ran_s(pids), time.perf_counter()
    time.sleep(seconds)
    return (_ran_s(pids) - before_s) / (time.perf_counter() - began) * 100


def _ran_s(pids: Sequence[int]) -> float:
    """What their threads ran, to the nanosecond: ticks do not see short wake-ups well."""
    tasks = (task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir())
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _descriptors(pids: Sequence[int]) -> int:
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)


def _longest_wait(site: Site, done: Callable[[], bool], wait_s: float) -> tuple[float, float]:
    """Of questions to the admin door, asked one after the other until ``done``; and how long."""
    longest_s, began = 0.0, time.perf_counter()
    while True:
        asked = time.perf_counter()
        site.admin.is_ready()
        answered = time.perf_counter()
        longest_s = max(longest_s, answered - asked)
        if answered - began >= wait_s or done():
            return longest_s, time.perf_counter() - began


def _listens(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
        return True
    return False


def show(figures: Sequence[Figure]) -> None:
    """As a table."""
    console = Console(highlight=False)
    for name, text in machine.description().items():
        console.print(f"{name:16s} {text}", soft_wrap=True)
    table = Table(title="What is held, and what rest costs", title_justify="left")
    for column in ("scene", "figure", "value", "goal"):
        table.add_column(column, justify="left" if column in ("scene", "figure") else "right")
    for one in figures:
        goal = "" if one.goal is None else f"{one.goal:g}"
        table.add_row(one.scene, one.name, f"{one.value:,.2f} {one.unit}".rstrip(), goal)
    console.print(table)


def main() -> None:
    """By the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.state", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(SCENES), default=list(SCENES))
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--connections", type=int, help="as many, and not 10,000")
    parser.add_argument("--json", type=Path, help="figures into this file")
    given = parser.parse_args()
    size = QUICK if given.quick else Size()
    if given.connections:
        size = msgspec.structs.replace(size, connections=given.connections)
    machine.raise_file_limit()
    figures: list[Figure] = []
    for name in given.only:
        with (
            tempfile.TemporaryDirectory(prefix="spillway-bench-") as state,
            Network(Path(state), forks=False) as net,
        ):
            for figure in SCENES[name](net, size):
                print(json.dumps(msgspec.to_builtins(figure)), file=sys.stderr, flush=True)
                figures.append(figure)
    show(figures)
    if given.json is not None:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=1))


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # Clean up then, too.
        signal.signal(number, signal.default_int_handler)
    main()
