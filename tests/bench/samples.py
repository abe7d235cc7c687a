"""One sample of one measurement of one system, and how samples are put together."""

import statistics
import time
from collections.abc import Callable, Sequence

import msgspec

from tests.bench import load, machine
from tests.bench.load import Direction
from tests.bench.systems import Backends, Kind, Path_, System

CONNECTIONS = (1, 32, 128)
NEW_CONNECTIONS_AT_ONCE = 32
IDLE_CONNECTIONS = 1000
QUIET_CORES = 0.25  # Other work beside a sample, above which it counts as disturbed.
GIB, MIB = 2**30, 2**20
FIGURES: dict[str, bool] = {
    "req/s": True,
    "conn/s": True,
    "p50 ms": False,
    "p99 ms": False,
    "CPU s/1000": False,
    "Gbit/s": True,
    "CPU s/GiB": False,
    "RSS MiB": False,
    "errors": False,
    "ms": False,
    "lost": False,
}
"""Every figure, and whether more of it is better."""


class Sample(msgspec.Struct, frozen=True):
    """Figures by name, and how many cores other work used meanwhile."""

    figures: dict[str, float]
    foreign_cores: float


class Measurement(msgspec.Struct, frozen=True):
    """``label`` is what `--only` selects by; ``sample`` takes one of a system for some seconds."""

    label: str
    kind: Kind
    path: Path_
    sample: Callable[[System, Backends, float], Sample]


def measurements() -> list[Measurement]:
    """All that compare systems, in the order of the report."""
    found = []
    http_and_tcp: tuple[Kind, ...] = ("http", "tcp")
    paths: tuple[Path_, ...] = ("L", "R")
    directions: tuple[Direction, ...] = ("up", "down")
    for kind in http_and_tcp:
        for path in paths:
            for count in CONNECTIONS:
                sample = _requests(kind, path, count, close=False)
                found.append(Measurement(f"{kind} {path} c{count}", kind, path, sample))
            sample = _requests(kind, path, NEW_CONNECTIONS_AT_ONCE, close=True)
            found.append(Measurement(f"{kind} {path} new", kind, path, sample))
    for path in paths:
        for direction in directions:
            label = f"bulk {path} {direction}"
            found.append(Measurement(label, "bulk", path, _bulk(path, direction)))
    return found


def _requests(
    kind: Kind, path: Path_, connections: int, *, close: bool
) -> Callable[[System, Backends, float], Sample]:
    def sample(system: System, backends: Backends, seconds: float) -> Sample:
        watch = Watch(system, backends)
        seen = load.requests(
            system.host, system.ports[kind, path], connections, seconds, close=close
        )
        cpu_s, foreign = watch.stop()
        figures = {"conn/s" if close else "req/s": seen.requests / seen.seconds}
        if not close:
            figures |= {"p50 ms": seen.p50_ms, "p99 ms": seen.p99_ms}
        if system.pids and seen.requests:
            figures["CPU s/1000"] = 1000 * cpu_s / seen.requests
        if seen.errors:
            figures["errors"] = seen.errors
        return Sample(figures, foreign)

    return sample


def _bulk(path: Path_, direction: Direction) -> Callable[[System, Backends, float], Sample]:
    def sample(system: System, backends: Backends, seconds: float) -> Sample:
        watch = Watch(system, backends)
        size, elapsed = load.bulk(system.host, system.ports["bulk", path], direction, seconds)
        cpu_s, foreign = watch.stop()
        figures = {"Gbit/s": 8 * size / elapsed / 1e9}
        if system.pids and size:
            figures["CPU s/GiB"] = cpu_s / (size / GIB)
        return Sample(figures, foreign)

    return sample


def memory(system: System) -> dict[str, Sample]:
    """Resident memory of both ends, idle and with idle TCP connections through both."""
    idle = machine.rss_bytes(system.pids)
    with load.held(system.host, system.ports["tcp", "R"], IDLE_CONNECTIONS):
        full = machine.rss_bytes(system.pids)
    return {
        "memory idle": Sample({"RSS MiB": idle / MIB}, 0.0),
        f"memory {IDLE_CONNECTIONS}-connections": Sample({"RSS MiB": full / MIB}, 0.0),
    }


class Watch:
    """CPU time from its making to `stop`: of the system, and of what has no part in it."""

    def __init__(self, system: System, backends: Backends) -> None:
        self._system = system
        self._all = [*system.pids, *backends.pids]
        self._began = time.monotonic()
        self._began_system, self._began_foreign = self._read()

    def _read(self) -> tuple[float, float]:
        foreign = machine.busy_s() - machine.cpu_s(self._all) - machine.own_s()
        return machine.cpu_s(self._system.pids), foreign

    def stop(self) -> tuple[float, float]:
        """CPU seconds of the system, and cores used by others."""
        system, foreign = self._read()
        elapsed = time.monotonic() - self._began
        return system - self._began_system, max(0.0, foreign - self._began_foreign) / elapsed


class Median(msgspec.Struct, frozen=True):
    """Medians of the quiet samples, of all when none was quiet (``disturbed``)."""

    figures: dict[str, float]
    samples: int
    disturbed: bool


def median(samples: Sequence[Sample]) -> Median:
    """Put ``samples`` (at least one) together."""
    quiet = [sample for sample in samples if sample.foreign_cores <= QUIET_CORES]
    used = quiet or samples
    names = [name for name in FIGURES if any(name in sample.figures for sample in used)]
    figures = {
        name: statistics.median(s.figures[name] for s in used if name in s.figures)
        for name in names
    }
    return Median(figures, len(used), disturbed=not quiet)
