"""``python -m tests.bench``: start everything, sample in turns, print, end everything."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sitectl.demo.sites import DemoError
from tests.bench import envoy, failover, fairness, goals, machine, peers, report, samples, scenes
from tests.bench.load import LoadError
from tests.bench.samples import Measurement, Sample
from tests.bench.spillway import Sites
from tests.bench.systems import Backends, Kind, Path_, Processes, StartError, System, start_backends

QUICK_SECONDS, QUICK_REPETITIONS = 1.0, 2
QUICK_LABELS = (
    *("http L c32", "http R c32", "http R c128", "http R unique", "http R 1MiB"),
    *("tcp L c32", "tcp R c32", "tcp R c128", "tcp R new"),
    *("bulk", "memory", "fairness", "control"),
)
QUICK_PEERS = ("haproxy",)
SECONDS, REPETITIONS = 3.0, 5
FAIRNESS_REPETITIONS_MAX = 3  # Of loads that are three times as long.
STRIKES = {
    "failover killed": signal.SIGKILL,
    "failover silent": signal.SIGSTOP,
}
BETWEEN_S = 0.1  # So that one system's last segments are not the next one's burden.


class Options(msgspec.Struct, frozen=True):
    """What to do, and for how long."""

    seconds: float
    repetitions: int
    only: tuple[str, ...]
    skip: tuple[str, ...]
    peers: tuple[str, ...]
    json: Path | None

    def wants(self, label: str) -> bool:
        """The measurement ``label`` was asked for."""
        if any(word in label for word in self.skip):
            return False
        return not self.only or any(word in label for word in self.only)


def options(arguments: Sequence[str]) -> Options:
    """From the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="the main figures, two samples of 1 s each, beside HAProxy",
    )
    parser.add_argument("--seconds", type=float, help=f"of a sample ({SECONDS:g})")
    parser.add_argument("--repetitions", type=int, help=f"of each sample ({REPETITIONS})")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="TEXT",
        help="measurements whose label contains TEXT (may be repeated), such as 'http R', c32, "
        "new, 1MiB, unique, bulk, memory, fairness, control, failover, distance, 'idle '",
    )
    parser.add_argument("--skip", action="append", default=[], metavar="TEXT", help="not these")
    parser.add_argument("--no-peers", action="store_true", help="only ourselves")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there too")
    given = parser.parse_args(arguments)
    quick = given.quick
    return Options(
        seconds=given.seconds or (QUICK_SECONDS if quick else SECONDS),
        repetitions=given.repetitions or (QUICK_REPETITIONS if quick else REPETITIONS),
        only=tuple(given.only) or (QUICK_LABELS if quick else ()),
        skip=tuple(given.skip),
        peers=() if given.no_peers else QUICK_PEERS if quick else peers.NAMES,
        json=given.json,
    )


class Bench:
    """One run."""

    def __init__(self, wanted: Options, processes: Processes, sites: Sites) -> None:
        self._wanted = wanted
        self._processes = processes
        self._sites = sites
        self._results: dict[str, dict[str, list[Sample]]] = {}

    def run(self) -> None:
        """Start, sample, print."""
        backends = start_backends(self._processes)
        systems = [self._sites.start(backends)]
        systems += [
            start(self._processes, backends) for start in peers.installed(self._wanted.peers)
        ]
        self._memory(systems)
        chosen = [m for m in samples.measurements() if self._wanted.wants(m.label)]
        for turn in range(self._wanted.repetitions):
            for measurement in chosen:
                self._compare(measurement, [*self._direct(backends), *systems], backends, turn)
        self._fairness(systems, backends)
        self._failover()
        if self._wanted.wants("distance"):
            scenes.distance(self._processes, backends, self._keep, self._wanted.seconds)
        if self._wanted.wants("idle "):
            scenes.idle(self._processes, backends, self._keep)
        about = machine.description() | {
            "backend": backends.name,
            "envoy": envoy.version() if envoy.program() else "not installed",
            "samples": f"{self._wanted.repetitions} of {self._wanted.seconds:g} s, interleaved",
        }
        report.show(about, self._results)
        if self._wanted.json is not None:
            report.write_json(self._wanted.json, about, self._results)

    def _direct(self, backends: Backends) -> list[System]:
        """The backend without anything before it, as the ceiling; not in a quick run."""
        if len(self._wanted.peers) < len(peers.NAMES):
            return []
        local: Path_ = "L"
        kinds: list[Kind] = [kind for kind in backends.ports if kind != "tcp"]
        ports = {(kind, local): backends.ports[kind] for kind in kinds}
        return [System(goals.DIRECT, (), "127.0.0.1", ports)]

    def _memory(self, systems: list[System]) -> None:
        for system in systems:
            if self._wanted.wants("memory") and ("tcp", "R") in system.ports:
                for label, sample in samples.memory(system).items():
                    self._keep(label, system.name, sample)

    def _compare(
        self, measurement: Measurement, systems: list[System], backends: Backends, turn: int
    ) -> None:
        if turn:
            systems = [system for system in systems if system.name != goals.DIRECT]
        able = [s for s in systems if (measurement.kind, measurement.path) in s.ports]
        shift = turn % len(able)
        for system in able[shift:] + able[:shift]:  # Rotated, to be fair.
            try:
                sample = measurement.sample(system, backends, self._wanted.seconds)
            except LoadError as error:  # The others are still worth knowing.
                print(f"{measurement.label} {system.name}: {error}", file=sys.stderr)
                sample = Sample({"errors": 1}, 0.0)
            self._keep(measurement.label, system.name, sample)
            time.sleep(BETWEEN_S)

    def _fairness(self, systems: list[System], backends: Backends) -> None:
        seconds = self._wanted.seconds
        for _ in range(min(self._wanted.repetitions, FAIRNESS_REPETITIONS_MAX)):
            for system in systems:
                if (
                    self._wanted.wants("fairness")
                    and {("http", "R"), ("bulk", "R")} <= system.ports.keys()
                ):
                    for label, sample in fairness.requests(system, backends, seconds).items():
                        self._keep(label, system.name, sample)
        if self._wanted.wants("control"):
            told = fairness.control(self._sites, systems[0], backends, seconds)
            for label, sample in told.items():
                self._keep(label, goals.OURS, sample)

    def _failover(self) -> None:
        strikes = {label: how for label, how in STRIKES.items() if self._wanted.wants(label)}
        if not strikes:
            return
        port = failover.prepare(self._sites, self._processes)
        for _ in range(self._wanted.repetitions):
            for label, how in strikes.items():
                self._keep(label, goals.OURS, failover.sample(self._sites, port, how))

    def _keep(self, label: str, system: str, sample: Sample) -> None:
        self._results.setdefault(label, {}).setdefault(system, []).append(sample)
        shown = "  ".join(f"{name} {value:.4g}" for name, value in sample.figures.items())
        noise = f"  (others: {sample.foreign_cores:.2f} cores)" if sample.foreign_cores else ""
        print(f"{label:26s} {system:9s} {shown}{noise}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str]) -> int:
    """Run; 0 when every measurement was taken."""
    wanted = options(arguments)
    machine.raise_file_limit()
    directory = Path(tempfile.mkdtemp(prefix="spillway-bench-"))
    os.chmod(directory, 0o711)  # The workers of a peer may run as another user.
    (directory / "sites").mkdir()
    processes = Processes(directory)
    sites = Sites(directory / "sites")
    try:
        Bench(wanted, processes, sites).run()
    except (DemoError, LoadError, StartError) as error:
        print(f"The benchmark could not go on: {error}", file=sys.stderr)
        for log in sorted(directory.glob("sites/*/run/router.log")):
            print(f"--- {log}\n{log.read_text()[-2000:]}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        sites.end()
        processes.end()
        shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Clean up then, too.
    raise SystemExit(main(sys.argv[1:]))
