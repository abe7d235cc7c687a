"""Scenarios in virtual time and with real processes: ``make simulate-live ARGS=--help``.

Each scenario of `tests.bench.live_scenarios` runs once in the simulator and once as three real
sites, 20 ms apart, with the same requests. It compares, for the clients of each site, how many
requests each site served, how many were refused or lost, and the p99 of the served ones. They agree
within 10 %: counts within 10 % of the larger one or 2 % of all requests, whichever is more, p99
within 10 %.

A machine adds its own time to each request, more if it does other work. A calm run first measures
this time. Simulated requests take longer by its median, and p99 may differ by the time that it adds
to the p99 beyond that, or 15 ms. A scenario that differs while routers lacked a core is tried
again.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from simulator.runs.measure import RunRecord
from simulator.runs.run import Run
from simulator.scenarios.scenario import Scenario
from tests.bench import machine
from tests.bench.burst_figures import Outcome, percentile
from tests.bench.bursts import NOISY_SHARE, busy_cores, starved_since
from tests.bench.live_scenarios import LIVE, LiveScenario
from tests.bench.live_world import SITES, LiveWorld
from tests.bench.systems import Processes
from tests.scenario.harness import Network

SHARE, OF_ALL, P99_S = 0.10, 0.02, 0.015
GOAL: Final = 30


class SideFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What clients of one site got. ``served`` by site; ``failed``: refused or lost."""

    asked: int
    served: dict[str, int]
    failed: int
    p99_s: float

    def percent(self, site: str) -> float:
        """Share of all that ``site`` served."""
        return 100 * self.served[site] / max(self.asked, 1)


class Overhead(msgspec.Struct, frozen=True, kw_only=True):
    """The time that this machine adds to a request: the median, and how much more at the p99."""

    median_s: float = 0.0
    tail_s: float = 0.0

    @property
    def p99_apart_s(self) -> float:
        """By how much two p99 may differ, whatever they are."""
        return max(P99_S, self.tail_s)


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """Clients of one site, both ways. ``starved``: routers lacked a core for a good while."""

    scenario: str
    site: str
    simulated: SideFigures
    live: SideFigures
    apart: list[str]
    starved: bool


def side_of(served: list[tuple[str, float]]) -> SideFigures:
    """Of (who served, seconds) of each request; no name: it failed."""
    took = sorted(seconds for site, seconds in served if site)
    return SideFigures(
        asked=len(served),
        served={name: sum(site == name for site, _ in served) for name in SITES},
        failed=sum(not site for site, _ in served),
        p99_s=percentile(took, 0.99) if took else 0.0,
    )


def simulated(record: RunRecord, site: str) -> SideFigures:
    """As `simulator` has it."""
    own = [one for one in record.requests if one.site == site]
    return side_of([(one.served_by, one.latency_s) for one in own])


def lived(outcomes: list[Outcome]) -> SideFigures:
    """As real processes had it."""
    return side_of(
        [(one.site if one.status == 200 else "", one.ended - one.began) for one in outcomes]
    )


def overhead_of(outcomes: list[Outcome]) -> Overhead:
    """Of a calm run whose requests all stay at home."""
    added = sorted(one.ended - one.began - one.service_s for one in outcomes if one.status == 200)
    median_s, p99_s = percentile(added, 0.5), percentile(added, 0.99)
    return Overhead(median_s=median_s, tail_s=p99_s - median_s)


def slowed(scenario: Scenario, by_s: float) -> Scenario:
    """The same with targets that take so much longer in the mean."""
    targets = tuple(
        msgspec.structs.replace(
            one,
            service_time=msgspec.structs.replace(
                one.service_time, mean_s=one.service_time.mean_s + by_s
            ),
        )
        for one in scenario.targets
    )
    return msgspec.structs.replace(scenario, targets=targets)


def apart(first: SideFigures, second: SideFigures, overhead: Overhead) -> list[str]:
    """What differs by more than it may."""
    found = []
    counts = [
        *((f"served by {name}", first.served[name], second.served[name]) for name in SITES),
        ("failed", first.failed, second.failed),
    ]
    for what, one, other in counts:
        if abs(one - other) > max(SHARE * max(one, other), OF_ALL * first.asked):
            found.append(f"{what}: {one} and {other}")
    most_s = max(SHARE * max(first.p99_s, second.p99_s), overhead.p99_apart_s)
    if abs(first.p99_s - second.p99_s) > most_s:
        found.append(f"p99: {1000 * first.p99_s:.0f} and {1000 * second.p99_s:.0f} ms")
    return found


def measured(world: LiveWorld, seed: int) -> Overhead:
    """The time that this machine adds, measured by the first scenario, a calm one."""
    scenario = LIVE[0].scenario(seed)
    outcomes = world.run(scenario, Run(scenario).finish())
    return overhead_of([one for own in outcomes.values() for one in own])


def compare(world: LiveWorld, live: LiveScenario, seed: int, overhead: Overhead) -> list[Compared]:
    """One scenario both ways, for each site whose clients ask."""
    scenario = live.scenario(seed)
    record = Run(slowed(scenario, overhead.median_s)).finish()
    pids = [site.note_pid() for site in world.sites.values()]
    before_s = {pid: machine.waited_s(pid) for pid in pids}
    outcomes = world.run(scenario, record)
    starved_s = sum(starved_since(pid, since_s) for pid, since_s in before_s.items())
    rows = []
    for site, own in outcomes.items():
        one, other = simulated(record, site), lived(own)
        rows.append(
            Compared(
                scenario=live.name,
                site=site,
                simulated=one,
                live=other,
                apart=apart(one, other, overhead),
                starved=starved_s > NOISY_SHARE * scenario.duration_s,
            )
        )
    return rows


def show(rows: list[Compared]) -> None:
    """The table: simulated and live figures beside each other."""
    table = Table(title="simulated / live", title_justify="left")
    for name in ("scenario", "clients of"):
        table.add_column(name)
    for name in ("here %", "near %", "far %", "failed", "p99 ms"):
        table.add_column(name, justify="right")
    table.add_column("agree")
    for row in rows:
        one, other = row.simulated, row.live
        shares = [f"{one.percent(name):.1f} / {other.percent(name):.1f}" for name in SITES]
        table.add_row(
            row.scenario,
            row.site,
            *shares,
            f"{one.failed} / {other.failed}",
            f"{1000 * one.p99_s:.0f} / {1000 * other.p99_s:.0f}",
            ("; ".join(row.apart) or "yes") + (" (starved)" if row.starved else ""),
        )
    Console(highlight=False, width=180).print(table)


def main() -> int:
    """Run the scenarios asked for; return 1 when fewer agree than wanted."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.simulate_live", description=__doc__
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="scenarios whose name has it")
    parser.add_argument("--seed", type=int, default=1, help="of arrivals and service times (1)")
    parser.add_argument(
        "--tries", type=int, default=3, help="of one that differs when routers lacked a core (3)"
    )
    parser.add_argument("--json", default="", metavar="FILE", help="write all figures there")
    given = parser.parse_args()
    machine.raise_file_limit()
    described = machine.description()
    described["busy before"] = f"{busy_cores():.2f} cores"
    print("\n".join(f"{name:16s} {text}" for name, text in described.items()), flush=True)
    chosen = [one for one in LIVE if given.only in one.name]
    directory = Path(tempfile.mkdtemp(prefix="spillway-live-"))
    processes = Processes(directory)
    rows: list[Compared] = []
    try:
        (directory / "sites").mkdir()
        with Network(directory / "sites") as net:
            world = LiveWorld(directory, net, processes)
            overhead = measured(world, given.seed)
            print(
                f"this machine adds {1000 * overhead.median_s:.1f} ms to a request, and "
                f"{1000 * overhead.tail_s:.1f} ms more at the p99 of a calm run",
                flush=True,
            )
            for live in chosen:
                for left in range(given.tries - 1, -1, -1):
                    found = compare(world, live, given.seed, overhead)
                    differ = [text for row in found for text in row.apart]
                    again = bool(differ) and left > 0 and any(row.starved for row in found)
                    told = "; ".join(differ) or "agree"
                    print(f"{live.name}: {told}{', again' if again else ''}", flush=True)
                    if not again:
                        break
                rows += found
    finally:
        processes.end()
        shutil.rmtree(directory, ignore_errors=True)
    show(rows)
    differing = {row.scenario for row in rows if row.apart}
    agree = len(chosen) - len(differing)
    print(f"{agree} of {len(chosen)} scenarios agree within 10 %")
    if given.json:
        Path(given.json).write_bytes(msgspec.json.encode(rows))
    return 0 if agree >= min(GOAL, len(chosen)) else 1


if __name__ == "__main__":
    sys.exit(main())
