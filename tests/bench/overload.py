"""Figures under overload and attack: ``python -m tests.bench.overload --help``.

Two real sites on loopback, the attacked one with a local target and a link to the other. For each
attack: what a fresh client (a new connection, one request, each 10 ms) waits before and during it,
how long the operator's door takes to answer, and the resident memory before, at its peak and after,
when everything is idle. Then ten times the load that the targets can serve: goodput against the
peak, how long refused requests waited, and how soon all is well again.
"""

import argparse
import contextlib
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from router.link.ports import OpenRequest
from tests.bench import machine
from tests.bench.machine import free_ports
from tests.bench.systems import Processes
from tests.scenario.attackers import attacking
from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.insider import Insider
from tests.scenario.offering import Offered, fresh_client, offer, percentile_ms
from tests.scenario.waiting import until

MIB = 2**20
SLOW_PORT = SHOP_PORT + 1
SLOTS, SERVICE_MS = 4, 40
PEAK_RPS = SLOTS * 1000 / SERVICE_MS
OVERLOAD = 10
RECOVERY_S = 5.0
SETTLE_S, QUIET_CORES = 15, 0.3
RETURNED, GIVEN_BACK_S = 1.05, 20.0
ATTACKS = (
    ("idle", 2000),
    ("slow-head", 2000),
    ("slow-body", 2000),
    ("slow-put", 2000),
    ("no-reader-large", 2000),
    ("pipeline", 40),
    ("churn", 50),
    ("half-open", 1000),
)
STREAMS_UNREAD = 2000


class Address(msgspec.Struct, frozen=True):
    """Where a target of another process listens, as `Site.connect` wants it."""

    address: str
    port: int


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One attack."""

    attack: str
    rss_before_mib: float
    rss_peak_mib: float
    rss_after_mib: float
    base_p50_ms: float
    base_p99_ms: float
    during_p50_ms: float
    during_p99_ms: float
    admin_max_ms: float
    cpu_percent: float
    descriptors_left: int


class Watch:
    """Peak memory, and how long the operator's door took at most, while it runs."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.peak_bytes = 0
        self.admin_max_s = 0.0

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(0.1):
            self.peak_bytes = max(self.peak_bytes, rss_bytes(self._site))
            began = time.perf_counter()
            assert self._site.get("status")["name"]
            self.admin_max_s = max(self.admin_max_s, time.perf_counter() - began)


def rss_bytes(site: Site) -> int:
    """Resident memory of a router."""
    return machine.rss_bytes([site.note_pid()])


def descriptors(site: Site) -> int:
    """How many a router holds."""
    return len(list(Path(f"/proc/{site.note_pid()}/fd").iterdir()))


class Scene:
    """The attacked site, its neighbor, its targets."""

    def __init__(self, net: Network, processes: Processes) -> None:
        self.net = net
        fast, slow = free_ports(2)
        processes.server("http", "fast", str(fast), wait_for=[fast])
        processes.server("http", "slow", str(slow), str(SERVICE_MS), wait_for=[slow])
        self.site, self.other = net.site("attacked"), net.site("other")
        net.link(self.other, self.site, 1, token="cert")
        self.site.declare("shop", SHOP_PORT)
        self.site.declare("slow", SLOW_PORT)
        for service, port, capacity in (("shop", fast, None), ("slow", slow, SLOTS)):
            target = Address("127.0.0.1", port)
            self.site.connect(service, target, capacity=capacity)
        net.start()
        net.ready("shop", {"attacked": 1})
        net.see_each_other()
        self.door = (self.site.address, SHOP_PORT)
        self.slow_door = (self.site.address, SLOW_PORT)
        self.link_door = (self.site.address, self.site.link_port)

    def at_rest(self, count: int) -> int:
        """Wait for the end of everything; descriptors beyond ``count`` that stay."""
        self.net.at_rest("shop", self.site)
        with contextlib.suppress(AssertionError):
            until(lambda: descriptors(self.site) <= count, "descriptors", 20.0)
        return descriptors(self.site) - count

    @contextlib.contextmanager
    def unread_streams(self) -> Iterator[None]:
        """A member of the network opens streams and grants no more credit, ever."""
        token = self.net.token(self.site, "--token-type", "cert", "--name", "mallory")
        with Insider(token) as insider:
            theirs = insider.join_network()
            head = b"GET /bytes/10000000 HTTP/1.1\r\nHost: shop\r\n"
            for _ in range(STREAMS_UNREAD):
                insider.open(
                    OpenRequest(
                        path=(theirs.router,),  # type: ignore[arg-type]
                        service="shop",
                        port=SHOP_PORT,
                        protocol="http",
                        ingress=insider.identity.site,
                        head=head,
                    )
                )
            yield

    def _settle(self) -> None:
        """Until the router has done what the attackers' start asked for, or works on and on."""
        pid = self.site.note_pid()
        for _ in range(SETTLE_S):
            before_s = machine.cpu_s([pid])
            time.sleep(1.0)
            if machine.cpu_s([pid]) - before_s < QUIET_CORES:
                return

    def measure(self, name: str, attack: AbstractContextManager[None], seconds: float) -> Row:
        """Before, during and after one attack."""
        pid = self.site.note_pid()
        count = descriptors(self.site)
        base = fresh_client(self.door, seconds)
        before = rss_bytes(self.site)
        with Watch(self.site) as watch, attack:
            # The attackers' own start is load as any other, and loads both cores.
            until(lambda: fetch(*self.door, timeout_s=1.0).status == 200, "it serves", 30.0)
            self._settle()
            cpu_s = machine.cpu_s([pid])
            during = fresh_client(self.door, seconds)
            cpu_s = machine.cpu_s([pid]) - cpu_s
        left = self.at_rest(count)
        with contextlib.suppress(AssertionError):
            until(lambda: rss_bytes(self.site) < before * RETURNED, "memory", GIVEN_BACK_S)
        return Row(
            attack=name,
            rss_before_mib=before / MIB,
            rss_peak_mib=watch.peak_bytes / MIB,
            rss_after_mib=rss_bytes(self.site) / MIB,
            base_p50_ms=percentile_ms(base, 0.5),
            base_p99_ms=percentile_ms(base, 0.99),
            during_p50_ms=percentile_ms(during, 0.5),
            during_p99_ms=percentile_ms(during, 0.99),
            admin_max_ms=1000 * watch.admin_max_s,
            cpu_percent=100 * cpu_s / seconds,
            descriptors_left=left,
        )

    def overload(self, seconds: float) -> tuple[Offered, Offered, float, float, float, float]:
        """At the peak, at ten times that, how soon it recovered (s), RSS before and at peak; and
        how long the router had no core at ten times (s): all of that is in what clients waited."""
        offer(self.slow_door, PEAK_RPS, 2.0)
        peak = offer(self.slow_door, PEAK_RPS, seconds)
        before = rss_bytes(self.site)
        pid = self.site.note_pid()
        waited_s = machine.waited_s(pid)
        with Watch(self.site) as watch:
            over = offer(self.slow_door, OVERLOAD * PEAK_RPS, seconds)
        waited_s = machine.waited_s(pid) - waited_s
        began = time.perf_counter()
        while time.perf_counter() - began < RECOVERY_S:
            if not offer(self.slow_door, PEAK_RPS / 2, 0.5).refused:
                break
        recovery_s = max(0.0, time.perf_counter() - began - 0.5)
        return peak, over, recovery_s, before / MIB, watch.peak_bytes / MIB, waited_s


def show(rows: list[Row]) -> None:
    """The table of attacks."""
    table = Table(title="attacks", title_justify="left")
    for column in ("attack", "RSS MiB before", "peak", "after", "fresh p50 ms", "during"):
        table.add_column(column, justify="right" if column != "attack" else "left")
    for column in ("fresh p99 ms", "during", "ratio", "admin max ms", "CPU %", "fds left"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(
            row.attack,
            *(f"{n:.1f}" for n in (row.rss_before_mib, row.rss_peak_mib, row.rss_after_mib)),
            *(f"{n:.2f}" for n in (row.base_p50_ms, row.during_p50_ms)),
            *(f"{n:.2f}" for n in (row.base_p99_ms, row.during_p99_ms)),
            f"{row.during_p99_ms / row.base_p99_ms:.2f}",
            f"{row.admin_max_ms:.0f}",
            f"{row.cpu_percent:.0f}",
            str(row.descriptors_left),
        )
    Console(highlight=False, width=140).print(table)


def main() -> int:
    """Run everything asked for; 0 when nothing broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.overload", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="attacks whose name has it")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement (5)")
    given = parser.parse_args()
    machine.raise_file_limit()
    directory = Path(tempfile.mkdtemp(prefix="spillway-overload-"))
    processes = Processes(directory)
    print("\n".join(f"{name:16s} {text}" for name, text in machine.description().items()))
    try:
        with Network(directory / "sites", forks=False) as net:
            (directory / "sites").mkdir()
            scene = Scene(net, processes)
            attacks: list[tuple[str, Callable[[], AbstractContextManager[None]]]] = [
                (
                    f"{count} {kind}",
                    partial(
                        attacking,
                        kind,
                        scene.link_door if kind == "half-open" else scene.door,
                        count,
                    ),
                )
                for kind, count in ATTACKS
            ]
            attacks.append((f"{STREAMS_UNREAD} unread streams", scene.unread_streams))
            rows = []
            for name, attack in attacks:
                if given.only in name:
                    rows.append(scene.measure(name, attack(), given.seconds))
                    print(rows[-1], file=sys.stderr, flush=True)
            if rows:
                show(rows)
            if given.only in "overload":
                peak, over, recovery_s, before, top, waited_s = scene.overload(given.seconds)
                goodput = over.served / max(1, peak.served)
                print(f"capacity {SLOTS} slots of {SERVICE_MS} ms: peak {PEAK_RPS:g} rps")
                print(f"at the peak: {peak}\n{OVERLOAD} times that: {over}")
                print(f"goodput {goodput:.0%}, refusals p99 {over.refused_p99_ms:.1f} ms")
                print(f"the router had no core for {1000 * waited_s:.0f} ms of that")
                print(f"recovered in {recovery_s:.1f} s, RSS {before:.1f} MiB, at most {top:.1f}")
    finally:
        processes.end()
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
