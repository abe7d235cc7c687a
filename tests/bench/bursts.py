"""Burst quality on real processes: ``make bench WHAT=bursts ARGS=--help``.

Three real sites on loopback, 20 ms there and back between them (a relay in front of the link
ports), targets with 10 slots that say themselves when slots were in use, and clients that each ask
at random times. Each case is judged by `tests.bench.burst_figures`, as the same bursts in virtual
time are (tests/simulation/test_burst_quality.py), and runs under `fill` and `balanced`.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench import burst_figures, machine
from tests.bench.burst_figures import (
    Arrivals,
    Figures,
    Order,
    Outcome,
    Services,
    SlotLog,
    judge,
    orders,
    percentile,
)
from tests.bench.burst_parts import SLOTS, Plan, Report
from tests.bench.machine import free_ports
from tests.bench.systems import Processes
from tests.scenario.harness import LINK_PORT, SHOP_PORT, Network, Site
from tests.scenario.waiting import until

HERE, NEAR, FAR = SITES = ("here", "near", "far")
RTT_S = 0.020
TARGETS_MAX = 10
WARM_S = 1.0
LEAD_S = 1.0  # For the clients' processes to start.
RTT_SAMPLES = 200
REJOIN_S = 90.0
NOISY_SHARE, QUIET_CORES = 0.02, 0.3

Judge = Callable[[Figures], list[str]]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One burst: ``times`` what one target does, at each of ``at``; targets by site."""

    name: str
    targets: dict[str, int]
    times: float
    judge: Judge
    service_s: float = 0.25
    seconds: float = 0.0
    cost: int = 5
    keep_alive: bool = True
    arrivals: Arrivals = "poisson"
    services: Services = "constant"
    at: tuple[str, ...] = (HERE,)
    fault: str = ""
    calm_after: bool = False


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it. ``starved_s``: routers were ready to run and had no core."""

    case: str
    policy: str
    at: str
    figures: Figures
    missed: list[str]
    starved_s: float
    is_noisy: bool


FITS: Judge = partial(burst_figures.missed_by_a_burst_that_fits, slots=SLOTS)
OVER: Judge = burst_figures.missed_by_an_overload
CALM: Judge = burst_figures.missed_in_calm
FAULT: Judge = burst_figures.missed_by_a_fault

CASES = (
    Case(name="1.5x, 1 + 1", targets={HERE: 1, NEAR: 1}, times=1.5, judge=FITS),
    Case(name="1.5x, 1 + 10", targets={HERE: 1, NEAR: 10}, times=1.5, judge=FITS),
    Case(name="8x, 1 + 10", targets={HERE: 1, NEAR: 10}, times=8, service_s=0.4, judge=FITS),
    Case(name="1.5x, 1 + 10, cost 1", targets={HERE: 1, NEAR: 10}, times=1.5, cost=1, judge=FITS),
    Case(
        name="1.5x, 1 + 10, new connections",
        targets={HERE: 1, NEAR: 10},
        times=1.5,
        keep_alive=False,
        judge=FITS,
    ),
    Case(
        name="8x, 1 + 10, lognormal",
        targets={HERE: 1, NEAR: 10},
        times=8,
        service_s=0.4,
        services="lognormal",
        judge=FITS,
    ),
    Case(name="calm, 0.5x", targets={HERE: 1, NEAR: 1}, times=0.5, judge=CALM),
    Case(
        name="back in calm after 8x",
        targets={HERE: 1, NEAR: 10},
        times=8,
        judge=CALM,
        calm_after=True,
    ),
    Case(name="1.5x of everything", targets={HERE: 1, NEAR: 1}, times=3, seconds=12.0, judge=OVER),
    Case(name="8x, 1 + 1", targets={HERE: 1, NEAR: 1}, times=8, service_s=0.4, judge=OVER),
    Case(
        name="1 against 2 at equal cost",
        targets={HERE: 0, NEAR: 1, FAR: 2},
        times=2,
        judge=partial(burst_figures.missed_by_a_third, lone=NEAR),
    ),
    Case(
        name="2 ingress sites share 1",
        targets={HERE: 2, NEAR: 1, FAR: 1},
        times=1.6,
        at=(NEAR, FAR),
        judge=partial(burst_figures.missed_by_sharing, slots=SLOTS),
    ),
    Case(
        name="the local target stops",
        targets={HERE: 1, NEAR: 10},
        times=1.5,
        fault="target",
        judge=FAULT,
    ),
    Case(
        name="the remote router is killed",
        targets={HERE: 2, NEAR: 1, FAR: 2},
        times=3,
        fault="router",
        judge=FAULT,
    ),
)
QUICK = ("1.5x, 1 + 1", "8x, 1 + 10", "calm, 0.5x", "1.5x of everything")


class Scene:
    """Sites, relay and targets, set up again for each case."""

    def __init__(self, directory: Path, net: Network, processes: Processes) -> None:
        self._directory = directory
        self._net = net
        self._processes = processes
        self._target_pids: dict[str, int] = {}
        self._plans = 0
        self._most_waiting: dict[str, int] = {}
        self._last_words: dict[str, Report] = {}
        ports = free_ports(len(SITES) * (TARGETS_MAX + 1))
        self._control = {name: ports.pop() for name in SITES}
        self._ports = {name: [ports.pop() for _ in range(TARGETS_MAX)] for name in SITES}
        doors = dict(zip(SITES, free_ports(len(SITES)), strict=True))
        self.sites = {name: self._make(name, doors[name]) for name in SITES}
        pairs = [
            word
            for name in SITES
            for word in (f"127.0.0.1:{doors[name]}", f"{self.sites[name].address}:{LINK_PORT}")
        ]
        (self._check_port,) = free_ports(1)
        for name in SITES:
            self._start_targets(name)
        pairs += [f"127.0.0.1:{self._check_port}", f"127.0.0.1:{self._ports[FAR][0]}"]
        self._part("relay", str(RTT_S / 2), *pairs, wait_for=[doors[HERE], self._check_port])
        net.link(self.sites[HERE], self.sites[NEAR], 5)
        net.link(self.sites[HERE], self.sites[FAR], 5)
        self._write({HERE: 1, NEAR: 1, FAR: 1}, "fill")
        net.start()
        net.see_each_other()

    def _make(self, name: str, door: int) -> Site:
        site = self._net.planned(name)
        places = ("--bind-ip", site.address, "--ingress-bind-ip", site.address)
        where = ("--bind-port", str(LINK_PORT), "--ingress-host", f"127.0.0.1:{door}")
        site.quick("init", name, *places, *where)
        return site

    def _part(self, *words: str, wait_for: list[int]) -> int:
        command = [sys.executable, "-m", "tests.bench.burst_parts", *words]
        return self._processes.start(command, wait_for=wait_for)

    def _start_targets(self, name: str) -> None:
        ports = self._ports[name]
        words = (name, str(self._control[name]), *map(str, ports))
        self._target_pids[name] = self._part("targets", *words, wait_for=ports)

    def round_trips_s(self) -> list[float]:
        """What the relay really adds: small exchanges with a target through it."""
        took = []
        with socket.create_connection(("127.0.0.1", self._check_port), 5.0) as door:
            door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(RTT_SAMPLES):
                began = time.perf_counter()
                door.sendall(b"GET /0 HTTP/1.1\r\nHost: x\r\n\r\n")
                assert door.recv(4096).startswith(b"HTTP/1.1 200")
                took.append(time.perf_counter() - began)
        return took

    def arrange(self, case: Case, policy: str) -> None:
        """Targets, cost and policy of ``case``; returns when every site knows."""
        for name in (NEAR, FAR):
            self.sites[HERE].quick("link", "set", name, "--cost", str(case.cost))
        self._write(case.targets, policy)
        wanted = {name: count for name, count in case.targets.items() if count}
        self._net.ready("shop", wanted)
        deadline = time.monotonic() + 10.0
        while any(site.service("shop")["policy"] != policy for site in self.sites.values()):
            assert time.monotonic() < deadline, f"{policy} is not in force"
            time.sleep(0.05)
        self._net.at_rest("shop")

    def _write(self, targets: dict[str, int], policy: str) -> None:
        self.sites[HERE].declare("shop", SHOP_PORT, policy={"name": policy})
        for name, site in self.sites.items():
            count = targets.get(name, 0)
            places = [{"host": "127.0.0.1", "port": port} for port in self._ports[name][:count]]
            spec = {"service": "shop", "targets": places, "capacity": SLOTS}
            if count:
                site.document("Connector", "shop", spec)
            else:
                (site.directory / "config" / "own-connector-shop.yaml").unlink(missing_ok=True)

    def run(self, case: Case, policy: str, seconds: float, seed: int) -> list[Row]:
        """One case under one policy: a row for each site where it was asked."""
        self.arrange(case, policy)
        seconds = case.seconds or seconds
        for name in SITES:
            self._reported(name)
        pids = [site.note_pid() for site in self.sites.values()]
        before_s = {pid: machine.waited_s(pid) for pid in pids}
        begin = time.monotonic() + LEAD_S
        whole_s = seconds + (4.0 if case.calm_after else 0.0)
        clients = {
            at: self._client(case, at, self._orders(case, seconds, seed + number), begin)
            for number, at in enumerate(case.at)
        }
        if case.fault:
            time.sleep(max(0.0, begin + seconds / 3 - time.monotonic()))
            self._break(case.fault)
        answers = {at: self._heard(client, whole_s) for at, client in clients.items()}
        starved_s = sum(starved_since(pid, since_s) for pid, since_s in before_s.items())
        logs = {
            name: SlotLog(case.targets[name] * SLOTS, self._reported(name).changes)
            for name in case.targets
        }
        waiting = [self._most_waiting.get(name, 0) for name in case.targets]
        judged_from = begin + seconds + 1.0 if case.calm_after else begin
        judged_to = begin + whole_s
        rows = []
        for at, outcomes in answers.items():
            found = judge(
                outcomes, logs, at, RTT_S, begin=judged_from, end=judged_to,
                warm_s=0.0 if case.calm_after else WARM_S,
            )  # fmt: skip
            found = msgspec.structs.replace(found, most_waiting_at_targets=max(waiting))
            rows.append(
                Row(
                    case=case.name,
                    policy=policy,
                    at=at,
                    figures=found,
                    missed=case.judge(found),
                    starved_s=starved_s,
                    is_noisy=starved_s > NOISY_SHARE * whole_s,
                )
            )
        if case.fault:
            self._mend(case.fault)
        return rows

    def _orders(self, case: Case, seconds: float, seed: int) -> list[Order]:
        rate = SLOTS / case.service_s
        asked = orders(
            seed,
            case.times * rate,
            seconds,
            case.service_s,
            arrivals=case.arrivals,
            services=case.services,
        )
        if case.calm_after:
            calm = orders(seed, rate / 2, 4.0, case.service_s, arrivals="even")
            asked += [Order(seconds + one.at_s, one.service_s) for one in calm]
        return asked

    def _client(
        self, case: Case, at: str, asked: list[Order], begin: float
    ) -> "subprocess.Popen[bytes]":
        self._plans += 1
        path = self._directory / f"plan-{self._plans}.json"
        plan = Plan(self.sites[at].address, SHOP_PORT, begin, case.keep_alive, asked)
        path.write_bytes(msgspec.json.encode(plan))
        command = [sys.executable, "-m", "tests.bench.burst_parts", "client", str(path)]
        return subprocess.Popen(command, stdout=subprocess.PIPE)

    def _heard(self, client: "subprocess.Popen[bytes]", seconds: float) -> list[Outcome]:
        out, _ = client.communicate(timeout=LEAD_S + seconds + 30.0)
        assert client.returncode == 0, "the client failed"
        return msgspec.json.decode(out, type=list[Outcome])

    def _reported(self, name: str) -> Report:
        """What the targets of ``name`` saw since the last time, or before they were killed."""
        with contextlib.suppress(OSError), socket.create_connection(
            ("127.0.0.1", self._control[name]), 5.0
        ) as door:  # fmt: skip
            said = b"".join(iter(partial(door.recv, 1 << 16), b""))
            report = msgspec.json.decode(said, type=Report)
            self._most_waiting[name] = report.most_waiting
            return report
        return self._last_words.pop(name)

    def _break(self, fault: str) -> None:
        if fault == "target":
            last = self._last_words[HERE] = self._reported(HERE)
            last.changes.append((time.monotonic(), 0))
            os.kill(self._target_pids[HERE], signal.SIGKILL)
        else:
            self.sites[NEAR].kill()

    def _mend(self, fault: str) -> None:
        if fault == "target":
            self._start_targets(HERE)
        else:
            self.sites[NEAR].start()
            # Dialing backs off further each time while no router listens behind the relay.
            until(partial(self.sites[HERE].is_up, NEAR), "the link is back", REJOIN_S)
            self._net.see_each_other()


def show(rows: list[Row]) -> None:
    """The table."""
    table = Table(title="bursts", title_justify="left")
    table.add_column("case")
    table.add_column("policy")
    names = ("local % / ideal", "all %", "first", "early %", "idly %", "away %", "p50 / p99 ms")
    for column in (*names, "bound", "refused / late", "lost"):
        table.add_column(column, justify="right")
    table.add_column("goals")
    for row in rows:
        one = row.figures
        table.add_row(
            row.case + (f" ({row.at})" if row.at != HERE else ""),
            row.policy,
            f"{100 * one.local_used:.1f} / {100 * one.ideal.local_used:.1f}",
            f"{100 * one.all_used:.1f}",
            "-" if one.first_spill_local is None else str(one.first_spill_local),
            f"{100 * one.spilled_early:.1f}",
            f"{100 * one.waited_idly:.1f}",
            f"{100 * one.spilled:.1f}",
            f"{1000 * one.p50_s:.0f} / {1000 * one.p99_s:.0f}",
            f"{1000 * one.bound_s:.0f}",
            f"{one.refused} / {one.refused_late}",
            str(one.lost),
            ("; ".join(row.missed) or "met") + (" (noisy)" if row.is_noisy else ""),
        )
    Console(highlight=False, width=200).print(table)


def starved_since(pid: int, since_s: float) -> float:
    """Seconds without a core; 0.0 of a process that was killed meanwhile."""
    try:
        return machine.waited_s(pid) - since_s
    except OSError:
        return 0.0


def busy_cores(seconds: float = 1.0) -> float:
    """What the machine works at now, before anything of ours does."""
    before = machine.busy_s()
    time.sleep(seconds)
    return (machine.busy_s() - before) / seconds


def main() -> int:
    """Run the cases asked for; return 1 when a quiet run under `fill` missed a goal."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bursts", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name has it")
    parser.add_argument("--quick", action="store_true", help="few cases, `fill` only, 3 s each")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each burst (8)")
    parser.add_argument("--seed", type=int, default=1, help="of arrivals and service times (1)")
    parser.add_argument("--json", default="", metavar="FILE", help="write all figures there")
    given = parser.parse_args()
    machine.raise_file_limit()
    described = machine.description()
    cores = busy_cores()
    described["busy before"] = f"{cores:.2f} cores" + (
        " (NOT QUIET)" if cores > QUIET_CORES else ""
    )
    directory = Path(tempfile.mkdtemp(prefix="spillway-bursts-"))
    processes = Processes(directory)
    rows: list[Row] = []
    try:
        (directory / "sites").mkdir()
        with Network(directory / "sites", forks=False) as net:
            scene = Scene(directory, net, processes)
            trips = scene.round_trips_s()
            described["round trip"] = (
                f"p50 {1000 * percentile(trips, 0.5):.2f} ms, "
                f"p99 {1000 * percentile(trips, 0.99):.2f} ms through the relay"
            )
            print("\n".join(f"{name:16s} {text}" for name, text in described.items()), flush=True)
            seconds = 3.0 if given.quick else given.seconds
            for case in CASES:
                if given.only not in case.name or (given.quick and case.name not in QUICK):
                    continue
                for policy in ("fill",) if given.quick else ("fill", "balanced"):
                    rows += scene.run(case, policy, seconds, given.seed)
                    print(f"{case.name}, {policy}: {rows[-1].missed or 'met'}", file=sys.stderr)
    finally:
        processes.end()
        shutil.rmtree(directory, ignore_errors=True)
        show(rows)  # What there is, also when a case could not be measured.
        if given.json:
            text = {"machine": described, "rows": msgspec.to_builtins(rows)}
            Path(given.json).write_text(json.dumps(text, indent=1))
    return int(any(row.missed and not row.is_noisy and row.policy == "fill" for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
