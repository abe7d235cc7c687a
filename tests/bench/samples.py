"""One sample of one measurement of one system, and how samples are put together."""

import shutil
import statistics
import time
from collections.abc import Callable, Sequence

import msgspec

from tests.bench import load, machine
from tests.bench.load import Direction
from tests.bench.systems import LARGE_BYTES, LARGE_URL, UNIQUE_URL, Backends, Kind, Path_, System

CONNECTIONS = (1, 32, 128)
NEW_CONNECTIONS_AT_ONCE = 32
UNIQUE_CONNECTIONS = 32
LARGE_CONNECTIONS = 4
HTTP2_CONNECTIONS, HTTP2_STREAMS = 8, 16
IDLE_CONNECTIONS = 1000
WARM_CONNECTIONS, WARM_S = 100, 2.0
ERRORS_MAX = 0.01  # Of the requests; beyond it a sample says nothing but that.
QUIET_CORES = 0.25  # Other work beside a sample, above which it counts as disturbed.
GIB, MIB = 2**30, 2**20
FIGURES: dict[str, bool] = {
    "req/s": True,
    "conn/s": True,
    "p50 ms": False,
    "p99 ms": False,
    "max ms": False,
    "CPU s/1000": False,
    "Gbit/s": True,
    "CPU s/GiB": False,
    "RSS MiB": False,
    "growth MiB": False,
    "MB/s": True,
    "% of a core": False,
    "times": False,
    "errors": False,
    "ms": False,
    "lost": False,
}
"""Every figure, and whether more of it is better."""


class Sample(msgspec.Struct, frozen=True):
    """Figures by name, and how many cores other work used meanwhile."""

    figures: dict[str, float]
    foreign_cores: float


Sampler = Callable[[System, Backends, float], Sample]


class Measurement(msgspec.Struct, frozen=True):
    """``label`` is what `--only` selects by; ``sample`` takes one of a system for some seconds."""

    label: str
    kind: Kind
    path: Path_
    sample: Sampler


def measurements() -> list[Measurement]:
    """All that compare systems by load of one kind, in the order of the report."""
    found = []
    http_and_tcp: tuple[Kind, ...] = ("http", "tcp")
    paths: tuple[Path_, ...] = ("L", "R")
    directions: tuple[Direction, ...] = ("up", "down")
    for kind in http_and_tcp:
        for path in paths:
            group = f"{kind} {path}"
            for count in CONNECTIONS:
                sample = _requests(kind, path, count)
                found.append(Measurement(f"{group} c{count}", kind, path, sample))
            sample = _requests(kind, path, NEW_CONNECTIONS_AT_ONCE, close=True)
            found.append(Measurement(f"{group} new", kind, path, sample))
            if shutil.which("wrk"):
                sample = _large(kind, path)
                found.append(Measurement(f"{group} 1MiB", kind, path, sample))
            if kind == "http" and shutil.which("wrk"):
                sample = _requests(kind, path, UNIQUE_CONNECTIONS, url=UNIQUE_URL, unique=True)
                found.append(Measurement(f"{group} unique", kind, path, sample))
    if shutil.which("h2load"):
        for path in paths:
            label = f"http2 {path} c{HTTP2_CONNECTIONS}x{HTTP2_STREAMS}"
            found.append(Measurement(label, "http2", path, _http2(path)))
    bulk: Kind = "iperf" if shutil.which("iperf3") else "bulk"
    for path in paths:
        for direction in directions:
            sample = _bulk(bulk, path, direction)
            found.append(Measurement(f"bulk {path} {direction}", bulk, path, sample))
    return found


def _requests(
    kind: Kind,
    path: Path_,
    connections: int,
    *,
    url: str = "/",
    close: bool = False,
    unique: bool = False,
) -> Sampler:
    def sample(system: System, backends: Backends, seconds: float) -> Sample:
        watch = Watch(system, backends)
        where = (system.host, system.ports[kind, path])
        seen = load.requests(*where, connections, seconds, url=url, close=close, unique=unique)
        cpu_s, foreign = watch.stop()
        if seen.errors > ERRORS_MAX * seen.requests:
            return Sample({"errors": seen.errors}, foreign)
        figures = {"conn/s" if close else "req/s": seen.requests / seen.seconds}
        if not close:
            figures |= {"p50 ms": seen.p50_ms, "p99 ms": seen.p99_ms}
        if system.pids and seen.requests:
            figures["CPU s/1000"] = 1000 * cpu_s / seen.requests
        if seen.errors:
            figures["errors"] = seen.errors
        return Sample(figures, foreign)

    return sample


def _large(kind: Kind, path: Path_) -> Sampler:
    """Answers of 1 MiB, a few connections."""

    def sample(system: System, backends: Backends, seconds: float) -> Sample:
        watch = Watch(system, backends)
        where = (system.host, system.ports[kind, path])
        seen = load.requests(*where, LARGE_CONNECTIONS, seconds, url=LARGE_URL)
        if seen.errors > ERRORS_MAX * seen.requests:
            return Sample({"errors": seen.errors}, watch.stop()[1])
        return _carried(system, watch, int(seen.requests) * LARGE_BYTES, seen.seconds)

    return sample


def _http2(path: Path_) -> Sampler:
    """Clients that speak HTTP/2 by prior knowledge."""

    def sample(system: System, backends: Backends, seconds: float) -> Sample:
        watch = Watch(system, backends)
        began = time.perf_counter()
        where = (system.host, system.ports["http2", path])
        good, bad = load.http2_requests(*where, HTTP2_CONNECTIONS, HTTP2_STREAMS, seconds)
        elapsed = time.perf_counter() - began
        cpu_s, foreign = watch.stop()
        if bad > ERRORS_MAX * good:
            return Sample({"errors": bad}, foreign)
        figures = {"req/s": good / elapsed}
        if system.pids and good:
            figures["CPU s/1000"] = 1000 * cpu_s / good
        if bad:
            figures["errors"] = bad
        return Sample(figures, foreign)

    return sample


def _bulk(kind: Kind, path: Path_, direction: Direction) -> Sampler:
    def sample(system: System, backends: Backends, seconds: float) -> Sample:
        watch = Watch(system, backends)
        carry = load.iperf if kind == "iperf" else load.bulk
        size, elapsed = carry(system.host, system.ports[kind, path], direction, seconds)
        return _carried(system, watch, size, elapsed)

    return sample


def _carried(system: System, watch: "Watch", size: int, elapsed: float) -> Sample:
    cpu_s, foreign = watch.stop()
    figures = {"Gbit/s": 8 * size / elapsed / 1e9}
    if system.pids and size:
        figures["CPU s/GiB"] = cpu_s / (size / GIB)
    return Sample(figures, foreign)


def memory(system: System) -> dict[str, Sample]:
    """Resident memory of both ends, idle and with idle TCP connections through both.

    Growth is counted from a state in which some connections came and went: code that runs for the
    first time, or again, and first buffers do not belong to a connection.
    """
    idle = machine.rss_bytes(system.pids)
    port = system.ports["tcp", "R"]
    with load.held(system.host, port, WARM_CONNECTIONS):
        pass
    time.sleep(WARM_S)
    warm = machine.rss_bytes(system.pids)
    with load.held(system.host, port, IDLE_CONNECTIONS):
        full = machine.rss_bytes(system.pids)
    growth = {"RSS MiB": full / MIB, "growth MiB": (full - warm) / MIB}
    return {
        "memory idle": Sample({"RSS MiB": idle / MIB}, 0.0),
        f"memory {IDLE_CONNECTIONS}-connections": Sample(growth, 0.0),
    }


class Watch:
    """CPU time from its creation to `stop`: of the system, and of all unrelated processes."""

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
