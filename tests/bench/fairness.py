"""What small things suffer beside bulk on the same link: requests, and what routers say.

A stream of half the rate that the system carries alone runs beside small requests; and one that
takes all it can beside questions to the other router. Questions of `ping` ride in streams of the
data lane, behind the same bulk: what the control lane carries, which has a connection of its own,
can only be sooner. With four busy processes on two cores much of it is waiting for a core.
"""

import contextlib
import time
from collections.abc import Iterator

from sitectl.admin import Admin
from tests.bench import load
from tests.bench.samples import Sample, Watch
from tests.bench.spillway import ENTRY, EXIT, Sites
from tests.bench.systems import Backends, System

CONNECTIONS = 8
RATE_S = 1.0
SETTLE_S = 0.3
ASK_EVERY_S = 0.01


def requests(system: System, backends: Backends, seconds: float) -> dict[str, Sample]:
    """p50 and p99 of HTTP requests over one hop alone, and beside half of what bulk can be."""
    door = (system.host, system.ports["bulk", "R"])
    size, elapsed = load.bulk(*door, "down", RATE_S)
    found = {"fairness alone": _small(system, backends, seconds)}
    with load.streaming(*door, int(size / elapsed / 2)):
        time.sleep(SETTLE_S)
        beside = _small(system, backends, seconds)
    alone_ms = found["fairness alone"].figures["p99 ms"]
    times = {"times": beside.figures["p99 ms"] / alone_ms} if alone_ms else {}
    found["fairness beside-bulk"] = Sample(beside.figures | times, beside.foreign_cores)
    return found


def _small(system: System, backends: Backends, seconds: float) -> Sample:
    watch = Watch(system, backends)
    seen = load.requests(system.host, system.ports["http", "R"], CONNECTIONS, seconds)
    _, foreign = watch.stop()
    return Sample({"p50 ms": seen.p50_ms, "p99 ms": seen.p99_ms}, foreign)


def questions(
    sites: Sites, system: System, backends: Backends, seconds: float
) -> dict[str, Sample]:
    """Round trips between routers, at rest and beside bulk that takes all it can."""
    found = {}
    for label, bulk in (("control at-rest", False), ("control beside-bulk", True)):
        with _bulk(system) if bulk else contextlib.nullcontext():
            watch = Watch(system, backends)
            took = sorted(_round_trips_ms(sites, seconds))
            _, foreign = watch.stop()
        figures = {"p50 ms": took[len(took) // 2], "p99 ms": took[len(took) * 99 // 100]}
        found[label] = Sample(figures | {"max ms": took[-1]}, foreign)
    return found


@contextlib.contextmanager
def _bulk(system: System) -> Iterator[None]:
    with load.streaming(system.host, system.ports["bulk", "R"]):
        time.sleep(SETTLE_S)
        yield


def _round_trips_ms(sites: Sites, seconds: float) -> Iterator[float]:
    entry = Admin(sites.network.state / ENTRY / "run" / "admin.sock", ENTRY)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        (hop,) = entry.get(f"/api/v1/ping/{EXIT}?count=1")["hops"]
        yield hop["rtt_ms"][0]
        time.sleep(ASK_EVERY_S)
